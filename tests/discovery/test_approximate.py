from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tonotope.discovery.approximate import ApproximateIndex
from tonotope.discovery.space import SimilaritySpace


def library(n: int = 3000, d: int = 24) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(30, d))
    return (centres[rng.integers(30, size=n)] + 0.6 * rng.normal(size=(n, d))).astype(np.float32)


def shared(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean([len(set(x) & set(y)) / len(x) for x, y in zip(a, b, strict=True)]))


@pytest.mark.parametrize("correction", [None, "mutual_proximity"])
def test_nearly_all_neighbours_are_found(correction: str | None) -> None:
    vectors = library()
    space = SimilaritySpace(correction=correction).fit(vectors)
    distances, exact = space.kneighbors()
    of_new = space.kneighbors(vectors[:50] + 0.1, 5)[1]
    space.build_index()
    assert len(space.index_) == 3000
    nearly, found = space.kneighbors()
    assert shared(exact, found) >= 0.95
    assert not (found == np.arange(3000)[:, np.newaxis]).any()
    same = exact[:, 0] == found[:, 0]
    np.testing.assert_allclose(nearly[same, 0], distances[same, 0], rtol=1e-2, atol=1e-5)
    assert shared(of_new, space.kneighbors(vectors[:50] + 0.1, 5)[1]) >= 0.95


def test_what_is_added_is_found_and_what_is_fitted_anew_has_no_index() -> None:
    vectors = library()
    space = SimilaritySpace().fit(vectors[:2000]).build_index()
    space.add(vectors[2000:])
    assert len(space.index_) == 3000
    found = space.kneighbors(vectors[2500:2510], 1)[1]
    assert found.ravel().tolist() == list(range(2500, 2510))
    assert space.fit(vectors).index_ is None


def test_many_questions_among_very_many_tracks_build_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tonotope.discovery.space._EXACT_TRACKS", 2999)
    monkeypatch.setattr("tonotope.discovery.space._QUESTIONS_WORTH_AN_INDEX", 100)
    vectors = library()
    few, smaller = SimilaritySpace().fit(vectors), SimilaritySpace().fit(vectors[:2999])
    exact = few.kneighbors(vectors[:99] + 0.1)[1]
    smaller.kneighbors()
    assert few.index_ is None
    assert smaller.index_ is None
    found = few.kneighbors(vectors[:100] + 0.1)[1]
    assert few.index_ is not None
    assert shared(exact, found[:99]) >= 0.95


def test_more_than_there_are() -> None:
    places = library(5)
    distances, indices = ApproximateIndex(places).query(places[:1], 8)
    assert sorted(indices[0].tolist()) == [-1, -1, -1, 0, 1, 2, 3, 4]
    assert np.isinf(distances[0, 5:]).all()
    assert distances[0, 0] == 0


def test_without_faiss_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['faiss'] = None\n"
        "import numpy as np\n"
        "from tonotope.discovery.space import SimilaritySpace\n"
        "SimilaritySpace().fit(np.zeros((9, 3))).build_index()"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'tonotope[ann]'" in answer.stderr.splitlines()[-1]
