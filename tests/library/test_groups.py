from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from support.libraries import alter
from tonotope.errors import LibraryError
from tonotope.library.catalogue import Catalogue
from tonotope.library.descriptions import genre_words
from tonotope.library.groups import StoredGroup, StoredGrouping, read_grouping, write_grouping

GROUPING = StoredGrouping(
    made_at="2026-01-01T00:00:00+00:00",
    made_by="a model",
    method="kmeans",
    space="embedding",
    asked_k=2,
    choice=({"k": 2, "silhouette": 0.5, "chosen": True},),
    groups=(StoredGroup("fast, rock", "#cc6677"), StoredGroup("slow", "#332288")),
    members={"a": 0, "b": 1, "c": 1, "d": None},
    added=frozenset({"c"}),
)


def fields(grouping: StoredGrouping | None) -> dict[str, object]:
    assert grouping is not None
    return {name: getattr(grouping, name) for name in grouping.__slots__}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Catalogue(tmp_path / "l.db", create=True) as catalogue:
        assert read_grouping(catalogue) is None
    return tmp_path / "l.db"


def test_a_grouping_comes_back_as_it_was(path: Path) -> None:
    with Catalogue(path) as catalogue:
        assert write_grouping(catalogue, GROUPING)
    with Catalogue(path) as catalogue:
        assert fields(read_grouping(catalogue)) == fields(GROUPING)


def test_a_grouping_takes_the_place_of_the_one_before(path: Path) -> None:
    later = replace(
        GROUPING, groups=GROUPING.groups[::-1], members={"b": 0, "e": 1}, asked_k=None, choice=()
    )
    with Catalogue(path) as catalogue:
        write_grouping(catalogue, GROUPING)
        write_grouping(catalogue, later)
        assert fields(read_grouping(catalogue)) == fields(replace(later, added=frozenset()))


def test_what_cannot_be_written_leaves_what_was(path: Path) -> None:
    twice = replace(GROUPING, groups=(GROUPING.groups[0],) * 2)
    with Catalogue(path) as catalogue:
        write_grouping(catalogue, GROUPING)
        with pytest.raises(LibraryError, match="cannot keep the groups in library"):
            write_grouping(catalogue, twice)
        assert not catalogue.connection.in_transaction
        assert fields(read_grouping(catalogue)) == fields(GROUPING)


def test_a_library_that_cannot_be_written_to(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with Catalogue(path) as catalogue:
        assert not write_grouping(catalogue, GROUPING)
        assert read_grouping(catalogue) is None


def test_a_library_that_another_program_is_writing_to(path: Path) -> None:
    with Catalogue(path) as catalogue, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not write_grouping(catalogue, GROUPING)
        assert read_grouping(catalogue) is None
        other.rollback()
        assert write_grouping(catalogue, GROUPING)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE groupings SET choice = 'no list'",
        "UPDATE groupings SET choice = '[1, 2]'",
        "UPDATE group_members SET group_id = 7 WHERE audio_id = 'a'",
        "DROP TABLE track_groups",
    ],
)
def test_damage_is_one_line(path: Path, damage: str) -> None:
    with Catalogue(path) as catalogue:
        write_grouping(catalogue, GROUPING)
    alter(path, damage)
    with (
        Catalogue(path) as catalogue,
        pytest.raises(LibraryError, match=r"is damaged: its groups cannot be read \(.*Move it"),
    ):
        read_grouping(catalogue)


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        (None, set()),
        (" ; ", set()),
        ("Rock", {"rock"}),
        ("Hard  Rock; Metal/POP, folk", {"hard rock", "metal", "pop", "folk"}),
    ],
)
def test_a_tag_may_name_several_genres(tag: str | None, words: set[str]) -> None:
    assert genre_words(tag) == words
