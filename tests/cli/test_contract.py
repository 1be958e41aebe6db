"""The words of the command line are a contract: their names, their JSON, their exit status."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import soundfile

from support.libraries import write

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contract") / "music"
    for number in range(12):
        write(
            folder / f"{number:02d}.flac",
            seed=number,
            seconds=3 + number,
            title=f"Title {number}",
            artist=f"Artist {number % 3}",
            album=f"Album {number % 6}",
        )
    return folder


@pytest.fixture(scope="module")
def library(tonotope: Run, music: Path) -> Path:
    path = music.parent / "l.db"
    assert tonotope("scan", music, "--library", path).returncode == 0
    return path


def document(done: CompletedProcess[str]):
    """Return the one JSON document on the standard output."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def complaint(done: CompletedProcess[str], status: int) -> str:
    """Return the one line on the standard error."""
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("tonotope: ")
    return line


# similar


def test_similar(tonotope: Run, music: Path, library: Path) -> None:
    found = document(
        tonotope("similar", music / "03.flac", "--n", "4", "--library", library, "--json")
    )
    assert set(found) == {"query", "neighbours"}
    assert found["query"]["path"] == str(music / "03.flac")
    assert len(found["neighbours"]) == 4
    first = found["neighbours"][0]
    assert {"audio_id", "path", "artist", "title", "distance"} <= set(first)
    assert len(first["audio_id"]) == 32
    distances = [k["distance"] for k in found["neighbours"]]
    assert distances == sorted(distances)
    assert found["query"]["audio_id"] not in {k["audio_id"] for k in found["neighbours"]}


def test_similar_with_a_weight_given_twice(tonotope: Run, music: Path, library: Path) -> None:
    asked = ["similar", music / "03.flac", "--weights", "timbre=1,timbre=2", "--library", library]
    assert "'timbre=1,timbre=2' names a part twice" in complaint(tonotope(*asked), 2)


def test_similar_by_id_and_by_its_beginning(tonotope: Run, music: Path, library: Path) -> None:
    by_file = document(tonotope("similar", music / "03.flac", "--library", library, "--json"))
    audio_id = by_file["query"]["audio_id"]
    assert document(tonotope("similar", audio_id, "--library", library, "--json")) == by_file
    assert document(tonotope("similar", audio_id[:8], "--library", library, "--json")) == by_file


def test_similar_to_a_file_outside_the_library(
    tonotope: Run, music: Path, library: Path, tmp_path: Path
) -> None:
    outside = write(tmp_path / "outside.ogg", seed=3, seconds=6, title="Title 3", artist="Artist 0")
    found = document(tonotope("similar", outside, "--library", library, "--json"))
    assert found["query"]["path"] == str(outside)
    assert found["neighbours"]
    # It is another encoding of 03.flac, so that one is no neighbour but itself.
    assert str(music / "03.flac") not in {k["path"] for k in found["neighbours"]}


def test_similar_to_a_renamed_file_is_not_listened_to(
    tonotope: Run, music: Path, library: Path, tmp_path: Path
) -> None:
    renamed = shutil.copy(music / "05.flac", tmp_path / "renamed.flac")
    found = document(tonotope("similar", renamed, "--library", library, "--json"))
    assert found["query"]["path"] == str(music / "05.flac")


def test_rules_for_artists_and_albums(tonotope: Run, music: Path, library: Path) -> None:
    options = ["--library", library, "--json", "--n", "12"]
    usual = document(tonotope("similar", music / "00.flac", *options))["neighbours"]
    strict = document(tonotope("similar", music / "00.flac", *options, "--per-artist", "1"))
    free = document(
        tonotope("similar", music / "00.flac", *options, "--per-artist", "0", "--per-album", "0")
    )
    artists = [k["artist"] for k in usual]
    assert max(artists.count(artist) for artist in artists) <= 3
    assert len(strict["neighbours"]) == 3
    assert len(free["neighbours"]) == 11


