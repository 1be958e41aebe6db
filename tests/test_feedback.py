"""What users say of tracks: kept, forgotten, learned from; in this process and as commands."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from support.libraries import alter, write
from tonotope import Library
from tonotope.cli.app import run
from tonotope.errors import InputError, TrackNotFoundError

N_TRACKS = 12


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("feedback") / "music"
    for k in range(N_TRACKS):
        write(folder / f"{k:02d}.flac", seed=k, seconds=3 + 2 * k, title=f"T{k}", artist=f"A{k}")
    return folder


@pytest.fixture(scope="module")
def scanned(music: Path) -> Path:
    path = music.parent / "l.db"
    with Library(path) as library:
        library.scan([music])
    return path


@pytest.fixture
def library(scanned: Path, tmp_path: Path) -> Iterator[Library]:
    """Return a library that the test may change."""
    with Library(shutil.copy(scanned, tmp_path / "l.db")) as opened:
        yield opened


def said(library: Library) -> list[tuple[str, str, bool]]:
    """Return what is kept, by names of files."""
    return [
        (
            "?" if one.track is None else Path(one.track.path).stem,
            "?" if one.other is None else Path(one.other.path).stem,
            one.verdict.is_together,
        )
        for one in library.feedback()
    ]


def file(music: Path, k: int) -> Path:
    return music / f"{k:02d}.flac"


def test_what_is_said_is_kept_and_the_last_word_counts(library: Library, music: Path) -> None:
    kept = library.together([file(music, k) for k in (1, 2, 3, 2)])
    assert said(library) == [("01", "02", True), ("01", "03", True)]
    assert [one.verdict for one in kept] == [one.verdict for one in library.feedback()]
    library.close()
    library.apart([file(music, 2), file(music, 1)])
    assert sorted(said(library)) == [("01", "03", True), ("02", "01", False)]


def test_it_is_forgotten_by_number_or_all_of_it(library: Library, music: Path) -> None:
    library.together([file(music, k) for k in (1, 2, 3)])
    first, second = (one.verdict.number for one in library.feedback())
    with pytest.raises(InputError, match=r"^there is no verdict 99\. See: tonotope feedback list$"):
        library.forget_feedback([first, 99])
    assert len(said(library)) == 2
    gone = library.forget_feedback([first])
    assert [one.verdict.number for one in gone] == [first]
    assert said(library) == [("01", "03", True)]
    library.together([file(music, k) for k in (4, 5)])
    assert second < library.feedback()[-1].verdict.number  # no number comes twice
    library.forget_feedback()
    assert said(library) == []


def test_nothing_to_say(library: Library, music: Path, tmp_path: Path) -> None:
    for names in ([], [file(music, 1)], [file(music, 1), file(music, 1)]):
        with pytest.raises(InputError, match="two recordings or more"):
            library.together(names)
    with pytest.raises(TrackNotFoundError):
        library.apart([file(music, 1), tmp_path / "none.mp3"])
    assert said(library) == []


def test_recordings_outside_the_library_count_once_they_are_in_it(
    library: Library, music: Path, tmp_path: Path
) -> None:
    outside = write(tmp_path / "more" / "out.flac", seed=77, seconds=8)
    library.together([file(music, 1), outside])
    assert said(library) == [("01", "?", True)]
    library._weights = "learned"
    with pytest.raises(InputError, match="'learned': no two tracks of the library"):
        library.similar(file(music, 1))
    library.scan([outside.parent])
    assert said(library) == [("01", "out", True)]
    assert library.similar(file(music, 1)).neighbours


def test_a_radio_keeps_what_is_liked_and_skipped(library: Library, music: Path) -> None:
    playing = library.radio([file(music, 3), file(music, 5)])
    library.close()  # the radio goes on, and keeps what is said
    playing.like()  # of nothing yet
    playing.next()
    playing.like()  # of the seed itself: it belongs to the other
    liked = playing.next()
    playing.like()
    skipped = playing.next()
    playing.skip()
    assert None not in (liked, skipped)
    names = [Path(track.path).stem for track in (liked, skipped)]
    expected = {frozenset({"03", "05"}): True}
    for name, is_together in zip(names, (True, False), strict=True):
        expected |= {frozenset({seed, name}): is_together for seed in ("03", "05") if seed != name}
    assert {frozenset({a, b}): is_together for a, b, is_together in said(library)} == expected
    assert len(said(library)) == len(expected)
    assert playing.problem is None


def test_a_radio_goes_on_where_nothing_can_be_kept(
    library: Library, music: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    playing = library.radio([file(music, 3)])
    assert playing.next()
    path = library._catalogue.path
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # as an import does for minutes
        assert playing.skip()
        assert playing.problem is not None
        assert "database is locked" in playing.problem
        words = tmp_path / "words"
        words.write_text("skip\nskip\n")
        with words.open() as lines:
            monkeypatch.setattr("sys.stdin", lines)
            assert run(["radio", "--like", str(file(music, 3)), "--library", str(path)]) == 0
        printed = capsys.readouterr()
        assert len(printed.out.splitlines()) == 3
        (line,) = printed.err.splitlines()
        assert line.startswith("tonotope: what you like and skip is not kept: cannot write to")
    playing.skip()
    assert playing.problem is None


def test_a_damaged_library_has_no_feedback(library: Library, tmp_path: Path) -> None:
    path = library._catalogue.path
    library.close()
    alter(path, "DROP TABLE feedback")
    assert run(["feedback", "list", "--library", str(path)]) == 1


def taught_distances(library: Library) -> np.ndarray:
    """Return how far the tracks are from the first by the weights that were learned."""
    with Library(library._catalogue.path, weights="learned") as taught:
        places = taught._space.places
    return np.linalg.norm(places - places[0], axis=1)


def test_what_was_said_to_belong_together_comes_nearer(library: Library, music: Path) -> None:
    places = library._space.places
    plain = np.linalg.norm(places - places[0], axis=1)
    near, far = np.argsort(plain)[1], np.argsort(plain)[-1]
    library.together([file(music, 0), file(music, int(far))])
    liked = taught_distances(library)
    assert liked[far] / liked[near] < plain[far] / plain[near]
    # The same evidence against one and against another differs in where it points.
    against = {}
    other = np.argsort(plain)[2]
    for refused in (near, other):
        library.apart([file(music, 0), file(music, int(refused))])
        distances = taught_distances(library)
        against[refused] = distances[near] / distances[other]
        library.forget_feedback([library.feedback()[-1].verdict.number])
    assert against[near] > against[other]


def test_what_is_said_counts_for_more_than_what_is_played(
    library: Library, music: Path, tmp_path: Path
) -> None:
    history = tmp_path / "history.csv"
    days = [1_500_000_000 + 86_400 * k for k in range(3)]
    lines = [f"A{k},T{k},{day + 60 * k}" for day in days for k in (2, 3)]
    history.write_text("\n".join(["artist,title,timestamp", *lines]))
    library.import_plays(history)
    assert len(taught_distances(library)) == N_TRACKS
    library.apart([file(music, 3), file(music, 2)])
    with pytest.raises(InputError, match="'learned'"):
        taught_distances(library)


def test_the_commands(library: Library, music: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--library", str(library._catalogue.path)]
    files = [str(file(music, k)) for k in (1, 2)]
    assert run(["feedback", "list", *at]) == 0
    assert "Nothing was said yet" in capsys.readouterr().out
    assert run(["feedback", "together", *files, *at]) == 0
    line = capsys.readouterr().out
    assert line.split()[0] == "1"
    assert line.endswith("A2 – T2  belongs to  A1 – T1\n")
    assert run(["feedback", "apart", *files, *at]) == 0
    assert capsys.readouterr().out.endswith("A2 – T2  does not belong to  A1 – T1\n")
    assert run(["feedback", "list", "--json", *at]) == 0
    (one,) = json.loads(capsys.readouterr().out)["feedback"]
    assert [one["path"], one["other_path"]] == files
    assert (one["number"], one["together"], one["said_at"][:2]) == (2, False, "20")
    assert len(one["audio_id"]) == len(one["other_audio_id"]) == 32
    for wrong in (["forget"], ["forget", "2", "--all"], ["together", files[0]]):
        assert run(["feedback", *wrong, *at]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert run(["feedback", "forget", "2", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out)["forgotten"] == [one]
    assert run(["feedback", "forget", "--all", *at]) == 0
    assert capsys.readouterr().out == "Forgot 0 verdicts.\n"


def test_of_merged_recordings_the_last_word_counts(library: Library, music: Path) -> None:
    library.apart([file(music, 0), file(music, 1)])
    library.together([file(music, 0), file(music, 2)])
    library.merge(file(music, 1), [file(music, 2)])
    assert len(taught_distances(library)) == N_TRACKS - 1
    library.apart([file(music, 2), file(music, 0)])
    with pytest.raises(InputError, match="'learned': no two tracks"):
        taught_distances(library)
