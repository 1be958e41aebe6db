"""A library's similarity space, judged by what its files are tagged with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tonotope.discovery.compared_spaces import BASELINE, compared_spaces
from tonotope.discovery.judging import TrackLabels, judge_spaces
from tonotope.discovery.metrics.neighbours import label_numbers
from tonotope.errors import InputError, LibraryError
from tonotope.library.catalogue import Catalogue
from tonotope.library.tags import genre_tags
from tonotope.session.placed import Placed
from tonotope.session.plays import play_counts

__all__ = ["judge_library"]


def judge_library(
    catalogue: Catalogue,
    placed: Placed,
    *,
    space: str | None = None,
    k: int = 10,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Judge a library's space, and those it is compared with.

    Genre, artist and album are as tagged; what has no tag is not judged by it. Novelty goes by
    plays where there are some. Quadratic in the number of tracks.

    Parameters
    ----------
    catalogue, placed
        The library.
    space
        One of `tonotope.discovery.compared_spaces.SPACES`; all by default.
    k
        How long the lists are.
    seed
        Of the intervals.
    on_progress
        Called with how many of how many lists are made.

    Returns
    -------
    dict
        Of `judge_spaces`, with ``"library"``.

    Raises
    ------
    InputError
        If k is below 1, or there is no such space.
    LibraryError
        If the library has fewer than two tracks, or is damaged.
    """
    if k < 1:
        raise InputError(f"lists cannot hold {k} tracks. Ask for at least 1: --k 10")
    n_tracks = len(placed.tracks)
    if n_tracks < 2:
        raise LibraryError(
            f"library '{catalogue.path}' has one track that can be compared: nothing has a "
            "neighbour. Add some: tonotope scan FOLDER"
        )
    plays = play_counts(catalogue, placed.tracks)
    genres = genre_tags(catalogue)
    tags = [genres.get(track.audio_id) for track in placed.tracks]
    labels = TrackLabels(
        genre=label_numbers(None if tag is None else tag.casefold() for tag in tags),
        artist=label_numbers(facts.artist for facts in placed.facts),
        album=label_numbers(facts.album for facts in placed.facts),
        facts=placed.facts,
    )
    document = judge_spaces(
        compared_spaces(placed.space, placed.embeddings, space),
        labels,
        k=k,
        plays=plays if plays.any() else None,
        baseline=BASELINE,
        seed=seed,
        on_progress=on_progress,
    )
    return {"library": str(catalogue.path)} | document
