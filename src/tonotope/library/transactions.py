"""Writing to the library: all of something, or nothing of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tonotope.errors import LibraryError

if TYPE_CHECKING:
    from tonotope.library.catalogue import Catalogue

__all__ = ["keep_if_possible", "transaction"]


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


def keep_if_possible(
    catalogue: Catalogue, what: str, write: Callable[[sqlite3.Connection], None]
) -> bool:
    """Keep what can be made again; return whether the library can be written to at the moment.

    Parameters
    ----------
    catalogue
        The library.
    what
        Is kept, as the error names it: "the groups".
    write
        Writes it, in a transaction.

    Raises
    ------
    LibraryError
        If the library is damaged, or there is no room.
    """
    try:
        with transaction(catalogue.connection):
            write(catalogue.connection)
    except sqlite3.DatabaseError as error:
        # Where the file may not be written to, some connections say so only at the first row. An
        # import of years of plays keeps others waiting for longer than anybody likes to.
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY):
            return False
        raise LibraryError(
            f"cannot keep {what} in library '{catalogue.path}': {error}. Try again, or name a "
            "copy of it: --library COPY"
        ) from error
    return True
