"""``tonotope similar``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tonotope.cli.options import JsonOption, LibraryOption, WeightsOption, WholeNumber, weights_in
from tonotope.cli.output import duration, print_json, say, track_document
from tonotope.cli.progress import counting

if TYPE_CHECKING:
    from tonotope.session import Library, SimilarTracks
    from tonotope.session.explaining import Explanation

__all__ = ["similar"]


def similar(
    file_or_id: str,
    /,
    *,
    n: WholeNumber = 10,
    per_artist: WholeNumber = 3,
    per_album: WholeNumber = 2,
    weights: WeightsOption = "balanced",
    why: Annotated[bool, Parameter(negative="")] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Find what in the library sounds most like a track.

    Parameters
    ----------
    file_or_id
        A file, which need not be in the library, or the id of a track as `--json` prints it.
    n
        How many tracks to list, at most.
    per_artist
        How many of them may be by one artist; 0 for any number.
    per_album
        How many of them may be from one album; 0 for any number.
    why
        Say of each what of its sound agrees and what does not, how much each part of the sound has
        to do with the distance, and which 10 s of both are most alike. Listens to the files again.
    """
    from tonotope.session import Library

    with Library(library, weights=weights_in(weights)) as opened:
        found = opened.similar(
            file_or_id, n=n, max_per_artist=per_artist or None, max_per_album=per_album or None
        )
        explanations = _explanations(opened, file_or_id, found) if why else {}
    if json:
        print_json(
            {
                "query": track_document(found.query),
                "neighbours": [
                    track_document(k.track)
                    | {"distance": round(k.distance, 4)}
                    | _why_document(explanations.get(k.track.audio_id))
                    for k in found.neighbours
                ],
            }
        )
    else:
        _print(found, explanations)


def _explanations(
    library: Library, file_or_id: str, found: SimilarTracks
) -> dict[str, Explanation]:
    explainer = library.explainer(file_or_id)
    total = len(found.neighbours)
    explanations = {}
    with counting("Comparing") as show:
        for done, neighbour in enumerate(found.neighbours):
            show(done, total)
            explanations[neighbour.track.audio_id] = explainer.explain(neighbour.track)
    return explanations


def _why_document(explanation: Explanation | None) -> dict[str, Any]:
    if explanation is None:
        return {}
    return {
        "why": {
            "parts": [asdict(share) for share in explanation.parts],
            "reasons": [asdict(reason) for reason in explanation.reasons],
            "segments": explanation.segments and asdict(explanation.segments),
        }
    }


def _print(found: SimilarTracks, explanations: Mapping[str, Explanation]) -> None:
    say(f"Sounds like {found.query.name} ({duration(found.query.duration_s)}):")
    for k in found.neighbours:
        say(f"{k.distance:6.3f}  {k.track.name}  ({duration(k.track.duration_s)})")
        say(f"        {k.track.path}")
        if k.track.audio_id in explanations:
            _print_why(explanations[k.track.audio_id])
    if not found.neighbours:
        say("  nothing: the library holds no other track that the rules allow")


def _print_why(explanation: Explanation) -> None:
    # More would not be read.
    for word, reasons, most in (
        ("alike: ", explanation.agreements, 3),
        ("but:   ", explanation.differences, 2),
    ):
        if reasons:
            say(f"        {word} {'; '.join(reason.text for reason in reasons[:most])}")
    parts = ", ".join(f"{part.part} {part.share:.0%}" for part in explanation.parts)
    say(f"        of the distance: {parts}")
    match = explanation.segments
    if match is not None:
        own, other = (duration(start_s) for start_s in (match.start_s, match.other_start_s))
        say(f"        most alike: 10 s from {own}, and from {other} there")
    else:
        say("        most alike: not known, as one of the files cannot be heard any more")
