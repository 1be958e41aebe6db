"""Finding the track that somebody names: in the library, or by listening to a file."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonotope.errors import TrackNotFoundError
from tonotope.library.catalogue import Catalogue, Track, album_key
from tonotope.session.placed import Placed, similarity_columns

__all__ = ["audio_id_of", "listen", "locate"]

_AUDIO_ID = re.compile(r"[0-9a-fA-F]{8,32}")


def locate(
    catalogue: Catalogue, placed: Placed, file_or_id: str | os.PathLike[str]
) -> tuple[Track, NDArray[np.float32]]:
    """Return a track and its place: from the library, or by listening to the file.

    Raises
    ------
    TrackNotFoundError
        If there is no such file or track, or nothing is to be heard in it.
    DecodeError
        If the file is not in the library and gives no sound.
    """
    name = os.fspath(file_or_id)
    path = _absolute(name)
    audio_id = audio_id_of(catalogue, file_or_id)
    row = placed.row_of.get(audio_id)
    if row is not None:
        return placed.tracks[row], placed.places[row]
    if not Path(path).exists():
        raise TrackNotFoundError(
            f"track '{name}' has no file any more, or nothing is to be heard in it. Name another."
        )
    return listen(placed, path)


def audio_id_of(catalogue: Catalogue, file_or_id: str | os.PathLike[str]) -> str:
    """Return the recording that a file, in the library or not, or an id names.

    Raises
    ------
    TrackNotFoundError
        If there is no such file or track.
    DecodeError
        If the file is not in the library and gives no sound.
    """
    name = os.fspath(file_or_id)
    path = _absolute(name)
    held = catalogue.audio_id_at(path)
    if held is not None:
        return held
    if os.path.lexists(path):
        from tonotope.audio import identify

        return identify(path).audio_id
    matches = catalogue.audio_ids_like(name) if _AUDIO_ID.fullmatch(name) else []
    if len(matches) == 1:
        return matches[0]
    reason = (
        "is the beginning of more than one track's id. Give more of its digits"
        if matches
        else "is neither a file nor the id of a track in the library. Check its spelling"
    )
    raise TrackNotFoundError(f"'{name}' {reason}.")


def _absolute(name: str) -> str:
    return os.path.abspath(os.path.expanduser(name))  # noqa: PTH100, PTH111 - as it is named


def listen(placed: Placed, path: str) -> tuple[Track, NDArray[np.float32]]:
    """Return the track in a file, and its place, by listening to it.

    Raises
    ------
    TrackNotFoundError
        If nothing is to be heard in it.
    DecodeError
        If it gives no sound.
    """
    from tonotope.analysis import analyze
    from tonotope.audio import read_tags

    columns = similarity_columns()
    analysis = analyze(path, families=columns.families)
    if analysis.embedding is None:
        raise TrackNotFoundError(f"nothing is to be heard in '{path}'. Name another.")
    tags = read_tags(path)
    track = Track(
        audio_id=analysis.audio.audio_id,
        path=path,
        title=tags.title,
        artist=tags.artist or tags.album_artist,
        album=tags.album,
        duration_s=analysis.audio.duration_s,
        album_key=album_key(
            album=tags.album,
            artist=tags.artist,
            album_artist=tags.album_artist,
            is_compilation=tags.compilation,
            release_id=tags.musicbrainz_release_id,
        ),
    )
    return track, placed.place_of(columns.of(analysis.rows), analysis.embedding)
