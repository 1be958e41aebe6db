"""What a run leaves behind where the disk is full."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from support.full_disk import no_room
from tonotope.errors import PathError
from tonotope.training.curves import CURVES_FILE, PICTURE_FILE, draw_curves, write_curves
from tonotope.training.loop import Epoch
from tonotope.training.run_folders import CONFIG_FILE, claim, write_json

EPOCH = Epoch(1, 1.5, 0.25, 1.25, 0.5, 1e-3, 99.0)


def test_curves_are_replaced_as_a_whole(tmp_path: Path) -> None:
    write_curves(tmp_path, [EPOCH])
    draw_curves(tmp_path, [EPOCH])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {CURVES_FILE, PICTURE_FILE}
    for write in (write_curves, draw_curves):
        with no_room(), pytest.raises(PathError, match="Make room, then run the same") as failed:
            write(tmp_path, [EPOCH, replace(EPOCH, epoch=2)])
        assert os.strerror(errno.EFBIG) in str(failed.value)
        assert "\n" not in str(failed.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    write_curves(tmp_path, [EPOCH, replace(EPOCH, epoch=2)])
    header, first, second = (tmp_path / CURVES_FILE).read_text("utf-8").splitlines()
    assert header.split(",")[:2] == ["epoch", "train_loss"]
    assert (first, second[:2]) == ("1,1.5,0.25,1.25,0.5,0.001,99", "2,")


def test_settings_and_results_are_written_whole(tmp_path: Path) -> None:
    with no_room():
        with pytest.raises(PathError, match="Name another --out"):
            claim(tmp_path / "run", "seed = 0\n")
        with pytest.raises(PathError, match="Make room"):
            write_json(tmp_path / "result.json", {"n": 1})
    assert not list(tmp_path.glob("*.json*"))
    assert not list((tmp_path / "run").iterdir())
    claim(tmp_path / "run", "seed = 0\n")
    assert (tmp_path / "run" / CONFIG_FILE).read_text() == "seed = 0\n"
