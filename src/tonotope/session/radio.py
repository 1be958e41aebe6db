"""A radio of a library's tracks: what to play next, again and again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.playlists.choice import Spacing
from tonotope.discovery.radio import Radio
from tonotope.errors import InputError, LibraryError
from tonotope.library.catalogue import Catalogue, Track
from tonotope.library.feedback import put_verdicts
from tonotope.session.named import name_tracks, refuse_contradiction
from tonotope.session.placed import Placed

__all__ = ["TrackRadio", "radio_of"]


class TrackRadio:
    """Says which track to play next; see `tonotope.discovery.radio.Radio`.

    Made by `tonotope.Library.radio`. It plays from the library as it was when it was made, and does
    not need it to stay open. What is liked is kept there as belonging to each of the seeds, and
    what is skipped as not: the weights "learned" go by it, see `tonotope.session.learned`.

    Attributes
    ----------
    problem
        Why the last like or skip could not be kept; None if it was. The radio goes on.
    """

    def __init__(
        self, radio: Radio, tracks: Sequence[Track], library: Path, seeds: Sequence[int]
    ) -> None:
        self._radio = radio
        self._tracks = tracks
        self._library = library
        self._seeds = seeds
        self.problem: str | None = None

    @property
    def n_played(self) -> int:
        """How many tracks have been returned."""
        return self._radio.n_played

    def next(self) -> Track | None:
        """Return the track to play now; None when all have been played."""
        return self._track(self._radio.next())

    def skip(self) -> Track | None:
        """Return the next track, and play less of what is like the current one."""
        self._keep(is_together=False)
        return self._track(self._radio.skip())

    def like(self) -> None:
        """Play more of what is like the current track."""
        self._radio.like()
        self._keep(is_together=True)

    def _keep(self, *, is_together: bool) -> None:
        """Keep what was said of the current track, without bothering whoever is listening."""
        current = self._radio.current
        if current is None:
            return
        audio_id = self._tracks[current].audio_id
        pairs = [(self._tracks[seed].audio_id, audio_id) for seed in self._seeds if seed != current]
        try:
            with Catalogue(self._library) as catalogue:
                put_verdicts(catalogue, pairs, is_together=is_together)
        except LibraryError as error:
            self.problem = str(error)
        else:
            self.problem = None

    def _track(self, row: int | None) -> Track | None:
        return None if row is None else self._tracks[row]


def radio_of(
    catalogue: Catalogue,
    placed: Placed,
    like: Sequence[str | os.PathLike[str]],
    *,
    unlike: Sequence[str | os.PathLike[str]] = (),
    spacing: Spacing | None = None,
) -> TrackRadio:
    """Return a radio that begins with a track and goes on with what is like it.

    Raises
    ------
    InputError
        If `like` is empty, or names a recording that `unlike` names too.
    TrackNotFoundError, DecodeError
        See `tonotope.session.locating.locate`.
    """
    if not like:
        raise InputError("a radio needs a track to begin with. Name one: --like FILE")
    named = name_tracks(catalogue, placed, [*like, *unlike])
    seeds, disliked = named.rows[: len(like)], named.rows[len(like) :]
    refuse_contradiction(named, seeds, disliked)
    n_library = len(placed.tracks)
    # Those from outside are played if they are seeds, each after whatever is nearer.
    outside = [row for row in seeds if row >= n_library]

    def distances_from(row: int) -> NDArray[np.float32]:
        distances = np.full(len(named.tracks), np.inf, np.float32)
        distances[:n_library] = placed.distances_from(named.places[row])
        distances[outside] = 0
        return distances

    radio = Radio(
        named.places, named.facts, distances_from, seeds, unlike=disliked, spacing=spacing
    )
    return TrackRadio(radio, named.tracks, catalogue.path, list(dict.fromkeys(seeds)))
