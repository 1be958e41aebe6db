"""Data sets, a module each: citation, licence and layout on top, then how their clips are read.

`DATASETS` has those that ``--dataset`` names; `library_clips` makes one of a library's own tags.
"""

from __future__ import annotations

from collections.abc import Mapping

from tonotope.errors import InputError
from tonotope.training.datasets.ballroom import Ballroom, ExtendedBallroom
from tonotope.training.datasets.base import ClipList, DataSet
from tonotope.training.datasets.fma import SIZES, Fma
from tonotope.training.datasets.folders import Folders
from tonotope.training.datasets.gtzan import Gtzan
from tonotope.training.datasets.library import library_clips

__all__ = ["DATASETS", "ClipList", "DataSet", "dataset", "library_clips"]

DATASETS: Mapping[str, DataSet] = {
    found.name: found
    for found in (Gtzan(), *map(Fma, SIZES), Ballroom(), ExtendedBallroom(), Folders())
}
"""All data sets, by name."""


def dataset(name: str) -> DataSet:
    """Return the data set of a name.

    Raises
    ------
    InputError
        If there is none.
    """
    try:
        return DATASETS[name]
    except KeyError:
        raise InputError(
            f"no data set is called '{name}'. There are: {', '.join(DATASETS)}."
        ) from None
