"""The groups of a small library that was really scanned, and of clips in a cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from support.caches import write_cache
from support.libraries import RATE_HZ, alter, retag, write
from tonotope import Library
from tonotope.errors import InputError, LibraryError
from tonotope.library.catalogue import Catalogue
from tonotope.session.grouping import COLOURS
from tonotope.session.groups import group_named, groups_of

KINDS = ("hum", "hiss", "clicks")
PER_KIND = 6
Run = Callable[..., subprocess.CompletedProcess[str]]


def sound(kind: str, seed: int) -> np.ndarray:
    """Return three seconds of a low hum, of quiet hiss, or of loud clicks."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(3 * RATE_HZ) / RATE_HZ
    if kind == "hum":
        return 0.2 * sum(np.sin(2 * np.pi * f * time_s) for f in rng.uniform(60, 200, 3))
    noise = rng.normal(size=len(time_s))
    if kind == "hiss":
        return 0.02 * noise
    beats = (time_s * rng.uniform(3.5, 4.5)) % 1
    return 0.4 * noise * np.exp(-40 * beats)


def write_kind(folder: Path, kind: str, numbers: range, **tags: str) -> None:
    folder.mkdir(exist_ok=True)
    for k in numbers:
        path = folder / f"{kind}{k}.flac"
        soundfile.write(path, sound(kind, 100 * KINDS.index(kind) + k), RATE_HZ)
        retag(path, title=f"{kind} {k}", artist=f"{kind} band {k // 2}", **tags)


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("groups") / "music"
    for kind in KINDS:
        write_kind(folder, kind, range(PER_KIND), **({"genre": "Drone"} if kind == "hum" else {}))
    return folder


@pytest.fixture(scope="module")
def scanned(music: Path) -> Path:
    path = music.parent / "l.db"
    with Library(path) as library:
        library.scan([music], jobs=2)
    return path


@pytest.fixture
def copy(scanned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(scanned, tmp_path / "copy.db"))


def kinds(tracks) -> set[str]:
    return {track.title.split()[0] for track in tracks}


def by_kind(found) -> dict[str, tuple[str, str]]:
    """Return name and colour of the group that each kind of sound is in."""
    assert all(len(kinds(group.tracks)) == 1 for group in found.groups)
    return {kinds(group.tracks).pop(): (group.name, group.colour) for group in found.groups}


def test_what_sounds_alike_is_a_group(copy: Path) -> None:
    with Library(copy) as library:
        found = library.clusters()
        assert found.made_because == "there were none"
        assert [trial["k"] for trial in found.choice] == [2, 3, 4]
        found = library.clusters(k=3)
    told = by_kind(found)
    assert set(told) == set(KINDS)
    names, colours = zip(*told.values(), strict=True)
    assert len(set(names)) == 3
    assert set(colours) == set(COLOURS[:3])
    assert told["hum"][0].endswith("drone")
    assert "dark" in told["hum"][0]
    assert "quiet" in told["hiss"][0]
    assert (found.made_because, found.is_kept, found.apart) == ("you asked for it", True, [])
    # Three bands of each kind come first.
    hum = next(group for group in found.groups if kinds(group.tracks) == {"hum"})
    assert len({track.artist for track in hum.typical[:3]}) == 3
    assert len(hum.typical) == 5
    assert len(hum.tracks) == PER_KIND


def test_asked_again_they_are_what_they_were(copy: Path) -> None:
    with Library(copy) as library:
        first, again = library.clusters(k=3), library.clusters()
    assert (again.made_because, again.n_joined) == (None, 0)
    assert by_kind(again) == by_kind(first)
    assert (again.made_at, again.choice) == (first.made_at, first.choice)
    with Library(copy) as library:
        anew = library.clusters(k=3)
    assert anew.made_because == "you asked for it"
    assert by_kind(anew) == by_kind(first)


