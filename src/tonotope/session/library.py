"""`tonotope.Library`: a library opened for questions."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from tonotope.discovery.weights import PRESETS, weights_of
from tonotope.errors import InputError
from tonotope.features import FAMILY_VERSIONS
from tonotope.library.catalogue import Catalogue, FailureRecord, LibraryStatus, Track
from tonotope.library.playlist_files import write_playlist
from tonotope.library.summary import ScanProgress, ScanSummary
from tonotope.library.versions import Versions
from tonotope.models.cards import ModelCard, read_card
from tonotope.session.locating import locate
from tonotope.session.placed import LEARNED, Placed, place_tracks
from tonotope.session.playlists import Playlist, compose, length_of
from tonotope.session.suiting import PlaylistWishes

if TYPE_CHECKING:
    from tonotope.discovery.duplicates import Kind
    from tonotope.discovery.groups import Method
    from tonotope.discovery.playlists import Spacing
    from tonotope.library.plays import ImportSummary
    from tonotope.session.duplicates import Duplicates, MergedTrack
    from tonotope.session.explaining import Explainer
    from tonotope.session.feedback import TrackVerdict
    from tonotope.session.groups import Groups
    from tonotope.session.maps import LibraryMap
    from tonotope.session.paths import TrackPath
    from tonotope.session.plays import Recommendations
    from tonotope.session.radio import TrackRadio
    from tonotope.session.similar import SimilarTracks

__all__ = ["Library"]


class Library:
    """A music library: scanned once, then asked.

    Parameters
    ----------
    path
        The library's file, or the folder it lies in; by default one per user, in the platform's
        data folder.
    weights
        How much say each part of a track's description has in what it is near to: the name of
        one of `tonotope.discovery.weights.PRESETS`, or numbers by part; see
        `tonotope.discovery.weights.weights_of`. ``"learned"``: what plays and feedback teach, see
        `tonotope.session.learned`.

    Raises
    ------
    InputError
        If the weights are none.

    Examples
    --------
    >>> import tonotope
    >>> with tonotope.Library() as library:
    ...     library.scan(["~/Music"])
    ...     for neighbour in library.similar("~/Music/Sugar Plum Fairy.ogg").neighbours:
    ...         print(neighbour.track.name, neighbour.distance)
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        weights: str | Mapping[str, float] = "balanced",
    ) -> None:
        if isinstance(weights, str) and weights not in (names := [*PRESETS, LEARNED]):
            raise InputError(f"no weights are called '{weights}'. There are: {', '.join(names)}.")
        try:
            weights_of("balanced" if weights == LEARNED else weights)
        except ValueError as error:
            raise InputError(str(error)) from error
        self._path = path
        self._weights = weights
        self._open: Catalogue | None = None
        self._placed: Placed | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the library; asking it again opens it again."""
        if self._open is not None:
            self._open.close()
        self._open = None
        self._placed = None

    @cached_property
    def _card(self) -> ModelCard:
        return read_card()

    @property
    def _versions(self) -> Versions:
        return Versions(FAMILY_VERSIONS, self._card.model_id)

    def scan(
        self,
        folders: Sequence[str | os.PathLike[str]],
        *,
        jobs: int | None = None,
        nice: int = 0,
        retry_failed: bool = False,
        on_progress: Callable[[ScanProgress], None] | None = None,
    ) -> ScanSummary:
        """Bring the library up to date with folders of music; make it, if there is none.

        Uses worker processes, which import the caller's main module: a script that scans needs
        the usual ``if __name__ == "__main__":``.

        Parameters
        ----------
        folders
            Walked with all their subfolders.
        jobs
            How many processes listen; as many as there are cores by default.
        nice
            How much these give way to other programs, 0 to 19.
        retry_failed
            Whether to try again what failed in an earlier scan and has not changed.
        on_progress
            Called several times a second.

        Raises
        ------
        InputError
            If there is no folder, or a number is out of its range.
        PathError
            If a folder is none.
        LibraryLockedError
            If another scan of the library is under way.
        LibraryError
            If the library cannot be opened or written to.
        KeyboardInterrupt
            Passed on; what was finished has been stored.
        """
        from tonotope.library.scanner import scan_folders

        self.close()
        return scan_folders(
            self._path,
            folders,
            self._card.model_id,
            jobs=jobs,
            nice=nice,
            retry_failed=retry_failed,
            on_progress=on_progress,
        )

    def status(self) -> LibraryStatus:
        """Return what the library holds."""
        return self._catalogue.status(self._versions)

    def failures(self) -> list[FailureRecord]:
        """Return the files that gave nothing, with the reasons."""
        return self._catalogue.failures()

    def similar(
        self,
        file_or_id: str | os.PathLike[str],
        *,
        n: int = 10,
        max_per_artist: int | None = 3,
        max_per_album: int | None = 2,
    ) -> SimilarTracks:
        """Return the tracks that sound most like one.

        Parameters
        ----------
        file_or_id
            A file, in the library or not, or the `audio_id` of a track (8 digits may do).
        n
            How many, at most.
        max_per_artist, max_per_album
            How many may be by one artist, and from one album; None for any number.

        Raises
        ------
        InputError
            If a number is below 1.
        TrackNotFoundError
            If there is no such file or track, or nothing is to be heard in it.
        DecodeError
            If the file is not in the library and gives no sound.
        """
        from tonotope.session.similar import similar_tracks

        return similar_tracks(
            self._catalogue,
            self._space,
            file_or_id,
            n=n,
            max_per_artist=max_per_artist,
            max_per_album=max_per_album,
        )

    def explainer(self, file_or_id: str | os.PathLike[str]) -> Explainer:
        """Return what says why tracks of the library are near to one; raises as `similar`."""
        from tonotope.session.explaining import Explainer

        query, place = locate(self._catalogue, self._space, file_or_id)
        return Explainer(self._catalogue, self._versions, self._space, query, place)

    def playlist(
        self,
        like: Sequence[str | os.PathLike[str]] = (),
        *,
        n: int | None = None,
        minutes: float | None = None,
        wishes: PlaylistWishes | None = None,
    ) -> Playlist:
        """Return a playlist: the seeds, and what suits them and the other wishes best.

        It begins with the first seed, unless it follows an arc. No recording comes twice, and no
        artist follows himself where that can be avoided. Its notes say what could not be had.

        Parameters
        ----------
        like
            The seeds: files, in the library or not, or `audio_id`s. They may be none where a mood
            or a filter is among the wishes.
        n
            How many tracks, those in `like` included.
        minutes
            Or how long, at most. 60 if neither is given.
        wishes
            Everything else.

        Raises
        ------
        InputError
            If there is nothing to go by, or what is wished for is impossible.
        LibraryError
            If no track is left.
        TrackNotFoundError, DecodeError
            As for `similar`.
        """
        wishes = wishes or PlaylistWishes()
        length = length_of(n, minutes)
        return compose(self._catalogue, self._space, self._versions, like, length, wishes)

    def path(
        self, start: str | os.PathLike[str], end: str | os.PathLike[str], *, n: int = 12
    ) -> TrackPath:
        """Return a gradual way of `n` tracks from one to another; see `session.paths`."""
        from tonotope.session.paths import path_between

        return path_between(self._catalogue, self._space, start, end, n)

    def radio(
        self,
        like: Sequence[str | os.PathLike[str]],
        *,
        unlike: Sequence[str | os.PathLike[str]] = (),
        spacing: Spacing | None = None,
    ) -> TrackRadio:
        """Return what says which track to play next, again and again; see `session.radio`."""
        from tonotope.session.radio import radio_of

        return radio_of(self._catalogue, self._space, like, unlike=unlike, spacing=spacing)

    def write_playlist(self, path: str | os.PathLike[str], tracks: Sequence[Track]) -> list[Track]:
        """Write tracks as a playlist; return those that such a file cannot name.

        See `tonotope.library.playlist_files.write_playlist`.
        """
        return write_playlist(path, tracks)

    def judge(
        self,
        *,
        space: str | None = None,
        k: int = 10,
        seed: int = 0,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, Any]:
        """Judge the library's similarity space by its tags; see `session.judging`."""
        from tonotope.session.judging import judge_library

        return judge_library(
            self._catalogue, self._space, space=space, k=k, seed=seed, on_progress=on_progress
        )

    def clusters(
        self,
        *,
        k: int | Literal["auto"] | None = None,
        method: Method | None = None,
        space: Literal["embedding", "all"] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Groups:
        """Return the groups that the tracks fall into; see `session.groups.group_library`."""
        from tonotope.session.groups import group_library

        return group_library(
            self._catalogue,
            self._space,
            self._versions,
            k=k,
            method=method,
            space=space,
            on_progress=on_progress,
        )

    def duplicates(
        self,
        kinds: Collection[Kind] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Duplicates:
        """Return which tracks may be one recording; see `session.duplicates.find_duplicates`."""
        from tonotope.discovery.duplicates import KINDS
        from tonotope.session.duplicates import find_duplicates

        return find_duplicates(
            self._catalogue, self._versions, KINDS if kinds is None else kinds, on_progress
        )

    def merge(
        self, kept: str | os.PathLike[str], others: Sequence[str | os.PathLike[str]]
    ) -> list[MergedTrack]:
        """Let one recording stand for others in all answers; see `session.duplicates.merge`."""
        from tonotope.session.duplicates import merge

        self._placed = None
        return merge(self._catalogue, self._versions, kept, others)

    def undo_merges(self, names: Sequence[str | os.PathLike[str]]) -> list[MergedTrack]:
        """Let merged recordings stand for themselves again; see `session.duplicates`."""
        from tonotope.session.duplicates import undo_merges

        self._placed = None
        return undo_merges(self._catalogue, self._versions, names)

    def merged(self) -> list[MergedTrack]:
        """Return what was merged, the earliest first."""
        from tonotope.session.duplicates import merged_tracks

        return merged_tracks(self._catalogue, self._versions)

    def together(self, names: Sequence[str | os.PathLike[str]]) -> list[TrackVerdict]:
        """Keep that tracks belong to the first of them; see `session.feedback.say_of`."""
        return self._say_of(names, is_together=True)

    def apart(self, names: Sequence[str | os.PathLike[str]]) -> list[TrackVerdict]:
        """Keep that tracks do not belong to the first; see `session.feedback.say_of`."""
        return self._say_of(names, is_together=False)

    def _say_of(
        self, names: Sequence[str | os.PathLike[str]], *, is_together: bool
    ) -> list[TrackVerdict]:
        from tonotope.session.feedback import say_of

        self._placed = None
        return say_of(self._catalogue, names, is_together=is_together)

    def feedback(self) -> list[TrackVerdict]:
        """Return what was said of tracks, here or to a radio, the earliest first."""
        from tonotope.session.feedback import all_said

        return all_said(self._catalogue)

    def forget_feedback(self, numbers: Sequence[int] | None = None) -> list[TrackVerdict]:
        """Forget what was said, by its numbers, or all of it; see `session.feedback.forget`."""
        from tonotope.session.feedback import forget

        self._placed = None
        return forget(self._catalogue, numbers)

    def import_plays(
        self,
        path: str | os.PathLike[str],
        *,
        listener: str | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> ImportSummary:
        """Import a listening history; make the library, if there is none.

        See `tonotope.library.plays.import_plays`.
        """
        from tonotope.library.plays import import_plays

        with Catalogue(self._path, create=True) as catalogue:
            return import_plays(catalogue, path, listener=listener, on_progress=on_progress)

    def recommend(
        self,
        listener: str | None = None,
        *,
        n: int = 20,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Recommendations:
        """Return tracks that a listener has not played and may like.

        See `tonotope.session.plays.recommend`.
        """
        from tonotope.session.plays import recommend

        return recommend(
            self._catalogue, self._space, listener=listener, n=n, on_progress=on_progress
        )

    def map(
        self,
        *,
        method: str | None = None,
        n_dims: int = 2,
        fresh: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> LibraryMap:
        """Return the tracks on a map, which the library keeps; see `session.maps.map_library`."""
        from tonotope.session.maps import map_library

        return map_library(
            self._catalogue,
            self._space,
            self._versions,
            method=method,
            n_dims=n_dims,
            fresh=fresh,
            on_progress=on_progress,
        )

    @property
    def _catalogue(self) -> Catalogue:
        if self._open is None:
            self._open = Catalogue(self._path)
        return self._open

    @property
    def _space(self) -> Placed:
        if self._placed is None:
            self._placed = place_tracks(self._catalogue, self._versions, self._weights)
        return self._placed
