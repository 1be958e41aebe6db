"""``tonotope status``."""

from __future__ import annotations

from dataclasses import asdict

from tonotope.cli.options import JsonOption, LibraryOption
from tonotope.cli.output import print_json, say

__all__ = ["status"]


def status(*, library: LibraryOption = None, json: JsonOption = False) -> None:
    """Show what the library holds."""
    from tonotope.session import Library

    with Library(library) as opened:
        held = opened.status()
    if json:
        print_json(asdict(held))
        return
    say(f"Library  {held.path}")
    say(f"Files    {held.files}" + (f" ({held.missing} more are missing)" * bool(held.missing)))
    say(f"Tracks   {held.tracks}, {held.hours:.1f} hours")
    if held.damaged or held.silent:
        say(f"         {held.damaged} damaged, {held.silent} silent")
    if held.out_of_date:
        say(f"         {held.out_of_date} heard by another version: scan again")
    if held.failed:
        say(f"Failed   {held.failed} (see: tonotope failures)")
    if held.genres:
        say("Genres   " + ", ".join(f"{genre} {n}" for genre, n in held.genres.items()))
    if held.last_scan_at:
        say(f"Scanned  {held.last_scan_at}, {held.last_scan_outcome}")