@pytest.mark.parametrize("option", ["--n", "--per-artist", "--per-album"])
def test_counts_below_nothing(tonotope: Run, music: Path, library: Path, option: str) -> None:
    done = tonotope("similar", music / "00.flac", "--library", library, option, "-1")
    assert "cannot return -1 tracks" in complaint(done, 2)


def test_similar_for_people(tonotope: Run, music: Path, library: Path) -> None:
    done = tonotope("similar", music / "03.flac", "--library", library)
    assert done.returncode == 0
    assert done.stdout.startswith("Sounds like Artist 0 – Title 3 (0:06):\n")
    assert "\x1b" not in done.stdout


# playlist


def entries(playlist: Path) -> list[str]:
    lines = playlist.read_text("utf-8").splitlines()
    assert lines[0] == "#EXTM3U"
    assert all(line.startswith("#EXTINF:") for line in lines[1::2])
    return lines[2::2]


def test_playlist_beside_the_music_is_relative(tonotope: Run, music: Path, library: Path) -> None:
    out = music / "mix.m3u8"
    done = tonotope(
        "playlist", "--like", music / "03.flac", "--n", "5", "--out", out, "--library", library
    )
    assert done.returncode == 0, done.stderr
    assert entries(out)[0] == "03.flac"
    assert len(set(entries(out))) == 5
    assert all((music / entry).exists() for entry in entries(out))
    assert "#EXTINF:6,Artist 0 – Title 3\n" in out.read_text("utf-8")
    out.unlink()


def test_playlist_elsewhere_is_absolute(
    tonotope: Run, music: Path, library: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mix.m3u8"
    made = document(
        tonotope(
            "playlist", "--like", music / "03.flac", music / "04.flac", "--minutes", "1",
            "--out", out, "--library", library, "--json",
        )
    )  # fmt: skip
    assert entries(out)[:1] == [str(music / "03.flac")]
    assert str(music / "04.flac") in entries(out)
    assert [track["path"] for track in made["tracks"]] == entries(out)
    assert 45 <= made["duration_s"] <= 60
    artists = [track["artist"] for track in made["tracks"]]
    assert all(a != b for a, b in pairwise(artists))


def test_playlist_that_cannot_be_written(tonotope: Run, music: Path, library: Path) -> None:
    out = music / "no folder" / "mix.m3u8"
    done = tonotope("playlist", "--like", music / "03.flac", "--out", out, "--library", library)
    assert "cannot write playlist" in complaint(done, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--n", "0"], "cannot hold 0"), (["--n", "3", "--minutes", "3"], "not both"),
     *((["--minutes", minutes], f"cannot hold {float(minutes)}")
       for minutes in ("nan", "inf", "-1", "0"))],
)  # fmt: skip
def test_impossible_lengths(
    tonotope: Run, music: Path, library: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    done = tonotope(
        "playlist", "--like", music / "03.flac", "--out", tmp_path / "x.m3u8",
        "--library", library, *options,
    )  # fmt: skip
    assert message in complaint(done, 2)
    assert not (tmp_path / "x.m3u8").exists()


def test_a_playlist_says_what_it_cannot_name(tonotope: Run, music: Path, tmp_path: Path) -> None:
    folder, library = tmp_path / "music", tmp_path / "l.db"
    folder.mkdir()
    for number in range(3):
        shutil.copy(music / f"{number:02d}.flac", folder / f"{number}.flac")
    (folder / "1.flac").rename(folder / "1\n.flac")
    assert tonotope("scan", folder, "--library", library).returncode == 0
    out = folder / "mix.m3u8"
    words = ["playlist", "--like", folder / "0.flac", "--n", "3", "--out", out]
    done = tonotope(*words, "--library", library, "--json")
    (line,) = done.stderr.splitlines()
    assert line.startswith("tonotope: not in the playlist")
    assert line.endswith(rf"{folder}/1\n.flac")
    assert [Path(track["path"]).name for track in document(done)["tracks"]] == entries(out)
    assert entries(out) == ["0.flac", "2.flac"]


# genre


def test_genre(tonotope: Run, music: Path, tmp_path: Path) -> None:
    long = write(tmp_path / "long.wav", seed=1, seconds=70)
    documents = document(tonotope("genre", music / "00.flac", long, "--json", "--top", "10"))
    assert [d["path"] for d in documents] == [str(music / "00.flac"), str(long)]
    for each in documents:
        probabilities = [g["probability"] for g in each["genres"]]
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) == pytest.approx(1, abs=1e-3)
    assert [round(w["start_s"]) for w in documents[1]["windows"]] == [0, 30, 40]
    mean = {
        g["genre"]: np.mean(
            [
                next(x["probability"] for x in w["genres"] if x["genre"] == g["genre"])
                for w in documents[1]["windows"]
            ]
        )
        for g in documents[1]["genres"]
    }
    assert mean == pytest.approx(
        {g["genre"]: g["probability"] for g in documents[1]["genres"]}, abs=1e-3
    )


