from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from tonotope.discovery.group_choice import Trial, best_trial, find_groups, try_numbers
from tonotope.discovery.groups import METHODS, TrackGroups, join_groups, largest_first
from tonotope.errors import InputError


def blobs(n_groups: int, n_tracks: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return places in 30 columns, and which of the groups, far apart, each is in."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n_tracks) % n_groups
    centres = 3 * rng.normal(size=(n_groups, 30))
    return (centres[truth] + rng.normal(size=(n_tracks, 30))).astype(np.float32), truth


# The estimator


@parametrize_with_checks([TrackGroups(3, method=method) for method in METHODS])
def test_scikit_learn_accepts_it(estimator, check) -> None:
    check(estimator)


@pytest.mark.parametrize("method", METHODS)
def test_known_groups_are_found(method) -> None:
    places, truth = blobs(5, 300)
    model = TrackGroups(5, method=method, random_state=0).fit(places)
    assert adjusted_rand_score(truth, model.labels_) == 1
    assert model.n_clusters_ == 5
    newcomers, where = blobs(5, 40)
    newcomers = newcomers + np.float32(0.1)
    found = model.predict(newcomers)
    assert adjusted_rand_score(np.r_[truth, where], np.r_[model.labels_, found]) == 1


@pytest.mark.parametrize("method", METHODS)
def test_of_many_tracks_a_sample_is_fitted_and_the_others_join(method) -> None:
    places, truth = blobs(4, 800)
    model = TrackGroups(4, method=method, most_fitted=200, random_state=0).fit(places)
    assert len(model._fitted) == 200
    assert model.labels_.shape == (800,)
    assert adjusted_rand_score(truth, model.labels_) == 1


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_groups(method) -> None:
    places = np.random.default_rng(0).normal(size=(400, 30)).astype(np.float32)
    options = {"method": method, "n_init": 1, "most_fitted": 300}
    first, again, other = (
        TrackGroups(6, random_state=seed, **options).fit(places).labels_ for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    if method != "hdbscan":  # which finds nothing in noise, whatever the sample
        assert (first != other).any()


def test_what_lies_alone_is_in_no_group_of_hdbscan() -> None:
    places, _ = blobs(3, 90)
    places[0] += 50
    labels = TrackGroups(method="hdbscan").fit(places).labels_
    assert labels[0] == -1
    assert (labels[1:] >= 0).mean() > 0.9


def test_parameters_that_are_none() -> None:
    places, _ = blobs(2, 10)
    with pytest.raises(ValueError, match="method is 'best', expected one of kmeans"):
        TrackGroups(2, method="best").fit(places)
    with pytest.raises(ValueError, match="n_samples=10: these groups need 11"):
        TrackGroups(11).fit(places)


# Joining


def test_newcomers_join_the_nearest_mean() -> None:
    places = np.array([[0.0], [2.0], [10.0], [14.0]])
    labels = np.array([0, 0, 1, 1])
    # The means are 1 and 12; halfway is 6.5, though 6.4 is nearer to the track at 10.
    newcomers = np.array([[6.4], [6.6], [-100.0]])
    assert join_groups(places, labels, newcomers, "kmeans").tolist() == [0, 1, 0]


def test_newcomers_of_hdbscan_join_what_the_nearest_five_are_in() -> None:
    # A ring and what lies in its middle have one mean.
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = np.c_[np.cos(angles), np.sin(angles)]
    places = np.r_[10 * ring, 0.1 * ring, [[5.0, 5.0]] * 5]
    labels = np.repeat([0, 1, -1], [40, 40, 5])
    newcomers = np.array([[9.5, 0.1], [0.2, 0.1], [5.0, 5.1]])
    assert join_groups(places, labels, newcomers, "hdbscan").tolist() == [0, 1, -1]


def test_where_there_is_one_group_all_join_it() -> None:
    places = np.zeros((3, 2))
    for method in METHODS:
        assert join_groups(places, np.zeros(3, np.intp), places[:2], method).tolist() == [0, 0]
        assert len(join_groups(places, np.zeros(3, np.intp), places[:0], method)) == 0


@settings(deadline=None)
@given(st.lists(st.integers(-1, 5), min_size=1, max_size=40))
def test_numbered_by_falling_size_the_groups_are_the_same(labels: list[int]) -> None:
    old = np.array(labels, np.intp)
    new = largest_first(old)
    assert ((new == -1) == (old == -1)).all()
    assert ((new[:, None] == new) == (old[:, None] == old)).all()
    sizes = np.bincount(new[new >= 0])
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all()


# How many


def test_the_measures_of_a_case_done_by_hand() -> None:
    # 0 and 1, 10 and 11. Silhouettes: 1 - 1/10.5 and 1 - 1/9.5, twice each. Each group is 0.5 wide,
    # and they are 10 apart. Between: 4 x 5²; within: 4 x 0.5², of 2 degrees of freedom.
    places = np.array([[0.0], [1.0], [10.0], [11.0]])
    (trial,) = try_numbers(places, "kmeans", k=2, rng=np.random.default_rng(0))
    assert trial.k == 2
    assert trial.silhouette == pytest.approx(1 - (1 / 10.5 + 1 / 9.5) / 2)
    assert trial.davies_bouldin == pytest.approx(0.1)
    assert trial.calinski_harabasz == pytest.approx(200)
    # Whichever track is left out, it joins its neighbour.
    assert trial.stability == pytest.approx(1)
    assert (trial.mean_rank, trial.apart) == (1, 0)


@pytest.mark.parametrize(("method", "n_groups"), [("kmeans", 6), ("gmm", 3), ("agglomerative", 5)])
def test_as_many_groups_as_there_are(method, n_groups: int) -> None:
    places, truth = blobs(n_groups, 100, seed=n_groups)
    seen: list[tuple[int, int]] = []
    labels, choice = find_groups(places, method, None, 0, lambda *counts: seen.append(counts))
    assert adjusted_rand_score(truth, labels) == 1
    assert [trial["k"] for trial in choice if trial["chosen"]] == [n_groups]
    assert [trial["k"] for trial in choice] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 20, 24]
    assert seen == [(k, 15) for k in range(16)]


def test_hdbscan_finds_the_number_itself() -> None:
    places, truth = blobs(4, 200)
    labels, choice = find_groups(places, "hdbscan", None, 0)
    assert adjusted_rand_score(truth[labels >= 0], labels[labels >= 0]) == 1
    assert labels.max() == 3
    assert all(trial["smallest"] is not None for trial in choice)


def test_leaving_most_tracks_out_is_no_merit() -> None:
    # A dense spot in a cloud: alone with another spot it would be the best of groupings.
    rng = np.random.default_rng(0)
    groups = [rng.normal(6 * k, 1, (60, 3)) for k in range(3)]
    spots = [np.full((12, 3), at) + rng.normal(0, 0.01, (12, 3)) for at in (-30, 60)]
    trials = try_numbers(np.concatenate(groups + spots), "hdbscan", k=None, rng=rng)
    assert best_trial(trials).apart < 0.3


def test_the_rule_is_the_best_mean_rank_and_then_the_fewer_groups() -> None:
    def trial(k: int, *measures: float, rank: float) -> Trial:
        return Trial(k, None, 0.0, *measures, mean_rank=rank)

    trials = [trial(k, 0.1, 1.0, 10.0, 0.5, rank=rank) for k, rank in ((2, 3), (3, 1.5), (4, 1.5))]
    assert best_trial(trials).k == 3


def test_ranks_have_both_directions() -> None:
    places, _ = blobs(4, 120)
    trials = try_numbers(places, "kmeans", k=None, rng=np.random.default_rng(0))
    best = best_trial(trials)
    assert best.k == 4
    assert best.mean_rank < 2  # other numbers may be as stable
    assert best.davies_bouldin == min(trial.davies_bouldin for trial in trials)
    assert best.silhouette == max(trial.silhouette for trial in trials)


def test_few_tracks_are_not_cut_into_crumbs() -> None:
    places, _ = blobs(2, 13)
    trials = try_numbers(places, "kmeans", k=None, rng=np.random.default_rng(0))
    assert [trial.k for trial in trials] == [2, 3]
    places, _ = blobs(2, 4)
    labels, _ = find_groups(places, "kmeans", None, 0)
    assert labels.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("method", METHODS)
def test_tracks_that_are_all_the_same_fall_into_no_groups(method) -> None:
    with pytest.raises(InputError, match=f"{method} finds no two groups among 12 tracks"):
        find_groups(np.zeros((12, 3)), method, None, 0)
