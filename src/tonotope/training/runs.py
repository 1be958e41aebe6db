"""A run from clips to a folder of results: split, train, calibrate, export, evaluate.

A run's folder has ``config.toml`` (all settings), ``curves.csv`` and ``curves.png`` (while it
runs), ``checkpoint.pt``, ``model.onnx`` and ``model-int8.onnx`` with their card ``model.toml``, and
``result.json``. A run of several splits has a folder for each, and ``result.json`` over them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch

from tonotope.errors import InputError, PathError
from tonotope.features.stft import Float32Array
from tonotope.training.augment import compose
from tonotope.training.cache import Cache, decibels
from tonotope.training.cards import write_card
from tonotope.training.checkpoints import weights_of
from tonotope.training.clips import Split
from tonotope.training.committee import Committee
from tonotope.training.config import TrainingConfig, to_toml
from tonotope.training.curves import draw_curves, write_curves
from tonotope.training.devices import is_first_process
from tonotope.training.evaluation.calibration import (
    fit_temperature,
    unknown_threshold,
    with_temperature,
)
from tonotope.training.evaluation.evaluate import Predictions, evaluate
from tonotope.training.evaluation.together import together
from tonotope.training.export import export_int8, export_onnx, hear
from tonotope.training.leaks import refuse_leaks
from tonotope.training.listener import Listener
from tonotope.training.loop import Epoch, Run, train
from tonotope.training.splits import make_splits

__all__ = ["CONFIG_FILE", "MODEL_FILE", "RESULT_FILE", "RunOptions", "run_folder", "run_splits"]

CONFIG_FILE = "config.toml"
RESULT_FILE = "result.json"
MODEL_FILE = "model.onnx"
INT8_FILE = "model-int8.onnx"

_COMPARED_CLIPS = 32

Show = Callable[[str, Epoch, int], None]
Hear = Callable[[Float32Array], Float32Array]


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
    """

    data: str
    allow_leaks: bool = False
    initial: Path | None = None
    frozen: bool = False


def run_folder(config: TrainingConfig, hows: Sequence[str], options: RunOptions) -> Path:
    """Return where a run is kept for which no folder was named: one for these settings."""
    told = "\n".join([to_toml(config), *hows, str(options)])
    digest = hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    data = Path(platformdirs.user_data_dir("tonotope", appauthor=False))
    return data / "runs" / f"{config.model}-{digest}"


