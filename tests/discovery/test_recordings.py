from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tonotope.discovery.recordings import ChosenTracks, TrackFacts, same_recording


def test_a_near_track_of_another_length_is_another_recording() -> None:
    assert same_recording(
        0.1, TrackFacts(None, None, None, 60.0), TrackFacts(None, None, None, 60.9)
    )
    assert not same_recording(
        0.1, TrackFacts(None, None, None, 60.0), TrackFacts(None, None, None, 61.1)
    )
    assert not same_recording(
        0.9, TrackFacts(None, None, None, 60.0), TrackFacts(None, None, None, 60.0)
    )


def test_one_name_and_length_is_one_recording_however_far_its_encodings_are_apart() -> None:
    song = TrackFacts("yesterday", "someone", None, 125.0)
    assert same_recording(1.2, song, TrackFacts("yesterday", "someone", "best of", 125.6))
    assert not same_recording(1.2, song, TrackFacts("yesterday", "someone", "live", 140.0))
    assert not same_recording(1.2, song, TrackFacts("yesterday", "another", None, 125.0))
    nameless = TrackFacts(None, "someone", None, 125.0)
    assert not same_recording(1.2, nameless, nameless)


def test_two_names_make_two_recordings_unless_they_sound_all_but_equal() -> None:
    first = TrackFacts("yesterday", "someone", None, 125.0)
    others = [TrackFacts("help", "someone", None, 125.6), TrackFacts("help", "other", None, 125.6)]
    for other in others:
        assert not same_recording(0.46, first, other)
        assert same_recording(0.26, first, other)  # an encoding that was tagged otherwise
    assert same_recording(0.46, first, TrackFacts(None, "someone", None, 125.6))


@given(
    st.lists(
        st.tuples(
            st.floats(0, 6, width=32),
            # Lengths about the borders of the buckets.
            st.integers(0, 12).map(lambda k: k / 4),
            st.sampled_from(["one", "two", None]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_no_copy_is_missed_and_none_invented(tracks: list[tuple[float, float, str | None]]) -> None:
    places = np.array([[x] for x, _, _ in tracks], np.float32)
    facts = [TrackFacts(title, "a", None, length_s) for _, length_s, title in tracks]
    chosen = ChosenTracks(places, facts)
    for index in range(len(tracks)):
        among_all = any(
            same_recording(abs(float(places[k, 0] - places[index, 0])), facts[k], facts[index])
            for k in range(index)
        )
        assert chosen.hold_copy_of(index) == among_all
        chosen.add(index)
