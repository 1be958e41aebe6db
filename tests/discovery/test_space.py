from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import pdist

from tonotope.discovery.distances import distances_between, distances_to
from tonotope.discovery.space import PARTS, PRESETS, SimilaritySpace, weights_of

with warnings.catch_warnings():
    # Importing scikit-learn's base class takes longer than a question to a library.
    warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base")
    from sklearn.utils.estimator_checks import parametrize_with_checks

    every_check = parametrize_with_checks([SimilaritySpace(), SimilaritySpace(correction=None)])

finite = st.floats(-1e4, 1e4, width=32)
tables = hnp.arrays(np.float32, st.tuples(st.integers(1, 30), st.just(7)), elements=finite)
TWO = {"timbre": 3, "rhythm": 4}


def plain(parts=None, weights="balanced") -> SimilaritySpace:
    return SimilaritySpace(parts, weights, correction=None)


@every_check
def test_the_contract_of_scikit_learn(estimator, check) -> None:
    check(estimator)


def test_asking_does_not_wait_for_scikit_learn() -> None:
    code = (
        "import sys, numpy as np\n"
        "from tonotope.discovery import SimilaritySpace\n"
        "space = SimilaritySpace().fit(np.random.default_rng(0).normal(size=(50, 9)))\n"
        "space.kneighbors(np.zeros((1, 9)))\n"
        "print('sklearn' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "False", answer.stderr


# Parts and weights


def wide_and_narrow(weights) -> tuple[float, float]:
    """Return the mean squared differences in a part of 100 columns and in one of 10."""
    vectors = np.random.default_rng(0).normal(size=(4000, 110)).astype(np.float32)
    vectors[:, :100] *= 1000
    space = plain({"harmony": 100, "rhythm": 10}, weights)
    places = space.fit_transform(vectors)
    differences = (places[:2000] - places[2000:]) ** 2
    return tuple(
        float(differences[:, space.parts_[part]].sum(axis=1).mean())
        for part in ("harmony", "rhythm")
    )


def test_a_part_has_the_say_that_its_weight_gives_it_however_many_columns_it_has() -> None:
    wide, narrow = wide_and_narrow({"harmony": 1, "rhythm": 1})
    assert wide == pytest.approx(narrow, rel=0.05)
    # As the module says: two tracks picked at random are about 1.4 apart.
    assert np.sqrt(wide + narrow) == pytest.approx(np.sqrt(2), rel=0.05)
    wide, narrow = wide_and_narrow({"harmony": 2, "rhythm": 6})
    assert 3 * wide == pytest.approx(narrow, rel=0.05)
    assert wide + narrow == pytest.approx(2, rel=0.05)
    wide, narrow = wide_and_narrow({"rhythm": 1})
    assert (wide, narrow) == (0, pytest.approx(2, rel=0.05))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(preset: str) -> None:
    weights = weights_of(preset)
    assert set(weights) == set(PARTS)
    assert sum(weights.values()) == pytest.approx(1)
    if preset in PARTS:
        assert max(weights, key=weights.__getitem__) == preset
    assert weights_of(preset, ["timbre"]) == {"timbre": 1.0}


def test_weights_by_hand() -> None:
    assert weights_of({"timbre": 2, "rhythm": 1}, PARTS) == {
        "embedding": 0, "timbre": 2 / 3, "harmony": 0, "rhythm": 1 / 3, "dynamics": 0
    }  # fmt: skip
    # What a preset does not know.
    assert weights_of("balanced", ["all"]) == {"all": 1.0}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("loud", "no weights are called 'loud'. There are: balanced, timbre"),
        ({"tempo": 1}, "no part is called 'tempo'. There are: timbre, rhythm"),
        ({"timbre": -1}, "timbre=-1"),
        ({"timbre": 0}, "one at least above"),
        ({"timbre": np.nan}, "none below 0"),
        ({"timbre": np.inf}, "none below 0"),
    ],
)
def test_weights_that_are_none_are_refused(weights, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SimilaritySpace(TWO, weights).fit(np.zeros((2, 7), np.float32))


@pytest.mark.parametrize("parts", [{"timbre": 6}, {"timbre": 7, "rhythm": 0}, {}])
def test_parts_that_do_not_fit_are_refused(parts) -> None:
    with pytest.raises(ValueError, match="7 columns, and parts are"):
        SimilaritySpace(parts).fit(np.zeros((2, 7), np.float32))


# Places


def test_a_hand_computed_case() -> None:
    # Median 3, quartiles 2 and 4: a deviation of 2 / 1.349. The variance of the places is 1.
    places = plain().fit_transform([[1], [2], [3], [4], [5]])
    np.testing.assert_allclose(places, np.array([[-2], [-1], [0], [1], [2]]) / np.sqrt(2))


def test_a_projection_keeps_the_distances_that_there_are() -> None:
    rng = np.random.default_rng(0)
    # 224 columns in which 20 numbers show: fewer than the 48 axes of timbre.
    vectors = rng.normal(size=(500, 20)) @ rng.normal(size=(20, 224))
    names = {"timbre": 224}
    places = plain(names).fit_transform(vectors)
    assert places.shape == (500, 48)
    columns = plain({f"{k}": 1 for k in range(224)}).fit_transform(vectors)
    # All 224 columns with equal weights, unprojected.
    apart = np.linalg.norm(columns[:250] - columns[250:], axis=1)
    projected = np.linalg.norm(places[:250] - places[250:], axis=1)
    np.testing.assert_allclose(projected / projected.mean(), apart / apart.mean(), rtol=0.05)


@given(tables, st.floats(0.1, 10), st.floats(-100, 100))
def test_units_do_not_matter(table: np.ndarray, factor: float, offset: float) -> None:
    # Whole numbers: the rounding of the scaled copy must stay far below the columns' spread.
    table = np.round(table / 100)
    scaled = (table.astype(np.float64) * factor + offset).astype(np.float32)
    np.testing.assert_allclose(
        plain(TWO).fit_transform(scaled), plain(TWO).fit_transform(table), atol=0.02
    )


@given(tables)
def test_places_are_finite_and_bounded(table: np.ndarray) -> None:
    places = plain(TWO).fit_transform(table)
    assert places.dtype == np.float32
    assert np.isfinite(places).all()
    # No column deviates by more than 6 from the mean, and the deviation of all together is 1.
    assert np.square(places).sum(axis=1).mean() < 1.001


@given(tables, hnp.arrays(np.bool_, st.tuples(st.just(30), st.just(7))))
def test_what_is_not_finite_moves_no_track(table: np.ndarray, is_lost: np.ndarray) -> None:
    is_lost = is_lost[: len(table)]
    lacking = np.where(is_lost, np.nan, table)
    space = plain(TWO).fit(lacking)
    assert np.isfinite(space.places_).all()
    known = [column[np.isfinite(column)] for column in lacking.T.astype(np.float64)]
    medians = np.array([np.median(column) if len(column) else 0 for column in known])
    filled = np.where(is_lost, medians, lacking)
    np.testing.assert_allclose(space.transform(filled), space.places_, atol=1e-4)
    infinite = np.where(is_lost, np.inf, table)
    np.testing.assert_array_equal(plain(TWO).fit_transform(infinite), space.places_)


def test_one_absurd_number_does_not_outweigh_all_others() -> None:
    vectors = np.random.default_rng(0).normal(size=(100, 20)).astype(np.float32)
    space = plain().fit(vectors)
    usual, absurd = vectors[:1].copy(), vectors[:1].copy()
    absurd[0, 0] = 1e9
    gap = space.transform(absurd) - space.transform(usual)
    assert np.linalg.norm(gap) < 6 / np.sqrt(20)
    # Nor does it change what is usual.
    spoilt = np.vstack([vectors, absurd])
    fitted = plain().fit(spoilt)
    np.testing.assert_allclose(fitted.transform(vectors), space.places_, atol=0.1)


def test_medians_and_axes_are_learned_from_a_sample_of_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(3000, 8)) @ rng.normal(size=(8, 100))).astype(np.float32)
    whole = plain({"dynamics": 100}).fit(vectors)
    monkeypatch.setattr("tonotope.discovery.space._SAMPLE_TRACKS", 500)
    sampled = plain({"dynamics": 100}).fit(vectors)
    again = plain({"dynamics": 100}).fit(vectors)
    np.testing.assert_array_equal(sampled.places_, again.places_)
    apart, nearly = (
        np.linalg.norm(places[:1500] - places[1500:], axis=1)
        for places in (whole.places_, sampled.places_)
    )
    assert 0 < np.abs(nearly / apart - 1).mean() < 0.05