def run_splits(
    config: TrainingConfig,
    cache: Cache,
    hows: Sequence[str],
    folder: Path,
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
        Where everything is written; an interrupted run goes on there.
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
        If a split leaks and that is not allowed: before anything is trained.
    """
    splits = [
        refuse_leaks(cache.clips, split, mel=cache.mel, allow=options.allow_leaks)
        for how in hows
        for split in make_splits(cache.clips, how, config.seed)
    ]
    if is_first_process():
        _prepare(folder, config, hows, options)
    results = []
    for split in splits:
        where = folder if len(splits) == 1 else folder / _folder_name(split)
        done = _finished(where)
        if done is None:
            done = _run(config, cache, split, where, options, show, on_batch)
        results.append(done)
    if not is_first_process():
        return {}
    if len(results) == 1:
        return results[0]
    result = together(results)
    _write_json(folder / RESULT_FILE, result)
    return result


def _prepare(
    folder: Path, config: TrainingConfig, hows: Sequence[str], options: RunOptions
) -> None:
    text = (
        to_toml(config)
        + f"\n# --data {options.data} --split {','.join(hows)}"
        + (" --allow-leaks\n" if options.allow_leaks else "\n")
    )
    path = folder / CONFIG_FILE
    try:
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise InputError(
                f"'{folder}' has a run with other settings ('{path}'). Use the same settings to go "
                "on, or another --out."
            )
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PathError(
            f"cannot write to '{path}': {error.strerror}. Name another --out."
        ) from error


def _folder_name(split: Split) -> str:
    return "".join(c if c.isalnum() else "-" for c in split.name.replace(",", "")).strip("-")


def _finished(folder: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        result: dict[str, Any] = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
        return result
    return None


def _run(
    config: TrainingConfig,
    cache: Cache,
    split: Split,
    folder: Path,
    options: RunOptions,
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

        def follow(history: Sequence[Epoch], total: int, where: Path = where) -> None:
            show(split.name, history[-1], total)
            write_curves(where, history)
            draw_curves(where, history)

        run = train(
            replace(config, seed=config.seed + member),
            cache,
            replace(split, parts=parts),
            where,
            vary=compose(config.augment),
            initial=None if options.initial is None else weights_of(options.initial),
            frozen=options.frozen,
            on_epoch=follow,
            on_batch=on_batch,
        )
        members.append(run)
    if not is_first_process():
        return {}
    return _finish(config, cache, replace(split, parts=parts), folder, options, members)


def _finish(
    config: TrainingConfig,
    cache: Cache,
    split: Split,
    folder: Path,
    options: RunOptions,
    runs: Sequence[Run],
) -> dict[str, Any]:
    committee = Committee(
        [Listener(run.network, config.crop_columns, config.test_crops) for run in runs]
    )
    valid = split.parts.get("valid", np.array([], np.intp))
    temperature, below = config.temperature or 1.0, None
    if len(valid):
        heard = _predictions(_listening(committee), cache, valid)
        if not config.temperature:
            temperature = fit_temperature(heard.genre, heard.probabilities)
        sure = with_temperature(heard.probabilities, temperature)
        below = unknown_threshold(sure, heard.genre)
    committee = committee.with_temperature(temperature)
    compared = decibels(cache.mel[split.parts["train"][:_COMPARED_CLIPS]])
    path = folder / MODEL_FILE
    exported = export_onnx(committee, path, compared)
    int8 = export_int8(path, folder / INT8_FILE, compared)
    document = _judge(path, cache, split, config, below)
    write_card(
        folder,
        config,
        cache,
        split,
        options.data,
        exported,
        int8,
        document,
        temperature=temperature,
        unknown_below=below,
        n_weights=sum(p.numel() for p in committee.parameters()),
        embedding_size=committee.embedding_size,
    )
    document |= {"folder": str(folder), "epochs": [len(run.history) for run in runs]}
    _write_json(folder / RESULT_FILE, document)
    return document


def _listening(committee: Committee) -> Hear:
    committee.eval()

    @torch.no_grad()
    def listen(log_mel: Float32Array) -> Float32Array:
        probabilities: Float32Array = committee(torch.from_numpy(log_mel))[0].numpy()
        return probabilities

    return listen


def _predictions(listen: Hear, cache: Cache, rows: np.ndarray) -> Predictions:
    labels = cache.labels
    clips = tuple(cache.clips[row] for row in rows)
    heard = [
        listen(decibels(cache.mel[rows[start : start + _COMPARED_CLIPS]]))
        for start in range(0, len(rows), _COMPARED_CLIPS)
    ]
    probabilities = np.concatenate(heard).astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    genre = np.array([labels.index(clip.genre) for clip in clips], dtype=np.intp)
    return Predictions(labels, probabilities, genre, clips)


def _judge(
    path: Path, cache: Cache, split: Split, config: TrainingConfig, below: float | None
) -> dict[str, Any]:
    part = next((part for part in ("test", "valid") if len(split.parts.get(part, ()))), "")
    if not part:
        return {"model": config.model, "protocol": split.name, "part": "", "n": 0,
                "leaky": split.is_leaky, "leaks": list(split.leaks)}  # fmt: skip
    notes = []
    if part == "valid" and (config.keep == "best" or config.early_stop_epochs):
        notes.append("the epoch was chosen on these clips: the figures flatter")
    return evaluate(
        _predictions(lambda log_mel: hear(path, log_mel)[0], cache, split.parts[part]),
        leaks=split.leaks,
        protocol=split.name,
        part=part,
        model=config.model,
        notes=notes,
        unknown_below=below,
        seed=config.seed,
    )


def _write_json(path: Path, document: dict[str, Any]) -> None:
    unfinished = path.with_suffix(".new")
    try:
        unfinished.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise PathError(
            f"cannot write '{path}': {error.strerror}. Make room, then run it again."
        ) from error
