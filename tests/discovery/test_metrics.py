"""Scores of neighbours, lists and recommendations: by hand on small cases, and their laws."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.stats import skew
from sklearn import metrics as sklearn_metrics

from tonotope.discovery.metrics import lists, neighbours, recommendation
from tonotope.discovery.metrics.intervals import bootstrap_intervals

# Six tracks, two neighbours each; track 5 is in no list, track 0 in all others'.
LISTS = np.array([[1, 2], [0, 2], [0, 1], [0, 4], [3, 0], [0, 3]])
GENRES = np.array([0, 0, 0, 1, 1, -1])


@st.composite
def worlds(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return distances of some tracks, their genres and artists, and a length of lists."""
    n = draw(st.integers(2, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    places = rng.normal(size=(n, 3))
    distances = np.linalg.norm(places[:, np.newaxis] - places, axis=2)
    genres, artists = rng.integers(-1, 4, n), rng.integers(-1, 6, n)
    return distances, genres, artists, draw(st.integers(1, n + 2))


@st.composite
def feedback(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    """Return scores with ties, what users chose, and k."""
    n_users, n_items = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = rng.integers(0, draw(st.sampled_from([1, 3, 100])), (n_users, n_items)).astype(float)
    return scores, rng.integers(0, 2, (n_users, n_items)), draw(st.integers(1, 8))


# Neighbour lists


def test_precision_by_hand() -> None:
    found = neighbours.precision_at_k(LISTS, GENRES)
    # Track 3's list holds a 0 and a 1; 4's a 1 and a 0; 5 has no genre.
    assert found == pytest.approx([1, 1, 1, 1 / 2, 1 / 2, np.nan], nan_ok=True)


def test_precision_passes_over_what_has_no_label() -> None:
    unknown = [[1, 2], [2, 0], [0, 1]]
    assert neighbours.precision_at_k(unknown, [0, -1, 0]) == pytest.approx(
        [1, np.nan, 1], nan_ok=True
    )
    assert np.isnan(neighbours.precision_at_k([[1], [0]], [0, -1])).all()


def test_ndcg_by_hand() -> None:
    second = 1 / np.log2(3)
    n_relevant = neighbours.relevant_counts(GENRES)
    assert n_relevant.tolist() == [2, 2, 2, 1, 1, 0]
    # Track 3: its one relevant track is second; 4's is first.
    assert neighbours.ndcg_at_k(LISTS, GENRES, n_relevant) == pytest.approx(
        [1, 1, 1, second, 1, np.nan], nan_ok=True
    )
    # Three relevant tracks and two places: the best list has both.
    of_four = [[1, 2], [0, 2], [0, 1], [0, 1]]
    assert neighbours.ndcg_at_k(of_four, [0, 1, 0, 0], [2, 0, 2, 2]) == pytest.approx(
        [second / (1 + second), np.nan, 1 / (1 + second), 1 / (1 + second)], nan_ok=True
    )


def test_ndcg_refuses_lists_of_another_filter() -> None:
    with pytest.raises(ValueError, match="another filter"):
        neighbours.ndcg_at_k(LISTS, GENRES, np.zeros(6, int))


def test_lists_leave_out_whoever_is_apart() -> None:
    distances = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))
    artists, albums = [0, 0, 1, -1, -1], [0, 1, 1, 2, 2]
    assert neighbours.nearest_lists(distances, 2).tolist() == [
        [1, 2],
        [0, 2],
        [1, 3],
        [2, 4],
        [3, 2],
    ]
    assert neighbours.nearest_lists(distances, 2, apart=[artists])[:2].tolist() == [[2, 3], [2, 3]]
    both = neighbours.nearest_lists(distances, 3, apart=[artists, albums])
    # Unknown artists are not one; what is left is not filled up.
    assert both.tolist() == [[2, 3, 4], [3, 4, -1], [3, 0, 4], [2, 1, 0], [2, 1, 0]]
    some = neighbours.nearest_lists(distances[[3]], 2, rows=[3], candidates=[1, 1, 0, 1, 1])
    assert some.tolist() == [[4, 1]]


def test_of_equally_near_tracks_the_first_come() -> None:
    assert neighbours.nearest_lists(np.zeros((4, 4)), 2).tolist() == [
        [1, 2],
        [0, 2],
        [0, 1],
        [0, 1],
    ]


def test_counts_of_what_is_relevant_by_hand() -> None:
    genres, artists, albums = [0, 0, 0, 0, 1, -1], [0, 0, 1, -1, 1, 1], [0, 0, 0, 0, 1, -1]
    assert neighbours.relevant_counts(genres).tolist() == [3, 3, 3, 3, 0, 0]
    assert neighbours.relevant_counts(genres, [artists]).tolist() == [2, 2, 3, 3, 0, 0]
    assert neighbours.relevant_counts(genres, [artists, albums]).tolist() == [0, 0, 0, 0, 0, 0]


@given(worlds())
def test_counts_are_what_endless_lists_find(world) -> None:
    distances, genres, artists, _ = world
    for apart in ([], [artists], [artists, genres // 2]):
        every = neighbours.nearest_lists(distances, len(genres), apart=apart)
        found = [
            sum(genres[j] == genres[i] >= 0 for j in row if j >= 0) for i, row in enumerate(every)
        ]
        assert neighbours.relevant_counts(genres, apart).tolist() == found


@given(worlds())
def test_precision_and_ndcg_lie_between_nothing_and_the_best(world) -> None:
    distances, genres, artists, k = world
    made = neighbours.nearest_lists(distances, k, apart=[artists], candidates=genres >= 0)
    precision = neighbours.precision_at_k(made, genres)
    best = neighbours.best_precision(genres, k, [artists])
    assert np.array_equal(np.isnan(precision), np.isnan(best))
    assert (precision[~np.isnan(best)] <= best[~np.isnan(best)] + 1e-12).all()
    ndcg = neighbours.ndcg_at_k(made, genres, neighbours.relevant_counts(genres, [artists]))
    judged = ndcg[~np.isnan(ndcg)]
    assert ((judged >= 0) & (judged <= 1 + 1e-12)).all()


@given(worlds())
def test_a_space_of_the_labels_is_perfect(world) -> None:
    _, genres, artists, k = world
    distances = (genres[:, np.newaxis] != genres).astype(float)
    made = neighbours.nearest_lists(distances, k, apart=[artists], candidates=genres >= 0)
    assert neighbours.precision_at_k(made, genres) == pytest.approx(
        neighbours.best_precision(genres, k, [artists]), nan_ok=True
    )
    ndcg = neighbours.ndcg_at_k(made, genres, neighbours.relevant_counts(genres, [artists]))
    assert ndcg[~np.isnan(ndcg)] == pytest.approx(1)


def test_chance_is_what_random_lists_have() -> None:
    rng = np.random.default_rng(0)
    genres, artists = rng.integers(-1, 3, 30), rng.integers(-1, 8, 30)
    drawn = [
        neighbours.precision_at_k(
            neighbours.nearest_lists(
                rng.random((30, 30)), 4, apart=[artists], candidates=genres >= 0
            ),
            genres,
        )
        for _ in range(800)
    ]
    expected = neighbours.chance_precision(genres, [artists])
    assert np.mean(drawn, axis=0) == pytest.approx(expected, abs=0.05, nan_ok=True)


# Hubs


def test_hubness_by_hand() -> None:
    occurrence = [5, 2, 2, 2, 1, 0]
    assert neighbours.k_occurrence(LISTS).tolist() == occurrence
    found = neighbours.hubness(LISTS)
    assert found.skewness == pytest.approx(skew(occurrence))
    assert found.antihub_share == 1 / 6
    assert found.hub_share == 1 / 6  # 5 >= 2 * 2
    assert found.hub_occurrence == 5 / 12
    assert found.robin_hood == pytest.approx((3 + 1 + 2) / 2 / 12)


def test_even_lists_have_no_hubness() -> None:
    ring = np.array([[(i + 1) % 5, (i + 2) % 5] for i in range(5)])
    assert neighbours.hubness(ring) == neighbours.Hubness(0, 0, 0, 0, 0)
    assert neighbours.reachability(ring) == neighbours.largest_component(ring) == 1


def test_one_hub_of_many() -> None:
    n = 100
    star = np.zeros((n, 1), int)
    star[0] = 1
    found = neighbours.hubness(star)
    assert found.robin_hood == pytest.approx(0.98)
    assert found.antihub_share == pytest.approx(0.98)
    assert found.skewness > 5


def test_lists_that_hold_nothing() -> None:
    assert neighbours.hubness(np.full((3, 2), -1)).hub_share == 0
    assert neighbours.reachability(np.full((3, 2), -1)) == 0


def test_what_is_reached_by_hand() -> None:
    assert neighbours.reachability(LISTS) == 5 / 6
    # 0, 1 and 2 name each other only; 3 and 4 get there, and not back.
    assert neighbours.largest_component(LISTS) == 3 / 6


@given(worlds())
def test_laws_of_hubness(world) -> None:
    distances, _, _, k = world
    made = neighbours.nearest_lists(distances, k)
    found = neighbours.hubness(made)
    assert found.antihub_share == pytest.approx(1 - neighbours.reachability(made))
    assert 0 <= found.robin_hood < 1
    assert found.hub_share <= found.hub_occurrence or found.hub_share == 0
    assert neighbours.k_occurrence(made).sum() == (made >= 0).sum()
    # What a track is called changes nothing.
    order = np.random.default_rng(0).permutation(len(made))
    renamed = neighbours.nearest_lists(distances[np.ix_(order, order)], k)
    other = neighbours.hubness(renamed)
    assert (other.skewness, other.robin_hood) == pytest.approx((found.skewness, found.robin_hood))
    assert neighbours.largest_component(renamed) == neighbours.largest_component(made)


@pytest.mark.parametrize(
    ("given_", "complaint"),
    [
        (np.zeros((0, 3), int), "shape"),
        (np.zeros(3, int), "shape"),
        (np.zeros((2, 1)), "float64"),
        ([[2], [0]], "expected rows of 2 tracks"),
        ([[1], [-2]], "expected rows of 2 tracks"),
        ([[1, 0], [0, -1]], r"row 0 .*the track itself"),
        ([[1, 2], [2, 2], [0, 1]], r"row 1 .*a track twice"),
        ([[1, 2], [-1, 2], [0, 1]], r"row 1 .*-1 before another"),
    ],
)
def test_malformed_neighbours_are_named(given_, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        neighbours.validate(given_)


def test_malformed_labels_and_distances_are_named() -> None:
    with pytest.raises(ValueError, match=r"shape \(2,\), expected \(6,\)"):
        neighbours.precision_at_k(LISTS, [0, 1])
    with pytest.raises(ValueError, match="whole numbers"):
        neighbours.precision_at_k(LISTS, [0, 1, 2, 3, 4, -2])
    with pytest.raises(ValueError, match="k is 0"):
        neighbours.nearest_lists(np.zeros((2, 2)), 0)
    with pytest.raises(ValueError, match="not all numbers"):
        neighbours.nearest_lists(np.full((2, 2), np.nan), 1)
    with pytest.raises(ValueError, match="distances have shape"):
        neighbours.nearest_lists(np.zeros((2, 3)), 1)


def test_names_become_numbers() -> None:
    assert neighbours.label_numbers(["b", None, "a", "b"]).tolist() == [0, -1, 1, 0]


# Lists and paths


def test_diversity_by_hand() -> None:
    places = np.array([[0.0, 0], [3, 4], [0, 4], [9, 9]])
    found = lists.intra_list_diversity([[0, 1, 2], [0, 1, -1], [3, -1, -1]], places)
    assert found == pytest.approx([(5 + 4 + 3) / 3, 5, np.nan], nan_ok=True)


def test_the_mean_distance_is_that_of_two_different_tracks() -> None:
    rng = np.random.default_rng(0)
    assert lists.mean_distance([[0.0], [2.0]], rng) == 2
    assert np.isnan(lists.mean_distance([[0.0]], rng))
    places = rng.normal(size=(40, 3))
    first, second = np.triu_indices(40, 1)
    exact = np.linalg.norm(places[first] - places[second], axis=1).mean()
    assert lists.mean_distance(places, rng) == pytest.approx(exact, rel=0.03)


def test_coverage_by_hand() -> None:
    assert lists.coverage([[0, 1], [1, -1]], 4) == 0.5


def test_novelty_by_hand() -> None:
    # With one added: 2, 1 and 1 of 4.
    assert lists.novelty([[0, 1], [2, -1], [-1, -1]], [1, 0, 0]) == pytest.approx(
        [1.5, 2, np.nan], nan_ok=True
    )


@given(st.integers(2, 50), st.integers(0, 9))
def test_of_equally_known_tracks_every_list_is_as_new(n: int, count: int) -> None:
    found = lists.novelty(np.arange(n).reshape(1, -1), np.full(n, count))
    assert found == pytest.approx([np.log2(n)])


def test_smoothness_by_hand() -> None:
    found = lists.path_smoothness([[0, 0], [3, 0], [3, 4], [6, 0]])
    assert found == lists.PathSmoothness(pytest.approx(5 / 6), pytest.approx(12 / 6))
    assert lists.path_smoothness([[0, 0], [1, 1]]) == lists.PathSmoothness(1, 1)


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_laws_of_smoothness(n: int, seed: int) -> None:
    places = np.random.default_rng(seed).normal(size=(n, 3))
    found = lists.path_smoothness(places)
    assert found.detour >= 1 - 1e-12
    assert found.longest_step >= 1 / (n - 1) - 1e-12
    even = lists.path_smoothness(np.linspace(places[0], places[-1], n))
    assert (even.detour, even.longest_step) == pytest.approx((1, 1 / (n - 1)))


def test_malformed_lists_are_named() -> None:
    for wrong in ([[4]], [[-2]], [[0.5]]):
        with pytest.raises(ValueError, match="rows of 4 tracks"):
            lists.coverage(wrong, 4)
    with pytest.raises(ValueError, match="shape"):
        lists.coverage(np.zeros((0, 2), int), 4)
    with pytest.raises(ValueError, match="-1 before"):
        lists.coverage([[-1, 2]], 4)
    with pytest.raises(ValueError, match="counts"):
        lists.novelty([[0]], [-1])
    with pytest.raises(ValueError, match="places of a path"):
        lists.path_smoothness([[0, 0]])
    with pytest.raises(ValueError, match="ends where it begins"):
        lists.path_smoothness([[0, 0], [1, 0], [0, 0]])


# Recommendations


def test_recommendations_by_hand() -> None:
    scores, chosen = [[5.0, 4, 3, 2, 1]], [[0, 1, 0, 0, 1]]
    second, best = 1 / np.log2(3), 1 + 1 / np.log2(3)
    found = recommendation.evaluate(scores, chosen, 3)
    assert found.auc == pytest.approx([2 / 6])
    assert found.average_precision == pytest.approx([(1 / 2 + 2 / 5) / 2])
    assert found.ndcg == pytest.approx([second / best])
    assert found.recall == pytest.approx([1 / 2])
    assert found.means() == pytest.approx(
        {"auc": 1 / 3, "map": 0.45, "ndcg": second / best, "recall": 0.5}
    )


def test_users_without_anything_relevant_are_left_out() -> None:
    found = recommendation.evaluate([3.0, 2, 1], [[1, 0, 0], [0, 0, 0], [1, 1, 1]], 1)
    assert found.recall == pytest.approx([1, np.nan, 1 / 3], nan_ok=True)
    assert found.auc == pytest.approx([1, np.nan, np.nan], nan_ok=True)
    assert found.n_users == 2
    assert found.means()["recall"] == pytest.approx(2 / 3)
    nobody = recommendation.evaluate([1.0], [[0]], 1)
    assert (nobody.n_users, np.isnan(nobody.means()["map"])) == (0, True)


def test_only_candidates_are_ranked() -> None:
    scores, chosen = np.array([[9.0, np.nan, 5, 1]]), [[1, 0, 1, 0]]
    found = recommendation.recall_at_k(scores, chosen, 1, candidates=[0, 0, 1, 1])
    assert found == [1]  # item 0 is neither ranked nor missed


@settings(max_examples=40, deadline=None)
@given(feedback())
def test_ties_count_as_the_mean_over_all_orders(given_) -> None:
    scores, chosen, k = given_
    user, hit = scores[0, :5], chosen[0, :5]
    assume(hit.any())
    orders = np.array(list(permutations(range(len(user)))))
    # Without ties: a little for the place in each order.
    every = recommendation.evaluate(user + orders / 100, np.tile(hit, (len(orders), 1)), k)
    found = recommendation.evaluate(user, [hit], k)
    for name in ("auc", "average_precision", "ndcg", "recall"):
        assert getattr(found, name) == pytest.approx([getattr(every, name).mean()], nan_ok=True)


@given(feedback())
def test_the_same_as_scikit_learn(given_) -> None:
    scores, chosen, k = given_
    rng = np.random.default_rng(0)
    scores = (
        scores + rng.permuted(np.tile(np.arange(scores.shape[1]), (len(scores), 1)), axis=1) / 100
    )
    found = recommendation.evaluate(scores, chosen, k)
    for user, hit in enumerate(chosen):
        if not hit.any():
            continue
        assert found.average_precision[user] == pytest.approx(
            sklearn_metrics.average_precision_score(hit, scores[user])
        )
        if not hit.all():
            assert found.auc[user] == pytest.approx(
                sklearn_metrics.roc_auc_score(hit, scores[user])
            )
        if len(hit) > 1:
            assert found.ndcg[user] == pytest.approx(
                sklearn_metrics.ndcg_score([hit], [scores[user]], k=k)
            )


@given(feedback())
def test_laws_of_recommendations(given_) -> None:
    scores, chosen, k = given_
    found = recommendation.evaluate(scores, chosen, k)
    sparse = recommendation.evaluate(scores, csr_array(chosen), k)
    moved = recommendation.evaluate(3 * scores + 1, chosen, k)
    silent = recommendation.auc(np.zeros(scores.shape[1]), chosen)
    assert silent[~np.isnan(silent)] == pytest.approx(0.5)
    for name in ("auc", "average_precision", "ndcg", "recall"):
        values = getattr(found, name)
        assert values == pytest.approx(getattr(sparse, name), nan_ok=True)
        assert values == pytest.approx(getattr(moved, name), nan_ok=True)
        known = values[~np.isnan(values)]
        assert ((known >= 0) & (known <= 1 + 1e-12)).all()
    perfect = recommendation.evaluate(chosen.astype(float), chosen, k)
    for name in ("auc", "average_precision", "ndcg"):
        known = getattr(perfect, name)
        assert known[~np.isnan(known)] == pytest.approx(1)
    assert (found.auc + recommendation.auc(-scores, chosen)) == pytest.approx(
        np.where(np.isnan(found.auc), np.nan, 1), nan_ok=True
    )


def test_malformed_feedback_is_named() -> None:
    with pytest.raises(ValueError, match="relevant has shape"):
        recommendation.auc([1.0], [1])
    with pytest.raises(ValueError, match=r"scores have shape \(3,\), expected \(1, 2\) or \(2,\)"):
        recommendation.auc([1.0, 2, 3], [[1, 0]])
    with pytest.raises(ValueError, match="candidates have shape"):
        recommendation.auc([1.0, 2], [[1, 0]], candidates=[1])
    with pytest.raises(ValueError, match="not all finite"):
        recommendation.auc([1.0, np.nan], [[1, 0]])
    with pytest.raises(ValueError, match="k is 0"):
        recommendation.recall_at_k([1.0, 2], [[1, 0]], 0)


# Intervals


def test_intervals_draw_whole_clusters() -> None:
    values = np.array([0.0, 0.0, 0.0, 1.0])
    ((low, high),) = bootstrap_intervals(
        [0, 0, 0, 1],
        lambda drawn: [float(values[drawn].mean())],
        generator=np.random.default_rng(0),
        n_resamples=500,
    )
    assert (low, high) == (0, 1)  # either both times the one, or the other
