"""``tonotope prepare``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from tonotope.cli.options import JsonOption, LibraryOption, WholeNumber
from tonotope.cli.output import complain, counted, print_json, printable, say

if TYPE_CHECKING:
    from tonotope.library.summary import ScanProgress
    from tonotope.training.prepare import PrepareSummary

__all__ = ["prepare"]


def prepare(
    dataset: str,
    /,
    *,
    out: str,
    root: str | None = None,
    windows: WholeNumber = 1,
    label: str = "genre",
    library: LibraryOption = None,
    jobs: WholeNumber | None = None,
    nice: WholeNumber = 0,
    json: JsonOption = False,
) -> int:
    """Listen to a data set and keep its spectrograms, which models are trained and judged on.

    What is in the cache already and has not changed is not listened to again. Ctrl-C stops at
    once and keeps everything finished; the same command goes on. Files that give nothing, and what
    is wrong with the data set, are listed at the end, and end nothing.

    Parameters
    ----------
    dataset
        `gtzan`, `fma-small` and others (see `docs/datasets.md`), `folders` for any folder of
        folders, or `library` for the tracks of your own library by their tags.
    out
        The cache: a new folder, or one to bring up to date; or a URL such as `s3://bucket/cache`.
    root
        The folder the data set lies in, or its URL.
    windows
        How many windows of 30 s a track of over 31 s gives at most.
    label
        For `library`: the tag that is taken for the genre.
    jobs
        How many processes listen; as many as there are cores by default.
    nice
        How much they give way to other programs, 0 to 19.
    """
    from tonotope.cli.progress import scanning
    from tonotope.training.prepare import prepare as make_cache

    last: ScanProgress | None = None
    with scanning() as show:

        def follow(progress: ScanProgress) -> None:
            nonlocal last
            last = progress
            show(progress)

        try:
            summary = make_cache(
                dataset,
                root,
                out,
                windows=windows,
                label=label,
                library=library,
                jobs=jobs,
                nice=nice,
                on_progress=follow,
            )
        except KeyboardInterrupt:
            done, files = (last.n_done, last.summary.files) if last else (0, 0)
            complain(
                f"interrupted; {done} of {files} files are done. Run the same command to go on."
            )
            raise
    if json:
        print_json(asdict(summary))
    elif summary.clips:
        _print(summary)
    for problem in summary.problems:
        print(printable(f"problem: {problem}"), file=sys.stderr)
    for failed in summary.failures:
        print(printable(f"failed: {failed.path}: {failed.reason}"), file=sys.stderr)
    if not summary.clips:
        complain("no file gave anything; nothing was written. See above why.")
    return 0 if summary.clips else 1


def _print(summary: PrepareSummary) -> None:
    say(
        f"{counted(summary.clips, 'clip')} of {summary.dataset} ({summary.computed} computed, "
        f"{summary.kept} kept), {summary.rows} rows, written to {summary.out}; "
        + f"{summary.failed} failed; " * bool(summary.failed)
        + f"{summary.seconds:.1f} s"
    )