# Distances


@given(tables, st.integers(0, 29))
def test_distances_are_exact(table: np.ndarray, row: int) -> None:
    query = table[row % len(table)]
    exact = np.linalg.norm(table.astype(np.float64) - query, axis=1)
    np.testing.assert_allclose(distances_to(table, query), exact, rtol=1e-5, atol=1e-12)
    by_product = distances_between(query[np.newaxis], table, np.square(table).sum(axis=1))[0]
    np.testing.assert_allclose(by_product, exact, rtol=1e-3, atol=1e-12)


def test_nearly_equal_places_keep_their_distance() -> None:
    places = np.full((2, 450), 1.0, np.float32)
    places[1, 0] += 1e-4
    assert distances_to(places, places[0])[1] == pytest.approx(1e-4, rel=1e-2)
    norms = np.square(places).sum(axis=1)
    assert distances_between(places, places, norms)[0, 1] == pytest.approx(1e-4, rel=1e-2)


# Neighbours


def library(n: int = 200) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(n, 12)).astype(np.float32)


@pytest.mark.parametrize("correction", [None, "mutual_proximity", "nicdm"])
def test_neighbours_are_the_nearest(correction: str | None, monkeypatch) -> None:
    monkeypatch.setattr("tonotope.discovery.space._BLOCK_DISTANCES", 1000)  # five at a time
    vectors = library()
    space = SimilaritySpace(correction=correction).fit(vectors)
    distances, indices = space.kneighbors()
    assert distances.shape == indices.shape == (200, 10)
    for row in range(200):
        every = space.distances_from(space.places_[row])
        every[row] = np.inf
        assert row not in indices[row]
        np.testing.assert_allclose(distances[row], np.sort(every)[:10], rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(every[indices[row]], distances[row], rtol=1e-3, atol=1e-6)
    new = library(5) + 0.1
    _, found = space.kneighbors(new, 3)
    assert found.tolist() == [
        np.argsort(space.distances_from(place))[:3].tolist() for place in space.transform(new)
    ]
    np.testing.assert_array_equal(space.kneighbors(new, 3, return_distance=False), found)


@pytest.mark.parametrize("n", [0, -1, 5])
def test_more_neighbours_than_there_are(n: int) -> None:
    space = SimilaritySpace().fit(library(5))
    with pytest.raises(ValueError, match=f"n_neighbors is {n}, expected 1 to 4"):
        space.kneighbors(n_neighbors=n)
    assert space.kneighbors(library(5), 5)[1].shape == (5, 5)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("correction", ["mutual_proximity", "mutual_proximity_empiric", "nicdm",
                                        "local_scaling", "csls"])  # fmt: skip
def test_a_library_of_next_to_nothing(n: int, correction: str) -> None:
    space = SimilaritySpace(correction=correction).fit(library(n))
    found = space.distances_from(space.transform(library(n) + 0.5)[0])
    assert found.shape == (n,)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("correction", [None, "mutual_proximity", "nicdm"])
def test_what_is_added_is_found_and_nothing_else_moves(correction: str | None) -> None:
    space = SimilaritySpace(correction=correction).fit(library())
    before = space.distances_from(space.places_[3])
    new = library(20)[10:] * 0.9
    places = space.add(new)
    assert len(space.places_) == 210
    np.testing.assert_array_equal(space.places_[200:], places)
    after = space.distances_from(space.places_[3])
    np.testing.assert_allclose(after[:200], before, rtol=1e-5, atol=1e-7)
    for k in range(10):
        assert space.distances_from(places[k]).argmin() == 200 + k
    assert space.kneighbors()[1].shape == (210, 10)


def test_it_can_be_pickled() -> None:
    space = SimilaritySpace().fit(library())
    copy = pickle.loads(pickle.dumps(space))
    np.testing.assert_array_equal(
        copy.distances_from(copy.places_[0]), space.distances_from(space.places_[0])
    )


# Learning


def test_learned_weights_apply_to_what_comes_later_and_can_be_taken_back() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(400, 12)).astype(np.float32)
    group_of = np.arange(400) % 40
    vectors[:, 6:] = rng.normal(size=(40, 6))[group_of] + 0.2 * rng.normal(size=(400, 6))
    groups = [np.flatnonzero(group_of == k).tolist() for k in range(40)]
    space = SimilaritySpace({"timbre": 6, "rhythm": 6}, {"timbre": 1, "rhythm": 1}).fit(vectors)
    before = space.places_.copy()
    space.learn(groups)
    np.testing.assert_allclose(space.transform(vectors), space.places_, atol=1e-5)
    assert np.linalg.norm(space.places_ - before) > 1
    space.learn([])
    np.testing.assert_allclose(space.places_, before, atol=1e-4)
    np.testing.assert_array_equal(space.column_weights_, 1)


def test_of_an_embedding_the_direction_counts() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 7)).astype(np.float32)
    space = SimilaritySpace({"embedding": 4, "timbre": 3}).fit(vectors)
    part = space.parts_["embedding"]
    longer = vectors.copy()
    longer[:, :4] *= rng.uniform(0.1, 10, (50, 1)).astype(np.float32)
    assert np.allclose(space.transform(longer), space.places_, atol=1e-5)
    # Distances are those of the unit vectors, but for one factor.
    unit = vectors[:, :4] / np.linalg.norm(vectors[:, :4], axis=1, keepdims=True)
    ratios = pdist(space.places_[:, part]) / pdist(unit)
    assert np.allclose(ratios, ratios[0], rtol=1e-4)


def test_an_embedding_without_a_direction_is_in_the_middle() -> None:
    vectors = np.random.default_rng(1).normal(size=(20, 4)).astype(np.float32)
    space = SimilaritySpace({"embedding": 4}, correction=None).fit(vectors)
    places = space.transform(np.array([[0, 0, 0, 0], [np.nan, 1, 1, 1]], np.float32))
    assert np.isfinite(places).all()
    assert np.array_equal(places[0], places[1])
