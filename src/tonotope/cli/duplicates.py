"""``tonotope duplicates``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from tonotope.cli.options import JsonOption, LibraryOption
from tonotope.cli.output import counted, duration, print_json, say, track_document
from tonotope.errors import InputError

if TYPE_CHECKING:
    from tonotope.discovery.duplicates import DuplicatePair, Kind, Stretch
    from tonotope.library.fingerprints import Copy
    from tonotope.session.duplicates import DuplicateGroup, Duplicates, MergedTrack

__all__ = ["duplicates"]

_KIND_OF: dict[str, Kind] = {
    "same": "same recording",
    "remaster": "remaster",
    "edit": "edit",
    "version": "version",
}
_HEADINGS: dict[Kind, str] = {
    "same recording": "One recording in several encodings",
    "remaster": "One recording, remastered",
    "edit": "One recording, cut",
    "version": "Perhaps versions of one piece",
}


def duplicates(
    *,
    kind: Annotated[
        tuple[Literal["same", "remaster", "edit", "version"], ...], Parameter(negative="")
    ] = (),
    merge: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, negative="")] = None,
    undo: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, negative="")] = None,
    merged: Annotated[bool, Parameter(negative="")] = False,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Show which tracks may be one recording, and why; merge those you say.

    Nothing is merged, moved or deleted by itself.

    Parameters
    ----------
    kind
        Only these: another encoding (same), another master (remaster), a cut (edit), or a live
        take or a cover (version). Can be given several times.
    merge
        Two tracks or more, files or ids: the first stands for the others in all answers from now
        on. No file is touched.
    undo
        Tracks that were merged: they stand for themselves again.
    merged
        Show what was merged.
    """
    from tonotope.session import Library

    if merge == () or undo == ():  # perhaps a list that came out empty; answering would look done
        raise InputError(f"{'--undo' if merge is None else '--merge'} names no track. Name some.")
    if sum(map(bool, (kind, merge, undo, merged))) > 1:
        raise InputError("--kind, --merge, --undo and --merged exclude each other. Give one.")
    with Library(library) as opened:
        if merge:
            _report(opened.merge(merge[0], merge[1:]), "Merged", as_json=json)
        elif undo:
            _report(opened.undo_merges(undo), "No longer merged", as_json=json)
        elif merged:
            _report(opened.merged(), "Merged", as_json=json)
        else:
            from tonotope.cli.progress import counting

            kinds = [_KIND_OF[name] for name in kind] if kind else None
            with counting("Comparing") as on_progress:
                found = opened.duplicates(kinds, on_progress)
            if json:
                print_json(_document(found))
            else:
                _print(found)


def _report(found: Sequence[MergedTrack], what: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"merged": [_merge_document(one) for one in found]})
        return
    for one in found:
        name = one.merge.audio_id[:8] if one.track is None else one.track.name
        kept = one.merge.kept_audio_id[:8] if one.kept is None else one.kept.name
        say(f"{what}: {name}  ->  {kept}")
        say(f"        {_path(one)}  ({one.merge.audio_id[:8]}, {one.merge.merged_at})")
    if not found:
        say("Nothing was merged.")


def _path(one: MergedTrack) -> str:
    return "no file any more" if one.track is None else one.track.path


def _merge_document(one: MergedTrack) -> dict[str, Any]:
    return {
        "audio_id": one.merge.audio_id,
        "path": None if one.track is None else one.track.path,
        "kept_audio_id": one.merge.kept_audio_id,
        "kept_path": None if one.kept is None else one.kept.path,
        "merged_at": one.merge.merged_at,
    }


def _document(found: Duplicates) -> dict[str, Any]:
    return {
        "tracks": found.n_tracks,
        "out_of_date": found.n_out_of_date,
        "groups": [
            {
                "kind": group.kind,
                "tracks": [_copy_document(copy) for copy in group.copies],
                "pairs": [_pair_document(group, pair) for pair in group.pairs],
            }
            for group in found.groups
        ],
    }


