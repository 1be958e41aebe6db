"""``tonotope features``: its words, its JSON, its lines and its exit status."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from support.libraries import write

Run = Callable[..., CompletedProcess[str]]

KEYS = {
    "tracks", "computed", "kept", "failed", "dropped", "columns", "out", "seconds", "failures"
}  # fmt: skip


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("features") / "music"
    for number in range(2):
        write(folder / f"{number}.flac", seed=number)
    (folder / "words.mp3").write_text("no music " * 1000)
    return folder


def complaint(done: CompletedProcess[str], status: int) -> str:
    """Return the one line on the standard error."""
    assert (done.returncode, done.stdout) == (status, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("tonotope: ")
    return line


def test_a_table(tonotope: Run, music: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    words = ("features", music, "--out", out, "--set", "rms,tempo", "--jobs", "1", "--nice", "1")
    first = tonotope(*words, "--json")
    assert first.returncode == 0
    document = json.loads(first.stdout)
    assert set(document) == KEYS
    assert {key: document[key] for key in KEYS - {"seconds", "failures"}} == {
        "tracks": 2, "computed": 2, "kept": 0, "failed": 1, "dropped": 0, "columns": 9,
        "out": str(out),
    }  # fmt: skip
    (failure,) = document["failures"]
    assert failure["path"] == str(music / "words.mp3")
    assert first.stderr == f"failed: {failure['path']}: {failure['reason']}\n"
    assert len(out.read_text("utf-8").splitlines()) == 3

    again = tonotope(*words)
    assert again.returncode == 0
    assert re.fullmatch(
        r"2 tracks \(0 computed, 2 kept\), 9 columns each, written to .*/t\.csv; 1 failed; "
        r"\d+\.\d s\n",
        again.stdout,
    )
    assert again.stderr == first.stderr
    (music / "words.mp3").rename(tmp_path / "words.mp3")
    fewer = tonotope("features", music / "0.flac", *words[2:])
    (tmp_path / "words.mp3").rename(music / "words.mp3")
    dropped = "1 row dropped: no file that could be heard has such audio"
    assert fewer.stdout.splitlines()[1:] == [dropped]
    sound = (music / "0.flac").read_bytes()
    tonotope(*words)
    (music / "0.flac").write_bytes(b"no music")
    failed = tonotope(*words)
    (music / "0.flac").write_bytes(sound)
    assert failed.stdout.splitlines()[1:] == [dropped]
    assert f"failed: {music}/0.flac: " in failed.stderr


def test_frames(tonotope: Run, music: Path, tmp_path: Path) -> None:
    done = tonotope("features", music, "--out", "f", "--frames", "--set", "rms", cwd=tmp_path)
    assert done.stdout.startswith("2 tracks (2 computed, 0 kept), 1 descriptor each, written to f")
    assert len(list((tmp_path / "f").glob("*.npz"))) == 2


def test_nothing_but_failures(tonotope: Run, music: Path, tmp_path: Path) -> None:
    done = tonotope("features", music / "words.mp3", "--out", tmp_path / "t.csv", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["tracks"] == 0
    failed, line = done.stderr.splitlines()
    assert failed.startswith(f"failed: {music}/words.mp3: ")
    assert line == "tonotope: no file gave anything; nothing was written. See above why."
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [(["MUSIC"], 2, "--out"), (["--out", "t.csv"], 2, "PATHS"),
     (["MUSIC", "--out", "t.txt"], 2, "'t.txt' names no format of a table. Let it end in .csv"),
     (["MUSIC", "--out", "t.csv", "--set", "mfcc,what"], 2, "is called 'what'. The sets are fma"),
     (["MUSIC", "--out", "t.csv", "--set", "tonotope,mfcc"], 2, "the set tonotope stands alone."),
     (["MUSIC", "--out", "t.csv", "--set", "cqt"], 2, "ask for its frames with --frames."),
     (["MUSIC", "--out", "t.csv", "--frames"], 2, "'t.csv' is the name of a table. With --frames"),
     (["MUSIC", "--out", "t.csv", "--jobs", "0"], 2, "cannot use 0 processes"),
     (["MUSIC", "--out", "t.csv", "--jobs", "1.5"], 2, "--jobs"),
     (["MUSIC", "--out", "t.csv", "--bogus"], 2, "--bogus"),
     (["MUSIC", "--out", "t.csv", "--library", "l.db"], 2, "--library"),
     (["MUSIC", "--out", "none/t.csv"], 1, "Make it, or name another --out."),
     (["MUSIC", "--out", "none/f", "--frames"], 1, "Make it, or name another --out."),
     (["nowhere", "--out", "t.csv"], 1, "cannot listen to 'nowhere': it does not exist. Name"),
     ([".", "--out", "t.csv"], 1, "no audio file in"),
     (["MUSIC", "", "--out", "t.csv"], 2, "an empty word")],
)  # fmt: skip
def test_wrong_words_do_nothing(
    tonotope: Run, music: Path, tmp_path: Path, words: list[str], status: int, message: str
) -> None:
    words = [str(music) if word == "MUSIC" else word for word in words]
    assert message in complaint(tonotope("features", *words, cwd=tmp_path), status)
    assert list(tmp_path.iterdir()) == []


def test_parquet_without_pyarrow(music: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['pyarrow'] = None; from tonotope.cli import main; main()"
    words = ["features", str(music), "--out", "t.parquet"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=tmp_path
    )
    line = complaint(done, 1)
    assert line == (
        "tonotope: cannot write 't.parquet': Parquet needs pyarrow. Install it with "
        "pip install 'tonotope[parquet]', or let --out end in .csv or .npz."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to(tonotope: Run, music: Path, tmp_path: Path) -> None:
    line = complaint(tonotope("features", music, "--out", tmp_path / f"{'t' * 300}.csv"), 1)
    assert line.startswith(f"tonotope: cannot write '{tmp_path}/ttt")
    assert line.endswith(": File name too long. Mend that, or name another --out.")


def test_help(tonotope: Run) -> None:
    done = tonotope("features", "--help")
    assert done.returncode == 0
    assert "tonotope features ~/Music --set fma518 --out table.parquet" in done.stdout
