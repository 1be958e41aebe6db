from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.discovery import duplicate_candidates
from tonotope.discovery.duplicate_candidates import candidate_pairs
from tonotope.discovery.duplicates import (
    DuplicatePair,
    Stretch,
    compare,
    duplicate_pairs,
)
from tonotope.features.fingerprint import MARK_BLOCKS, MARK_PERIOD_S, Fingerprint

NO_CHROMA = np.zeros((0, 12), np.uint8)


def marks_of(seed: int, n: int = 600) -> np.ndarray:
    """Return marks that follow each other as those of music do: a tenth of the bits turns."""
    rng = np.random.default_rng(seed)
    turned = rng.random((n, 32)) < 0.1
    turned[0] = rng.random(32) < 0.5
    bits = np.cumsum(turned, axis=0) % 2 == 1
    return np.packbits(bits, axis=1).view(">u4")[:, 0].astype(np.uint32)


def noisy(marks: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    bits = np.random.default_rng([seed, 1]).random((len(marks), 32)) < share
    return marks ^ np.packbits(bits, axis=1).view(">u4")[:, 0].astype(np.uint32)


def track(marks: np.ndarray, spectrum_db: np.ndarray | float = -20.0) -> Fingerprint:
    spectrum = np.broadcast_to(np.asarray(spectrum_db, np.float32), (32,))
    return Fingerprint(marks, NO_CHROMA, spectrum)


def of(pairs: list[DuplicatePair]) -> list[tuple[int, int, str]]:
    return [(pair.a, pair.b, pair.kind) for pair in pairs]


def test_another_encoding_a_remaster_and_what_is_different() -> None:
    first = marks_of(1)
    bright = np.linspace(-20, -14, 32)
    tracks = [
        track(first),
        track(marks_of(2)),
        track(noisy(first, 0.06, seed=1), -20.5),
        track(noisy(first, 0.1, seed=2), bright),
        track(noisy(first, 0.06, seed=3), -15.0),
    ]
    pairs = duplicate_pairs(tracks)
    assert (0, 2, "same recording") in of(pairs)
    assert (0, 3, "remaster") in of(pairs)
    assert (0, 4, "remaster") in of(pairs)
    assert not [pair for pair in pairs if 1 in (pair.a, pair.b)]
    (same,) = (pair for pair in pairs if (pair.a, pair.b) == (0, 2))
    assert same.bit_error_rate == pytest.approx(0.06, abs=0.01)
    assert same.level_db == pytest.approx(-0.5)
    assert same.spectrum_db == pytest.approx(0)
    whole_s = (600 + MARK_BLOCKS - 1) * MARK_PERIOD_S
    assert same.stretches == (Stretch(0, round(whole_s, 2), 0, round(whole_s, 2)),)
    (louder,) = (pair for pair in pairs if (pair.a, pair.b) == (0, 4))
    assert louder.level_db == pytest.approx(5)


def test_an_edit_and_where_it_begins_and_ends() -> None:
    whole = marks_of(1)
    edit = np.concatenate([marks_of(7, 40), noisy(whole[150:500], 0.05), marks_of(8, 30)])
    (pair,) = duplicate_pairs([track(whole), track(edit)])
    assert pair.kind == "edit"
    assert pair.level_db is None
    (stretch,) = pair.stretches
    middle_s = MARK_BLOCKS / 2 * MARK_PERIOD_S
    assert stretch.start_a_s == pytest.approx(150 * MARK_PERIOD_S + middle_s, abs=0.6)
    assert stretch.end_a_s == pytest.approx(500 * MARK_PERIOD_S + middle_s, abs=0.6)
    assert stretch.start_b_s == pytest.approx(stretch.start_a_s - 110 * MARK_PERIOD_S, abs=0.02)
    assert stretch.length_s == pytest.approx(stretch.end_b_s - stretch.start_b_s, abs=0.02)


def test_a_middle_that_was_cut_leaves_two_stretches() -> None:
    whole = marks_of(1)
    (pair,) = duplicate_pairs([track(whole), track(np.concatenate([whole[:200], whole[350:]]))])
    assert pair.kind == "edit"
    first, second = pair.stretches
    assert first.start_a_s == first.start_b_s == 0
    assert second.start_a_s - second.start_b_s == pytest.approx(150 * MARK_PERIOD_S, abs=0.02)
    assert second.end_a_s == pytest.approx((600 + MARK_BLOCKS - 1) * MARK_PERIOD_S, abs=0.02)


@pytest.mark.parametrize("n_shared", [0, 30, 50, 120])
def test_a_sample_does_not_make_an_edit(n_shared: int) -> None:
    a, b = marks_of(1), marks_of(2)
    b[100 : 100 + n_shared] = a[300 : 300 + n_shared]
    assert duplicate_pairs([track(a), track(b)]) == []


def test_a_loop_within_one_track_is_no_pair_and_loops_are_compared() -> None:
    loop = np.tile(marks_of(1, 40), 15)
    pairs = duplicate_pairs([track(loop), track(marks_of(3)), track(noisy(loop, 0.03))])
    assert of(pairs) == [(0, 2, "same recording")]


def test_silence_and_what_is_short() -> None:
    silent = np.zeros(600, np.uint32)
    short = marks_of(1, 40)
    nothing = np.zeros(0, np.uint32)
    tracks = [track(k) for k in (silent, silent, short, short, nothing, nothing)]
    assert duplicate_pairs(tracks) == []
    assert duplicate_pairs([]) == []
    assert duplicate_pairs(tracks[:1]) == []
    assert compare(tracks[0], tracks[1], [0]) is None
    assert compare(tracks[4], tracks[5], [0, 3]) is None


def test_silence_before_and_after_is_not_missed() -> None:
    marks, silence = marks_of(1), np.zeros(80, np.uint32)
    (pair,) = duplicate_pairs([track(marks), track(np.concatenate([silence, marks, silence]))])
    assert pair.kind == "same recording"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(-200, 200), st.floats(0, 0.1))
