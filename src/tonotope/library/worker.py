"""What runs in a worker process: one file at a time, watched."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tonotope.audio import AudioIdentity, Tags, identify, read_tags

if TYPE_CHECKING:
    from tonotope.analysis import TrackAnalysis

__all__ = ["OUT_OF_MEMORY_STATUS", "Identified", "analyze_file", "identify_file", "start_worker"]

# sysexits.h ends at 78; pebble reports the status of a worker that died.
OUT_OF_MEMORY_STATUS = 81

_WATCH_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True)
class Identified:
    """Which recording a file holds, and its tags."""

    identity: AudioIdentity
    tags: Tags


def identify_file(path: str) -> Identified:
    """Read a file's packets and tags without decoding anything."""
    return Identified(identify(path), read_tags(path))


def analyze_file(
    path: str,
    *,
    families: Iterable[str] | None = None,
    genres: bool = True,
    fingerprint: bool = True,
) -> TrackAnalysis:
    """Listen to a file; see `tonotope.analysis.analyze`."""
    # Only the workers load the network's runtime, and only where there is something to hear.
    from tonotope.analysis import analyze

    return analyze(path, families=families, genres=genres, fingerprint=fingerprint)


def start_worker(memory_bytes: int, nice: int) -> None:
    """Prepare a worker process.

    Parameters
    ----------
    memory_bytes
        The process ends itself when it holds more than this.
    nice
        How much it gives way to other processes.
    """
    if nice:
        os.nice(nice)
    parent = os.getppid()
    threading.Thread(target=_watch, args=(parent, memory_bytes), daemon=True).start()


def _watch(parent: int, memory_bytes: int) -> None:
    """End the process when its parent is gone, or when it holds too much memory.

    The kernel's own limits count address space, of which ONNX Runtime and the allocator reserve
    far more than they use; macOS does not enforce them at all.
    """
    pause = threading.Event()
    while not pause.wait(_WATCH_INTERVAL_S):
        if os.getppid() != parent:
            os._exit(1)
        if _resident_bytes() > memory_bytes:
            os._exit(OUT_OF_MEMORY_STATUS)


if sys.platform == "linux":
    _PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

    def _resident_bytes() -> int:
        with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - ten times a second
            return int(statm.read().split()[1]) * _PAGE_BYTES

else:
    import resource

    def _resident_bytes() -> int:
        # The peak, in bytes on macOS: a file that came near the bound does not cross it.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
