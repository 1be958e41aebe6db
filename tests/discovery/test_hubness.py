"""Corrections of hubness: each as its paper writes it, and what holds of them all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tonotope.discovery.distances import distances_between
from tonotope.discovery.hubness import CORRECTIONS, correction_of


def places_of(n: int, d: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def between(queries: np.ndarray, places: np.ndarray) -> np.ndarray:
    return distances_between(queries, places, np.square(places).sum(axis=1))


# As the papers write it, for two of the library's tracks.


def mutual_proximity(d: np.ndarray, x: int, y: int) -> float:
    def survival(row: int) -> float:
        others = [d[row, j] for j in range(len(d)) if j != row]
        mean = sum(others) / len(others)
        variance = sum((other - mean) ** 2 for other in others) / len(others)
        return 0.5 * math.erfc((d[x, y] - mean) / math.sqrt(2 * variance))

    return 1 - survival(x) * survival(y)


def mutual_proximity_empiric(d: np.ndarray, x: int, y: int) -> float:
    n = len(d)
    beyond = sum(d[x, j] > d[x, y] and d[y, j] > d[y, x] for j in range(n))
    # The share, before the Euclidean distance decides between equals.
    return (n - beyond + d[x, y] / (1 + d[x, y])) / (n + 1)


def nearest(d: np.ndarray, row: int, k: int) -> list[float]:
    return sorted(d[row, j] for j in range(len(d)) if j != row)[:k]


def local_scaling(d: np.ndarray, x: int, y: int) -> float:
    return 1 - math.exp(-(d[x, y] ** 2) / (nearest(d, x, 10)[-1] * nearest(d, y, 10)[-1]))


def nicdm(d: np.ndarray, x: int, y: int) -> float:
    means = [sum(nearest(d, row, 10)) / 10 for row in (x, y)]
    return d[x, y] / math.sqrt(means[0] * means[1])


def csls(d: np.ndarray, x: int, y: int) -> float:
    means = [sum(near**2 for near in nearest(d, row, 10)) / 10 for row in (x, y)]
    return 2 * d[x, y] ** 2 - means[0] - means[1]


NAIVE = {f.__name__: f for f in (mutual_proximity, mutual_proximity_empiric, local_scaling, nicdm,
                                 csls)}  # fmt: skip


@pytest.mark.parametrize("name", CORRECTIONS)
def test_as_its_paper_writes_it(name: str) -> None:
    places = places_of(40)
    distances = between(places, places)
    corrected = CORRECTIONS[name]().fit(places).correct(distances)
    expected = [
        [NAIVE[name](distances.astype(np.float64), x, y) for y in range(40)] for x in range(40)
    ]
    others = ~np.eye(40, dtype=bool)
    np.testing.assert_allclose(corrected[others], np.array(expected)[others], rtol=2e-3, atol=1e-5)


def test_csls_is_the_papers_of_vectors_of_length_one() -> None:
    places = places_of(40)
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    cosines = (places @ places.T).astype(np.float64)
    np.fill_diagonal(cosines, -np.inf)
    mean = np.sort(cosines, axis=1)[:, -10:].mean(axis=1)
    expected = -2 * (2 * cosines - mean[:, np.newaxis] - mean)
    corrected = CORRECTIONS["csls"]().fit(places).correct(between(places, places))
    others = ~np.eye(40, dtype=bool)
    np.testing.assert_allclose(corrected[others], expected[others], atol=1e-4)


# What holds of them

libraries = hnp.arrays(
    np.float32, st.tuples(st.integers(2, 25), st.just(3)), elements=st.floats(-9, 9, width=16)
)


@pytest.mark.parametrize("name", CORRECTIONS)
@given(places=libraries)
@settings(max_examples=40)
def test_symmetric_and_finite(name: str, places: np.ndarray) -> None:
    # Places that are one make no difference who asks: whose usual distances are taken is told.
    rows = np.arange(len(places))
    distances = between(places, places)
    distances = np.minimum(distances, distances.T)
    corrected = CORRECTIONS[name](n_neighbours=3).fit(places).correct(distances, rows)
    assert corrected.dtype == np.float32
    assert np.isfinite(corrected).all()
    np.testing.assert_allclose(corrected, corrected.T, rtol=1e-3, atol=1e-3)
    if name in ("mutual_proximity", "mutual_proximity_empiric", "local_scaling"):
        assert (corrected >= 0).all()
        assert (corrected <= 1).all()


@pytest.mark.parametrize("name", CORRECTIONS)
@given(places=libraries, a=st.floats(0, 20), b=st.floats(0, 20))
@settings(max_examples=40)
def test_of_a_pair_that_comes_nearer_the_distance_does_not_grow(
    name: str, places: np.ndarray, a: float, b: float
) -> None:
    # Two tracks that are used to what they are used to, at any distance.
    correction = CORRECTIONS[name](n_neighbours=3).fit(places)
    usual = correction._usual[:1]
    near, far = (np.full((1, len(places)), d, np.float32) for d in sorted((a, b)))
    every = correction._usual[np.newaxis]
    nearer, farther = (correction._corrected(d, usual[:, np.newaxis], every) for d in (near, far))
    assert (nearer <= farther + 1e-6).all()


@pytest.mark.parametrize("name", CORRECTIONS)
def test_the_order_of_the_library_does_not_matter(name: str) -> None:
    places = places_of(30)
    order = np.random.default_rng(1).permutation(30)
    query = places_of(1, seed=9)
    one = CORRECTIONS[name]().fit(places).correct(between(query, places))[0]
    other = CORRECTIONS[name]().fit(places[order]).correct(between(query, places[order]))[0]
    np.testing.assert_allclose(one[order], other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", CORRECTIONS)
def test_a_query_that_is_a_track_is_known_by_its_place(name: str) -> None:
    places = places_of(30)
    correction = CORRECTIONS[name]().fit(places)
    distances = between(places[7:8], places)
    np.testing.assert_array_equal(
        correction.correct(distances), correction.correct(distances, np.array([7]))
    )


@pytest.mark.parametrize("name", CORRECTIONS)
def test_a_sample_of_references_stands_for_a_large_library(name: str) -> None:
    places = places_of(600, d=20)
    distances = between(places[:50], places)
    rows = np.arange(50)
    exact = CORRECTIONS[name](n_references=600).fit(places)
    sampled = CORRECTIONS[name](n_references=200, seed=3).fit(places)
    same = CORRECTIONS[name](n_references=200, seed=3).fit(places)
    other = CORRECTIONS[name](n_references=200, seed=4).fit(places)
    assert len(exact.references_) == 600
    assert len(np.unique(sampled.references_)) == 200
    corrected = sampled.correct(distances, rows)
    np.testing.assert_array_equal(corrected, same.correct(distances, rows))
    assert not np.array_equal(sampled.references_, other.references_)
    # The ranks of the 20 nearest of each are nearly those of the whole library.
    wanted = np.argsort(exact.correct(distances, rows), axis=1)[:, :20]
    found = np.argsort(corrected, axis=1)[:, :20]
    shared = [len(set(a) & set(b)) for a, b in zip(wanted, found, strict=True)]
    assert np.mean(shared) > 14


@pytest.mark.parametrize("name", CORRECTIONS)
def test_what_is_added_is_measured_by_the_references(name: str) -> None:
    places = places_of(40)
    correction = CORRECTIONS[name]().fit(places)
    query = places_of(1, seed=5)
    before = correction.correct(between(query, places))
    new = places_of(3, seed=6)
    correction.add(new)
    after = correction.correct(between(query, np.vstack([places, new])))
    np.testing.assert_array_equal(after[:, :40], before)
    # As if the new one asked: the measure is mutual.
    asked = correction.correct(between(new[:1], np.vstack([places, new])), np.array([40]))
    of_old = correction.correct(between(places[:1], np.vstack([places, new])), np.array([0]))
    assert asked[0, 0] == pytest.approx(of_old[0, 40], rel=1e-4)


@pytest.mark.parametrize("name", CORRECTIONS)
def test_some_candidates_are_corrected_as_among_all(name: str) -> None:
    places = places_of(40)
    correction = CORRECTIONS[name]().fit(places)
    for queries, rows in ((places[3:6], np.array([3, 4, 5])), (places_of(3, seed=5), None)):
        distances = between(queries, places)
        candidates = np.argsort(distances, axis=1)[:, :7]
        some = correction.correct_candidates(
            queries, candidates, np.take_along_axis(distances, candidates, axis=1), rows
        )
        every = np.take_along_axis(correction.correct(distances, rows), candidates, axis=1)
        np.testing.assert_allclose(some, every, rtol=1e-3, atol=1e-5)


def skewness(counts: np.ndarray) -> float:
    apart = counts - counts.mean()
    return float((apart**3).mean() / (apart**2).mean() ** 1.5)


@pytest.mark.parametrize("name", CORRECTIONS)
def test_hubs_are_fewer(name: str) -> None:
    places = places_of(500, d=40)
    distances = between(places, places)
    np.fill_diagonal(distances, 0)

    def occurrences(distances: np.ndarray) -> np.ndarray:
        distances = distances.copy()
        np.fill_diagonal(distances, np.inf)
        return np.bincount(np.argsort(distances, axis=1)[:, :10].ravel(), minlength=500)

    plain = occurrences(distances)
    corrected = occurrences(CORRECTIONS[name]().fit(places).correct(distances))
    assert skewness(plain) > 2
    assert skewness(corrected) < 0.6 * skewness(plain)
    assert (corrected == 0).sum() <= (plain == 0).sum() / 2


def test_no_such_correction() -> None:
    with pytest.raises(ValueError, match=r"is called 'x'\. There are: mutual_proximity, "):
        correction_of("x")