def test_every_copy_is_found_from_both_sides(seed: int, offset: int, share: float) -> None:
    marks = marks_of(seed, 800)
    a = marks[max(0, offset) :]
    b = noisy(marks[max(0, -offset) :], share, seed)
    (forth,), (back,) = (duplicate_pairs([track(x), track(y)]) for x, y in ((a, b), (b, a)))
    assert forth.kind == back.kind
    assert back.between(1, 0) == forth
    assert forth.stretches[0].start_a_s - forth.stretches[0].start_b_s == pytest.approx(
        -offset * MARK_PERIOD_S, abs=0.02
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_different_tracks_are_never_a_pair(seed: int) -> None:
    tracks = [track(marks_of(seed + k)) for k in range(12)]
    assert duplicate_pairs(tracks) == []
    # Nor if they are laid side by side in every way.
    assert compare(tracks[0], tracks[1], range(-300, 300)) is None


def test_a_large_index_is_thinned_and_still_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = [marks_of(k) for k in range(20)] + [noisy(marks_of(k), 0.03) for k in range(20)]
    monkeypatch.setattr(duplicate_candidates, "_MOST_ENTRIES", 6000)
    assert [pair for pair in candidate_pairs(tracks, 40) if pair[1] - pair[0] == 20] == [
        (k, k + 20) for k in range(20)
    ]


@pytest.mark.parametrize(("bound", "size"), [("_CHUNK_ENTRIES", 7), ("_MOST_VOTES", 50)])
def test_bounds_of_memory_change_nothing(
    monkeypatch: pytest.MonkeyPatch, bound: str, size: int
) -> None:
    tracks = [marks_of(k) for k in range(6)] + [noisy(marks_of(k), 0.05) for k in range(6)]
    at_once = candidate_pairs(tracks, 12)
    assert len(at_once) >= 6
    monkeypatch.setattr(duplicate_candidates, bound, size)
    assert candidate_pairs(tracks, 12) == at_once


def test_what_too_many_tracks_have_tells_nothing() -> None:
    common = np.tile(marks_of(1, 5), 100)
    assert candidate_pairs([common] * 70, 70) == {}
    assert len(candidate_pairs([common] * 5, 5)) == 10


def test_progress_ends_at_its_end() -> None:
    seen: list[tuple[int, int]] = []
    marks = marks_of(1)
    tracks = [track(marks), track(marks), track(marks_of(2))]
    duplicate_pairs(tracks, lambda done, total: seen.append((done, total)))
    assert seen[0] == (1, 3)
    assert seen[-1] == (4, 4)
