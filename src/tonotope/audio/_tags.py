"""What people wrote into a file: title, artist, album and their like.

Tags are read by tinytag, or by FFmpeg where tinytag does not know the format (Matroska, WavPack,
Monkey's Audio and others). Whatever they hold, reading them never fails: an unreadable tag is no
tag. They are never trusted for anything about the sound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import BinaryIO, cast

from tinytag import TinyTag, UnsupportedFormatError

from tonotope.audio._container import open_container
from tonotope.audio._source import Source
from tonotope.errors import DecodeError

__all__ = ["MAX_TAG_CHARACTERS", "Tags", "read_tags"]

MAX_TAG_CHARACTERS = 1000
"""Longer texts are cut: no title is longer, but comments and lyrics in a wrong field are."""

# Control characters other than white space, which becomes single spaces; what is left of invalid
# Unicode; and code points that are no characters.
_FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_SEPARATORS = re.compile("[ _-]")
_LEADING_NUMBER = re.compile("[0-9]{1,4}(?![0-9])")
_FOUR_DIGITS = re.compile("(?<![0-9])[0-9]{4}(?![0-9])")

# Where each field is found, in order of preference: tinytag's own names and what taggers call it
# in ID3, Vorbis comments, MP4, ASF, APEv2 and Matroska. Compared
# without case and separators.
_FIELDS = {
    "title": ("title",),
    "artist": ("artist",),
    "album_artist": ("albumartist", "wm/albumartist"),
    "album": ("album",),
    "track": ("track", "tracknumber", "partnumber"),
    "disc": ("disc", "discnumber"),
    "year": ("year", "date", "originaldate", "originalyear"),
    "genre": ("genre",),
    "compilation": ("compilation", "tcmp", "cpil", "itunescompilation", "wm/iscompilation"),
    "musicbrainz_recording_id": (
        "musicbrainztrackid", "musicbrainzrecordingid", "musicbrainz/trackid", "ufid",
    ),
    "musicbrainz_release_id": ("musicbrainzalbumid", "musicbrainz/albumid"),
    "musicbrainz_artist_id": ("musicbrainzartistid", "musicbrainz/artistid"),
    "musicbrainz_release_group_id": (
        "musicbrainzreleasegroupid", "musicbrainz/releasegroupid",
    ),
}  # fmt: skip
_NOT_TEXT = frozenset({"track", "disc", "year", "compilation"})
_TEXT_FIELDS = tuple(field for field in _FIELDS if field not in _NOT_TEXT)
_UFID_OWNER = "http://musicbrainz.org\0"


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of one file; ``None`` where there is none.

    Parameters
    ----------
    title, artist, album_artist, album, genre
        As written, without control characters, at most :data:`MAX_TAG_CHARACTERS` long. Of
        several artists or genres, the first.
    track, disc, year
        Numbers; ``track`` and ``disc`` count from 1.
    compilation
        Whether the album gathers several artists.
    musicbrainz_recording_id, musicbrainz_release_id, musicbrainz_artist_id, \
musicbrainz_release_group_id
        MusicBrainz identifiers, where a tagger such as Picard wrote them.
    """

    title: str | None = None
    artist: str | None = None
    album_artist: str | None = None
    album: str | None = None
    track: int | None = None
    disc: int | None = None
    year: int | None = None
    genre: str | None = None
    compilation: bool | None = None
    musicbrainz_recording_id: str | None = None
    musicbrainz_release_id: str | None = None
    musicbrainz_artist_id: str | None = None
    musicbrainz_release_group_id: str | None = None


def read_tags(path: str | PathLike[str]) -> Tags:
    """Read a file's tags.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Tags
        Empty where there are none, or none that can be read.
    """
    try:
        with Source(path) as source:
            found = _by_tinytag(source)
            if found is None:
                found = _by_ffmpeg(source)
    except DecodeError:
        return Tags()
    return _choose(found)


def _by_tinytag(source: Source) -> Mapping[str, Sequence[str]] | None:
    """Return all tags by name, or ``None`` where tinytag does not know the format."""
    try:
        tag = TinyTag.get(file_obj=cast(BinaryIO, source), duration=False)
    except UnsupportedFormatError:
        return None
    except MemoryError:
        raise
    except Exception:
        # Tags are arbitrary bytes, and a wrong size in them fails in any way there is.
        return {}
    return {name: v for name, v in tag.as_dict().items() if isinstance(v, list)}


def _by_ffmpeg(source: Source) -> Mapping[str, Sequence[str]]:
    """Return all tags by name, those of the file before those of its audio streams."""
    source.seek(0)
    found: dict[str, list[str]] = {}
    with open_container(source) as container:
        for metadata in (container.metadata, *(s.metadata for s in container.streams.audio)):
            for name, value in metadata.items():
                found.setdefault(name, []).append(value)
    return found


def _choose(found: Mapping[str, Sequence[str]]) -> Tags:
    """Pick the fields that are kept out of all that was found."""
    texts: dict[str, str] = {}
    for name, values in found.items():
        plain_name = _SEPARATORS.sub("", name.lower())
        if plain_name == "ufid":
            # Each begins with its owner; anybody may issue such identifiers.
            values = [v[len(_UFID_OWNER) :] for v in values if v.startswith(_UFID_OWNER)]
        text = next(filter(None, map(_clean, values)), None)
        if text:
            texts.setdefault(plain_name, text)
    fields = {
        field: next((texts[name] for name in names if name in texts), None)
        for field, names in _FIELDS.items()
    }
    return Tags(
        **{field: fields[field] for field in _TEXT_FIELDS},
        track=_number(fields["track"]),
        disc=_number(fields["disc"]),
        year=_year(fields["year"]),
        compilation=_truth(fields["compilation"]),
    )


def _clean(text: str) -> str:
    """Return valid, printable Unicode in one line and of bounded length."""
    # Cut first: cleaning ten megabytes would take long.
    text = _FORBIDDEN.sub("", text[: 4 * MAX_TAG_CHARACTERS])
    return " ".join(text.split())[:MAX_TAG_CHARACTERS].rstrip()


def _number(text: str | None) -> int | None:
    """Return a positive number out of ``"3"``, ``"03"`` or ``"3/12"``."""
    match = _LEADING_NUMBER.match(text or "")
    return int(match[0]) or None if match else None


def _year(text: str | None) -> int | None:
    """Return the year out of a date in any notation that writes it with four digits."""
    match = _FOUR_DIGITS.search(text or "")
    return int(match[0]) or None if match else None


def _truth(text: str | None) -> bool | None:
    return None if text is None else text.lower() in ("1", "true", "yes")