def test_a_rescan_with_new_tracks_keeps_names_and_colours(music: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(music, tmp_path / "music"))
    with Library(tmp_path / "l.db") as library:
        library.scan([folder], jobs=2)
        before = by_kind(library.clusters(k=3))
        write_kind(folder, "hiss", range(10, 12))
        write_kind(folder, "hum", range(10, 11))
        library.scan([folder], jobs=2)
        joined = library.clusters()
        assert (joined.made_because, joined.n_joined) == (None, 3)
        assert by_kind(joined) == before
        assert library.clusters().n_joined == 0
        # Over a quarter of what they were made of: that takes a new look at everything.
        write_kind(folder, "clicks", range(10, 12))
        library.scan([folder], jobs=2)
        anew = library.clusters()
        assert anew.made_because == "5 tracks have come since they were made of 18"
        assert by_kind(anew) == before
        # What is gone leaves the others as they are, and may come back.
        for path in folder.glob("hum*"):
            path.rename(tmp_path / path.name)
        library.scan([folder], jobs=2)
        rest = library.clusters()
        assert rest.made_because is None
        assert by_kind(rest) == {kind: before[kind] for kind in ("hiss", "clicks")}
        for path in tmp_path.glob("hum*"):
            path.rename(folder / path.name)
        library.scan([folder], jobs=2)
        assert by_kind(library.clusters()) == before


def test_they_are_made_anew_when_what_made_them_has_changed(copy: Path) -> None:
    with Library(copy) as library:
        first = library.clusters(k=4, method="gmm")
    alter(copy, "UPDATE groupings SET made_by = 'another network'")
    with Library(copy) as library:
        anew = library.clusters()
    assert anew.made_because == "the tracks have been listened to by another version since"
    assert (anew.asked_k, anew.method) == (4, "gmm")
    assert {group.name for group in anew.groups} == {group.name for group in first.groups}
    alter(copy, "UPDATE group_members SET audio_id = 'gone ' || audio_id")
    with Library(copy) as library:
        assert library.clusters().made_because == "of the 18 tracks they were made of, 0 are left"


@pytest.mark.parametrize("method", ["kmeans", "gmm", "agglomerative"])
@pytest.mark.parametrize("space", ["embedding", "all"])
def test_by_every_method_and_space(copy: Path, method, space) -> None:
    with Library(copy) as library:
        found = library.clusters(k=3, method=method, space=space)
    assert (found.method, found.space, found.asked_k) == (method, space, 3)
    assert sum(len(group.tracks) for group in found.groups) == 3 * PER_KIND
    assert set(by_kind(found)) == set(KINDS)


def test_groups_for_others(copy: Path) -> None:
    with Catalogue(copy) as catalogue:
        assert groups_of(catalogue) == {}
        with pytest.raises(InputError, match=r"'drone': there are none yet\. Run: tonotope"):
            group_named(catalogue, "drone")
    with Library(copy) as library:
        found = library.clusters(k=3)
    with Catalogue(copy) as catalogue:
        of_track = groups_of(catalogue)
        for group in found.groups:
            ids = {track.audio_id for track in group.tracks}
            assert group_named(catalogue, group.name.upper()) == ids
            assert {of_track[audio_id] for audio_id in ids} == {(group.name, group.colour)}
            if group.name.endswith("drone"):
                assert group_named(catalogue, "Drone") == ids
        with pytest.raises(InputError, match=r"no group is called 'polka'\. There are: .*drone"):
            group_named(catalogue, "polka")


