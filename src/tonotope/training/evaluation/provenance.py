"""What a model was trained on, as its card remembers it, and whether clips are among that.

A card's table ``trained_on`` lists fingerprints of the clips' names, artists and recordings, not
the names themselves: a model may be passed on without a list of somebody's music, and whoever has
the clips can still ask.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from tonotope.errors import ModelError
from tonotope.training.clips import Clip
from tonotope.training.splits import artist_key

__all__ = ["KINDS", "fingerprint", "knows_its_training", "overlap", "provenance"]

KINDS = ("clip", "recording", "artist")
"""What clips can share with a model's training; a card's lists have the plurals."""

_TABLE = "trained_on"
_N_HEX_DIGITS = 16


def fingerprint(kind: str, value: str) -> str:
    """Return what stands for a name in a card: 16 hexadecimal digits of its SHA-256.

    Parameters
    ----------
    kind
        ``"clip"``, ``"artist"`` or ``"recording"``: one name has a fingerprint as each.
    value
        The name.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
    text = f"{kind}\0{value}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:_N_HEX_DIGITS]


def provenance(clips: Sequence[Clip]) -> dict[str, list[str]]:
    """Return a card's table ``trained_on`` for a model that learned from these clips.

    Returns
    -------
    dict
        ``"clips"``, ``"artists"`` and ``"recordings"``: sorted fingerprints, each once.
    """
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for clip in clips:
        for kind, value in _names(clip).items():
            found[kind].add(fingerprint(kind, value))
    return {f"{kind}s": sorted(prints) for kind, prints in found.items()}


def knows_its_training(document: Mapping[str, Any]) -> bool:
    """Return whether a card says what its model was trained on."""
    return _TABLE in document


def overlap(document: Mapping[str, Any], clips: Sequence[Clip]) -> list[str]:
    """Return what clips share with a model's training, a line each; empty if nothing.

    Also empty where the card does not say what the model was trained on: see
    `knows_its_training`.

    Parameters
    ----------
    document
        Everything that the card says.
    clips
        What the model is to be evaluated on.

    Returns
    -------
    list of str
        One line per shared name, in the order of the clips: the clip itself before its recording
        before its artist.

    Raises
    ------
    ModelError
        If the card's table is malformed.
    """
    trained_on = _trained_on(document)
    shared: dict[tuple[str, str], list[str]] = {}
    for clip in clips:
        names = _names(clip)
        for kind in KINDS:
            if kind in names and fingerprint(kind, names[kind]) in trained_on[kind]:
                shared.setdefault((kind, names[kind]), []).append(clip.name)
                break
    return [_line(kind, value, names) for (kind, value), names in shared.items()]


def _names(clip: Clip) -> dict[str, str]:
    names = {"clip": clip.name, "artist": artist_key(clip), "recording": clip.recording}
    return {kind: value for kind, value in names.items() if value}


def _line(kind: str, value: str, clips: list[str]) -> str:
    if kind == "clip":
        return f"clip '{value}' was trained on"
    others = f" and {len(clips) - 1} more" if len(clips) > 1 else ""
    return f"{kind} '{value}' was trained on: clip '{clips[0]}'{others}"


def _trained_on(document: Mapping[str, Any]) -> dict[str, set[str]]:
    table = document.get(_TABLE, {})
    lists = {kind: table.get(f"{kind}s", []) if isinstance(table, dict) else None for kind in KINDS}
    for kind, prints in lists.items():
        if not isinstance(prints, list) or not all(isinstance(p, str) for p in prints):
            raise ModelError(
                f"the model card's [{_TABLE}] is malformed: {kind}s is no list of texts. "
                "Train the model anew, or remove the table."
            )
    return {kind: set(prints or ()) for kind, prints in lists.items()}
