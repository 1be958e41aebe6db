"""What the networks hear is the data set's own representation, window by window of a track."""

from __future__ import annotations

import tracemalloc

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.audio import decode
from tonotope.features.mel import mel_power
from tonotope.features.stft import HOP_LENGTH, SAMPLE_RATE_HZ, stft_power
from tonotope.models.frontend import N_COLUMNS, WINDOW_FRAMES, WindowStream, gtzan_mel

# A GTZAN clip has 661 794 samples: 1293 frames.
CLIP_SAMPLES = 661_794

# Largest deviation of a cell from librosa's, in the representation's own decibels (80 of them
# are 40 dB of power). One step of the data set's uint8 is 0.31.
TOLERANCE_DB = 1e-3

CLIPS = (
    "ancientbeast/Incub by byrum.ogg",
    "freepd/Backbeat.mp3",
    "holiznacc0/phonograph_album_holiznacc0_002-02-fire-place.ogg",
    "jamendolyrics/Fantasma_-_Los_Rombos.mp3",
    "kevin_macleod/amazing_plan.m4a",
    "kevin_macleod/look_busy.webm",
    "kevin_macleod/Gold Rush.mp3",
    "kevin_macleod/scheming_weasel.mp3",
    "librosa_data/Kevin_MacLeod_-_Vibe_Ace.hq.ogg",
    "lofi_oga/game-60s.mp3",
    "tuxemon/02 - BWV 1007 - Prelude.ogg",
    "ultrastar/Joshua_Morin_-_On_the_run/audio.ogg",
)


def mel_of(signal):
    return mel_power(stft_power(signal))


