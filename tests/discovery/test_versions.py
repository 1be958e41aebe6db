from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tonotope.discovery.versions import (
    _EXTEND_COST,
    _OPEN_COST,
    _longest_path,
    compare_harmony,
    harmony_profile,
    version_pairs,
)
from tonotope.features.fingerprint import CHROMA_PERIOD_S, Fingerprint


def chords(seed: int, n_chords: int = 60) -> np.ndarray:
    """Return triads one after the other, shape (n_chords, 12)."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((n_chords, 12))
    roots, thirds = rng.integers(0, 12, n_chords), rng.integers(3, 5, n_chords)
    for row, root, third in zip(rows, roots, thirds, strict=True):
        row[[root, (root + third) % 12, (root + 7) % 12]] = 1
    return rows


def played(
    rows: np.ndarray, *, rows_per_chord: float = 2.0, up: int = 0, noise: float = 0.0, seed: int = 0
) -> Fingerprint:
    at = (np.arange(int(len(rows) * rows_per_chord)) / rows_per_chord).astype(int)
    rng = np.random.default_rng([seed, 1])
    chroma = np.clip(np.roll(rows[at], up, axis=1) + noise * rng.random((len(at), 12)), 0, 1)
    return Fingerprint(
        np.zeros(0, np.uint32), (255 * chroma).astype(np.uint8), np.zeros(32, np.float32)
    )


@pytest.mark.parametrize("up", [0, 3, 6, 7, 11])
@pytest.mark.parametrize("rows_per_chord", [1.8, 2.0, 2.3])
def test_another_key_and_another_tempo(up: int, rows_per_chord: float) -> None:
    piece = chords(1)
    cover = played(piece, rows_per_chord=rows_per_chord, up=up, noise=0.4)
    pair = compare_harmony(played(piece), cover)
    assert pair is not None
    assert pair.kind == "version"
    assert pair.transposition == (up if up <= 6 else up - 12)
    assert pair.agreement is not None
    assert 0.6 < pair.agreement <= 1
    (stretch,) = pair.stretches
    # From beginning to end, in both.
    assert max(stretch.start_a_s, stretch.start_b_s) < 4
    assert stretch.end_a_s == pytest.approx(120 * CHROMA_PERIOD_S, abs=4)
    assert stretch.end_b_s == pytest.approx(60 * rows_per_chord * CHROMA_PERIOD_S, abs=4)
    # Bits are not compared: there may be none that agree.
    assert pair.bit_error_rate is None


def test_other_chords_are_another_piece() -> None:
    for seed in range(2, 12):
        assert (
            compare_harmony(played(chords(1), noise=0.2), played(chords(seed), noise=0.2)) is None
        )


def test_a_part_is_where_it_is() -> None:
    whole = chords(1, 80)
    pair = compare_harmony(played(whole), played(whole[20:60]))
    assert pair is not None
    (stretch,) = pair.stretches
    assert stretch.start_a_s == pytest.approx(40 * CHROMA_PERIOD_S, abs=3)
    assert stretch.start_b_s == pytest.approx(0, abs=3)


@pytest.mark.parametrize("n_chords", [0, 1, 2, 12])
def test_what_is_short_or_has_no_pitch_is_no_version(n_chords: int) -> None:
    short = played(chords(1, n_chords))
    assert compare_harmony(short, short) is None
    silent = played(np.zeros((60, 12)))
    assert compare_harmony(silent, silent) is None
    assert version_pairs([short, short, silent, silent], range(4)) == []
    assert version_pairs([], []) == []


def test_versions_are_found_among_many() -> None:
    tracks = [played(chords(seed), noise=0.2, seed=seed) for seed in range(40)]
    tracks += [
        played(chords(seed), rows_per_chord=2.2, up=5, noise=0.3, seed=50 + seed)
        for seed in range(4)
    ]
    seen: list[tuple[int, int]] = []
    pairs = version_pairs(tracks, range(44), lambda done, total: seen.append((done, total)))
    assert [(pair.a, pair.b) for pair in pairs] == [(k, 40 + k) for k in range(4)]
    assert seen[-1][0] == seen[-1][1] < 44 * 8
    # Only the rows that are asked for.
    assert [(pair.a, pair.b) for pair in version_pairs(tracks, [1, 3, 41, 42])] == [(1, 41)]


@given(st.integers(0, 1000), st.integers(0, 11))
def test_the_profile_does_not_hear_the_key(seed: int, up: int) -> None:
    piece = chords(seed)
    profile = harmony_profile(played(piece).chroma)
    np.testing.assert_allclose(harmony_profile(played(piece, up=up).chroma), profile, atol=1e-4)
    assert profile.shape == (576,)
    assert float(np.linalg.norm(profile)) == pytest.approx(1, abs=1e-5)


def naive_score(is_alike: np.ndarray) -> float:
    """Return Qmax as the paper writes it down."""
    n_x, n_y = is_alike.shape
    score = np.zeros((n_x, n_y))

    def before(i: int, j: int, *, costs: bool) -> float:
        if i < 0 or j < 0:
            # Nothing before the beginning; what comes in costs nothing there, for it is nothing.
            return 0.0
        cost = (_OPEN_COST if is_alike[i, j] else _EXTEND_COST) if costs else 0.0
        return score[i, j] - cost

    for i in range(n_x):
        for j in range(n_y):
            moments = ((i - 1, j - 1), (i - 2, j - 1), (i - 1, j - 2))
            best = max(before(*moment, costs=not is_alike[i, j]) for moment in moments)
            score[i, j] = best + 1 if is_alike[i, j] else max(0.0, best)
    return float(score.max())


@settings(deadline=None)
@given(arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_the_path_is_that_of_the_paper(is_alike: np.ndarray) -> None:
    length, stretch = _longest_path(is_alike)
    assert length == pytest.approx(naive_score(is_alike))
    assert 0 <= stretch.start_a_s < stretch.end_a_s
    assert 0 <= stretch.start_b_s < stretch.end_b_s


def test_a_path_leaps_over_a_gap_where_that_is_worth_it() -> None:
    is_alike = np.eye(40, dtype=bool)
    is_alike[20:23] = False
    # 37 moments, less the gap: it begins at 5, goes on at 0.5, and two steps of two lead out of it.
    assert _longest_path(is_alike)[0] == 37 - 5 - 0.5
    is_alike[5:] = False
    assert _longest_path(is_alike)[0] == 5
