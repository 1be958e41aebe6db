from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.discovery.group_names import (
    TRAITS,
    Describable,
    cliffs_delta,
    name_groups,
    profile_groups,
)
from tonotope.discovery.recordings import ChosenTracks, TrackFacts
from tonotope.discovery.typical import most_typical, nearest_to_middle

# What a usual track measures, by trait.
USUAL = {
    "tempo_bpm": 110.0,
    "integrated_loudness_lufs": -17.0,
    "loudness_range_lu": 5.5,
    "spectral_centroid_hz_mean": 1700.0,
    "spectral_flatness_mean": 0.015,
    "fluctuation_bass_share": 0.09,
    "onsets_per_minute": 165.0,
    "pulse_clarity": 0.35,
    "onset_strength_db_mean": 1.2,
}
PER_GROUP = 10


def library(
    *groups: dict[str, float],
    genres: tuple[str, ...] = (),
    heard: list[list[float]] | None = None,
    tags: list[str] | None = None,
) -> tuple[Describable, np.ndarray]:
    """Return ten tracks a group, usual but where a group says how much."""
    n_tracks = PER_GROUP * len(groups)
    numbers = np.empty((n_tracks, len(TRAITS)))
    for column, trait in enumerate(TRAITS):
        usual = USUAL.get(trait.column, 0.5)
        for k, group in enumerate(groups):
            rows = slice(PER_GROUP * k, PER_GROUP * (k + 1))
            numbers[rows, column] = group.get(trait.column, usual)
    numbers[:, -1] = np.arange(n_tracks) % 2  # major or minor
    probabilities = np.repeat(np.array(heard or [[]] * len(groups), float), PER_GROUP, axis=0)
    of_tracks = [
        frozenset({tag} - {""}) for tag in (tags or [""] * len(groups)) for _ in range(PER_GROUP)
    ]
    labels = np.repeat(np.arange(len(groups)), PER_GROUP)
    return Describable(numbers, probabilities, genres, of_tracks), labels


def names(*groups: dict[str, float], **options) -> list[str]:
    return name_groups(profile_groups(*library(*groups, **options)))


# Effect size


def test_cliffs_delta_of_a_case_done_by_hand() -> None:
    # Of six pairs (1, 3, 5 inside; 2, 3 outside) 3 are greater, 2 less, one equal.
    values = np.array([1.0, 3.0, 5.0, 2.0, 3.0])
    inside = np.array([True, True, True, False, False])
    assert cliffs_delta(values, inside) == pytest.approx((3 - 2) / 6)
    assert cliffs_delta(np.r_[values, np.nan], np.r_[inside, True]) == pytest.approx(1 / 6)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=30))
def test_cliffs_delta_counts_pairs(tracks: list[tuple[int, bool]]) -> None:
    values = np.array([float(value) for value, _ in tracks])
    inside = np.array([is_inside for _, is_inside in tracks])
    pairs = np.sign(values[inside][:, None] - values[~inside])
    if pairs.size == 0:
        assert np.isnan(cliffs_delta(values, inside))
    else:
        assert cliffs_delta(values, inside) == pytest.approx(pairs.mean())
        assert cliffs_delta(values, ~inside) == pytest.approx(-pairs.mean())


# Names


def test_what_sets_groups_apart_names_them() -> None:
    found = names(
        {"tempo_bpm": 150, "spectral_centroid_hz_mean": 3200},
        {"tempo_bpm": 70, "integrated_loudness_lufs": -27},
        {"loudness_range_lu": 14},
        tags=["chiptune", "", "classical"],
    )
    assert found == ["fast, bright, chiptune", "slow, quiet", "dynamic, classical"]


def test_no_word_that_is_not_true_by_itself() -> None:
    slow, slower = {"tempo_bpm": 90}, {"tempo_bpm": 60}
    profiles = profile_groups(*library(slow, slower))
    tempi = [profile.traits[0] for profile in profiles]
    assert [tempo.delta for tempo in tempi] == [1, -1]
    assert [tempo.word for tempo in tempi] == [None, "slow"]
    assert tempi[0].median == pytest.approx(90, rel=0.01)
    assert tempi[0].rest == pytest.approx(60, rel=0.01)


