"""The stretches of two tracks that are most alike."""

from __future__ import annotations

import numpy as np
import pytest

from tonotope.discovery.segments import best_match, cut_segments

FRAMES_PER_S = 10.0


def track(seed: int, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Return MFCCs and chroma that wander, so that no stretch is like another."""
    rng = np.random.default_rng(seed)
    n_frames = int(seconds * FRAMES_PER_S)
    mfcc = rng.normal(size=(n_frames, 20)).cumsum(axis=0).astype(np.float32)
    return mfcc, rng.random((n_frames, 12)).astype(np.float32)


def test_segments_are_cut_every_five_seconds() -> None:
    segments = cut_segments(*track(0, 31), FRAMES_PER_S)
    assert segments.starts_s.tolist() == [0, 5, 10, 15, 20]
    assert segments.timbre.shape == (5, 38)
    assert segments.harmony.shape == (5, 12)


def test_a_segment_is_means_and_deviations_by_hand() -> None:
    mfcc, chroma = track(1, 12)
    segments = cut_segments(mfcc, chroma, FRAMES_PER_S)
    assert segments.starts_s.tolist() == [0]
    assert np.allclose(segments.timbre[0, :19], mfcc[:100, 1:].mean(axis=0), atol=1e-5)
    assert np.allclose(segments.timbre[0, 19:], mfcc[:100, 1:].std(axis=0), atol=1e-5)
    assert np.allclose(segments.harmony[0], chroma[:100].mean(axis=0), atol=1e-6)


def test_a_short_track_is_one_segment() -> None:
    mfcc, chroma = track(2, 3)
    segments = cut_segments(mfcc, chroma, FRAMES_PER_S)
    assert segments.starts_s.tolist() == [0]
    assert np.allclose(segments.harmony[0], chroma.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(("start", "other"), [(5, 40), (30, 0), (0, 0)])
def test_a_stretch_that_both_have_is_found(start: int, other: int) -> None:
    a, b = track(3, 60), track(4, 70)
    for own, others in zip(a, b, strict=True):
        others[other * 10 : other * 10 + 100] = own[start * 10 : start * 10 + 100]
    match = best_match(cut_segments(*a, FRAMES_PER_S), cut_segments(*b, FRAMES_PER_S))
    assert (match.start_s, match.other_start_s) == (start, other)


def test_how_loud_a_stretch_is_does_not_matter() -> None:
    (mfcc, chroma), louder = track(5, 60), track(5, 60)
    louder[0][:, 0] += 100
    a, b = (cut_segments(m, c, FRAMES_PER_S) for m, c in ((mfcc, chroma), louder))
    assert np.array_equal(a.timbre, b.timbre)


def test_what_never_changes_says_nothing() -> None:
    steady = np.ones((300, 20), np.float32), np.ones((300, 12), np.float32)
    segments = cut_segments(*steady, FRAMES_PER_S)
    match = best_match(segments, segments)
    assert (match.start_s, match.other_start_s) == (0, 0)
