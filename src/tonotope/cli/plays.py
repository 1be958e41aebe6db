"""``tonotope plays``: listening histories."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from tonotope.cli.options import JsonOption, LibraryOption, WholeNumber
from tonotope.cli.output import complain, counted, print_json, say
from tonotope.errors import TonotopeError

if TYPE_CHECKING:
    from tonotope.library.catalogue import Catalogue
    from tonotope.library.plays import ImportSummary

__all__ = ["plays"]

_HELP = """Keep what was listened to: what `tonotope recommend` goes by."""

_EXAMPLES = """Examples:

  tonotope plays import Streaming_History_Audio_*.json
  tonotope plays import scrobbles.csv --user rob
  tonotope plays summary
  tonotope plays list
  tonotope plays forget 3
"""

plays = App(name="plays", help=_HELP, help_epilogue=_EXAMPLES)


@plays.command(
    name="import",
    help_epilogue="Examples:\n\n  tonotope plays import listenbrainz.jsonl\n"
    "  tonotope plays import Streaming_History_Audio_*.json --user rob --json",
)
def import_(
    files: Annotated[list[Path], Parameter(negative="", allow_leading_hyphen=False)],
    /,
    *,
    user: str | None = None,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> int:
    """Add listening histories; what is known already is not added again.

    Parameters
    ----------
    files
        Tables in CSV, or exports of Last.fm, ListenBrainz or Spotify. They are told apart by what
        they hold.
    user
        Whose plays these are, whatever the files say; by default who the files say, or "me".
    """
    from tonotope.cli.progress import counting
    from tonotope.session import Library

    done: list[ImportSummary] = []
    n_failed = 0
    with Library(library) as opened:
        for file in files:
            try:
                with counting(file.name) as on_progress:
                    done.append(opened.import_plays(file, listener=user, on_progress=on_progress))
            except TonotopeError as error:
                if len(files) == 1:
                    raise
                complain(str(error))
                n_failed += 1
                continue
            if not json:
                _print_import(done[-1])
    if json:
        print_json([_document(summary) for summary in done])
    nothing = [summary for summary in done if summary.broken == summary.entries]
    for summary in nothing:
        what = "none of its entries can be read" if summary.entries else "no entry"
        complain(f"nothing came of '{summary.path}': {what}. Export the history again.")
    return int(n_failed > 0 or bool(nothing))


@plays.command(
    name="list", help_epilogue="Examples:\n\n  tonotope plays list\n  tonotope plays list --json"
)
def list_(*, library: LibraryOption = None, json: JsonOption = False) -> None:
    """Show which files were imported."""
    from tonotope.library.plays import list_imports

    with _catalogue(library) as catalogue:
        imports = list_imports(catalogue)
    if json:
        print_json([asdict(found) for found in imports])
        return
    for found in imports:
        say(
            f"{found.import_id:4d}  {found.imported_at[:10]}  {counted(found.plays, 'play')}  "
            f"{found.path}"
        )
    if not imports:
        say("no plays yet. Import some: tonotope plays import FILE")


@plays.command(
    help_epilogue="Examples:\n\n  tonotope plays summary\n  tonotope plays summary --json"
)
def summary(*, library: LibraryOption = None, json: JsonOption = False) -> None:
    """Show who listened how often, and to how much of the library."""
    from tonotope.session.plays import summarize

    with _catalogue(library) as catalogue:
        found = summarize(catalogue)
    if json:
        print_json(asdict(found))
        return
    for listener in found.listeners:
        dates = "undated"
        if listener.first_at is not None and listener.last_at is not None:
            dates = f"{listener.first_at[:10]} to {listener.last_at[:10]}"
        say(
            f"{listener.name}: {counted(listener.plays, 'play')} and "
            f"{counted(listener.skips, 'skip')} of {counted(listener.songs, 'song')} by "
            f"{counted(listener.artists, 'artist')}, {dates}"
        )
    if not found.listeners:
        say("no plays yet. Import some: tonotope plays import FILE")
        return
    say(f"{found.songs_in_library} of {counted(found.songs, 'song')} in the library")
    say(f"{found.tracks_played} of its {counted(found.tracks, 'track')} played")


@plays.command(help_epilogue="Examples:\n\n  tonotope plays list\n  tonotope plays forget 3")
def forget(
    number: WholeNumber, /, *, library: LibraryOption = None, json: JsonOption = False
) -> None:
    """Undo an import; plays that another file holds, too, stay.

    Parameters
    ----------
    number
        Of the import, as `tonotope plays list` shows it.
    """
    from tonotope.library.plays import forget_import

    with _catalogue(library) as catalogue:
        n_gone = forget_import(catalogue, number)
    if json:
        print_json({"forgotten": number, "plays": n_gone})
    else:
        say(f"forgot import {number}: {counted(n_gone, 'play')}")


def _catalogue(library: Path | None) -> Catalogue:
    from tonotope.library.catalogue import Catalogue

    return Catalogue(library)


def _print_import(done: ImportSummary) -> None:
    parts = [f"{done.added} added", f"{done.known} known", f"{done.broken} broken"]
    if done.other:
        parts.append(f"{done.other} no plays of songs")
    skipped = f"; {done.skipped} were skipped within 30 s" if done.skipped else ""
    entries = "1 entry" if done.entries == 1 else f"{done.entries} entries"
    say(f"{done.path} ({done.format}): {entries}: {', '.join(parts)}{skipped}")
    say(
        f"  {counted(done.songs, 'song')}, {done.songs_in_library} of them in the library; "
        f"{counted(done.artists, 'artist')}, {done.artists_unknown} of them not"
    )
    for line, reason in done.problems:
        say(f"  line {line}: {reason}")
    if done.broken > len(done.problems):
        say(f"  and {done.broken - len(done.problems)} more")


def _document(done: ImportSummary) -> dict[str, Any]:
    problems = [{"line": line, "reason": reason} for line, reason in done.problems]
    return asdict(done) | {"problems": problems}
