"""``tonotope playlist``, ``path`` and ``radio`` as processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from support.libraries import write
from tonotope.cli.ranges import parse_minutes, parse_range
from tonotope.errors import InputError
from tonotope.session.filters import Range

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lists") / "music"
    for k in range(8):
        write(folder / f"{k}.flac", seed=k, seconds=4 + 2 * k, title=f"T{k}", artist=f"A{k}",
              date=str(1990 + k))  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def library(tonotope: Run, music: Path) -> Path:
    path = music.parent / "l.db"
    assert tonotope("scan", music, "--library", path).returncode == 0
    return path


# Ranges


@pytest.mark.parametrize(
    ("text", "found"),
    [("1990-1999", Range(1990, 1999)), ("1990-", Range(1990)), ("-1999", Range(None, 1999)),
     ("1990..1999", Range(1990, 1999)), ("..5.5", Range(None, 5.5)), ("1994", Range(1994, 1994)),
     (" 120 - 130 ", Range(120, 130)), ("-16..-9", Range(-16, -9)), ("-16..", Range(-16))],
)  # fmt: skip
def test_ranges(text: str, found: Range) -> None:
    assert parse_range("--x", text, example="1-2") == found


@pytest.mark.parametrize("text", ["", "-", "..", "a-b", "9-5", "1-2-3", "nan", "1..x", "1e3-"])
def test_no_ranges(text: str) -> None:
    with pytest.raises(InputError, match=r"--x is '.*'\. Name a range, the lower end first: 1-2$"):
        parse_range("--x", text, example="1-2")


def test_a_loudness_alone_might_mean_two_things() -> None:
    with pytest.raises(InputError, match=r"Name a range, the lower end first: -16\.\.-9$"):
        parse_range("--loudness", "-14", example="-16..-9", may_be_negative=True)


def test_minutes() -> None:
    for text, found in (("2:30-5", Range(150, 300)), ("-4", Range(None, 240)), ("1.5-", Range(90))):
        assert parse_range("--duration", text, example="", parse=parse_minutes) == found
    with pytest.raises(InputError):
        parse_range("--duration", "2:75-5", example="", parse=parse_minutes)


# Commands


def test_playlist_says_what_it_could_not_have(
    tonotope: Run, music: Path, library: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mix.xspf"
    words = ["playlist", "--year", "-1992", "--duration", "0:05-", "--n", "5", "--order", "flow",
             "--out", out, "--library", library, "--json"]  # fmt: skip
    done = tonotope(*words)
    made = json.loads(done.stdout)
    assert [track["title"] for track in made["tracks"]] in (["T1", "T2"], ["T2", "T1"])
    (note,) = made["notes"]
    assert "2 of 5 tracks" in note
    assert done.stderr == f"tonotope: {note}\n"
    assert out.read_text("utf-8").count("<track>") == 2


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [(["--year", "2050-"], 1, "no track is left: year 2050.. leaves 0 of 8 tracks"),
     (["--mood", "grumpy"], 2, "'grumpy' is no mood"),
     (["--n", "3"], 2, "needs a track to begin with, a mood or a filter"),
     (["--tempo", "fast"], 2, "--tempo is 'fast'"), (["--loudness", "-14"], 2, "--loudness is"),
     (["--mood", "calm", "--arc", "odd"], 2, "--arc"), (["--mood", "calm", "--n", "2.5"], 2, "n"),
     (["--mood", "calm", "--diversity", "7"], 2, "diversity is 7.0")],
)  # fmt: skip
def test_playlists_that_cannot_be(
    tonotope: Run, library: Path, tmp_path: Path, words: list[str], status: int, message: str
) -> None:
    out = tmp_path / "x.m3u8"
    done = tonotope("playlist", *words, "--out", out, "--library", library)
    assert done.returncode == status
    (line,) = done.stderr.splitlines()
    assert message in line
    assert not out.exists()


def test_a_suffix_is_refused_before_anything_is_heard(tonotope: Run, tmp_path: Path) -> None:
    done = tonotope("playlist", "--like", "x.mp3", "--out", "mix.doc", "--library", tmp_path / "no")
    assert done.returncode == 2
    assert "'mix.doc' is not the name of a playlist. Let it end in .m3u8" in done.stderr


def test_an_empty_library(tonotope: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    library = tmp_path / "l.db"
    assert tonotope("scan", tmp_path / "empty", "--library", library).returncode == 0
    for words in (["playlist", "--mood", "calm", "--out", "x.pls"], ["path", "a", "b"],
                  ["radio", "--like", "a"]):  # fmt: skip
        done = tonotope(*words, "--library", library)
        assert (done.returncode, done.stdout) == (1, "")
        assert "holds no track that can be compared" in done.stderr


def test_path(tonotope: Run, music: Path, library: Path, tmp_path: Path) -> None:
    words = ["path", music / "0.flac", music / "5.flac", "--n", "30", "--library", library]
    done = tonotope(*words, "--json", "--out", tmp_path / "way.pls")
    found = json.loads(done.stdout)
    assert len(found["steps"]) == len(found["tracks"]) - 1
    assert found["notes"] == [done.stderr.removeprefix("tonotope: ").strip()]
    read = (tmp_path / "way.pls").read_text("utf-8")
    assert f"NumberOfEntries={len(found['tracks'])}\n" in read
    text = tonotope(*words)
    assert text.stdout.splitlines()[-1].startswith(f"{len(found['tracks'])} tracks; the longest")


# Radio


def test_radio_reacts_to_lines(tonotope: Run, music: Path, library: Path) -> None:
    words = ["radio", "--like", music / "3.flac", "--library", library, "--json"]
    done = tonotope(*words, input="next\nLIKE\n\nwhat?\nskip\nquit\nnext\n")
    heard = [json.loads(line) for line in done.stdout.splitlines()]
    assert [track["number"] for track in heard] == [1, 2, 3, 4]
    assert heard[0]["title"] == "T3"
    assert len({track["audio_id"] for track in heard}) == 4
    assert done.stderr == "tonotope: 'what?' is none of next, skip, like and quit.\n"
    assert done.returncode == 0


def test_radio_ends_with_its_input_and_with_the_library(
    tonotope: Run, music: Path, library: Path
) -> None:
    words = ["radio", "--like", music / "3.flac", "--library", library]
    ended = tonotope(*words, input="next\n")
    assert (len(ended.stdout.splitlines()), ended.stderr, ended.returncode) == (2, "", 0)
    over = tonotope(*words, input="next\n" * 20)
    assert len(over.stdout.splitlines()) == 8
    assert (over.stderr, over.returncode) == ("tonotope: nothing is left: 8 tracks played.\n", 0)


def test_radio_answers_at_once(music: Path, library: Path) -> None:
    words = [sys.executable, "-m", "tonotope", "radio", "--like", str(music / "3.flac")]
    with subprocess.Popen(
        [*words, "--library", str(library)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert "T3" in process.stdout.readline()
        process.stdin.write("next\n")
        assert process.stdout.readline().startswith("  2")
        process.stdin.write("\xff\n")  # no word
        process.stdin.write("quit\n")
        assert process.wait(timeout=60) == 0


def test_radio_without_a_standard_input(music: Path, library: Path) -> None:
    command = '"$@" <&-'
    words = [sys.executable, "-m", "tonotope", "radio", "--like", str(music / "3.flac")]
    done = subprocess.run(
        ["bash", "-c", command, "bash", *words, "--library", str(library)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (len(done.stdout.splitlines()), done.stderr, done.returncode) == (1, "", 0)


def test_radio_of_a_reader_that_has_had_enough(music: Path, library: Path) -> None:
    command = 'yes next | "$@" | head -2'
    words = [sys.executable, "-m", "tonotope", "radio", "--like", str(music / "3.flac")]
    done = subprocess.run(
        ["bash", "-c", command, "bash", *words, "--library", str(library)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert len(done.stdout.splitlines()) == 2
    # It may have come to its end before the reader did.
    assert done.stderr in ("", "tonotope: nothing is left: 8 tracks played.\n")
