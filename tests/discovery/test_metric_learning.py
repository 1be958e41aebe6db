"""Learned metrics, on made data whose truth is known."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import check_grad

from tonotope.discovery.metric_learning import Objective, learn_metric

PARTS = {"timbre": slice(0, 8), "rhythm": slice(8, 16), "harmony": slice(16, 24)}


def made(n_groups: int = 60, size: int = 10, seed: int = 0) -> tuple[np.ndarray, list[list[int]]]:
    """Return tracks whose groups are alike in their rhythm alone."""
    rng = np.random.default_rng(seed)
    group_of = np.arange(n_groups * size) % n_groups
    places = rng.normal(size=(len(group_of), 24))
    places[:, PARTS["rhythm"]] = rng.normal(size=(n_groups, 8))[group_of]
    places[:, PARTS["rhythm"]] += 0.7 * rng.normal(size=(len(group_of), 8))
    groups = [np.flatnonzero(group_of == k).tolist() for k in range(n_groups)]
    return (places / np.sqrt(24)).astype(np.float32), groups


def share_of_group(places: np.ndarray, groups: list[list[int]], k: int = 5) -> float:
    """Return how many of the k nearest belong to the same group."""
    group_of = np.empty(len(places), int)
    for number, group in enumerate(groups):
        group_of[group] = number
    apart = np.linalg.norm(places[:, np.newaxis] - places, axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = np.argsort(apart, axis=1)[:, :k]
    return float((group_of[nearest] == group_of[:, np.newaxis]).mean())


def test_what_groups_have_in_common_is_found_and_helps_with_others() -> None:
    places, groups = made()
    metric = learn_metric(places, PARTS, groups[:30])
    assert metric.part_weights["rhythm"] > 2
    assert metric.part_weights["timbre"] < 0.5
    assert metric.part_weights["harmony"] < 0.5
    held_out = [[row for row in range(600) if row % 60 == k] for k in range(30, 60)]
    rows = np.concatenate(held_out)
    relabelled = [np.flatnonzero(np.isin(rows, group)).tolist() for group in held_out]
    before = share_of_group(places[rows], relabelled)
    after = share_of_group(places[rows] * np.sqrt(metric.column_weights), relabelled)
    assert after > before + 0.1


def test_one_column_that_matters_is_found_in_its_part() -> None:
    places, groups = made()
    rng = np.random.default_rng(1)
    places[:, PARTS["rhythm"]] = rng.normal(size=(600, 8)) / np.sqrt(24)
    places[:, 10] = np.repeat(rng.normal(size=60), 10).reshape(60, 10).T.ravel() / np.sqrt(24)
    metric = learn_metric(places, PARTS, groups)
    assert metric.column_weights.argmax() == 10
    assert metric.column_weights[10] > 3 * np.delete(metric.column_weights, 10).max()


def test_without_evidence_everything_stays() -> None:
    places, _ = made()
    for nothing in ([], [[3]], [[]], [[4, 4]]):
        metric = learn_metric(places, PARTS, nothing)
        np.testing.assert_array_equal(metric.column_weights, 1)
        assert metric.part_weights == dict.fromkeys(PARTS, 1.0)
        assert metric.n_links == 0
    random = np.random.default_rng(0).permutation(600).reshape(-1, 10).tolist()
    metric = learn_metric(places, PARTS, random)
    assert all(0.6 < weight < 1.5 for weight in metric.part_weights.values())


def test_more_evidence_moves_more_and_so_does_more_trust() -> None:
    places, groups = made()
    rhythm = [
        learn_metric(places, PARTS, groups[:n], trust=trust).part_weights["rhythm"]
        for n, trust in ((0, 1), (1, 1), (3, 1), (40, 1), (60, 10))
    ]
    assert rhythm == sorted(rhythm)
    assert 1.1 < rhythm[1] < 1.3
    assert rhythm[3] > 2
    cautious = learn_metric(places, PARTS, groups[:40], trust=0.01).part_weights["rhythm"]
    assert 1 < cautious < 1.1


def test_pairs_are_groups_of_two_and_the_seed_decides() -> None:
    places, groups = made()
    pairs = [[a, b] for group in groups for a, b in zip(group[::2], group[1::2], strict=True)]
    metric = learn_metric(places, PARTS, pairs, seed=1)
    assert metric.part_weights["rhythm"] > 1.8
    np.testing.assert_array_equal(
        metric.column_weights, learn_metric(places, PARTS, pairs, seed=1).column_weights
    )
    assert metric.n_links == 300


def test_tracks_at_random_stay_as_far_apart() -> None:
    places, groups = made()
    weighted = places * np.sqrt(learn_metric(places, PARTS, groups).column_weights)
    assert weighted.var(axis=0).sum() == pytest.approx(places.var(axis=0).sum(), rel=1e-3)
    assert (weighted[:, 0] != 0).any()


def objective(seed: int) -> Objective:
    means = np.zeros((2, 6))
    means[0, :2], means[1, 2:] = (0.3, 0.7), (0.1, 0.2, 0.3, 0.4)
    differences = np.random.default_rng(seed).normal(size=(30, 6))
    return Objective(differences, means, np.array([0, 0, 1, 1, 1, 1]), np.full(6, 1 / 6), 0.1)


@given(st.integers(0, 10**6))
def test_the_objective_is_convex_and_its_gradient_is_right(seed: int) -> None:
    rng = np.random.default_rng(seed)
    of = objective(seed)
    a, b = rng.exponential(size=(2, 6))
    assert of((a + b) / 2)[0] <= (of(a)[0] + of(b)[0]) / 2 + 1e-12
    assert check_grad(lambda w: of(w)[0], lambda w: of(w)[1], a) < 1e-5


@pytest.mark.parametrize(
    ("groups", "trust", "message"),
    [
        ([[0, 600]], 1, "there is no row 600, expected 0 to 599"),
        ([[-1, 3]], 1, "row -1"),
        ([[0, 1]], 0, "trust is 0"),
        ([[0, 1]], np.nan, "trust is nan"),
    ],
)
def test_refusals(groups, trust: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        learn_metric(made()[0], PARTS, groups, trust=trust)


def test_what_is_apart_takes_the_say_of_what_it_has_in_common() -> None:
    # Two columns: friends differ in both alike; strangers that were refused differ in one alone.
    rng = np.random.default_rng(0)
    places = rng.normal(size=(200, 2)).astype(np.float32)
    places[:10] *= 0.01
    places[10:20] = places[:10] + np.float32([0, 0.05])  # near, and yet refused
    parts = {"a": slice(0, 1), "b": slice(1, 2)}
    friends = [[k, (k + 1) % 10] for k in range(10)]
    pairs = [(10 + k, k) for k in range(10)]
    alone = learn_metric(places, parts, friends)
    told = learn_metric(places, parts, friends, apart=pairs * 20)
    assert told.column_weights[1] > 1.05 * alone.column_weights[1]
    # Of what belongs to nothing nothing follows.
    nothing = learn_metric(places, parts, [], apart=pairs)
    np.testing.assert_array_equal(nothing.column_weights, 1)
    with pytest.raises(ValueError, match="there is no row -1"):
        learn_metric(places, parts, friends, apart=[(0, -1)])


def test_very_many_refusals_take_no_more_memory_and_say_the_same() -> None:
    # As a radio keeps them: one seed, of which hundreds were liked and thousands skipped.
    places, groups = made(n_groups=10, size=300)
    liked, skipped = groups[0][1:], [row for group in groups[1:] for row in group[:200]]
    pairs = [[groups[0][0], row] for row in liked]
    apart = [(groups[0][0], row) for row in skipped]
    tracemalloc.start()
    many = learn_metric(places, PARTS, pairs, apart=apart)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6  # of 540 000 comparisons it would be 400 MB
    assert many.part_weights["rhythm"] > 2
    few = learn_metric(places, PARTS, pairs, apart=apart[::100])
    assert many.part_weights["rhythm"] >= few.part_weights["rhythm"] - 0.1
    assert many.n_links == len(liked) + len(skipped)
