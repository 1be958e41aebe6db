"""Leaks of each kind are found and refused; what is no leak is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tonotope.errors import InputError, LeakError
from tonotope.training.cache import read_cache
from tonotope.training.clips import Clip, Split
from tonotope.training.leaks import find_leaks, refuse_leaks
from tonotope.training.splits import make_splits

N_CLIPS = 12


def spectrogram(seed: int, n_columns: int = 333) -> np.ndarray:
    """Return something that changes as music does and that no other seed gives."""
    rng = np.random.default_rng(seed)
    rough = gaussian_filter(rng.normal(size=(128, n_columns)), (6, 1.5))
    return np.clip(150 + 60 * rough / rough.std(), 0, 255).astype(np.uint8)


@pytest.fixture
def clips() -> list[Clip]:
    return [Clip(f"clip {k}", "rock", artist=f"artist {k}") for k in range(N_CLIPS)]


@pytest.fixture
def mel() -> np.ndarray:
    return np.stack([spectrogram(k) for k in range(N_CLIPS)])


@pytest.fixture
def split() -> Split:
    parts = {"train": range(6), "valid": range(6, 9), "test": range(9, N_CLIPS)}
    return Split("mine", {part: np.array(of, np.intp) for part, of in parts.items()})


def test_an_honest_split_has_no_leak(clips, mel, split) -> None:
    assert find_leaks(clips, split, mel) == []
    assert refuse_leaks(clips, split, mel=mel).leaks == ()


def test_an_artist_on_two_sides_is_found_once_for_each_two_parts(clips, mel, split) -> None:
    for k in (0, 1, 7, 8, 11):
        clips[k] = replace(clips[k], artist="Nina  Simone" if k % 2 else "nina simone ")
    assert find_leaks(clips, split, mel) == [
        "artist 'nina simone ' in train (clip 0) and in valid (clip 7)",
        "artist 'nina simone ' in train (clip 0) and in test (clip 11)",
        "artist 'Nina  Simone' in valid (clip 7) and in test (clip 11)",
    ]


def test_clips_of_unknown_artist_share_none(clips, mel, split) -> None:
    clips = [replace(clip, artist="") for clip in clips]
    assert find_leaks(clips, split, mel) == []


def test_a_recording_on_two_sides_is_found_once(clips, mel, split) -> None:
    for k in (5, 9, 10):
        clips[k] = replace(clips[k], recording="0123456789abcdef")
    mel[9] = mel[5]  # that they sound the same is no other leak
    assert find_leaks(clips, split, mel) == [
        "one recording in train (clip 5) and in test (clip 9)",
    ]


def test_a_clip_that_is_in_two_parts_itself_is_found(clips, split) -> None:
    parts = dict(split.parts) | {"test": np.array([2, 9, 10, 11], np.intp)}
    found = find_leaks(clips, replace(split, parts=parts))
    assert "one recording in train (clip 2) and in test (clip 2)" in found


def test_the_same_part_may_repeat_itself(clips, mel, split) -> None:
    clips[1] = replace(clips[0], name="again")
    mel[1] = mel[0]
    assert find_leaks(clips, split, mel) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda mel: mel,
        lambda mel: np.roll(mel, 1, axis=1),
        lambda mel: np.roll(mel, -13, axis=1),
        lambda mel: np.roll(mel, 22, axis=1),
        lambda mel: np.maximum(mel, 40) - 40,
        lambda mel: mel - np.linspace(0, 60, 128)[:, np.newaxis],
        lambda mel: mel + np.random.default_rng(9).normal(0, 10, mel.shape),
        lambda mel: mel * np.linspace(0.5, 1, mel.shape[1]),
    ],
    ids=["same", "a column", "1.2 s", "2 s", "softer", "filtered", "noise", "a fade"],
)
def test_the_same_sound_on_two_sides_is_found(clips, mel, split, change) -> None:
    mel[10] = np.clip(change(mel[4].astype(float)), 0, 255).astype(np.uint8)
    (leak,) = find_leaks(clips, split, mel)
    assert leak.startswith("nearly the same sound in train (clip 4) and in test (clip 10), corr")


def test_silence_is_like_nothing(clips, mel, split) -> None:
    mel[[2, 7]] = 0
    mel[[3, 8]] = 200
    mel[[3, 8], 60, 100:110] += 1  # where hardly anything is, its likeness would be chance
    assert find_leaks(clips, split, mel) == []


def test_blocks_find_what_the_whole_does(monkeypatch, clips, mel, split) -> None:
    mel[11], mel[6] = mel[5], mel[0]
    whole = find_leaks(clips, split, mel)
    assert len(whole) == 2
    monkeypatch.setattr("tonotope.training.leaks._BLOCK_CLIPS", 2)
    assert sorted(find_leaks(clips, split, mel)) == sorted(whole)


def test_narrow_spectrograms_are_compared_too(clips, split) -> None:
    mel = np.stack([spectrogram(k, 40) for k in range(N_CLIPS)])
    assert find_leaks(clips, split, mel) == []
    mel[11] = np.roll(mel[5], 3, axis=1)
    (leak,) = find_leaks(clips, split, mel)
    assert "clip 5" in leak and "clip 11" in leak


def test_a_leak_is_refused_in_one_line_that_says_what_to_do(clips, split) -> None:
    clips = [replace(clip, artist=f"artist {k % 5}") for k, clip in enumerate(clips)]
    with pytest.raises(LeakError) as error:
        refuse_leaks(clips, split)
    assert isinstance(error.value, InputError)
    message = str(error.value)
    number = len(find_leaks(clips, split))
    assert message.startswith(f"split 'mine' has {number} leaks: artist 'artist 1' in train (")
    assert f"; and {number - 3} more. Use --split artist:5, or --allow-leaks, which" in message
    assert message.count(" in train (") == 3
    assert "\n" not in message


def test_the_next_step_fits_the_leak(clips, mel, split) -> None:
    recordings = [replace(clip, recording="r" if k > 7 else "") for k, clip in enumerate(clips)]
    with pytest.raises(LeakError, match=r"has 1 leak: .*Use --split recording:5, or"):
        refuse_leaks(recordings, split, mel=mel)
    mel[11] = mel[0]
    with pytest.raises(LeakError, match=r"Take one of each two clips out of the data, or"):
        refuse_leaks(clips, split, mel=mel)


def test_leaks_that_are_allowed_mark_the_split(clips, mel, split) -> None:
    mel[11] = mel[0]
    allowed = refuse_leaks(clips, split, mel=mel, allow=True)
    assert allowed.is_leaky
    assert allowed.leaks == tuple(find_leaks(clips, split, mel))
    assert allowed.parts is split.parts
    assert not split.is_leaky


@pytest.mark.data
def test_the_fault_filtered_split_of_gtzan_leaks_nothing(data_dir: Path) -> None:
    cache = read_cache(data_dir / "gtzan-mel")
    (split,) = make_splits(cache.clips, "official", 0)
    assert find_leaks(cache.clips, split, cache.mel) == []


@pytest.mark.data
def test_no_two_different_clips_of_gtzan_sound_the_same(data_dir: Path) -> None:
    cache = read_cache(data_dir / "gtzan-mel")
    apart = [replace(clip, artist="", recording="") for clip in cache.clips]
    indices = np.arange(len(apart))
    parts = {"train": indices[::2], "valid": indices[1::2], "test": indices[:0]}
    assert find_leaks(apart, Split("every other", parts), cache.mel) == []


@pytest.mark.data
def test_random_parts_of_gtzan_share_artists_and_those_by_artist_do_not(data_dir: Path) -> None:
    clips = read_cache(data_dir / "gtzan-mel").clips
    assert len(find_leaks(clips, make_splits(clips, "random", 0)[0])) > 50
    for split in make_splits(clips, "artist:5", 0):
        assert find_leaks(clips, split) == []
        assert all(len(split.parts[part]) > 100 for part in ("valid", "test"))
