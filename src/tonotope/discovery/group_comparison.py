"""Two groupings of the same tracks: how far they agree, and which groups are which.

Conventions
-----------
A grouping is a label for each track, shape (n_tracks,). Labels are names: renaming them changes no
measure.

Measures
--------
* `agreement`: *NMI*, normalized mutual information with the arithmetic mean of the entropies
  (Strehl and Ghosh 2002): 0 for independent groupings, 1 for equal ones; it rises with the number
  of groups. *ARI*, adjusted Rand index (Hubert and Arabie 1985): 0 on average for random ones, 1
  for equal ones. *Purity* (Manning, Raghavan and Schütze 2008, chapter 16): the share of tracks
  whose label is the commonest of their group; 1 where every track is a group.
* `same_groups`: the assignment of new groups to old ones that keeps most tracks (Kuhn 1955).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Agreement", "agreement", "same_groups"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far groups agree with labels.

    Attributes
    ----------
    n_tracks
        How many tracks have a group and a label.
    n_labels
        How many labels these have.
    nmi, purity
        0 to 1.
    ari
        -0.5 to 1.
    """

    n_tracks: int
    n_labels: int
    nmi: float
    ari: float
    purity: float


def agreement(groups: ArrayLike, labels: ArrayLike) -> Agreement:
    """Return how far groups agree with given labels.

    Parameters
    ----------
    groups, labels
        Of the same tracks, shape (n_tracks,) each; at least one track.

    Raises
    ------
    ValueError
        If they have no track, or not the same number.
    """
    counts = contingency(groups, labels)
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    groups, labels = np.asarray(groups), np.asarray(labels)
    return Agreement(
        n_tracks=len(groups),
        n_labels=counts.shape[1],
        nmi=float(normalized_mutual_info_score(labels, groups)),
        ari=float(adjusted_rand_score(labels, groups)),
        purity=float(counts.max(axis=1).sum() / counts.sum()),
    )


def contingency(groups: ArrayLike, labels: ArrayLike) -> NDArray[np.int64]:
    """Return how many tracks of each group have each label, shape (n_groups, n_labels).

    In the order of `numpy.unique`.

    Raises
    ------
    ValueError
        As `agreement`.
    """
    groups, labels = np.asarray(groups), np.asarray(labels)
    if groups.shape != labels.shape or groups.ndim != 1 or len(groups) == 0:
        raise ValueError(
            f"groups have shape {groups.shape}, labels {labels.shape}: expected one of each for "
            "every track, and a track"
        )
    of_group, row = np.unique(groups, return_inverse=True)
    of_label, column = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(of_group), len(of_label)), np.int64)
    np.add.at(counts, (row, column), 1)
    return counts


def same_groups(
    old: Sequence[set[str]], new: Sequence[set[str]], *, least_overlap: float
) -> dict[int, int]:
    """Return which new group is which old one: the index in `old` by the index in `new`.

    Parameters
    ----------
    old, new
        The tracks of each group. Tracks that are only in one of the two groupings say nothing.
    least_overlap
        What share of the tracks in either group has to be in both (Jaccard 1901), 0 to 1.
    """
    from scipy.optimize import linear_sum_assignment

    common = set().union(*old) & set().union(*new)
    old, new = ([group & common for group in groups] for groups in (old, new))
    overlap = np.array([[_jaccard(before, after) for before in old] for after in new])
    if overlap.size == 0:
        return {}
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    return {
        int(after): int(before)
        for after, before in zip(rows, columns, strict=True)
        if overlap[after, before] >= least_overlap
    }


def _jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / max(1, len(a | b))
