"""``tonotope clusters``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from tonotope.cli.options import JsonOption, LibraryOption
from tonotope.cli.output import counted, print_json, say, track_document
from tonotope.errors import InputError

if TYPE_CHECKING:
    from tonotope.discovery.group_names import GroupProfile, Measured
    from tonotope.discovery.groups import Method
    from tonotope.session.groups import Group, Groups

__all__ = ["clusters"]


def clusters(
    *,
    k: str | None = None,
    method: Literal["kmeans", "gmm", "hdbscan", "agglomerative"] | None = None,
    space: Literal["embedding", "all"] | None = None,
    data: str | None = None,
    model: str | None = None,
    part: Literal["test", "valid", "train", "all"] | None = None,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Show the groups that tracks fall into by their sound; make them, if there are none.

    Parameters
    ----------
    k
        Make the groups anew: so many, or as many as four measures say (auto).
    method
        Make them anew in this way; by default kmeans.
    space
        Make them anew by what the network makes of the tracks (embedding, the default), or by
        everything that tracks are compared by (all).
    data
        Group the clips of a spectrogram cache (see `tonotope prepare`) instead of a library, their
        genres hidden, and say how far the groups agree with them.
    model
        With --data: the network that hears them, as for `tonotope evaluate`; by default the one
        that comes with Tonotope.
    part
        With --data: which part of the clips; by default the test part, or else the validation
        part, or else all.
    """
    number = _number(k)
    if data is not None:
        if library is not None or space == "all":
            given = "--library" if library is not None else "--space all"
            raise InputError(f"{given} is of libraries, not of --data. Leave one of them out.")
        n_groups = number if isinstance(number, int) else None
        _group_clips(data, model, part, n_groups, method or "kmeans", as_json=json)
        return
    if model is not None or part is not None:
        raise InputError("--model and --part are of --data CACHE: a library has its own network.")
    from tonotope.cli.progress import counting
    from tonotope.session import Library

    with Library(library) as opened, counting("Comparing groupings") as show:
        found = opened.clusters(k=number, method=method, space=space, on_progress=show)
    if json:
        print_json(_document(found))
    else:
        _print(found)


def _number(k: str | None) -> int | Literal["auto"] | None:
    if k is None or k == "auto":
        return k  # type: ignore[return-value]
    try:
        return int(k)
    except ValueError:
        raise InputError(f"cannot make '{k}' groups. Name a whole number or: --k auto") from None


def _document(found: Groups) -> dict[str, Any]:
    return {
        "made_at": found.made_at,
        "made_because": found.made_because,
        "n_joined": found.n_joined,
        "is_kept": found.is_kept,
        "method": found.method,
        "space": found.space,
        "asked_k": found.asked_k,
        "choice": [dict(trial) for trial in found.choice],
        "agreement": None if found.agreement is None else asdict(found.agreement),
        "groups": [_group_document(group) for group in found.groups],
        "apart": [track_document(track) for track in found.apart],
    }


def _group_document(group: Group) -> dict[str, Any]:
    profile = group.profile
    return {
        "name": group.name,
        "colour": group.colour,
        "n_tracks": len(group.tracks),
        "profile": {
            measured.trait.column: {
                "median": _finite(measured.median),
                "rest": _finite(measured.rest),
                "delta": _finite(measured.delta),
                "word": measured.word,
            }
            for measured in profile.traits
        },
        "heard": [asdict(share) for share in profile.heard],
        "tagged": [asdict(share) for share in profile.tagged],
        "n_tagged": profile.n_tagged,
        "typical": [track_document(track) for track in group.typical],
        "tracks": [track.audio_id for track in group.tracks],
    }


def _finite(number: float) -> float | None:
    return round(number, 4) if math.isfinite(number) else None


def _print(found: Groups) -> None:
    n_tracks = sum(len(group.tracks) for group in found.groups) + len(found.apart)
    say(
        f"{counted(len(found.groups), 'group')} of {counted(n_tracks, 'track')}, "
        f"by {found.method}, space {found.space}"
    )
    if found.made_because is not None:
        say(f"Made now: {found.made_because}.")
    elif found.n_joined:
        say(f"Made at {found.made_at}; {found.n_joined} new tracks have joined them.")
    else:
        say(f"Made at {found.made_at}.")
    if not found.is_kept:
        say("The library cannot be written to now: the groups are shown, but not kept.")
    _print_choice(found.choice)
    for group in found.groups:
        say("")
        _print_group(group)
    if found.apart:
        say("")
        say(f"in no group: {counted(len(found.apart), 'track')}")
        _print_names([track.name for track in found.apart[:5]])
    if found.agreement is not None:
        say("")
        _print_agreement("agreement", asdict(found.agreement), "genre tags")


