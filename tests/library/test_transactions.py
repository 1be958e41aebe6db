"""All of something or nothing of it, and nothing left open."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tonotope.errors import LibraryError
from tonotope.library.catalogue import Catalogue
from tonotope.library.plays import import_plays
from tonotope.library.transactions import transaction

FULL, NORMAL = 2, 1
LISTENER = "INSERT INTO listeners (name) VALUES ('me')"


@pytest.fixture
def catalogue(tmp_path: Path):
    with Catalogue(tmp_path / "l.db", create=True) as catalogue:
        yield catalogue


def n_listeners(catalogue: Catalogue) -> int:
    return next(catalogue.rows("SELECT count(*) FROM listeners"))[0]


def synchronous(catalogue: Catalogue) -> int:
    return next(catalogue.rows("PRAGMA synchronous"))[0]


@pytest.mark.parametrize("durable", [False, True])
def test_all_or_nothing(catalogue: Catalogue, durable: bool) -> None:
    with pytest.raises(KeyboardInterrupt), transaction(catalogue.connection, durable=durable):
        catalogue.connection.execute(LISTENER)
        assert synchronous(catalogue) == (FULL if durable else NORMAL)
        raise KeyboardInterrupt
    assert (n_listeners(catalogue), synchronous(catalogue)) == (0, NORMAL)
    with transaction(catalogue.connection, durable=durable):
        catalogue.connection.execute(LISTENER)
    assert (n_listeners(catalogue), synchronous(catalogue)) == (1, NORMAL)


def test_what_cannot_be_committed_is_not_left_open(catalogue: Catalogue) -> None:
    # Only the end of the transaction finds that there is no such song.
    with (
        pytest.raises(sqlite3.IntegrityError),
        transaction(catalogue.connection, durable=True),
    ):
        catalogue.connection.execute("PRAGMA defer_foreign_keys = ON")
        catalogue.connection.execute(LISTENER)
        catalogue.connection.execute(
            "INSERT INTO plays (listener_id, song_id, played_at, is_skip, n)"
            " SELECT id, 99, 0, 0, 1 FROM listeners"
        )
    assert not catalogue.connection.in_transaction
    assert (n_listeners(catalogue), synchronous(catalogue)) == (0, NORMAL)


def test_an_import_that_fails_costs_no_later_scan_its_speed(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    history = tmp_path / "h.csv"
    history.write_text("artist,title\nA,T\n", "utf-8")
    catalogue.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(LibraryError, match="Nothing was changed"):
        import_plays(catalogue, history)
    assert synchronous(catalogue) == NORMAL
