"""`tonotope judge` as a process: a small scanned library, and small caches."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from support.caches import write_cache
from support.data import DATA
from support.libraries import alter, write
from support.models import card_text, network
from tonotope.cli.app import run
from tonotope.discovery.compared_spaces import SPACES
from tonotope.training.cache import read_cache
from tonotope.training.evaluation.provenance import provenance

Run = Callable[..., CompletedProcess[str]]
Judged = Callable[..., tuple[dict, str]]
Complaint = Callable[..., str]
N_TRACKS = 8


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory, tonotope: Run) -> Path:
    """Return a library of four artists with two tracks and one genre each, two genres in all."""
    folder = tmp_path_factory.mktemp("judge")
    for k in range(N_TRACKS):
        artist = k // 2
        write(
            folder / "music" / f"{k}.flac",
            seed=k,
            seconds=3 + k,
            title=f"T{k}",
            artist=f"A{artist}",
            album=f"Album {k % 4}",
            genre="Polka" if artist % 2 else "polka " * (k == 0) or "Waltz",
        )
    library = folder / "l.db"
    assert tonotope("scan", folder / "music", "--library", library).returncode == 0
    return library


@pytest.fixture
def library(scanned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(scanned, tmp_path / "l.db"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cache(
        tmp_path_factory.mktemp("judge") / "cache", {"train": 2, "valid": 4}, n_columns=333
    )


def write_listener(folder: Path, trained_on: Path | None = None, part: str = "train") -> Path:
    """Write a network of spectrograms, and on its card the part of a cache it learned from."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(network(["batch", 333, 128]))
    text = card_text("ear", file="model.onnx", hears={"representation": "gtzan-mel"})
    if trained_on is not None:
        clips = [clip for clip in read_cache(trained_on).clips if clip.split == part]
        text += "[trained_on]\n"
        text += "".join(f"{kind} = {prints}\n" for kind, prints in provenance(clips).items())
    (folder / "model.toml").write_text(text, "utf-8")
    (folder / "config.toml").write_text("[training]\n", "utf-8")
    return folder


