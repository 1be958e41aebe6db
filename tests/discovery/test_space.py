from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tonotope.discovery.space import SimilaritySpace, distances_to

finite = st.floats(-1e4, 1e4, width=32)
tables = hnp.arrays(np.float32, st.tuples(st.integers(1, 30), st.just(7)), elements=finite)


def test_both_blocks_have_the_same_say_however_many_columns_they_have() -> None:
    vectors = np.random.default_rng(0).normal(size=(4000, 110)).astype(np.float32)
    vectors[:, :100] *= 1000
    places = SimilaritySpace((100, 10)).fit_transform(vectors)
    differences = (places[:2000] - places[2000:]) ** 2
    wide, narrow = differences[:, :100].sum(axis=1), differences[:, 100:].sum(axis=1)
    assert np.mean(wide) == pytest.approx(np.mean(narrow), rel=0.05)
    # As the module says: two tracks picked at random are about 1.4 apart.
    assert np.sqrt(np.mean(wide + narrow)) == pytest.approx(np.sqrt(2), rel=0.05)


def test_a_block_has_the_say_that_its_weight_gives_it() -> None:
    vectors = np.random.default_rng(0).normal(size=(4000, 110)).astype(np.float32)
    places = SimilaritySpace((100, 10), block_weights=(1, 3)).fit_transform(vectors)
    differences = (places[:2000] - places[2000:]) ** 2
    wide, narrow = differences[:, :100].sum(axis=1), differences[:, 100:].sum(axis=1)
    assert 3 * np.mean(wide) == pytest.approx(np.mean(narrow), rel=0.05)
    assert np.mean(wide + narrow) == pytest.approx(2, rel=0.05)
    equal = SimilaritySpace((100, 10), block_weights=(2, 2)).fit_transform(vectors)
    np.testing.assert_allclose(equal, SimilaritySpace((100, 10)).fit_transform(vectors), rtol=1e-6)


@pytest.mark.parametrize("weights", [(1,), (1, 1, 1), (1, 0), (1, -1), (1, np.nan)])
def test_weights_that_fit_no_blocks_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="expected 2 positive numbers"):
        SimilaritySpace((3, 4), weights).fit(np.zeros((2, 7), np.float32))


def test_a_hand_computed_case() -> None:
    # One column, mean 2, population deviation 1.
    places = SimilaritySpace((1,)).fit_transform(np.array([[1], [3]], np.float32))
    np.testing.assert_allclose(places, [[-1], [1]])


@given(tables, st.floats(0.1, 10), st.floats(-100, 100))
def test_units_do_not_matter(table: np.ndarray, factor: float, offset: float) -> None:
    # Whole numbers: the rounding of the scaled copy must stay far below the columns' spread.
    table = np.round(table / 100)
    places = SimilaritySpace((3, 4)).fit_transform(table)
    scaled = (table.astype(np.float64) * factor + offset).astype(np.float32)
    spreads = table.std(axis=0)
    varied = (spreads == 0) | (spreads > 0.1)
    np.testing.assert_allclose(
        SimilaritySpace((3, 4)).fit_transform(scaled)[:, varied], places[:, varied], atol=0.02
    )


@given(tables)
def test_places_are_finite_and_bounded(table: np.ndarray) -> None:
    places = SimilaritySpace((3, 4)).fit_transform(table)
    assert places.dtype == np.float32
    assert np.isfinite(places).all()
    assert np.abs(places).max() <= 3.0


def test_one_absurd_number_does_not_outweigh_all_others() -> None:
    vectors = np.random.default_rng(0).normal(size=(100, 20)).astype(np.float32)
    space = SimilaritySpace((20,)).fit(vectors)
    usual, absurd = vectors[:1].copy(), vectors[:1].copy()
    absurd[0, 0] = 1e9
    gap = space.transform(absurd) - space.transform(usual)
    assert np.linalg.norm(gap) < 6 / np.sqrt(20)


@given(tables, st.integers(0, 29))
def test_distances_are_exact(table: np.ndarray, row: int) -> None:
    query = table[row % len(table)]
    exact = np.linalg.norm(table.astype(np.float64) - query, axis=1)
    np.testing.assert_allclose(distances_to(table, query), exact, rtol=1e-5, atol=1e-12)


def test_nearly_equal_places_keep_their_distance() -> None:
    places = np.full((2, 450), 1.0, np.float32)
    places[1, 0] += 1e-4
    assert distances_to(places, places[0])[1] == pytest.approx(1e-4, rel=1e-2)


@pytest.mark.parametrize("shape", [(3, 6), (3, 8), (3,)])
def test_vectors_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    space = SimilaritySpace((3, 4)).fit(np.zeros((2, 7), np.float32))
    with pytest.raises(ValueError, match="expected"):
        space.transform(np.zeros(shape, np.float32))


def test_nothing_cannot_be_fitted() -> None:
    with pytest.raises(ValueError, match="at least one"):
        SimilaritySpace((3, 4)).fit(np.empty((0, 7), np.float32))
