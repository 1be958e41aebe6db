"""``tonotope scan``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tonotope.cli.options import JsonOption, LibraryOption, WholeNumber
from tonotope.cli.output import complain, counted, print_json, say

if TYPE_CHECKING:
    from tonotope.library.summary import ScanProgress, ScanSummary

__all__ = ["scan"]


def scan(
    folders: Annotated[list[str], Parameter(negative="")],
    /,
    *,
    library: LibraryOption = None,
    jobs: WholeNumber | None = None,
    nice: WholeNumber = 0,
    retry_failed: Annotated[bool, Parameter(negative="")] = False,
    json: JsonOption = False,
) -> None:
    """Listen to folders of music and keep what was heard.

    What is known and has not changed is not listened to again, also where it was renamed, moved
    or retagged. Ctrl-C stops at once and keeps everything finished; the same command goes on.
    A file that gives nothing is reported (see `tonotope failures`) and ends nothing.

    Parameters
    ----------
    folders
        Walked with all their subfolders; hidden folders and those with a `.nomedia` are not.
    jobs
        How many processes listen; as many as there are cores by default.
    nice
        How much they give way to other programs, 0 to 19.
    retry_failed
        Try again what failed in an earlier scan and has not changed since.
    """
    from tonotope.cli.progress import scanning
    from tonotope.session import Library

    last: ScanProgress | None = None
    with Library(library) as opened, scanning() as show:

        def follow(progress: ScanProgress) -> None:
            nonlocal last
            last = progress
            show(progress)

        try:
            summary = opened.scan(
                folders, jobs=jobs, nice=nice, retry_failed=retry_failed, on_progress=follow
            )
        except KeyboardInterrupt:
            done, files = (last.n_done, last.summary.files) if last else (0, 0)
            complain(
                f"interrupted; {done} of {files} files are in the library. "
                "Run the same command to go on."
            )
            raise
    if json:
        print_json(asdict(summary))
    else:
        _print(summary)


def _print(summary: ScanSummary) -> None:
    counts = {
        "analysed": summary.analysed,
        "unchanged": summary.unchanged,
        "moved": summary.moved,
        "duplicates": summary.duplicates,
        "failed": summary.failed,
    }
    parts = [f"{n} {what}" for what, n in counts.items() if n]
    if summary.damaged:
        parts.append(f"{summary.damaged} damaged but heard")
    say(f"{counted(summary.files, 'file')}: {', '.join(parts) or 'none'}; {summary.seconds:.1f} s")
    if summary.failed:
        say("Why files failed: tonotope failures")