def test_a_genre_that_is_heard_everywhere_names_nobody() -> None:
    heard = [[0.7, 0.3], [0.7, 0.3]]
    assert "rock" not in " ".join(
        names({"tempo_bpm": 140}, {}, genres=("rock", "pop"), heard=heard)
    )


def test_what_is_heard_names_where_nothing_is_tagged() -> None:
    genres = ("rock", "metal", "jazz")
    heard = [[0.5, 0.45, 0.05], [0.1, 0.1, 0.8], [0.4, 0.0, 0.6]]
    found = profile_groups(*library({}, {}, {}, genres=genres, heard=heard, tags=["", "", "swing"]))
    assert [profile.noun for profile in found] == ["rock/metal", "jazz", "swing"]
    assert [share.name for share in found[0].heard] == ["rock", "metal", "jazz"]
    assert found[0].heard[0].share == pytest.approx(0.5)
    assert found[0].heard[0].rest == pytest.approx(0.25)


def test_tags_of_few_tracks_or_without_meaning_name_nobody() -> None:
    tracks, labels = library({}, {})
    few = [frozenset({"polka"})] * 4 + [frozenset()] * 16
    empty = [frozenset({"other"})] * 10 + [frozenset()] * 10
    for tags, n_tagged in ((few, 4), (empty, 0)):
        told = Describable(tracks.numbers, tracks.genre_probabilities, tracks.genres, tags)
        profile = profile_groups(told, labels)[0]
        assert (profile.noun, profile.n_tagged) == (None, n_tagged)


def test_no_two_groups_of_one_name() -> None:
    fast = {"tempo_bpm": 150, "spectral_centroid_hz_mean": 3200, "pulse_clarity": 0.9}
    found = names(fast, {**fast, "loudness_range_lu": 14}, {}, {}, {}, {}, {})
    assert len(set(found)) == 7


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(sorted(USUAL)), st.sampled_from([0.01, 100.0])),
        min_size=1,
        max_size=12,
    )
)
def test_names_are_different_whatever_the_groups(groups: list[dict[str, float]]) -> None:
    found = names(*groups)
    assert len(set(found)) == len(groups)
    assert all(found)


def test_what_is_not_known_has_no_word() -> None:
    tracks, labels = library({"tempo_bpm": 150}, {})
    nothing = Describable(np.full_like(tracks.numbers, np.nan), np.empty((20, 0)), (), tracks.tags)
    profiles = profile_groups(nothing, labels)
    assert all(m.word is None and np.isnan(m.delta) for p in profiles for m in p.traits)
    assert name_groups(profiles) == ["mixed", "mixed 2"]
    assert name_groups(profiles[:1], taken=["mixed", "mixed 2"]) == ["mixed 3"]


def test_a_library_that_is_one_group_and_one_without_groups() -> None:
    tracks, labels = library({"tempo_bpm": 150}, genres=("rock",), heard=[[1.0]])
    assert name_groups(profile_groups(tracks, labels)) == ["rock"]
    assert profile_groups(tracks, np.full(10, -1)) == []


# Who stands for a group


def test_the_most_typical_are_nearest_to_the_middle() -> None:
    places = np.array([[9.0], [0.0], [4.0], [1.0], [2.0]], np.float32)
    # The middle of the four is 1.75.
    assert nearest_to_middle(places, np.array([1, 2, 3, 4])).tolist() == [4, 3, 1, 2]


def typical(artists: list[str | None], *, n: int, copies: tuple[int, ...] = ()) -> list[int]:
    places = np.array([[10.0 * (0 if k in copies else k)] for k in range(len(artists))], np.float32)
    lengths = [100.0 if k in copies else 200.0 + 10 * k for k in range(len(artists))]
    facts = [
        TrackFacts(None, artist, None, length)
        for artist, length in zip(artists, lengths, strict=True)
    ]
    return most_typical(range(len(artists)), facts, ChosenTracks(places, facts), n=n)


def test_an_artist_stands_for_a_group_once_where_there_are_others() -> None:
    assert typical(["a", "a", "a", "b", "a", "c"], n=3) == [0, 3, 5]
    assert typical(["a", "a", "b", "a"], n=3) == [0, 2, 1]
    assert typical([None, None, None, "a"], n=3) == [0, 1, 2]
    assert typical(["a"], n=5) == [0]


def test_a_recording_stands_for_a_group_once() -> None:
    assert typical([None] * 5, n=3, copies=(0, 1)) == [0, 2, 3]
