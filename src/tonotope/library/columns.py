"""Columns of tracks' rows by name, wherever in the families' rows they stand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tonotope.features.tables import FAMILIES, family_columns

__all__ = ["RowColumns"]

Float32Array = NDArray[np.float32]


class RowColumns:
    """Some columns of the table ``tonotope``, to be picked from the rows of its families.

    Parameters
    ----------
    names
        Columns of any `tonotope.features.tables.FAMILIES`, in any order; at least one. Estimates
        are no family's: they are made of all of them.
    may_lack
        Those of them that may be NaN, as there may be no answer to them.

    Attributes
    ----------
    names
        The columns.
    is_sure
        Whether each of them has to be a number, shape (n_names,).
    families
        Those whose rows are needed.

    Raises
    ------
    ValueError
        If a column is no family's.
    """

    def __init__(self, names: Sequence[str], *, may_lack: Collection[str] = ()) -> None:
        self.names = tuple(names)
        self.is_sure = np.array([name not in may_lack for name in self.names])
        place_of = {
            column: (family, place)
            for family in FAMILIES
            for place, column in enumerate(family_columns(family))
        }
        unknown = [name for name in self.names if name not in place_of]
        if unknown:
            raise ValueError(f"no family has a column {', '.join(map(repr, unknown))}")
        # Runs of names that stand side by side in a family's row: slices are copied faster.
        self._runs: list[tuple[str, slice, slice]] = []
        for index, name in enumerate(self.names):
            family, place = place_of[name]
            start, first = index, place
            if self._runs and self._runs[-1][0] == family and self._runs[-1][2].stop == place:
                _, to, of = self._runs.pop()
                start, first = to.start, of.start
            self._runs.append((family, slice(start, index + 1), slice(first, place + 1)))
        self.families = tuple(dict.fromkeys(family for family, _, _ in self._runs))

    def of(self, rows: Mapping[str, Float32Array]) -> Float32Array:
        """Return the columns of one track or of many.

        Parameters
        ----------
        rows
            By family, shape (n_columns,) or (n_tracks, n_columns); at least the `families`.

        Returns
        -------
        ndarray
            Shape (n_names,) or (n_tracks, n_names), float32.
        """
        shape = rows[self.families[0]].shape[:-1]
        result = np.empty((*shape, len(self.names)), np.float32)
        for family, to, of in self._runs:
            result[..., to] = rows[family][..., of]
        return result

    def width(self, family: str) -> int:
        """Return how many numbers the row of a family has."""
        return len(family_columns(family))
