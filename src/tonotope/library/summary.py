"""What a scan tells about itself, while it runs and at its end."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["ScanProgress", "ScanSummary"]


@dataclass
class ScanSummary:
    """What a scan did.

    Each file counts once: as analysed, unchanged, moved, a duplicate or failed.

    Attributes
    ----------
    files
        Audio files found; a folder that cannot be read counts as a file that failed.
    analysed
        Listened to.
    unchanged
        Known already, also where only tags were changed.
    moved
        Known under another path, where there is nothing or something else by now.
    duplicates
        New copies of a recording that another file holds as well.
    failed
        Gave nothing, now or in an earlier scan; `Library.failures` says why.
    damaged
        Of the analysed: how many had to be mended.
    seconds
        How long the scan took.
    """

    files: int = 0
    analysed: int = 0
    unchanged: int = 0
    moved: int = 0
    duplicates: int = 0
    failed: int = 0
    damaged: int = 0
    seconds: float = 0.0


@dataclass
class ScanProgress:
    """How far a scan has come.

    Attributes
    ----------
    summary
        What has been done so far.
    is_walking
        Whether files are still being looked for: `summary.files` is not final.
    music_s
        Duration of all tracks listened to.
    failures
        Path and reason of each failure met so far.
    """

    summary: ScanSummary
    is_walking: bool = True
    music_s: float = 0.0
    failures: list[tuple[str, str]] = field(default_factory=list)

    @property
    def n_done(self) -> int:
        """How many files are dealt with."""
        s = self.summary
        return s.analysed + s.unchanged + s.moved + s.duplicates + s.failed
