"""Spaces side by side: figures by hand, and what cannot be measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tonotope.discovery.compared_spaces import SPACES, compared_spaces
from tonotope.discovery.judging import TASKS, JudgedSpace, TrackLabels, judge_spaces
from tonotope.discovery.recordings import TrackFacts
from tonotope.discovery.space import SimilaritySpace
from tonotope.errors import InputError


def labels_of(genre, artist=None, album=None) -> TrackLabels:
    unknown = np.full(len(genre), -1)
    return TrackLabels(
        genre=np.array(genre),
        artist=unknown if artist is None else np.array(artist),
        album=unknown if album is None else np.array(album),
        facts=[TrackFacts(None, None, None, 10.0 * row) for row in range(len(genre))],
    )


def line(name: str, places, **options) -> JudgedSpace:
    """Return a space of one dimension."""
    where = np.array(places, np.float32)[:, np.newaxis]
    return JudgedSpace(name, where, lambda rows: np.abs(where[rows] - where.T), **options)


# Two genres by two artists each, the artists' tracks side by side.
GENRES, ARTISTS = [0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 2, 2, 3, 3]
PLACES = [0, 1, 3, 4.5, 10, 11.2, 13, 14.7]


def test_the_figures_by_hand() -> None:
    found = judge_spaces([line("a", PLACES)], labels_of(GENRES, ARTISTS), k=2)
    (space,) = found["spaces"]
    assert (found["k"], found["n"]) == (2, 8)
    # Each list: one by the same artist, one by the other of the genre; without the artist two.
    assert space["genre"] == {"precision": 1.0, "ndcg": 1.0, "n": 8}
    assert space["genre_artist_filter"] == {"precision": 1.0, "ndcg": 1.0, "n": 8}
    assert space["artist"]["precision"] == 0.5
    assert found["best"] == {
        "genre": 1.0, "genre_artist_filter": 1.0, "genre_artist_album_filter": None,
        "artist": 0.5, "artist_album_filter": None,
    }  # fmt: skip
    assert found["chance"]["genre"] == pytest.approx(3 / 7, abs=1e-4)
    assert found["chance"]["genre_artist_filter"] == pytest.approx(2 / 6, abs=1e-4)
    assert space["precision_ci"] == [1.0, 1.0]
    # The lists: 1 2, 0 2, 3 1, 2 1, 5 6, 4 6, 7 5, 6 5.
    assert space["hubness"]["hub_share"] == 0.0
    assert (space["reachability"], space["largest_component"]) == (1.0, 0.5)
    # 0 and 1 get 2 and 3, 4 and 5 get 6 and 7, and the other way round.
    assert space["coverage"] == 1.0
    assert space["novelty_bits"] == 3.0


def test_lists_that_hold_the_other_genre() -> None:
    # Genre 1 lies between the artists of genre 0.
    apart = [0, 1, 30, 31, 14, 15, 16, 17]
    found = judge_spaces(
        [line("good", PLACES), line("bad", apart)], labels_of(GENRES, ARTISTS), k=2,
        baseline="good",
    )  # fmt: skip
    good, bad = found["spaces"]
    # Genre 0 has nothing right any more, but genre 1 still has.
    assert bad["genre_artist_filter"]["precision"] == 0.5
    assert bad["against_baseline"]["difference"] == -0.5
    low, high = bad["against_baseline"]["ci"]
    assert low == -1 and -0.5 <= high <= 0
    assert good["against_baseline"] is None


def test_queries_for_which_there_is_nothing_to_find_are_not_judged() -> None:
    # The last artist has a genre of his own; one track has no genre, and is near to all.
    genres, artists = [0, 0, 0, 2, 2, -1], [0, 1, 2, 3, 3, 4]
    found = judge_spaces(
        [line("a", [0, 1, 2, 5, 6, 1.5])], labels_of(genres, artists), k=2
    )  # fmt: skip
    (space,) = found["spaces"]
    assert space["genre_artist_filter"] == {"precision": 1.0, "ndcg": 1.0, "n": 3}
    assert space["genre"] == {"precision": 0.8, "ndcg": 1.0, "n": 5}
    assert found["best"]["genre"] == 0.8
    assert found["labels"]["genre"] == {"n": 2, "n_tracks": 5}


def test_without_labels_the_rest_is_measured() -> None:
    found = judge_spaces([line("a", PLACES)], labels_of([-1] * 8), k=2)
    (space,) = found["spaces"]
    assert all(space[task] is None and found["best"][task] is None for task in TASKS)
    assert space["precision_ci"] is None
    assert space["hubness"]["skewness"] is not None
    assert space["paths"]["n"] == 20
    assert [note.partition(" is")[0] for note in found["notes"]] == [
        "No track's genre", "No track's artist", "No track's album",
        "Intervals over tracks, for want of artists, are too narrow.",
    ]  # fmt: skip


def test_lists_longer_than_the_library() -> None:
    found = judge_spaces([line("a", [0, 1, 3])], labels_of([0, 0, 1], [0, 1, 2]), k=10)
    (space,) = found["spaces"]
    assert found["notes"][0] == "Lists hold 2 tracks and not 10: there are no more others."
    assert space["genre"]["precision"] == 0.5
    assert space["reachability"] == 1.0


def test_two_tracks_that_are_one_place() -> None:
    (space,) = judge_spaces([line("a", [1, 1])], labels_of([0, 0]), k=1)["spaces"]
    assert space["genre"]["precision"] == 1.0
    assert (space["diversity"], space["paths"]["n"]) == (None, 0)


def test_one_track_is_refused() -> None:
    with pytest.raises(ValueError, match="1 tracks"):
        judge_spaces([line("a", [0])], labels_of([0]), k=1)


def test_blocks_of_tracks_are_put_together() -> None:
    rng = np.random.default_rng(0)
    places, genres = rng.normal(size=600), rng.integers(0, 3, 600)
    seen = []
    labels = labels_of(genres, rng.integers(0, 50, 600))
    found = judge_spaces(
        [line("a", places)], labels, k=5, on_progress=lambda *steps: seen.append(steps)
    )
    assert seen == [(256, 600), (512, 600), (600, 600)]
    nearest = np.abs(np.subtract.outer(places, places)) + 99 * np.eye(600)
    lists = nearest.argsort(axis=1)[:, :5]
    precision = (genres[lists] == genres[:, np.newaxis]).mean()
    assert found["spaces"][0]["genre"]["precision"] == pytest.approx(precision, abs=1e-4)


def test_plays_tell_what_is_new() -> None:
    labels = labels_of(GENRES, ARTISTS)
    plays = np.array([100, 100, 0, 0, 0, 0, 0, 0])
    found = judge_spaces([line("a", PLACES)], labels, k=2, plays=plays)
    (space,) = found["spaces"]
    assert found["novelty_by"] == "plays"
    known, new = -np.log2(101 / 208), -np.log2(1 / 208)
    # Only 2 and 3 get the two that are known.
    assert space["novelty_bits"] == pytest.approx((2 * known + 6 * new) / 8, abs=1e-4)


def test_the_same_seed_gives_the_same_figures() -> None:
    rng = np.random.default_rng(0)
    spaces = [line("a", rng.normal(size=40))]
    labels = labels_of(rng.integers(0, 3, 40), rng.integers(0, 9, 40))
    assert judge_spaces(spaces, labels, k=5, seed=1) == judge_spaces(spaces, labels, k=5, seed=1)
    other = judge_spaces(spaces, labels, k=5, seed=2)["spaces"][0]
    assert other["precision_ci"] != judge_spaces(spaces, labels, k=5)["spaces"][0]["precision_ci"]


# The spaces that are compared


def fitted(n: int = 60) -> tuple[SimilaritySpace, np.ndarray]:
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(n, 12)).astype(np.float32)
    timbre = rng.normal(size=(n, 5)).astype(np.float32)
    space = SimilaritySpace({"embedding": 12, "timbre": 5}).fit(np.hstack([embeddings, timbre]))
    return space, embeddings


def test_all_spaces_by_their_names() -> None:
    space, embeddings = fitted()
    found = compared_spaces(space, embeddings)
    assert [one.name for one in found] == list(SPACES)
    widths = {one.name: one.places.shape[1] for one in found}
    assert widths["both"] == widths["both-corrected"] == space.places_.shape[1]
    assert widths["descriptors"] + widths["embedding"] == widths["both"]
    assert [one.name for one in found if one.is_default] == ["both-corrected"]


def test_the_default_space_is_that_which_answers() -> None:
    space, embeddings = fitted()
    (found,) = compared_spaces(space, embeddings, "both-corrected")
    distances = found.distances(np.arange(60))
    for row in (0, 17):
        expected = space.distances_from(space.places_[row])
        assert distances[row] == pytest.approx(expected, abs=1e-5)


def test_cosine_ranks_by_the_cosine() -> None:
    space, embeddings = fitted()
    embeddings[3] = 0  # what has no direction is no error
    (found,) = compared_spaces(space, 7 * embeddings, "cosine")
    lengths = np.linalg.norm(embeddings, axis=1)
    cosine = embeddings @ embeddings[0] / np.where(lengths > 0, lengths, 1) / lengths[0]
    assert found.distances(np.array([0]))[0] == pytest.approx(
        np.sqrt(np.maximum(2 - 2 * cosine, 0)) * (lengths > 0) + (lengths == 0), abs=1e-3
    )


def test_corrected_spaces_have_less_hubness() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(120, 50)).astype(np.float32)
    space = SimilaritySpace({"embedding": 40, "timbre": 10}).fit(vectors)
    labels = labels_of([0] * 120)
    found = judge_spaces(compared_spaces(space, vectors[:, :40]), labels, k=10)["spaces"]
    skewness = {one["space"]: one["hubness"]["skewness"] for one in found}
    for name in ("descriptors", "embedding", "both"):
        assert skewness[f"{name}-corrected"] < skewness[name]


def test_an_unknown_space_is_named() -> None:
    space, embeddings = fitted()
    with pytest.raises(InputError, match=r"no space is called 'x'\. There are: cosine, desc"):
        compared_spaces(space, embeddings, "x")


def test_labels_of_a_kind() -> None:
    labels = labels_of(GENRES, ARTISTS)
    assert labels.of("artist") is labels.artist
    assert replace(labels, genre=labels.artist).of("genre") is labels.artist
