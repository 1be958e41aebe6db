"""What the tests of rhythm share: real music, metronomes, and signals without any rhythm."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from tonotope.audio import decode
from tonotope.features.mel import log_mel
from tonotope.features.onset import onset_strength
from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ, stft_power

FRAMES_PER_MINUTE = 60 * SAMPLE_RATE_HZ / HOP_LENGTH
FIRST_CLICK_S = 0.25

_SUFFIXES = {".m4a", ".mp3", ".ogg", ".webm"}


@cache
def log_mel_of_tracks(music_dir: Path) -> dict[str, np.ndarray]:
    """Return the log-mel spectrum of the first 30 s of every real track."""
    paths = sorted(path for path in music_dir.rglob("*") if path.suffix in _SUFFIXES)
    assert len(paths) == 43
    return {path.stem: log_mel(stft_power(_beginning(path, 30))) for path in paths}


def _beginning(path: Path, seconds: int) -> np.ndarray:
    n_samples, pieces = seconds * SAMPLE_RATE_HZ, []
    with decode(path) as blocks:
        for block in blocks:
            pieces.append(block)
            if sum(map(len, pieces)) >= n_samples:
                break
    return np.concatenate(pieces)[:n_samples]


@cache
def onsets_of_tracks(music_dir: Path) -> dict[str, np.ndarray]:
    """Return the onset strength of the first 30 s of every real track."""
    return {name: onset_strength(mel) for name, mel in log_mel_of_tracks(music_dir).items()}


def onsets_of(signal: np.ndarray) -> np.ndarray:
    return onset_strength(log_mel(stft_power(np.asarray(signal, np.float32))))


def click_times(bpm: float, duration_s: float = 30.0) -> np.ndarray:
    return np.arange(FIRST_CLICK_S, duration_s - 0.25, 60 / bpm)


def click_track(times_s: np.ndarray, duration_s: float = 30.0) -> np.ndarray:
    """Return short decaying tones over faint noise."""
    signal = 1e-4 * np.random.default_rng(2).standard_normal(int(duration_s * SAMPLE_RATE_HZ))
    click = np.exp(-np.arange(3000) / 400) * np.sin(np.arange(3000) * 0.4)
    for time_s in times_s:
        start = int(time_s * SAMPLE_RATE_HZ)
        signal[start : start + 3000] += click
    return signal.astype(np.float32)


def _one_click() -> np.ndarray:
    signal = np.zeros(5 * SAMPLE_RATE_HZ)
    signal[40_000] = 1
    return signal


WITHOUT_RHYTHM = {
    "nothing": np.zeros(0),
    "one_sample": np.ones(1),
    "silence": np.zeros(5 * SAMPLE_RATE_HZ),
    "dc": np.full(5 * SAMPLE_RATE_HZ, 0.5),
    "one_click": _one_click(),
    "white_noise": 0.3 * np.random.default_rng(5).standard_normal(5 * SAMPLE_RATE_HZ),
    "a_tenth_of_a_second": 0.3 * np.random.default_rng(6).standard_normal(SAMPLE_RATE_HZ // 10),
    "pure_tone": np.sin(2 * np.pi * 440 * np.arange(5 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ),
}