@pytest.fixture
def judged(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[dict, str]]:
    """Return the command in this process: what it prints as JSON, and what on the other side."""

    def judge(*words: str | Path) -> tuple[dict, str]:
        capsys.readouterr()
        assert run(["judge", *map(str, words), "--json"]) == 0
        shown = capsys.readouterr()
        return json.loads(shown.out), shown.err

    return judge


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return the command in this process, where it fails: its one line."""

    def judge(status: int, *words: str | Path) -> str:
        capsys.readouterr()
        assert run(["judge", *map(str, words)]) == status
        shown = capsys.readouterr()
        assert shown.out == ""
        (line,) = shown.err.splitlines()
        return line

    return judge


# A library


def test_a_library_is_judged_by_its_tags(judged: Judged, scanned: Path) -> None:
    found, complaints = judged("--library", scanned, "--k", "3")
    assert complaints == ""
    assert (found["library"], found["n"], found["k"]) == (str(scanned), N_TRACKS, 3)
    # "polka " and "Polka" are one genre; albums of one name by two artists are two.
    assert found["labels"] == {
        "genre": {"n": 2, "n_tracks": 8},
        "artist": {"n": 4, "n_tracks": 8},
        "album": {"n": 8, "n_tracks": 8},
    }
    assert [space["space"] for space in found["spaces"]] == list(SPACES)
    for space in found["spaces"]:
        assert space["genre_artist_filter"]["n"] == 8
        assert 0 <= space["genre_artist_filter"]["precision"] <= found["best"]["genre"]
        assert space["paths"]["n"] > 0
    assert found["notes"] == ["No two tracks share their album: nothing is measured by it."]


def test_the_tables(tonotope: Run, scanned: Path) -> None:
    done = tonotope("judge", "--library", scanned)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        f"{scanned}: 8 tracks",
        "known: 2 genres (of 8 tracks), 4 artists (of 8 tracks), 8 albums (of 8 tracks)",
        "tracks of whose genre other artists have some: 8",
    ]
    assert sum(line.startswith("  both-corrected *") for line in lines) == 4
    assert sum(line.startswith("  chance") for line in lines) == 2
    assert "Lists hold 7 tracks and not 10: there are no more others." in lines
    assert max(map(len, lines[1:])) <= 120


def test_one_space(capsys: pytest.CaptureFixture[str], scanned: Path) -> None:
    capsys.readouterr()
    assert run(["judge", "--library", str(scanned), "--space", "embedding"]) == 0
    shown = capsys.readouterr().out
    assert "\n  embedding " in shown
    assert "\n  cosine" not in shown
    assert "* what answers you" not in shown


def test_a_library_without_tags(
    judged: Judged, capsys: pytest.CaptureFixture[str], library: Path
) -> None:
    alter(library, "DELETE FROM tags")
    found, _ = judged("--library", library, "--k", "3")
    assert found["spaces"][0]["genre"] is None
    assert found["spaces"][0]["hubness"]["skewness"] is not None
    assert "No track's genre is known: nothing is measured by it." in found["notes"]
    assert run(["judge", "--library", str(library), "--k", "3"]) == 0
    shown = capsys.readouterr().out
    assert "Genre:" not in shown
    assert "Artist:" not in shown
    assert "Hubs:" in shown


def test_what_was_played_is_not_new(
    judged: Judged, capsys: pytest.CaptureFixture[str], library: Path, tmp_path: Path
) -> None:
    before, _ = judged("--library", library, "--k", "3")
    history = tmp_path / "history.csv"
    history.write_text("user,artist,title,plays\nada,A0,T0,50\nada,A1,T2,3\n", "utf-8")
    assert run(["plays", "import", str(history), "--library", str(library)]) == 0
    after, _ = judged("--library", library, "--k", "3")
    assert (before["novelty_by"], after["novelty_by"]) == ("lists", "plays")
    assert after["spaces"][0]["novelty_bits"] > before["spaces"][0]["novelty_bits"]
    capsys.readouterr()
    assert run(["judge", "--library", str(library)]) == 0
    assert "Novelty goes by how often tracks were played." in capsys.readouterr().out


def test_a_library_of_one_track(complaint: Complaint, library: Path) -> None:
    alter(library, "DELETE FROM files WHERE path NOT LIKE '%/0.flac'")
    assert complaint(1, "--library", library) == (
        f"tonotope: library '{library}' has one track that can be compared: nothing has a "
        "neighbour. Add some: tonotope scan FOLDER"
    )


def test_no_library(complaint: Complaint, tmp_path: Path) -> None:
    assert "no library at" in complaint(1, "--library", tmp_path / "l.db")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--k", "0"], "lists cannot hold 0 tracks. Ask for at least 1: --k 10"),
        (["--space", "x"], "no space is called 'x'. There are: cosine, descriptors, "),
        (["--part", "valid"], "--part goes with --data"),
        (["--model", "m"], "--model goes with --data"),
        (["--split", "random"], "--split goes with --data"),
        (["--data", "nowhere"], "a library or --data is judged, not both"),
    ],
)
def test_wrong_usage_of_a_library(
    complaint: Complaint, scanned: Path, words: list[str], expected: str
) -> None:
    assert expected in complaint(2, "--library", scanned, *words)


# A cache


def test_a_cache_is_judged_by_a_model_that_has_not_heard_it(
    tonotope: Run, cache: Path, tmp_path: Path
) -> None:
    model = write_listener(tmp_path / "run", cache)
    done = tonotope("judge", "--data", cache, "--model", model, "--k", "3", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["model"], found["part"], found["n"]) == ("ear 1", "valid", 12)
    assert (found["leaky"], found["leaks"]) == (False, [])
    assert found["labels"]["artist"] == {"n": 12, "n_tracks": 12}
    by_name = {space["space"]: space for space in found["spaces"]}
    assert list(by_name) == list(SPACES)
    # Low, high and noisy have spectra of their own.
    assert by_name["descriptors"]["genre_artist_filter"]["precision"] > 0.9
    assert any(note.startswith("Descriptors are those") for note in found["notes"])


def test_a_model_that_has_heard_the_clips_is_leaky(
    judged: Judged, cache: Path, tmp_path: Path
) -> None:
    words = ("--data", cache, "--model", write_listener(tmp_path / "run", cache, "valid"))
    found, complaints = judged(*words)
    assert found["leaky"]
    assert "clip 'high.valid.000' was trained on" in found["leaks"]
    assert complaints.startswith("tonotope: leaky: ")
    train, complaints = judged(*words, "--part", "train")
    assert not train["leaky"]
    assert complaints == ""


def test_a_cache_without_a_split_is_judged_as_a_whole(
    judged: Judged, cache: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(cache, tmp_path / "cache"))
    _, *rows = (line.split(",") for line in (folder / "clips.csv").read_text("utf-8").splitlines())
    # No split and no artist, and two windows of each recording.
    text = ["clip,genre,recording"]
    text += [f"{clip},{genre},{genre}{k // 6}" for k, (clip, genre, *_) in enumerate(rows)]
    (folder / "clips.csv").write_text("\n".join(text) + "\n", "utf-8")
    found, _ = judged("--data", folder, "--model", write_listener(tmp_path / "run"))
    assert (found["protocol"], found["part"], found["n"]) == ("all clips", "all", 9)
    assert found["notes"][1:4] == [
        "The 18 clips are windows of 9 tracks, and put together.",
        "Training data unknown to the card: leaks with it cannot be checked.",
        "Lists hold 8 tracks and not 10: there are no more others.",
    ]
    assert "No track's artist is known: nothing is measured by it." in found["notes"]
    assert found["spaces"][0]["genre_artist_filter"] is None
    assert found["spaces"][0]["genre"]["precision"] is not None


def test_a_cache_of_one_track(complaint: Complaint, tmp_path: Path) -> None:
    rows = [{"split": "valid"}, {"split": "train"}, {"split": "train"}]
    one = write_cache(tmp_path / "cache", {"valid": 1}, n_columns=333, rows=rows)
    line = complaint(2, "--data", one, "--model", write_listener(tmp_path / "run"))
    assert "cannot judge a space by 1 track: nothing has a neighbour" in line


@pytest.mark.parametrize(
    ("words", "status", "expected"),
    [
        (["--data", "nowhere"], 1, "cannot read cache 'nowhere/mel.npy'"),
        (["--k", "-1"], 2, "lists cannot hold -1 tracks"),
        (["--part", "test"], 2, "the clips have no part 'test' (they have: train, valid)"),
        (["--space", "both-correct"], 2, "no space is called 'both-correct'"),
    ],
)
def test_wrong_usage_of_a_cache(
    complaint: Complaint, cache: Path, tmp_path: Path, words: list[str], status: int, expected: str
) -> None:
    model = write_listener(tmp_path / "run")
    given = words if "--data" in words else ["--data", str(cache), *words]
    assert expected in complaint(status, *given, "--model", model)


@pytest.mark.data
def test_on_gtzan_hubs_go_and_genres_stay(judged: Judged) -> None:
    found, _ = judged("--data", DATA / "gtzan-mel", "--part", "valid")
    # The model that comes with Tonotope has heard both parts, and the figures say so.
    assert found["leaky"]
    by_name = {space["space"]: space for space in found["spaces"]}
    ours, cosine = by_name["both-corrected"], by_name["cosine"]
    assert ours["hubness"]["skewness"] < cosine["hubness"]["skewness"] / 2
    # Of clips it was trained on, the network alone knows the genre best: what correction does is
    # seen beside the same space without it.
    assert by_name["embedding-corrected"]["against_baseline"]["difference"] > -0.01
    assert (
        ours["against_baseline"]["difference"] > by_name["both"]["against_baseline"]["difference"]
    )
    assert ours["reachability"] >= 0.95
