"""`tonotope.Library`: one small library, asked in this process."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from support.libraries import RATE_HZ, alter, write
from tonotope import Library
from tonotope.errors import DecodeError, InputError, LibraryError, PathError, TrackNotFoundError
from tonotope.features.tables import family_columns
from tonotope.library.catalogue import LibraryStatus
from tonotope.library.lock import scan_lock
from tonotope.library.summary import ScanProgress
from tonotope.session import similarity_columns
from tonotope.session.locating import listen

N_TRACKS = 9


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of tracks whose artists all differ."""
    folder = tmp_path_factory.mktemp("session") / "music"
    for k in range(N_TRACKS):
        write(folder / f"{k}.flac", seed=k, seconds=3 + 2 * k, title=f"T{k}", artist=f"A{k}")
    return folder


@pytest.fixture(scope="module")
def scanned(music: Path) -> Path:
    path = music.parent / "l.db"
    with Library(path) as library:
        library.scan([music])
    return path


@pytest.fixture
def copy(scanned: Path, tmp_path: Path) -> Path:
    """Return a library of the same files that the test may spoil."""
    return Path(shutil.copy(scanned, tmp_path / "copy.db"))


def names(tracks) -> list[str]:
    return [Path(track.path).name for track in tracks]


def neighbours(library: Path, asked: Path | str, **options) -> list[str]:
    with Library(library) as opened:
        return names(k.track for k in opened.similar(asked, **options).neighbours)


# Scanning, closing and opening


def test_a_scan_tells_how_far_it_has_come(music: Path, tmp_path: Path) -> None:
    seen: list[ScanProgress] = []
    few = tmp_path / "few"
    few.mkdir()
    for k in range(2):
        shutil.copy(music / f"{k}.flac", few)
    with Library(tmp_path / "l.db") as library:
        summary = library.scan([few], jobs=1, on_progress=seen.append)
    assert (summary.files, summary.analysed) == (2, 2)
    assert (seen[-1].n_done, seen[-1].summary.files, seen[-1].is_walking) == (2, 2, False)


