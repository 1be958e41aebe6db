"""A teacher's tags: what a larger network heard in the training clips, window by window.

A file ``.npz`` with ``clip`` (n_windows,), the clips' names, and ``tags`` (n_windows, n_tags), the
activations from 0 to 1 in each window, a clip's windows in order and evenly spread over it. The
student's embedding has to tell them, too (Hinton, Vinyals, Dean, "Distilling the knowledge in a
neural network", 2015).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from tonotope.errors import PathError
from tonotope.training.clips import Clip

__all__ = ["WINDOW_SHARE", "Teacher", "read_teacher"]

WINDOW_SHARE = 0.1
"""How much of a clip a window is: musicnn's 3 s of 30."""

# Activations nearer to 0 or 1 say no more than these.
_LEAST = 1e-4


class Teacher:
    """Targets for any stretch of any clip.

    Parameters
    ----------
    logits
        Shape (n_clips, n_windows, n_tags), standardised; zeros where there is no teacher.
    is_known
        Shape (n_clips,), whether the teacher heard the clip.
    """

    def __init__(self, logits: Tensor, is_known: Tensor) -> None:
        self._logits = logits
        self._sums = torch.nn.functional.pad(logits.cumsum(1), (0, 0, 1, 0))
        self._is_known = is_known

    @property
    def n_tags(self) -> int:
        """How many tags there are."""
        return int(self._sums.shape[2])

    def targets(self, rows: Tensor, start: Tensor, stop: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the teacher heard in stretches of clips.

        Parameters
        ----------
        rows
            Shape (batch,), the clips.
        start, stop
            Shape (batch,), from 0 (a clip's beginning) to 1 (its end).

        Returns
        -------
        targets, is_known : Tensor
            Shapes (batch, n_tags), the mean over the stretch, and (batch,).
        """
        n_windows = self._sums.shape[1] - 1
        first = (start * n_windows).round().long().clamp(0, n_windows - 1)
        last = torch.maximum((stop * n_windows).round().long().clamp(max=n_windows), first + 1)
        heard = self._sums[rows, last] - self._sums[rows, first]
        return heard / (last - first)[:, None], self._is_known[rows]

    def targets_at(self, rows: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the teacher heard at some places of clips.

        The first window begins with the clip and the last ends with it; between the centres of
        two, what was heard goes over from one to the other.

        Parameters
        ----------
        rows
            Shape (batch,), the clips.
        places
            Shape (batch, n_places), from 0 (a clip's beginning) to 1 (its end).

        Returns
        -------
        targets, is_known : Tensor
            Shapes (batch, n_places, n_tags) and (batch,).
        """
        n_windows = self._logits.shape[1]
        half = WINDOW_SHARE / 2
        window = ((places - half) / (1 - 2 * half)).clamp(0, 1) * (n_windows - 1)
        first = window.floor().long().clamp(max=max(0, n_windows - 2))
        second = (first + 1).clamp(max=n_windows - 1)
        clips = rows[:, None]
        share = (window - first)[..., None]
        targets = self._logits[clips, first].lerp(self._logits[clips, second], share)
        return targets, self._is_known[rows]


def read_teacher(path: Path, clips: Sequence[Clip], train: np.ndarray) -> Teacher:
    """Read a teacher's tags of a data set's training clips.

    Parameters
    ----------
    path
        The file.
    clips
        Of the data set, in the order of its cache.
    train
        Indices of the training clips: of no other clip is anything taken from the file.

    Raises
    ------
    PathError
        If the file cannot be read, is malformed, or has none of the training clips.
    """
    try:
        # Opened here, because NumPy leaves a damaged file open.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            names, tags = file["clip"], file["tags"].astype(np.float32)
    # An array (.npy) is no file to open; a damaged archive raises what zipfile and zlib please.
    except (OSError, ValueError, KeyError, EOFError, TypeError, IndexError, BadZipFile,
            AttributeError, zlib.error) as error:  # fmt: skip
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise PathError(
            f"cannot read teacher '{path}': {reason}. It is an .npz file with the arrays "
            "clip (names) and tags (activations)."
        ) from error
    if tags.ndim != 2 or names.shape != tags.shape[:1]:
        raise PathError(
            f"cannot use teacher '{path}': clip has shape {names.shape} and tags {tags.shape}, "
            "expected (n_windows,) and (n_windows, n_tags)."
        )
    if not np.isfinite(tags).all():
        raise PathError(f"cannot use teacher '{path}': some of its activations are no numbers.")
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows_of.setdefault(str(name), []).append(row)
    heard = [int(i) for i in train if clips[i].name in rows_of]
    if not heard:
        raise PathError(
            f"cannot use teacher '{path}': it heard none of the {len(train)} training clips "
            f"(the first: {clips[train[0]].name!r}). Name the file made for this data set."
        )
    clipped = np.clip(tags, _LEAST, 1 - _LEAST)
    logits = np.log(clipped / (1 - clipped))
    of_training = logits[[row for i in heard for row in rows_of[clips[i].name]]]
    logits = (logits - of_training.mean(axis=0)) / np.maximum(of_training.std(axis=0), 1e-6)
    n_windows = max(len(rows_of[clips[i].name]) for i in heard)
    targets = torch.zeros(len(clips), n_windows, tags.shape[1])
    is_known = torch.zeros(len(clips), dtype=torch.bool)
    for i in heard:
        rows = rows_of[clips[i].name]
        # A clip of fewer windows is spread over the same time.
        spread = np.arange(n_windows) * len(rows) // n_windows
        targets[i] = torch.from_numpy(logits[np.array(rows)[spread]])
        is_known[i] = True
    return Teacher(targets, is_known)
