"""Plays and tracks: `tonotope plays`, `tonotope recommend`, `tonotope.Library`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from support.libraries import write
from tonotope import Library
from tonotope.cli.app import run
from tonotope.errors import InputError, LibraryError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.session.plays import play_counts, summarize, together

N_TRACKS = 24
T = 1_500_000_000


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library of tracks whose artists come in pairs; one track has no tags."""
    folder = tmp_path_factory.mktemp("plays")
    for k in range(N_TRACKS):
        tags = {"title": f"T{k}", "artist": f"A{k // 2}"} if k else {}
        write(folder / "music" / f"{k:02d}.flac", seed=k, seconds=3 + 1.5 * k, **tags)
    with Library(folder / "l.db") as library:
        library.scan([folder / "music"])
    return folder / "l.db"


@pytest.fixture
def library(scanned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(scanned, tmp_path / "l.db"))


def tracks_of(*numbers: int) -> list[Track]:
    return [Track(str(k), f"/{k}", f"T{k}", f"A{k // 2}", None, 100.0) for k in numbers]


def play(library: Path, *lines: str) -> None:
    path = library.with_name("history.csv")
    path.write_text("\n".join(["artist,title,timestamp,plays,user", *lines]))
    with Library(library) as opened:
        opened.import_plays(path)


def of(number: int, *, at: int | str = "", n: int | str = "", user: str = "") -> str:
    return f"a{number // 2},t{number},{at},{n},{user}"


# Counts and pairs


def test_what_was_played_together_comes_nearer(
    library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        Library(library, weights="learned") as opened,
        pytest.raises(
            InputError, match=r"weights 'learned': no two tracks .* played together twice"
        ),
    ):
        opened.similar(library.with_name("music") / "x.flac")
    # Whatever tells 3 from 9 counts less once they belong together.
    days = [T + 86_400 * k for k in range(3)]
    play(library, *(of(n, at=day + 60 * n, user="x") for day in days for n in (2, 3, 9)))
    with Library(library) as plain, Library(library, weights="learned") as learned:
        rows = [track.title for track in plain._space.tracks]
        a, b = rows.index("T3"), rows.index("T9")

        def nearer_than(opened: Library) -> float:
            places = opened._space.places
            distances = np.linalg.norm(places - places[a], axis=1)
            return float(np.mean(distances > distances[b]))

        assert nearer_than(learned) > nearer_than(plain)
    assert run(["similar", "T", "--weights", "learnt", "--library", str(library)]) == 2
    said = capsys.readouterr().err
    assert "no weights are called 'learnt'" in said
    assert said.endswith("harmony, learned.\n")


def test_counts_of_tracks(library: Path) -> None:
    play(library, of(1, n=3, user="x"), of(1, n=4, user="y"), of(2, n=1, user="x"), "B,Z,,9,")
    tracks = [*tracks_of(1, 2, 3), Track("t", "/t", None, None, None, 1.0)]
    with Catalogue(library) as catalogue:
        assert play_counts(catalogue, tracks).tolist() == [7, 1, 0, 0]
        assert play_counts(catalogue, tracks, listener="x").tolist() == [3, 1, 0, 0]
        assert play_counts(catalogue, tracks, listener="nobody").tolist() == [0, 0, 0, 0]
        found = summarize(catalogue)
    assert (found.songs, found.songs_in_library) == (3, 2)
    assert (found.tracks, found.tracks_played) == (N_TRACKS, 2)


def test_a_library_without_plays(library: Path) -> None:
    with Catalogue(library) as catalogue:
        assert play_counts(catalogue, tracks_of(1, 2)).tolist() == [0, 0]
        assert together(catalogue, tracks_of(1, 2)).shape == (0, 2)


def test_plays_from_before_a_scan_are_matched_after_it(tmp_path: Path) -> None:
    play(tmp_path / "l.db", of(5, n=2))
    write(tmp_path / "music" / "x.flac", seed=1, title="T5", artist="A2")
    with Library(tmp_path / "l.db") as library:
        library.scan([tmp_path / "music"])
    with Catalogue(tmp_path / "l.db") as catalogue:
        assert summarize(catalogue).tracks_played == 1


def test_what_follows_within_half_an_hour_belongs_together(library: Path) -> None:
    def session(at: int, *numbers: int) -> list[str]:
        return [of(k, at=at + 300 * place) for place, k in enumerate(numbers)]

    day = 86_400
    play(
        library,
        *session(T, 1, 2, 3),
        *session(T + day, 3, 2, 2),  # (2, 3) again, the other way round; no pair with itself
        *session(T + 2 * day, 2, 3),
        *session(T + 3 * day, 1, 2),
        *session(T + 4 * day, 4, 99),
        *(of(5 + k % 2, at=T + 5 * day + 3600 * k) for k in range(6)),  # an hour apart
    )
    with Catalogue(library) as catalogue:
        assert together(catalogue, tracks_of(3, 2, 1)).tolist() == [[0, 1], [1, 2]]


def test_without_times_what_two_listeners_have_belongs_together(library: Path) -> None:
    play(
        library,
        *(of(k, n=1, user=user) for user, ks in {"x": (1, 2, 3), "y": (2, 3), "z": (1, 4)}.items()
          for k in ks),
    )  # fmt: skip
    with Catalogue(library) as catalogue:
        assert together(catalogue, tracks_of(1, 2, 3, 4)).tolist() == [[1, 2]]


# Recommending


