"""GTZAN: its layouts, its broken file, and the index that comes with Tonotope."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path

import pytest

from support.datasets import gtzan, touch
from support.libraries import write
from tonotope.errors import PathError
from tonotope.training.datasets import dataset
from tonotope.training.datasets.gtzan import GENRES, gtzan_index

LAYOUTS = ("", "genres", "genres_original", "Data/genres_original", "gtzan")


@pytest.mark.parametrize("suffix", [".wav", ".au"])
@pytest.mark.parametrize("is_flat", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_clips_are_found_in_every_layout(
    layout: str, is_flat: bool, suffix: str, tmp_path: Path
) -> None:
    folder = tmp_path / layout
    for name in ("metal.00001", "pop.00099"):
        touch(folder / ("" if is_flat else name.partition(".")[0]) / f"{name}{suffix}")
    found = dataset("gtzan").clips(tmp_path)
    assert [(clip.name, clip.genre) for clip in found.clips] == [
        ("metal.00001", "metal"),
        ("pop.00099", "pop"),
    ]
    assert all(clip.path.endswith(suffix) for clip in found.clips)


def test_what_is_missing_is_counted(tmp_path: Path) -> None:
    (problem,) = [p for p in dataset("gtzan").clips(gtzan(tmp_path)).problems if "missing" in p]
    assert problem.startswith("995 of 1000 clips are missing: blues.00001, blues.00002, ")


def test_a_broken_file_is_a_problem_and_no_error(tmp_path: Path) -> None:
    found = dataset("gtzan").clips(gtzan(tmp_path))
    assert "jazz.00054" not in {clip.name for clip in found.clips}
    (problem,) = [p for p in found.problems if "jazz.00054" in p]
    assert "known to be broken" in problem


def test_a_whole_file_of_that_name_is_taken(tmp_path: Path) -> None:
    write(gtzan(tmp_path) / "genres" / "jazz" / "jazz.00054.wav", 1, 0.1)
    found = dataset("gtzan").clips(tmp_path)
    assert "jazz.00054" in {clip.name for clip in found.clips}
    assert not any("broken" in problem for problem in found.problems)


def test_only_the_broken_file_is_as_good_as_nothing(tmp_path: Path) -> None:
    touch(tmp_path / "jazz" / "jazz.00054.wav")
    found = dataset("gtzan").clips(tmp_path)
    assert found.clips == ()
    assert any("known to be broken" in problem for problem in found.problems)


def test_files_of_other_names_and_doubles_are_problems(tmp_path: Path) -> None:
    root = gtzan(tmp_path)
    touch(root / "genres" / "blues" / "blues.00100.wav")
    touch(root / "genres" / "blues" / "blues.00000.au")
    touch(root / "genres" / "blues" / "._blues.00001.wav")  # what a Mac puts into archives
    found = dataset("gtzan").clips(root)
    assert [clip.name for clip in found.clips].count("blues.00000") == 1
    assert len([p for p in found.problems if "blues.00100.wav' is left out" in p]) == 1
    assert len([p for p in found.problems if "has the same name" in p]) == 1
    assert "blues.00001" not in {clip.name for clip in found.clips}


def test_a_folder_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    root = gtzan(tmp_path)
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(PathError, match="Permission denied"):
        dataset("gtzan").clips(root)


def test_the_index_has_each_clip_once_and_the_split_as_published() -> None:
    index = gtzan_index()
    assert sorted(index) == [f"{genre}.{n:05d}" for genre in GENRES for n in range(100)]
    assert Counter(clip.split for clip in index.values()) == {
        "train": 443,
        "valid": 197,
        "test": 290,
        "": 70,
    }


def test_no_artist_and_no_recording_is_in_two_parts() -> None:
    for attribute in ("artist", "recording"):
        parts: dict[str, set[str]] = {}
        for clip in gtzan_index().values():
            key = getattr(clip, attribute).casefold()
            if key and clip.split:
                parts.setdefault(key, set()).add(clip.split)
        assert parts
        assert all(len(found) == 1 for found in parts.values())


def test_exact_repetitions_are_as_many_as_sturm_counts() -> None:
    # "50 exact replicas (including one that is in two classes)", MIRUM 2012.
    groups: dict[str, list[str]] = {}
    for clip in gtzan_index().values():
        if clip.recording:
            groups.setdefault(clip.recording, []).append(clip.name)
    assert sum(len(names) - 1 for names in groups.values()) == 50
    assert groups["metal.00058"] == ["metal.00058", "rock.00016"]
    for first, names in groups.items():
        assert first in names
        for name in names:
            (flag,) = [f for f in gtzan_index()[name].flags if f.startswith("repeats ")]
            others = set(flag.removeprefix("repeats ").split(" and "))
            assert others == set(names) - {name}


def test_a_repetition_is_the_same_music_by_the_index_too() -> None:
    index = gtzan_index()
    # Two misprints in Sturm's index; all others agree to the letter.
    misprinted = {"jazz.00071", "metal.00042", "metal.00063"}
    for clip in index.values():
        if clip.recording and not {clip.name, clip.recording} & misprinted:
            first = index[clip.recording]
            assert (clip.artist.casefold(), clip.title) == (first.artist.casefold(), first.title)


def test_what_is_in_no_part_says_why() -> None:
    for clip in gtzan_index().values():
        assert clip.split or clip.flags


@pytest.mark.data
def test_the_index_agrees_with_the_cache(data_dir: Path) -> None:
    with (data_dir / "gtzan-mel" / "clips.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    index = gtzan_index()
    for row in rows:
        clip = index[row["clip"]]
        assert (clip.genre, clip.split) == (row["genre"], row["split"])
        assert (clip.artist, clip.title) == (row["artist"], row["title"])
    # All of train and valid but the one that could not be decoded.
    inside = {name for name, clip in index.items() if clip.split in {"train", "valid"}}
    assert inside - {row["clip"] for row in rows} == {"jazz.00054"}


@pytest.mark.data
def test_a_real_file_in_its_place_decodes(music_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "jazz").mkdir()
    shutil.copy(music_dir / "freepd" / "Backbeat.mp3", tmp_path / "jazz" / "jazz.00054.mp3")
    assert [clip.name for clip in dataset("gtzan").clips(tmp_path).clips] == ["jazz.00054"]
