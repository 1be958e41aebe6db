"""A run's folder: claimed for what the run is told, so that no result is taken for another's."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from tonotope.errors import InputError, PathError
from tonotope.files import replacing

__all__ = [
    "CONFIG_FILE",
    "RESULT_FILE",
    "claim",
    "finished",
    "run_folder",
    "write_json",
    "write_whole",
]

CONFIG_FILE = "config.toml"
RESULT_FILE = "result.json"


def run_folder(model: str, told: str) -> Path:
    """Return where a run is kept for which no folder was named: one for what it was told."""
    digest = hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    data = Path(platformdirs.user_data_dir("tonotope", appauthor=False))
    return data / "runs" / f"{model}-{digest}"


def claim(folder: Path, told: str) -> None:
    """Make a run's folder, or find that it is that of a run that was told the same.

    Parameters
    ----------
    folder
        Where.
    told
        What ``config.toml`` there is to say.

    Raises
    ------
    InputError
        If there is a run that was told something else.
    PathError
        If the folder cannot be written to.
    """
    path = folder / CONFIG_FILE
    content = told.encode("utf-8", "surrogateescape")
    try:
        if path.exists() or (folder / RESULT_FILE).exists():
            if not path.exists() or path.read_bytes() != content:
                raise InputError(
                    f"'{folder}' has a run that was told something else ('{path}'). Use the same "
                    "settings and clips to go on, or another --out."
                )
            return
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path, path.with_suffix(".new")) as unfinished:
            unfinished.write_bytes(content)
    except OSError as error:
        raise PathError(
            f"cannot write to '{path}': {error.strerror}. Name another --out."
        ) from error


def finished(folder: Path) -> dict[str, Any] | None:
    """Return the result of a run that is finished, or None."""
    with suppress(OSError, ValueError):
        result: dict[str, Any] = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
        return result
    return None


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a document as JSON: whole or not at all."""
    write_whole(path, (json.dumps(document, indent=2) + "\n").encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file of a run: whole or not at all.

    Raises
    ------
    PathError
        If it cannot be written; what was there before still is.
    """
    try:
        with replacing(path, path.with_name(path.name + ".new")) as unfinished:
            unfinished.write_bytes(content)
    except OSError as error:
        raise PathError(
            f"cannot write '{path}': {error.strerror}. Make room, then run the same command to go "
            "on."
        ) from error
