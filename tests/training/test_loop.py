from pathlib import Path

import numpy as np
import pytest
import torch

from support.caches import write_cache
from tonotope.errors import InputError, PathError
from tonotope.training.batches import excerpts
from tonotope.training.cache import Cache, decibels, read_cache
from tonotope.training.checkpoints import CHECKPOINT_FILE, load_checkpoint, weights_of
from tonotope.training.clips import Split
from tonotope.training.committee import Committee
from tonotope.training.config import preset_of, resolve_config
from tonotope.training.listener import Listener
from tonotope.training.loop import Run, train
from tonotope.training.optimizers import Plan
from tonotope.training.splits import make_splits

SETTINGS = {
    "epochs": 3, "batch_size": 6, "threads": 1, "precision": "float32", "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return read_cache(write_cache(tmp_path_factory.mktemp("cache"), {"train": 6, "valid": 3}))


def unvaried(log_mel: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return log_mel


def run(cache: Cache, folder: Path, **settings: object) -> Run:
    config = resolve_config(SETTINGS, settings)
    (split,) = make_splits(cache.clips, "official", 0)
    return train(config, cache, split, folder, vary=unvaried)


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_it_learns(cache: Cache, tmp_path: Path) -> None:
    history = run(cache, tmp_path, epochs=12, ema_decay=0.8).history
    assert history[-1].train_loss < 0.9 * history[0].train_loss
    assert history[-1].valid_accuracy > 0.6  # one in three is chance
    assert [epoch.epoch for epoch in history] == list(range(1, 13))


def test_the_same_seed_gives_the_same_weights_and_another_one_others(
    cache: Cache, tmp_path: Path
) -> None:
    first, second, other = (
        run(cache, tmp_path / name, seed=seed).network.state_dict()
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert equal(first, second)
    assert not equal(first, other)


@pytest.mark.parametrize("schedule", ["one-cycle", "plateau", "cosine"])
def test_a_run_that_stopped_after_an_epoch_goes_on_to_the_bit(
    cache: Cache, tmp_path: Path, schedule: str
) -> None:
    settings = {"schedule": schedule, "crop_columns": 36, "tempo_spread": 0.1}

    class StoppedError(Exception):
        pass

    def stop(history: object, total: int) -> None:
        raise StoppedError

    config = resolve_config(SETTINGS, settings)
    (split,) = make_splits(cache.clips, "official", 0)
    with pytest.raises(StoppedError):
        train(config, cache, split, tmp_path / "stopped", vary=unvaried, on_epoch=stop)
    resumed = run(cache, tmp_path / "stopped", **settings)
    undisturbed = run(cache, tmp_path / "whole", **settings)
    assert equal(resumed.network.state_dict(), undisturbed.network.state_dict())
    assert [e.train_loss for e in resumed.history] == [e.train_loss for e in undisturbed.history]


def test_only_the_training_part_is_varied(cache: Cache, tmp_path: Path) -> None:
    (split,) = make_splits(cache.clips, "official", 0)
    known = {decibels(cache.mel[row]).tobytes() for row in split.parts["train"]}
    seen = []

    def vary(log_mel: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        seen.extend(clip.numpy().tobytes() for clip in log_mel)
        return log_mel

    config = resolve_config(SETTINGS, {"epochs": 2, "mixup_alpha": 0})
    train(config, cache, split, tmp_path, vary=vary)
    assert len(seen) == 2 * len(split.parts["train"])
    assert set(seen) == known  # whole clips of the training part, and no others


def test_excerpts_say_where_they_are_from() -> None:
    mel = np.broadcast_to(np.arange(100, dtype=np.uint8), (5, 128, 100)).copy()
    generator = torch.Generator().manual_seed(3)
    log_mel, start, stop = excerpts(mel, 40, 0.2, generator)
    assert log_mel.shape == (5, 40, 128)
    columns = (log_mel[:, :, 0] + 80) / 80 * 255
    assert torch.allclose(columns[:, 0] / 100, start, atol=0.011)
    assert torch.allclose((columns[:, -1] + 1) / 100, stop, atol=0.011)
    lengths = columns[:, -1] - columns[:, 0] + 1
    assert (lengths > 40 / 1.25).all()
    assert (lengths < 40 * 1.25).all()
    assert len(set(lengths.tolist())) > 1
    whole, start, stop = excerpts(mel, 0, 0.2, generator)
    assert torch.equal(whole, torch.from_numpy(decibels(mel)))
    assert (start == 0).all()
    assert (stop == 1).all()


def test_the_rate_is_halved_when_the_loss_stalls() -> None:
    config = resolve_config(preset_of("liu2020"))
    plan = Plan(config, torch.nn.Linear(2, 2), 10)
    rates = []
    for loss in (3.0, 2.0, *[2.0] * 8):
        plan.end_epoch(loss)
        rates.append(plan.learning_rate)
    # Two epochs that help, three that are waited for, then half; and once more.
    assert rates == [0.01] * 5 + [0.005] * 4 + [0.0025]


def test_early_stop(tmp_path: Path) -> None:
    # What is learned of the training part is wrong of the validation part.
    parts = {"train": 6, "valid": 3}
    swapped = [{}] * 18 + [{"genre": "low"}, {"genre": "noisy"}, {"genre": "high"}] * 3
    cache = read_cache(write_cache(tmp_path / "cache", parts, rows=swapped))
    settings = {"epochs": 30, "ema_decay": 0, "schedule": "constant", "early_stop_epochs": 2}
    ended = run(cache, tmp_path / "run", **settings)
    assert ended.stopped_early
    losses = [epoch.valid_loss for epoch in ended.history]
    assert 2 < len(losses) < 30
    assert min(losses[:-2]) <= min(losses[-2:])
    assert len(run(cache, tmp_path / "run", **settings).history) == len(losses)


def test_a_run_that_diverges_says_so(cache: Cache, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"loss is (nan|inf) in epoch \d+.*learning_rate"):
        run(cache, tmp_path, learning_rate=1e30, optimizer="sgd", schedule="constant")


def test_the_best_epoch_can_be_kept(tmp_path: Path) -> None:
    # The more is learned, the worse of the validation part: the first epochs are the best.
    swapped = [{}] * 18 + [{"genre": "low"}, {"genre": "noisy"}, {"genre": "high"}] * 3
    cache = read_cache(write_cache(tmp_path / "c", {"train": 6, "valid": 3}, rows=swapped))
    settings = {"epochs": 8, "learning_rate": 0.01, "ema_decay": 0}
    kept = run(cache, tmp_path / "best", keep="best", **settings)
    losses = [epoch.valid_loss for epoch in kept.history]
    n_best = int(np.argmin(losses)) + 1
    assert n_best < 8
    checkpoint = load_checkpoint(tmp_path / "best")
    assert equal(kept.network.state_dict(), checkpoint["best"])
    assert equal(weights_of(tmp_path / "best"), checkpoint["best"])
    last = run(cache, tmp_path / "last", **settings).network.state_dict()
    assert not equal(kept.network.state_dict(), last)


def test_other_settings_are_refused(cache: Cache, tmp_path: Path) -> None:
    run(cache, tmp_path, epochs=1)
    with pytest.raises(InputError, match=r"other settings \(seed is 0 there\)"):
        run(cache, tmp_path, epochs=1, seed=5)


def test_other_clips_are_refused(cache: Cache, tmp_path: Path) -> None:
    run(cache, tmp_path / "run", epochs=1)
    other = read_cache(write_cache(tmp_path / "other", {"train": 6, "valid": 3}, seed=1))
    with pytest.raises(InputError, match="other clips there"):
        run(other, tmp_path / "run", epochs=1)


@pytest.mark.parametrize("settings", [{"keep": "best"}, {"early_stop_epochs": 2}])
def test_an_epoch_cannot_be_chosen_by_nothing(
    cache: Cache, tmp_path: Path, settings: dict[str, object]
) -> None:
    config = resolve_config(SETTINGS, settings)
    split = Split("all", {"train": np.arange(27)})
    with pytest.raises(InputError, match="no validation part"):
        train(config, cache, split, tmp_path, vary=unvaried)


def test_without_a_validation_part_rates_follow_the_training_loss(
    cache: Cache, tmp_path: Path
) -> None:
    config = resolve_config(
        SETTINGS, {"schedule": "plateau", "patience_epochs": 4, "epochs": 9, "learning_rate": 1e-3}
    )
    history = train(
        config, cache, Split("all", {"train": np.arange(27)}), tmp_path, vary=unvaried
    ).history
    # It falls: were the missing loss taken for one that does not, the rate would have been halved.
    assert history[-1].learning_rate == 1e-3


def test_members_that_are_sure_and_disagree() -> None:
    class Sure(torch.nn.Module):
        embedding_size = 4

        def __init__(self, label: int) -> None:
            super().__init__()
            self.logits = 120.0 * torch.eye(3)[label]

        def forward(self, log_mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.logits.expand(len(log_mel), 3), torch.ones(len(log_mel), 4)

    members = [Listener(Sure(label), 32, 1) for label in (0, 1)]
    probabilities, embedding = Committee(members)(torch.zeros(2, 40, 128))
    assert torch.allclose(probabilities[0], torch.tensor([0.5, 0.5, 0.0]), atol=1e-6)
    assert embedding.shape == (2, 8)


def test_a_broken_checkpoint_is_named(cache: Cache, tmp_path: Path) -> None:
    run(cache, tmp_path, epochs=1)
    path = tmp_path / CHECKPOINT_FILE
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(PathError, match=r"cannot read checkpoint .*Remove it to begin anew"):
        run(cache, tmp_path, epochs=1)


def test_fine_tuning_begins_with_other_weights_and_freezing_leaves_them(
    cache: Cache, tmp_path: Path
) -> None:
    run(cache, tmp_path / "first", epochs=2)
    weights = weights_of(tmp_path / "first")
    (split,) = make_splits(cache.clips, "official", 0)
    config = resolve_config(SETTINGS, {"epochs": 2, "seed": 9, "ema_decay": 0})
    tuned = train(
        config, cache, split, tmp_path / "tuned", vary=unvaried, initial=weights, frozen=True
    ).network.state_dict()
    for name, tensor in tuned.items():
        assert torch.equal(tensor, weights[name]) != name.startswith("head."), name
    with pytest.raises(InputError, match="do not fit network"):
        train(config, cache, split, tmp_path / "none", vary=unvaried, initial={})
