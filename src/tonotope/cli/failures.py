"""``tonotope failures``."""

from __future__ import annotations

from dataclasses import asdict

from tonotope.cli.options import JsonOption, LibraryOption
from tonotope.cli.output import print_json, say

__all__ = ["failures"]


def failures(*, library: LibraryOption = None, json: JsonOption = False) -> None:
    """Show which files gave nothing, why, and what can be done about it."""
    from tonotope.session import Library

    with Library(library) as opened:
        records = opened.failures()
    if json:
        print_json([asdict(record) for record in records])
        return
    for record in records:
        say(record.path)
        say(f"    {record.reason}. {record.next_step}")
    if not records:
        say("Every file gave something.")
