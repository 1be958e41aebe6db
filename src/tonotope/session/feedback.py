"""What the user says of tracks: which belong together, and which do not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from tonotope.errors import InputError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.library.feedback import (
    Verdict,
    drop_verdicts,
    put_verdicts,
    tracks_of_verdicts,
    verdicts,
)
from tonotope.session.locating import audio_id_of

__all__ = ["TrackVerdict", "all_said", "forget", "say_of"]


@dataclass(frozen=True, slots=True)
class TrackVerdict:
    """A verdict, and the tracks it is about; None where the library has no file of one."""

    verdict: Verdict
    track: Track | None
    other: Track | None


def say_of(
    catalogue: Catalogue, names: Sequence[str | os.PathLike[str]], *, is_together: bool
) -> list[TrackVerdict]:
    """Keep that tracks belong to the first of them, or that they do not.

    What was said of the same pairs before is forgotten.

    Parameters
    ----------
    catalogue
        Open, and not read-only.
    names
        Files, in the library or not, or ids of tracks.
    is_together
        Whether they belong together.

    Returns
    -------
    list of TrackVerdict
        What is kept of it.

    Raises
    ------
    InputError
        If these are not two recordings or more.
    TrackNotFoundError, DecodeError
        See `tonotope.session.locating.audio_id_of`.
    LibraryError
        If the library cannot be written to.
    """
    audio_ids = list(dict.fromkeys(audio_id_of(catalogue, name) for name in names))
    if len(audio_ids) < 2:
        raise InputError(
            "a verdict is about two recordings or more. Name another besides "
            + (f"'{os.fspath(names[0])}'." if names else "one.")
        )
    first, *others = audio_ids
    put_verdicts(catalogue, [(first, other) for other in others], is_together=is_together)
    return [
        one
        for one in all_said(catalogue)
        if one.verdict.audio_id == first and one.verdict.other_audio_id in others
    ]


def all_said(catalogue: Catalogue) -> list[TrackVerdict]:
    """Return what was said, the earliest first.

    Raises
    ------
    LibraryError
        If the library is damaged.
    """
    track_of = tracks_of_verdicts(catalogue)
    return [
        TrackVerdict(one, track_of.get(one.audio_id), track_of.get(one.other_audio_id))
        for one in verdicts(catalogue)
    ]


def forget(catalogue: Catalogue, numbers: Sequence[int] | None) -> list[TrackVerdict]:
    """Forget what was said, by its numbers; all of it by None. Return it.

    Raises
    ------
    InputError
        If there is no such number; nothing is forgotten then.
    LibraryError
        If the library cannot be written to.
    """
    said = {one.verdict.number: one for one in all_said(catalogue)}
    wanted = list(said) if numbers is None else list(dict.fromkeys(numbers))
    for number in wanted:
        if number not in said:
            raise InputError(f"there is no verdict {number}. See: tonotope feedback list")
    drop_verdicts(catalogue, wanted)
    return [said[number] for number in wanted]
