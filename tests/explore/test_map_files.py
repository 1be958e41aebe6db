from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tonotope.errors import InputError, PathError
from tonotope.explore.colours import genre_colours
from tonotope.explore.map_files import check_map_path, write_map_file
from tonotope.explore.map_picture import map_picture
from tonotope.explore.map_table import map_table
from tonotope.session.maps import LibraryMap

Make = Callable[..., LibraryMap]


@pytest.mark.parametrize(("n", "n_dims", "groups"), [(60, 2, True), (60, 3, False), (1, 2, False)])
def test_a_picture_shows_the_points(made_up: Make, n: int, n_dims: int, groups: bool) -> None:
    drawn = made_up(n, n_dims, groups)
    pixels = np.asarray(Image.open(BytesIO(map_picture(drawn))).convert("RGB")).astype(int)
    assert pixels.shape == (1200, 1600, 3)
    n_coloured = (np.ptp(pixels, axis=2) > 30).sum()
    assert n_coloured > 40 * n
    assert map_picture(drawn) == map_picture(drawn)


def test_without_matplotlib_the_way_out_is_named(
    made_up: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(InputError, match=r"tonotope\[plot\].*map\.html"):
        map_picture(made_up())


@pytest.mark.parametrize("n_dims", [2, 3])
def test_a_table_holds_what_is_known(made_up: Make, n_dims: int) -> None:
    drawn = made_up(n_dims=n_dims)
    rows = list(csv.DictReader(StringIO(map_table(drawn))))
    assert len(rows) == 60
    assert list(rows[0])[-n_dims:] == ["x", "y", "z"][:n_dims]
    for row, track, point in zip(rows, drawn.tracks, drawn.points, strict=True):
        assert row["audio_id"] == track.audio_id
        assert row["title"] == (track.title or "")
        assert [float(row[axis]) for axis in "xyz"[:n_dims]] == pytest.approx(point, abs=1e-6)
    assert (rows[9]["tempo_bpm"], rows[9]["genre"]) == ("", "")


def test_names_that_are_not_utf8_can_be_written(made_up: Make, tmp_path: Path) -> None:
    write_map_file(made_up(), tmp_path / "map.csv")
    assert "/music/3\\udce9.flac" in (tmp_path / "map.csv").read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["map.csv"]


def test_a_file_is_replaced_at_once_through_a_link(made_up: Make, tmp_path: Path) -> None:
    target = tmp_path / "real.html"
    target.write_text("old")
    (tmp_path / "map.HTML").symlink_to(target)
    write_map_file(made_up(), tmp_path / "map.HTML")
    assert (tmp_path / "map.HTML").is_symlink()
    assert target.read_text("utf-8").startswith("<!doctype html>")


def test_where_no_map_can_be_written(made_up: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"map\.txt.*\.html, \.png or \.csv"):
        check_map_path(tmp_path / "map.txt")
    with pytest.raises(PathError, match="no folder"):
        check_map_path(tmp_path / "none" / "map.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(PathError, match="it is no file"):
        write_map_file(made_up(), tmp_path / "folder.csv")
    with pytest.raises(PathError, match="File name too long"):
        check_map_path(tmp_path / f"{'a' * 300}.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(PathError, match="it is no file"):
        check_map_path(tmp_path / "pipe.csv")


def test_each_genre_has_its_colour_and_no_two_the_same() -> None:
    genres = ["rock", "Hip-Hop", "hiphop", "noise", "drone", "jazz"]
    colours = genre_colours(genres)
    assert colours[1] == colours[2]  # the same genre
    assert len(set(colours)) == len(genres) - 1
    assert genre_colours(["jazz"]) == [colours[-1]]
    assert len(genre_colours([str(k) for k in range(200)])) == 200
