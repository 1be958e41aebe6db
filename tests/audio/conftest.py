"""Synthetic sound, and files of every format made of it with the encoders at hand."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from numpy.typing import NDArray

Samples = NDArray[np.float32]

DURATION_S = 6.0


class Recipe(NamedTuple):
    """How a test file is encoded."""

    codec: str
    rate_hz: int = 44100
    options: dict[str, str] | None = None
    container_options: dict[str, str] | None = None


# The native Vorbis encoder is good enough for tests.
RECIPES = {
    "a.mp3": Recipe("libmp3lame"),
    "a.flac": Recipe("flac"),
    "a.ogg": Recipe("vorbis", options={"strict": "experimental"}),
    "a.opus": Recipe("libopus", rate_hz=48000),
    "faststart.m4a": Recipe("aac", container_options={"movflags": "faststart"}),
    "a.m4a": Recipe("aac"),
    "alac.m4a": Recipe("alac"),
    "a.aac": Recipe("aac"),
    "a.wav": Recipe("pcm_s16le"),
    "a.w64": Recipe("pcm_s16le"),
    "a.aiff": Recipe("pcm_s16be"),
    "a.au": Recipe("pcm_s16be"),
    "a.caf": Recipe("pcm_s16le"),
    "a.webm": Recipe("libopus", rate_hz=48000),
    "a.mka": Recipe("flac"),
    "a.wma": Recipe("wmav2"),
    "a.wv": Recipe("wavpack"),
    "a.tta": Recipe("tta"),
    "a.ac3": Recipe("ac3"),
    "a.avi": Recipe("libmp3lame"),
    "flac.ogg": Recipe("flac"),
}


def make_sound(duration_s: float, rate_hz: int, channels: int = 2, seed: int = 0) -> Samples:
    """Return harmonics under noise, shape (n_samples, channels), each channel different."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    tones = [0.3 * np.sin(2 * np.pi * 220 * (c + 1) * t) for c in range(channels)]
    noise = 0.05 * rng.standard_normal((len(t), channels)).clip(-3, 3)
    return (np.stack(tones, axis=1) + noise).astype(np.float32)


def encode_file(
    path: Path,
    samples: Samples,
    rate_hz: int,
    codec: str,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    layout: str | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Encode samples of shape (n_samples, channels); the suffix chooses the container."""
    layout = layout or {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[samples.shape[1]]
    with av.open(str(path), "w", options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        if codec == "wmav2":
            stream.bit_rate = 128_000
        stream.options = options or {}
        for start in range(0, len(samples), rate_hz):
            part = np.ascontiguousarray(samples[start : start + rate_hz])
            frame = av.AudioFrame.from_ndarray(part.reshape(1, -1), format="flt", layout=layout)
            frame.sample_rate = rate_hz
            frame.pts = start
            frame.time_base = Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def sound() -> Callable[..., Samples]:
    return make_sound


@pytest.fixture(scope="session")
def encode() -> Callable[..., Path]:
    return encode_file


@pytest.fixture(scope="session")
def sample_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return six seconds of stereo in a format of RECIPES; to be read, never changed."""
    folder = tmp_path_factory.mktemp("formats")

    def get(name: str) -> Path:
        path = folder / name
        if not path.exists():
            codec, rate_hz, options, container_options = RECIPES[name]
            samples = make_sound(DURATION_S, rate_hz)
            encode_file(path, samples, rate_hz, codec, options, container_options)
        return path

    return get


@pytest.fixture
def copy_of(sample_file: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a copy of a sample file that a test may change."""

    def get(name: str) -> Path:
        path = tmp_path / name
        path.write_bytes(sample_file(name).read_bytes())
        return path

    return get


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``any_format`` once for each format."""
    if "any_format" in metafunc.fixturenames:
        metafunc.parametrize("any_format", list(RECIPES))
