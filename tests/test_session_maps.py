"""The map that a library keeps: the same again, with new tracks, without those that are gone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from support.libraries import alter, write
from tonotope import Library
from tonotope.cli.app import run
from tonotope.errors import InputError, LibraryError
from tonotope.session import maps
from tonotope.session.maps import LibraryMap

N_TRACKS = 8


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("maps") / "music"
    for k in range(N_TRACKS):
        write(folder / f"{k}.flac", seed=k, title=f"T{k}", artist=f"A{k % 2}")
    return folder


@pytest.fixture(scope="module")
def scanned(music: Path) -> Path:
    path = music.parent / "l.db"
    with Library(path) as library:
        library.scan([music])
    return path


@pytest.fixture
def library(scanned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(scanned, tmp_path / "copy.db"))


def drawn_map(library: Path, **options) -> LibraryMap:
    with Library(library) as opened:
        return opened.map(**options)


def points_of(drawn: LibraryMap) -> dict[str, tuple[float, ...]]:
    names = (Path(track.path).name for track in drawn.tracks)
    return dict(zip(names, map(tuple, drawn.points.tolist()), strict=True))


def test_the_map_is_drawn_once(library: Path) -> None:
    first = drawn_map(library)
    assert (first.method, first.n_dims, first.is_new, first.is_kept) == ("tsne", 2, True, True)
    assert len(first.tracks) == N_TRACKS
    assert first.quality is not None
    assert set(first.quality.hits) == {"genre", "artist"}
    assert all(first.genres)
    assert np.isfinite(first.tempos_bpm).any()
    again = drawn_map(library)
    assert (again.is_new, again.n_placed, again.made_at) == (False, 0, first.made_at)
    assert points_of(again) == points_of(first)
    assert again.quality == first.quality


def test_each_method_and_number_of_axes_has_its_map(library: Path) -> None:
    tsne = drawn_map(library)
    pca = drawn_map(library, method="pca")
    deep = drawn_map(library, method="pca", n_dims=3)
    assert pca.is_new
    assert deep.points.shape == (N_TRACKS, 3)
    assert points_of(drawn_map(library, method="tsne")) == points_of(tsne)
    # Without a method the one drawn last is shown; it was drawn in the same second as the first.
    assert drawn_map(library).method == "pca"
    assert drawn_map(library, n_dims=3).method == "pca"


def test_new_tracks_are_put_on_it_and_no_other_moves(music: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(music, tmp_path / "music"))
    path = tmp_path / "l.db"
    with Library(path) as opened:
        opened.scan([folder])
        before = points_of(opened.map())
        for k in range(100, 103):
            write(folder / f"{k}.flac", seed=k)
        (folder / "0.flac").unlink()
        opened.scan([folder])
        drawn = opened.map()
    after = points_of(drawn)
    assert (drawn.is_new, drawn.n_placed, drawn.n_added, drawn.n_away) == (False, 3, 3, 1)
    assert set(after) == {*before, "100.flac", "101.flac", "102.flac"} - {"0.flac"}
    assert all(after[name] == before[name] for name in before if name != "0.flac")
    new = np.array([after[f"{k}.flac"] for k in range(100, 103)])
    assert np.abs(new).max() <= 1
    # They stay, too; and what comes back, comes back to its place.
    shutil.copy(music / "0.flac", folder)
    with Library(path) as opened:
        opened.scan([folder])
        once_more = opened.map()
        assert (once_more.n_placed, once_more.n_added, once_more.n_away) == (0, 3, 0)
        assert points_of(once_more) == {**after, "0.flac": before["0.flac"]}
        fresh = opened.map(fresh=True)
    assert (fresh.is_new, fresh.n_added) == (True, 0)
    assert points_of(fresh) != points_of(once_more)


def test_what_tracks_are_compared_by_has_changed(library: Path) -> None:
    drawn_map(library)
    alter(library, "UPDATE maps SET made_by = 'other versions'")
    assert drawn_map(library).is_new
    assert not drawn_map(library).is_new


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE map_points SET coordinates = x'0000'",
        "UPDATE map_points SET coordinates = x'0000c07f0000c07f'",
    ],
)
def test_a_damaged_map_is_said_and_can_be_drawn_anew(library: Path, statement: str) -> None:
    drawn_map(library)
    alter(library, statement)
    with pytest.raises(LibraryError, match=r"damaged.*--fresh"):
        drawn_map(library)
    assert drawn_map(library, fresh=True).is_new
    assert not drawn_map(library).is_new


def test_few_tracks_have_a_map_that_is_not_kept(music: Path, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    with Library(tmp_path / "l.db") as opened:
        for n in (1, 2):
            shutil.copy(music / f"{n}.flac", folder)
            opened.scan([folder])
            drawn = opened.map(method="tsne")
            assert (len(drawn.tracks), drawn.method, drawn.is_kept) == (n, "pca", False)
            assert (drawn.is_new, drawn.quality) == (True, None)


def test_a_library_that_cannot_be_written_to(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert not drawn_map(library).is_kept
    monkeypatch.undo()
    kept = drawn_map(library)
    assert (kept.is_new, kept.is_kept) == (True, True)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    again = drawn_map(library)
    assert (again.is_new, again.is_kept) == (False, True)
    assert points_of(again) == points_of(kept)


def test_wrong_questions(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no map is drawn by 'som'"):
        drawn_map(library, method="som")
    with pytest.raises(InputError, match="4 axes"):
        drawn_map(library, n_dims=4)
    monkeypatch.setattr(maps, "missing_package", lambda method: "umap-learn")
    with pytest.raises(InputError, match=r"umap-learn.*tonotope\[map\]"):
        drawn_map(library, method="umap")


# The command


def test_the_command_writes_a_page_and_says_what_it_is(
    library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "map.html"
    words = ["map", "--library", str(library), "--out", str(page)]
    assert run([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {
        "out", "tracks", "method", "dims", "drawn_at", "new", "kept", "placed", "added", "away",
        "quality",
    }  # fmt: skip
    assert (document["tracks"], document["method"], document["new"]) == (N_TRACKS, "tsne", True)
    assert set(document["quality"]["neighbourhood_hit"]["genre"]) == {
        "map", "space", "chance", "tracks",
    }  # fmt: skip
    first = page.read_text("utf-8")
    assert run(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("8 tracks by t-SNE, 2 axes, as drawn on ")
    assert out.endswith(f"Written to {page}\n")
    assert page.read_text("utf-8") == first


def test_the_command_looks_at_the_name_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["map", "--library", str(tmp_path / "none.db"), "--out", "map.pdf"]) == 2
    assert "Let it end in .html" in capsys.readouterr().err
    out = str(tmp_path / "map.csv")
    assert run(["map", "--library", str(tmp_path / "none.db"), "--out", out]) == 1
    assert "tonotope scan FOLDER" in capsys.readouterr().err
    assert not Path(out).exists()


def test_asking_for_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom tonotope.cli.app import run\nrun(['map', '--help'])\n"
        "print(sorted({'numpy', 'sklearn', 'openTSNE', 'umap'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
