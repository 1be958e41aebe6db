"""``tonotope augment``: what it writes, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from PIL import Image

from support.libraries import RATE_HZ, write
from tonotope.cli.app import run
from tonotope.training.augment.presets import HEARD

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write(tmp_path / "song.flac", seed=1, seconds=2)


def samples_of(path: Path) -> np.ndarray:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE_HZ)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Return the one line that wrong usage gives, with nothing written."""
    assert run(["augment", *map(os.fspath, arguments)]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert not captured.out
    return line


@pytest.mark.parametrize("name", sorted(HEARD))
def test_every_augmentation_can_be_heard(name: str, song: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.wav"
    other = ["--other", str(write(tmp_path / "other.ogg", seed=2))] if name == "mixup" else []
    before = song.read_bytes()
    assert run(["augment", str(song), "--with", name, "--out", str(out), *other]) == 0
    samples = samples_of(out)
    if name != "time-stretch":
        assert len(samples) == 2 * RATE_HZ
    assert 0.01 < samples.std() < 0.5
    assert song.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} <= {"song.flac", "other.ogg", "x.wav"}


def test_a_seed_gives_the_same_again(song: Path, tmp_path: Path) -> None:
    def written(seed: str) -> bytes:
        out = tmp_path / "x.wav"
        words = ["augment", str(song), "--with", "specaugment,noise", "--out", str(out)]
        assert run([*words, "--seed", seed]) == 0
        return out.read_bytes()

    assert written("1") == written("1") != written("2")


def test_json_says_what_was_done(tonotope: Run, song: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "x.wav", tmp_path / "x.png"
    done = tonotope(
        "augment", song, "--with", "gain, time-stretch", "--out", out, "--picture", picture,
        "--seed", "7", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    duration_s = document.pop("duration_s")
    assert duration_s == pytest.approx(len(samples_of(out)) / RATE_HZ)
    assert document == {
        "path": str(song),
        "names": ["gain", "time-stretch"],
        "seed": 7,
        "out": str(out),
        "picture": str(picture),
        "lowered_db": 0.0,
    }
    with Image.open(picture) as drawn:
        assert drawn.format == "PNG"
        assert len(set(drawn.convert("L").tobytes())) > 50


def test_what_is_too_loud_is_lowered_and_not_clipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tonotope.training.augment.files import write_wav

    samples = np.array([0.5, -2.0, 1.0], np.float32)
    assert write_wav(tmp_path / "x.wav", samples) == pytest.approx(6.02, abs=0.01)
    assert samples_of(tmp_path / "x.wav").tolist() == pytest.approx([0.25, -1, 0.5], abs=1e-4)
    assert write_wav(tmp_path / "x.wav", samples / 4) == 0
    assert samples_of(tmp_path / "x.wav").tolist() == pytest.approx([0.125, -0.5, 0.25], abs=1e-4)


def test_the_list_names_all_with_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["augment", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(HEARD)
    assert "warp_columns 9" in lines[2]
    assert run(["augment", "--list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in document] == list(HEARD)
    assert document[3]["preset"]["frequency_mask_bands"] == 43
    assert "Park" in document[3]["reference"]


def test_every_augmentation_and_its_numbers_are_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "augmentation.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \|(.*(?:\n\| \|.*)?)$", page, re.M))
    assert set(rows) == set(HEARD)
    for name, preset in HEARD.items():
        if name.startswith("specaugment"):
            continue  # says "as above"
        for number in preset.numbers.values():
            if name != "time-mask" or number != 1:
                assert re.search(rf"(?<![\d.]){number:g}(?![\d.])", rows[name]), (name, number)


# Refusals.


@pytest.mark.parametrize(
    "words",
    [[], ["song.flac"], ["song.flac", "--with", "gain"], ["--with", "gain", "--out", "x.wav"]],
)
def test_what_is_missing_is_named(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    line = complaint(capsys, *words)
    assert "FILE, --with NAME and --out x.wav" in line
    assert "--list" in line


def test_an_unknown_name_is_refused(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = complaint(capsys, song, "--with", "gain,echo", "--out", tmp_path / "x.wav")
    assert "'echo'" in line
    assert "time-mask, " in line


def test_the_file_itself_is_never_written_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = write(tmp_path / "song.wav", seed=1)
    link = tmp_path / "link.wav"
    link.symlink_to(song)
    before = song.read_bytes()
    for out in (song, link, tmp_path / "." / "song.wav"):
        assert "is listened to" in complaint(capsys, song, "--with", "gain", "--out", out)
    other = ["--with", "mixup", "--other", song, "--out", song]
    assert "is listened to" in complaint(capsys, write(tmp_path / "b.flac", seed=2), *other)
    assert song.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--out", "x.mp3"], "'x.mp3' is written as .wav"),
        (["--out", "x.wav", "--picture", "x.jpg"], "'x.jpg' is written as .png"),
        (["--out", "x.wav", "--seed", "-1"], "-1 is no seed"),
        (["--out", "x.wav", "--other", "y.mp3"], "nothing mixes in --other 'y.mp3'"),
    ],
)
def test_wrong_usage_is_one_line(
    words: list[str], reason: str, song: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reason in complaint(capsys, song, "--with", "gain", *words)


def test_mixup_needs_a_second_file(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--other FILE" in complaint(capsys, song, "--with", "mixup", "--out", "x.wav")


def test_the_list_takes_nothing_else(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--list only shows" in complaint(capsys, song, "--list")


def test_what_cannot_be_read_or_written_fails(
    song: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for file, out in ((tmp_path / "none.mp3", "x.wav"), (song, "none/x.wav")):
        words = ["augment", str(file), "--with", "gain", "--out", str(tmp_path / out)]
        assert run(words) == 1
        (line,) = capfd.readouterr().err.splitlines()
        assert "cannot" in line
    assert [path.name for path in tmp_path.iterdir()] == ["song.flac"]


@pytest.mark.parametrize(
    ("lacking", "words"),
    [("torch", ["--with", "time-mask"]), ("matplotlib", ["--with", "gain", "--picture", "x.png"])],
)
def test_what_is_not_installed_is_named(
    lacking: str,
    words: list[str],
    song: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Lacking:
        def find_spec(self, name: str, *_: object) -> None:
            if name == lacking:
                raise ModuleNotFoundError(name, name=name)

    loaded = [name for name in sys.modules if name.split(".")[0] == lacking]
    for name in loaded:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Lacking(), *sys.meta_path])
    line = complaint(capsys, song, *words, "--out", tmp_path / "x.wav")
    assert "pip install 'tonotope[train]'" in line
