"""What a run begins with: clips with a genre, the scale of its input, weights of another run."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from tonotope.errors import InputError
from tonotope.training.cache import Cache, decibels
from tonotope.training.networks.base import Network
from tonotope.training.parting import data_digest

__all__ = ["begin_with", "origin_of", "require_genres", "scale_of"]

_SCALE_ROWS = 64
# Of networks: the genre's head, and what tells anything else.
_HEADS = ("head.", "others.")


def origin_of(
    cache: Cache,
    rows: np.ndarray,
    valid: np.ndarray,
    initial: dict[str, Tensor] | None,
    frozen: bool,
    targets: str,
) -> str:
    """Return what tells apart runs of the same settings.

    Clips, parts, weights begun with, and the digest of what other heads are to say of the clips.
    """
    digest = hashlib.sha256(data_digest(cache).encode() + rows.tobytes() + b"|" + valid.tobytes())
    digest.update(b"frozen" if frozen else b"")
    digest.update(targets.encode())
    for name, tensor in sorted((initial or {}).items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def require_genres(cache: Cache, genre: np.ndarray, rows: np.ndarray) -> None:
    """Raise `InputError` if one of these rows has no genre, which is -1 in `genre`."""
    for row in rows:
        if genre[row] < 0:
            raise InputError(
                f"clip {cache.clips[row].name!r} has no genre and cannot be trained on or judged. "
                f"Give it one in '{cache.folder / 'clips.csv'}', or leave it out of the split."
            )


def scale_of(cache: Cache, rows: np.ndarray) -> tuple[Tensor, float]:
    """Return each band's mean and the deviation of all, in dB, over the training part."""
    total, squares, n_values = np.zeros(cache.mel.shape[1]), 0.0, 0
    for start in range(0, len(rows), _SCALE_ROWS):
        log_mel = decibels(cache.mel[rows[start : start + _SCALE_ROWS]])
        total += log_mel.sum(axis=(0, 1), dtype=np.float64)
        squares += float(np.square(log_mel, dtype=np.float64).sum())
        n_values += log_mel.shape[0] * log_mel.shape[1]
    mean = total / n_values
    overall = float(mean.mean())
    deviation = np.sqrt(max(squares / (n_values * len(mean)) - overall**2, 1e-6))
    return torch.from_numpy(mean.astype(np.float32)), float(deviation)


def begin_with(network: Network, weights: dict[str, Tensor]) -> None:
    """Set a network's weights to another run's, by name; heads of another size stay as they are.

    Raises
    ------
    InputError
        If they are of another network.
    """
    own = network.state_dict()
    fitting = {
        name: tensor
        for name, tensor in weights.items()
        if name in own and own[name].shape == tensor.shape
    }
    missing = [name for name in own if name not in fitting and not name.startswith(_HEADS)]
    if missing:
        raise InputError(
            f"the weights to begin with do not fit network {type(network).__name__}: "
            f"{missing[0]!r} is missing or of another shape. Choose the --model they are of."
        )
    network.load_state_dict(fitting, strict=False)