def _print_choice(choice: Sequence[Mapping[str, Any]]) -> None:
    has_apart = any(trial["apart"] for trial in choice)
    say("")
    say(
        "   k  silhouette  Davies–Bouldin  Calinski–Harabasz  stability  mean rank"
        + ("  in no group" if has_apart else "")
    )
    for trial in choice:
        say(
            f"{'*' if trial['chosen'] else ' '}{trial['k']:3}  {trial['silhouette']:10.3f}"
            f"  {trial['davies_bouldin']:14.2f}  {trial['calinski_harabasz']:17.1f}"
            f"  {trial['stability']:9.2f}  {trial['mean_rank']:9.2f}"
            + (f"  {trial['apart']:11.0%}" if has_apart else "")
        )


def _print_group(group: Group) -> None:
    n_tracks = len(group.tracks)
    say(f"{group.name}  ({n_tracks} {'track' if n_tracks == 1 else 'tracks'}, {group.colour})")
    for label, words in _profile_lines(group.profile):
        say(f"  {label:<9} {words}")
    say("  typical")
    _print_names([track.name for track in group.typical])


def _profile_lines(profile: GroupProfile) -> list[tuple[str, str]]:
    lines = [("sounds", "; ".join(_trait_words(m) for m in profile.traits if m.word is not None))]
    if profile.heard:
        heard = ", ".join(f"{genre.name} {genre.share:.0%}" for genre in profile.heard)
        lines.append(("heard", heard))
    if profile.tagged:
        tagged = ", ".join(f"{tag.name} {tag.share:.0%}" for tag in profile.tagged)
        lines.append(("tagged", f"{tagged} of {profile.n_tagged}"))
    return [(label, words or "like the rest") for label, words in lines]


def _trait_words(measured: Measured) -> str:
    trait = measured.trait
    unit = f" {trait.unit}" if trait.unit else ""
    median, rest = (f"{number:.{trait.digits}f}" for number in (measured.median, measured.rest))
    return f"{measured.word} ({trait.label} {median}{unit}, the rest {rest})"


def _print_names(names: Sequence[str]) -> None:
    for name in names:
        say(f"    {name}")


def _print_agreement(what: str, agreement: Mapping[str, Any], labels: str) -> None:
    say(
        f"{what}, with {agreement['n_labels']} {labels} of {agreement['n_tracks']} tracks:"
        f" NMI {agreement['nmi']:.3f}, ARI {agreement['ari']:.3f},"
        f" purity {agreement['purity']:.3f}"
    )


def _group_clips(
    data: str,
    model: str | None,
    part: str | None,
    k: int | None,
    method: Method,
    *,
    as_json: bool,
) -> None:
    from contextlib import ExitStack
    from pathlib import Path

    from tonotope.cli.progress import counting, scanning
    from tonotope.training.evaluation.data import opened_data
    from tonotope.training.evaluation.groups import group_clips

    with ExitStack() as stack:
        with scanning() as show_scan:
            opened = stack.enter_context(opened_data(Path(data), show_scan))
        with counting("Hearing clips") as show:
            document = group_clips(
                opened, model=model, part=part, k=k, method=method, on_progress=show
            )
    if as_json:
        print_json(document)
        return
    say(
        f"{len(document['groups'])} groups of {document['n_tracks']} tracks of {document['data']},"
        f" part {document['part']}, by {document['method']} over the embedding of"
        f" {document['model']}"
    )
    _print_choice(document["choice"])
    say("")
    for group in document["groups"]:
        genres = ", ".join(f"{genre} {n}" for genre, n in group["genres"].items())
        say(f"{group['n_tracks']:5} tracks  {group['name']:<20} really {genres}")
    say("")
    _print_agreement("these groups", document["agreement"], "genres")
    _print_agreement("without the network", document["without_network"], "genres")
    for note in document["notes"]:
        say(note)
