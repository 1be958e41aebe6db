from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from tonotope.discovery.map_measures import judge_map


def line(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)[:, np.newaxis]


def test_a_hand_computed_case() -> None:
    places, points = line(0, 1, 3, 7, 15), line(0, 15, 3, 7, 1)
    quality = judge_map(places, points, {"genre": ["a", "a", "b", "b", None]}, k=1)
    assert quality is not None
    # On the map the nearest are 4, 3, 4, 2, 0; in the space these have ranks 4, 3, 4, 1, 4.
    assert quality.trustworthiness == pytest.approx(1 - 2 / (5 * 1 * 6) * (3 + 2 + 3 + 0 + 3))
    # In the space the nearest are 1, 0, 1, 2, 3.
    assert quality.overlap == pytest.approx(1 / 5)
    # Of the four that have a genre: on the map 2, 3, 0, 2, in the space 1, 0, 1, 2.
    hit = quality.hits["genre"]
    assert (hit.on_map, hit.in_space, hit.n_tracks) == (1 / 4, 3 / 4, 4)
    assert hit.by_chance == pytest.approx(1 / 3)
    assert (quality.k, quality.n_sampled) == (1, 5)


@pytest.mark.parametrize(("n", "k"), [(12, 5), (60, 10), (61, 3)])
def test_trustworthiness_is_that_of_scikit_learn(n: int, k: int) -> None:
    rng = np.random.default_rng(n)
    places, points = rng.normal(size=(n, 9)), rng.normal(size=(n, 2))
    quality = judge_map(places.astype(np.float32), points.astype(np.float32), {}, k=k)
    assert quality is not None
    assert quality.trustworthiness == pytest.approx(
        trustworthiness(places, points, n_neighbors=k), abs=1e-6
    )


def test_a_map_that_is_the_space_is_perfect() -> None:
    places = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    labels = (places[:, 0] > 0).tolist()
    quality = judge_map(places, 3 * places[:, ::-1], {"side": labels})
    assert quality is not None
    assert (quality.trustworthiness, quality.overlap) == (1, 1)
    assert quality.hits["side"].on_map == quality.hits["side"].in_space > 0.9
    assert quality.hits["side"].by_chance == pytest.approx(0.5, abs=0.01)


def test_of_a_map_drawn_by_chance_half_may_be_believed() -> None:
    rng = np.random.default_rng(0)
    places, points = rng.normal(size=(2, 1500, 4)).astype(np.float32)
    labels = {"kind": rng.integers(0, 5, 1500).tolist()}
    quality = judge_map(places, points, labels, n_sampled=300)
    assert quality is not None
    assert quality.trustworthiness == pytest.approx(0.5, abs=0.03)
    assert quality.overlap < 0.03
    assert quality.hits["kind"].on_map == pytest.approx(0.2, abs=0.03)


def test_a_sample_says_nearly_the_same_as_all() -> None:
    rng = np.random.default_rng(0)
    places = rng.normal(size=(1200, 8)).astype(np.float32)
    full, part = (judge_map(places, places[:, :2], {}, n_sampled=n) for n in (1200, 300))
    assert full is not None
    assert part is not None
    assert (full.n_sampled, part.n_sampled) == (1200, 300)
    assert part.trustworthiness == pytest.approx(full.trustworthiness, abs=0.02)
    assert part.overlap == pytest.approx(full.overlap, abs=0.02)
    assert judge_map(places, places[:, :2], {}, n_sampled=300) == part


def test_identical_tracks_are_in_no_wrong_order() -> None:
    places, points = np.zeros((2, 9, 2), np.float32)
    quality = judge_map(places, points, {"kind": ["a"] * 9})
    assert quality is not None
    assert quality.trustworthiness == 1
    assert quality.hits["kind"].on_map == 1


@pytest.mark.parametrize("n", [1, 2])
def test_without_neighbourhoods_there_is_nothing_to_judge(n: int) -> None:
    assert judge_map(np.eye(n, dtype=np.float32), np.eye(n, dtype=np.float32), {}) is None


def test_a_kind_of_label_that_one_track_has_is_left_out() -> None:
    places = line(0, 1, 2, 3)
    quality = judge_map(places, places, {"artist": ["a", None, None, None], "genre": [None] * 4})
    assert quality is not None
    assert not quality.hits
    with pytest.raises(ValueError, match="4 places and 3 points"):
        judge_map(places, places[:3], {})
