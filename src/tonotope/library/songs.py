"""Which song of a listening history is which track: by artist and title, as people write them."""

from __future__ import annotations

import re
import unicodedata
from typing import TypeAlias

__all__ = ["SongKey", "artist_key", "song_key"]

SongKey: TypeAlias = tuple[str, str]
"""Of the artist, and of the title."""

# What streaming services and scrobblers add to a title or an artist, and taggers do not.
_GUESTS = r"(?:feat|ft|featuring)\b[^()\[\]]*"
_REMASTERED = r"(?:\d{4}\s+)?(?:digital(?:ly)?\s+)?remaster(?:ed)?(?:\s+version)?(?:\s+\d{4})?"
_ADDED_TO_TITLE = re.compile(
    rf"\s*[(\[](?:{_GUESTS}|{_REMASTERED})[)\]]|\s+[-–]\s+{_REMASTERED}\s*$|\s+{_GUESTS}$", re.I
)
_ADDED_TO_ARTIST = re.compile(rf"\s*[(\[]{_GUESTS}[)\]]|\s+{_GUESTS}$", re.I)
_THE = re.compile(r"^the\s+(?=\S)|,\s*the$")


def song_key(artist: str, title: str) -> SongKey:
    """Return what two ways of writing a song have in common, and other songs do not.

    Letters and digits count; case, accents, punctuation and spaces do not, nor guests ("feat."),
    a "Remastered" in brackets or behind a dash, or an artist's "The". Versions that sound
    different ("Live", "Remix") stay different songs.
    """
    return artist_key(artist), _bare(_ADDED_TO_TITLE.sub("", title) or title)


def artist_key(artist: str) -> str:
    """Return what two ways of writing an artist have in common, see `song_key`."""
    return _bare(_THE.sub("", _ADDED_TO_ARTIST.sub("", artist).casefold().strip()))


def _bare(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name.casefold()).replace("&", "and")
    bare = "".join(c for c in folded if c.isalnum())
    # Some names are nothing but signs: "!!!", "( )".
    return bare or " ".join(folded.split())
