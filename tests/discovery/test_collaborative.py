"""Factors from plays, and from sound: on made listeners whose tastes are known."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from tonotope.discovery.collaborative import (
    FactorsFromSound,
    cold_scores,
    confidences,
    content_scores,
    factors_from_plays,
    fit_factors,
    hybrid_scores,
    hybrid_weight,
)
from tonotope.discovery.metrics.recommendation import auc

N_LISTENERS, N_SONGS, N_TASTES = 150, 90, 3


def made() -> tuple[csr_array, np.ndarray, np.ndarray]:
    """Return plays, places, and which taste each song is for; a place tells it, under noise."""
    rng = np.random.default_rng(0)
    taste_of_listener = rng.integers(N_TASTES, size=N_LISTENERS)
    taste_of_song = np.arange(N_SONGS) % N_TASTES
    likes = taste_of_listener[:, np.newaxis] == taste_of_song
    plays = rng.poisson(5, likes.shape) * (rng.random(likes.shape) < np.where(likes, 0.4, 0.02))
    places = rng.normal(size=(N_TASTES, 8))[taste_of_song] + rng.normal(size=(N_SONGS, 8)) / 4
    return csr_array(plays), places.astype(np.float32), taste_of_song


ALL = np.arange(N_SONGS)


def test_a_play_is_trusted_by_the_logarithm_of_its_count() -> None:
    found = confidences(csr_array([[2, 0, 4], [2, 0, 0]])).toarray()
    expected = 1 + 40 * np.log([2, 3])  # the median count is 2
    np.testing.assert_allclose(found, [[expected[0], 0, expected[1]], [expected[0], 0, 0]], 1e-6)
    assert confidences(csr_array((2, 3))).nnz == 0


def test_counts_in_another_unit_give_the_same_factors() -> None:
    plays, _, _ = made()
    one, other = fit_factors(plays), fit_factors(plays * 7)
    np.testing.assert_allclose(one.songs, other.songs, atol=1e-4)


def test_factors_tell_what_listeners_play() -> None:
    plays, _, _ = made()
    factors = fit_factors(plays, n_factors=8)
    assert factors.listeners.shape == (N_LISTENERS, 8)
    assert auc(factors.listeners @ factors.songs.T, plays).mean() > 0.9


def test_the_same_seed_gives_the_same_factors() -> None:
    plays, _, _ = made()
    one, same, other = (fit_factors(plays, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.songs, same.songs)
    assert not np.array_equal(one.songs, other.songs)


def test_what_nobody_played_has_no_factors() -> None:
    plays, _, _ = made()
    hidden = plays.tolil()
    hidden[:, 4] = 0
    factors = fit_factors(csr_array(hidden))
    assert not factors.songs[4].any()
    assert factors.songs[5].any()


def test_factors_of_other_songs_from_who_played_them() -> None:
    plays, _, taste = made()
    factors = fit_factors(plays[:, 3:])
    found = factors_from_plays(factors, plays[:, :3])
    scores = factors.listeners @ found.T
    for song in range(3):
        alike = factors.songs[taste[3:] == taste[song]].mean(axis=0)
        cosines = found @ alike / np.linalg.norm(found, axis=1)
        assert cosines.argmax() == song
    assert auc(scores.T, plays[:, :3].T).mean() > 0.9


def test_known_factors_are_recovered_from_sound() -> None:
    rng = np.random.default_rng(0)
    places = rng.normal(size=(300, 4)).astype(np.float32)
    factors = np.tanh(places @ rng.normal(size=(4, 6))).astype(np.float32) + 2
    sound = FactorsFromSound().fit(places[:200], factors[:200])
    error = sound.predict(places[200:]) - factors[200:]
    assert (error**2).mean() < 0.05 * factors[200:].var()


def test_where_sound_says_nothing_the_mean_is_as_good_as_any() -> None:
    rng = np.random.default_rng(0)
    places, factors = rng.normal(size=(2, 60, 5)).astype(np.float32)
    found = FactorsFromSound().fit(places, factors)
    assert found.strength_ == 10.0  # as little as there is
    assert np.abs(found.predict(places) - factors.mean(axis=0)).mean() < 0.3


def test_songs_that_nobody_played_find_their_listeners() -> None:
    plays, places, taste = made()
    hidden = ALL[:20]
    by_factors, by_content = cold_scores(plays, places, ALL, hidden)
    relevant = plays[:, hidden]
    # Nobody can know more than which taste each listener has and each song is for.
    per_taste = plays @ np.eye(N_TASTES)[taste]
    best = np.nanmean(auc(per_taste.argmax(axis=1)[:, np.newaxis] == taste[hidden], relevant))
    for scores in (by_factors, by_content):
        assert np.nanmean(auc(scores, relevant)) > best - 0.05
    assert best > 0.8
    # What is hidden has no say.
    other = plays.tolil()
    other[:, hidden] = 0
    np.testing.assert_array_equal(cold_scores(csr_array(other), places, ALL, hidden)[0], by_factors)
    np.testing.assert_array_equal(cold_scores(csr_array(other), places, ALL, hidden)[1], by_content)


def test_likeness_by_hand() -> None:
    places = np.array([[1, 0], [-1, 0], [0, 3], [0, -3]], np.float32)
    candidates = np.array([[2, 0], [0, 1], [0, 0]], np.float32)
    plays = csr_array([[3, 0, 3, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    found = content_scores(plays, places, candidates)
    np.testing.assert_allclose(found, [[0.5, 0.5, 0], [-1, 0, 0], [0, 0, 0]], atol=1e-12)
    moved = content_scores(plays, places + 5, candidates + 5)
    np.testing.assert_allclose(moved, found, atol=1e-6)


scores = arrays(np.float64, (3, 4), elements=st.floats(-100, 100).map(lambda x: round(x, 2)))


@given(scores, scores, st.floats(0.1, 10), st.floats(-5, 5))
def test_a_hybrid_knows_no_units(
    one: np.ndarray, other: np.ndarray, factor: float, shift: float
) -> None:
    np.testing.assert_allclose(
        hybrid_scores(one * factor + shift, other, 0.3), hybrid_scores(one, other, 0.3), atol=1e-6
    )
    np.testing.assert_allclose(hybrid_scores(one, one, 0.3), hybrid_scores(one, other, 1.0))


def test_the_weight_is_that_of_what_has_proved_itself() -> None:
    plays, places, taste = made()
    groups = [f"artist {k // 3}" for k in range(N_SONGS)]

    def weight(plays: csr_array, places: np.ndarray) -> float:
        return hybrid_weight(plays, places, ALL, groups, np.random.default_rng(0))

    # One column of the places tells the taste; the others outweigh it in every cosine.
    rng = np.random.default_rng(0)
    one_tells = np.hstack([np.eye(N_TASTES)[taste] * 2, rng.normal(size=(N_SONGS, 30))])
    assert weight(plays, one_tells.astype(np.float32)) >= 0.5
    assert weight(csr_array(plays.shape), places) == 0.5
