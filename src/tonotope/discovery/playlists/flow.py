"""The order of a playlist: every track a small step from the one before, or along an arc.

The cost of an order is the sum of its steps and, for an arc, of how far each track's energy is from
what the arc has in its place. A step is the sum of four parts:

- tempo: the octaves between the tempi, the nearer of as they are and at half or double time, over
  a quarter of an octave (126 to 150 bpm), at most 1;
- key: the steps between the keys on the Camelot wheel over 4, at most 1;
- loudness: the difference in LU over 6, at most 1;
- sound: the distance in the similarity space over a typical one.

What is unknown of one of two tracks costs a half. The best order is that of a travelling salesman
who does not come home: it is searched from a good beginning by reversing stretches (2-opt) and by
moving runs of one to three tracks (Or-opt), all such moves being weighed at once.

References
----------
G. A. Croes, "A method for solving traveling-salesman problems", Operations Research 6(6), 1958.
I. Or, "Traveling salesman-type combinatorial problems", PhD thesis, Northwestern University 1976.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.playlists.spacing import Rule, n_broken
from tonotope.features.key import CAMELOT, camelot_distance

__all__ = [
    "ARCS",
    "Arc",
    "MusicalFacts",
    "arc_costs",
    "arc_targets",
    "order_by_cost",
    "order_cost",
    "step_costs",
]

FloatArray = NDArray[np.float64]
Arc = Literal["up", "down", "wave"]
ARCS: tuple[Arc, ...] = ("up", "down", "wave")

_FULL_TEMPO_OCTAVES = 0.25
_FULL_KEY_STEPS = 4
_FULL_LOUDNESS_LU = 6.0
_UNKNOWN = 0.5
# A track whose energy is a third of the list away from its place in an arc costs about a step.
_ARC_WEIGHT = 12.0
# From one crest of a wave to the next: three quarters of an hour of songs.
_WAVE_TRACKS = 12
# Longer lists are improved stretch by stretch: weighing all moves takes the square of the length.
_STRETCH = 250
_LONGEST_RUN = 3
# How many of the best moves a round looks at, and how many rounds there are.
_MOVES_TRIED = 200
_MOST_ROUNDS = 100


@dataclass(frozen=True, slots=True, eq=False)
class MusicalFacts:
    """What an order goes by, of each track; NaN where unknown.

    Attributes
    ----------
    tempo_bpm, loudness_lufs
        Shape (n_tracks,).
    key
        Camelot codes; None where unknown.
    energy
        By which an arc rises and falls, of any scale, shape (n_tracks,).
    """

    tempo_bpm: FloatArray
    key: Sequence[str | None]
    loudness_lufs: FloatArray
    energy: FloatArray


def step_costs(distances: NDArray[np.floating], music: MusicalFacts) -> FloatArray:
    """Return what it costs to go from each track to each other, shape (n_tracks, n_tracks).

    Parameters
    ----------
    distances
        Between them in the similarity space, in typical distances, same shape.
    music
        Of them.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        octaves = np.abs(np.subtract.outer(*[np.log2(music.tempo_bpm)] * 2))
    octaves = np.minimum(octaves, np.abs(octaves - 1))  # half and double time
    loudness = np.abs(np.subtract.outer(music.loudness_lufs, music.loudness_lufs))
    codes = [_codes().get(key, -1) if key else -1 for key in music.key]
    parts = (octaves / _FULL_TEMPO_OCTAVES, _key_steps()[np.ix_(codes, codes)] / _FULL_KEY_STEPS,
             loudness / _FULL_LOUDNESS_LU)  # fmt: skip
    costs = distances.astype(np.float64)
    for part in parts:
        costs += np.where(np.isfinite(part), np.minimum(part, 1), _UNKNOWN)
    return costs


def arc_targets(n: int, arc: Arc) -> FloatArray:
    """Return the place that each track's energy has among all: from 0, the least, to 1.

    A wave begins and ends low and has a crest about every 12 tracks, at least one.
    """
    if n == 1:
        return np.zeros(1)
    way = np.linspace(0, 1, n)
    if arc == "up":
        heights = way
    elif arc == "down":
        heights = -way
    else:
        heights = -np.cos(2 * np.pi * max(1, round(n / _WAVE_TRACKS)) * way)
    return _ranks(heights)


def arc_costs(energy: FloatArray, arc: Arc) -> FloatArray:
    """Return what each track costs in each place, shape (n_tracks, n_tracks)."""
    known = np.isfinite(energy)
    middle = np.median(energy[known]) if known.any() else 0.0
    ranks = _ranks(np.where(known, energy, middle))
    costs: FloatArray = _ARC_WEIGHT * np.subtract.outer(ranks, arc_targets(len(ranks), arc)) ** 2
    return costs


