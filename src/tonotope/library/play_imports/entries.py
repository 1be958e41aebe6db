"""What a listening history is made of, and how its texts and times are read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO, TypeAlias

__all__ = [
    "SKIPPED_BELOW_S",
    "BrokenEntry",
    "Entry",
    "OtherEntry",
    "Play",
    "PlayFormat",
    "name_in",
    "play_of",
    "time_in",
]

SKIPPED_BELOW_S = 30
"""What was heard for less counts as skipped: Last.fm's own rule, and Spotify's."""

_LONGEST_NAME = 2000
_LARGEST_COUNT = 10**9

# Scrobblers whose clock was not set wrote 1970; nobody logged plays before there was a web.
_FIRST_S = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())
_LAST_S = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp())

_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d*)?")
_DATE_FORMATS = ("%d %b %Y %H:%M", "%d %b %Y, %H:%M", "%d %b %Y %H:%M:%S", "%d %B %Y %H:%M")


@dataclass(frozen=True, slots=True)
class Play:
    """Somebody played a song, once or `n` times.

    Attributes
    ----------
    artist, title, album
        As written, in one line; `album` is None where unknown.
    played_at_s
        Seconds since 1970, 0 where unknown: `n` is then one of the song's counts in the file.
    n
        How often, 1 or more.
    is_skip
        Whether it was ended within `SKIPPED_BELOW_S`.
    listener
        Who, if the file says so.
    """

    artist: str
    title: str
    album: str | None = None
    played_at_s: int = 0
    n: int = 1
    is_skip: bool = False
    listener: str | None = None


@dataclass(frozen=True, slots=True)
class BrokenEntry:
    """An entry that cannot be read: the line where it begins, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class OtherEntry:
    """An entry that is fine and no play of a song: a podcast, or a song with 0 plays."""


Entry: TypeAlias = Play | BrokenEntry | OtherEntry


@dataclass(frozen=True, slots=True)
class PlayFormat:
    """A format of listening histories.

    Attributes
    ----------
    name
        What it is called in lists of imports.
    description
        What a person would call such a file.
    recognises
        Takes the first characters of a file and says whether they are of this format.
    entries
        Takes the file as text, at its beginning, and gives its entries.
    """

    name: str
    description: str
    recognises: Callable[[str], bool]
    entries: Callable[[TextIO], Iterator[Entry]]


def play_of(
    line: int,
    artist: object,
    title: object,
    *,
    album: object = None,
    time: object = None,
    n: object = 1,
    is_skip: bool = False,
    listener: object = None,
) -> Entry:
    """Return the play that an entry's values make, or what is wrong with them."""
    try:
        names = [name_in(artist, "artist"), name_in(title, "title")]
        if not all(names):
            return BrokenEntry(line, f"no {'title' if names[0] else 'artist'}")
        count = _count_in(n)
        if not count:
            return OtherEntry()
        return Play(
            artist=names[0],
            title=names[1],
            album=name_in(album, "album") or None,
            played_at_s=time_in(time),
            n=count,
            is_skip=is_skip,
            listener=name_in(listener, "listener") or None,
        )
    except ValueError as error:
        return BrokenEntry(line, str(error))


def name_in(value: object, what: str) -> str:
    """Return a name in one line, composed (NFC); empty where there is none.

    Raises
    ------
    ValueError
        If it is no text, or none that can be kept.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{what} is no text")
    if len(value) > _LONGEST_NAME:
        raise ValueError(f"{what} has {len(value)} characters")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError(f"{what} is not UTF-8")
    return unicodedata.normalize("NFC", " ".join(value.replace("\0", " ").split()))


def _count_in(value: object) -> int:
    if isinstance(value, str):
        value = value.strip() or "1"
    try:
        count = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        count = -1
    if isinstance(value, bool | float) or not 0 <= count <= _LARGEST_COUNT:
        raise ValueError(f"plays are {_shown(value)}, not a whole number")
    return int(count)


def time_in(value: object) -> int:
    """Return a time in seconds since 1970 (UTC), 0 where there is none.

    It may be such seconds or milliseconds, ISO 8601, or ``31 Jul 2014 19:25``. Where no zone is
    said it is UTC, as exporters write it. A time before 1990 is a clock that was not set: 0.

    Raises
    ------
    ValueError
        If it cannot be read, or is after 2199.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return 0
    if isinstance(value, str):
        seconds = _seconds_in(value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool) and value == value:
        seconds = float(value)
    else:
        raise ValueError(f"time is {_shown(value)}")
    if abs(seconds) > _LAST_S:
        seconds /= 1000
    if seconds > _LAST_S:
        raise ValueError(f"time is {_shown(value)}")
    return int(seconds) if seconds >= _FIRST_S else 0


def _seconds_in(text: str) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _moment_in_words(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def _moment_in_words(text: str) -> datetime:
    for form in _DATE_FORMATS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    raise ValueError(f"time is {_shown(text)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:36]}...'"
