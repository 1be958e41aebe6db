"""Keeping one artist's tracks, and one album's, apart from each other.

A rule says that two tracks with the same key must have at least `gap` others between them. Whether
one rule can be kept is decided exactly: as the turn of whoever has most tracks left always comes
first, if it can come at all, and the order breaks where no order would hold. With two rules at once
(an album of many artists) the orders are searched, and the search is bounded.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import product

__all__ = ["Rule", "SpacedOrder", "n_broken", "space_out"]

# How many tracks the search may look ahead over, all its steps together: some seconds.
_SEARCH_BUDGET = 500_000


@dataclass(frozen=True, slots=True)
class Rule:
    """Tracks of one key stay apart.

    Attributes
    ----------
    keys
        Of each track; None, unknown, is somebody else each time.
    gap
        How many tracks of others at least come between two of one key.
    """

    keys: Sequence[Hashable | None]
    gap: int


@dataclass(frozen=True, slots=True)
class SpacedOrder:
    """An order of tracks, and how far apart it keeps them.

    Attributes
    ----------
    order
        Positions, each once.
    gaps
        Of each rule: what was asked for, or the most that can be kept; 0 where even neighbours
        have the same key.
    """

    order: list[int]
    gaps: tuple[int, ...]


def space_out(rules: Sequence[Rule], *, keep_first: bool = True) -> SpacedOrder:
    """Return an order in which the rules are kept, if there is one.

    The tracks keep their order as far as that is possible. Where the rules cannot be kept, the
    gaps of the later ones are narrowed before that of the first; where even a gap of one cannot,
    as few tracks as possible stand next to one of the same key.

    Parameters
    ----------
    rules
        All of one number of tracks; at least one rule.
    keep_first
        Whether the first track has to stay the first.
    """
    n = len(rules[0].keys)
    budget = _Budget(_SEARCH_BUDGET)
    for gaps in product(*(range(min(r.gap, _widest(r.keys)), -1, -1) for r in rules)):
        order = _order_with(rules, gaps, keep_first, budget)
        if order is not None:
            break
    if gaps[0] == 0 < rules[0].gap:
        order, gaps = _by_need(rules[0].keys, keep_first), (0,) * len(rules)
    # Where no key comes twice, every gap is kept.
    kept = (rule.gap if gap >= n - 1 else gap for rule, gap in zip(rules, gaps, strict=True))
    return SpacedOrder(order or [], tuple(kept))


def n_broken(rules: Sequence[Rule], order: Sequence[int]) -> int:
    """Return how many tracks of an order come too soon after another of their key."""
    n = 0
    for rule in rules:
        last: dict[Hashable, int] = {}
        for place, track in enumerate(order):
            key = rule.keys[track]
            if key is None:
                continue
            n += key in last and place - last[key] <= rule.gap
            last[key] = place
    return n


def _widest(keys: Sequence[Hashable | None]) -> int:
    """Return the widest gap that the commonest key leaves room for."""
    commonest = max(Counter(key for key in keys if key is not None).values(), default=1)
    return len(keys) if commonest == 1 else (len(keys) - 1) // (commonest - 1) - 1


class _Budget:
    """How many tracks may still be looked ahead over."""

    def __init__(self, n: int) -> None:
        self.n = n


def _order_with(
    rules: Sequence[Rule], gaps: Sequence[int], keep_first: bool, budget: _Budget
) -> list[int] | None:
    """Return an order that keeps these gaps; None if there is none, or the search gave up."""
    kept = [Rule(rule.keys, gap) for rule, gap in zip(rules, gaps, strict=True) if gap]
    if not kept:
        return list(range(len(rules[0].keys)))
    search = _Search(kept, budget)
    if not all(state.can_be_finished() for state in search.states):
        return None
    return search.plainly() or search.thoroughly(keep_first)


class _KeyState:
    """How far an order has come, as one rule sees it."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.n_left = Counter(key for key in rule.keys if key is not None)
        self.n_unknown = sum(key is None for key in rule.keys)
        self.places: dict[Hashable, list[int]] = {key: [] for key in self.n_left}
        self.n_placed = 0

    def allows(self, track: int) -> bool:
        key = self.rule.keys[track]
        places = self.places.get(key)
        return not places or self.n_placed - places[-1] > self.rule.gap

    def place(self, track: int) -> None:
        key = self.rule.keys[track]
        if key is None:
            self.n_unknown -= 1
        else:
            self.n_left[key] -= 1
            self.places[key].append(self.n_placed)
        self.n_placed += 1

    def take_back(self, track: int) -> None:
        key = self.rule.keys[track]
        if key is None:
            self.n_unknown += 1
        else:
            self.n_left[key] += 1
            self.places[key].pop()
        self.n_placed -= 1

    def can_be_finished(self) -> bool:
        """Whether the tracks left can follow with this rule kept: exact.

        Of those whose turn it may be, whoever has most left comes next: in any order that holds,
        the tracks of two artists can change hands from there on until that is so.
        """
        ready: list[tuple[int, int]] = []
        waiting: list[tuple[int, int]] = []  # from when on, how many
        for key, n in self.n_left.items():
            if n:
                places = self.places[key]
                since = places[-1] + self.rule.gap + 1 if places else 0
                if since > self.n_placed:
                    waiting.append((since, n))
                else:
                    ready.append((-n, 0))
        heapify(ready)
        cooling = deque(sorted(waiting))
        unknown = self.n_unknown
        place = self.n_placed
        while ready or cooling or unknown:
            while cooling and cooling[0][0] <= place:
                heappush(ready, (-cooling.popleft()[1], 0))
            if ready and (ready[0][0] < -1 or not unknown):
                n = -heappop(ready)[0] - 1
                if n:
                    cooling.append((place + self.rule.gap + 1, n))
            elif unknown:
                unknown -= 1
            else:
                return False
            place += 1
        return True


