"""A metric that is learned from tracks that belong together.

Listeners know better than any preset what belongs together: what they put into one list, liked
after one another, or play alike. From such groups a weight is learned for each column of the
places, so that members of a group come nearer to each other than to tracks picked at random. The
metric stays a sum over columns, and so over the parts: it can be said how much each part counts.

The weights w, none below 0.0001, minimise

    mean over triplets of ln(1 + exp(s · w·(p - q))) + 10 · (t - 1)²
        + 1 / (trust · n_links) · (Σ over parts of n_parts (m - 1)² + Σ over columns of (w - m)²)

where p and q are the squared differences, column by column, of a track to one of its group and to
one picked at random, or known not to belong to it; s is their scale (of a triplet that is near each
other its own), and m and t are the means of w in a part and over all. A group of n tracks has n - 1
links, as all that is more follows from them; what is known not to belong is a link, too. It is
convex, so there is one answer. Without evidence it is 1 everywhere: what was set before stays.
Little evidence moves whole parts, more of it single columns.

References
----------
M. Schultz, T. Joachims, "Learning a distance metric from relative comparisons", NIPS 2003 (the
diagonal metric from triplets); B. McFee, L. Barrington, G. Lanckriet, "Learning content similarity
for music recommendation", TASLP 20(8), 2012 (from listeners).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

__all__ = ["LearnedMetric", "Objective", "learn_metric"]

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

_MOST_PAIRS = 4000
_STRANGERS = 5
# A listener who skips a lot refuses thousands beside each of thousands he likes.
_MOST_REFUSALS = _MOST_PAIRS * _STRANGERS
# Not 0, so that what was learned can be taken back.
_LEAST_WEIGHT = 1e-4
# How firmly the mean of the weights stays 1, lest they shrink where groups tell nothing.
_SIZE_KEPT = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class LearnedMetric:
    """How much columns and parts count.

    Attributes
    ----------
    column_weights
        What squared differences are multiplied by, shape (n_columns,), float32, none below 0.
        Tracks picked at random stay as far apart, in the mean square.
    part_weights
        By what factor the say of each part has changed, by its name.
    n_links
        From how many links it was learned.
    """

    column_weights: Float32Array
    part_weights: dict[str, float]
    n_links: int


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """What the weights minimise, see the module.

    Attributes
    ----------
    differences
        Of each triplet ``s · (p - q)``, shape (n_triplets, n_columns).
    part_means
        Takes weights to their mean in each part, shape (n_parts, n_columns).
    part_of
        The part of each column, shape (n_columns,).
    overall_mean
        Takes weights to their mean over all, shape (n_columns,).
    strength
        ``1 / (trust · n_links)``.
    """

    differences: Float64Array
    part_means: Float64Array
    part_of: NDArray[np.intp]
    overall_mean: Float64Array
    strength: float

    def __call__(self, weights: Float64Array) -> tuple[float, Float64Array]:
        """Return the value at some weights, and its gradient."""
        margins = self.differences @ weights
        slopes = 1 / (1 + np.exp(-np.clip(margins, -500, 500)))
        means = self.part_means @ weights
        apart = weights - means[self.part_of]
        n_parts = len(means)
        excess = self.overall_mean @ weights - 1
        value = (
            np.logaddexp(0, margins).mean()
            + _SIZE_KEPT * excess**2
            + self.strength * (n_parts * np.sum((means - 1) ** 2) + np.sum(apart**2))
        )
        gradient = self.differences.T @ slopes / len(slopes)
        gradient += 2 * _SIZE_KEPT * excess * self.overall_mean
        # Of the means within a part, what the columns' gradients of `apart` add up to.
        summed = np.bincount(self.part_of, apart, n_parts)
        gradient += (2 * self.strength) * (
            apart + self.part_means.T @ (n_parts * (means - 1) - summed)
        )
        return float(value), gradient


def learn_metric(
    places: Float32Array,
    parts: Mapping[str, slice],
    groups: Sequence[Collection[int]],
    *,
    apart: Sequence[tuple[int, int]] = (),
    trust: float = 1.0,
    seed: int = 0,
) -> LearnedMetric:
    """Learn how much each column counts from tracks that belong together.

    Parameters
    ----------
    places
        The library, shape (n_tracks, n_columns).
    parts
        Which columns belong to each part; together all of them.
    groups
        Rows: those of a group belong together. A pair is a group of two. Of groups that have more
        than 4000 pairs together, so many are drawn.
    apart
        Pairs of rows that do not belong together. They count where one of the two belongs to a
        group: its members are to be nearer to it than the other is. Where that makes more than
        20 000 comparisons, about so many are drawn.
    trust
        How much evidence counts against what was set: at 1, ten links move weights a little, and
        a hundred by much, if they agree.
    seed
        Draws pairs and strangers.

    Raises
    ------
    ValueError
        If there is no such row, or `trust` is not above 0.
    """
    if not 0 < trust < np.inf:
        raise ValueError(f"trust is {trust}, expected a number above 0.")
    members = [sorted(set(map(int, group))) for group in groups]
    for row in (row for group in [*members, *apart] for row in group):
        if not 0 <= row < len(places):
            raise ValueError(f"there is no row {row}, expected 0 to {len(places) - 1}.")
    rng = np.random.default_rng(seed)
    triplets = _triplets(members, apart, len(places), rng)
    grouped = {row for group in members if len(group) > 1 for row in group}
    n_links = sum(len(group) - 1 for group in members if group)
    n_links += sum(not grouped.isdisjoint(pair) for pair in apart)
    n_columns = places.shape[1]
    if len(triplets) == 0:
        return LearnedMetric(np.ones(n_columns, np.float32), dict.fromkeys(parts, 1.0), 0)
    from scipy.optimize import minimize

    query, friend, stranger = places[triplets.T].astype(np.float64)
    near, far = np.square(query - friend), np.square(query - stranger)
    differences = near - far
    # What is said not to belong is often near, and would not count beside tracks picked at random.
    scale = np.minimum(np.abs(differences.sum(axis=1)).mean(), (near + far).sum(axis=1))
    differences /= np.maximum(scale, 1e-12)[:, np.newaxis]
    say = places.var(axis=0, dtype=np.float64) + 1e-12
    part_of, means = _means_of_parts(parts, say)
    objective = Objective(differences, means, part_of, say / say.sum(), 1 / (trust * n_links))
    found = minimize(
        objective,
        np.ones(n_columns),
        jac=True,
        method="L-BFGS-B",
        bounds=[(_LEAST_WEIGHT, None)] * n_columns,
    )
    weights = found.x * (say.sum() / float(say @ found.x))
    changes = dict(zip(parts, (means @ weights).tolist(), strict=True))
    return LearnedMetric(weights.astype(np.float32), changes, n_links)


def _means_of_parts(
    parts: Mapping[str, slice], say: Float64Array
) -> tuple[NDArray[np.intp], Float64Array]:
    """Return the part of each column, and what takes weights to their mean in each part.

    Columns count by how much they vary: the mean is by how much the say of a part changes.
    """
    part_of = np.zeros(len(say), np.intp)
    means = np.zeros((len(parts), len(say)))
    for number, columns in enumerate(parts.values()):
        part_of[columns] = number
        means[number, columns] = say[columns] / say[columns].sum()
    return part_of, means


def _triplets(
    groups: Sequence[Sequence[int]],
    apart: Sequence[tuple[int, int]],
    n_tracks: int,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Return rows of (track, one of its group, one of none of its groups), shape (n, 3)."""
    known: defaultdict[int, set[int]] = defaultdict(set)
    for a, b in apart:
        known[a].add(b)
        known[b].add(a)
    friends: dict[int, set[int]] = {}
    for group in groups:
        for row in group:
            friends.setdefault(row, set()).update(group)
    refused = {row: sorted(known[row] - friends[row]) for row in friends}
    pairs = _pairs(groups, rng)
    share = min(1.0, _MOST_REFUSALS / max(1, sum(len(refused[row]) for row, _ in pairs)))
    triplets: list[tuple[int, int, int]] = []
    for row, friend in pairs:
        strangers = [
            stranger
            for stranger in rng.integers(n_tracks, size=_STRANGERS).tolist()
            if stranger not in friends[row]
        ]
        strangers += _drawn(refused[row], share, rng)
        triplets += [(row, friend, stranger) for stranger in strangers]
    return np.array(triplets, np.intp).reshape(-1, 3)


def _drawn(rows: Sequence[int], share: float, rng: np.random.Generator) -> Sequence[int]:
    """Return a share of some rows, at random; of few of them one at least."""
    n_drawn = ceil(share * len(rows))
    if n_drawn == len(rows):
        return rows
    drawn: list[int] = rng.choice(rows, n_drawn, replace=False).tolist()
    return drawn


def _pairs(groups: Sequence[Sequence[int]], rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return ordered pairs of tracks of one group; each group as often as it has pairs."""
    sizes = np.array([len(group) * (len(group) - 1) for group in groups])
    if sizes.sum() <= _MOST_PAIRS:
        return [(a, b) for group in groups for a in group for b in group if a != b]
    pairs = []
    for chosen in rng.choice(len(groups), _MOST_PAIRS, p=sizes / sizes.sum()).tolist():
        a, b = rng.choice(groups[chosen], 2, replace=False).tolist()
        pairs.append((a, b))
    return pairs
