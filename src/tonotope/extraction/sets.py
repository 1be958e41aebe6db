"""What is asked for: a table by name or descriptors by name, and the version of their numbers."""

from __future__ import annotations

from collections.abc import Sequence

from tonotope.errors import InputError
from tonotope.features import DESCRIPTORS, FAMILY_VERSIONS
from tonotope.features.descriptors import resolve
from tonotope.features.tables import table_features

__all__ = ["TABLES", "frame_features", "parse_set", "row_features", "version_of"]

TABLES = ("fma518", "tonotope")
"""The tables that have names."""


def parse_set(words: str) -> str | tuple[str, ...]:
    """Return a set as a person writes it, ``fma518`` or ``mfcc,tempo``: a table, or descriptors.

    Raises
    ------
    InputError
        If there is no such table and no such descriptor, or a table has company.
    """
    if words.strip() in TABLES:
        return words.strip()
    names = tuple(dict.fromkeys(name.strip() for name in words.split(",")))
    for name in names:
        if name in TABLES:
            raise InputError(
                f"the set {name} stands alone. Name it and nothing else, or descriptors only."
            )
    unknown = [repr(name) for name in names if name not in DESCRIPTORS]
    if unknown:
        raise InputError(
            f"no set and no descriptor is called {', '.join(unknown)}. The sets are "
            f"{' and '.join(TABLES)}, the descriptors {', '.join(DESCRIPTORS)}."
        )
    return names


def row_features(table: str | Sequence[str]) -> tuple[str, ...]:
    """Return the descriptors that a table is made of.

    Raises
    ------
    InputError
        If there is no such table or descriptor, or one that has no place in a row.
    """
    if table not in TABLES:
        frame_features(table)  # refuses what is no descriptor at all
    try:
        return table_features(table)
    except ValueError as error:  # a descriptor that no row has room for
        raise InputError(f"{error} with --frames.") from None


def frame_features(features: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the descriptors that a file of frames holds, in the order of `DESCRIPTORS`.

    Parameters
    ----------
    features
        The name of a table, or names of descriptors; None for all that are not on request.

    Raises
    ------
    InputError
        If there is no such table or descriptor.
    """
    try:
        asked = table_features(features) if isinstance(features, str) else features
        wanted = resolve(asked)
    except ValueError as error:
        raise InputError(f"{error}") from None
    if not wanted:
        raise InputError("no descriptor was named. Name one or more.")
    return tuple(name for name in DESCRIPTORS if name in wanted)


def version_of(features: Sequence[str]) -> str:
    """Return the versions of the families that descriptors belong to: ``timbre=2 level=1``.

    What is made by another version is computed anew.
    """
    families = {DESCRIPTORS[name].family for name in features}
    # The spectrum itself has had one definition so far.
    versions = {"spectrum": 1, **FAMILY_VERSIONS}
    return " ".join(f"{family}={n}" for family, n in versions.items() if family in families)
