"""Checkpoints: all that an interrupted run needs to go on as if it had not been interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tonotope.errors import PathError
from tonotope.files import replacing

__all__ = [
    "CHECKPOINT_FILE",
    "load_checkpoint",
    "random_state",
    "save_checkpoint",
    "set_random",
    "weights_of",
]

CHECKPOINT_FILE = "checkpoint.pt"

# What is in a checkpoint; another number for another content.
_VERSION = 1


def random_state(generator: torch.Generator) -> dict[str, Any]:
    """Return the state of PyTorch's own generators and of one more."""
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "generator": generator.get_state(),
    }


def set_random(state: dict[str, Any], generator: torch.Generator) -> None:
    """Continue to draw where `random_state` was taken."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    generator.set_state(state["generator"])


def save_checkpoint(folder: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint; whenever it is interrupted, there is a whole one, this or the last.

    Raises
    ------
    PathError
        If it cannot be written.
    """
    path = folder / CHECKPOINT_FILE
    try:
        with replacing(path, path.with_suffix(".new")) as unfinished:
            torch.save({"version": _VERSION, **content}, unfinished)
    except (OSError, RuntimeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise PathError(
            f"cannot write checkpoint '{path}': {reason}. What was there before is still there: "
            "make room, then run the same command to go on."
        ) from error


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """Return the checkpoint of a run, or None if there is none.

    Raises
    ------
    PathError
        If it cannot be read or is of another version.
    """
    path = folder / CHECKPOINT_FILE
    return _read(path) if path.exists() else None


def _read(path: Path) -> dict[str, Any]:
    try:
        # Tensors and plain values only: a checkpoint from elsewhere can run no code.
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling and zip files raise whatever they like
        reason = str(error).partition("\n")[0]
        raise PathError(
            f"cannot read checkpoint '{path}': {reason}. Remove it to begin anew."
        ) from error
    if content.get("version") != _VERSION:
        raise PathError(
            f"checkpoint '{path}' is of version {content.get('version')}, this Tonotope reads "
            f"{_VERSION}. Remove it to begin anew."
        )
    return content


def weights_of(path: Path, member: int = 1) -> dict[str, Tensor]:
    """Return the weights that a run ended with, by name.

    Parameters
    ----------
    path
        A run's folder, or a checkpoint.
    member
        Which network of a run of several.

    Raises
    ------
    PathError
        If there is no checkpoint or it cannot be read.
    """
    places = [path, path / CHECKPOINT_FILE, path / f"member-{member}" / CHECKPOINT_FILE]
    places.append(path / "member-1" / CHECKPOINT_FILE)
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise PathError(
            f"cannot begin with '{path}': there is no {CHECKPOINT_FILE}. Name the folder of a run "
            "of tonotope train."
        )
    content = _read(file)
    if content["best"] is not None:
        return dict(content["best"])
    if content["average"] is not None:
        return _below("module.", content["average"])
    return _below("network.", content["student"])


def _below(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }
