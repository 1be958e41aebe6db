"""The card of a trained model: what it hears, what it learned from, and what it measured."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tonotope.models.frontend import N_COLUMNS
from tonotope.training.cache import Cache
from tonotope.training.clips import Split
from tonotope.training.config import TrainingConfig, to_toml
from tonotope.training.evaluation.provenance import provenance
from tonotope.training.export import Exported
from tonotope.training.heads import Heads
from tonotope.training.run_folders import write_whole

__all__ = ["CARD_FILE", "write_card"]

CARD_FILE = "model.toml"

# 30 s are 333 columns.
_COLUMN_S = 30 / N_COLUMNS

_MEASURED = ("accuracy", "balanced_accuracy", "macro_f1", "top3", "ece")


def write_card(
    folder: Path,
    config: TrainingConfig,
    cache: Cache,
    split: Split,
    data: str,
    exported: Exported,
    int8: Exported,
    measured: Mapping[str, Any],
    *,
    temperature: float,
    unknown_below: float | None,
    n_weights: int,
    embedding_size: int,
    heads: Heads,
    source: Mapping[str, Any] | None = None,
) -> Path:
    """Write a model's card beside its file, as `tonotope.models.cards.read_card` reads it.

    Parameters
    ----------
    folder
        Where the model lies.
    config, cache, split, data
        What it was trained with, on which of which clips, and what they are called.
    exported, int8
        The model in float32 and in 8 bits.
    measured
        Of `tonotope.training.finishing.finish`.
    temperature, unknown_below
        What was fitted on the validation part.
    n_weights, embedding_size
        Of the network.
    heads
        What it tells besides the genre.
    source
        The card of the model whose weights were begun with: what that heard, this has heard, too.
    """
    trained = [cache.clips[row] for row in split.parts["train"]]
    heard = provenance(trained)
    for kind, prints in (source or {}).get("trained_on", {}).items():
        heard[kind] = sorted({*heard.get(kind, []), *prints})
    digest = hashlib.sha256(exported.path.read_bytes()).hexdigest()
    lines = [
        "# Written by tonotope train.",
        f"name = {_text(config.model)}",
        f"version = {_text(digest[:8])}",
        f"file = {_text(exported.path.name)}",
        f"sha256 = {_text(digest)}",
        'licence = "that of the data it was trained on: see [data]"',
        "",
        "[input]",
        'representation = "gtzan-mel"',
        "sample_rate_hz = 22050",
        f"window_s = {round(cache.n_columns * _COLUMN_S, 3):g}",
        f"n_columns = {cache.n_columns}",
        "",
        "[output]",
        f"labels = {_text(list(cache.labels))}",
        f"embedding_size = {embedding_size}",
        *([f"unknown_below = {unknown_below:.4f}"] if unknown_below is not None else []),
        "",
        *_of_heads(heads, measured.get("heads", {}), exported, int8),
        "[data]",
        f"name = {_text(data)}",
        f"split = {_text(split.name)}",
        f"leaky = {_text(split.is_leaky)}",
        f"leaks = {_text(len(split.leaks))}",
        *(f"{part}_clips = {len(rows)}" for part, rows in split.parts.items()),
        "",
        "[made]",
        f"with = {_text('Tonotope ' + version('tonotope'))}",
        f"n_weights = {n_weights}",
        f"temperature = {temperature:.4f}",
        f"onnx_difference = {exported.difference:.2e}",
        "",
        "[made.int8]",
        f"file = {_text(int8.path.name)}",
        f"sha256 = {_text(hashlib.sha256(int8.path.read_bytes()).hexdigest())}",
        f"largest_difference = {int8.difference:.4f}",
        f"same_answers = {int8.same_answers:.4f}",
        "",
        "[settings]",
        to_toml(config).rstrip(),
        "",
        "[measured]",
        f"date = {datetime.datetime.now(datetime.UTC).date()}",
        f"part = {_text(measured.get('part', ''))}",
        f"n = {measured.get('n', 0)}",
        *(f"{name} = {measured[name]}" for name in _MEASURED if name in measured),
        "",
        "[trained_on]  # fingerprints, so that evaluation can tell what it has heard",
        *(f"{kind} = {_text(prints)}" for kind, prints in heard.items()),
    ]
    path = folder / CARD_FILE
    write_whole(path, ("\n".join(lines) + "\n").encode())
    return path


def _of_heads(
    heads: Heads, measured: Mapping[str, Any], exported: Exported, int8: Exported
) -> Iterator[str]:
    """Yield a table for each: what its output means, and how well it does."""
    for head in heads:
        yield f"[heads.{_text(head.name)}]"
        yield f"kind = {_text(head.kind)}"
        yield f"output = {_text(head.name)}"
        if head.labels:
            yield f"labels = {_text(list(head.labels))}"
        else:
            # The output is in the column's own unit: these are folded into the graph.
            yield f"column = {_text(head.name)}"
            yield f"mean = {head.mean:.6g}"
            yield f"deviation = {head.deviation:.6g}"
        yield f"onnx_difference = {exported.others[head.name]:.2e}"
        yield f"int8_difference = {int8.others[head.name]:.4g}"
        for name, value in measured.get(head.name, {}).items():
            if name != "kind" and value is not None:
                yield f"{name} = {value}"
        yield ""


def _text(value: Any) -> str:
    """Return a value as TOML writes it: JSON's texts, numbers and lists are TOML's, too."""
    return json.dumps(value, ensure_ascii=False)
