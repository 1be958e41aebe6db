"""What augmentation does to spectrograms, and what it never does."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from support.caches import write_cache
from tonotope.errors import InputError
from tonotope.features.mel import mel_power
from tonotope.features.stft import stft_power
from tonotope.training.augment import SPECTROGRAM, SPECTROGRAM_PRESETS, Augmentation, compose, mixup
from tonotope.training.augment.mixing import draw_mixture
from tonotope.training.batches import TrainingBatches
from tonotope.training.cache import decibels, read_cache
from tonotope.training.config import resolve_config

NAMES = list(SPECTROGRAM)
FLOOR_DB = -80.0


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(n_clips: int = 4, n_columns: int = 111, seed: int = 0) -> torch.Tensor:
    """Return clips with loud, soft and silent cells."""
    level = 100 * torch.rand((n_clips, n_columns, 128), generator=generator(seed)) - 90
    return level.clamp(FLOOR_DB, 0.0)


def alike(log_mel: torch.Tensor) -> torch.Tensor:
    """Return a batch of the first clip only."""
    return log_mel[:1].expand(log_mel.shape).clone()


def with_numbers(name: str, **numbers: float) -> Augmentation:
    augmentation = SPECTROGRAM[name]
    changed = {**augmentation.preset.numbers, **numbers}
    assert changed.keys() == augmentation.preset.numbers.keys()
    preset = dataclasses.replace(augmentation.preset, numbers=changed)
    return dataclasses.replace(augmentation, preset=preset)


# All of them.


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(
    n_clips=st.integers(1, 3),
    n_columns=st.one_of(st.integers(1, 40), st.just(333)),
    seed=st.integers(0, 2**32 - 1),
)
def test_shape_type_and_range_stay(name: str, n_clips: int, n_columns: int, seed: int) -> None:
    log_mel = batch(n_clips, n_columns, seed)
    before = log_mel.clone()
    changed = SPECTROGRAM[name].apply(log_mel, generator(seed))
    assert changed.shape == log_mel.shape
    assert changed.dtype == torch.float32
    assert torch.isfinite(changed).all()
    assert changed.min() >= FLOOR_DB
    assert changed.max() <= 0
    assert torch.equal(log_mel, before)
    again = SPECTROGRAM[name](log_mel, generator(seed))
    assert torch.equal(changed, again)


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_gives_another_batch(name: str) -> None:
    augmentation, log_mel = SPECTROGRAM[name], batch()
    assert not torch.equal(augmentation(log_mel, generator(1)), augmentation(log_mel, generator(2)))


@pytest.mark.parametrize("name", NAMES)
def test_a_generator_goes_on(name: str) -> None:
    augmentation, log_mel, chance = SPECTROGRAM[name], batch(), generator()
    assert not torch.equal(augmentation(log_mel, chance), augmentation(log_mel, chance))


@pytest.mark.parametrize("name", NAMES)
def test_each_clip_of_a_batch_is_changed_in_its_own_way(name: str) -> None:
    changed = SPECTROGRAM[name](alike(batch(8)), generator())
    different = [not torch.equal(changed[0], clip) for clip in changed[1:]]
    assert all(different)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("noise", "recording")])
@pytest.mark.parametrize("n_columns", [1, 2, 3, 32, 333])
def test_silence_stays_silence(name: str, n_columns: int) -> None:
    silence = torch.full((5, n_columns, 128), FLOOR_DB)
    assert torch.equal(SPECTROGRAM[name](silence, generator()), silence)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_batch_stays_empty(name: str) -> None:
    empty = torch.empty((0, 333, 128))
    assert SPECTROGRAM[name](empty, generator()).shape == empty.shape


@pytest.mark.parametrize("shape", [(333, 128), (2, 128, 333), (2, 1, 333, 128)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must have the shape \(batch, columns, 128\)"):
        SPECTROGRAM["gain"](torch.zeros(shape), generator())


def test_a_loader_can_send_them_to_its_workers() -> None:
    log_mel = batch()
    for augmentation in (*SPECTROGRAM.values(), compose(["specaugment", "gain"])):
        sent = pickle.loads(pickle.dumps(augmentation))
        assert torch.equal(sent(log_mel, generator()), augmentation(log_mel, generator()))


# Masks.


def runs(covered: torch.Tensor) -> list[int]:
    """Return the lengths of the stretches that are covered, of a row of booleans."""
    edges = np.flatnonzero(np.diff(np.pad(covered.numpy().astype(int), 1)))
    return (edges[1::2] - edges[::2]).tolist()


@pytest.mark.parametrize(
    ("name", "axis", "number", "widest"),
    [("time-mask", 1, 2, 11), ("frequency-mask", 2, 2, 43)],
)
def test_masks_cover_what_is_stated_and_nothing_else(
    name: str, axis: int, number: int, widest: int
) -> None:
    # No cell is at the mean of its clip, so that what is masked is what has changed.
    log_mel = batch(200, 333)
    changed = SPECTROGRAM[name](log_mel, generator())
    mean = log_mel.mean(dim=(1, 2), keepdim=True).expand(log_mel.shape)
    is_changed = changed != log_mel
    assert torch.allclose(changed[is_changed], mean[is_changed], atol=1e-3)
    covered = is_changed.all(dim=3 - axis)
    assert torch.equal(covered, is_changed.any(dim=3 - axis))
    lengths = [runs(clip) for clip in covered]
    assert max(map(len, lengths)) == number
    assert max(map(sum, lengths)) <= number * widest
    single = [length for clip in lengths if len(clip) == number for length in clip]
    assert max(single) == widest  # of 200 clips one reaches it
    # Everywhere is masked somewhere, and half the widest on average.
    assert covered.any(dim=0).float().mean() > 0.99
    assert np.mean([sum(clip) for clip in lengths]) == pytest.approx(number * widest / 2, rel=0.15)


def test_a_mask_covers_no_larger_share_of_time_than_stated() -> None:
    log_mel = batch(100, 20)
    augmentation = with_numbers("time-mask", time_mask_share=0.25, time_masks=1)
    covered = (augmentation(log_mel, generator()) != log_mel).all(dim=2)
    assert max(sum(runs(clip)) for clip in covered) == 5


def test_no_mask_covers_nothing() -> None:
    log_mel = batch()
    for name, width in (
        ("time-mask", "time_mask_columns"),
        ("frequency-mask", "frequency_mask_bands"),
    ):
        assert torch.equal(with_numbers(name, **{width: 0})(log_mel, generator()), log_mel)


# Time.


def test_a_warp_keeps_the_ends_and_the_order_and_moves_no_column_far() -> None:
    n_columns = 333
    ramp = torch.linspace(-80, 0, n_columns)[None, :, None].expand(300, -1, 128).contiguous()
    warped = SPECTROGRAM["time-warp"](ramp, generator())
    assert torch.allclose(warped[:, [0, -1]], ramp[:, [0, -1]], atol=1e-3)
    assert (warped.diff(dim=1) > 0).all()
    moved = (warped - ramp).abs()[:, :, 0] / (80 / (n_columns - 1))
    farthest = moved.amax(dim=1)
    assert farthest.max() <= 9 + 1e-2
    assert farthest.max() > 8
    assert farthest.mean() == pytest.approx(4.5, rel=0.15)
    later = (warped - ramp).mean(dim=(1, 2)) < 0
    assert 0.4 < later.float().mean() < 0.6


def test_no_warp_is_the_identity() -> None:
    log_mel = batch()
    warped = with_numbers("time-warp", warp_columns=0)(log_mel, generator())
    assert torch.allclose(warped, log_mel, atol=1e-3)


def test_a_roll_is_circular() -> None:
    log_mel = batch(20, 50)
    rolled = SPECTROGRAM["time-roll"](log_mel, generator())
    shifts = set()
    for before, after in zip(log_mel, rolled, strict=True):
        (shift,) = [k for k in range(50) if torch.equal(before.roll(-k, 0), after)]
        shifts.add(shift)
    assert len(shifts) > 10


# Level.


@pytest.mark.parametrize("name", ["gain", "random-eq"])
def test_a_gain_of_0_is_the_identity(name: str) -> None:
    log_mel = batch()
    assert torch.equal(with_numbers(name, gain_db=0)(log_mel, generator()), log_mel)


def test_a_gain_is_the_same_everywhere_twice_the_sound_s_and_leaves_the_floor() -> None:
    log_mel = torch.full((200, 40, 128), -40.0)
    log_mel[:, 10] = FLOOR_DB
    changed = SPECTROGRAM["gain"](log_mel, generator())
    assert (changed[:, 10] == FLOOR_DB).all()
    gains_db = changed[:, 0, 0] + 40
    assert torch.equal(changed[:, 11] + 40, gains_db[:, None].expand(-1, 128))
    assert -12 <= gains_db.min() < -11
    assert 11 < gains_db.max() <= 12


def test_what_a_gain_would_raise_above_the_maximum_stays_there() -> None:
    log_mel = torch.full((50, 40, 128), -1.0)
    changed = SPECTROGRAM["gain"](log_mel, generator())
    assert (changed == 0).any()


def test_an_equalizer_runs_straight_between_few_edges() -> None:
    log_mel = torch.full((100, 40, 128), -40.0)
    log_mel[:, 10] = FLOOR_DB
    changed = SPECTROGRAM["random-eq"](log_mel, generator())
    assert (changed[:, 10] == FLOOR_DB).all()
    assert torch.equal(changed[:, 0], changed[:, 39])
    curves_db = changed[:, 0] + 40
    assert curves_db.abs().max() <= 12
    assert curves_db.abs().max() > 11
    bends = curves_db.diff(n=2, dim=1).abs() > 1e-3
    for clip in bends:
        # An edge lies between two bands or on one: one or two bends.
        places = torch.nonzero(clip)[:, 0].tolist()
        edges = [k for k in places if k - 1 not in places]
        assert len(edges) <= 4
        assert all(b - a >= 5 for a, b in pairwise(edges))
    assert len({tuple(clip.tolist()) for clip in bends}) > 50


def test_noise_only_adds_and_is_white_noise_in_its_bands() -> None:
    silence = torch.full((3, 2000, 128), FLOOR_DB)
    # As loud as the spectrogram goes, no noise lies below its floor.
    loud = with_numbers("noise", lowest_db=-15, highest_db=-15)
    found = loud(silence, generator())[0].numpy()
    samples = np.random.default_rng(0).normal(size=22050 * 60).astype(np.float32)
    real = 20 * np.log10(mel_power(stft_power(samples))[4:-4:4])
    level_db = found.mean(axis=0) - real.mean(axis=0)
    assert np.ptp(level_db[2:-2]) < 2
    assert found.max() < 0
    assert np.abs(found.std(axis=0) - real.std(axis=0)).max() < 1.3
    log_mel = batch()
    assert (SPECTROGRAM["noise"](log_mel, generator()) >= log_mel - 1e-4).all()


def test_noise_is_as_loud_as_stated() -> None:
    silence = torch.full((200, 30, 128), FLOOR_DB)
    found = SPECTROGRAM["noise"](silence, generator())[:, :, 100:]
    level_db = 10 * torch.log10((10 ** (found / 20)).mean(dim=(1, 2)))
    assert -40.5 < level_db.min() < -38.5
    assert -31 < level_db.max() < -29.5


# Frequency.


def test_a_shift_moves_every_band_alike_by_less_than_stated() -> None:
    ramp = torch.linspace(-80, 0, 128).expand(200, 10, 128).contiguous()
    shifted = SPECTROGRAM["frequency-shift"](ramp, generator())
    bands = (ramp - shifted)[:, :, 4:-4] / (80 / 127)
    assert (bands.amax(dim=(1, 2)) - bands.amin(dim=(1, 2))).max() < 1e-3
    assert 3.8 < bands.max() <= 4.001
    assert -4.001 <= bands.min() < -3.8
    # Not only by whole bands.
    assert (bands - bands.round()).abs().max() > 0.4


# Several.


def test_specaugment_is_its_parts_in_turn() -> None:
    log_mel = batch(4, 333)
    parts = compose(["time-warp", "frequency-mask", "time-mask"])
    assert torch.equal(
        SPECTROGRAM["specaugment"](log_mel, generator()), parts(log_mel, generator())
    )


def test_composed_augmentations_are_applied_in_order() -> None:
    log_mel, chance = batch(), generator()
    expected = SPECTROGRAM["time-roll"](SPECTROGRAM["gain"](log_mel, chance), chance)
    composed = compose(["gain", "time-roll"])
    assert torch.equal(composed.apply(log_mel, generator()), expected)
    assert composed.name == "gain,time-roll"


def test_nothing_composed_changes_nothing() -> None:
    log_mel = batch()
    assert torch.equal(compose([])(log_mel, generator()), log_mel)


def test_an_unknown_name_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"called 'specaugmnt'\. There are: time-mask, .*specaug"):
        compose(["gain", "specaugmnt"])


# Mixup.


def one_hot(n_clips: int = 64) -> torch.Tensor:
    return torch.eye(10)[torch.arange(n_clips) % 10]


def test_mixup_mixes_sound_and_label_alike() -> None:
    # Each clip is its label: what is mixed shows in both.
    targets = one_hot()
    log_mel = torch.zeros(64, 20, 128)
    log_mel[:, :, :10] = -80 * targets[:, None, :]
    mixed, soft = mixup(log_mel, targets, 1.0, generator())
    assert mixed.shape == log_mel.shape
    assert torch.allclose(mixed[:, 7, :10], -80 * soft, atol=1e-4)
    assert torch.allclose(soft.sum(dim=1), torch.ones(64))
    own = (soft * targets).sum(dim=1)
    mixed_ones = own[own < 1]
    assert len(mixed_ones) > 40  # few have met their own genre
    assert torch.allclose(mixed_ones, mixed_ones[0].expand_as(mixed_ones))  # one share for a batch
    assert ((soft > 0).sum(dim=1) <= 2).all()


def test_mixup_s_alpha_says_how_even_the_mixture_is() -> None:
    def evenness(alpha: float) -> float:
        shares = [draw_mixture(2, alpha, generator(seed)).share for seed in range(64)]
        return sum(0.1 < share < 0.9 for share in shares) / len(shares)

    assert evenness(0.1) < evenness(0.4) < evenness(4.0)


def test_mixup_of_alpha_0_mixes_nothing() -> None:
    log_mel, targets = batch(8), one_hot(8)
    mixed, soft = mixup(log_mel, targets, 0.0, generator())
    assert torch.equal(mixed, log_mel)
    assert torch.equal(soft, targets)


def test_mixup_draws_from_its_generator() -> None:
    log_mel, targets = batch(8), one_hot(8)
    one, same, other = (mixup(log_mel, targets, 0.4, generator(k))[0] for k in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.dtype == torch.float32


def test_training_mixes_by_the_same_function(tmp_path: Path) -> None:
    cache = read_cache(write_cache(tmp_path, {"train": 4}))
    config = resolve_config({"mixup_alpha": 0.4, "batch_size": 12, "label_smoothing": 0})
    genre = torch.arange(12).numpy() % 3
    drawn = generator(5)
    batches = TrainingBatches(
        cache, torch.arange(12).numpy(), genre, 3, config, lambda x, _: x, None, drawn
    )
    (batch,) = batches
    again = generator(5)
    order = torch.randperm(12, generator=again)
    log_mel, targets = mixup(
        torch.from_numpy(decibels(cache.mel[order.numpy()])),
        torch.eye(3)[torch.from_numpy(genre)[order]],
        0.4,
        again,
    )
    assert torch.equal(batch.log_mel, log_mel)
    assert torch.equal(batch.genre, targets)


@pytest.mark.parametrize("alpha", [-0.1, float("nan"), float("inf")])
def test_mixup_refuses_an_impossible_alpha(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha must be above 0"):
        mixup(batch(2), one_hot(2), alpha, generator())


def test_mixup_refuses_targets_of_other_clips() -> None:
    with pytest.raises(ValueError, match="2 spectrograms with 3 targets"):
        mixup(batch(2), one_hot(3), 0.2, generator())


# Presets.


def test_published_numbers_are_carried_over_by_seconds_and_shares() -> None:
    column_s = 1293 / 334.8 * 512 / 22050
    numbers = SPECTROGRAM_PRESETS["specaugment-lb"].numbers
    assert numbers["warp_columns"] == round(80 * 0.01 / column_s) == 9
    assert numbers["time_mask_columns"] == round(100 * 0.01 / column_s) == 11
    assert numbers["frequency_mask_bands"] == round(27 / 80 * 128) == 43
    assert numbers["frequency_masks"] == numbers["time_masks"] == 1
    double = SPECTROGRAM_PRESETS["specaugment"].numbers
    assert double["frequency_masks"] == double["time_masks"] == 2


def test_the_presets_need_no_torch() -> None:
    code = (
        "import sys\n"
        "from tonotope.training.augment import SPECTROGRAM_PRESETS, AUDIO\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_recording_cuts_and_hisses_as_often_as_it_says() -> None:
    log_mel = torch.full((2000, 3, 128), -30.0)
    changed = SPECTROGRAM["recording"](log_mel, generator())
    assert ((changed[:, 0, 127] == -80).float().mean() - 0.1).abs() < 0.03
    # Of a lower cutoff below the first band nothing is to be seen.
    assert ((changed[:, 0, 0] == -80).float().mean() - 0.05).abs() < 0.02
    varies = (changed.std(dim=1) > 1e-6).any(dim=1)
    assert (varies.float().mean() - 0.1).abs() < 0.03
    plain = changed[~varies & (changed > -80).all(dim=(1, 2))]
    levels = plain.mean(dim=(1, 2)) + 30  # twice the decibels of the sound
    assert -9 < levels.min() < -4
    assert 2 < levels.max() < 6


def test_recording_without_noise_leaves_the_floor() -> None:
    quiet = with_numbers("recording", noise_share=0.0)
    silence = torch.full((20, 5, 128), -80.0)
    assert torch.equal(quiet(silence, generator()), silence)
