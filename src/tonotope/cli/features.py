"""``tonotope features``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tonotope.cli.options import JsonOption, WholeNumber
from tonotope.cli.output import complain, print_json, printable, say

if TYPE_CHECKING:
    from tonotope.extraction import ExtractionSummary
    from tonotope.library.summary import ScanProgress

__all__ = ["features"]


def features(
    paths: Annotated[list[str], Parameter(negative="", allow_leading_hyphen=False)],
    /,
    *,
    out: str,
    set_: Annotated[str | None, Parameter(name="--set")] = None,
    frames: Annotated[bool, Parameter(negative="")] = False,
    jobs: WholeNumber | None = None,
    nice: WholeNumber = 0,
    json: JsonOption = False,
) -> int:
    """Write descriptors of music as a table, a row per track, or frame by frame. Needs no library.

    What is in the output already, of the same audio and made by the same version, is kept. Ctrl-C
    stops at once and keeps everything finished; the same command goes on. Files that give nothing
    are listed at the end, and end nothing.

    Parameters
    ----------
    paths
        Folders, walked with all their subfolders, and files.
    out
        The table, `.csv`, `.npz` or `.parquet`; with `--frames` a folder.
    set_
        `tonotope` (all that sums a track up), `fma518` (the columns of the FMA data set), or
        names of descriptors with commas between them. By default `tonotope`, and with `--frames`
        every descriptor but the largest.
    frames
        Write a file of frames for each track, `.npz`, instead of a table.
    jobs
        How many processes listen; as many as there are cores by default.
    nice
        How much they give way to other programs, 0 to 19.
    """
    from tonotope.cli.progress import scanning
    from tonotope.extraction import extract_frames, extract_table, parse_set

    asked = None if set_ is None else parse_set(set_)
    last: ScanProgress | None = None
    with scanning() as show:

        def follow(progress: ScanProgress) -> None:
            nonlocal last
            last = progress
            show(progress)

        try:
            if frames:
                summary = extract_frames(
                    paths, out, asked, jobs=jobs, nice=nice, on_progress=follow
                )
            else:
                summary = extract_table(
                    paths, out, asked or "tonotope", jobs=jobs, nice=nice, on_progress=follow
                )
        except KeyboardInterrupt:
            done, files = (last.n_done, last.summary.files) if last else (0, 0)
            complain(
                f"interrupted; {done} of {files} files are done. Run the same command to go on."
            )
            raise
    if json:
        print_json(asdict(summary))
    elif summary.tracks:
        _print(summary, "descriptor" if frames else "column")
    for failed in summary.failures:
        print(printable(f"failed: {failed.path}: {failed.reason}"), file=sys.stderr)
    if not summary.tracks:
        complain("no file gave anything; nothing was written. See above why.")
    return 0 if summary.tracks else 1


def _print(summary: ExtractionSummary, what: str) -> None:
    say(
        f"{_count(summary.tracks, 'track')} ({summary.computed} computed, {summary.kept} kept), "
        f"{_count(summary.columns, what)} each, written to {summary.out}; "
        + f"{summary.failed} failed; " * bool(summary.failed)
        + f"{summary.seconds:.1f} s"
    )
    if summary.dropped:
        say(f"{_count(summary.dropped, 'row')} dropped: no file that could be heard has such audio")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
