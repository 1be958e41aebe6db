"""Writing to the library: all of something, or nothing of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["transaction"]


@contextmanager
def transaction(connection: sqlite3.Connection, *, durable: bool = False) -> Iterator[None]:
    """Write all that follows, or nothing of it.

    Parameters
    ----------
    connection
        To the library; not in a transaction.
    durable
        Whether a power cut must not take it back either: for what a user typed or brought along,
        which nothing can compute again.

    Raises
    ------
    sqlite3.Error
        If it cannot be written; nothing was.
    """
    if durable:
        connection.execute("PRAGMA synchronous = FULL")
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # some errors, as of a full disk, have ended it already
                connection.execute("ROLLBACK")
            raise
    finally:
        if durable:
            connection.execute("PRAGMA synchronous = NORMAL")
