"""The identity of a recording: kept by whatever is not the sound, lost with the sound."""

from __future__ import annotations

import pickle

import mutagen
import numpy as np
import pytest
import soundfile
from mutagen.apev2 import BINARY, APEv2, APEValue
from mutagen.flac import Picture
from mutagen.id3 import APIC, ID3, TIT2
from mutagen.mp4 import MP4Cover

from tonotope.audio import decode, identify

PICTURE = np.random.default_rng(0).bytes(200_000)


def audio_id(path) -> str:
    """Return the identity, after checking that decoding agrees with demuxing."""
    with decode(path) as stream:
        for _ in stream:
            pass
    identity = identify(path)
    assert identity.audio_id == stream.info.audio_id
    return identity.audio_id


def test_every_format_has_one_identity_and_its_own(any_format, sample_file):
    path = sample_file(any_format)
    identity = identify(path)
    assert len(identity.audio_id) == 32
    assert set(identity.audio_id) <= set("0123456789abcdef")
    assert identity.audio_id == audio_id(path)
    assert identity.duration_s == pytest.approx(6, abs=0.12)
    assert identity.channels == 2
    assert identity.sample_rate_hz in (44100, 48000)


def test_identity_survives_pickling(sample_file):
    identity = identify(sample_file("a.mp3"))
    assert pickle.loads(pickle.dumps(identity)) == identity


def test_renaming_and_moving_keep_it(sample_file, tmp_path):
    path = sample_file("a.mp3")
    moved = tmp_path / "elsewhere" / "other name.bin"
    moved.parent.mkdir()
    moved.write_bytes(path.read_bytes())
    assert audio_id(moved) == audio_id(path)


@pytest.mark.parametrize("title", ["x", "x" * 3000])
@pytest.mark.parametrize("name", ["a.mp3", "a.aac"])
@pytest.mark.parametrize("id3v1", [False, True])
@pytest.mark.parametrize("ape", [False, True])
@pytest.mark.parametrize("id3v2", [False, True])
def test_tags_around_a_bare_stream_keep_it(copy_of, name, title, id3v1, ape, id3v2):
    path = copy_of(name)
    before = audio_id(path)
    if id3v2:
        tags = ID3()
        tags.add(TIT2(encoding=3, text=title))
        tags.add(APIC(encoding=3, mime="image/jpeg", type=3, desc="cover", data=PICTURE))
        tags.save(path)
    if ape:
        tags = APEv2()
        tags["Title"] = title
        # Random bytes hold what looks like frames.
        tags["Cover Art (Front)"] = APEValue(b"cover.jpg\0" + PICTURE, BINARY)
        tags.save(path)
    if id3v1:
        with path.open("ab") as file:
            file.write(b"TAG" + title[:30].encode().ljust(125, b"\0"))
    assert audio_id(path) == before
    with decode(path) as stream:
        for _ in stream:
            pass
    assert not stream.info.damage


@pytest.mark.parametrize("name", ["a.mp3", "a.aac", "a.flac", "a.wav", "a.tta"])
def test_a_huge_cover_in_front_keeps_it(copy_of, name):
    # FFmpeg looks for a known format no further than a megabyte.
    path = copy_of(name)
    before = audio_id(path)
    tags = ID3()
    tags.add(APIC(encoding=3, mime="image/jpeg", type=3, desc="", data=PICTURE * 30))
    tags.save(path)
    assert path.read_bytes().startswith(b"ID3")
    assert audio_id(path) == before


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.opus", "flac.ogg"])
def test_vorbis_comments_keep_it(copy_of, name):
    path = copy_of(name)
    before = audio_id(path)
    tags = mutagen.File(path)
    tags["title"] = "x" * 5000
    tags["artist"] = "somebody"
    if name == "a.flac":
        picture = Picture()
        picture.data = PICTURE
        picture.mime = "image/png"
        tags.add_picture(picture)
    tags.save()
    assert audio_id(path) == before
    tags.delete()
    assert audio_id(path) == before


@pytest.mark.parametrize("name", ["a.m4a", "faststart.m4a", "alac.m4a"])
def test_mp4_tags_keep_it(copy_of, name):
    path = copy_of(name)
    before = audio_id(path)
    tags = mutagen.File(path)
    tags["\xa9nam"] = "x" * 5000
    tags["covr"] = [MP4Cover(PICTURE)]
    tags.save()
    assert audio_id(path) == before


@pytest.mark.parametrize("name", ["a.wav", "a.aiff"])
def test_id3_in_chunks_keeps_it(copy_of, name):
    path = copy_of(name)
    before = audio_id(path)
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(TIT2(encoding=3, text="title"))
    file.save()
    assert audio_id(path) == before


@pytest.mark.parametrize("name", ["a.wv", "a.tta"])
def test_ape_tags_of_lossless_formats_keep_it(copy_of, name):
    path = copy_of(name)
    before = audio_id(path)
    tags = APEv2()
    tags["Title"] = "title"
    tags.save(path)
    assert audio_id(path) == before


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_one_other_sample_changes_it(tmp_path, suffix):
    samples = np.random.default_rng(0).integers(-9999, 9999, (44100, 2), np.int16)
    soundfile.write(tmp_path / f"a{suffix}", samples, 44100)
    samples[20_000, 1] ^= 1
    soundfile.write(tmp_path / f"b{suffix}", samples, 44100)
    assert audio_id(tmp_path / f"a{suffix}") != audio_id(tmp_path / f"b{suffix}")


def test_one_other_sample_changes_it_in_a_lossy_format(tmp_path, sound, encode):
    samples = sound(2, 44100, 2)
    first = audio_id(encode(tmp_path / "a.mp3", samples, 44100, "libmp3lame"))
    samples[20_000, 1] += 0.2
    assert audio_id(encode(tmp_path / "b.mp3", samples, 44100, "libmp3lame")) != first


def test_another_encoder_setting_changes_it(tmp_path, sound, encode):
    samples = sound(2, 44100, 2)
    ids = {
        audio_id(encode(tmp_path / f"{q}.mp3", samples, 44100, "libmp3lame", {"b": q}))
        for q in ("128k", "192k", "256k")
    }
    assert len(ids) == 3


def test_what_the_header_says_of_bare_samples_changes_it(tmp_path):
    # The same bytes after four headers.
    samples = np.random.default_rng(0).integers(-9999, 9999, 44100, np.int16)
    ids = set()
    for rate_hz, channels in [(44100, 1), (44100, 2), (48000, 1), (22050, 1)]:
        path = tmp_path / f"{rate_hz}-{channels}.wav"
        soundfile.write(path, samples.reshape(-1, channels), rate_hz)
        ids.add(audio_id(path))
    assert len(ids) == 4


def test_it_is_the_documented_hash(tmp_path):
    import hashlib

    samples = np.random.default_rng(0).integers(-9999, 9999, (100_000, 2), np.int16)
    path = tmp_path / "x.wav"
    soundfile.write(path, samples, 44100)
    message = b"pcm_s16le 44100 2\n" + samples.tobytes()
    assert identify(path).audio_id == hashlib.blake2b(message, digest_size=16).hexdigest()
