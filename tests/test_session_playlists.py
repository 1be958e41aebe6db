"""Playlists, paths and radio of one small library, asked in this process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from support.libraries import alter, write
from tonotope import Library
from tonotope.discovery.playlists import Spacing
from tonotope.errors import InputError, LibraryError, TrackNotFoundError
from tonotope.library.groups import StoredGroup, StoredGrouping, write_grouping
from tonotope.session.filters import Range, TrackFilters
from tonotope.session.music import Music
from tonotope.session.suiting import PlaylistWishes

N_TRACKS = 12


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("playlists") / "music"
    for k in range(N_TRACKS):
        tags = {"title": f"T{k}", "artist": f"A{k % 4}", "album": f"L{k % 4}"}
        tags["genre"] = "Rock; Folk" if k % 2 else "Zydeco"
        if k:
            tags["date"] = str(1988 + k)
        write(folder / f"{k:02d}.flac", seed=k, seconds=3 + 2 * k, **tags)
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


def names(tracks) -> list[str]:
    return [Path(track.path).stem for track in tracks]


def numbers(library: Library, tracks, name: str) -> list[float]:
    return Music(library._catalogue, library._versions, tracks).columns[name].tolist()


# Filters


def test_years(library: Library, music: Path) -> None:
    wishes = PlaylistWishes(filters=TrackFilters(years=Range(1990, 1993)))
    made = library.playlist(n=4, wishes=wishes)
    assert sorted(names(made.tracks)) == ["02", "03", "04", "05"]
    assert made.notes == []
    more = library.playlist([music / "11.flac"], n=9, wishes=wishes)
    assert names(more.tracks)[0] == "11"
    assert sorted(names(more.tracks)) == ["02", "03", "04", "05", "11"]
    assert more.notes == [
        "the list is shorter than asked for, 5 of 9 tracks: no track is left: "
        "year 1990..1993 leaves 4 of 12 tracks (of 1 it is unknown)."
    ]


def test_tagged_genres_and_open_ends(library: Library) -> None:
    filters = TrackFilters(genres=("FOLK",), duration_s=Range(None, 10.5))
    made = library.playlist(n=2, wishes=PlaylistWishes(filters=filters))
    assert sorted(names(made.tracks)) == ["01", "03"]


def test_genres_by_the_sound(library: Library) -> None:
    heard = Music(library._catalogue, library._versions, library._space.tracks).genres
    likeliest = [genres - {"rock", "folk", "zydeco"} for genres in heard]
    wanted = next((next(iter(genres)) for genres in likeliest if genres), None)
    if wanted is None:
        pytest.skip("the network hears what the tags say")
    wishes = PlaylistWishes(filters=TrackFilters(genres=(wanted,)))
    made = library.playlist(n=N_TRACKS, wishes=wishes).tracks
    assert len(made) == sum(wanted in genres for genres in heard)


def test_tempo_and_loudness(library: Library) -> None:
    tracks = library._space.tracks
    for name, field in (("tempo_bpm", "tempo_bpm"), ("integrated_loudness_lufs", "loudness_lufs")):
        values = numbers(library, tracks, name)
        middle = sorted(values)[N_TRACKS // 2]
        wishes = PlaylistWishes(filters=replace(TrackFilters(), **{field: Range(middle, None)}))
        made = library.playlist(n=N_TRACKS, wishes=wishes).tracks
        assert sorted(numbers(library, made, name)) == sorted(v for v in values if v >= middle)


def test_contradictory_filters(library: Library, music: Path) -> None:
    filters = TrackFilters(years=Range(1990, 1993), duration_s=Range(20, None), genres=("Zydeco",))
    wishes = PlaylistWishes(filters=filters)
    message = (
        r"no track is left: year 1990\.\.1993 leaves 4 of 12 .*; genre Zydeco leaves 6 of 12 "
        r"tracks; duration 20\.\. s leaves 3 of 12 tracks; together 0\. Ask for less\."
    )
    with pytest.raises(LibraryError, match=message):
        library.playlist(n=4, wishes=wishes)
    alone = library.playlist([music / "00.flac"], n=4, wishes=wishes)
    assert names(alone.tracks) == ["00"]
    assert "1 of 4 tracks: no track is left" in alone.notes[0]


# Moods, likes and dislikes


def test_a_mood_takes_what_has_most_of_it(library: Library) -> None:
    made = library.playlist(n=4, wishes=PlaylistWishes(mood=" Bright "))
    centroids = numbers(library, library._space.tracks, "spectral_centroid_hz_mean")
    found = numbers(library, made.tracks, "spectral_centroid_hz_mean")
    assert sorted(found) == sorted(centroids)[-4:]
    # Half of the library is no brighter than the rest.
    whole = library.playlist(n=N_TRACKS, wishes=PlaylistWishes(mood="bright"))
    assert len(whole.tracks) == N_TRACKS // 2
    assert "mood 'bright' leaves 6 of 12 tracks" in whole.notes[0]


def test_a_group_is_a_mood(library: Library) -> None:
    ids = [track.audio_id for track in library._space.tracks]
    members = {audio_id: int(k >= 5) for k, audio_id in enumerate(ids)}
    groups = (StoredGroup("fast, bright", "#112233"), StoredGroup("slow, dark", "#445566"))
    grouping = StoredGrouping("2026", "test", "kmeans", "x", 2, (), groups, members)
    assert write_grouping(library._catalogue, grouping)
    made = library.playlist(n=9, wishes=PlaylistWishes(mood="Fast, Bright"))
    assert sorted(names(made.tracks)) == ["00", "01", "02", "03", "04"]
    with pytest.raises(InputError, match=r"'odd' is no mood \(there are: calm, .*no group is"):
        library.playlist(n=9, wishes=PlaylistWishes(mood="odd"))


def test_an_unknown_mood_without_groups(library: Library) -> None:
    with pytest.raises(InputError, match=r"'grumpy' is no mood .* tonotope clusters"):
        library.playlist(n=2, wishes=PlaylistWishes(mood="grumpy"))


def test_what_is_nearer_to_unlike_is_left_out(library: Library, music: Path) -> None:
    like, unlike = music / "00.flac", music / "05.flac"
    made = library.playlist([like], n=N_TRACKS, wishes=PlaylistWishes(unlike=[unlike]))
    space = library._space
    to_like, to_unlike = (
        space.distances_from(space.places[space.row_of[library.similar(file).query.audio_id]])
        for file in (like, unlike)
    )
    expected = {str(k).zfill(2) for k in np.flatnonzero(to_unlike > to_like)} | {"00"}
    assert set(names(made.tracks)) == expected - {"05"}
    assert "what --unlike names leaves" in made.notes[0]
    with pytest.raises(InputError, match=r"00\.flac' is among --like and --unlike"):
        library.playlist([like], n=3, wishes=PlaylistWishes(unlike=[like]))


def test_another_encoding_of_what_is_liked_cannot_be_unlike(
    library: Library, music: Path, tmp_path: Path
) -> None:
    samples, rate_hz = soundfile.read(music / "00.flac")
    copy, seed = tmp_path / "copy.wav", music / "00.flac"
    soundfile.write(copy, samples, rate_hz)
    message = r"the recording in '.*copy\.wav' is among --like and --unlike\. Take it out"
    with pytest.raises(InputError, match=message):
        library.playlist([seed], n=3, wishes=PlaylistWishes(unlike=[copy]))
    with pytest.raises(InputError, match=message):
        library.radio([seed], unlike=[copy])


def test_novelty_prefers_other_artists_and_what_is_seldom_played(
    library: Library, music: Path, tmp_path: Path
) -> None:
    seed = music / "00.flac"
    new = library.playlist([seed], n=8, wishes=PlaylistWishes(novelty=1))
    old = library.playlist([seed], n=N_TRACKS)
    by_seed = [track.artist for track in new.tracks[1:]].count("A0")
    assert by_seed <= [track.artist for track in old.tracks[1:8]].count("A0")
    assert new.notes == []
    nothing = PlaylistWishes(filters=TrackFilters(years=Range(1900)), novelty=1)
    assert "novelty has nothing to go by" in library.playlist(n=3, wishes=nothing).notes[0]
    history = tmp_path / "plays.csv"
    lines = "".join(f"A3,T{k},{50 * k}\n" for k in (3, 7, 11))
    history.write_text(f"artist,title,plays\n{lines}")
    from tonotope.library.plays import import_plays

    import_plays(library._catalogue, history)
    fresh = library.playlist(n=8, wishes=nothing)
    assert fresh.notes == []
    assert {"A3"}.isdisjoint(track.artist for track in fresh.tracks)


# Length, spacing and order


def test_seeds_that_are_everything(library: Library, music: Path) -> None:
    every = [music / f"{k:02d}.flac" for k in range(N_TRACKS)]
    made = library.playlist(every, n=20)
    assert sorted(names(made.tracks)) == [path.stem for path in every]
    assert made.notes == ["the list is shorter than asked for, 12 of 20 tracks: no track is left."]
    two = library.playlist(every[:3], n=2)
    assert len(two.tracks) == 2
    assert two.notes == [f"left out of the seeds, as 2 tracks are full: {every[2]}"]
    again = library.playlist([every[0], every[0]], n=2)
    assert again.notes == [f"left out of the seeds, as its recording is already there: {every[0]}"]
    long = library.playlist(every[-2:], minutes=0.5)
    assert long.notes == ["the seeds alone last 0.8 of 0.5 minutes."]


def test_nothing_is_as_short_as_that(library: Library) -> None:
    message = r"no track fits into 0\.01 minutes: the shortest of those left has 5 s\."
    with pytest.raises(LibraryError, match=message):
        library.playlist(minutes=0.01, wishes=PlaylistWishes(filters=TrackFilters(years=Range(1))))


def test_gaps_hold_or_are_said_to_be_narrower(library: Library, music: Path) -> None:
    seed = music / "00.flac"
    for order, arc in (("near", None), ("flow", None), ("near", "wave")):
        wishes = PlaylistWishes(artist_gap=3, order=order, arc=arc)
        made = library.playlist([seed], n=N_TRACKS, wishes=wishes)
        assert made.notes == []
        artists = [track.artist for track in made.tracks]
        assert all(len(set(artists[k : k + 4])) == 4 for k in range(N_TRACKS - 3))
    made = library.playlist([seed], n=N_TRACKS, wishes=PlaylistWishes(artist_gap=5))
    assert made.notes == [
        "5 between two of one artist cannot be kept with these 12 tracks: there are 3."
    ]
    filters = TrackFilters(duration_s=Range(None, 4))
    alone = PlaylistWishes(filters=filters, artist_gap=4, album_gap=2)
    assert library.playlist(n=1, wishes=alone).notes == []


def test_one_artist(library: Library) -> None:
    alter(library._catalogue.path, "UPDATE tags SET artist = 'A'")
    wishes = PlaylistWishes(filters=TrackFilters(years=Range(1)))
    assert library.playlist(n=3, wishes=wishes).notes == [
        "1 between two of one artist cannot be kept with these 3 tracks: some are neighbours."
    ]


def test_an_arc_rises(library: Library, music: Path) -> None:
    up, down = (
        library.playlist([music / "00.flac"], n=N_TRACKS, wishes=PlaylistWishes(arc=arc)).tracks
        for arc in ("up", "down")
    )
    energy = numbers(library, up, "energy_estimate")
    assert np.corrcoef(np.arange(N_TRACKS), energy)[0, 1] > 0.7
    assert np.corrcoef(np.arange(N_TRACKS), numbers(library, down, "energy_estimate"))[0, 1] < -0.7


def test_a_flow_from_a_track_of_which_little_is_known(library: Library, tmp_path: Path) -> None:
    outside = write(tmp_path / "out.flac", seed=77, seconds=9)
    made = library.playlist([outside], n=4, wishes=PlaylistWishes(order="flow"))
    assert names(made.tracks)[0] == "out"
    assert len(made.tracks) == 4


@pytest.mark.parametrize(
    ("wishes", "message"),
    [({"diversity": 1.1}, r"diversity is 1\.1"), ({"novelty": float("nan")}, "novelty is nan"),
     ({"artist_gap": -1}, "artist gap is -1"), ({"album_gap": -2}, "album gap is -2"),
     ({"order": "odd"}, "no order is called 'odd'"), ({"arc": "odd"}, "no arc is called 'odd'")],
)  # fmt: skip
def test_impossible_wishes(wishes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PlaylistWishes(**wishes)


def test_nothing_to_go_by(library: Library) -> None:
    with pytest.raises(InputError, match="a track to begin with, a mood or a filter"):
        library.playlist(n=3, wishes=PlaylistWishes(diversity=0.5))


# Paths


def test_a_path(library: Library, music: Path) -> None:
    found = library.path(music / "00.flac", music / "09.flac", n=5)
    stems = names(found.tracks)
    assert (stems[0], stems[-1], len(set(stems))) == ("00", "09", len(stems))
    assert len(found.steps) == len(stems) - 1
    if len(stems) > 2:
        assert max(found.steps) < found.jump
    long = library.path(music / "00.flac", music / "09.flac", n=50)
    assert "no way of 50 tracks has only steps shorter than the jump" in long.notes[0]


def test_no_path(library: Library, music: Path, tmp_path: Path) -> None:
    seed = music / "00.flac"
    copy = shutil.copy(seed, tmp_path / "copy.flac")
    for other in (seed, copy):
        with pytest.raises(InputError, match="are one recording"):
            library.path(seed, other)
    for n in (1, 201):
        with pytest.raises(InputError, match=f"cannot have {n} tracks"):
            library.path(seed, music / "01.flac", n=n)
    with pytest.raises(TrackNotFoundError):
        library.path(seed, "none.mp3")


# Radio


def test_a_radio_plays_all_once(library: Library, music: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "out.flac", seed=78, seconds=9)
    playing = library.radio([music / "03.flac", outside], unlike=[music / "04.flac"])
    heard = [playing.next(), playing.skip()]
    playing.like()
    library.close()  # the radio goes on
    heard += iter(playing.next, None)
    assert names(heard)[0] == "03"
    assert set(names(heard)) == {f"{k:02d}" for k in range(N_TRACKS)} - {"04"} | {"out"}
    assert len(heard) == N_TRACKS == playing.n_played


def test_a_radio_keeps_artists_apart(library: Library, music: Path) -> None:
    playing = library.radio([music / "03.flac"], spacing=Spacing(1, 0))
    artists = [track.artist for track in iter(playing.next, None)]
    assert all(a != b for a, b in pairwise(artists[:8]))


def test_no_radio(library: Library, music: Path) -> None:
    with pytest.raises(InputError, match="a track to begin with"):
        library.radio([])
    with pytest.raises(InputError, match="is among --like and --unlike"):
        library.radio([music / "03.flac"], unlike=[music / "03.flac"])


# One track


def test_a_library_of_one_track(music: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    only = Path(shutil.copy(music / "01.flac", folder))
    with Library(tmp_path / "one.db") as library:
        library.scan([folder], jobs=1)
        made = library.playlist([only], n=5, wishes=PlaylistWishes(diversity=0.5, order="flow"))
        assert (names(made.tracks), len(made.notes)) == (["01"], 1)
        for arc in ("up", "wave"):
            wishes = PlaylistWishes(mood="sad", arc=arc)
            assert names(library.playlist(minutes=1, wishes=wishes).tracks) == ["01"]
        path = library.path(only, music / "02.flac")
        assert names(path.tracks) == ["01", "02"]
        assert "the jump alone" in path.notes[0]
        assert names(iter(library.radio([only]).next, None)) == ["01"]