def test_a_library_that_cannot_be_written_to(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with Library(copy) as library:
        found = library.clusters(k=3)
        assert not found.is_kept
        assert set(by_kind(found)) == set(KINDS)
        assert library.clusters().made_because == "there were none"


def test_numbers_that_cannot_be(copy: Path) -> None:
    with Library(copy) as library:
        for k in (1, 0, -3, 18, 500):
            with pytest.raises(InputError, match=rf"cannot make {k} groups of 18.*2 to 17"):
                library.clusters(k=k)
        with pytest.raises(InputError, match="hdbscan finds the number of groups itself"):
            library.clusters(k=3, method="hdbscan")


def test_a_library_of_one_track(tmp_path: Path) -> None:
    write(tmp_path / "music" / "a.flac", seed=1)
    with Library(tmp_path / "l.db") as library:
        library.scan([tmp_path / "music"])
        with pytest.raises(LibraryError, match=r"holds 1 track that .* at least 4\. Add some"):
            library.clusters()


def test_an_empty_library(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    with Library(tmp_path / "l.db") as library:
        library.scan([tmp_path / "music"])
        with pytest.raises(LibraryError, match="holds no track that can be compared"):
            library.clusters()


# The command


def test_the_command(tonotope: Run, copy: Path) -> None:
    done = tonotope("clusters", "--library", copy, "--k", "3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "3 groups of 18 tracks, by kmeans, space embedding\nMade now: you asked for it.\n"
    )
    assert "\n*  3  " in done.stdout
    assert "hum 0" in done.stdout
    again = tonotope("clusters", "--library", copy, "--json")
    document = json.loads(again.stdout)
    assert document["made_because"] is None
    assert {group["name"] for group in document["groups"]} == {
        line.partition("  (")[0] for line in done.stdout.splitlines() if "tracks, #" in line
    }
    assert [group["n_tracks"] for group in document["groups"]] == [6, 6, 6]
    assert document["agreement"]["n_tracks"] == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--k", "many"], "cannot make 'many' groups. Name a whole number or: --k auto"),
        (["--k", "99"], "cannot make 99 groups of 18 tracks"),
        (["--part", "test"], "--model and --part are of --data CACHE"),
        (["--data", "x"], "--library is of libraries, not of --data"),
    ],
)
def test_wrong_usage(tonotope: Run, copy: Path, words: list[str], message: str) -> None:
    done = tonotope("clusters", "--library", copy, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


# Clips of a cache


def test_clips_are_grouped_without_a_look_at_their_genres(tonotope: Run, tmp_path: Path) -> None:
    cache = write_cache(tmp_path / "cache", {"valid": 6}, n_columns=333)
    done = tonotope("clusters", "--data", cache, "--k", "3", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["n_tracks"], document["part"], document["asked_k"]) == (18, "valid", 3)
    assert document["agreement"]["purity"] == 1
    assert document["agreement"]["ari"] == 1
    assert document["agreement"]["n_labels"] == 3
    assert {*document["without_network"]} == {*document["agreement"]}
    assert sorted(group["n_tracks"] for group in document["groups"]) == [6, 6, 6]
    assert document["leaks"] == []
    # Other labels change the agreement, and nothing else.
    table = (cache / "clips.csv").read_text()
    (cache / "clips.csv").write_text(table.replace("low,valid", "high,valid"))
    other = json.loads(tonotope("clusters", "--data", cache, "--k", "3", "--json").stdout)
    assert other["choice"] == document["choice"]
    assert [group["name"] for group in other["groups"]] == [
        group["name"] for group in document["groups"]
    ]
    assert other["agreement"]["n_labels"] == 2


def test_too_few_clips(tonotope: Run, tmp_path: Path) -> None:
    cache = write_cache(tmp_path / "cache", {"valid": 1}, n_columns=333)
    done = tonotope("clusters", "--data", cache)
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot group 3 tracks: at least 4 are needed" in done.stderr


@pytest.mark.data
def test_the_embedding_knows_more_of_genres_than_the_spectrogram(
    data_dir: Path, tmp_path: Path
) -> None:
    from tonotope.training.cache import read_cache
    from tonotope.training.evaluation.data import Data
    from tonotope.training.evaluation.groups import group_clips

    whole = read_cache(data_dir / "gtzan-mel")
    rows = [row for row, clip in enumerate(whole.clips) if clip.genre in ("metal", "classical")]
    few = type(whole)(whole.folder, tuple(whole.clips[k] for k in rows[::4]), whole.mel[rows[::4]])
    document = group_clips(Data("some", few), part="all", k=2)
    assert document["agreement"]["nmi"] > 0.9
    assert document["agreement"]["nmi"] >= document["without_network"]["nmi"]
    # The bundled network has learned from these clips, and that is said.
    assert document["leaks"]
    assert "Leaky" in document["notes"][-1]
