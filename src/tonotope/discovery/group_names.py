"""What sets groups of tracks apart, in words: their names and profiles.

A group is compared with the rest of the library, trait by trait. How far they differ is Cliff's
delta (Cliff 1993, "Dominance statistics"): how much more often a track of the group has more of it
than one of the rest, than less; -1 to 1, whatever the scale and however wild single numbers are.
From 0.33 on (a medium effect by Romano et al. 2006) a trait gives the group a word, if the word is
also true by itself: nothing at 90 BPM is called fast because the rest is slower.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

__all__ = [
    "TRAITS",
    "Describable",
    "GroupProfile",
    "Measured",
    "Share",
    "Trait",
    "cliffs_delta",
    "name_groups",
    "profile_groups",
]

FloatArray = NDArray[np.float64]

_LEAST_DELTA = 0.33
_N_ADJECTIVES = 2
# A genre that is heard names a group from this mean probability on, a tag from this share and
# number of tracks on, if the rest has so much less of it; a second one goes along if there is
# nearly as much of it.
_LEAST_HEARD = 0.2
_LEAST_TAGGED = 0.5
_FEWEST_OF_TAG = 2
_LEAST_MORE = 0.15
_NEARLY = 0.75
_N_GENRES = 3
# Tags that say nothing of the sound.
_EMPTY_TAGS = frozenset({"", "other", "unknown", "none", "misc", "miscellaneous", "various"})


@dataclass(frozen=True, slots=True)
class Trait:
    """Something that is measured of a track, and what is said of little and of much of it.

    Attributes
    ----------
    column
        Of the table ``tonotope``.
    aspect
        What it is of; a name says one thing of each aspect.
    low, high
        The words.
    low_below, high_above
        Where the words begin to be true by themselves, for the median of a group.
    label, unit
        How it is shown, with its unit.
    digits
        After the decimal point.
    is_share
        Whether a track has 0 or 1, so that a group has a share of them and not a median.
    """

    column: str
    aspect: str
    low: str
    high: str
    low_below: float
    high_above: float
    label: str
    unit: str = ""
    digits: int = 0
    is_share: bool = False


TRAITS: tuple[Trait, ...] = (
    Trait("tempo_bpm", "tempo", "slow", "fast", 110, 110, "tempo", "BPM"),
    Trait(
        "integrated_loudness_lufs", "level", "quiet", "loud", -18, -16, "loudness", "LUFS", 1
    ),
    Trait("loudness_range_lu", "dynamics", "even", "dynamic", 5, 6, "loudness range", "LU", 1),
    Trait(
        "spectral_centroid_hz_mean", "brightness", "dark", "bright", 1600, 1500, "brightness", "Hz"
    ),
    Trait("spectral_flatness_mean", "texture", "clear", "noisy", 0.02, 0.01, "noisiness", "", 3),
    Trait(
        "fluctuation_bass_share", "bass", "light", "bass-heavy", 0.1, 0.08, "beat in the bass",
        "", 2,
    ),
    Trait("onsets_per_minute", "density", "sparse", "busy", 180, 150, "onsets", "a minute"),
    Trait("pulse_clarity", "pulse", "flowing", "rhythmic", 0.4, 0.3, "pulse clarity", "", 2),
    Trait("onset_strength_db_mean", "attack", "soft", "punchy", 1.5, 1, "attack", "dB", 2),
    Trait("key_is_major", "mode", "minor", "major", 0.5, 0.5, "share in major", "", 2, True),
)  # fmt: skip
"""What groups are described by, in the order in which their words stand in a name."""


@dataclass(frozen=True, slots=True, eq=False)
class Describable:
    """What names are made of, a row per track.

    Attributes
    ----------
    numbers
        The columns of `TRAITS`, shape (n_tracks, n_traits); NaN where there is no answer.
    genre_probabilities
        As heard, shape (n_tracks, n_genres); n_genres may be 0.
    genres
        Their names.
    tags
        The genres that each track is tagged with, in lower case; none where it is not tagged.
    """

    numbers: FloatArray
    genre_probabilities: FloatArray
    genres: tuple[str, ...]
    tags: Sequence[frozenset[str]]


@dataclass(frozen=True, slots=True)
class Measured:
    """A trait of a group.

    Attributes
    ----------
    trait
        Which.
    median, rest
        Of the group and of the rest (of what is yes or no, the mean); NaN where unknown.
    delta
        How far they differ, -1 to 1; NaN where unknown.
    word
        What that is called, None where it does not differ enough.
    """

    trait: Trait
    median: float
    rest: float
    delta: float
    word: str | None


@dataclass(frozen=True, slots=True)
class Share:
    """A genre in a group: how much of it, 0 to 1, there and in the rest."""

    name: str
    share: float
    rest: float


@dataclass(frozen=True, slots=True)
class GroupProfile:
    """What a group sounds like.

    Attributes
    ----------
    traits
        In the order of `TRAITS`.
    heard
        The genres with the highest mean probability, at most three.
    tagged
        The genres that most of the tagged tracks are tagged with, at most three; their shares are
        of the tagged tracks.
    n_tagged
        How many tracks are tagged.
    noun
        The genre that sets the group apart, as tagged or else as heard, or two of much the same
        weight, "pop/hiphop"; None if none does.
    """

    traits: tuple[Measured, ...]
    heard: tuple[Share, ...]
    tagged: tuple[Share, ...]
    n_tagged: int
    noun: str | None


def cliffs_delta(values: FloatArray, inside: NDArray[np.bool_]) -> float:
    """Return how far values inside a group dominate those outside, -1 to 1.

    The share of pairs (one inside, one outside) in which the first is greater, less the share in
    which it is less. NaN where either side has no value.

    Parameters
    ----------
    values
        Shape (n_tracks,); NaN is no value.
    inside
        Shape (n_tracks,).
    """
    return _delta_of_ranks(_ranks(values), inside)


def _ranks(values: FloatArray) -> FloatArray:
    ranks: FloatArray = rankdata(values, nan_policy="omit")
    return ranks


def _delta_of_ranks(ranks: FloatArray, inside: NDArray[np.bool_]) -> float:
    known = ~np.isnan(ranks)
    n_inside = int((known & inside).sum())
    n_outside = int(known.sum()) - n_inside
    if not n_inside or not n_outside:
        return float("nan")
    mean_rank = ranks[known & inside].mean()
    return float(2 * (mean_rank - (n_inside + 1) / 2) / n_outside - 1)


def profile_groups(tracks: Describable, labels: NDArray[np.intp]) -> list[GroupProfile]:
    """Return the profile of each group.

    Parameters
    ----------
    tracks
        The whole library's.
    labels
        The group of each track, shape (n_tracks,): 0, 1, ..., or -1 for none.
    """
    n_groups = int(labels.max(initial=-1)) + 1
    ranks = [_ranks(column) for column in tracks.numbers.T]
    counts = [_TagCounts() for _ in range(n_groups + 1)]  # the last is of what is in no group
    for tags, label in zip(tracks.tags, labels.tolist(), strict=True):
        counts[label].add(tags)
    every = _TagCounts()
    for of_group in counts:
        every.n_tagged += of_group.n_tagged
        every.words += of_group.words
    profiles = []
    for k in range(n_groups):
        inside = labels == k
        traits = tuple(
            _measured(trait, values, of_trait, inside)
            for trait, values, of_trait in zip(TRAITS, tracks.numbers.T, ranks, strict=True)
        )
        heard, tagged = _heard(tracks, inside), counts[k].shares(every)
        n_tagged = counts[k].n_tagged
        noun = None
        if 2 * n_tagged >= inside.sum():
            noun = _setting_apart(tagged, max(_LEAST_TAGGED, _FEWEST_OF_TAG / max(1, n_tagged)))
        noun = noun or _setting_apart(heard, _LEAST_HEARD)
        profiles.append(GroupProfile(traits, heard[:_N_GENRES], tagged[:_N_GENRES], n_tagged, noun))
    return profiles


def name_groups(profiles: Sequence[GroupProfile], *, taken: Sequence[str] = ()) -> list[str]:
    """Return a name for each group, no two the same: "fast, bright, chiptune".

    Up to two words for the traits by which it differs most and one for its genre; three for traits
    where no genre sets it apart. Where two groups would be called the same, the later takes its
    next trait along, and at last a number.

    Parameters
    ----------
    profiles
        The first has first choice.
    taken
        Names that are given away already.
    """
    names: list[str] = []
    for profile in profiles:
        used = {*taken, *names}
        names.append(next(name for name in _candidates(profile) if name not in used))
    return names


def _candidates(profile: GroupProfile) -> Iterator[str]:
    """Give ever longer names, and then numbered ones without end."""
    nouns = [] if profile.noun is None else [profile.noun]
    adjectives = _adjectives(profile)
    shortest = _N_ADJECTIVES if nouns else _N_ADJECTIVES + 1
    for n_words in range(shortest, max(shortest, len(adjectives)) + 1):
        yield _name(adjectives[:n_words], nouns)
    first = _name(adjectives[:shortest], nouns)
    number = 1
    while True:
        number += 1
        yield f"{first} {number}"


def _name(adjectives: Sequence[Measured], nouns: Sequence[str]) -> str:
    in_order = sorted(adjectives, key=lambda measured: TRAITS.index(measured.trait))
    words = [measured.word for measured in in_order if measured.word is not None]
    return ", ".join([*words, *nouns]) or "mixed"


def _adjectives(profile: GroupProfile) -> list[Measured]:
    """Return the traits that have a word, the strongest first."""
    worded = [measured for measured in profile.traits if measured.word is not None]
    return sorted(worded, key=lambda measured: -abs(measured.delta))


def _measured(
    trait: Trait, values: FloatArray, ranks: FloatArray, inside: NDArray[np.bool_]
) -> Measured:
    delta = _delta_of_ranks(ranks, inside)
    known = ~np.isnan(values)
    typical = np.mean if trait.is_share else np.median
    median, rest = (
        float(typical(values[side])) if side.any() else float("nan")
        for side in (known & inside, known & ~inside)
    )
    word = None
    if delta >= _LEAST_DELTA and median >= trait.high_above:
        word = trait.high
    elif delta <= -_LEAST_DELTA and median <= trait.low_below:
        word = trait.low
    return Measured(trait, median, rest, delta, word)


def _heard(tracks: Describable, inside: NDArray[np.bool_]) -> tuple[Share, ...]:
    """Return the mean probability of each genre in the group, the highest first."""
    if not tracks.genres or not inside.any():
        return ()
    share = tracks.genre_probabilities[inside].mean(axis=0)
    rest = tracks.genre_probabilities[~inside]
    others = rest.mean(axis=0) if len(rest) else np.zeros(len(tracks.genres))
    return tuple(
        Share(tracks.genres[k], float(share[k]), float(others[k]))
        for k in np.argsort(-share, kind="stable")
    )


class _TagCounts:
    """How many tracks are tagged, and how many with each word."""

    def __init__(self) -> None:
        self.n_tagged = 0
        self.words: Counter[str] = Counter()

    def add(self, tags: frozenset[str]) -> None:
        words = tags - _EMPTY_TAGS
        self.n_tagged += bool(words)
        self.words.update(words)

    def shares(self, every: _TagCounts) -> tuple[Share, ...]:
        """Return the share of each word among the tagged tracks, the commonest first.

        `every` counts all tracks, these among them.
        """
        n_others = max(1, every.n_tagged - self.n_tagged)
        shares = [
            Share(word, count / self.n_tagged, (every.words[word] - count) / n_others)
            for word, count in self.words.items()
        ]
        return tuple(sorted(shares, key=lambda share: (-share.share, share.name)))


def _setting_apart(shares: Sequence[Share], least: float) -> str | None:
    """Return the genre of which a group has most, among those of which the rest has much less."""
    fitting = [s for s in shares if s.share >= least and s.share - s.rest >= _LEAST_MORE]
    if not fitting:
        return None
    first, *others = sorted(fitting, key=lambda s: -s.share)
    nearly = [s.name for s in others[:1] if s.share >= _NEARLY * first.share]
    return "/".join([first.name, *nearly])
