"""``tonotope genre``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tonotope.cli.options import JsonOption, WholeNumber
from tonotope.cli.output import complain, duration, print_json, say
from tonotope.errors import DecodeError, InputError

if TYPE_CHECKING:
    import numpy as np

    from tonotope.analysis import GenreShare, TrackAnalysis

__all__ = ["genre"]


def genre(
    files: Annotated[list[str], Parameter(negative="", allow_leading_hyphen=False)],
    /,
    *,
    top: WholeNumber = 3,
    over_time: Annotated[bool, Parameter(negative="")] = False,
    model: str | None = None,
    json: JsonOption = False,
) -> int:
    """Name the genres of files, the likeliest first. Needs no library.

    Parameters
    ----------
    files
        Audio files of any format.
    top
        How many genres to name.
    over_time
        Also show each window (of 30 s, unless the model says otherwise).
    model
        Who names them: a model's name (see `tonotope models list`), or the path of its card or
        network; by default the one that comes with Tonotope.
    """
    if top < 1:
        raise InputError(f"cannot name {top} genres. Use --top 1 or more.")
    listen = _listener(model)
    documents = []
    status = 0
    for path in files:
        try:
            analysis = listen(path)
        except DecodeError as error:
            complain(str(error))
            status = 1
            continue
        if json:
            documents.append(_document(analysis, top))
        else:
            _print(analysis, top, over_time=over_time)
    if json:
        print_json(documents)
    return status


def _listener(model: str | None) -> Callable[[str], TrackAnalysis]:
    """Return what hears a file with a model."""
    from tonotope.analysis import analyze, hear

    if model is None:
        return lambda path: analyze(path, families=(), fingerprint=False)
    from tonotope.models.encoder import Encoder
    from tonotope.models.installed import find_model

    card = find_model(model)
    if not card.labels:
        raise InputError(f"model '{card.name}' names no genres: it has no labels. Name another.")
    encoder = Encoder(card)
    return lambda path: hear(path, encoder)


def _document(analysis: TrackAnalysis, top: int) -> dict[str, Any]:
    from tonotope.analysis import is_known

    return {
        "path": analysis.path,
        "known": is_known(analysis.genres, analysis.unknown_below),
        "genres": _shares(analysis.genres[:top]),
        "windows": [
            {
                "start_s": round(float(start_s), 3),
                "known": is_known(genres, analysis.unknown_below),
                "genres": _shares(genres[:top]),
            }
            for start_s, genres in _windows(analysis)
        ],
    }


def _shares(genres: list[GenreShare]) -> list[dict[str, Any]]:
    return [{"genre": g.genre, "probability": round(g.probability, 4)} for g in genres]


def _windows(analysis: TrackAnalysis) -> list[tuple[np.float32, list[GenreShare]]]:
    from tonotope.analysis import ranked_genres

    return [
        (start_s, ranked_genres(analysis.labels, probabilities))
        for start_s, probabilities in zip(
            analysis.window_starts_s, analysis.window_probabilities, strict=True
        )
    ]


def _print(analysis: TrackAnalysis, top: int, *, over_time: bool) -> None:
    say(analysis.path)
    say(f"  {_line(analysis.genres[:top], analysis) or 'nothing is to be heard in it'}")
    if analysis.audio.damage:
        say(f"  damaged: {analysis.audio.damage.describe()}")
    if over_time:
        for start_s, genres in _windows(analysis):
            say(f"  {duration(float(start_s)):>8}  {_line(genres[:top], analysis)}")


def _line(genres: list[GenreShare], analysis: TrackAnalysis) -> str:
    from tonotope.analysis import is_known

    if not genres or is_known(genres, analysis.unknown_below):
        return "   ".join(f"{g.genre} {g.probability:.0%}" for g in genres)
    return f"unknown (perhaps {', '.join(f'{g.genre} {g.probability:.0%}' for g in genres)})"
