"""Ways to part clips: what holds for each, whatever the clips."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.errors import InputError
from tonotope.training.clips import PARTS, Clip, Split, track_of
from tonotope.training.splits import artist_key, make_splits

KINDS = ("random", "kfold:4", "artist:4", "recording:4")


@st.composite
def clip_lists(draw: st.DrawFn) -> list[Clip]:
    """Return clips of a few genres, artists and recordings, some of them unknown."""
    kinds = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["rock", "jazz", "pop", ""]),
                st.sampled_from(["", "", "Nina", "nina ", "Miles", "Ella", "Bob", "The Bob"]),
                st.sampled_from(["", "", "r1", "r2", "r3", "r4"]),
            ),
            min_size=1,
            max_size=60,
        )
    )
    # Enough unknown artists that four folds can be made.
    kinds += [("rock", "", "")] * 10
    return [
        Clip(name=f"clip {k}", genre=genre, artist=artist, recording=recording)
        for k, (genre, artist, recording) in enumerate(kinds)
    ]


def sides(split: Split, keys: list[str]) -> dict[str, set[str]]:
    """Return on which sides each key is."""
    found: dict[str, set[str]] = defaultdict(set)
    for part, indices in split.parts.items():
        for index in indices:
            found[keys[index]].add(part)
    return found


def as_lists(splits: list[Split]) -> list[tuple[str, dict[str, list[int]]]]:
    return [(s.name, {part: of.tolist() for part, of in s.parts.items()}) for s in splits]


@given(clips=clip_lists(), how=st.sampled_from(KINDS), seed=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_every_clip_is_in_one_part_of_each_split_and_tested_once(clips, how, seed) -> None:
    splits = make_splits(clips, how, seed)
    tested: Counter[int] = Counter()
    for split in splits:
        assert tuple(split.parts) == PARTS
        indices = np.concatenate([split.parts[part] for part in PARTS])
        assert sorted(indices) == list(range(len(clips)))
        assert all(len(split.parts[part]) for part in PARTS)
        assert all((np.diff(split.parts[part]) > 0).all() for part in PARTS)
        assert not split.is_leaky
        tested.update(split.parts["test"].tolist())
    if how != "random":
        assert len(splits) == 4
        assert tested == Counter(range(len(clips)))
        for split, following in zip(splits, [*splits[1:], splits[0]], strict=True):
            np.testing.assert_array_equal(split.parts["valid"], following.parts["test"])


@given(clips=clip_lists(), how=st.sampled_from(KINDS), seed=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_the_same_seed_gives_the_same_parts(clips, how, seed) -> None:
    first = make_splits(clips, how, seed)
    assert as_lists(first) == as_lists(make_splits(clips, how, seed))


@pytest.mark.parametrize("how", KINDS)
def test_another_seed_gives_other_parts(how: str) -> None:
    clips = [Clip(f"{k}", "rock" if k % 3 else "jazz", artist=f"{k // 2}") for k in range(120)]
    assert as_lists(make_splits(clips, how, 1)) != as_lists(make_splits(clips, how, 2))


@given(clips=clip_lists(), seed=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_no_artist_and_no_recording_is_on_two_sides(clips, seed) -> None:
    for split in make_splits(clips, "artist:4", seed):
        found = sides(split, [artist_key(clip) for clip in clips])
        found.pop("", None)
        assert all(len(of) == 1 for of in found.values())
    for split in make_splits(clips, "recording:4", seed):
        assert all(len(of) == 1 for of in sides(split, [track_of(c) for c in clips]).values())


@given(clips=clip_lists(), seed=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_folds_have_the_same_share_of_each_genre(clips, seed) -> None:
    folds = [split.parts["test"] for split in make_splits(clips, "kfold:5", seed)]
    for genre in {clip.genre for clip in clips}:
        counts = [sum(clips[k].genre == genre for k in fold) for fold in folds]
        assert max(counts) - min(counts) <= 1
    assert max(map(len, folds)) - min(map(len, folds)) <= 1


def test_random_parts_have_their_shares_of_each_genre() -> None:
    clips = [Clip(f"{k}", ("blues", "jazz", "rock")[k % 3]) for k in range(300)]
    (split,) = make_splits(clips, "random", 3)
    for part, share in zip(PARTS, (0.8, 0.1, 0.1), strict=True):
        counts = Counter(clips[k].genre for k in split.parts[part])
        assert counts == dict.fromkeys(("blues", "jazz", "rock"), 100 * share)


def test_artists_are_parted_so_that_genres_are_level() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, 200)
    clips = [
        Clip(f"{artist} {k}", f"genre {artist % 5}", artist=f"artist {artist}")
        for artist, size in enumerate(sizes)
        for k in range(size)
    ]
    totals = Counter(clip.genre for clip in clips)
    for split in make_splits(clips, "artist:5", 0):
        counts = Counter(clips[k].genre for k in split.parts["test"])
        for genre, total in totals.items():
            assert counts[genre] / total == pytest.approx(0.2, abs=0.02)


def test_windows_of_a_track_of_unknown_artist_stay_together() -> None:
    clips = [Clip(f"{k}#{w}", "rock", recording=f"{k}") for k in range(12) for w in range(3)]
    for split in make_splits(clips, "artist:4", 0):
        assert all(len(of) == 1 for of in sides(split, [c.recording for c in clips]).values())


def test_case_and_spaces_make_no_other_artist() -> None:
    assert artist_key(Clip("a", "g", artist=" Bob  DYLAN ")) == "bob dylan"
    assert artist_key(Clip("a", "g", artist="The Band")) != artist_key(
        Clip("b", "g", artist="Band")
    )


@pytest.mark.parametrize("how", ["official", "fault-filtered"])
def test_the_official_parts_are_the_clips_own(how: str) -> None:
    parts = ["train", "", "test", "valid", "train"]
    clips = [Clip(f"{k}", "rock", split=part) for k, part in enumerate(parts)]
    (split,) = make_splits(clips, how, 0)
    assert as_lists([split]) == [(how, {"train": [0, 4], "valid": [3], "test": [2]})]


def test_what_has_no_official_parts_says_what_to_use() -> None:
    with pytest.raises(InputError, match=r"no official split\. Use --split artist:5"):
        make_splits([Clip("a", "rock")], "official", 0)


@pytest.mark.parametrize(
    "how", ["", "artist", "artist:", "kfold", "random:3", "official:2", "genre:5", ":5"]
)
def test_an_unknown_way_is_refused_with_those_there_are(how: str) -> None:
    clips = [Clip(f"{k}", "rock", split="train") for k in range(20)]
    with pytest.raises(InputError, match=r"no split is called .*official, .*random, kfold:K"):
        make_splits(clips, how, 0)


@pytest.mark.parametrize("number", ["0", "2", "-3", "3.5", "five", "1_0", " 5"])
def test_a_number_of_folds_that_makes_no_three_parts_is_refused(number: str) -> None:
    clips = [Clip(f"{k}", "rock") for k in range(20)]
    with pytest.raises(InputError, match="Use 3 or more"):
        make_splits(clips, f"artist:{number}", 0)


@pytest.mark.parametrize(
    ("how", "what"), [("artist:5", "4 artists"), ("recording:9", "8 rec"), ("kfold:9", "8 clips")]
)
def test_more_folds_than_there_is_to_part_are_refused(how: str, what: str) -> None:
    clips = [Clip(f"{k}", "rock", artist=f"{k // 2}") for k in range(8)]
    with pytest.raises(InputError, match=f"folds of {what}.*Use fewer folds"):
        make_splits(clips, how, 0)
