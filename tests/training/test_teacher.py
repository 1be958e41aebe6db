from pathlib import Path

import numpy as np
import pytest
import torch

from tonotope.errors import PathError
from tonotope.training.clips import Clip
from tonotope.training.teacher import read_teacher

CLIPS = [Clip(name, "genre") for name in ("a", "b", "c", "d")]


def write(path: Path, clip: list[str], tags: np.ndarray) -> Path:
    np.savez(path, clip=np.array(clip), tags=tags.astype(np.float32))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    # a: the first tag in its first half, the second in its second half; b the other way round.
    first, second = [0.9, 0.1], [0.1, 0.9]
    tags = [first, first, second, second, second, second, first, first]
    return write(tmp_path / "tags.npz", [*"aaaabbbb"], np.array(tags))


def test_targets_are_those_of_the_stretch(path: Path) -> None:
    teacher = read_teacher(path, CLIPS, np.array([0, 1]))
    assert teacher.n_tags == 2
    rows = torch.tensor([0, 0, 0, 1])
    start, stop = torch.tensor([0.0, 0.5, 0.0, 0.0]), torch.tensor([0.5, 1.0, 1.0, 0.5])
    targets, known = teacher.targets(rows, start, stop)
    # Standardised over the training part: as often said as not, so +1 and -1.
    expected = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [0.0, 0.0], [-1.0, 1.0]])
    assert torch.allclose(targets, expected, atol=1e-5)
    assert known.tolist() == [True, True, True, True]


def test_targets_at_places(path: Path) -> None:
    teacher = read_teacher(path, CLIPS, np.array([0, 1]))
    # Four windows of a tenth of the clip each: their centres are at 0.05, 0.35, 0.65 and 0.95.
    places = torch.tensor([[0.0, 0.05, 0.35, 0.5, 0.65, 1.0], [0.05, 0.2, 0.35, 0.425, 0.65, 0.95]])
    targets, known = teacher.targets_at(torch.tensor([0, 1]), places)
    assert targets.shape == (2, 6, 2)
    assert targets[0, :, 0] == pytest.approx([1, 1, 1, 0, -1, -1], abs=1e-5)
    assert targets[1, :, 0] == pytest.approx([-1, -1, -1, -0.5, 1, 1], abs=1e-5)
    assert torch.allclose(targets[..., 0], -targets[..., 1])
    assert known.tolist() == [True, True]


def test_of_one_window_it_is_the_same_everywhere(tmp_path: Path) -> None:
    teacher = read_teacher(
        write(tmp_path / "t.npz", ["a", "b"], np.array([[0.9], [0.1]])), CLIPS, np.array([0, 1])
    )
    targets, _ = teacher.targets_at(torch.tensor([0, 1]), torch.tensor([[0.0, 1.0], [0.2, 0.7]]))
    assert targets[..., 0].tolist() == [[1, 1], [-1, -1]]


def test_no_other_part_is_taken_from_the_file(path: Path) -> None:
    teacher = read_teacher(path, CLIPS, np.array([0, 2]))
    rows = torch.tensor([0, 1, 2])
    targets, known = teacher.targets(rows, torch.zeros(3), torch.full((3,), 0.5))
    assert known.tolist() == [True, False, False]
    assert (targets[1:] == 0).all()


def test_clips_of_fewer_windows_are_spread(tmp_path: Path) -> None:
    tags = np.array([[0.9], [0.9], [0.1], [0.1], [0.9], [0.1]])
    teacher = read_teacher(write(tmp_path / "t.npz", [*"aaaabb"], tags), CLIPS, np.array([0, 1]))
    rows = torch.tensor([0, 1])
    targets, _ = teacher.targets(rows, torch.zeros(2), torch.full((2,), 0.5))
    assert torch.allclose(targets[0], targets[1])


def test_unusable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(PathError, match="heard none of the 1 training clips"):
        read_teacher(write(tmp_path / "a.npz", ["x"], np.ones((1, 3))), CLIPS, np.array([0]))
    with pytest.raises(PathError, match=r"clip has shape \(2,\) and tags \(1, 3\)"):
        read_teacher(write(tmp_path / "b.npz", ["a", "b"], np.ones((1, 3))), CLIPS, np.array([0]))
    with pytest.raises(PathError, match="no numbers"):
        path = write(tmp_path / "n.npz", ["a", "b"], np.array([[0.5], [np.nan]]))
        read_teacher(path, CLIPS, np.array([0]))
    whole = (tmp_path / "a.npz").read_bytes()
    np.save(tmp_path / "array.npy", np.ones(3))
    array = (tmp_path / "array.npy").read_bytes()
    for content in (b"PK", b"", whole[:100], whole[:-30], array):
        (tmp_path / "c.npz").write_bytes(content)
        with pytest.raises(PathError, match="cannot read teacher"):
            read_teacher(tmp_path / "c.npz", CLIPS, np.array([0]))
