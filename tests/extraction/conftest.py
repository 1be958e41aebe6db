"""Music, and tables made of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from support.libraries import write
from support.processes import starting
from support.tables import (
    FORMATS,
    N_FILES,
    SMALL,
    Start,
)
from tonotope.extraction import extract_table


@pytest.fixture(scope="package")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of six tracks, one a copy, one silent, and two files that give nothing."""
    folder = tmp_path_factory.mktemp("extraction") / "music"
    write(folder / "a.wav", seed=1)
    write(folder / "B" / "one.mp3", seed=2)
    write(folder / "B" / "one.flac", seed=3, seconds=5, title="A title")
    shutil.copy(folder / "a.wav", folder / "B" / "copy of a.wav")
    write(folder / 'é, "quoted".ogg', seed=4)
    soundfile.write(folder / "silence.flac", np.zeros(44100), 22050)
    (folder / "words.mp3").write_text("no music " * 1000)
    (folder / "B" / "empty.wav").write_bytes(b"")
    return folder


@pytest.fixture(scope="package")
def small(music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the small set's table in each format."""
    folder = tmp_path_factory.mktemp("small")
    for suffix in FORMATS:
        extract_table([music], folder / f"t.{suffix}", SMALL)
    return folder


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the command in a process group of its own; end what is left of it."""
    with starting("features") as run:
        yield run


@pytest.fixture(scope="package")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many") / "music"
    for number in range(N_FILES):
        write(folder / f"{number:02d}.wav", seed=number, seconds=40)
    return folder


@pytest.fixture(scope="package")
def undisturbed(many: Path) -> bytes:
    out = many.parent / "t.csv"
    assert extract_table([many], out, "fma518", jobs=1).computed == N_FILES
    return out.read_bytes()