def librosas_gtzan_mel(signal):
    """Return the representation as the data set's description has it: librosa's calls, columns."""
    mel = librosa.feature.melspectrogram(y=signal, sr=SAMPLE_RATE_HZ)
    decibels = librosa.amplitude_to_db(mel, ref=np.max).T
    # floor((c + 2) * T / 334.8) in whole numbers.
    return decibels[[(column + 2) * len(decibels) * 10 // 3348 for column in range(333)]]


def clip(path):
    with decode(path) as blocks:
        pieces = []
        for block in blocks:
            pieces.append(block)
            if sum(map(len, pieces)) >= CLIP_SAMPLES:
                break
    signal = np.concatenate(pieces)
    return signal[:CLIP_SAMPLES]


@pytest.mark.data
@pytest.mark.parametrize("path", CLIPS)
def test_real_clips_equal_librosas_own_calls(music_dir, path):
    signal = clip(music_dir / path)
    assert len(signal) == CLIP_SAMPLES
    ours, theirs = gtzan_mel(mel_of(signal)), librosas_gtzan_mel(signal)
    assert ours.shape == (333, 128)
    assert ours.dtype == np.float32
    assert np.abs(ours - theirs).max() < TOLERANCE_DB
    # As the data set stores it: a cell next to a step's edge may fall to the other side.
    quantised = [np.rint((decibels + 80) / 80 * 255) for decibels in (ours, theirs)]
    assert np.abs(quantised[0] - quantised[1]).max() <= 1
    assert np.mean(quantised[0] != quantised[1]) < 1e-3
    assert quantised[0].min() >= 0
    assert 230 < quantised[0].max() <= 255  # the loudest frame itself may lie between columns


@pytest.mark.data
def test_real_clips_lie_where_the_data_set_lies(data_dir, music_dir):
    cells = np.load(data_dir / "gtzan-mel" / "mel.npy", mmap_mode="r")[::8]
    ours = np.stack([gtzan_mel(mel_of(clip(music_dir / path))) for path in CLIPS[::3]])
    ours = (ours + 80) / 80 * 255
    assert ours.shape[1:] == cells.transpose(0, 2, 1).shape[1:]
    clip_means = cells.mean(axis=(1, 2))
    assert clip_means.min() <= ours.mean(axis=(1, 2)).min()
    assert ours.mean(axis=(1, 2)).max() <= clip_means.max()
    # The same slope from the lowest to the highest bands: another scale would tilt it.
    assert np.corrcoef(ours.mean(axis=(0, 1)), cells.mean(axis=(0, 2)))[0, 1] > 0.9


@pytest.mark.parametrize("n_samples", [CLIP_SAMPLES, 660_000, 675_808, 50_000])
def test_a_clip_of_any_length_is_spread_over_the_columns(n_samples):
    rng = np.random.default_rng(n_samples)
    signal = (rng.standard_normal(n_samples) * np.linspace(0.01, 1, n_samples)).astype(np.float32)
    assert np.abs(gtzan_mel(mel_of(signal)) - librosas_gtzan_mel(signal)).max() < TOLERANCE_DB


def numbered(n_frames: int, first: int = 0):
    """Return mel power that tells its frame's number."""
    frames = np.arange(first, first + n_frames, dtype=np.float32)
    return np.repeat(1 + frames[:, np.newaxis], 128, axis=1)


def numbers(window, loudest: int):
    """Return the number of the frame that each column of a window of `numbered` frames shows."""
    return np.rint((1 + loudest) * 10 ** (window.log_mel[:, 0].astype(np.float64) / 20) - 1)


def windows_of(*pieces):
    stream = WindowStream()
    windows = [window for piece in pieces for window in stream.push(piece)]
    return windows + list(stream.finish())


def starts_of(n_frames: int) -> list[int]:
    """Return where windows have to begin, in frames, said another way than the code says it."""
    if n_frames <= WINDOW_FRAMES:
        return [0]
    n_full, rest = divmod(n_frames, WINDOW_FRAMES)
    starts = [k * WINDOW_FRAMES for k in range(n_full)]
    return starts + [n_frames - WINDOW_FRAMES] * (rest >= 5 * SAMPLE_RATE_HZ / HOP_LENGTH - 1)


@settings(max_examples=60, deadline=None)
@given(
    n_frames=st.one_of(
        st.integers(1, 4 * WINDOW_FRAMES),
        st.sampled_from([WINDOW_FRAMES - 1, WINDOW_FRAMES, WINDOW_FRAMES + 1, 2 * WINDOW_FRAMES]),
        st.sampled_from([WINDOW_FRAMES + 214, WINDOW_FRAMES + 215, WINDOW_FRAMES + 216]),
    ),
    data=st.data(),
)
def test_the_cut_changes_no_window(n_frames, data):
    cuts = data.draw(st.lists(st.integers(0, n_frames), max_size=12).map(sorted), label="cuts")
    mel = numbered(n_frames)
    whole, cut = windows_of(mel), windows_of(*np.split(mel, cuts))
    assert [round(w.start_s * SAMPLE_RATE_HZ / HOP_LENGTH) for w in whole] == starts_of(n_frames)
    assert [w.start_s for w in whole] == [w.start_s for w in cut]
    for a, b in zip(whole, cut, strict=True):
        assert np.array_equal(a.log_mel, b.log_mel)


def test_a_full_window_is_the_representation_of_its_frames():
    mel = np.random.default_rng(0).lognormal(0, 3, (3 * WINDOW_FRAMES + 500, 128))
    mel = mel.astype(np.float32)
    windows = windows_of(mel)
    assert len(windows) == 4
    for window in windows:
        start = round(window.start_s * SAMPLE_RATE_HZ / HOP_LENGTH)
        assert np.array_equal(window.log_mel, gtzan_mel(mel[start : start + WINDOW_FRAMES]))
    assert windows[-1].start_s == (2 * WINDOW_FRAMES + 500) * HOP_LENGTH / SAMPLE_RATE_HZ


@pytest.mark.data
def test_a_window_of_a_track_is_what_its_own_samples_give(music_dir):
    with decode(music_dir / "kevin_macleod/amazing_plan.m4a") as blocks:
        signal = np.concatenate(list(blocks))
    windows = windows_of(mel_of(signal))
    assert len(windows) == 3
    for window in windows:
        start = round(window.start_s * SAMPLE_RATE_HZ)
        alone = librosas_gtzan_mel(signal[start : start + (WINDOW_FRAMES - 1) * HOP_LENGTH])
        # The first and the last two frames see the music around the window, where those of a
        # clip see zeros; no column shows them.
        assert np.abs(window.log_mel - alone).max() < TOLERANCE_DB


@pytest.mark.parametrize("n_frames", [100, 646, 1000, 1287])
def test_a_short_track_is_repeated_at_its_true_speed(n_frames):
    (window,) = windows_of(numbered(n_frames))
    assert window.start_s == 0
    shown = numbers(window, loudest=n_frames - 1)
    steps = np.diff(shown)
    forward = steps > 0
    assert set(steps[forward]) <= {3, 4}
    assert shown[0] == 7
    assert n_frames - 5 <= shown.max() < n_frames
    # Every pass is like the first one.
    period = int(np.argmin(forward)) + 1 if not forward.all() else N_COLUMNS
    assert np.array_equal(shown, np.resize(shown[:period], N_COLUMNS))


@pytest.mark.parametrize("n_frames", [1288, 1290, 1292, 1293])
def test_a_track_of_about_30_s_is_the_representation_of_its_frames(n_frames):
    mel = np.random.default_rng(0).lognormal(0, 3, (n_frames, 128)).astype(np.float32)
    (window,) = windows_of(mel)
    assert np.array_equal(window.log_mel, gtzan_mel(mel))


def test_the_two_meet_where_a_track_becomes_a_short_one():
    """Nearly all columns show the same frames on both sides of the limit, or their neighbours."""
    shown = [numbers(*windows_of(numbered(n)), loudest=n - 1) for n in (1287, 1288)]
    assert (np.abs(shown[0] - shown[1]) > 5).sum() <= 2


@pytest.mark.parametrize("n_frames", [1, 2, 7, 8, 11, 12])
def test_a_very_short_track_is_still_heard(n_frames):
    (window,) = windows_of(numbered(n_frames))
    assert window.log_mel.shape == (N_COLUMNS, 128)
    assert np.isfinite(window.log_mel).all()


def test_windows_in_which_nothing_is_to_be_heard_are_left_out():
    mel = numbered(3 * WINDOW_FRAMES)
    mel[WINDOW_FRAMES : 2 * WINDOW_FRAMES] = 9e-6  # below the floor of the representation
    starts = [round(w.start_s * SAMPLE_RATE_HZ / HOP_LENGTH) for w in windows_of(mel)]
    assert starts == [0, 2 * WINDOW_FRAMES]
    assert windows_of(np.zeros((5000, 128), np.float32)) == []
    assert windows_of(np.zeros((50, 128), np.float32)) == []
    assert windows_of() == []


def test_the_silence_of_16_bit_dither_is_not_heard_and_the_faintest_music_is():
    rng = np.random.default_rng(0)
    n = 31 * SAMPLE_RATE_HZ
    dither = (rng.random(n) - rng.random(n)) / 32768
    assert windows_of(mel_of(np.rint(dither * 32768).astype(np.float32) / 32768)) == []
    faint = np.sin(np.arange(n) * 0.1) * 10 ** (-80 / 20)
    assert len(windows_of(mel_of(faint.astype(np.float32)))) == 1


def test_holds_two_windows_however_long_the_track():
    window_bytes = WINDOW_FRAMES * 128 * 4
    stream = WindowStream()
    held, peak = [], []
    tracemalloc.start()
    try:
        for k in range(300):  # ten minutes
            for _ in stream.push(numbered(86, first=86 * k)):
                pass
            now, highest = tracemalloc.get_traced_memory()
            held.append(now)
            peak.append(highest)
    finally:
        tracemalloc.stop()
    assert max(held) < 2.3 * window_bytes
    # While a window is put together, its pieces are still there.
    assert max(peak) < 4.5 * window_bytes
