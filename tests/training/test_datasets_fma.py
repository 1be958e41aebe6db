"""FMA: tables with several header rows, sizes in sizes, broken clips, genres and features."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from support.datasets import FMA_TRACKS, fma, fma_features
from tonotope.errors import PathError
from tonotope.features.tables import table_columns
from tonotope.training.clips import Clip
from tonotope.training.datasets import dataset
from tonotope.training.datasets.fma import Fma, features, genre_tree


def by_name(size: str, root: Path) -> dict[str, Clip]:
    return {clip.name: clip for clip in dataset(f"fma-{size}").clips(root).clips}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8-sig")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_labels_parts_artists_and_titles_are_those_of_the_tables(tmp_path: Path) -> None:
    clips = by_name("small", fma(tmp_path, "small"))
    first = clips["000002"]
    assert (first.genre, first.genres, first.split) == ("Hip-Hop", ("Hip-Hop",), "train")
    assert (first.artist, first.title) == ("AWOL", 'Food, "raw"?again')
    second = clips["000005"]
    assert (second.genre, second.genres, second.split) == ("Rock", ("Punk", "Rock"), "valid")
    assert clips["098565"].flags == ("shorter than 30 s",)


def test_larger_sizes_contain_the_smaller_ones(tmp_path: Path) -> None:
    found = {size: set(by_name(size, fma(tmp_path / size, size))) for size in ("small", "medium")}
    assert found["small"] == {"000002", "000005", "098565"}
    assert found["medium"] == {*found["small"], "000140"}
    assert set(by_name("large", fma(tmp_path / "large", "large"))) == {*found["medium"], "000134"}


def test_the_archive_of_a_larger_size_serves_a_smaller_one(tmp_path: Path) -> None:
    assert set(by_name("small", fma(tmp_path, "large"))) == {"000002", "000005", "098565"}


def test_whole_tracks_do_not_stand_in_for_clips(tmp_path: Path) -> None:
    with pytest.raises(PathError, match="no audio file"):
        dataset("fma-small").clips(fma(tmp_path, "full"))


def test_the_root_may_be_the_folder_of_the_audio(tmp_path: Path) -> None:
    root = fma(tmp_path, "small")
    assert by_name("small", root / "fma_small") == by_name("small", root)


def test_clips_without_sound_are_left_out_of_the_clips_alone(tmp_path: Path) -> None:
    found = dataset("fma-small").clips(fma(tmp_path, "small"))
    assert "099134" not in {clip.name for clip in found.clips}
    assert any(p.startswith("1 clips are known to hold no sound") for p in found.problems)
    assert any("099134" in problem for problem in found.problems)
    assert "099134" in {clip.name for clip in Fma("small").tracks_of(tmp_path).clips}


def test_whole_tracks_are_not_broken(tmp_path: Path) -> None:
    clips = by_name("full", fma(tmp_path, "full"))
    assert "099134" in clips
    assert clips["098565"].flags == ()


def test_missing_audio_and_missing_rows_are_counted(tmp_path: Path) -> None:
    problems = dataset("fma-small").clips(fma(tmp_path, "small")).problems
    assert "1 of 5 audio files is missing: 000141" in problems
    assert "tracks.csv has 5 of 8000 tracks of FMA small" in problems


def test_tracks_without_a_root_genre_have_all_others(tmp_path: Path) -> None:
    found = dataset("fma-large").clips(fma(tmp_path, "large"))
    (clip,) = [clip for clip in found.clips if not clip.genre]
    assert (clip.name, clip.genres) == ("000134", ("Hip-Hop", "Rock"))
    assert any(
        problem.startswith("1 of 7 tracks have genres of several") for problem in found.problems
    )


def test_two_artists_of_one_name_are_two(tmp_path: Path) -> None:
    clips = by_name("large", fma(tmp_path, "large"))
    assert (clips["000002"].artist, clips["000134"].artist) == ("AWOL (1)", "AWOL (3)")
    assert clips["000005"].artist == "The Ones"


def test_genres_are_a_tree(tmp_path: Path) -> None:
    tree = genre_tree(fma(tmp_path, "small"))
    assert (tree[25].title, tree[25].parent, tree[25].top_level) == ("Punk", 12, 12)
    assert [genre.title for genre in tree.values() if not genre.parent] == ["Rock", "Hip-Hop"]


@pytest.mark.parametrize(
    ("table", "old", "new", "reason"),
    [
        ("genres.csv", "25,9261,12,Punk,12", "25,9261,13,Punk,12", "genre 25 is under one that is"),
        ("genres.csv", "25,9261,12", "25,9261,twelve", "invalid literal"),
        ("genres.csv", "genre_id", "id", "no column 'genre_id'"),
        ("tracks.csv", "genres_all", "genres_most", "lacks a column"),
        ("tracks.csv", "[21]", "[21", "wrong list of genres"),
        ("tracks.csv", ",The Ones,", ",The Ones,,", "has 11 cells"),
    ],
)
def test_a_broken_table_is_an_error_that_names_it(
    table: str, old: str, new: str, reason: str, tmp_path: Path
) -> None:
    path = fma(tmp_path, "small") / "fma_metadata" / table
    edit(path, old, new)
    with pytest.raises(PathError, match=reason) as caught:
        dataset("fma-small").clips(tmp_path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"\xff\xfe nothing", b"track_id,a\n"])
def test_a_table_of_something_else_is_an_error(content: bytes, tmp_path: Path) -> None:
    path = fma(tmp_path, "small") / "fma_metadata" / "tracks.csv"
    path.write_bytes(content)
    with pytest.raises(PathError, match=r"tracks\.csv"):
        dataset("fma-small").clips(tmp_path)


def test_long_fields_stay_refused_elsewhere(tmp_path: Path) -> None:
    before = csv.field_size_limit(1000)
    try:
        by_name("small", fma(tmp_path, "small"))
        assert csv.field_size_limit() == 1000
    finally:
        csv.field_size_limit(before)


def test_features_have_tonotopes_columns(tmp_path: Path) -> None:
    root = fma(tmp_path, "small")
    fma_features(root, [2, 5, 98565])
    names, columns, numbers = features(root)
    assert names == ("000002", "000005", "098565")
    assert columns == table_columns("fma518")
    assert (numbers.shape, numbers.dtype) == ((3, 518), np.float32)
    np.testing.assert_array_equal(numbers[1], 5 + np.arange(518) / 2)


def test_features_in_another_order_are_put_in_order(tmp_path: Path) -> None:
    root = fma(tmp_path, "small")
    fma_features(root, [2], list(table_columns("fma518"))[::-1])
    np.testing.assert_array_equal(features(root)[2][0], 2 + np.arange(518)[::-1] / 2)


def test_other_features_are_refused(tmp_path: Path) -> None:
    root = fma(tmp_path, "small")
    fma_features(root, [2], list(table_columns("fma518"))[:-1])
    with pytest.raises(PathError, match="lacks 1 columns, such as zcr_std_01"):
        features(root)
    edit(root / "fma_metadata" / "features.csv", "zcr", "rcz")
    with pytest.raises(PathError, match="lacks 7 columns"):
        features(root)


def test_features_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    root = fma(tmp_path, "small")
    fma_features(root, [2])
    edit(root / "fma_metadata" / "features.csv", ",2.5,", ",loud,")
    with pytest.raises(PathError, match="track 2: could not convert string to float: 'loud'"):
        features(root)


def test_every_track_of_a_size_has_its_row_of_features(tmp_path: Path) -> None:
    root = fma(tmp_path, "small")
    fma_features(root, [track for track, *_ in FMA_TRACKS])
    rows = set(features(root)[0])
    assert {clip.name for clip in Fma("large").tracks_of(root).clips} == rows