def order_cost(steps: FloatArray, places: FloatArray | None, order: Sequence[int]) -> float:
    """Return what an order costs: its steps and, with an arc, its places."""
    rows = np.asarray(order, np.intp)
    cost = steps[rows[:-1], rows[1:]].sum()
    return float(cost + (0 if places is None else places[rows, np.arange(len(rows))].sum()))


def order_by_cost(
    steps: FloatArray,
    places: FloatArray | None,
    rules: Sequence[Rule],
    spaced: Sequence[int],
    *,
    keep_first: bool,
) -> list[int]:
    """Return a cheap order that breaks the rules no more often than a given one.

    Bounded: there are at most 100 rounds of moves in a stretch of 250 tracks, and every move that
    is made lowers the cost. Needs memory for a few arrays of the size of `steps`.

    Parameters
    ----------
    steps, places
        See `step_costs` and `arc_costs`, None for no arc.
    rules
        Which tracks stay apart.
    spaced
        An order that keeps them as far as possible.
    keep_first
        Whether its first track has to stay the first.
    """
    if places is None:
        order = _nearest_next(steps, spaced[0], rules)
    else:
        order = _by_place(places, spaced, keep_first)
    if n_broken(rules, order) > n_broken(rules, spaced):
        order = list(spaced)
    return _improved(steps, places, rules, order, keep_first)


def _nearest_next(steps: FloatArray, first: int, rules: Sequence[Rule]) -> list[int]:
    """Go on to the nearest track that the rules allow, if they allow any, again and again."""
    order = [first]
    free = np.ones(len(steps), np.bool_)
    free[first] = False
    while free.any():
        costs = np.where(free, steps[order[-1]], np.inf)
        for rule in rules:
            recent = {rule.keys[k] for k in order[-rule.gap :]} - {None} if rule.gap else set()
            costs[[k for k, key in enumerate(rule.keys) if key in recent]] += 1e6
        order.append(int(costs.argmin()))
        free[order[-1]] = False
    return order


def _by_place(places: FloatArray, spaced: Sequence[int], keep_first: bool) -> list[int]:
    """Give every place of an arc the track whose energy is to be there."""
    from scipy.optimize import linear_sum_assignment

    start = int(keep_first)
    tracks = np.asarray(spaced[start:], np.intp)
    rows, columns = linear_sum_assignment(places[tracks, start:])
    order = np.empty(len(tracks), np.intp)
    order[columns] = tracks[rows]
    return [*spaced[:start], *order.tolist()]