class _Search:
    """Looks for an order that keeps all rules, trying earlier tracks first."""

    def __init__(self, rules: Sequence[Rule], budget: _Budget) -> None:
        self.budget = budget
        self.n = len(rules[0].keys)
        self.states = [_KeyState(rule) for rule in rules]
        self._keys = list(zip(*(rule.keys for rule in rules), strict=True))

    def plainly(self) -> list[int] | None:
        """Take the first track that may come, again and again: quick, and often enough."""
        left, order = list(range(self.n)), list[int]()
        while left:
            track = next((t for t in left if self._allowed(t)), None)
            if track is None:
                break
            left.remove(track)
            order.append(track)
            for state in self.states:
                state.place(track)
        if not left:
            return order
        for track in reversed(order):
            for state in self.states:
                state.take_back(track)
        return None

    def thoroughly(self, keep_first: bool) -> list[int] | None:
        """Look ahead at each step, and go back where none was good."""
        order: list[int] = []
        left = [list(range(self.n))]
        untried = [iter([0] if keep_first else range(self.n))]
        tried: list[set[tuple[Hashable | None, ...]]] = [set()]
        while len(order) < self.n:
            track = next((t for t in untried[-1] if self._is_new(t, tried[-1])), None)
            if track is None:
                if not order:
                    return None
                for levels in (left, untried, tried):
                    levels.pop()
                self._take_back(order.pop())
                continue
            for state in self.states:
                state.place(track)
            self.budget.n -= (self.n - len(order)) * len(self.states)
            if self.budget.n < 0:
                self._take_back(track)
                return self._by_need(order, left[-1])
            if not all(state.can_be_finished() for state in self.states):
                self._take_back(track)
                continue
            order.append(track)
            left.append([t for t in left[-1] if t != track])
            untried.append(iter(left[-1]))
            tried.append(set())
        return order

    def _by_need(self, order: list[int], left: list[int]) -> list[int] | None:
        """Finish an order without looking ahead; of one rule, that always succeeds."""
        state = self.states[0]
        queues: dict[tuple[Hashable | None, ...], deque[int]] = {}
        for track in left:
            queues.setdefault(self._keys[track], deque()).append(track)
        while queues:
            firsts = [queue[0] for queue in queues.values() if self._allowed(queue[0])]
            if not firsts:
                return None
            track = max(firsts, key=lambda t: (state.n_left[state.rule.keys[t]], -t))
            queues[self._keys[track]].popleft()
            if not queues[self._keys[track]]:
                del queues[self._keys[track]]
            order.append(track)
            for each in self.states:
                each.place(track)
        return order

    def _allowed(self, track: int) -> bool:
        return all(state.allows(track) for state in self.states)

    def _is_new(self, track: int, tried: set[tuple[Hashable | None, ...]]) -> bool:
        """Whether a track may come next, and none like it has been tried in this place."""
        keys = self._keys[track]
        if keys in tried or not self._allowed(track):
            return False
        tried.add(keys)
        return True

    def _take_back(self, track: int) -> None:
        for state in self.states:
            state.take_back(track)


def _by_need(keys: Sequence[Hashable | None], keep_first: bool) -> list[int]:
    """Return an order in which whoever has more than half of what is left comes if he may."""
    own = [(k,) if key is None else (None, key) for k, key in enumerate(keys)]
    queues: dict[Hashable, deque[int]] = {}
    for k, key in enumerate(own):
        queues.setdefault(key, deque()).append(k)
    order: list[int] = []
    last: Hashable = None
    for n_left in range(len(keys), 0, -1):
        others = [key for key in queues if key != last] or list(queues)
        # If he does not come now, he will follow himself more often.
        pressing = [key for key in others if 2 * len(queues[key]) > n_left]
        is_pressed = pressing and (order or not keep_first)
        last = pressing[0] if is_pressed else min(others, key=lambda key: queues[key][0])
        order.append(queues[last].popleft())
        if not queues[last]:
            del queues[last]
    return order
