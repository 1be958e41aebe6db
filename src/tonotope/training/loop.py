"""The training loop: epochs over the training part, judged on the validation part as they go.

On one processor thread a run is equal to the bit to any other with the same settings, interrupted
or not: every epoch ends with a checkpoint of all that is drawn from and summed up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tonotope.errors import InputError
from tonotope.training.batches import Batch, TrainingBatches, Vary
from tonotope.training.beginning import begin_with, origin_of, require_genres, scale_of
from tonotope.training.cache import Cache, decibels
from tonotope.training.checkpoints import load_checkpoint, random_state, save_checkpoint, set_random
from tonotope.training.clips import Split
from tonotope.training.config import TrainingConfig
from tonotope.training.devices import Devices, is_first_process
from tonotope.training.heads import Heads, read_heads
from tonotope.training.listener import Listener
from tonotope.training.memory import keep_freed_memory
from tonotope.training.networks import build_network
from tonotope.training.networks.base import Network
from tonotope.training.optimizers import Plan
from tonotope.training.student import Student, tag_centres
from tonotope.training.teacher import Teacher, read_teacher

__all__ = ["Epoch", "Run", "train"]

_JUDGED_ROWS = 64


@dataclass(frozen=True, slots=True)
class Epoch:
    """How far a run has come.

    Attributes
    ----------
    epoch
        1 for the first.
    train_loss, train_accuracy
        Over the epoch, the loss that of all heads; of varied and mixed excerpts, so no measure of
        anything but progress.
    valid_loss, valid_accuracy
        Of the weights that are kept; NaN without a validation part.
    learning_rate
        At its end.
    clips_per_s
        Trained on.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    valid_loss: float
    valid_accuracy: float
    learning_rate: float
    clips_per_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: the network with the weights that are kept, its history, and other heads."""

    network: Network
    history: tuple[Epoch, ...]
    stopped_early: bool
    heads: Heads


def train(
    config: TrainingConfig,
    cache: Cache,
    split: Split,
    folder: Path,
    *,
    vary: Vary,
    initial: dict[str, Tensor] | None = None,
    frozen: bool = False,
    on_epoch: Callable[[Sequence[Epoch], int], None] = lambda history, total: None,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> Run:
    """Train a network, or go on where an interrupted run with these settings ended.

    Parameters
    ----------
    config
        What to do.
    cache
        The clips.
    split
        Which of them are for training and for validation; others are not touched.
    folder
        Where the checkpoint is kept; made if need be.
    vary
        Augmentation of a batch, see `tonotope.training.augment.compose`.
    initial
        Weights to begin with, by name: of another number of genres, all but the head's are taken.
    frozen
        Train the head alone.
    on_epoch
        Called with the history so far, and how many epochs there are to be.
    on_batch
        Called with how many of an epoch's batches are done.

    Raises
    ------
    InputError
        If `folder` has the checkpoint of a run with other settings, or a clip has no genre.
    PathError
        If the checkpoint or the teacher cannot be read or written.
    """
    keep_freed_memory()
    with _threads(config.threads):
        return _Trainer(config, cache, split, folder, vary, initial, frozen).run(on_epoch, on_batch)


@contextmanager
def _threads(n_threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads or os.cpu_count() or 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Trainer:
    def __init__(
        self,
        config: TrainingConfig,
        cache: Cache,
        split: Split,
        folder: Path,
        vary: Vary,
        initial: dict[str, Tensor] | None,
        frozen: bool,
    ) -> None:
        self._config = config
        self._cache = cache
        self._folder = folder
        self._devices = Devices(config.device, config.precision)
        torch.manual_seed(config.seed)
        self._generator = torch.Generator().manual_seed(config.seed)
        rows = np.asarray(split.parts["train"], dtype=np.int64)
        self._valid = np.asarray(split.parts.get("valid", []), dtype=np.int64)
        place = {label: i for i, label in enumerate(cache.labels)}
        self._genre = np.array([place.get(clip.genre, -1) for clip in cache.clips])
        require_genres(cache, self._genre, np.concatenate([rows, self._valid]))
        teacher = self._teacher(rows)
        self._heads = read_heads(config, cache).fitted(rows)
        self._targets = self._heads.standardised() if self._heads.n_outputs else None
        self._origin = origin_of(cache, rows, self._valid, initial, frozen, self._heads.digest)
        rows = self._devices.share_of(rows)
        n_columns = config.crop_columns or cache.n_columns
        network = build_network(config.model, len(place), n_columns)
        self._batches = TrainingBatches(
            cache, rows, self._genre, len(place), config, vary, teacher, self._generator,
            self._targets, tag_centres(network, n_columns, cache.n_columns),
        )  # fmt: skip
        if self._heads.n_outputs:
            network.add_outputs(self._heads.n_outputs)
        network.set_scale(*scale_of(cache, rows))
        if initial is not None:
            begin_with(network, initial)
        self._frozen = frozen
        if not len(self._valid) and (config.keep == "best" or config.early_stop_epochs):
            raise InputError(
                "there is no validation part to choose an epoch by. Use keep=last and "
                "early_stop_epochs=0, or another --split."
            )
        if frozen:
            for parameter in network.parameters():
                parameter.requires_grad_(False)
            for head in (network.head, network.others):
                if head is not None:
                    head.requires_grad_(True)
        n_tags = teacher.n_tags if teacher else 0
        self._student = self._devices.place(Student(network, n_tags, n_columns, cache.n_columns))
        self._network = network
        self._average = None
        if config.ema_decay:
            decay = get_ema_multi_avg_fn(config.ema_decay)  # type: ignore[no-untyped-call]
            self._average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
        self._plan = Plan(config, self._student, len(self._batches))
        self._parallel = self._devices.parallel(self._student)
        self._history: list[Epoch] = []
        self._best: dict[str, Tensor] | None = None

    def _teacher(self, rows: np.ndarray) -> Teacher | None:
        if not self._config.teacher_weight:
            return None
        return read_teacher(Path(self._config.teacher), self._cache.clips, rows)

    def run(
        self,
        on_epoch: Callable[[Sequence[Epoch], int], None],
        on_batch: Callable[[int, int], None],
    ) -> Run:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._resume()
        total = self._config.epochs
        while len(self._history) < total and not self._has_stalled():
            epoch = self._epoch(on_batch)
            self._history.append(epoch)
            if self._config.keep == "best" and self._is_best():
                self._best = _copied(self._kept().state_dict())
            if is_first_process():
                self._save()
                on_epoch(self._history, total)
        network = self._kept()
        if self._best is not None:
            network.load_state_dict(self._best)
        stopped_early = len(self._history) < total
        return Run(network.cpu().eval(), tuple(self._history), stopped_early, self._heads)

    def _kept(self) -> Network:
        if self._average is None:
            return self._network
        return cast(Network, self._average.module)

    def _epoch(self, on_batch: Callable[[int, int], None]) -> Epoch:
        started_s = time.monotonic()
        self._devices.draw_apart(self._config.seed, len(self._history), self._generator)
        self._parallel.train()
        if self._frozen:
            # Its statistics stay what they are, too.
            self._network.eval()
        sums = torch.zeros(4)
        for done, batch in enumerate(self._batches, 1):
            sums += self._step(batch)
            on_batch(done, len(self._batches))
        seconds = time.monotonic() - started_s
        valid_loss, valid_accuracy = self._judge()
        loss, right, n_clips, total = self._devices.of_first(*sums.tolist())
        # Without a validation part, rates follow the training loss.
        self._plan.end_epoch(valid_loss if len(self._valid) else loss)
        epoch = len(self._history) + 1
        loss = loss if np.isfinite(total) else total
        judged = valid_loss if len(self._valid) else loss
        if not (np.isfinite(loss) and np.isfinite(judged)):
            loss = loss if not np.isfinite(loss) else judged
            raise InputError(
                f"training diverged: the loss is {loss} in epoch {epoch}. Choose a smaller "
                f"learning_rate than {self._config.learning_rate:g}."
            )
        return Epoch(
            epoch,
            loss / n_clips,
            right / n_clips,
            valid_loss,
            valid_accuracy,
            self._plan.learning_rate,
            n_clips * self._devices.n_processes / seconds,
        )

    def _step(self, batch: Batch) -> Tensor:
        batch = self._devices.moved(batch)
        with self._devices.autocast():
            logits, tags, others = self._parallel(batch.log_mel)
        loss = functional.cross_entropy(logits.float(), batch.genre)
        if others is not None and batch.others is not None:
            loss = self._heads.genre_weight * loss + self._heads.loss(others.float(), batch.others)
        total = loss
        if tags is not None and batch.tags is not None and batch.tags_known is not None:
            errors = functional.mse_loss(tags.float(), batch.tags, reduction="none")
            per_clip = errors.flatten(1).mean(1)
            total = total + self._config.teacher_weight * (per_clip * batch.tags_known).mean()
        self._plan.step(total)
        if self._average is not None:
            self._average.update_parameters(self._network)
        right = (logits.argmax(1) == batch.genre.argmax(1)).sum()
        n_clips = len(batch.log_mel)
        return torch.tensor(
            [float(loss.detach()) * n_clips, float(right), n_clips, float(total.detach())]
        )

    @torch.no_grad()
    def _judge(self) -> tuple[float, float]:
        if not len(self._valid):
            return float("nan"), float("nan")
        # As it is heard in the end: in excerpts as long as those of training.
        kept = self._kept()
        network = Listener(kept, self._config.crop_columns, self._config.test_crops).eval()
        loss = right = 0.0
        outputs = []
        for start in range(0, len(self._valid), _JUDGED_ROWS):
            rows = self._valid[start : start + _JUDGED_ROWS]
            log_mel = torch.from_numpy(decibels(self._cache.mel[rows])).to(self._devices.device)
            genre = torch.from_numpy(self._genre[rows]).to(self._devices.device)
            with self._devices.autocast():
                logits, embedding = network(log_mel)
                if kept.others is not None:
                    outputs.append(kept.others(embedding))
            loss += float(functional.cross_entropy(logits.float(), genre, reduction="sum"))
            right += float((logits.argmax(1) == genre).sum())
        loss, right = loss / len(self._valid), right / len(self._valid)
        if outputs and self._targets is not None:
            targets = torch.from_numpy(self._targets[self._valid]).to(self._devices.device)
            others = self._heads.loss(torch.cat(outputs).float(), targets)
            loss = self._heads.genre_weight * loss + float(others)
        # Of several processes one judges: all must decide alike on rates and on an early end.
        loss, right = self._devices.of_first(loss, right)
        return loss, right

    def _is_best(self) -> bool:
        losses = [epoch.valid_loss for epoch in self._history]
        return bool(losses[-1] <= min(losses))

    def _has_stalled(self) -> bool:
        patience = self._config.early_stop_epochs
        losses = [epoch.valid_loss for epoch in self._history]
        return bool(patience and len(losses) > patience) and min(losses[:-patience]) <= min(
            losses[-patience:]
        )

    def _save(self) -> None:
        save_checkpoint(
            self._folder,
            {
                "config": asdict(self._config),
                "origin": self._origin,
                "student": self._student.state_dict(),
                "average": None if self._average is None else self._average.state_dict(),
                "best": self._best,
                "plan": self._plan.state_dict(),
                "random": random_state(self._generator),
                "history": [asdict(epoch) for epoch in self._history],
            },
        )

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self._folder)
        if checkpoint is None:
            return
        mine, theirs = _plain(asdict(self._config)), _plain(checkpoint["config"])
        differing = [name for name in mine if mine[name] != theirs.get(name)]
        if differing or checkpoint["origin"] != self._origin:
            what = f"{differing[0]} is {theirs.get(differing[0])!r}" if differing else "other clips"
            raise InputError(
                f"'{self._folder}' has a run with other settings ({what} there). Use the same "
                "settings to go on, or another --out."
            )
        self._student.load_state_dict(checkpoint["student"])
        if self._average is not None:
            self._average.load_state_dict(checkpoint["average"])
        self._best = checkpoint["best"]
        self._plan.load_state_dict(checkpoint["plan"])
        self._history = [Epoch(**epoch) for epoch in checkpoint["history"]]
        set_random(checkpoint["random"], self._generator)


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}


def _copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}
