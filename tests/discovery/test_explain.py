"""Why two tracks are neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonotope.discovery.explain import EXPLAINED_COLUMNS, Ranks, compare_tracks, part_shares

NAN = float("nan")
# A hundred tracks: every descriptor runs through 0 to 99.
RANKS = Ranks({name: np.arange(100.0) for name in EXPLAINED_COLUMNS})
NOTHING = dict.fromkeys(EXPLAINED_COLUMNS, NAN)


def texts(a: dict[str, float], b: dict[str, float], *, agree: bool) -> list[str]:
    reasons = compare_tracks(NOTHING | a, NOTHING | b, RANKS)
    return [reason.text for reason in reasons if reason.agrees == agree]


@pytest.mark.parametrize(
    ("a", "b", "text", "agree"),
    [
        (128, 127, "same tempo, 128 and 127 BPM", True),
        (128, 134, "faster, 134 against 128 BPM", False),
        (64, 128, "double the tempo, 64 and 128 BPM", True),
        (128, 65, "half the tempo, 128 and 65 BPM", True),
        (40, 160, "faster, 160 against 40 BPM", False),
        (120, 85, "slower, 85 against 120 BPM", False),
    ],
)
def test_tempo(a: float, b: float, text: str, agree: bool) -> None:
    assert texts({"tempo_bpm": a}, {"tempo_bpm": b}, agree=agree) == [text]
    assert texts({"tempo_bpm": a}, {"tempo_bpm": b}, agree=not agree) == []


def key(tonic: int, is_major: bool, confidence: float = 0.9) -> dict[str, float]:
    return {"key_tonic": tonic, "key_is_major": is_major, "key_confidence": confidence}


@pytest.mark.parametrize(
    ("a", "b", "text", "agree"),
    [
        (key(9, False), key(9, False), "same key, A minor", True),
        (key(0, True), key(7, True), "key differs by a fifth, C major and G major", True),
        (key(0, True), key(9, False), "relative keys, C major and A minor", True),
        (key(0, True), key(0, False), "major and minor of one tonic, C major and C minor", False),
        (key(0, True), key(6, True), "keys 6 steps apart, C major and F# major", False),
    ],
)
def test_key(a: dict[str, float], b: dict[str, float], text: str, agree: bool) -> None:
    assert texts(a, b, agree=agree) == [text]


def test_of_a_key_that_is_unsure_nothing_is_said() -> None:
    assert compare_tracks(NOTHING | key(0, True), NOTHING | key(0, True, 0.4), RANKS) == []


@pytest.mark.parametrize(
    ("a", "b", "text", "agree"),
    [
        (90, 95, "both bright, 90 and 95 Hz", True),
        (3, 10, "both dark, 3 and 10 Hz", True),
        (50, 55, "alike in brightness, 50 and 55 Hz", True),
        (20, 80, "brighter, 80 against 20 Hz", False),
        (80, 20, "darker, 20 against 80 Hz", False),
    ],
)
def test_descriptors_on_a_scale(a: float, b: float, text: str, agree: bool) -> None:
    column = "spectral_centroid_hz_mean"
    assert texts({column: a}, {column: b}, agree=agree) == [text]


def test_what_neither_agrees_nor_differs_is_not_worth_a_word() -> None:
    column = "integrated_loudness_lufs"
    assert compare_tracks(NOTHING | {column: 30}, NOTHING | {column: 55}, RANKS) == []


def test_the_most_telling_comes_first() -> None:
    names = ("spectral_centroid_hz_mean", "pulse_clarity")
    ordinary, extreme = (
        dict(zip(names, (50, 98), strict=True)),
        dict(zip(names, (51, 99), strict=True)),
    )
    found = texts(ordinary, extreme, agree=True)
    assert found == ["both with a clear beat, 98.00 and 99.00", "alike in brightness, 50 and 51 Hz"]


def test_of_what_is_not_known_nothing_is_said() -> None:
    assert compare_tracks(NOTHING, NOTHING, RANKS) == []


def test_ranks_count_equals_by_half_and_pass_over_what_is_missing() -> None:
    ranks = Ranks({"x": np.array([1.0, 2.0, 2.0, 3.0, NAN]), "none": np.array([NAN])})
    assert ranks.of("x", 2.0) == 0.5
    assert ranks.of("x", 0.0) == 0.0
    assert ranks.of("x", 3.0) == 3.5 / 4
    assert ranks.of("none", 1.0) == 0.5


def test_shares_of_parts_by_hand() -> None:
    places = np.array([[0, 0, 0], [3, 0, 4], [1, 1, 1], [9, 9, 9]], np.float32)
    parts = {"timbre": slice(0, 2), "rhythm": slice(2, 3)}
    shares = part_shares(places, parts, places[0], places[1])
    assert [(s.part, s.share) for s in shares] == [("rhythm", 16 / 25), ("timbre", 9 / 25)]
    # Farther from the first track: in rhythm the last, in timbre the last.
    assert [s.nearer_than for s in shares] == [0.25, 0.25]
    assert {s.share for s in part_shares(places, parts, places[0], places[0])} == {0.0}


@given(st.integers(0, 2**32 - 1))
def test_shares_sum_to_one(seed: int) -> None:
    places = np.random.default_rng(seed).normal(size=(5, 6)).astype(np.float32)
    parts = {"a": slice(0, 1), "b": slice(1, 4), "c": slice(4, 6)}
    shares = part_shares(places, parts, places[0], places[1])
    assert sum(share.share for share in shares) == pytest.approx(1)
    assert [s.share for s in shares] == sorted((s.share for s in shares), reverse=True)
