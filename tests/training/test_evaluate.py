"""An evaluation: what is judged, by which clips, and what the model had heard of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from support.evaluations import (
    LABELS,
    clips_of,
    made_predictions,
)
from tonotope.errors import InputError, ModelError
from tonotope.training.clips import Clip
from tonotope.training.evaluation.clip_choice import choose_clips, keep_known
from tonotope.training.evaluation.evaluate import Predictions, by_track, compare, evaluate
from tonotope.training.evaluation.provenance import fingerprint, overlap, provenance

# The document


def test_the_figures_by_hand() -> None:
    clips = clips_of(6)
    found = evaluate(made_predictions(clips, ["blues", "polka", "rock", "blues", "rock", "rock"]))
    assert found["n"] == 6
    assert found["accuracy"] == pytest.approx(5 / 6, abs=1e-6)
    assert found["balanced_accuracy"] == pytest.approx((1 + 1 / 2 + 1) / 3, abs=1e-6)
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3 + 4 / 5) / 3, abs=1e-6)
    assert found["top3"] == 1
    assert found["ece"] == pytest.approx(5 / 6 - 0.8, abs=1e-6)
    assert found["labels"] == list(LABELS)
    assert found["confusion"] == [[2, 0, 0], [0, 1, 1], [0, 0, 2]]
    assert found["per_genre"][1] == {
        "genre": "polka", "precision": 1, "recall": 0.5, "f1": pytest.approx(2 / 3, abs=1e-6),
        "support": 2,
    }  # fmt: skip
    assert (found["n_clusters"], found["n_of_known_artist"]) == (3, 6)
    assert (found["leaky"], found["leaks"], found["notes"]) == (False, [], [])
    assert found["by_track"]["n"] == 6
    assert [m["clip"] for m in found["mistakes"]] == ["clip 4"]
    assert found["mistakes"][0]["predicted"] == "rock"
    assert json.loads(json.dumps(found)) == found


def test_intervals_hold_the_scores_and_follow_the_seed() -> None:
    rng = np.random.default_rng(0)
    clips = clips_of(60)
    predictions = made_predictions(clips, [LABELS[k] for k in rng.integers(0, 3, 60)])
    found = evaluate(predictions, seed=1)
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        low, high = found[f"{name}_ci"]
        assert low < found[name] < high
    assert evaluate(predictions, seed=1) == found
    assert evaluate(predictions, seed=2)["macro_f1_ci"] != found["macro_f1_ci"]


def test_artists_widen_the_interval() -> None:
    """The same answers, by one artist each or by six in all."""
    alone = [Clip(f"{k}", "rock", artist=f"{k}") for k in range(60)]
    guesses = ["rock"] * 30 + ["blues"] * 30
    few = [replace(clip, artist=str(k // 10)) for k, clip in enumerate(alone)]
    widths = []
    for clips in (alone, few):
        low, high = evaluate(made_predictions(clips, guesses))["accuracy_ci"]
        widths.append(high - low)
    assert widths[1] > 2.5 * widths[0]


def test_a_genre_that_no_drawn_artist_has_is_not_failed_at() -> None:
    """X plays ten rocks, one of them taken for polka; Y plays one polka.

    Drawn are X and X (F1 of rock 18/19), both, or Y and Y (F1 of polka 1): polka, which is
    predicted in the first, must not count 0 there.
    """
    clips = [Clip(f"{k}", "rock", artist="X") for k in range(10)] + [Clip("y", "polka", artist="Y")]
    found = evaluate(made_predictions(clips, ["rock"] * 9 + ["polka", "polka"]))
    assert found["macro_f1"] == pytest.approx((18 / 19 + 2 / 3) / 2, abs=1e-6)
    assert found["macro_f1_ci"] == [found["macro_f1"], 1]


def test_what_is_unknown() -> None:
    clips = [Clip(f"{k}", "rock") for k in range(4)]
    shares = np.array([[0.0, 0.1, 0.9], [0.0, 0.2, 0.8], [0.7, 0.0, 0.3], [0.0, 0.4, 0.6]])
    predictions = Predictions(LABELS, shares, np.full(4, 2), tuple(clips))
    unknown = evaluate(predictions, unknown_below=0.7)["unknown"]
    assert unknown == {
        "below": 0.7, "coverage": 0.75, "precision": pytest.approx(2 / 3, abs=1e-6),
        "threshold_here": 0.8, "threshold_precision": 0.9,
    }  # fmt: skip
    assert evaluate(predictions)["unknown"]["coverage"] == 1
    nothing = evaluate(predictions, unknown_below=0.95)["unknown"]
    assert (nothing["coverage"], nothing["precision"]) == (0, None)


def test_windows_of_a_track_are_averaged() -> None:
    """Two windows are unsure of the wrong genre, one is sure of the right one."""
    windows = [Clip(f"{k}", "rock", artist="x", recording="r") for k in range(3)]
    shares = np.array([[0.5, 0.1, 0.4], [0.5, 0.1, 0.4], [0.0, 0.1, 0.9], [0.9, 0.1, 0.0]])
    clips = (*windows, Clip("alone", "blues"))
    predictions = Predictions(LABELS, shares, np.array([2, 2, 2, 0]), clips)
    tracks = by_track(predictions)
    assert [clip.name for clip in tracks.clips] == ["0", "alone"]
    assert tracks.probabilities[0] == pytest.approx([1 / 3, 0.1, 1.7 / 3])
    found = evaluate(predictions)
    assert found["accuracy"] == 0.5
    assert (found["by_track"]["n"], found["by_track"]["accuracy"]) == (2, 1)


def test_a_recording_of_two_genres_is_a_track_of_each() -> None:
    clips = [Clip("a", "rock", recording="r"), Clip("b", "blues", recording="r")]
    assert len(by_track(made_predictions(clips, ["rock", "rock"])).clips) == 2


def test_the_curve_of_many_clips_has_a_hundred_points() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(3), 1000)
    clips = tuple(Clip(str(k), "rock") for k in range(1000))
    found = evaluate(Predictions(LABELS, shares, np.full(1000, 2), clips))["risk_coverage"]
    assert len(found["curve"]) == 100
    assert found["curve"][0]["coverage"] == 0.01
    assert found["curve"][-1]["coverage"] == 1


def test_predictions_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="a row per clip"):
        Predictions(LABELS, np.array([[1.0, 0.0]]), np.array([0]), (Clip("a", "rock"),))


def test_comparison_with_another_model() -> None:
    clips = [Clip(f"{k}", "rock") for k in range(20)]
    first = made_predictions(clips, ["rock"] * 15 + ["blues"] * 5)
    second = made_predictions(clips, ["rock"] * 5 + ["blues"] * 15)
    found = compare(first, second, model="other")
    assert (found["model"], found["accuracy"], found["difference"]) == ("other", 0.25, 0.5)
    assert found["difference_ci"][0] < 0.5 < found["difference_ci"][1]
    assert found["mcnemar"] == {
        "n_only_this": 10, "n_only_other": 0, "p_value": pytest.approx(2 / 1024)
    }  # fmt: skip
    with pytest.raises(ValueError, match="same clips"):
        compare(first, made_predictions(clips[:5], ["rock"] * 5))


# Which clips


def test_the_part_that_is_judged_by_default() -> None:
    clips = [replace(c, split="train") for c in clips_of(4)]
    chosen = choose_clips([*clips, replace(clips[0], split="valid")])
    assert (chosen.part, chosen.index.tolist()) == ("valid", [4])
    chosen = choose_clips([*clips, *(replace(clips[0], split=s) for s in ("valid", "test", ""))])
    assert (chosen.part, chosen.index.tolist()) == ("test", [5])
    assert choose_clips(clips).part == "all"
    chosen = choose_clips(clips_of(5))
    assert (chosen.part, chosen.protocol, len(chosen.index)) == ("all", "all clips", 5)


def test_a_part_or_a_split_that_is_named() -> None:
    clips = [replace(c, split="train" if k else "test") for k, c in enumerate(clips_of(9))]
    assert choose_clips(clips, part="train").index.tolist() == list(range(1, 9))
    assert choose_clips(clips, part="all").index.tolist() == list(range(9))
    assert choose_clips(clips, "official").index.tolist() == [0]
    folds = choose_clips(clips, "kfold:3")
    assert (folds.part, folds.protocol) == ("test", "kfold:3")
    assert folds.index.tolist() == list(range(9))  # each is in the test part of one fold
    assert len(choose_clips(clips_of(30), "random", seed=1).index) == 3


@pytest.mark.parametrize(
    ("split", "part", "message"),
    [(None, "test", "no part 'test' (they have: no parts)"), ("official", None, "carry no split"),
     ("halves", None, "no split is called 'halves'")],
)  # fmt: skip
def test_a_part_that_is_not_there(split: str | None, part: str | None, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        choose_clips(clips_of(), split, part)


def test_genres_that_the_model_does_not_know_are_left_out() -> None:
    clips = [Clip("a", "Rock"), Clip("b", "techno"), Clip("c", ""), Clip("d", "blues")]
    index, left_out = keep_known(clips, np.arange(4), LABELS, "m 1")
    assert index.tolist() == [0, 3]
    assert left_out == {"": 1, "techno": 1}
    with pytest.raises(InputError, match=r"m 1 knows none of the clips' genres \(techno\)"):
        keep_known(clips, np.array([1, 2]), LABELS, "m 1")


# What a model was trained on


def test_fingerprints() -> None:
    # sha256 of "artist", a zero byte and "bob marley".
    assert fingerprint("artist", "bob marley") == "27ea6466af2299ac"
    assert fingerprint("clip", "bob marley") != fingerprint("artist", "bob marley")
    with pytest.raises(ValueError, match="kind is 'song'"):
        fingerprint("song", "x")


def test_provenance_lists_each_name_once_and_no_empty_one() -> None:
    found = provenance([Clip("a", "rock", artist="X"), Clip("b", "rock", artist="x ")])
    assert found == {
        "clips": sorted(fingerprint("clip", name) for name in "ab"),
        "artists": [fingerprint("artist", "x")],
        "recordings": [],
    }


def test_overlap_names_what_is_shared() -> None:
    heard = [
        Clip("same", "rock", artist="A"),
        Clip("x", "rock", artist="B"),
        Clip("y", "rock", recording="r"),
    ]
    card = {"trained_on": provenance(heard)}
    asked = [
        Clip("same", "rock", artist="A"),
        Clip("1", "rock", artist="b"),
        Clip("2", "rock", artist="B"),
        Clip("3", "rock", recording="r"),
        Clip("4", "rock", artist="C", recording="s"),
        Clip("5", "rock"),
    ]
    assert overlap(card, asked) == [
        "clip 'same' was trained on",
        "artist 'b' was trained on: clip '1' and 1 more",
        "recording 'r' was trained on: clip '3'",
    ]
    assert overlap(card, asked[4:]) == []
    assert overlap({}, asked) == []


@pytest.mark.parametrize("table", [{"clips": "abc"}, {"artists": [1]}, "all of it"])
def test_a_malformed_list_is_refused(table: object) -> None:
    with pytest.raises(ModelError, match="is malformed"):
        overlap({"trained_on": table}, clips_of())
