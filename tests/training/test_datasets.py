"""What holds for every data set, on a small tree of files laid out as its publisher does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from support.datasets import ballroom, extended_ballroom, fma, folders, gtzan
from tonotope.errors import InputError, PathError
from tonotope.training.clips import PARTS
from tonotope.training.datasets import DATASETS, ClipList, DataSet, dataset

# What makes a small tree of each data set, and the labels in it.
TREES: Mapping[str, tuple[Callable[[Path], Path], set[str]]] = {
    "gtzan": (gtzan, {"blues", "jazz", "rock"}),
    "fma-small": (lambda root: fma(root, "small"), {"Rock", "Hip-Hop"}),
    "fma-medium": (lambda root: fma(root, "medium"), {"Rock", "Hip-Hop"}),
    "fma-large": (lambda root: fma(root, "large"), {"Rock", "Hip-Hop", ""}),
    "fma-full": (lambda root: fma(root, "full"), {"Rock", "Hip-Hop", ""}),
    "ballroom": (ballroom, {"ChaChaCha", "Rumba", "Samba"}),
    "extended-ballroom": (extended_ballroom, {"Chacha", "Wcswing"}),
    "folders": (folders, {"noise", "tones"}),
}


@pytest.fixture(params=DATASETS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def found(name: str, tmp_path: Path) -> ClipList:
    make, _ = TREES[name]
    return dataset(name).clips(make(tmp_path / "root"))


def test_every_clip_has_a_name_of_its_own_a_known_label_and_a_part(
    name: str, found: ClipList
) -> None:
    names = [clip.name for clip in found.clips]
    assert names
    assert len(set(names)) == len(names)
    assert {clip.genre for clip in found.clips} == TREES[name][1]
    assert {clip.split for clip in found.clips} <= {*PARTS, ""}


def test_every_path_is_absolute_and_there(found: ClipList) -> None:
    for clip in found.clips:
        assert Path(clip.path).is_absolute()
        assert Path(clip.path).is_file()
    paths = [clip.path for clip in found.clips]
    assert len(set(paths)) == len(paths)


def test_clips_come_in_the_order_of_their_names_each_time(
    name: str, found: ClipList, tmp_path: Path
) -> None:
    names = [clip.name for clip in found.clips]
    assert names == sorted(names)
    assert dataset(name).clips(tmp_path / "root") == found


def test_a_relative_root_gives_absolute_paths(
    name: str, found: ClipList, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert dataset(name).clips(Path("root")).clips == found.clips


def test_problems_are_one_line_each(name: str, found: ClipList) -> None:
    # A tree of a few files is far from complete, which is to be said and no reason to stop.
    assert found.problems or name == "folders"
    for problem in found.problems:
        assert problem.strip()
        assert len(problem.splitlines()) == 1


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "a file", "other files"])
def test_a_root_without_the_data_set_is_an_error_that_says_what_is_expected(
    name: str, there: str, tmp_path: Path
) -> None:
    root = tmp_path / "elsewhere"
    if there == "a file":
        root.write_text("no folder")
    elif there != "nothing":
        root.mkdir()
    if there == "other files":
        (root / "notes").mkdir()
        (root / "notes" / "read me.txt").write_text("nothing to hear")
    with pytest.raises(PathError) as caught:
        dataset(name).clips(root)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert str(root) in message
    assert "Expected: " in message or "fma_metadata" in message


def test_every_data_set_says_what_it_is(name: str) -> None:
    found: DataSet = DATASETS[name]
    assert found.name == name
    for text in (found.title, found.licence, found.layout):
        assert text
        assert len(text.splitlines()) == 1
    assert name == "folders" or (found.citation and found.url and found.n_clips)


def test_every_data_set_is_documented(name: str) -> None:
    page = Path(__file__).parents[2] / "docs" / "datasets.md"
    assert f"`{name}`" in page.read_text("utf-8")


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="no data set is called 'gtzen'") as caught:
        dataset("gtzen")
    assert all(name in str(caught.value) for name in DATASETS)


def test_data_sets_need_no_torch() -> None:
    code = "import sys, tonotope.training.datasets; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
