"""The order of playlists: small steps, and arcs of energy."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.discovery.playlists import flow
from tonotope.discovery.playlists.flow import (
    MusicalFacts,
    arc_costs,
    arc_targets,
    order_by_cost,
    order_cost,
    step_costs,
)
from tonotope.discovery.playlists.spacing import Rule, n_broken, space_out


def music(tempo=(120, 120), key=("8A", "8A"), loudness=(-10, -10)) -> MusicalFacts:
    numbers = [np.array(values, float) for values in (tempo, loudness)]
    return MusicalFacts(numbers[0], list(key), numbers[1], np.zeros(len(tempo)))


def step(facts: MusicalFacts) -> float:
    costs = step_costs(np.zeros((2, 2)), facts)
    assert costs[0, 1] == costs[1, 0]
    return costs[0, 1]


# Steps, by hand


@pytest.mark.parametrize(
    ("tempi", "cost"),
    [((120, 120), 0), ((64, 128), 0), ((128, 64), 0), ((100, 100 * 2 ** (1 / 8)), 0.5),
     ((100, 200 * 2 ** (1 / 8)), 0.5), ((100, 150), 1), ((np.nan, 100), 0.5), ((0, 100), 0.5)],
)  # fmt: skip
def test_tempi_with_half_and_double_time(tempi: tuple[float, float], cost: float) -> None:
    assert step(music(tempo=tempi)) == pytest.approx(cost)


@pytest.mark.parametrize(
    ("keys", "cost"),
    [(("8A", "8A"), 0), (("8A", "8B"), 0.25), (("12A", "1A"), 0.25), (("8A", "10B"), 0.75),
     (("1A", "7B"), 1), ((None, "1A"), 0.5), (("1A", None), 0.5)],
)  # fmt: skip
def test_steps_on_the_camelot_wheel(keys: tuple[str | None, str | None], cost: float) -> None:
    assert step(music(key=keys)) == cost


@pytest.mark.parametrize(
    ("loudness", "cost"), [((-10, -13), 0.5), ((-10, -30), 1), ((np.nan, -10), 0.5)]
)
def test_loudness(loudness: tuple[float, float], cost: float) -> None:
    assert step(music(loudness=loudness)) == cost


def test_sound_is_added() -> None:
    assert step_costs(np.array([[0, 1.5], [1.5, 0]]), music())[0, 1] == 1.5


# Arcs


def test_targets_have_every_rank_once() -> None:
    for arc in flow.ARCS:
        for n in (1, 2, 11, 30):
            assert np.allclose(np.sort(arc_targets(n, arc)), np.linspace(0, 1, n))
    assert arc_targets(3, "up").tolist() == [0, 0.5, 1]
    assert arc_targets(3, "down").tolist() == [1, 0.5, 0]
    wave = arc_targets(24, "wave")
    assert max(wave[0], wave[-1]) < 0.2
    assert 0.2 > wave[11] < wave[6] > 0.8 < wave[18]


def test_energy_that_is_unknown_is_in_the_middle() -> None:
    costs = arc_costs(np.array([0.9, np.nan, 0.1]), "up")
    assert costs.argmin(axis=1).tolist() == [2, 1, 0]


# Search


def problem(n: int, seed: int, n_artists: int, with_arc: bool):
    rng = np.random.default_rng(seed)
    steps = rng.random((n, n))
    steps += steps.T
    places = 3 * rng.random((n, n)) if with_arc else None
    rules = [Rule(rng.integers(0, n_artists, n).tolist(), 1)]
    return steps, places, rules


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 12), st.integers(0, 10**6), st.booleans(), st.booleans())
def test_changes_are_what_the_moves_cost(n: int, seed: int, with_arc: bool, inner: bool) -> None:
    steps, places, _ = problem(n, seed, 3, with_arc)
    order = np.random.default_rng(seed).permutation(n).tolist()
    begin, end = (1, n - 1) if inner and n > 4 else (0, n)
    before = order_cost(steps, places, order)
    moves = flow._Moves(steps, places, order, begin, end)
    for run in range(min(3, end - begin - 1) + 1):
        changes = moves._moved(run) if run else moves._reversed()
        for start, to in zip(*np.nonzero(np.isfinite(changes)), strict=True):
            moved = flow._Move(run, begin + int(start), begin + int(to)).applied_to(order)
            assert sorted(moved) == list(range(n))
            assert moved[:begin] == order[:begin]
            assert moved[end:] == order[end:]
            change = order_cost(steps, places, moved) - before
            assert change == pytest.approx(changes[start, to], abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 7), st.integers(0, 10**6), st.booleans(), st.integers(2, 5))
def test_a_search_keeps_the_rules_and_comes_near_the_best(
    n: int, seed: int, with_arc: bool, n_artists: int
) -> None:
    steps, places, rules = problem(n, seed, n_artists, with_arc)
    spaced = space_out(rules, keep_first=not with_arc)
    order = order_by_cost(steps, places, rules, spaced.order, keep_first=not with_arc)
    assert sorted(order) == list(range(n))
    assert n_broken(rules, order) <= n_broken(rules, spaced.order)
    if not with_arc:
        assert order[0] == 0
    ways = ([0, *rest] for rest in permutations(range(1, n))) if not with_arc else (
        list(way) for way in permutations(range(n))
    )  # fmt: skip
    best = min(
        order_cost(steps, places, way)
        for way in ways
        if n_broken(rules, way) <= n_broken(rules, spaced.order)
    )
    assert best - 1e-9 <= order_cost(steps, places, order) <= 1.6 * best + 1e-9


def a_list(n: int = 40, seed: int = 1) -> tuple[np.ndarray, MusicalFacts]:
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(n, 10))
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    facts = MusicalFacts(
        rng.uniform(60, 180, n),
        rng.choice(["1A", "3B", "8A", "8B", "11A"], n).tolist(),
        rng.uniform(-20, -6, n),
        rng.random(n),
    )
    return step_costs(distances / np.median(distances), facts), facts


def test_a_flow_is_smoother_than_the_same_tracks_at_random() -> None:
    steps, _ = a_list()
    rules = [Rule([k % 9 for k in range(40)], 2)]
    order = order_by_cost(steps, None, rules, list(range(40)), keep_first=True)
    rng = np.random.default_rng(0)
    random = [order_cost(steps, None, [0, *(1 + rng.permutation(39))]) for _ in range(200)]
    assert order_cost(steps, None, order) < 0.75 * min(random)
    assert n_broken(rules, order) == 0


@pytest.mark.parametrize("arc", flow.ARCS)
def test_an_arc_is_followed(arc: flow.Arc) -> None:
    steps, facts = a_list()
    rules = [Rule([None] * 40, 1)]
    order = order_by_cost(
        steps, arc_costs(facts.energy, arc), rules, list(range(40)), keep_first=False
    )
    targets = arc_targets(40, arc)
    assert np.corrcoef(targets, np.argsort(np.argsort(facts.energy[order])))[0, 1] > 0.9
    # And yet its steps are smaller than those of the arc alone.
    alone = flow._by_place(arc_costs(facts.energy, arc), list(range(40)), keep_first=False)
    assert order_cost(steps, None, order) < order_cost(steps, None, alone)


def test_a_long_list_is_improved_stretch_by_stretch(monkeypatch) -> None:
    monkeypatch.setattr(flow, "_STRETCH", 12)
    steps, _ = a_list(60)
    order = list(range(60))
    improved = flow._improved(steps, None, [Rule([None] * 60, 1)], order, keep_first=True)
    assert sorted(improved) == order
    assert improved[0] == 0
    assert order_cost(steps, None, improved) < 0.8 * order_cost(steps, None, order)
