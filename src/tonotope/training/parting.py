"""From clips to the splits of a run: what has no genre is left out, what leaks is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tonotope.errors import InputError, LeakError
from tonotope.training.cache import Cache
from tonotope.training.clips import Split
from tonotope.training.evaluation.provenance import overlap
from tonotope.training.leaks import refuse_leaks
from tonotope.training.splits import make_splits

__all__ = ["Source", "data_digest", "judged_part", "parted"]

_SAMPLED_ROWS = 64


@dataclass(frozen=True, slots=True)
class Source:
    """A model that a run builds on: its weights, or its embedding.

    Attributes
    ----------
    name
        What it is called.
    document
        Its card, which says what it was trained on.
    """

    name: str
    document: Mapping[str, Any]


def judged_part(split: Split) -> str:
    """Return which part a split is judged by: ``"test"``, ``"valid"``, or empty for none."""
    return next((part for part in ("test", "valid") if len(split.parts.get(part, ()))), "")


def parted(
    cache: Cache,
    hows: Sequence[str],
    seed: int,
    *,
    allow_leaks: bool,
    source: Source | None = None,
) -> list[Split]:
    """Return the splits of a run, none of which leaks, or which say what does.

    Parameters
    ----------
    cache
        The clips; those without a genre are in no part.
    hows
        Ways to split, see `tonotope.training.splits.make_splits`.
    seed
        Of the splits.
    allow_leaks
        Whether leaks are allowed.
    source
        A model that has been trained already: what it has heard cannot be judged by either.

    Raises
    ------
    InputError
        If there is no such way to split, or nothing to train on or, of several, to judge by.
    LeakError
        If there are leaks that are not allowed.
    """
    if not hows or len(set(hows)) < len(hows):
        raise InputError(
            f"--split {','.join(hows)}: name one way to split, or several that differ."
        )
    rows = np.array([k for k, clip in enumerate(cache.clips) if clip.genre], np.intp)
    clips = [cache.clips[row] for row in rows]
    if not clips:
        raise InputError(f"no clip of '{cache.folder}' has a genre. Give them one in clips.csv.")
    splits = []
    for how in hows:
        for split in make_splits(clips, how, seed):
            parts = {part: rows[index] for part, index in split.parts.items()}
            whole = replace(split, parts=parts)
            checked = refuse_leaks(cache.clips, whole, mel=cache.mel, allow=allow_leaks)
            splits.append(_with_source(cache, checked, source, allow=allow_leaks))
    for split in splits:
        if not len(split.parts.get("train", ())):
            raise InputError(f"split '{split.name}' has no training part. Choose another --split.")
        if len(splits) > 1 and not judged_part(split):
            raise InputError(
                f"split '{split.name}' has neither a test nor a validation part to judge by. "
                "Choose another --split."
            )
    return splits


def _with_source(cache: Cache, split: Split, source: Source | None, *, allow: bool) -> Split:
    if source is None:
        return split
    judged = [cache.clips[row] for part in ("valid", "test") for row in split.parts.get(part, ())]
    lines = [f"{source.name}: {line}" for line in overlap(source.document, judged)]
    if lines and not allow:
        raise LeakError(
            f"split '{split.name}' would be judged by what {source.name} was trained on "
            f"({len(lines)} leaks): {'; '.join(lines[:3])}. Build on another model, or "
            "--allow-leaks, which marks the result as leaky."
        )
    return replace(split, leaks=(*split.leaks, *lines))


def data_digest(cache: Cache) -> str:
    """Return what tells these clips from others: 16 hexadecimal digits.

    Of all names, labels and parts, and of the spectrograms of 64 clips.
    """
    digest = hashlib.sha256(repr(cache.mel.shape).encode())
    for clip in cache.clips:
        told = (clip.name, clip.genre, clip.split, clip.artist, clip.recording)
        digest.update("\0".join(told).encode("utf-8", "surrogateescape") + b"\n")
    n_clips = len(cache.clips)
    for row in np.unique(np.linspace(0, n_clips - 1, min(n_clips, _SAMPLED_ROWS)).astype(int)):
        digest.update(np.ascontiguousarray(cache.mel[row]).tobytes())
    return digest.hexdigest()[:16]