def test_one_listener_gets_what_sounds_alike(library: Path) -> None:
    play(library, of(1, n=5), of(2, n=1), "B,Z,,1,")
    with Library(library) as opened:
        found = opened.recommend(n=N_TRACKS)
    assert (found.listener, found.method, found.n_played) == ("me", "content", 2)
    assert found.reason.startswith("plays of one listener")
    names = [Path(k.track.path).stem for k in found.tracks]
    assert len(names) == N_TRACKS - 2 == len(set(names))
    assert not {"01", "02"} & set(names)
    scores = [k.score for k in found.tracks]
    assert scores == sorted(scores, reverse=True)


def test_many_listeners_are_compared(library: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [
        of(int(k), n=int(rng.integers(1, 9)), user=f"u{user}")
        for user in range(30)
        for k in rng.choice(np.arange(1 + user % 2, N_TRACKS - 2, 2), 8, replace=False)
    ]
    play(library, *lines)
    with Library(library) as opened:
        steps = []
        found = opened.recommend("u1", n=5, on_progress=lambda *step: steps.append(step))
        assert found == opened.recommend("u1", n=5)
        unheard = [Path(k.track.path).stem for k in opened.recommend("u1", n=N_TRACKS).tracks]
    assert found.method == "hybrid"
    assert found.reason.startswith("plays of 30 listeners; factors count")
    assert len(found.tracks) == 5
    assert steps[0] == (0, 5)
    assert {"00", "23"} <= set(unheard)  # nobody has played these


def test_no_artist_comes_more_than_three_times(tmp_path: Path) -> None:
    for k in range(6):
        write(tmp_path / "music" / f"{k}.flac", k, 3 + 2 * k, title=f"T{k}", artist="A")
    with Library(tmp_path / "l.db") as library:
        library.scan([tmp_path / "music"])
        play(tmp_path / "l.db", "A,T0,,1,")
        assert len(library.recommend().tracks) == 3


def test_all_is_played(library: Path) -> None:
    play(library, *(of(k) for k in range(1, N_TRACKS)))
    with Library(library) as opened:
        (left,) = opened.recommend().tracks
        assert Path(left.track.path).stem == "00"


def test_what_cannot_be_recommended(library: Path) -> None:
    with Library(library) as opened:
        with pytest.raises(LibraryError, match="no plays"):
            opened.recommend()
        with pytest.raises(InputError, match="0 tracks"):
            opened.recommend(n=0)
        play(library, "B,Z,,1,x", of(1, user="y"))
        with pytest.raises(InputError, match="no plays of 'me', only of x, y"):
            opened.recommend()
        with pytest.raises(LibraryError, match="none of the 1 songs that 'x' played"):
            opened.recommend("x")
        assert opened.recommend("y", n=1).method == "content"


# The commands


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "scrobbles"
    path.write_text('A0,,T1,"31 Jul 2014 19:25"\nA1,,T2,"31 Jul 2014 19:30"\noops\n')
    return path


def test_importing_listing_and_forgetting(
    library: Path, history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--library", str(library)]
    assert run(["plays", "import", str(history), *where]) == 0
    out = capsys.readouterr().out
    assert "(lastfm): 3 entries: 2 added, 0 known, 1 broken\n" in out
    assert "  2 songs, 2 of them in the library; 2 artists, 0 of them not\n" in out
    assert "  line 3: 1 fields instead of 4\n" in out
    assert run(["plays", "import", str(history), *where, "--json"]) == 0
    (again,) = json.loads(capsys.readouterr().out)
    assert (again["added"], again["known"], again["import_id"]) == (0, 2, None)
    assert again["problems"] == [{"line": 3, "reason": "1 fields instead of 4"}]
    assert run(["plays", "list", *where, "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["path"], listed["plays"], listed["only_here"]) == (str(history), 2, 2)
    assert run(["plays", "summary", *where]) == 0
    assert capsys.readouterr().out == (
        "me: 2 plays and 0 skips of 2 songs by 2 artists, 2014-07-31 to 2014-07-31\n"
        "2 of 2 songs in the library\n"
        f"2 of its {N_TRACKS} tracks played\n"
    )
    assert run(["recommend", "--n", "1", *where]) == 0
    assert capsys.readouterr().out.startswith("For me, by likeness to what was played (plays of")
    assert run(["recommend", "--n", "2", *where, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["method"], answer["tracks_played"], len(answer["tracks"])) == ("content", 2, 2)
    assert run(["plays", "forget", str(listed["import_id"]), *where]) == 0
    assert capsys.readouterr().out == "forgot import 1: 2 plays\n"
    for command in (["plays", "summary"], ["plays", "list"]):
        assert run([*command, *where]) == 0
        assert "no plays yet" in capsys.readouterr().out


def test_a_file_that_gives_nothing_does_not_keep_the_others(
    library: Path, history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--library", str(library)]
    empty, broken = tmp_path / "empty", tmp_path / "broken.csv"
    empty.write_text("")
    broken.write_text("artist,title\nx\n")
    assert run(["plays", "import", str(empty), str(history), *where]) == 1
    shown = capsys.readouterr()
    assert "2 added" in shown.out
    assert (
        shown.err == f"tonotope: cannot import '{empty}': it is empty. Export the history again.\n"
    )
    assert run(["plays", "import", str(broken), *where]) == 1
    shown = capsys.readouterr()
    assert "0 added, 0 known, 1 broken" in shown.out
    assert f"nothing came of '{broken}': none of its entries" in shown.err
    broken.write_text("artist,title\n")
    assert run(["plays", "import", str(broken), *where]) == 1
    assert f"nothing came of '{broken}': no entry" in capsys.readouterr().err
    assert run(["plays", "forget", "7", *where]) == 2
    assert run(["recommend", "--user", "nobody", *where]) == 2
