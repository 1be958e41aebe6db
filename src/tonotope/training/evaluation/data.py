"""What a model is judged on: a spectrogram cache, or audio that is made one for the time being."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tonotope.errors import PathError
from tonotope.library.summary import ScanProgress
from tonotope.training.cache import CLIPS_FILE, MEL_FILE, Cache, read_cache

__all__ = ["WINDOWS_PER_TRACK", "Data", "opened_data"]

WINDOWS_PER_TRACK = 3
"""How many windows of a track are heard where audio is given."""

_N_PROBLEMS = 5


@dataclass(frozen=True, slots=True)
class Data:
    """Labelled clips.

    Attributes
    ----------
    name
        What was asked for: a path.
    cache
        The clips and their spectrograms.
    notes
        What a reader of the result must know of them, a line each.
    """

    name: str
    cache: Cache
    notes: tuple[str, ...] = ()


@contextmanager
def opened_data(
    path: Path, on_progress: Callable[[ScanProgress], None] | None = None
) -> Iterator[Data]:
    """Open a cache, or a folder with a folder of audio for each genre.

    Audio is listened to in worker processes, and its spectrograms are kept as long as the context
    lasts. Whoever evaluates the same audio again had better make a cache of it.

    Parameters
    ----------
    path
        The folder.
    on_progress
        Called several times a second while audio is listened to.

    Raises
    ------
    PathError
        If it is neither, or cannot be read.
    """
    if not path.is_dir() or any((path / name).exists() for name in (MEL_FILE, CLIPS_FILE)):
        yield Data(str(path), read_cache(path))
        return
    from tonotope.training.prepare import prepare

    with tempfile.TemporaryDirectory(prefix="tonotope-") as temporary:
        out = Path(temporary) / "cache"
        made = prepare(
            "folders",
            str(path),
            str(out),
            windows=WINDOWS_PER_TRACK,
            on_progress=on_progress,
        )
        failures = [f"{failed.path}: {failed.reason}" for failed in made.failures]
        if not made.clips:
            raise PathError(
                f"cannot evaluate on '{path}': no file gave anything "
                f"({failures[0]}). Name other --data."
            )
        notes = made.problems[:_N_PROBLEMS]
        if failures:
            shown = "; ".join(failures[:_N_PROBLEMS]) + "; ..." * (len(failures) > _N_PROBLEMS)
            notes.append(f"Files that gave nothing, {len(failures)}: {shown}")
        yield Data(str(path), read_cache(out), tuple(notes))