def test_a_scan_is_seen_by_who_had_asked_before(music: Path, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    for k in range(2):
        shutil.copy(music / f"{k}.flac", folder)
    library = Library(tmp_path / "l.db")
    library.scan([folder])
    assert len(library.similar(folder / "0.flac").neighbours) == 1
    shutil.copy(music / "2.flac", folder)
    library.scan([folder])
    assert len(library.similar(folder / "0.flac").neighbours) == 2
    library.close()


def test_closed_it_can_be_asked_again(scanned: Path, music: Path) -> None:
    library = Library(scanned)
    first = library.similar(music / "0.flac")
    library.close()
    library.close()
    assert library.similar(music / "0.flac") == first
    assert library.status().tracks == N_TRACKS
    library.close()


# What it answers


def test_a_file_that_was_written_over_is_heard_anew(music: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(music, tmp_path / "music"))
    path = folder / "8.flac"
    with Library(tmp_path / "l.db") as library:
        library.scan([folder])
        shutil.copy(folder / "1.flac", path)
        assert library.similar(path).query.title == "T1"
        write(path, seed=100, seconds=5, title="New")
        found = library.similar(path, n=N_TRACKS)
        assert found.query.title == "New"
        # Nor is what it held before an answer.
        assert sorted(names(k.track for k in found.neighbours)) == [
            f"{k}.flac" for k in range(N_TRACKS - 1)
        ]
        # Of a file that is gone, what was heard is still known.
        old = library.similar(folder / "7.flac")
        (folder / "7.flac").unlink()
        assert library.similar(folder / "7.flac") == old


def test_a_file_that_was_only_touched_is_known_by_its_sound(
    scanned: Path, music: Path, tmp_path: Path
) -> None:
    touched = Path(shutil.copy(music / "0.flac", tmp_path))
    os.utime(touched, (0, 0))
    with Library(scanned) as library:
        assert library.similar(touched).query.path == str(music / "0.flac")


def test_seeds_outside_the_library_come_once(scanned: Path, tmp_path: Path) -> None:
    # Encoded in two ways and copied: one recording under four names.
    seeds = [
        write(tmp_path / f"out.{suffix}", seed=50, seconds=8, title="Out", artist="O")
        for suffix in ("mp3", "flac")
    ]
    seeds.insert(1, Path(shutil.copy(seeds[0], tmp_path / "out2.mp3")))
    with Library(scanned) as library:
        playlist = library.playlist([*seeds, seeds[0]], n=4).tracks
    assert names(playlist)[0] == "out.mp3"
    assert [track.title for track in playlist].count("Out") == 1
    assert len(playlist) == 4


def test_sixty_minutes_unless_told_otherwise(copy: Path, music: Path) -> None:
    alter(copy, "UPDATE tracks SET duration_s = 500 + 10 * id")
    with Library(copy) as library:
        usual = library.playlist([music / "0.flac"]).tracks
        assert usual == library.playlist([music / "0.flac"], minutes=60).tracks
    assert 3600 - 510 < sum(track.duration_s for track in usual) <= 3600


ALBUMS = {
    "a compilation": "album = 'Hits', compilation = 1",
    "an album artist's": "album = 'Hits', album_artist = 'Various Artists'",
    "a release": "album = 'Hits ' || file_id, musicbrainz_release_id = 'b1a9'",
}


@pytest.mark.parametrize("tags", ALBUMS.values(), ids=ALBUMS)
def test_one_album_whoever_plays(copy: Path, music: Path, tags: str) -> None:
    alter(copy, f"UPDATE tags SET {tags}")
    assert len(neighbours(copy, music / "0.flac")) == 2
    assert len(neighbours(copy, music / "0.flac", max_per_album=None)) == N_TRACKS - 1


def test_albums_of_one_name_are_their_artists_own(copy: Path, music: Path) -> None:
    alter(copy, "UPDATE tags SET album = 'Greatest Hits'")
    assert len(neighbours(copy, music / "0.flac")) == N_TRACKS - 1
    alter(copy, "UPDATE tags SET musicbrainz_release_id = 'r' || file_id, compilation = 1")
    assert len(neighbours(copy, music / "0.flac")) == N_TRACKS - 1


def test_a_playlist_returns_what_it_cannot_name(scanned: Path, tmp_path: Path) -> None:
    broken = write(tmp_path / "line\nbreak.flac", seed=60)
    with Library(scanned) as library:
        tracks = library.playlist([broken], n=3).tracks
        assert library.write_playlist(tmp_path / "mix.m3u8", tracks) == tracks[:1]
        with pytest.raises(InputError, match="not the name of a playlist"):
            library.write_playlist(broken, tracks)
        with pytest.raises(PathError, match="cannot write playlist"):
            library.write_playlist(tmp_path / "none" / "mix.m3u8", tracks)
    assert len((tmp_path / "mix.m3u8").read_text().splitlines()) == 1 + 2 * 2


# What it refuses


@pytest.mark.parametrize("option", ["n", "max_per_artist", "max_per_album"])
def test_counts_below_one(scanned: Path, music: Path, option: str) -> None:
    with Library(scanned) as library, pytest.raises(InputError, match="cannot return 0 tracks"):
        library.similar(music / "0.flac", **{option: 0})


@pytest.mark.parametrize(
    ("like", "options", "message"),
    [
        ([], {}, "needs a track to begin with"),
        (["x"], {"n": 3, "minutes": 3.0}, "not both"),
        (["x"], {"n": 0}, "cannot hold 0"),
        (["x"], {"minutes": -1.0}, r"cannot hold -1\.0"),
        (["x"], {"minutes": float("nan")}, "cannot hold nan"),
        (["x"], {"minutes": float("inf")}, "cannot hold inf"),
    ],
)
def test_impossible_playlists(scanned: Path, like: list[str], options, message: str) -> None:
    with Library(scanned) as library, pytest.raises(InputError, match=message):
        library.playlist(like, **options)


@pytest.mark.parametrize("name", ["nowhere.mp3", "~nosuch/x.mp3", "0" * 32])
def test_neither_a_file_nor_an_id(scanned: Path, name: str) -> None:
    with Library(scanned) as library:
        for ask in (library.similar, lambda name: library.playlist([name])):
            with pytest.raises(TrackNotFoundError, match=f"'{name}' is neither a file nor the id"):
                ask(name)


def test_files_that_give_nothing(scanned: Path, tmp_path: Path) -> None:
    import soundfile

    text, silence = tmp_path / "text.mp3", tmp_path / "silence.wav"
    text.write_text("no music")
    soundfile.write(silence, np.zeros(2 * RATE_HZ), RATE_HZ)
    with Library(scanned) as library:
        with pytest.raises(DecodeError, match=r"text\.mp3"):
            library.similar(text)
        with pytest.raises(TrackNotFoundError, match="nothing is to be heard in"):
            library.playlist([silence])


def test_the_beginning_of_two_ids(copy: Path) -> None:
    alter(copy, "UPDATE tracks SET audio_id = 'abcdef12' || substr(audio_id, 9) WHERE id < 3")
    with (
        Library(copy) as library,
        pytest.raises(TrackNotFoundError, match="'ABCDEF12' is the beginning of more than one"),
    ):
        library.similar("ABCDEF12")


def test_a_library_of_another_version(copy: Path, music: Path) -> None:
    alter(copy, "UPDATE family_rows SET version = 0 WHERE family = 'timbre' AND track_id < 3")
    alter(copy, "DELETE FROM family_rows WHERE family = 'rhythm' AND track_id = 2")
    alter(copy, "UPDATE tracks SET model_id = 'old' WHERE id = 4")
    with Library(copy) as library:
        assert library.status().out_of_date == 3
        assert len(library.similar(music / "8.flac", n=N_TRACKS).neighbours) == N_TRACKS - 4
    alter(copy, "UPDATE family_rows SET version = 0")
    message = r"was made by another version of Tonotope\. Scan its folders again\."
    with Library(copy) as library, pytest.raises(LibraryError, match=message):
        library.similar(music / "0.flac")


def test_only_what_this_version_made_is_compared(copy: Path, music: Path) -> None:
    alter(copy, "UPDATE family_rows SET version = 0 WHERE family = 'level' AND track_id = 2")
    with Library(copy) as library:
        assert library.status().out_of_date == 1
        assert len(library.similar(music / "0.flac").neighbours) == N_TRACKS - 2
    alter(copy, "UPDATE family_rows SET version = 0 WHERE family = 'level'")
    with Library(copy) as library, pytest.raises(LibraryError, match="by another version"):
        library.similar(music / "0.flac")


def test_a_track_without_a_key_or_a_loudness_is_compared_by_the_rest(
    copy: Path, music: Path
) -> None:
    with closing(sqlite3.connect(copy)) as connection, connection:
        for family, column in (("level", "loudness_range_lu"), ("harmony", "key_is_major")):
            start = 4 * family_columns(family).index(column)
            connection.execute(
                "UPDATE family_rows SET numbers = CAST(substr(numbers, 1, ?) || x'0000c07f' ||"
                " substr(numbers, ?) AS BLOB) WHERE track_id < 4 AND family = ?",
                (start, start + 5, family),
            )
    with Library(copy) as library:
        found = library.similar(music / "0.flac", n=N_TRACKS)
        places = library._space.places
    assert len(found.neighbours) == N_TRACKS - 1
    assert np.isfinite(places).all()


def test_a_track_heard_on_the_spot_lies_where_the_library_has_it(
    scanned: Path, music: Path
) -> None:
    # The same numbers, picked from the rows in the library and from an analysis. Workers have one
    # BLAS thread each, this process may have more, which sum in another order.
    with Library(scanned) as library:
        track, place = listen(library._space, str(music / "3.flac"))
        row = library._space.row_of[track.audio_id]
        assert np.linalg.norm(place - library._space.places[row]) < 1e-3


def test_what_tracks_are_compared_by() -> None:
    columns = similarity_columns()
    assert len(columns.names) == len(set(columns.names)) == 299
    assert columns.families == ("timbre", "harmony", "rhythm", "level")
    assert {
        name for name, sure in zip(columns.names, columns.is_sure, strict=True) if not sure
    } == {
        "key_is_major",
        "integrated_loudness_lufs",
        "loudness_range_lu",
        "dynamic_complexity_db",
    }


# Its state


def test_status(scanned: Path) -> None:
    with Library(scanned) as library:
        status = library.status()
    assert isinstance(status, LibraryStatus)
    assert (status.files, status.tracks, status.out_of_date) == (N_TRACKS, N_TRACKS, 0)
    assert status.last_scan_outcome == "finished"


def test_a_scan_runs_only_while_somebody_is_at_it(copy: Path) -> None:
    alter(copy, "UPDATE scans SET outcome = 'running'")
    with Library(copy) as library:
        assert library.status().last_scan_outcome == "killed"
        with scan_lock(copy):
            assert library.status().last_scan_outcome == "running"
        assert library.status().last_scan_outcome == "killed"


def test_a_damaged_library_says_so(copy: Path, music: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'tracks'"
        ).fetchone()
    with copy.open("r+b") as file:
        file.seek((root - 1) * page_size)
        file.write(b"\xa5" * page_size)
    message = r"copy\.db' is damaged: .*\. Move it away and scan again\.$"
    for ask in (
        Library.status,
        lambda library: library.similar(music / "0.flac"),
        lambda library: library.similar("0" * 8),
        lambda library: library.playlist([music / "0.flac"]),
    ):
        with Library(copy) as library, pytest.raises(LibraryError, match=message):
            ask(library)


@pytest.mark.parametrize(
    "change",
    [
        "family_rows SET numbers = substr(numbers, 1, 40) WHERE track_id = 2",
        "tracks SET embedding = x'00' WHERE id = 2",
        "tracks SET embedding = x'' WHERE 1",
        "tracks SET embedding = x'000000' WHERE 1",
        "tracks SET embedding = CAST(substr(embedding, 5) || x'0000c07f' AS BLOB) WHERE id = 2",
        "family_rows SET numbers = CAST(x'0000c07f' || substr(numbers, 5) AS BLOB)"
        " WHERE track_id = 2 AND family = 'timbre'",
    ],
)
def test_vectors_that_cannot_be_are_damage(copy: Path, music: Path, change: str) -> None:
    alter(copy, f"UPDATE {change}")
    with Library(copy) as library, pytest.raises(LibraryError, match="is damaged: vectors"):
        library.similar(music / "0.flac")


def test_genres_that_cannot_be_are_damage(copy: Path) -> None:
    alter(copy, "UPDATE tracks SET window_probabilities = x'00000000' WHERE id = 2")
    with Library(copy) as library, pytest.raises(LibraryError, match="is damaged: genres"):
        library.status()
