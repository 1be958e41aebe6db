"""What TensorBoard reads of a run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from support.caches import write_cache
from tonotope.cli.app import run
from tonotope.errors import PathError
from tonotope.training.event_log import EVENTS_FOLDER, EventLog
from tonotope.training.loop import Epoch

NAN = float("nan")


def epochs(n: int, valid: float = 0.5) -> list[Epoch]:
    return [Epoch(k, 1 / k, k / 8, valid, valid, 1e-3, 100.0) for k in range(1, n + 1)]


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return the curves as TensorBoard's own reader has them."""
    log = EventAccumulator(str(folder / EVENTS_FOLDER)).Reload()
    return {
        name: [(event.step, event.value) for event in log.Scalars(name)]
        for name in log.Tags()["scalars"]
    }


def test_each_epoch_is_there_while_the_run_goes_on(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    for n in (1, 2, 3):
        log.write(epochs(n))
        found = read(tmp_path)
        assert [step for step, _ in found["loss/train"]] == list(range(1, n + 1))
    log.close()
    assert set(found) == {
        "loss/train", "loss/valid", "accuracy/train", "accuracy/valid", "learning_rate",
        "clips_per_s",
    }  # fmt: skip
    assert [value for _, value in found["accuracy/train"]] == [1 / 8, 2 / 8, 3 / 8]
    assert [value for _, value in found["loss/valid"]] == [0.5] * 3


def test_a_run_that_goes_on_has_each_epoch_once(tmp_path: Path) -> None:
    for n in (2, 4):
        log = EventLog(tmp_path)
        log.write(epochs(n))
        log.close()
    assert [step for step, _ in read(tmp_path)["loss/train"]] == [1, 2, 3, 4]


def test_what_is_not_known_is_no_curve(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.write(epochs(2, valid=NAN))
    log.close()
    assert "loss/valid" not in read(tmp_path)


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / EVENTS_FOLDER).write_text("in the way")
    with pytest.raises(PathError, match=r"cannot write .*without --tensorboard to go on"):
        EventLog(tmp_path).write(epochs(1))


def test_the_command(
    tonotope: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    cache = write_cache(tmp_path / "cache", {"train": 4, "valid": 2})
    words = ["--epochs", "2", "--threads", "1", "--device", "cpu", "--set", "batch_size=6"]
    words += ["--set", "members=2", "--tensorboard"]
    done = tonotope("train", "--data", cache, "--out", tmp_path / "run", *words)
    assert done.returncode == 0, done.stderr
    for member in (1, 2):
        folder = tmp_path / "run" / f"member-{member}"
        rows = (folder / "curves.csv").read_text("utf-8").splitlines()[1:]
        losses = [float(row.split(",")[1]) for row in rows]
        assert [v for _, v in read(folder)["loss/train"]] == pytest.approx(losses, rel=1e-5)


def test_without_tensorboard_nothing_is_begun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = write_cache(tmp_path / "cache", {"train": 4, "valid": 2})
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    words = ["train", "--data", cache, "--out", tmp_path / "none", "--tensorboard"]
    assert run(list(map(str, words))) == 2
    message = capsys.readouterr().err
    assert "--tensorboard needs TensorBoard, which is not installed" in message
    assert "pip install 'tonotope[tensorboard]'" in message
    assert not (tmp_path / "none").exists()
