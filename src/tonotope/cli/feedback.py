"""``tonotope feedback``: what belongs together, and what does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from tonotope.cli.options import JsonOption, LibraryOption, WholeNumber
from tonotope.cli.output import counted, print_json, say
from tonotope.errors import InputError

if TYPE_CHECKING:
    from tonotope.library.catalogue import Track
    from tonotope.session.feedback import TrackVerdict

__all__ = ["feedback"]

_HELP = """Say which tracks belong together and which do not: what `--weights learned` goes by.

What is liked and skipped in `tonotope radio` is kept here, too."""

_EXAMPLES = """Examples:

  tonotope feedback together one.mp3 other.flac third.ogg
  tonotope feedback apart one.mp3 fourth.mp3
  tonotope similar one.mp3 --weights learned
  tonotope feedback list
  tonotope feedback forget 3
"""

feedback = App(name="feedback", help=_HELP, help_epilogue=_EXAMPLES)

Names = Annotated[list[str], Parameter(negative="")]


@feedback.command(help_epilogue="Examples:\n\n  tonotope feedback together one.mp3 other.flac")
def together(names: Names, /, *, library: LibraryOption = None, json: JsonOption = False) -> None:
    """Say that tracks belong to the first of them.

    Parameters
    ----------
    names
        Files, or ids of tracks; two or more.
    """
    from tonotope.session import Library

    with Library(library) as opened:
        _print(opened.together(names), as_json=json)


@feedback.command(help_epilogue="Examples:\n\n  tonotope feedback apart one.mp3 other.flac")
def apart(names: Names, /, *, library: LibraryOption = None, json: JsonOption = False) -> None:
    """Say that tracks do not belong to the first.

    It counts where something was said to belong to one of the two.

    Parameters
    ----------
    names
        Files, or ids of tracks; two or more.
    """
    from tonotope.session import Library

    with Library(library) as opened:
        _print(opened.apart(names), as_json=json)


@feedback.command(
    name="list",
    help_epilogue="Examples:\n\n  tonotope feedback list\n  tonotope feedback list --json",
)
def list_(*, library: LibraryOption = None, json: JsonOption = False) -> None:
    """Show what was said, here or to a radio."""
    from tonotope.session import Library

    with Library(library) as opened:
        said = opened.feedback()
    _print(said, as_json=json)
    if not said and not json:
        say("Nothing was said yet. Say something: tonotope feedback together FILE OTHER")


@feedback.command(
    help_epilogue="Examples:\n\n  tonotope feedback list\n  tonotope feedback forget 3 4\n"
    "  tonotope feedback forget --all"
)
def forget(
    numbers: Annotated[tuple[WholeNumber, ...], Parameter(negative="", show_default=False)] = (),
    /,
    *,
    all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Forget what was said.

    Parameters
    ----------
    numbers
        As `tonotope feedback list` shows them.
    all_
        All of it.
    """
    from tonotope.session import Library

    if bool(numbers) == all_:
        raise InputError("name what to forget: numbers (tonotope feedback list), or --all.")
    with Library(library) as opened:
        gone = opened.forget_feedback(None if all_ else numbers)
    if json:
        print_json({"forgotten": [_document(one) for one in gone]})
    else:
        say(f"Forgot {counted(len(gone), 'verdict')}.")


def _print(said: Sequence[TrackVerdict], *, as_json: bool) -> None:
    if as_json:
        print_json({"feedback": [_document(one) for one in said]})
        return
    for one in said:
        verdict = one.verdict
        track, other = _name(one.track, verdict.audio_id), _name(one.other, verdict.other_audio_id)
        does = "belongs to" if verdict.is_together else "does not belong to"
        say(f"{verdict.number:4d}  {verdict.said_at[:10]}  {other}  {does}  {track}")


def _name(track: Track | None, audio_id: str) -> str:
    return audio_id[:8] if track is None else track.name


def _document(one: TrackVerdict) -> dict[str, Any]:
    return {
        "number": one.verdict.number,
        "audio_id": one.verdict.audio_id,
        "path": None if one.track is None else one.track.path,
        "other_audio_id": one.verdict.other_audio_id,
        "other_path": None if one.other is None else one.other.path,
        "together": one.verdict.is_together,
        "said_at": one.verdict.said_at,
    }
