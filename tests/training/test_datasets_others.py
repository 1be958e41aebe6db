"""Ballroom and its extension, folders of folders, and a library's own tags."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.datasets import EXTENDED_XML, ballroom, extended_ballroom, folders, touch
from support.libraries import alter, write
from tonotope import Library
from tonotope.errors import InputError, LibraryError, PathError
from tonotope.training.clips import Clip
from tonotope.training.datasets import ClipList, dataset, library_clips


def by_name(found: ClipList) -> dict[str, Clip]:
    return {clip.name: clip for clip in found.clips}


# Ballroom


def test_rumbas_are_one_label_and_replicas_one_recording(tmp_path: Path) -> None:
    clips = by_name(dataset("ballroom").clips(ballroom(tmp_path)))
    assert {clips["Media-103601"].genre, clips["Media-103913"].genre} == {"Rumba"}
    one, other = clips["Albums-Fire-08"], clips["Albums-Fire-09"]
    assert (one.genre, other.genre) == ("ChaChaCha", "Samba")
    assert one.recording == other.recording == "Albums-Fire-08"
    assert one.flags == ("repeats Albums-Fire-09",)
    assert clips["Media-103601"].recording == ""


def test_ballroom_without_its_outer_folder(tmp_path: Path) -> None:
    inner = dataset("ballroom").clips(ballroom(tmp_path) / "BallroomData")
    assert inner == dataset("ballroom").clips(tmp_path)


def test_missing_clips_of_ballroom_are_counted_by_its_list_or_its_number(tmp_path: Path) -> None:
    top = ballroom(tmp_path) / "BallroomData"
    assert dataset("ballroom").clips(tmp_path).problems == ("694 of 698 clips are missing",)
    (top / "allBallroomFiles").write_text("./Samba/Albums-Fire-09.wav\n./Jive/Media-1.wav\n\n")
    assert dataset("ballroom").clips(tmp_path).problems == ("1 of 2 clips is missing: Media-1",)


# Extended Ballroom


def test_artists_titles_and_replicas_come_from_the_xml_file(tmp_path: Path) -> None:
    found = dataset("extended-ballroom").clips(extended_ballroom(tmp_path))
    clips = by_name(found)
    assert (clips["100701"].artist, clips["100701"].title) == ("A Band", "First")
    # Exact and karaoke replicas are one recording, however they hang together; versions are not.
    assert {clips[f"10070{k}"].recording for k in (1, 2, 3)} == {"100701"}
    assert clips["100702"].flags == ("repeats 100701 (exact)",)
    assert clips["100703"].flags == ("repeats 100702 (karaoke)",)
    assert (clips["100801"].recording, clips["100801"].flags) == (
        "",
        ("another version of 100701",),
    )
    assert found.problems == ("1 of 5 clips is missing: 100704",)


def test_recordings_are_the_same_whatever_the_order_of_the_songs(tmp_path: Path) -> None:
    xml = extended_ballroom(tmp_path) / "extendedballroom_v1.1.xml"
    forwards = dataset("extended-ballroom").clips(tmp_path)
    lines = EXTENDED_XML.splitlines()
    xml.write_text("\n".join((*lines[:2], *reversed(lines[2:6]), *lines[6:])))
    assert dataset("extended-ballroom").clips(tmp_path) == forwards


def test_without_the_xml_file_there_are_clips_and_a_problem(tmp_path: Path) -> None:
    (extended_ballroom(tmp_path) / "extendedballroom_v1.1.xml").unlink()
    found = dataset("extended-ballroom").clips(tmp_path)
    assert len(found.clips) == 4
    assert ["artists, titles and replicas are unknown" in p for p in found.problems] == [True]


def test_a_broken_xml_file_is_an_error(tmp_path: Path) -> None:
    (extended_ballroom(tmp_path) / "extendedballroom_v1.1.xml").write_text("<extended")
    with pytest.raises(PathError, match=r"extendedballroom_v1\.1\.xml.*Unpack"):
        dataset("extended-ballroom").clips(tmp_path)


# Folders


def test_labels_are_top_folders_and_artists_are_in_the_tags(tmp_path: Path) -> None:
    clips = by_name(dataset("folders").clips(folders(tmp_path)))
    assert {name: clip.genre for name, clip in clips.items()} == {
        "noise/b.wav": "noise",
        "tones/b.flac": "tones",
        "tones/deeper/a.ogg": "tones",
    }
    assert (clips["tones/b.flac"].artist, clips["tones/b.flac"].title) == ("Tone Band", "Hum")
    assert {clip.split for clip in clips.values()} == {""}


def test_folders_called_as_parts_and_no_others_are_a_split(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        write(tmp_path / part / "tones" / "a.wav", 1, 0.1)
    clips = by_name(dataset("folders").clips(tmp_path))
    assert {(clip.split, clip.genre) for clip in clips.values()} == {
        (part, "tones") for part in ("train", "valid", "test")
    }
    write(tmp_path / "spare" / "tones" / "a.wav", 1, 0.1)
    clips = by_name(dataset("folders").clips(tmp_path))
    assert {(clip.split, clip.genre) for clip in clips.values()} == {
        ("", label) for label in ("train", "valid", "test", "spare")
    }


def test_two_of_the_parts_are_no_split(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write(tmp_path / part / "tones" / "a.wav", 1, 0.1)
    clips = dataset("folders").clips(tmp_path).clips
    assert [(clip.split, clip.genre) for clip in clips] == [("", "test"), ("", "train")]


def test_files_without_a_folder_have_no_label(tmp_path: Path) -> None:
    touch(folders(tmp_path) / "loose.mp3")
    found = dataset("folders").clips(tmp_path)
    assert len(found.clips) == 3
    (problem,) = found.problems
    assert problem.startswith("1 audio file directly in ")


def test_hidden_files_and_other_files_are_no_clips(tmp_path: Path) -> None:
    root = folders(tmp_path)
    touch(root / "tones" / "._b.flac")
    touch(root / "tones" / "cover.jpg")
    touch(root / ".cache" / "x.mp3")
    assert len(dataset("folders").clips(root).clips) == 3


def test_names_that_are_no_text_can_be_written_anywhere(tmp_path: Path) -> None:
    path = os.fsencode(folders(tmp_path) / "tones") + b"/\xe9\n.mp3"
    try:
        Path(os.fsdecode(path)).write_bytes(b"sound")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    clips = dataset("folders").clips(tmp_path).clips
    (clip,) = [clip for clip in clips if "udce9" in clip.name]
    clip.name.encode("utf-8")
    assert len(clip.name.splitlines()) == 1
    assert Path(clip.path).is_file()


# A library


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("music")
    write(root / "a.flac", 1, 1.0, genre="Dub", artist="One", title="A", album="Both")
    write(root / "b.flac", 2, 1.0, genre="dub ", albumartist="Two", title="B", album="Both")
    write(root / "c.flac", 3, 1.0, genre="Dub", artist="One", title="C")
    write(root / "d.flac", 4, 1.0, title="D")
    write(root / "e.flac", 1, 1.0, genre="Ska", artist="One", title="A again")  # sounds like a
    return root


@pytest.fixture
def library(music: Path, tmp_path: Path, scanned: bytes) -> Path:
    path = tmp_path / "library.db"
    path.write_bytes(scanned)
    return path


@pytest.fixture(scope="module")
def scanned(music: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("scanned") / "library.db"
    with Library(path) as opened:
        opened.scan([music], jobs=1)
    alter(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


def test_tracks_are_labelled_by_their_genre(library: Path, music: Path) -> None:
    found = library_clips(library)
    assert [(clip.name, clip.genre, clip.artist, clip.title) for clip in found.clips] == [
        (str(music / "a.flac"), "Dub", "One", "A"),
        (str(music / "b.flac"), "Dub", "Two", "B"),
        (str(music / "c.flac"), "Dub", "One", "C"),
    ]
    assert len({clip.recording for clip in found.clips}) == 3
    assert all(len(clip.recording) == 32 for clip in found.clips)
    assert found.problems == ("1 of 4 tracks have no genre and are left out",)


def test_other_tags_can_be_the_label(library: Path) -> None:
    assert [clip.genre for clip in library_clips(library, "album").clips] == ["Both", "Both"]
    assert {clip.genre for clip in library_clips(library, "artist").clips} == {"One"}
    with pytest.raises(InputError, match=r"cannot label by 'mood'. There are: genre, artist"):
        library_clips(library, "mood")


def test_a_file_that_went_away_is_a_problem(library: Path, music: Path, tmp_path: Path) -> None:
    alter(library, f"UPDATE files SET path = '{tmp_path}/c.flac' WHERE path LIKE '%c.flac'")
    found = library_clips(library)
    assert [Path(clip.path).name for clip in found.clips] == ["a.flac", "b.flac"]
    assert sum("is not there any more" in problem for problem in found.problems) == 1
    assert "1 of 4 tracks have no genre and are left out" in found.problems


def test_a_library_without_the_tag_says_so(library: Path) -> None:
    alter(library, "UPDATE tags SET genre = '  '")
    with pytest.raises(LibraryError, match="has a file and a tag 'genre'"):
        library_clips(library)


def test_no_library_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="no library at"):
        library_clips(tmp_path / "none.db")
