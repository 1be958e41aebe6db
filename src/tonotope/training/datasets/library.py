"""A library's own tracks, labelled by what their tags say."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tonotope.errors import InputError, LibraryError
from tonotope.library.catalogue import Catalogue
from tonotope.training.clips import Clip
from tonotope.training.datasets.base import ClipList, printable

__all__ = ["TAG_LABELS", "library_clips"]

TAG_LABELS = ("genre", "artist", "album")
"""The tags that can be a label."""


def library_clips(library_path: Path | None, label: str = "genre") -> ClipList:
    """Return the tracks of a library that are tagged with a label.

    Of a recording that several files hold, the first that is tagged counts. Labels that differ in
    case or white space only are one, in the spelling most tracks have.

    Parameters
    ----------
    library_path
        The library's file or the folder it lies in; the platform's own by default.
    label
        One of `TAG_LABELS`.

    Returns
    -------
    ClipList
        Named by their paths; ``recording`` is the ``audio_id``.

    Raises
    ------
    InputError
        If no tag is called so.
    LibraryError
        If the library cannot be opened, or none of its tracks has such a tag.
    """
    if label not in TAG_LABELS:
        raise InputError(f"cannot label by '{label}'. There are: {', '.join(TAG_LABELS)}.")
    labelled: dict[str, Clip] = {}
    recordings: set[str] = set()
    tagged: set[str] = set()
    problems = []
    with Catalogue(library_path) as catalogue:
        for audio_id, path, text, artist, title in _tagged(catalogue, label):
            spelled = " ".join((text or "").split())
            recordings.add(audio_id)
            if not spelled:
                continue
            tagged.add(audio_id)
            if audio_id in labelled:
                continue
            if not Path(path).is_file():
                problems.append(f"'{printable(path)}' is left out: it is not there any more")
                continue
            labelled[audio_id] = Clip(
                name=printable(path),
                genre=printable(spelled),
                artist=artist or "",
                title=title or "",
                recording=audio_id,
                path=path,
            )
        if not labelled:
            raise LibraryError(
                f"no track of library '{catalogue.path}' has a file and a tag '{label}'. "
                "Tag some and scan again, or name a folder of folders: --dataset folders"
            )
    if without := len(recordings - tagged):
        problems.append(f"{without} of {len(recordings)} tracks have no {label} and are left out")
    return ClipList(_spelled_alike(list(labelled.values())), tuple(problems))


def _tagged(
    catalogue: Catalogue, label: str
) -> list[tuple[str, str, str | None, str | None, str | None]]:
    """Return audio_id, path, label, artist and title of each file that is there, by path."""
    try:
        return list(
            catalogue.connection.execute(
                f"SELECT audio_id, path, {label}, coalesce(artist, album_artist), title"
                " FROM files JOIN tracks ON tracks.id = track_id"
                " LEFT JOIN tags ON file_id = files.id"
                " WHERE missing_since IS NULL ORDER BY path"
            )
        )
    except sqlite3.DatabaseError as error:
        raise LibraryError(
            f"library '{catalogue.path}' is damaged: {error}. Move it away and scan again."
        ) from error


def _spelled_alike(clips: list[Clip]) -> tuple[Clip, ...]:
    counts = Counter(clip.genre for clip in clips)
    spelling: dict[str, str] = {}
    for text, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        spelling.setdefault(text.casefold(), text)
    return tuple(replace(clip, genre=spelling[clip.genre.casefold()]) for clip in clips)
