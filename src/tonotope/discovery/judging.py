"""Similarity spaces, judged side by side on the same tracks.

What a space is worth shows in the lists of nearest tracks that it gives; the measures are those of
`tonotope.discovery.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.metrics import lists as list_metrics
from tonotope.discovery.metrics import neighbours as metrics
from tonotope.discovery.metrics.intervals import bootstrap_intervals
from tonotope.discovery.paths import find_path
from tonotope.discovery.recordings import TrackFacts

__all__ = ["HEADLINE", "TASKS", "JudgedSpace", "TrackLabels", "judge_spaces"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

_Task = tuple[str, tuple[str, ...]]

TASKS: Mapping[str, _Task] = {
    "genre": ("genre", ()),
    "genre_artist_filter": ("genre", ("artist",)),
    "genre_artist_album_filter": ("genre", ("artist", "album")),
    "artist": ("artist", ()),
    "artist_album_filter": ("artist", ("album",)),
}
"""From what is looked for to the label that counts and the labels that a list must not repeat."""

HEADLINE = "genre_artist_filter"
"""The task of which the intervals are."""

# Lists for any use, and those of other artists' tracks: no label counts, all are candidates.
_PLAIN: _Task = ("", ())
_SPREAD: _Task = ("", ("artist",))

# Paths between so many pairs of tracks, each of so many tracks.
_N_PATHS = 20
_N_ON_PATH = 8

_BLOCK_ROWS = 256
_N_DIGITS = 4


@dataclass(frozen=True, slots=True, eq=False)
class TrackLabels:
    """What is known of the tracks, by which spaces are judged.

    Attributes
    ----------
    genre, artist, album
        Shape (n_tracks,), a number per label from 0 on, -1 where unknown.
    facts
        What the rules of paths need to know of each track.
    """

    genre: IndexArray
    artist: IndexArray
    album: IndexArray
    facts: Sequence[TrackFacts]

    def of(self, name: str) -> IndexArray:
        """Return the labels of one kind."""
        labels: IndexArray = getattr(self, name)
        return labels


@dataclass(frozen=True, slots=True, eq=False)
class JudgedSpace:
    """A space that is to be judged.

    Attributes
    ----------
    name
        What it is called.
    places
        A Euclidean space, shape (n_tracks, n_columns): of diversity and paths.
    distances
        Given rows, shape (n_rows,), returns the distances from these to all tracks, shape
        (n_rows, n_tracks): the neighbours are by these, corrected or not.
    is_default
        Whether it is the one that answers people.
    """

    name: str
    places: NDArray[np.float32]
    distances: Callable[[IndexArray], NDArray[np.float32]]
    is_default: bool = False


def judge_spaces(
    spaces: Sequence[JudgedSpace],
    labels: TrackLabels,
    *,
    k: int,
    plays: NDArray[Any] | None = None,
    baseline: str | None = None,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return every measure of some spaces.

    Quadratic in the number of tracks; memory is that of 256 tracks' distances.

    Parameters
    ----------
    spaces
        Of the same tracks, 2 at least.
    labels
        Of these tracks.
    k
        How long the lists are.
    plays
        How often each track was played, shape (n_tracks,). Without, novelty goes by in how many
        lists a track is.
    baseline
        The space that the others' headline is compared with, if it is among them.
    seed
        Of draws.
    on_progress
        Called with how many of how many steps are done.

    Returns
    -------
    dict
        ``"k"``, ``"n"``, ``"labels"`` (how many of each kind there are), the precision by task that
        lists drawn at random would have (``"chance"``) and the best possible (``"best"``), and
        ``"spaces"``, a dict each; ``"novelty_by"``, plays or lists; ``"notes"``, lines on what a
        reader must know. See
        ``docs/discovery.md``. What cannot be measured for want of labels is None.
    """
    n_tracks = len(labels.genre)
    if n_tracks < 2:
        raise ValueError(f"{n_tracks} tracks: nothing has a neighbour")
    tasks = {name: task for name, task in TASKS.items() if _is_possible(task, labels)}
    judged = []
    for number, space in enumerate(spaces):
        n_done = number * n_tracks

        def step(done: int, n_before: int = n_done) -> None:
            if on_progress is not None:
                on_progress(n_before + done, len(spaces) * n_tracks)

        judged.append(_Judgement.of(space, labels, tasks, k, step))
    # A space and its correction have the same places, and so the same paths.
    paths = {
        id(places): _paths(places, labels.facts, np.random.default_rng(seed))
        for places in {id(space.places): space.places for space in spaces}.values()
    }
    of_baseline = next((j.headline for j in judged if j.space.name == baseline), None)
    return {
        "k": k,
        "n": n_tracks,
        "labels": {
            name: {
                "n": len(set(labels.of(name).tolist()) - {-1}),
                "n_tracks": int((labels.of(name) >= 0).sum()),
            }
            for name in ("genre", "artist", "album")
        },
        **_bounds(tasks, labels, k),
        "spaces": [
            one.document(labels, None if one.space.name == baseline else of_baseline, plays, seed)
            | {"paths": paths[id(one.space.places)]}
            for one in judged
        ],
        "novelty_by": "lists" if plays is None else "plays",
        "notes": _notes(labels, k),
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Judgement:
    """A space with its lists and what these score, per track."""

    space: JudgedSpace
    plain: IndexArray
    spread: IndexArray
    scores: Mapping[str, tuple[FloatArray, FloatArray]]

    @classmethod
    def of(
        cls,
        space: JudgedSpace,
        labels: TrackLabels,
        tasks: Mapping[str, _Task],
        k: int,
        on_row: Callable[[int], None],
    ) -> _Judgement:
        """Make the lists, each distance being asked for once."""
        made: dict[_Task, list[IndexArray]] = {
            task: [] for task in {_PLAIN, _SPREAD, *tasks.values()}
        }
        n_tracks = len(labels.genre)
        for start in range(0, n_tracks, _BLOCK_ROWS):
            rows = np.arange(start, min(start + _BLOCK_ROWS, n_tracks))
            distances = space.distances(rows)
            for (label, filtered), blocks in made.items():
                lists_of_rows = metrics.nearest_lists(
                    distances,
                    k,
                    apart=[labels.of(name) for name in filtered],
                    candidates=labels.of(label) >= 0 if label else None,
                    rows=rows,
                )
                blocks.append(lists_of_rows)
            on_row(int(rows[-1]) + 1)
        lists = {task: np.concatenate(blocks) for task, blocks in made.items()}
        scores = {name: _scores(lists[task], task, labels) for name, task in tasks.items()}
        return cls(space, lists[_PLAIN], lists[_SPREAD], scores)

    @property
    def headline(self) -> FloatArray | None:
        """The precision of each track's list in the headline's task."""
        return self.scores[HEADLINE][0] if HEADLINE in self.scores else None

    def document(
        self,
        labels: TrackLabels,
        baseline: FloatArray | None,
        plays: NDArray[Any] | None,
        seed: int,
    ) -> dict[str, Any]:
        """Return all measures."""
        places, clusters = self.space.places, _clusters(labels)
        apart = list_metrics.mean_distance(places, np.random.default_rng(seed))
        diversity = _mean(list_metrics.intra_list_diversity(self.spread, places))
        met = metrics.k_occurrence(self.spread) if plays is None else plays
        return {
            "space": self.space.name,
            "is_default": self.space.is_default,
            **{name: self._task(name) for name in TASKS},
            "precision_ci": _interval(self.headline, clusters, seed),
            "against_baseline": None
            if baseline is None
            else self._against(baseline, clusters, seed),
            "hubness": {
                name: _rounded(x) for name, x in asdict(metrics.hubness(self.plain)).items()
            },
            "reachability": _rounded(metrics.reachability(self.plain)),
            "largest_component": _rounded(metrics.largest_component(self.plain)),
            "diversity": _rounded(diversity / apart) if diversity is not None and apart else None,
            "coverage": _rounded(list_metrics.coverage(self.spread, len(places))),
            "novelty_bits": _mean(list_metrics.novelty(self.spread, met)),
        }

    def _task(self, name: str) -> dict[str, Any] | None:
        if name not in self.scores:
            return None
        precision, ndcg = self.scores[name]
        return {
            "precision": _mean(precision),
            "ndcg": _mean(ndcg),
            "n": int(np.isfinite(precision).sum()),
        }

    def _against(self, baseline: FloatArray, clusters: IndexArray, seed: int) -> dict[str, Any]:
        assert self.headline is not None
        difference = self.headline - baseline
        return {"difference": _mean(difference), "ci": _interval(difference, clusters, seed)}


def _notes(labels: TrackLabels, k: int) -> list[str]:
    n_tracks = len(labels.genre)
    notes = []
    if k >= n_tracks:
        notes.append(f"Lists hold {n_tracks - 1} tracks and not {k}: there are no more others.")
    for name in ("genre", "artist", "album"):
        known = labels.of(name)[labels.of(name) >= 0]
        if not len(known):
            notes.append(f"No track's {name} is known: nothing is measured by it.")
        elif len(set(known.tolist())) == len(known):
            notes.append(f"No two tracks share their {name}: nothing is measured by it.")
        elif len(known) < n_tracks:
            notes.append(f"The {name} of {n_tracks - len(known)} of {n_tracks} tracks is unknown.")
    if not (labels.artist >= 0).any():
        notes.append("Intervals over tracks, for want of artists, are too narrow.")
    return notes


def _is_possible(task: _Task, labels: TrackLabels) -> bool:
    """Whether what is to be left out is known of some, and the label is then shared by two."""
    label, filtered = task
    is_known = all((labels.of(name) >= 0).any() for name in filtered)
    return is_known and bool(_n_relevant(label, filtered, labels).any())


def _n_relevant(label: str, filtered: Sequence[str], labels: TrackLabels) -> NDArray[np.int64]:
    return metrics.relevant_counts(labels.of(label), [labels.of(name) for name in filtered])


def _scores(lists: IndexArray, task: _Task, labels: TrackLabels) -> tuple[FloatArray, FloatArray]:
    """Return precision and nDCG of each list; NaN where no list could hold anything relevant."""
    label, filtered = task
    numbers, n_relevant = labels.of(label), _n_relevant(label, filtered, labels)
    precision = metrics.precision_at_k(lists, numbers)
    precision[n_relevant == 0] = np.nan
    return precision, metrics.ndcg_at_k(lists, numbers, n_relevant)


def _bounds(
    tasks: Mapping[str, _Task], labels: TrackLabels, k: int
) -> dict[str, dict[str, float | None]]:
    """Return by task what precision lists drawn at random have, and the best possible lists."""
    bounds: dict[str, dict[str, float | None]] = {
        "chance": dict.fromkeys(TASKS),
        "best": dict.fromkeys(TASKS),
    }
    for name, (label, filtered) in tasks.items():
        numbers, apart = labels.of(label), [labels.of(of) for of in filtered]
        is_judged = _n_relevant(label, filtered, labels) > 0
        bounds["chance"][name] = _mean(metrics.chance_precision(numbers, apart)[is_judged])
        bounds["best"][name] = _mean(metrics.best_precision(numbers, k, apart)[is_judged])
    return bounds


def _paths(
    places: NDArray[np.float32], facts: Sequence[TrackFacts], generator: np.random.Generator
) -> dict[str, Any]:
    """Return how smooth paths between tracks drawn at random are."""
    found = []
    for _ in range(_N_PATHS):
        start, end = generator.choice(len(places), 2, replace=False).tolist()
        if np.array_equal(places[start], places[end]):
            continue  # there is no way to go
        path = find_path(places, facts, start, end, _N_ON_PATH)
        found.append((len(path.rows), list_metrics.path_smoothness(places[path.rows])))
    gradual = [smoothness for n, smoothness in found if n > 2]
    return {
        "n": len(found),
        "found": _rounded(len(gradual) / len(found)) if found else None,
        "longest_step": _mean(np.array([way.longest_step for way in gradual])),
        "detour": _mean(np.array([way.detour for way in gradual])),
    }


def _clusters(labels: TrackLabels) -> IndexArray:
    """Return which tracks stand or fall together: those of one artist, others alone."""
    own = labels.artist.max() + 1 + np.arange(len(labels.artist))
    return np.where(labels.artist >= 0, labels.artist, own)


def _interval(values: FloatArray | None, clusters: IndexArray, seed: int) -> list[float] | None:
    """Return the 95 % interval over artists of a mean; None where there are not two artists."""
    if values is None:
        return None
    is_judged = np.isfinite(values)
    of_judged = values[is_judged]
    names, numbers = np.unique(clusters[is_judged], return_inverse=True)
    if len(names) < 2:
        return None
    ((low, high),) = bootstrap_intervals(
        numbers,
        lambda drawn: [float(of_judged[drawn].mean())],
        generator=np.random.default_rng(seed),
    )
    return [round(float(low), _N_DIGITS), round(float(high), _N_DIGITS)]


def _mean(values: FloatArray) -> float | None:
    known = values[np.isfinite(values)]
    return _rounded(known.mean()) if known.size else None


def _rounded(value: float) -> float:
    return round(float(value), _N_DIGITS)
