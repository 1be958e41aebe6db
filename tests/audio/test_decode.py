"""What decoding gives for valid files: the right samples, in blocks, and the right facts."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import av
import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tonotope.audio import SAMPLE_RATE_HZ, AudioInfo, decode, identify
from tonotope.audio._resample import Resampler
from tonotope.errors import DecodeError


def decode_all(path):
    with decode(path) as stream:
        blocks = list(stream)
    return np.concatenate(blocks), stream.info


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        (".wav", "PCM_U8"),
        (".wav", "PCM_16"),
        (".wav", "PCM_24"),
        (".wav", "PCM_32"),
        (".wav", "FLOAT"),
        (".wav", "DOUBLE"),
        (".flac", "PCM_16"),
        (".flac", "PCM_24"),
        (".aiff", "PCM_16"),
    ],
)
@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2])
# librosa.load imports audioread, which imports what Python 3.13 removes.
@pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated:DeprecationWarning")
def test_agrees_with_librosa(tmp_path, sound, suffix, subtype, rate_hz, channels):
    path = tmp_path / f"x{suffix}"
    soundfile.write(path, sound(3.217, rate_hz, channels), rate_hz, subtype=subtype)
    ours, info = decode_all(path)
    theirs, _ = librosa.load(path, sr=SAMPLE_RATE_HZ, res_type="soxr_hq")
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-4
    assert (info.sample_rate_hz, info.channels) == (rate_hz, channels)
    assert info.duration_s == pytest.approx(3.217, abs=1 / rate_hz)
    assert not info.damage


@pytest.mark.parametrize("wanted_hz", [16000, 24000, 32000, 44100, 48000])
@pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated:DeprecationWarning")
def test_any_other_rate_may_be_wanted(tmp_path, sound, wanted_hz):
    path = tmp_path / "x.wav"
    samples = sound(3.217, 44100, 2)
    samples[: 44100 // 2] = samples[-44100:] = 0
    soundfile.write(path, samples, 44100, subtype="FLOAT")
    with decode(path, sample_rate_hz=wanted_hz) as stream:
        ours = np.concatenate(list(stream))
    theirs, _ = librosa.load(path, sr=wanted_hz, res_type="soxr_hq")
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-4
    # What the file was does not depend on what was wanted of it.
    assert stream.info.sample_rate_hz == 44100
    assert stream.info.duration_s == pytest.approx(3.217, abs=1 / 44100)
    assert stream.info.silence.leading_s == pytest.approx(0.5, abs=0.01)
    assert stream.info.silence.trailing_s == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("rate_hz", [22050, 44100])
def test_blocks_are_mono_float32_and_short(tmp_path, sound, rate_hz):
    path = tmp_path / "x.wav"
    soundfile.write(path, sound(8, rate_hz, 2), rate_hz)
    with decode(path) as stream:
        for block in stream:
            assert block.dtype == np.float32
            assert block.ndim == 1
            assert block.flags.c_contiguous
            assert 0 < len(block) <= 3 * SAMPLE_RATE_HZ


def test_every_format_sounds_as_it_was_encoded(any_format, sample_file):
    samples, info = decode_all(sample_file(any_format))
    assert not info.damage, info.damage.describe()
    # Encoder delay and padding, where the format cannot state them, are below 0.1 s.
    assert info.duration_s == pytest.approx(6.0, abs=0.1)
    assert len(samples) == pytest.approx(info.duration_s * SAMPLE_RATE_HZ, abs=1)
    assert info.bit_rate_bps > 30_000
    assert not info.silence.is_silent
    # Both tones, at half their level: the mean of two channels that each hold one.
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    frequency_hz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE_HZ)
    for tone_hz in (220, 440):
        lobe = spectrum[np.abs(frequency_hz - tone_hz) < 2]
        amplitude = np.sqrt((lobe**2).sum() / 1.5) * 4 / len(samples)
        assert amplitude == pytest.approx(0.15, rel=0.05)


@pytest.mark.parametrize(
    ("name", "container", "codec"),
    [
        ("a.mp3", "mp3", "mp3"),
        ("a.flac", "flac", "flac"),
        ("a.ogg", "ogg", "vorbis"),
        ("a.opus", "ogg", "opus"),
        ("a.m4a", "mov", "aac"),
        ("alac.m4a", "mov", "alac"),
        ("a.webm", "matroska", "opus"),
        ("a.wav", "wav", "pcm_s16le"),
        ("a.wma", "asf", "wmav2"),
    ],
)
def test_info_names_the_format(sample_file, name, container, codec):
    _, info = decode_all(sample_file(name))
    assert (info.container, info.codec, info.channels) == (container, codec, 2)


def test_the_decoder_is_emptied_at_the_end(sample_file):
    # WMA is decoded one frame behind: 46 ms would be missing.
    assert decode_all(sample_file("a.wma"))[1].duration_s > 5.98


def test_suffix_may_lie(sample_file, tmp_path):
    path = tmp_path / "really.mp3"
    path.write_bytes(sample_file("a.flac").read_bytes())
    _, info = decode_all(path)
    assert (info.container, info.codec) == ("flac", "flac")


def test_8_khz_mono(tmp_path, sound):
    path = tmp_path / "phone.wav"
    soundfile.write(path, sound(2, 8000, 1), 8000)
    samples, info = decode_all(path)
    assert len(samples) == 2 * SAMPLE_RATE_HZ
    assert (info.sample_rate_hz, info.channels) == (8000, 1)


@pytest.mark.parametrize("codec", ["pcm_s16le", "flac"])
def test_192_khz_six_channels(tmp_path, sound, encode, codec):
    suffix = ".wav" if codec.startswith("pcm") else ".flac"
    original = sound(2, 192_000, 6)
    path = encode(tmp_path / f"surround{suffix}", original, 192_000, codec)
    samples, info = decode_all(path)
    assert (info.sample_rate_hz, info.channels) == (192_000, 6)
    expected = librosa.resample(
        original.mean(axis=1), orig_sr=192_000, target_sr=SAMPLE_RATE_HZ, res_type="soxr_hq"
    )
    assert np.abs(samples - expected).max() < 1e-4


@pytest.mark.parametrize(
    ("codec", "suffix", "layout", "channels"),
    [("aac", ".m4a", "7.1", 8), ("wavpack", ".wv", "hexadecagonal", 16)],
)
def test_many_planar_channels_are_averaged(
    tmp_path, sound, encode, codec, suffix, layout, channels
):
    original = sound(2, 48000, 1).repeat(channels, axis=1)
    path = encode(tmp_path / f"x{suffix}", original, 48000, codec, layout=layout)
    samples, info = decode_all(path)
    assert info.channels == channels
    assert samples.std() == pytest.approx(original.std(), rel=0.1)


def test_float_above_full_scale_is_kept(tmp_path, sound):
    path = tmp_path / "loud.wav"
    soundfile.write(path, 4 * sound(1, 22050, 1), 22050, subtype="FLOAT")
    samples, info = decode_all(path)
    assert np.abs(samples).max() > 1.2
    assert not info.damage


def test_rate_and_channels_may_change_in_mid_stream(tmp_path, sound, encode):
    first = encode(tmp_path / "1.mp3", sound(3, 44100, 2), 44100, "libmp3lame")
    second = encode(tmp_path / "2.mp3", sound(3, 24000, 1), 24000, "libmp3lame")
    both = tmp_path / "both.mp3"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    samples, info = decode_all(both)
    assert info.duration_s == pytest.approx(6, abs=0.2)
    assert len(samples) == pytest.approx(info.duration_s * SAMPLE_RATE_HZ, abs=2)
    assert (info.sample_rate_hz, info.channels) == (44100, 2)


def test_chained_ogg_is_heard_to_its_end(tmp_path, sound, encode):
    both = tmp_path / "both.opus"
    for seed in (0, 1):
        path = encode(tmp_path / f"{seed}.opus", sound(3, 48000, 2, seed), 48000, "libopus")
        with both.open("ab") as file:
            file.write(path.read_bytes())
    _, info = decode_all(both)
    assert info.duration_s == pytest.approx(6, abs=0.1)
    assert identify(both).duration_s == pytest.approx(6, abs=0.1)
    assert not info.damage


def test_video_with_an_audio_track_is_heard(tmp_path, sound):
    path = tmp_path / "clip.mp4"
    write_video(path, sound(2, 44100, 2))
    samples, info = decode_all(path)
    assert info.codec == "aac"
    assert len(samples) == pytest.approx(2 * SAMPLE_RATE_HZ, rel=0.05)
    assert not info.damage


def write_video(path: Path, samples) -> None:
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=44100, layout="stereo")
        for i in range(len(samples) * 25 // 44100):
            picture = np.full((64, 64, 3), 5 * i % 256, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            part = np.ascontiguousarray(samples[i * 1764 : (i + 1) * 1764]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(part, format="flt", layout="stereo")
            frame.sample_rate = 44100
            container.mux(audio.encode(frame))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


@pytest.mark.parametrize("name", ["a:b.wav", "http:x.wav", "concat:a|b.wav", "-i.wav", "%d.wav"])
def test_any_name_is_a_plain_file(tmp_path, sound, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with Path(name).open("wb") as file:
        soundfile.write(file, sound(0.1, 22050, 1), 22050, format="WAV")
    samples, _ = decode_all(name)
    assert len(samples) == 2205


def test_name_that_is_no_utf8(tmp_path, sound):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    try:
        file = path.open("wb")
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    with file:
        soundfile.write(file, sound(0.1, 22050, 1), 22050, format="WAV")
    assert decode_all(path)[1].duration_s == pytest.approx(0.1)


def test_silence_at_the_ends(tmp_path):
    samples = np.zeros(5 * 22050, np.float32)
    samples[22050 : 3 * 22050] = 0.01
    samples[: 22050 // 2] = 0.0009  # below -60 dB
    path = tmp_path / "x.wav"
    soundfile.write(path, samples, 22050, subtype="FLOAT")
    silence = decode_all(path)[1].silence
    assert silence.leading_s == pytest.approx(1.0)
    assert silence.trailing_s == pytest.approx(2.0)
    assert not silence.is_silent


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".flac", ".opus"])
def test_all_silence(tmp_path, encode, suffix):
    codec, rate_hz = {
        ".wav": ("pcm_s16le", 44100),
        ".mp3": ("libmp3lame", 44100),
        ".flac": ("flac", 44100),
        ".opus": ("libopus", 48000),
    }[suffix]
    path = encode(tmp_path / f"x{suffix}", np.zeros((rate_hz, 2), np.float32), rate_hz, codec)
    samples, info = decode_all(path)
    assert np.abs(samples).max() < 1e-3
    assert info.silence.is_silent
    assert info.silence.leading_s == info.silence.trailing_s == pytest.approx(1.0, abs=0.1)
    assert not info.damage


def test_info_is_known_only_at_the_end(sample_file):
    with decode(sample_file("a.wav")) as stream:
        with pytest.raises(RuntimeError, match="all blocks have been taken"):
            _ = stream.info
        next(iter(stream))
        with pytest.raises(RuntimeError, match="all blocks have been taken"):
            _ = stream.info
        for _ in stream:
            pass
        assert isinstance(stream.info, AudioInfo)


def test_info_survives_pickling(sample_file):
    _, info = decode_all(sample_file("a.mp3"))
    assert pickle.loads(pickle.dumps(info)) == info


def open_files() -> set[str]:
    links = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            links.add(str(link.readlink()))
        except OSError:
            continue
    return links


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files by /proc")
def test_the_file_is_closed_in_every_case(sample_file, tmp_path):
    path = sample_file("a.mp3")
    for _ in decode(path):  # exhausted, without a context manager
        pass
    assert str(path) not in open_files()

    with decode(path) as stream:  # left early
        next(iter(stream))
        assert str(path) in open_files()
    assert str(path) not in open_files()

    with pytest.raises(ZeroDivisionError), decode(path) as stream:  # an error in between
        for _ in stream:
            _ = 1 / 0
    assert str(path) not in open_files()

    with decode(path):  # never iterated
        pass
    assert str(path) not in open_files()

    text = tmp_path / "text.mp3"
    text.write_text("no sound\n" * 1000)
    with pytest.raises(DecodeError):  # refused
        decode(text)
    assert str(text) not in open_files()


def test_nothing_reaches_the_terminal(sample_file, tmp_path, capfd):
    path = tmp_path / "damaged.mp3"
    data = bytearray(sample_file("a.mp3").read_bytes())
    data[5000:9000] = os.urandom(4000)
    path.write_bytes(data)
    decode_all(path)
    assert capfd.readouterr() == ("", "")


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    n_samples=st.integers(1, 30_000),
    rate_hz=st.sampled_from([8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 192_000]),
    channels=st.integers(1, 8),
    subtype=st.sampled_from(["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_wav_gives_finite_samples_of_the_right_length(
    tmp_path, n_samples, rate_hz, channels, subtype, seed
):
    path = tmp_path / "x.wav"
    noise = np.random.default_rng(seed).uniform(-1, 1, (n_samples, channels))
    soundfile.write(path, noise, rate_hz, subtype=subtype)
    samples, info = decode_all(path)
    assert np.isfinite(samples).all()
    assert len(samples) == -(-n_samples * SAMPLE_RATE_HZ // rate_hz)
    assert info.channels == channels
    assert info.duration_s == pytest.approx(n_samples / rate_hz)
    assert not info.damage


@settings(max_examples=30, deadline=None)
@given(
    rate_hz=st.sampled_from([8000, 22050, 44100, 48000]),
    cuts=st.lists(st.integers(1, 20_000), min_size=1, max_size=8),
)
def test_resampling_does_not_depend_on_how_samples_are_cut(rate_hz, cuts):
    n_samples = sum(cuts)
    samples = np.random.default_rng(n_samples).uniform(-1, 1, n_samples).astype(np.float32)
    whole, pieces = Resampler(rate_hz), Resampler(rate_hz)
    at_once = np.concatenate([whole.push(samples), whole.finish()])
    parts = [pieces.push(part) for part in np.split(samples, np.cumsum(cuts)[:-1])]
    in_pieces = np.concatenate([*parts, pieces.finish()])
    assert len(at_once) == len(in_pieces) == -(-n_samples * SAMPLE_RATE_HZ // rate_hz)
    assert np.abs(at_once - in_pieces).max() < 1e-5
