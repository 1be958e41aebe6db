"""Values of a model card by their keys; what is wrong with one is said with its key."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

__all__ = ["CardTable", "CardValueError", "MissingKeyError"]


class CardValueError(ValueError):
    """A key has a value that no card may have."""


class MissingKeyError(CardValueError):
    """A key is not there."""


class CardTable:
    """A table of a card, e.g. ``[input]``.

    Parameters
    ----------
    values
        What the table says.
    name
        The table's name; empty for the keys above all tables.

    Raises
    ------
    CardValueError
        If `values` is no table.
    """

    def __init__(self, values: Any, name: str = "") -> None:
        if not isinstance(values, dict):
            raise CardValueError(f"{name} is {values!r}, not a table")
        self._values = values
        self._name = name

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def table(self, key: str) -> CardTable:
        """Return a table in this one, which must be there."""
        return CardTable(self._required(key), key)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text in one line that is not empty."""
        value = self._get(key, default)
        if not isinstance(value, str) or not value.strip() or len(value.splitlines()) != 1:
            raise self._wrong(key, "a text in one line")
        return value

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        """Return one of a few texts."""
        value = self._get(key, default)
        if value not in choices:
            raise self._wrong(key, "one of: " + ", ".join(map(repr, choices)))
        return str(value)

    def whole(self, key: str, least: int, most: int, default: int | None = None) -> int:
        """Return a whole number within bounds."""
        value = self._get(key, default)
        # A truth value counts as a number in Python, and not in TOML.
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(key, f"a whole number from {least} to {most}")
        return value

    def number(self, key: str, least: float, most: float, default: float | None = None) -> float:
        """Return a number within bounds."""
        value = self._get(key, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not least <= value <= most:
            raise self._wrong(key, f"a number from {least:g} to {most:g}")
        return float(value)

    def names(self, key: str) -> tuple[str, ...]:
        """Return a list of texts of which none comes twice."""
        value = self._required(key)
        if not isinstance(value, list) or not value:
            raise self._wrong(key, "a list of names")
        for name in value:
            if not isinstance(name, str) or not name.strip():
                raise CardValueError(f"{self._key(key)} holds {name!r}, which is no name")
            if value.count(name) > 1:
                raise CardValueError(f"{self._key(key)} holds {name!r} more than once")
        return tuple(value)

    def refuse_others(self, known: Collection[str]) -> None:
        """Raise for a key that nothing reads: most likely another one, misspelt."""
        for key in self._values:
            if key not in known:
                raise CardValueError(
                    f"{self._key(key)} is no key there (these are: {', '.join(known)})"
                )

    def _required(self, key: str) -> Any:
        if key not in self._values:
            raise MissingKeyError(f"{key!r} in [{self._name}]" if self._name else f"{key!r}")
        return self._values[key]

    def _get(self, key: str, default: object) -> Any:
        return self._required(key) if default is None else self._values.get(key, default)

    def _key(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key

    def _wrong(self, key: str, wanted: str) -> CardValueError:
        return CardValueError(f"{self._key(key)} is {self._values[key]!r}, not {wanted}")
