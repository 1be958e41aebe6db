"""Ways to part clips into training, validation and test: a model is judged on what it never heard.

=================  ==================================================================
``official``       the data set's own parts (``fault-filtered`` is GTZAN's name for its)
``random``         80, 10 and 10 % of each genre; artists are on all sides
``kfold:K``        K folds with the same share of each genre; artists are on all sides
``artist:K``       K folds; all clips of an artist are in one of them
``recording:K``    K folds; all clips of a recording are in one of them
=================  ==================================================================

Of K folds, the test part is one, the validation part the next, and the rest is for training.

References
----------
B. L. Sturm, "The GTZAN dataset: its contents, its faults, their effects on evaluation, and its
future use", arXiv:1306.1461, 2013. A. Flexer, "A closer look on artist filters for musical genre
classification", ISMIR 2007: why an artist belongs on one side.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tonotope.errors import InputError
from tonotope.training.clips import PARTS, Clip, Split, labels_of, track_of

__all__ = ["artist_key", "make_splits"]

IndexArray = NDArray[np.intp]

_HOW = "official, fault-filtered, random, kfold:K, artist:K, recording:K (such as artist:5)"
_RANDOM_FOLDS = 10
_FEWEST_FOLDS = 3  # one to test, one to validate, one to train


def make_splits(clips: Sequence[Clip], how: str, seed: int) -> list[Split]:
    """Part clips.

    Parameters
    ----------
    clips
        What is parted.
    how
        ``"official"``, ``"fault-filtered"``, ``"random"``, ``"kfold:K"``, ``"artist:K"`` or
        ``"recording:K"``, K being 3 or more. Clips of unknown artist are artists of their own,
        clips of unknown recording are recordings of their own.
    seed
        The same seed gives the same parts; the official ones have none.

    Returns
    -------
    list of Split
        One, or one for each fold. The indices of a part ascend.

    Raises
    ------
    InputError
        If there is no such way, or the clips cannot be parted in it.
    """
    kind, _, number = how.partition(":")
    if kind in ("official", "fault-filtered") and not number:
        return [_official(clips, how)]
    rng = np.random.default_rng(seed)
    if kind == "random" and not number:
        fold_of = _stratified(clips, _RANDOM_FOLDS, rng)
        return [Split("random", _parts(fold_of, 0, _RANDOM_FOLDS))]
    if kind not in _FOLDS or not number:
        raise InputError(f"no split is called {how!r}. There are: {_HOW}.")
    n_folds = _n_folds(how, number)
    fold_of = _FOLDS[kind](clips, n_folds, rng)
    return [
        Split(f"{how}, fold {k + 1} of {n_folds}", _parts(fold_of, k, n_folds))
        for k in range(n_folds)
    ]


def artist_key(clip: Clip) -> str:
    """Return what all clips of an artist share; empty where the artist is unknown.

    Case and spaces do not count. Everything else does: "The Band" and "Band" may be two, and
    where they are one, `tonotope.training.leaks` still compares what is heard.
    """
    return " ".join(clip.artist.casefold().split())


def _official(clips: Sequence[Clip], how: str) -> Split:
    if not any(clip.split in PARTS for clip in clips):
        raise InputError(
            f"these clips have no {how} split. Use --split artist:5, or --split kfold:10 where "
            "artists are unknown."
        )
    return Split(
        how,
        {
            part: np.array([k for k, clip in enumerate(clips) if clip.split == part], np.intp)
            for part in PARTS
        },
    )


def _n_folds(how: str, number: str) -> int:
    # Not what int() takes besides digits: "1_0", " 5".
    if not (number.isascii() and number.isdigit()) or int(number) < _FEWEST_FOLDS:
        raise InputError(
            f"cannot make {number!r} folds in split {how!r}. Use {_FEWEST_FOLDS} or more: one "
            "to test, one to validate, the rest to train."
        )
    return int(number)


def _parts(fold_of: IndexArray, k: int, n_folds: int) -> dict[str, IndexArray]:
    is_test, is_valid = fold_of == k, fold_of == (k + 1) % n_folds
    masks = {"train": ~(is_test | is_valid), "valid": is_valid, "test": is_test}
    return {part: np.flatnonzero(mask) for part, mask in masks.items()}


def _stratified(clips: Sequence[Clip], n_folds: int, rng: np.random.Generator) -> IndexArray:
    """Deal the clips of each genre out in turn, going on where the genre before ended.

    So no fold has more than one clip more than another, of a genre or in all.
    """
    _refuse_too_few("clips", len(clips), n_folds)
    genres = np.array([clip.genre for clip in clips])
    shuffled = rng.permutation(len(clips))
    dealt = shuffled[np.argsort(genres[shuffled], kind="stable")]
    fold_of = np.empty(len(clips), np.intp)
    fold_of[dealt] = np.arange(len(clips)) % n_folds
    return fold_of


def _grouped(
    clips: Sequence[Clip], groups: Sequence[str], what: str, n_folds: int, rng: np.random.Generator
) -> IndexArray:
    """Put whole groups into folds, the largest first, each where its genres are rarest so far.

    Which fold that is: where the sum over genres of the squared share that the fold has of all
    clips of the genre grows least; among equals the smallest fold, so that none stays empty.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    _refuse_too_few(what, len(members), n_folds)
    labels = {label: k for k, label in enumerate(["", *labels_of(clips)])}
    genre_sizes = Counter(clip.genre for clip in clips)
    sizes = np.array([max(1, genre_sizes[label]) for label in labels])
    counts = np.zeros((n_folds, len(labels)))
    fold_of = np.empty(len(clips), np.intp)
    names = list(members)
    shuffled = [names[k] for k in rng.permutation(len(names))]
    for name in sorted(shuffled, key=lambda name: -len(members[name])):
        added = np.zeros(len(labels))
        for index in members[name]:
            added[labels[clips[index].genre]] += 1
        growth = ((2 * counts * added + added**2) / sizes**2).sum(axis=1)
        fold = int(np.lexsort((counts.sum(axis=1), growth.round(12)))[0])
        counts[fold] += added
        fold_of[members[name]] = fold
    return fold_of


def _by_artist(clips: Sequence[Clip], n_folds: int, rng: np.random.Generator) -> IndexArray:
    # The windows of one track stay together where its artist is unknown, too.
    groups = [artist_key(clip) or f"\0{track_of(clip)}" for clip in clips]
    return _grouped(clips, groups, "artists", n_folds, rng)


def _by_recording(clips: Sequence[Clip], n_folds: int, rng: np.random.Generator) -> IndexArray:
    groups = [track_of(clip) for clip in clips]
    return _grouped(clips, groups, "recordings", n_folds, rng)


def _refuse_too_few(what: str, number: int, n_folds: int) -> None:
    if number < n_folds:
        raise InputError(
            f"cannot make {n_folds} folds of {number} {what}. Use fewer folds or another --split."
        )


_FOLDS: dict[str, Callable[[Sequence[Clip], int, np.random.Generator], IndexArray]] = {
    "kfold": _stratified,
    "artist": _by_artist,
    "recording": _by_recording,
}
