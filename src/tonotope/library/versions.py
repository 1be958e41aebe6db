"""What results are made by, and how the library finds those that something else made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tonotope.features import FINGERPRINT_VERSION

__all__ = ["Versions"]


@dataclass(frozen=True, slots=True)
class Versions:
    """What everything that is known of a track was made by, if it is up to date.

    Attributes
    ----------
    families
        The version of each family of descriptors.
    model_id
        The network that heard its genres and gave its embedding.
    fingerprint
        The version of its fingerprint.
    """

    families: Mapping[str, int]
    model_id: str
    fingerprint: int = FINGERPRINT_VERSION

    def is_current(self) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL condition that a row of ``tracks`` is up to date, and its parameters."""
        condition = (
            "(model_id = ? AND (SELECT count(*) FROM family_rows WHERE track_id = tracks.id AND"
            f" (family, version) IN (VALUES {', '.join(['(?, ?)'] * len(self.families))})) = ?"
            " AND (tracks.id, ?) IN (SELECT track_id, version FROM fingerprints))"
        )
        families = (value for family in self.families.items() for value in family)
        return condition, (self.model_id, *families, len(self.families), self.fingerprint)
