"""A run's history as TensorBoard shows it, beside the curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tonotope.errors import PathError
from tonotope.training.extras import require
from tonotope.training.loop import Epoch

__all__ = ["EVENTS_FOLDER", "EventLog"]

EVENTS_FOLDER = "tensorboard"

# What TensorBoard calls a curve, and where its values are.
_CURVES = {
    "loss/train": "train_loss",
    "loss/valid": "valid_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/valid": "valid_accuracy",
    "learning_rate": "learning_rate",
    "clips_per_s": "clips_per_s",
}


class EventLog:
    """Event files in a run's folder, for ``tensorboard --logdir FOLDER``.

    A run that goes on writes its whole history anew, so that no epoch is there twice or missing.

    Parameters
    ----------
    folder
        The run's.

    Raises
    ------
    InputError
        If TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        require("tensorboard", "--tensorboard")
        self._folder = folder / EVENTS_FOLDER
        self._writer: Any = None
        self._n_written = 0

    def write(self, history: Sequence[Epoch]) -> None:
        """Add the epochs that are new.

        Raises
        ------
        PathError
            If the files cannot be written.
        """
        try:
            if self._writer is None:
                self._begin()
            for epoch in history[self._n_written :]:
                for name, field in _CURVES.items():
                    value = getattr(epoch, field)
                    if not math.isnan(value):  # without a validation part there is no such curve
                        self._writer.add_scalar(name, value, epoch.epoch)
            self._writer.flush()
        except OSError as error:
            raise PathError(
                f"cannot write '{self._folder}': {error.strerror}. Make room, or run the same "
                "command without --tensorboard to go on."
            ) from error
        self._n_written = len(history)

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def _begin(self) -> None:
        # Imported here, because TensorBoard is an extra of its own.
        from torch.utils.tensorboard import SummaryWriter

        for earlier in self._folder.glob("events.out.tfevents.*"):
            earlier.unlink()
        self._writer = SummaryWriter(self._folder)