def test_genre_names_three_unless_told_otherwise(tonotope: Run, music: Path) -> None:
    (three,) = document(tonotope("genre", music / "00.flac", "--json"))
    (one,) = document(tonotope("genre", music / "00.flac", "--json", "--top", "1"))
    assert (len(three["genres"]), len(one["genres"])) == (3, 1)
    assert "cannot name 0" in complaint(tonotope("genre", music / "00.flac", "--top", "0"), 2)


def test_genre_over_time_for_people(tonotope: Run, tmp_path: Path) -> None:
    long = write(tmp_path / "long.wav", seed=1, seconds=70)
    lines = tonotope("genre", long, "--over-time").stdout.splitlines()
    assert lines[0] == str(long)
    assert [line.split()[0] for line in lines[2:]] == ["0:00", "0:30", "0:40"]


def test_one_bad_file_does_not_spoil_the_others(tonotope: Run, music: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp3"
    bad.write_text("no music")
    done = tonotope("genre", bad, music / "00.flac", "--json")
    assert [d["path"] for d in json.loads(done.stdout)] == [str(music / "00.flac")]
    assert f"cannot decode '{bad}'" in complaint(done, 1)


def test_silence_has_no_genre(tonotope: Run, tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(50000), 22050)
    assert document(tonotope("genre", path, "--json"))[0]["genres"] == []
    assert "nothing is to be heard" in tonotope("genre", path).stdout


# status and failures


def test_status(tonotope: Run, library: Path) -> None:
    held = document(tonotope("status", "--library", library, "--json"))
    assert (held["files"], held["tracks"], held["failed"]) == (12, 12, 0)
    assert held["hours"] == pytest.approx(sum(3 + k for k in range(12)) / 3600, abs=1e-3)
    assert sum(held["genres"].values()) == 12
    assert "Tracks   12" in tonotope("status", "--library", library).stdout


def test_status_says_what_another_version_heard(
    tonotope: Run, library: Path, tmp_path: Path
) -> None:
    old = Path(shutil.copy(library, tmp_path / "old.db"))
    assert document(tonotope("status", "--library", old, "--json"))["out_of_date"] == 0
    assert "another version" not in tonotope("status", "--library", old).stdout
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE family_rows SET version = 0 WHERE track_id <= 5")
    assert document(tonotope("status", "--library", old, "--json"))["out_of_date"] == 5
    shown = tonotope("status", "--library", old).stdout
    assert "         5 heard by another version: scan again\n" in shown


def test_failures_when_there_are_none(tonotope: Run, library: Path) -> None:
    assert document(tonotope("failures", "--library", library, "--json")) == []
    assert tonotope("failures", "--library", library).stdout == "Every file gave something.\n"


def test_damaged_files_were_heard(tonotope: Run, tmp_path: Path) -> None:
    sound = write(tmp_path / "music" / "a.flac", seed=1, seconds=20).read_bytes()
    (tmp_path / "music" / "a.flac").write_bytes(sound[: len(sound) // 2])
    (tmp_path / "music" / "b.mp3").write_text("no music")
    done = tonotope("scan", tmp_path / "music", "--library", tmp_path / "l.db")
    assert done.stdout.startswith("2 files: 1 analysed, 1 failed, 1 damaged but heard; ")


# Names that hold anything

HOSTILE, SHOWN = "\x1b[2J\nx\u202e\x9b", r"\x1b[2J\nx\u202e\x9b"


def test_no_name_or_tag_reaches_the_terminal_raw(
    tonotope: Run, music: Path, tmp_path: Path
) -> None:
    folder, library = tmp_path / f"music{HOSTILE}", tmp_path / f"l{HOSTILE}.db"
    one = write(folder / f"1{HOSTILE}.flac", seed=1, title=f"T{HOSTILE}", artist=f"A{HOSTILE}")
    write(folder / f"2\u3000x{HOSTILE}.flac", seed=2, title=f"T{HOSTILE}", artist="é")
    (folder / f"3{HOSTILE}.mp3").write_text("no music")
    with_library = ["--library", library]
    out = folder / f"{HOSTILE}.m3u8"
    for words, n_names in [
        (["scan", folder], 1),
        (["failures"], 1),
        (["status"], 1),
        (["similar", one], 2),
        (["playlist", "--like", one, "--out", out, "--n", "2"], 4),
        (["similar", f"none{HOSTILE}"], 1),
        (["scan", f"none{HOSTILE}"], 1),
        (["genre", one], 1),
        (["genre", folder / f"3{HOSTILE}.mp3"], 1),
        ([f"sing{HOSTILE}"], 1),
    ]:
        has_library = words[0] in ("scan", "failures", "status", "similar", "playlist")
        done = tonotope(*words, *(with_library if has_library else []))
        printed = done.stdout + done.stderr
        assert printed, words
        assert not set("\x1b\u202e\x9b") & set(printed), words
        assert printed.count(r"\x1b") >= n_names, words
        assert all(line.strip() and not line.startswith("x") for line in printed.splitlines())
    assert "2\u3000x" in tonotope("similar", one, *with_library).stdout


def test_json_keeps_names_as_they_are(tonotope: Run, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    write(folder / f"1{HOSTILE}.flac", seed=1)
    (track,) = document(tonotope("genre", folder / f"1{HOSTILE}.flac", "--json"))
    assert track["path"] == str(folder / f"1{HOSTILE}.flac")


# Errors, and what all commands share


@pytest.mark.parametrize(
    "words",
    [["scan"], ["genre"], ["similar"], ["playlist"], ["playlist", "--like", "x"], ["sing"],
     ["status", "--loud"], ["status", "extra"], ["similar", "x", "--n", "many"],
     ["demo-music"], ["scan", "--jobs"], ["similar", "x", "--n", "2.7"],
     ["scan", "x", "--jobs", "1.5"], ["scan", "x", "--nice", "1e1"]],
)  # fmt: skip
def test_wrong_usage_is_one_line_and_status_2(tonotope: Run, words: list[str]) -> None:
    assert complaint(tonotope(*words), 2).endswith("--help")


@pytest.mark.parametrize(
    ("words", "place"),
    [(["scan", ""], "after 'scan'"), (["scan", "x", ""], "after 'x'"),
     (["similar", ""], "after 'similar'"), (["genre", ""], "after 'genre'"),
     (["demo-music", ""], "after 'demo-music'"), (["status", "--library", ""], "after '--library'"),
     (["status", "--library="], "for --library"),
     (["playlist", "--like", "", "--out", "x.m3u8"], "after '--like'"),
     (["playlist", "--like", "x", "--out", ""], "after '--out'"), ([""], "after 'tonotope'")],
)  # fmt: skip
def test_an_empty_word_is_not_the_current_folder(
    tonotope: Run, tmp_path: Path, words: list[str], place: str
) -> None:
    line = complaint(tonotope(*words, cwd=tmp_path), 2)
    assert line == f"tonotope: an empty word {place} (an unset variable?). See: tonotope --help"
    assert list(tmp_path.iterdir()) == []


def test_no_library_yet(tonotope: Run, tmp_path: Path) -> None:
    for words in (
        ["status"],
        ["failures"],
        ["similar", "x"],
        ["playlist", "--like", "x", "--out", "y.m3u8"],
    ):
        line = complaint(tonotope(*words, "--library", tmp_path / "none.db"), 1)
        assert line.endswith("Make one: tonotope scan FOLDER")
    assert list(tmp_path.iterdir()) == []


def test_no_such_track(tonotope: Run, library: Path) -> None:
    for asked in ("nowhere.mp3", "0" * 32, "abcd"):
        line = complaint(tonotope("similar", asked, "--library", library), 1)
        assert f"'{asked}' is neither a file nor the id of a track" in line


def test_no_such_folder(tonotope: Run, tmp_path: Path) -> None:
    line = complaint(tonotope("scan", tmp_path / "none", "--library", tmp_path / "l.db"), 1)
    assert "does not exist. Name a folder of music." in line
    assert list(tmp_path.iterdir()) == []


def test_the_default_library_lies_in_the_users_data_folder(
    tonotope: Run, music: Path, tmp_path: Path
) -> None:
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path / "data"), "HOME": str(tmp_path)}
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(music / "00.flac", one)
    assert tonotope("scan", one, env=environment).returncode == 0
    held = document(tonotope("status", "--json", env=environment))
    assert Path(held["path"]).is_relative_to(tmp_path)
    assert held["tracks"] == 1


def test_an_empty_folder_is_no_error(tonotope: Run, tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    done = tonotope("scan", tmp_path / "music", "--library", tmp_path / "l.db")
    assert done.returncode == 0
    assert done.stdout.startswith("0 files: none; ")
    line = complaint(tonotope("similar", "x.mp3", "--library", tmp_path / "l.db"), 1)
    assert "holds no track that can be compared. Add some: tonotope scan FOLDER" in line


def test_debug_shows_where_an_error_comes_from(tonotope: Run, tmp_path: Path) -> None:
    done = tonotope("--debug", "status", "--library", tmp_path / "none.db")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_version_and_help(tonotope: Run) -> None:
    import tonotope as package

    assert tonotope("--version").stdout.strip() == package.__version__
    for words in ([], ["scan"], ["genre"], ["similar"], ["playlist"], ["status"], ["failures"],
                  ["demo-music"]):  # fmt: skip
        done = tonotope(*words, "--help")
        assert done.returncode == 0
        assert "Examples:" in done.stdout
    assert "--debug" in tonotope("--help").stdout


def test_output_that_nobody_reads_is_no_error(tonotope: Run, library: Path) -> None:
    import subprocess
    import sys

    read, write_end = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "tonotope", "status", "--library", library],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        # Unbuffered, nothing would be left to fail when the command ends.
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_name_that_is_not_utf8(tonotope: Run, music: Path, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    name = os.fsdecode(b"caf\xe9.flac")
    shutil.copy(music / "00.flac", folder / name)
    shutil.copy(music / "01.flac", folder)
    library, out = tmp_path / "l.db", folder / "mix.m3u8"
    assert tonotope("scan", folder, "--library", library).returncode == 0
    found = document(tonotope("similar", folder / "01.flac", "--library", library, "--json"))
    assert os.fsencode(found["neighbours"][0]["path"]).endswith(b"caf\xe9.flac")
    assert "caf" in tonotope("similar", folder / "01.flac", "--library", library).stdout
    tonotope("playlist", "--like", folder / name, "--n", "2", "--out", out, "--library", library)
    assert b"\ncaf\xe9.flac\n" in out.read_bytes()


def test_demo_music(tonotope: Run, tmp_path: Path) -> None:
    done = document(tonotope("demo-music", tmp_path / "demo", "--json"))
    assert len(done["files"]) == 24
    assert all(Path(path).exists() for path in done["files"])
