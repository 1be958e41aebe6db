"""A run from clips to a folder of results: split, train, calibrate, export, evaluate.

A run's folder has ``config.toml`` (all settings), ``curves.csv`` and ``curves.png`` (while it
runs), ``checkpoint.pt``, ``model.onnx`` and ``model-int8.onnx`` with their card ``model.toml``, and
``result.json``. A run of several splits has a folder for each, and ``result.json`` over them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from tonotope.errors import InputError
from tonotope.training.augment import compose
from tonotope.training.cache import Cache
from tonotope.training.cards import CARD_FILE
from tonotope.training.checkpoints import weights_of
from tonotope.training.clips import Split
from tonotope.training.config import TrainingConfig, to_toml
from tonotope.training.curves import draw_curves, write_curves
from tonotope.training.devices import end_together, is_first_process
from tonotope.training.evaluation.provenance import knows_its_training
from tonotope.training.evaluation.together import together
from tonotope.training.event_log import EventLog
from tonotope.training.extras import require
from tonotope.training.finishing import finish
from tonotope.training.heads import read_heads
from tonotope.training.loop import Epoch, train
from tonotope.training.parting import Source, data_digest, parted
from tonotope.training.run_folders import RESULT_FILE, claim, finished, run_folder, write_json

__all__ = ["RunOptions", "run_splits", "source_of"]

Show = Callable[[str, Epoch, int], None]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run is told besides its settings.

    Attributes
    ----------
    data
        Name of the data, for the card.
    allow_leaks
        Train although clips on two sides share something; the result is marked for good.
    initial
        A run's folder or checkpoint, whose weights are begun with.
    frozen
        Train the head alone.
    tensorboard
        Keep a log for TensorBoard.
    """

    data: str
    allow_leaks: bool = False
    initial: Path | None = None
    frozen: bool = False
    tensorboard: bool = False


def run_splits(
    config: TrainingConfig,
    cache: Cache,
    hows: Sequence[str],
    folder: Path | None,
    options: RunOptions,
    *,
    show: Show = lambda name, epoch, total: None,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Train and judge by one or several splits.

    Parameters
    ----------
    config, cache
        What to do with which clips.
    hows
        Ways to split, see `tonotope.training.splits.make_splits`.
    folder
        Where everything is written; an interrupted run goes on there. By default a folder for what
        the run is told, among the user's data.
    options
        The rest.
    show
        Called after each epoch with the split's name.
    on_batch
        Called after each batch with how many of an epoch's are done.

    Returns
    -------
    dict
        Of one split what `tonotope.training.evaluation.evaluate.evaluate` gives, and ``folder`` and
        ``epochs``; of several what `tonotope.training.evaluation.together.together` gives. Empty in
        all but the first process of a run of several.

    Raises
    ------
    LeakError
        If a split leaks and that is not allowed, or it would be judged by what the weights begun
        with were trained on: before anything is trained.
    InputError
        If the folder has a run that was told something else, or TensorBoard is wanted and not
        installed.
    """
    if options.tensorboard:
        require("tensorboard", "--tensorboard")
    source = None
    if options.initial is not None:
        source = source_of(options.initial)
    splits = parted(cache, hows, config.seed, allow_leaks=options.allow_leaks, source=source)
    told = to_toml(config) + _rest(cache, hows, options, read_heads(config, cache).digest)
    folder = folder or run_folder(config.model, told)
    if is_first_process():
        claim(folder, told)
    results = []
    for split in splits:
        where = folder if len(splits) == 1 else folder / _folder_name(split)
        done = finished(where)
        if done is None:
            done = _run(config, cache, split, where, options, source, show, on_batch)
        results.append(done)
    end_together()
    if not is_first_process():
        return {}
    if len(results) == 1:
        return results[0]
    result = together(results)
    write_json(folder / RESULT_FILE, result)
    return result


def _rest(cache: Cache, hows: Sequence[str], options: RunOptions, targets: str) -> str:
    """Return what a run is told besides its settings, as a comment of its ``config.toml``."""
    words = [f"# clips {data_digest(cache)} --split {','.join(hows)}"]
    if targets:
        words.append(f"targets {targets}")
    if options.initial is not None:
        words.append(f"--from {options.initial}")
    if options.frozen:
        words.append("--freeze")
    if options.allow_leaks:
        words.append("--allow-leaks")
    return f"\n{' '.join(words)}\n"


def source_of(path: Path) -> Source:
    """Return the model that a run's folder or checkpoint holds the weights of.

    Raises
    ------
    InputError
        If there is no card that says what it was trained on.
    """
    folder = path if path.is_dir() else path.parent
    for place in (folder, folder.parent):
        card = place / CARD_FILE
        with suppress(OSError, ValueError):
            document = tomllib.loads(card.read_text(encoding="utf-8"))
            if knows_its_training(document):
                return Source(str(path), document)
    raise InputError(
        f"cannot begin with '{path}': there is no {CARD_FILE} beside it that says what it was "
        "trained on, so that leaks could not be told. Finish that run first."
    )


def _folder_name(split: Split) -> str:
    return "".join(c if c.isalnum() else "-" for c in split.name.replace(",", "")).strip("-")


def _run(
    config: TrainingConfig,
    cache: Cache,
    split: Split,
    folder: Path,
    options: RunOptions,
    source: Source | None,
    show: Show,
    on_batch: Callable[[int, int], None],
) -> dict[str, Any]:
    trained_on = np.concatenate([split.parts[part] for part in config.train_parts])
    parts = dict(split.parts) | {"train": trained_on}
    if "valid" in config.train_parts:
        del parts["valid"]
    members = []
    for member in range(config.members):
        where = folder if config.members == 1 else folder / f"member-{member + 1}"
        with _history_kept(where, split.name, show, options) as on_epoch:
            run = train(
                replace(config, seed=config.seed + member),
                cache,
                replace(split, parts=parts),
                where,
                vary=compose(config.augment),
                initial=_initial(options, member),
                frozen=options.frozen,
                on_epoch=on_epoch,
                on_batch=on_batch,
            )
        members.append(run)
    if not is_first_process():
        return {}
    document = None if source is None else source.document
    whole = replace(split, parts=parts)
    return finish(config, cache, whole, folder, options.data, members, document)


@contextmanager
def _history_kept(
    folder: Path, split: str, show: Show, options: RunOptions
) -> Iterator[Callable[[Sequence[Epoch], int], None]]:
    """Give what shows and writes a run's history after each epoch."""
    with ExitStack() as stack:
        log = stack.enter_context(closing(EventLog(folder))) if options.tensorboard else None

        def keep(history: Sequence[Epoch], total: int) -> None:
            show(split, history[-1], total)
            write_curves(folder, history)
            draw_curves(folder, history)
            if log is not None:
                log.write(history)

        yield keep


def _initial(options: RunOptions, member: int) -> dict[str, Tensor] | None:
    return None if options.initial is None else weights_of(options.initial, member + 1)
