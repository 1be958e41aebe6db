"""A run of a classical model: features, split, fit, export, judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tonotope.errors import InputError
from tonotope.features.stft import Float32Array
from tonotope.training.cache import Cache
from tonotope.training.classical import CLASSICAL, ClassicalModel, fit_classical
from tonotope.training.clip_features import FEATURES, embedding_features, features_of_cache
from tonotope.training.clips import Split
from tonotope.training.evaluation.evaluate import Predictions, evaluate
from tonotope.training.evaluation.together import together
from tonotope.training.parting import Source, data_digest, judged_part, parted
from tonotope.training.run_folders import RESULT_FILE, claim, run_folder, write_json

__all__ = ["is_classical", "named_features", "run_classical"]

_TABLES = (".csv", ".parquet")


def is_classical(name: str) -> bool:
    """Return whether a model is a classical one."""
    return name in CLASSICAL


def named_features(cache: Cache, name: str) -> Float32Array:
    """Return the features of all clips that the command's ``--features`` names.

    Parameters
    ----------
    cache
        The clips.
    name
        ``mfcc`` or ``mel``; ``embedding`` or ``embedding:MODEL``; or a table's path.

    Raises
    ------
    InputError
        If there are none of that name.
    """
    if name in FEATURES:
        return features_of_cache(cache, name)
    kind, _, model = name.partition(":")
    if kind == "embedding":
        from tonotope.models.encoder import Encoder
        from tonotope.training.evaluation.run import find_card

        return embedding_features(Encoder(find_card(model or None)), cache)
    if name.lower().endswith(_TABLES):
        from tonotope.training.feature_tables import table_features

        features, _ = table_features(Path(name), [clip.name for clip in cache.clips])
        return features
    raise InputError(
        f"no features are called {name!r}. There are: {', '.join(FEATURES)}, embedding, "
        "embedding:MODEL, and tables .csv and .parquet."
    )


def run_classical(
    name: str,
    cache: Cache,
    hows: Sequence[str],
    *,
    features: str,
    seed: int,
    folder: Path | None,
    allow_leaks: bool,
) -> dict[str, Any]:
    """Fit and judge a classical model by one or several splits.

    Parameters
    ----------
    name
        One of `tonotope.training.classical.CLASSICAL`.
    cache
        The clips.
    hows
        Ways to split, see `tonotope.training.splits.make_splits`.
    features
        See `named_features`.
    seed
        Of splits, folds and trees.
    folder
        Where ``config.toml``, ``result.json`` and, of one split, ``model.onnx`` (of features, not
        of sound) are written; by default a folder among the user's data.
    allow_leaks
        See `tonotope.training.parting.parted`.

    Returns
    -------
    dict
        As `tonotope.training.runs.run_splits` does.
    """
    source = _source(features)
    splits = parted(cache, hows, seed, allow_leaks=allow_leaks, source=source)
    told = (
        f'model = "{name}"\nseed = {seed}\n\n# clips {data_digest(cache)} --features {features} '
        f"--split {','.join(hows)}{' --allow-leaks' * allow_leaks}\n"
    )
    folder = folder or run_folder(name, told)
    claim(folder, told)
    X = named_features(cache, features)
    place = {label: i for i, label in enumerate(cache.labels)}
    genre = np.array([place.get(clip.genre, -1) for clip in cache.clips])
    results = []
    for split in splits:
        rows = split.parts["train"]
        model = fit_classical(name, X[rows], genre[rows], cache.labels, seed)
        results.append(_judge(model, features, X, genre, cache, split, seed))
    result = results[0] if len(results) == 1 else together(results)
    result |= {"folder": str(folder)}
    if len(results) == 1:
        model.to_onnx(folder / "model.onnx")
    write_json(folder / RESULT_FILE, result)
    return result


def _source(features: str) -> Source | None:
    """Return the model whose embedding the features are."""
    kind, _, model = features.partition(":")
    if kind != "embedding":
        return None
    from tonotope.training.evaluation.run import find_card

    card = find_card(model or None)
    return Source(card.model_id, card.document)


def _judge(
    model: ClassicalModel,
    features: str,
    X: Float32Array,
    genre: np.ndarray,
    cache: Cache,
    split: Split,
    seed: int,
) -> dict[str, Any]:
    part = judged_part(split)
    if not part:
        raise InputError(
            f"split '{split.name}' has neither a test nor a validation part to judge by. "
            "Choose another --split."
        )
    rows = split.parts[part]
    predictions = Predictions(
        cache.labels, model.probabilities(X[rows]), genre[rows],
        tuple(cache.clips[row] for row in rows),
    )  # fmt: skip
    return evaluate(
        predictions, leaks=split.leaks, protocol=split.name, part=part,
        model=f"{model.name} on {features}", seed=seed,
    )  # fmt: skip
