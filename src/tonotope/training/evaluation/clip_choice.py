"""Which clips of a data set a model is judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonotope.errors import InputError
from tonotope.training.clips import PARTS, Clip
from tonotope.training.evaluation.evaluate import label_numbers
from tonotope.training.splits import make_splits

__all__ = ["Choice", "choose_clips", "keep_known"]

IndexArray = NDArray[np.intp]

_ALL = "all"
_OWN_SPLITS = ("official", "fault-filtered")


@dataclass(frozen=True, slots=True)
class Choice:
    """The clips that a model is judged by.

    Attributes
    ----------
    index
        Of the data set's clips, ascending.
    protocol
        How the data set was parted, in words for a report.
    part
        Which part they are: one of `PARTS` or ``"all"``.
    is_own
        Whether the parts are those that the clips carry.
    """

    index: IndexArray
    protocol: str
    part: str
    is_own: bool = False


def choose_clips(
    clips: Sequence[Clip], split: str | None = None, part: str | None = None, seed: int = 0
) -> Choice:
    """Choose the clips of a part.

    Parameters
    ----------
    clips
        Of the data set.
    split
        As for `tonotope.training.splits.make_splits`; by default the parts that the clips carry,
        if they carry any. Of several folds the parts of all are put together.
    part
        ``"train"``, ``"valid"``, ``"test"`` or ``"all"``; by default the test part, or else the
        validation part, or else all.
    seed
        Of the split.

    Raises
    ------
    InputError
        If there is no such split, or the part is empty.
    """
    is_own = split is None or split in _OWN_SPLITS
    if is_own:
        members = {
            name: np.array([k for k, clip in enumerate(clips) if clip.split == name], np.intp)
            for name in PARTS
        }
        protocol = split or "the data's own parts"
    elif split is not None:
        parted = make_splits(clips, split, seed)
        members = {
            name: np.unique(np.concatenate([one.parts[name] for one in parted])) for name in PARTS
        }
        protocol = split
    members = {name: index for name, index in members.items() if len(index)}
    if split in _OWN_SPLITS and not members:
        raise InputError(f"the clips carry no split '{split}'. Leave --split out to use them all.")
    if part is None:
        part = next((name for name in ("test", "valid") if name in members), _ALL)
    if part == _ALL:
        return Choice(np.arange(len(clips)), "all clips", _ALL)
    if part not in members:
        raise InputError(
            f"the clips have no part '{part}' (they have: {', '.join(members) or 'no parts'}). "
            "Use --part all, or name a --split."
        )
    return Choice(members[part], protocol, part, is_own)


def keep_known(
    clips: Sequence[Clip], index: IndexArray, labels: Sequence[str], model: str
) -> tuple[IndexArray, dict[str, int]]:
    """Leave out the clips whose genre a model does not know.

    Parameters
    ----------
    clips
        Of the data set.
    index
        Which are wanted.
    labels
        What the model knows; case does not matter.
    model
        What it is called.

    Returns
    -------
    index
        Of those that are left.
    left_out
        How many are left out, by genre; clips without one by the empty text.

    Raises
    ------
    InputError
        If none is left.
    """
    known = label_numbers(labels)
    kept = np.array([k for k in index if clips[k].genre.casefold() in known], dtype=np.intp)
    left_out = Counter(clips[k].genre for k in index if clips[k].genre.casefold() not in known)
    if not len(kept):
        genres = ", ".join(sorted(filter(None, left_out))) or "none at all"
        raise InputError(
            f"{model} knows none of the clips' genres ({genres}); it knows: {', '.join(labels)}. "
            "Name another --model."
        )
    return kept, dict(sorted(left_out.items()))
