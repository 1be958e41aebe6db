"""Damaged files: what can be decoded is kept, and what was wrong is said."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from tonotope.audio import SAMPLE_RATE_HZ, Damage, decode
from tonotope.errors import DecodeError

# Bare streams of frames and broadcast formats declare no length that a cut could contradict.
UNDECLARED = {"a.aac", "a.ac3", "a.caf"}
INDEX_AT_END = {"a.m4a", "alac.m4a"}


def decode_all(path):
    with decode(path) as stream:
        blocks = list(stream)
    return np.concatenate(blocks), stream.info


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.8])
def test_truncated(any_format, sample_file, tmp_path, kept):
    data = sample_file(any_format).read_bytes()
    path = tmp_path / any_format
    path.write_bytes(data[: int(len(data) * kept)])
    if any_format in INDEX_AT_END:
        with pytest.raises(DecodeError, match="its header is damaged or cut off"):
            decode(path)
        return
    samples, info = decode_all(path)
    assert len(samples) == pytest.approx(kept * 6 * SAMPLE_RATE_HZ, rel=0.1, abs=0.9 * 22050)
    assert info.damage.truncated == (any_format not in UNDECLARED)
    whole, _ = decode_all(sample_file(any_format))
    # As it would have sounded, but for the last packets.
    n = max(len(samples) - SAMPLE_RATE_HZ // 2, 0)
    assert np.abs(samples[:n] - whole[:n]).max(initial=0) < 1e-3


FLIP = """
import sys
from pathlib import Path
import numpy as np
from tonotope.audio import decode, identify, read_tags
from tonotope.errors import DecodeError

original, folder = Path(sys.argv[1]), Path(sys.argv[2])
data = np.frombuffer(original.read_bytes(), np.uint8)
for seed in range(int(sys.argv[3])):
    rng = np.random.default_rng(seed)
    damaged = data.copy()
    if seed % 2:
        at = rng.integers(0, min(len(data), 1000), 3)
    else:
        at = rng.integers(min(len(data) // 2, 10_000), len(data), 10 ** rng.integers(3))
    damaged[at] ^= (1 << rng.integers(0, 8, len(at))).astype(np.uint8)
    path = folder / original.name
    path.write_bytes(damaged.tobytes())
    read_tags(path)
    try:
        with decode(path) as stream:
            for block in stream:
                assert np.isfinite(block).all(), seed
                assert np.abs(block).max(initial=0) < 20, seed
        assert identify(path).audio_id == stream.info.audio_id, seed
        print("heard")
    except DecodeError as error:
        assert "\\n" not in str(error)
        print("refused")
"""


def test_flipped_bits(any_format, sample_file, tmp_path):
    """Nothing crashes or hangs; in a process of its own, since a crash would end the tests."""
    n_files = 10
    result = subprocess.run(
        [sys.executable, "-c", FLIP, sample_file(any_format), tmp_path, str(n_files)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    outcomes = result.stdout.split()
    assert len(outcomes) == n_files
    assert "heard" in outcomes


def test_damaged_packets_are_counted_and_the_rest_kept(sample_file, tmp_path):
    data = bytearray(sample_file("a.flac").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = bytes(20_000)
    path = tmp_path / "x.flac"
    path.write_bytes(data)
    samples, info = decode_all(path)
    assert info.damage.packets_skipped > 0
    assert not info.damage.truncated
    assert 5 * SAMPLE_RATE_HZ < len(samples) < 6 * SAMPLE_RATE_HZ


def test_garbage_before_the_first_frame(sample_file, tmp_path):
    rng = np.random.default_rng(0)
    for garbage in (b"\0" * 5000, rng.bytes(100), rng.bytes(20_000)):
        path = tmp_path / "x.mp3"
        path.write_bytes(garbage + sample_file("a.mp3").read_bytes())
        samples, info = decode_all(path)
        assert info.codec == "mp3"
        assert len(samples) == pytest.approx(6 * SAMPLE_RATE_HZ, rel=0.03)


def test_impossible_samples_are_clipped_and_counted(tmp_path):
    samples = np.full((44100, 2), 0.25, np.float32)
    samples[1000, 0] = 300_000
    samples[2000, 1] = -np.inf
    samples[3000, :] = np.nan
    path = tmp_path / "x.wav"
    soundfile.write(path, samples, 44100, subtype="FLOAT")
    heard, info = decode_all(path)
    assert info.damage == Damage(samples_clipped=4)
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() < 8
    assert np.abs(heard[5000:10_000] - 0.25).max() < 1e-3


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF024])
def test_wav_written_into_a_pipe_is_whole(tmp_path, size):
    # Its header could not be completed: sizes of 0, or as large as there are.
    path = tmp_path / "piped.wav"
    soundfile.write(path, np.zeros(44100, np.int16), 44100)
    data = bytearray(path.read_bytes())
    data[4:8] = size.to_bytes(4, "little")
    data[40:44] = max(size - 36, 0).to_bytes(4, "little")
    path.write_bytes(data)
    samples, info = decode_all(path)
    assert len(samples) == SAMPLE_RATE_HZ
    assert not info.damage


def test_mp3_without_a_declared_length_is_never_truncated(tmp_path, sound, encode):
    path = encode(
        tmp_path / "x.mp3",
        sound(6, 44100, 2),
        44100,
        "libmp3lame",
        {"compression_level": "9"},
        {"write_xing": "0"},
    )
    data = path.read_bytes()
    assert b"Info" not in data[:4000]
    assert b"Xing" not in data[:4000]
    assert not decode_all(path)[1].damage
    path.write_bytes(data[: len(data) // 2])
    assert not decode_all(path)[1].damage.truncated


def test_deleted_in_the_middle(copy_of):
    path = copy_of("a.wav")
    with decode(path) as stream:
        blocks = iter(stream)
        heard = len(next(blocks))
        path.unlink()
        heard += sum(map(len, blocks))
    # An open file stays readable.
    assert heard == 6 * SAMPLE_RATE_HZ
    assert not stream.info.damage


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.flac", "a.ogg", "faststart.m4a", "a.aac"])
def test_shortened_in_the_middle(copy_of, name):
    path = copy_of(name)
    with decode(path) as stream:
        blocks = iter(stream)
        heard = len(next(blocks))
        os.truncate(path, path.stat().st_size // 2)
        heard += sum(map(len, blocks))
    assert 0 < heard < 6 * SAMPLE_RATE_HZ
    assert stream.info.damage.truncated


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (Damage(), ""),
        (Damage(truncated=True), "it ends, or cannot be read on, before its end"),
        (Damage(packets_skipped=1), "1 damaged or missing packet skipped"),
        (
            Damage(packets_skipped=2, samples_clipped=3),
            "2 damaged or missing packets skipped; 3 impossible samples clipped",
        ),
    ],
)
def test_damage_in_words(damage, words):
    assert damage.describe() == words
    assert damage.any == bool(damage) == bool(words)