def _copy_document(copy: Copy) -> dict[str, Any]:
    encoding = {"codec": copy.codec, "bit_rate_bps": copy.bit_rate_bps}
    return track_document(copy.track) | encoding


def _pair_document(group: DuplicateGroup, pair: DuplicatePair) -> dict[str, Any]:
    return {
        "a": group.copies[pair.a].track.audio_id,
        "b": group.copies[pair.b].track.audio_id,
        "kind": pair.kind,
        "bit_error_rate": _rounded(pair.bit_error_rate, 4),
        "level_db": _rounded(pair.level_db, 2),
        "spectrum_db": _rounded(pair.spectrum_db, 2),
        "agreement": _rounded(pair.agreement, 3),
        "transposition": pair.transposition,
        "shared_s": round(pair.shared_s, 1),
        "stretches": [
            {
                "a_s": [round(stretch.start_a_s, 1), round(stretch.end_a_s, 1)],
                "b_s": [round(stretch.start_b_s, 1), round(stretch.end_b_s, 1)],
            }
            for stretch in pair.stretches
        ],
    }


def _rounded(number: float | None, digits: int) -> float | None:
    return None if number is None else round(number, digits)


def _print(found: Duplicates) -> None:
    for group in found.groups:
        say(f"{_HEADINGS[group.kind]}:")
        for place, copy in enumerate(group.copies):
            track = copy.track
            say(f"  {place + 1}  {track.name}  ({duration(track.duration_s)}, {_encoding(copy)})")
            say(f"     {track.audio_id[:8]}  {track.path}")
        for pair in _joining(group):
            say(f"     {pair.a + 1} and {pair.b + 1}: {_evidence(pair)}")
        say("")
    if not found.n_tracks and found.n_out_of_date:
        say("Nothing to compare yet: scan again.")
        return
    n_alike = len(found.groups)
    say(
        f"{n_alike or 'No'} group{'s' * (n_alike != 1)} among {counted(found.n_tracks, 'track')}."
        + " To merge: tonotope duplicates --merge KEPT OTHER" * bool(n_alike)
    )
    if found.n_out_of_date:
        say(f"{counted(found.n_out_of_date, 'track')} may be missing: scan again.")


def _joining(group: DuplicateGroup) -> list[DuplicatePair]:
    """Return for each track but the first the evidence that joins it to the best before it.

    Where it is joined to none of these, all of its evidence.
    """
    to_first: dict[int, DuplicatePair] = {}
    for pair in group.pairs:
        to_first.setdefault(pair.b, pair)
    joined = list(to_first.values())
    n_joined = len(group.copies) - 1
    return joined if len(joined) == n_joined else group.pairs


def _encoding(copy: Copy) -> str:
    if copy.bit_rate_bps is None:
        return copy.codec
    return f"{copy.codec} {copy.bit_rate_bps / 1000:.0f} kbit/s"


def _evidence(pair: DuplicatePair) -> str:
    if pair.kind == "version":
        assert pair.agreement is not None
        words = [f"their harmony agrees over {pair.agreement:.0%} of the shorter one"]
        if pair.transposition:
            words.append(f"{pair.transposition:+d} semitones")
        return ", ".join([*words, *map(_times, pair.stretches)])
    assert pair.bit_error_rate is not None
    words = [f"{pair.kind}: {1 - pair.bit_error_rate:.1%} of the fingerprint's bits agree"]
    if pair.kind == "edit":
        words[0] += f" over {duration(pair.shared_s)}"
        return ", ".join([*words, *map(_times, pair.stretches)])
    assert pair.level_db is not None
    assert pair.spectrum_db is not None
    return f"{words[0]}, level {pair.level_db:+.1f} dB, spectrum {pair.spectrum_db:.1f} dB apart"


def _times(stretch: Stretch) -> str:
    first, second = (
        f"{duration(start)} to {duration(end)}"
        for start, end in (
            (stretch.start_a_s, stretch.end_a_s),
            (stretch.start_b_s, stretch.end_b_s),
        )
    )
    return f"{first} is {second}"
