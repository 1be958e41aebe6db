"""``tonotope demo-music``."""

from __future__ import annotations

from pathlib import Path

from tonotope.cli.options import JsonOption, WholeNumber
from tonotope.cli.output import print_json, say

__all__ = ["demo_music"]


def demo_music(out: Path, /, *, seed: WholeNumber = 0, json: JsonOption = False) -> None:
    """Write a small library of made-up music: 24 short pieces in six styles and six formats.

    Parameters
    ----------
    out
        The folder to write into; made where there is none.
    seed
        The same number gives the same music.
    """
    from tonotope.cli.progress import counting
    from tonotope.demo import write_demo_music

    with counting("Composing") as advance:
        paths = write_demo_music(
            out, seed=seed, on_written=lambda path, done, total: advance(done, total)
        )
    if json:
        print_json({"out": str(out), "files": [str(path) for path in paths]})
    else:
        say(f"{len(paths)} pieces written to {out}")
