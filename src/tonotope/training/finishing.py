"""From trained networks to a model: calibrated, exported, judged, and described on a card."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tonotope.features.stft import Float32Array
from tonotope.training.cache import Cache, decibels
from tonotope.training.cards import write_card
from tonotope.training.clips import Split
from tonotope.training.committee import Committee
from tonotope.training.config import TrainingConfig
from tonotope.training.evaluation.calibration import (
    fit_temperature,
    unknown_threshold,
    with_temperature,
)
from tonotope.training.evaluation.evaluate import Predictions, evaluate
from tonotope.training.export import export_int8, export_onnx, hear
from tonotope.training.heads import Heads
from tonotope.training.listener import Listener
from tonotope.training.loop import Run
from tonotope.training.parting import judged_part
from tonotope.training.run_folders import RESULT_FILE, write_json

__all__ = ["MODEL_FILE", "finish"]

MODEL_FILE = "model.onnx"
INT8_FILE = "model-int8.onnx"

_CALIBRATION_CLIPS, _COMPARED_CLIPS = 96, 48
_BATCH_CLIPS = 32

Hear = Callable[[Float32Array], Float32Array]


def finish(
    config: TrainingConfig,
    cache: Cache,
    split: Split,
    folder: Path,
    data: str,
    runs: Sequence[Run],
    source: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Make a model of a run's networks, and write it with its card and its result.

    Parameters
    ----------
    config, cache, split
        What they were trained with, on which clips; ``train`` are those that were trained on.
    folder
        The run's.
    data
        Name of the data, for the card.
    runs
        One, or those of a committee's members.
    source
        The card of the model whose weights were begun with.

    Returns
    -------
    dict
        Of `tonotope.training.evaluation.evaluate.evaluate`, with ``folder``, ``epochs`` and, where
        there are other heads than the genre's, ``heads``: see
        `tonotope.training.heads.Heads.figures`.
    """
    heads = runs[0].heads
    committee = Committee(
        [Listener(run.network, config.crop_columns, config.test_crops) for run in runs],
        heads=heads,
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
    train, others = split.parts["train"], split.parts.get(judged_part(split), ())
    # Of all genres: clips often lie in the order of theirs.
    ranges = decibels(cache.mel[_spread(train, _CALIBRATION_CLIPS)])
    compared = decibels(cache.mel[_spread(others if len(others) else train, _COMPARED_CLIPS)])
    path = folder / MODEL_FILE
    exported = export_onnx(committee, path, compared, heads.names)
    int8 = export_int8(path, folder / INT8_FILE, ranges, compared, heads.names)
    document = _judge(path, cache, split, config, below)
    if heads.n_outputs:
        document["heads"] = _judge_heads(path, cache, others, heads)
    write_card(
        folder,
        config,
        cache,
        split,
        data,
        exported,
        int8,
        document,
        temperature=temperature,
        unknown_below=below,
        n_weights=sum(p.numel() for p in committee.parameters()),
        embedding_size=committee.embedding_size,
        heads=heads,
        source=source,
    )
    document |= {"folder": str(folder), "epochs": [len(run.history) for run in runs]}
    write_json(folder / RESULT_FILE, document)
    return document


def _spread(rows: Sequence[int] | np.ndarray, n_rows: int) -> np.ndarray:
    places = np.linspace(0, len(rows) - 1, min(len(rows), n_rows)).astype(int)
    spread: np.ndarray = np.asarray(rows)[np.unique(places)]
    return spread


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
        listen(decibels(cache.mel[rows[start : start + _BATCH_CLIPS]]))
        for start in range(0, len(rows), _BATCH_CLIPS)
    ]
    probabilities = np.concatenate(heard).astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    genre = np.array([labels.index(clip.genre) for clip in clips], dtype=np.intp)
    return Predictions(labels, probabilities, genre, clips)


def _judge(
    path: Path, cache: Cache, split: Split, config: TrainingConfig, below: float | None
) -> dict[str, Any]:
    part = judged_part(split)
    if not part:
        return {"model": config.model, "protocol": split.name, "part": "", "n": 0,
                "leaky": split.is_leaky, "leaks": list(split.leaks)}  # fmt: skip
    notes = []
    if part == "valid" and (config.keep == "best" or config.early_stop_epochs):
        notes.append("the epoch was chosen on these clips: the figures flatter")
    if part == "valid" and not config.temperature:
        notes.append(
            "temperature and threshold were fitted on these clips: the calibration error and the "
            "figures of 'unknown' flatter"
        )
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


def _judge_heads(
    path: Path, cache: Cache, rows: Sequence[int] | np.ndarray, heads: Heads
) -> dict[str, Any]:
    judged = np.asarray(rows, dtype=np.intp)
    heard = [[np.empty((0, head.size), np.float32) for head in heads]]
    for start in range(0, len(judged), _BATCH_CLIPS):
        log_mel = decibels(cache.mel[judged[start : start + _BATCH_CLIPS]])
        heard.append(hear(path, log_mel, heads.names)[2:])
    return heads.figures([np.concatenate(of_head) for of_head in zip(*heard, strict=True)], judged)
