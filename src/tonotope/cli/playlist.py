"""``tonotope playlist``."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from tonotope.cli.options import JsonOption, LibraryOption, WeightsOption, WholeNumber, weights_in
from tonotope.cli.output import complain, counted, duration, print_json, say, track_document
from tonotope.cli.ranges import RangeOption, parse_minutes, parse_range
from tonotope.errors import InputError

if TYPE_CHECKING:
    from tonotope.library.catalogue import Track

__all__ = ["playlist", "report_left_out"]

Names = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")]


def playlist(
    *,
    like: Names = None,
    out: Path,
    minutes: float | None = None,
    n: WholeNumber | None = None,
    unlike: Names = None,
    mood: str | None = None,
    year: RangeOption = None,
    genre: Names = None,
    tempo: RangeOption = None,
    duration_: Annotated[RangeOption, Parameter(name="--duration")] = None,
    loudness: RangeOption = None,
    artist_gap: WholeNumber = 1,
    album_gap: WholeNumber = 0,
    diversity: float = 0.0,
    novelty: float = 0.0,
    order: Literal["near", "flow"] = "near",
    arc: Literal["up", "down", "wave"] | None = None,
    weights: WeightsOption = "balanced",
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Write a playlist: of what sounds like some tracks, of a mood, or of what filters leave.

    No recording comes twice, and no artist follows himself where that can be avoided. What was
    asked for and could not be had is said on the standard error.

    Parameters
    ----------
    like
        One or more files, which need not be in the library, or ids of tracks. The first comes
        first. Not needed with a mood or a filter.
    out
        The playlist to write: `.m3u8`, `.m3u`, `.xspf`, `.jspf` or `.pls`. Tracks beside or below
        it are named relative to it.
    minutes
        How long at most; 60 if neither this nor `--n` is given.
    n
        How many tracks.
    unlike
        Files or ids that nothing is to sound like.
    mood
        calm, energetic, dark, bright, happy, sad, or the name of a group that `tonotope clusters`
        has made.
    year
        Only tracks tagged with a year from one to another: 1990-1999, 1990-, -1999.
    genre
        Only tracks of any of these genres, as tagged or by their sound.
    tempo
        Only tracks of such tempi, in beats per minute: 120-130.
    duration_
        Only tracks of such lengths, in minutes: 2:30-5, -4.
    loudness
        Only tracks of such loudness, in LUFS: -16..-9.
    artist_gap
        How many tracks of others come between two of one artist.
    album_gap
        How many tracks of others come between two of one album.
    diversity
        From 0, what suits best, to 1, what differs most from all that was chosen before.
    novelty
        From 0 to 1: how much to prefer what is not by the artists of `--like`, and is seldom
        played.
    order
        near: what suits best first. flow: in small steps of tempo, key, loudness and sound.
    arc
        Let the energy go up, go down, or rise and fall.
    """
    from tonotope.library.playlist_files import check_playlist_name
    from tonotope.session import Library
    from tonotope.session.filters import TrackFilters
    from tonotope.session.suiting import PlaylistWishes

    if minutes is not None and not isfinite(minutes):
        raise InputError(f"a playlist cannot hold {minutes} minutes. Name a number of them.")
    check_playlist_name(out)
    wishes = PlaylistWishes(
        unlike=unlike or (),
        mood=mood,
        filters=TrackFilters(
            years=parse_range("--year", year, example="1990-1999, 1990- or -1999"),
            genres=tuple(genre or ()),
            tempo_bpm=parse_range("--tempo", tempo, example="120-130, 120- or -130"),
            duration_s=parse_range(
                "--duration", duration_, example="2:30-5, 2:30- or -5", parse=parse_minutes
            ),
            loudness_lufs=parse_range(
                "--loudness", loudness, example="-16..-9, -16.. or ..-9", may_be_negative=True
            ),
        ),
        artist_gap=artist_gap,
        album_gap=album_gap,
        diversity=diversity,
        novelty=novelty,
        order=order,
        arc=arc,
    )
    with Library(library, weights=weights_in(weights)) as opened:
        made = opened.playlist(like or (), n=n, minutes=minutes, wishes=wishes)
        left_out = opened.write_playlist(out, made.tracks)
    for note in made.notes:
        complain(note)
    report_left_out(out, left_out)
    tracks = [track for track in made.tracks if track not in left_out]
    length_s = sum(track.duration_s for track in tracks)
    if json:
        print_json(
            {
                "out": str(out),
                "tracks": [track_document(track) for track in tracks],
                "duration_s": round(length_s, 1),
                "notes": made.notes,
            }
        )
        return
    for number, track in enumerate(tracks, start=1):
        say(f"{number:3d}  {track.name}  ({duration(track.duration_s)})")
    say(f"{counted(len(tracks), 'track')}, {duration(length_s)}, written to {out}")


def report_left_out(out: Path, tracks: Sequence[Track]) -> None:
    """Say which tracks a playlist's format cannot name."""
    for track in tracks:
        what = "line break" if "\n" in track.path or "\r" in track.path else "name out of UTF-8"
        complain(f"not in the playlist, as {out.suffix} cannot have a {what}: {track.path}")
