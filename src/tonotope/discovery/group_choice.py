"""How many groups: four measures of each number, and the rule that picks one.

The measures, each of the tracks in their main directions:

* *silhouette* (Rousseeuw 1987): how much nearer a track is to its own group than to the next, -1 to
  1, mean over the tracks; what is in no group counts as 0.
* *Davies–Bouldin* (1979): how wide groups are for how far they are apart; less is better.
* *Calinski–Harabasz* (1974): the spread between groups over that within, by degrees of freedom.
* *stability* (Ben-Hur, Elisseeff and Guyon 2002): the adjusted Rand index of two groupings, each
  found in another random four fifths of the tracks; mean over five pairs.

The rule: each measure ranks the numbers that were tried, and the best mean rank wins, of equal ones
the fewer groups. The measures have no common scale, and each alone has a bias (silhouette and
stability for two groups, Davies–Bouldin for many small ones), which ranks even out. Where tracks
may be left out of all groups, how many are is ranked as a fifth measure: the others do not see
them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_score,
)

from tonotope.discovery.groups import Labels, Method, TrackGroups, largest_first, principal
from tonotope.errors import InputError

__all__ = ["MOST_GROUPS", "Trial", "best_trial", "find_groups", "try_numbers"]

MOST_GROUPS = 24
"""More are not tried: nobody keeps them apart."""

# The measures are taken of so many tracks at most: silhouette needs all distances between two.
_MOST_TRIED = 2_000
_NUMBERS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 20, MOST_GROUPS)
# Of a group, on average, that is worth its name.
_FEWEST_PER_GROUP = 4
# Sizes of the smallest group, as shares of the tracks, where the method finds the number itself.
_SHARES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12)
_N_PAIRS = 5
_SHARE_RESAMPLED = 0.8
_N_INIT = 3


@dataclass(frozen=True, slots=True)
class Trial:
    """A number of groups, and how well the tracks fall into so many.

    Attributes
    ----------
    k
        How many groups there are.
    smallest
        What ``hdbscan`` was told of the smallest group's share; None for the other methods.
    apart
        Share of tracks that are in none, 0 to 1.
    silhouette, davies_bouldin, calinski_harabasz, stability
        See above.
    mean_rank
        Over the measures, 1 for the best of all at everything.
    """

    k: int
    smallest: float | None
    apart: float
    silhouette: float
    davies_bouldin: float
    calinski_harabasz: float
    stability: float
    mean_rank: float = 1.0

    def document(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def find_groups(
    places: NDArray[np.floating[Any]],
    method: Method,
    k: int | None,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Labels, list[dict[str, Any]]]:
    """Group tracks, into as many groups as the measures say or as are asked for.

    Parameters
    ----------
    places, method, k, on_progress
        As for `try_numbers`.
    seed
        Of samples and beginnings.

    Returns
    -------
    labels : ndarray
        Shape (n_tracks,), the largest group first; -1 for what is in none.
    choice : list of dict
        What the number was chosen by: each `Trial.document` with whether it is ``"chosen"``.

    Raises
    ------
    InputError
        If the tracks do not fall into two groups.
    """
    rng = np.random.default_rng(seed)
    trials = []
    if (places != places[0]).any():  # agglomeration would cut up what is all the same
        trials = try_numbers(places, method, k=k, rng=rng, on_progress=on_progress)
    if trials:
        best = best_trial(trials)
        model = TrackGroups(best.k, method=method, random_state=seed)
        if best.smallest is not None:
            model.set_params(smallest=best.smallest)
        labels = largest_first(model.fit(places).labels_)
        if labels.max() > 0:
            return labels, [trial.document() | {"chosen": trial is best} for trial in trials]
    raise InputError(
        f"{method} finds no two groups among {len(places)} tracks. Name another --method or "
        "another --space."
    )


def try_numbers(
    places: NDArray[np.floating[Any]],
    method: Method,
    *,
    k: int | None,
    rng: np.random.Generator,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Trial]:
    """Measure groupings of some tracks, of at most 2000 picked at random.

    Parameters
    ----------
    places
        Shape (n_tracks, n_columns); at least 4 tracks.
    method
        How they are grouped.
    k
        The one number to be measured; None for all from 2 to 24, of four tracks a group or more on
        average, or, for ``hdbscan``, seven sizes of the smallest group.
    rng
        Picks the sample, and what is left out to see whether the groups are stable.
    on_progress
        Called with how many of how many groupings are measured.

    Returns
    -------
    list of Trial
        By rising number; empty where ``hdbscan`` never finds two groups.
    """
    if len(places) > _MOST_TRIED:
        places = places[np.sort(rng.choice(len(places), _MOST_TRIED, replace=False))]
    places = principal(places)
    models = _models(method, k, len(places), int(rng.integers(2**31)))
    trials = []
    for n_done, model in enumerate(models):
        if on_progress is not None:
            on_progress(n_done, len(models))
        trial = _measured(places, model, rng)
        if trial is not None:
            trials.append(trial)
    if on_progress is not None:
        on_progress(len(models), len(models))
    return _ranked(sorted(trials, key=lambda trial: trial.k))


def best_trial(trials: Sequence[Trial]) -> Trial:
    """Return the one with the best mean rank, of equal ones that with fewer groups."""
    return min(trials, key=lambda trial: (trial.mean_rank, trial.k))


def _models(method: Method, k: int | None, n_tracks: int, seed: int) -> list[TrackGroups]:
    def model(**options: Any) -> TrackGroups:
        return TrackGroups(method=method, n_init=_N_INIT, random_state=seed, **options)

    if method == "hdbscan":
        return [model(smallest=share) for share in _SHARES]
    if k is not None:
        return [model(n_clusters=k)]
    most = max(2, n_tracks // _FEWEST_PER_GROUP)
    return [model(n_clusters=number) for number in _NUMBERS if number <= most]


def _measured(
    places: NDArray[np.floating[Any]], model: TrackGroups, rng: np.random.Generator
) -> Trial | None:
    labels = model.fit(places).labels_
    inside = labels >= 0
    k = len(np.unique(labels[inside]))
    if not 2 <= k < inside.sum():
        return None
    grouped = places[inside], labels[inside]
    return Trial(
        k=k,
        smallest=model.smallest if model.method == "hdbscan" else None,
        apart=float(1 - inside.mean()),
        silhouette=float(silhouette_score(*grouped) * inside.mean()),
        davies_bouldin=float(davies_bouldin_score(*grouped)),
        calinski_harabasz=float(calinski_harabasz_score(*grouped)),
        stability=_stability(places, model, rng),
    )


def _stability(
    places: NDArray[np.floating[Any]], model: TrackGroups, rng: np.random.Generator
) -> float:
    n_tracks = len(places)
    n_kept = max(round(_SHARE_RESAMPLED * n_tracks), min(model.n_clusters, n_tracks))

    def found_in_some() -> Labels:
        kept = places[rng.choice(n_tracks, n_kept, replace=False)]
        return model.fit(kept).predict(places)

    return float(
        np.mean([adjusted_rand_score(found_in_some(), found_in_some()) for _ in range(_N_PAIRS)])
    )


def _ranked(trials: list[Trial]) -> list[Trial]:
    if not trials:
        return []
    ranks = [
        rankdata([-trial.silhouette for trial in trials]),
        rankdata([trial.davies_bouldin for trial in trials]),
        rankdata([-trial.calinski_harabasz for trial in trials]),
        rankdata([-trial.stability for trial in trials]),
    ]
    if any(trial.apart for trial in trials):
        ranks.append(rankdata([trial.apart for trial in trials]))
    means = np.mean(ranks, axis=0).tolist()
    return [replace(trial, mean_rank=mean) for trial, mean in zip(trials, means, strict=True)]
