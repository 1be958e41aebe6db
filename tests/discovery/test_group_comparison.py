from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotope.discovery.group_comparison import agreement, contingency, same_groups

# The example of Manning, Raghavan and Schütze 2008, figure 16.1: three groups, three classes.
GROUPS = [1] * 6 + [2] * 6 + [3] * 5
CLASSES = [*"xxxxxo", *"xoooo", "d", *"xxddd"]


def test_counts() -> None:
    assert contingency(GROUPS, CLASSES).tolist() == [[0, 1, 5], [1, 4, 1], [3, 0, 2]]


def test_a_case_done_by_hand() -> None:
    found = agreement(GROUPS, CLASSES)
    assert (found.n_tracks, found.n_labels) == (17, 3)
    assert found.purity == pytest.approx((5 + 4 + 3) / 17)
    # Pairs together in both: 10 + 6 + 1 + 3 of 136; in groups 15 + 15 + 10, in classes 28 + 10 + 6.
    expected = 40 * 44 / 136
    assert found.ari == pytest.approx((20 - expected) / ((40 + 44) / 2 - expected))
    counts = {(1, 8): 5, (1, 5): 1, (2, 8): 1, (2, 5): 4, (2, 4): 1, (3, 8): 2, (3, 4): 3}
    size = {1: 6, 2: 6, 3: 5}
    information = sum(
        n / 17 * math.log(17 * n / (size[group] * n_class))
        for (group, n_class), n in counts.items()
    )

    def entropy(*sizes: int) -> float:
        return -sum(n / 17 * math.log(n / 17) for n in sizes)

    assert found.nmi == pytest.approx(2 * information / (entropy(6, 6, 5) + entropy(8, 5, 4)))
    assert found.nmi == pytest.approx(0.36, abs=0.005)  # as printed there


def test_independent_groups_and_each_track_a_group() -> None:
    crossed = agreement([0, 0, 1, 1], ["a", "b", "a", "b"])
    assert (crossed.nmi, crossed.purity) == (pytest.approx(0), 0.5)
    assert crossed.ari == pytest.approx(-0.5)  # 0 pairs where 2/3 are expected of 2
    alone = agreement([0, 1, 2, 3], ["a", "b", "a", "b"])
    assert (alone.purity, alone.ari) == (1, 0)


labellings = st.integers(1, 30).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 4), min_size=n, max_size=n)] * 2)
)


@settings(deadline=None, max_examples=50)
@given(labellings, st.permutations(range(5)))
def test_names_do_not_count(both: tuple[list[int], list[int]], names: list[int]) -> None:
    groups, labels = both
    renamed = agreement([names[k] for k in groups], [f"label {k}" for k in labels])
    as_they_were = agreement(groups, labels)
    assert renamed.nmi == pytest.approx(as_they_were.nmi)
    assert renamed.ari == pytest.approx(as_they_were.ari)
    assert renamed.purity == as_they_were.purity
    same = agreement(groups, [names[k] for k in groups])
    assert (same.nmi, same.ari, same.purity) == (pytest.approx(1), pytest.approx(1), 1)
    assert as_they_were.purity >= np.bincount(labels).max() / len(labels)


@pytest.mark.parametrize(("groups", "labels"), [([], []), ([1, 2], ["a"]), ([[1]], [["a"]])])
def test_what_does_not_belong_together(groups, labels) -> None:
    with pytest.raises(ValueError, match="expected one of each for every track"):
        agreement(groups, labels)


# Which group is which


def test_groups_are_known_by_their_tracks() -> None:
    old = [set("abcd"), set("efgh"), set("ij")]
    new = [set("efgh"), set("ij"), set("abcd")]
    assert same_groups(old, new, least_overlap=0.5) == {0: 1, 1: 2, 2: 0}


def test_the_pairing_is_the_best_of_all_not_the_first() -> None:
    # The first new group is most like the first old one (3/5), but so is the second (2/4), which is
    # like no other: 1/6 + 2/4 would be less than 3/5 + 0, hence that.
    old = [set("abcd"), set("efg")]
    new = [set("abce"), set("dfg")]
    assert same_groups(old, new, least_overlap=0.0) == {0: 0, 1: 1}
    # And where giving up the best pair gains more, it is given up: 5/9 + 0 < 4/9 + 4/8.
    old = [set("abcdefgh"), set("ijkl")]
    new = [set("abcdeijkl"), set("fgh")]
    assert same_groups(old, new, least_overlap=0.0) == {0: 1, 1: 0}


def test_a_group_that_kept_too_little_is_another() -> None:
    old = [set("abcd"), set("efgh")]
    new = [set("abce"), set("dfgh")]  # 3 of 5 each
    assert same_groups(old, new, least_overlap=0.6) == {0: 0, 1: 1}
    assert same_groups(old, new, least_overlap=0.61) == {}


def test_tracks_that_came_or_went_say_nothing() -> None:
    old = [set("abcdXYZ"), set("efgh")]
    new = [set("abcd"), set("efgh123456789")]
    assert same_groups(old, new, least_overlap=1.0) == {0: 0, 1: 1}


@pytest.mark.parametrize(("old", "new"), [([], [{"a"}]), ([{"a"}], []), ([{"a"}], [{"b"}])])
def test_nothing_in_common(old, new) -> None:
    assert same_groups(old, new, least_overlap=0.5) == {}