def _improved(
    steps: FloatArray,
    places: FloatArray | None,
    rules: Sequence[Rule],
    order: list[int],
    keep_first: bool,
) -> list[int]:
    """Make moves as long as one helps; in a long list within one stretch after another."""
    n = len(order)
    for begin in range(int(keep_first), n, _STRETCH // 2):
        end = min(n, begin + _STRETCH)
        for _ in range(_MOST_ROUNDS):
            moved = _after_good_moves(steps, places, rules, order, begin, end)
            if moved == order:
                break
            order = moved
        if end == n:
            break
    return order


def _after_good_moves(
    steps: FloatArray,
    places: FloatArray | None,
    rules: Sequence[Rule],
    order: list[int],
    begin: int,
    end: int,
) -> list[int]:
    """Return the order after the best moves within a stretch that do not touch one another."""
    moves = _Moves(steps, places, order, begin, end)
    broken = n_broken(rules, order)
    untouched = np.ones(len(order) + 1, np.bool_)
    for move in moves.best(_MOVES_TRIED):
        # What a move costs depends on the tracks that it moves and on the two beside them.
        touched = slice(max(0, move.first - 1), move.last + 2)
        if not untouched[touched].all():
            continue
        moved = move.applied_to(order)
        if n_broken(rules, moved) <= broken:
            order, broken = moved, n_broken(rules, moved)
            untouched[touched] = False
    return order


@dataclass(frozen=True, slots=True)
class _Move:
    """Turns a stretch round, or takes a run of tracks to a new beginning.

    Of a stretch (`run` is 0) `start` and `to` are the first and the last place.
    """

    run: int
    start: int
    to: int

    @property
    def first(self) -> int:
        return min(self.start, self.to)

    @property
    def last(self) -> int:
        return max(self.start, self.to) + max(0, self.run - 1)

    def applied_to(self, order: list[int]) -> list[int]:
        if self.run == 0:
            stretch = order[self.start : self.to + 1]
            return [*order[: self.start], *reversed(stretch), *order[self.to + 1 :]]
        rest = order[: self.start] + order[self.start + self.run :]
        moved = order[self.start : self.start + self.run]
        return [*rest[: self.to], *moved, *rest[self.to :]]


class _Moves:
    """By how much each move within a stretch of an order would change its cost.

    `steps` here has a row and a column more at each end: the tracks before and after the stretch,
    or nothing, to which all steps are free. `bonds[k]` is the step to the stretch's track k.
    """

    def __init__(
        self,
        steps: FloatArray,
        places: FloatArray | None,
        order: list[int],
        begin: int,
        end: int,
    ) -> None:
        self.begin = begin
        self.m = end - begin
        rows = np.asarray(order, np.intp)
        around = rows[np.clip(np.arange(begin - 1, end + 1), 0, len(order) - 1)]
        self.steps = steps[np.ix_(around, around)]
        for edge, is_outside in ((0, begin == 0), (-1, end == len(order))):
            if is_outside:
                self.steps[edge] = self.steps[:, edge] = 0
        self.bonds = self.steps.diagonal(1)
        stretch = rows[begin:end]
        self.places = None if places is None else places[stretch, begin:end]

    def best(self, n: int) -> list[_Move]:
        """Return the moves that lower the cost most, the best first."""
        runs = range(min(_LONGEST_RUN, self.m - 1) + 1)
        found: list[tuple[float, _Move]] = []
        for run in runs:
            change = self._moved(run) if run else self._reversed()
            good = np.flatnonzero(change < -1e-9)
            if len(good) > n:
                good = good[np.argpartition(change.flat[good], n)[:n]]
            for at in good.tolist():
                start, to = divmod(at, change.shape[1])
                move = _Move(run, self.begin + start, self.begin + to)
                found.append((float(change.flat[at]), move))
        found.sort(key=lambda each: each[0])
        return [move for _, move in found[:n]]

    def _reversed(self) -> FloatArray:
        """Of the stretches from each place to each later one, shape (m, m)."""
        m, bonds = self.m, self.bonds
        change = self.steps[:m, 1 : m + 1] + self.steps[1 : m + 1, 2:]
        change -= bonds[:m, np.newaxis] + bonds[np.newaxis, 1:]
        if self.places is not None:
            # sums[k, p] adds up what tracks k, k-1, ... cost at p, p+1, ...
            sums = np.zeros((m + 1, m + 1))
            for k in range(m):
                sums[k + 1, :m] = self.places[k] + sums[k, 1:]
            own = np.append(0, np.cumsum(self.places.diagonal()))
            change += sums[1:, :m].T - sums[:m, 1:] - own[np.newaxis, 1:] + own[:m, np.newaxis]
        change[np.tril_indices(m)] = np.inf
        return change

    def _moved(self, run: int) -> FloatArray:
        """Of the runs from each place, by the place where they would begin: (m-run+1, same)."""
        n = self.m - run + 1
        steps, bonds = self.steps, self.bonds
        out = steps.diagonal(run + 1) - bonds[:n] - bonds[run:]
        back = steps[:n, 1 : n + 1].T + steps[run : run + n, 1 : n + 1] - bonds[:n]
        on = steps[run : run + n, 1 : n + 1].T + steps[run : run + n, run + 1 :] - bonds[run:]
        earlier = np.tri(n, k=-1, dtype=np.bool_)  # it would begin before it does
        change = out[:, np.newaxis] + np.where(earlier, back, on)
        if self.places is not None:
            change += self._moved_places(run, earlier)
        np.fill_diagonal(change, np.inf)
        return change

    def _moved_places(self, run: int, earlier: NDArray[np.bool_]) -> FloatArray:
        assert self.places is not None
        n, places = len(earlier), self.places
        own = places.diagonal()
        change = sum(
            (places[r : r + n, r : r + n] - own[r : r + n, np.newaxis] for r in range(run)),
            np.zeros((n, n)),
        )
        # The tracks that it passes make way by its length.
        up = np.append(0, np.cumsum(places.diagonal(run) - own[: self.m - run]))
        down = np.append(0, np.cumsum(places.diagonal(-run) - own[run:]))
        shifted = np.where(
            earlier, up[:n, np.newaxis] - up[np.newaxis, :n], down[np.newaxis] - down[:, np.newaxis]
        )
        return np.asarray(change + shifted)


def _ranks(values: FloatArray) -> FloatArray:
    """Return each value's place among all, from 0 to 1; of equal ones the first is the lower."""
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.linspace(0, 1, len(values))
    return ranks


@cache
def _codes() -> dict[str, int]:
    return {code: k for k, code in enumerate(sorted(set(CAMELOT.values())))}


@cache
def _key_steps() -> FloatArray:
    """Return the steps between all keys; the last row and column are of what is unknown."""
    steps = np.full((len(_codes()) + 1,) * 2, np.nan)
    for a, row in _codes().items():
        for b, column in _codes().items():
            steps[row, column] = camelot_distance(a, b)
    return steps
