"""An evaluation as a whole: what is judged, what is refused, and how it is shown."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from support.libraries import write
from support.models import card_text
from tonotope.cli.app import run
from tonotope.errors import InputError, ModelError, PathError
from tonotope.training.clips import Clip
from tonotope.training.evaluation.clip_choice import choose_clips, keep_known
from tonotope.training.evaluation.evaluate import Predictions, by_track, compare, evaluate
from tonotope.training.evaluation.provenance import fingerprint, overlap, provenance
from tonotope.training.evaluation.report import compare_protocols, render, verdict, write_report

LABELS = ("blues", "polka", "rock")
HOSTILE = '<script>alert("x")</script>&amp;\'"'


# Small models and caches: a clip of genre k has its sound in band k, and the network looks there.


def listener(n_labels: int, outputs: tuple[str, ...] = ("probabilities", "embedding")) -> bytes:
    """Return a network that takes the loudest of the first bands for the genre."""
    weights = np.zeros((128, n_labels), np.float32)
    weights[np.arange(n_labels), np.arange(n_labels)] = 0.05
    nodes = [
        helper.make_node("ReduceMean", ["log_mel", "axes"], ["embedding"], keepdims=0),
        helper.make_node("MatMul", ["embedding", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    sizes = {"probabilities": n_labels, "logits": n_labels, "embedding": 128}
    graph = helper.make_graph(
        nodes,
        "looks at bands",
        [helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, ["batch", 333, 128])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", sizes[name]])
            for name in outputs
        ],
        [
            numpy_helper.from_array(np.array([1], np.int64), "axes"),
            numpy_helper.from_array(weights, "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def write_listener(
    folder: Path, labels: Sequence[str] = LABELS, trained_on: Sequence[Clip] | None = None, **gives
) -> Path:
    """Write such a network and its card as a training run does; return the folder."""
    folder.mkdir(parents=True)
    outputs = ("logits",) if "logits" in gives else ("probabilities", "embedding")
    sizes = {} if "logits" in gives else {"embedding_size": 128}
    (folder / "model.onnx").write_bytes(listener(len(labels), outputs))
    text = card_text(
        folder.name,
        file="model.onnx",
        hears={"representation": "gtzan-mel"},
        gives={"labels": list(labels), **sizes, **gives},
    )
    if trained_on is not None:
        lists = provenance(trained_on).items()
        text += "[trained_on]\n" + "".join(f"{kind} = {prints}\n" for kind, prints in lists)
    (folder / "model.toml").write_text(text, "utf-8")
    (folder / "config.toml").write_text("[training]\n", "utf-8")
    return folder


def write_cache(folder: Path, clips: Sequence[Clip], sounds: Sequence[str] | None = None) -> Path:
    """Write a cache; `sounds` says which genre each clip sounds like, its own by default."""
    folder.mkdir(parents=True)
    mel = np.zeros((len(clips), 128, 333), np.uint8)
    for row, sound in enumerate(sounds or [clip.genre for clip in clips]):
        mel[row, sorted(LABELS).index(sound) if sound in LABELS else 100] = 255
    np.save(folder / "mel.npy", mel)
    names = ("clip", "genre", "split", "artist", "title", "recording")
    with (folder / "clips.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(names)
        for c in clips:
            rows.writerow([c.name, c.genre, c.split, c.artist, c.title, c.recording])
    return folder


def clips_of(n: int = 12, **values: str) -> list[Clip]:
    return [Clip(f"clip {k}", LABELS[k % 3], artist=f"artist {k // 2}", **values) for k in range(n)]


def evaluated(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict:
    """Return what the command prints as JSON."""
    capsys.readouterr()
    assert run(["evaluate", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def complaint(capsys: pytest.CaptureFixture[str], status: int, *words: str | Path) -> str:
    capsys.readouterr()
    assert run(["evaluate", *map(str, words)]) == status
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    return line


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_listener(tmp_path / "runs" / "bands")


def made_predictions(clips: Sequence[Clip], guesses: Sequence[str], sure: float = 0.8):
    shares = np.full((len(clips), 3), (1 - sure) / 2)
    shares[np.arange(len(clips)), [LABELS.index(guess) for guess in guesses]] = sure
    genre = np.array([LABELS.index(clip.genre) for clip in clips])
    return Predictions(LABELS, shares, genre, tuple(clips))


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


# The report


class Page(HTMLParser):
    """Checks that tags are closed in order, and collects them."""

    VOID = frozenset({"meta"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs  # and nothing is opened

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile_document(**told) -> dict:
    clips = [Clip(HOSTILE + str(k), LABELS[k % 3], artist=HOSTILE, title=HOSTILE) for k in range(6)]
    predictions = made_predictions(clips, ["rock"] * 6)
    predictions = replace(predictions, labels=(HOSTILE, "polka", "rock"))
    document = evaluate(predictions, model=HOSTILE, notes=[HOSTILE], protocol=HOSTILE, **told)
    document["against"] = compare(predictions, predictions, model=HOSTILE)
    return document


def test_the_page_is_whole_and_fetches_nothing() -> None:
    document = hostile_document(leaks=[HOSTILE], unknown_below=0.5)
    text = render(document, protocols={HOSTILE: document})
    page = Page(text)
    assert page.tags.count("svg") == 2
    assert page.tags.count("table") == 4
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not {"src", "href", "onload"} & {name for name, _ in page.attributes}
    assert "url(" not in text
    assert "@import" not in text
    assert "http" not in text
    assert ("name", "viewport") in page.attributes
    assert "prefers-color-scheme: dark" in text
    assert page.text.count(HOSTILE) >= 20


def test_a_leaky_result_says_so_first() -> None:
    leaks = [f"artist '{k}' was trained on" for k in range(15)]
    body = render(hostile_document(leaks=leaks)).partition("<body>")[2]
    assert body.lstrip().startswith('<div class="alarm" role="alert">')
    assert "and 5 more" in body
    assert "alarm" not in render(hostile_document()).partition("<body>")[2]
    assert 'class="alarm"' in render(hostile_document(leaky=True))


def test_the_page_has_the_figures() -> None:
    clips = clips_of(6)
    document = evaluate(
        made_predictions(clips, ["blues", "polka", "rock", "blues", "rock", "rock"]),
        model="bands 1",
        unknown_below=0.9,
    )
    text = Page(render(document)).text
    assert "bands 1: 83.3% of 6 clips" in text
    assert "it answers 0% of these clips." in text
    assert "clip 4artist 2polkarock80%" in text  # the row of its one mistake


def test_a_page_of_a_model_without_mistakes() -> None:
    text = Page(render(evaluate(made_predictions(clips_of(3), LABELS)))).text
    assert "mistakes" not in text


def test_writing_a_report(tmp_path: Path) -> None:
    document = hostile_document()
    beside = write_report(document, tmp_path / "r.html")
    assert beside == tmp_path / "r.json"
    assert json.loads(beside.read_text("utf-8")) == document
    assert (tmp_path / "r.html").read_text("utf-8") == render(document)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [("r.pdf", InputError, "Name it with .html"), ("none/r.html", PathError, "no folder"),
     ("folder.html", PathError, "Is a directory")],
)  # fmt: skip
def test_where_no_report_can_be_written(
    tmp_path: Path, name: str, error: type[Exception], message: str
) -> None:
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(error, match=message):
        write_report(hostile_document(), tmp_path / name)


def test_names_that_are_no_utf8_can_be_written(tmp_path: Path) -> None:
    clips = [Clip("caf\udce9", "rock")]
    write_report(evaluate(made_predictions(clips, ["blues"])), tmp_path / "r.html")
    assert "caf\\udce9" in (tmp_path / "r.html").read_text("utf-8")
    document = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert document["mistakes"][0]["clip"] == "caf\udce9"


def test_protocols_side_by_side() -> None:
    clips = clips_of(6)
    honest = evaluate(made_predictions(clips, ["rock"] * 6))
    inflated = evaluate(
        made_predictions(clips, [clip.genre for clip in clips]),
        leaks=["artist 'x' in train (a) and in test (b)"],
    )
    header, line, first, second = compare_protocols(
        {"fault-filtered": honest, "kfold:10": inflated}
    ).splitlines()
    assert "95% interval" in header
    assert set(line) == {"|", "-"}
    assert re.match(r"\| fault-filtered \| honest +\| 33.3% ", first)
    assert re.match(r"\| kfold:10 +\| inflated: artists on both sides \| 100.0% ", second)
    recordings = evaluate(
        made_predictions(clips, ["rock"] * 6), leaks=["one recording in train (a) and in test (b)"]
    )
    assert verdict(recordings) == "inflated: recordings on both sides"
    assert verdict(evaluate(made_predictions(clips, ["rock"] * 6), leaky=True)).startswith("infl")


# The command


def test_the_command_judges_a_model_by_a_cache(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: Path
) -> None:
    clips = clips_of()
    sounds = [clip.genre for clip in clips[:9]] + ["polka"] * 3
    found = evaluated(
        capsys, "--data", write_cache(tmp_path / "cache", clips, sounds), "--model", model
    )
    required = {
        "accuracy", "balanced_accuracy", "macro_f1", "top3", "ece", "n", "leaky", "confusion",
        "labels", "per_genre", "accuracy_ci", "by_track", "unknown", "risk_coverage", "part",
        "model", "notes",
    }  # fmt: skip
    assert required <= set(found)
    assert (found["n"], found["accuracy"], found["part"]) == (12, round(10 / 12, 6), "all")
    assert found["confusion"] == [[3, 1, 0], [0, 4, 0], [0, 1, 3]]
    assert found["model"] == "bands 1"
    assert "against" not in found


def test_the_part_and_the_split_are_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: Path
) -> None:
    clips = [replace(c, split="valid" if k < 4 else "train") for k, c in enumerate(clips_of())]
    words = ["--data", write_cache(tmp_path / "cache", clips), "--model", model]
    found = evaluated(capsys, *words)
    assert (found["part"], found["protocol"], found["n"]) == ("valid", "the data's own parts", 4)
    found = evaluated(capsys, *words, "--part", "train")
    assert (found["part"], found["n"]) == ("train", 8)
    assert any("8 of these clips are of the data's own train part" in n for n in found["notes"])
    found = evaluated(capsys, *words, "--split", "artist:3")
    assert (found["part"], found["protocol"], found["n"]) == ("test", "artist:3", 12)


def test_what_a_model_was_trained_on_is_marked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    clips = clips_of()
    cache = write_cache(tmp_path / "cache", clips)
    model = write_listener(tmp_path / "m", trained_on=[replace(clips[0], name="other clip")])
    out = tmp_path / "leaky.html"
    words = ["--data", cache, "--model", model, "--json", "--out", out]
    assert run(["evaluate", *map(str, words)]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert found["leaky"] is True
    assert found["leaks"] == ["artist 'artist 0' was trained on: clip 'clip 0' and 1 more"]
    assert shown.err.startswith("tonotope: leaky:")
    assert "Leaky: these figures are inflated" in Page(out.read_text("utf-8")).text

    honest = write_listener(tmp_path / "n", trained_on=[Clip("else", "rock", artist="nobody")])
    found = evaluated(capsys, "--data", cache, "--model", honest)
    assert (found["leaky"], found["notes"]) == (False, [])


def test_parts_that_leak_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: Path
) -> None:
    clips = [replace(c, split="test" if k < 4 else "train") for k, c in enumerate(clips_of())]
    clips[7] = replace(clips[7], artist=clips[0].artist)
    words = ["--data", write_cache(tmp_path / "cache", clips), "--model", model]
    line = complaint(capsys, 2, *words)
    assert "artist 'artist 0' in train (clip 7) and in test (clip 0)" in line
    assert "--allow-leaks" in line
    out = tmp_path / "leaky.html"
    capsys.readouterr()
    assert run(["evaluate", *map(str, words), "--allow-leaks", "--json", "--out", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["leaky"] is True
    assert "Leaky: these figures are inflated" in Page(out.read_text("utf-8")).text
    assert not evaluated(capsys, *words, "--part", "all")["leaky"]


def test_a_card_that_does_not_say_what_it_was_trained_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: Path
) -> None:
    cache = write_cache(tmp_path / "cache", clips_of())
    found = evaluated(capsys, "--data", cache, "--model", model / "model.onnx")
    assert found["notes"] == ["Training data unknown to the card: leaks with it cannot be checked."]
    assert found["leaky"] is False


def test_another_model_beside_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: Path
) -> None:
    clips = clips_of()
    cache = write_cache(tmp_path / "cache", clips)
    # It calls blues what sounds like polka, and so on.
    other = write_listener(tmp_path / "other", labels=("polka", "rock", "blues"))
    words = ["--data", cache, "--model", model, "--against", other]
    found = evaluated(capsys, *words)["against"]
    assert (found["model"], found["accuracy"], found["difference"]) == ("other 1", 0, 1)
    assert found["mcnemar"]["n_only_this"] == 12
    assert run(["evaluate", *map(str, words)]) == 0
    assert "against other 1 (0.0%): +100.0 points" in capsys.readouterr().out

    narrow = write_listener(tmp_path / "narrow", labels=("blues", "rock"))
    line = complaint(capsys, 2, "--data", cache, "--model", model, "--against", narrow)
    assert "it does not know polka" in line
    leaky = write_listener(tmp_path / "leaky", trained_on=clips)
    found = evaluated(capsys, "--data", cache, "--model", model, "--against", leaky)
    assert len(found["against"]["leaks"]) == 12
    assert not found["leaky"]


def test_what_the_command_prints_for_people(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: Path
) -> None:
    clips = [*clips_of(3), Clip("\x1b[31mred", "tec\x1bhno")]
    cache = write_cache(tmp_path / "cache", clips)
    out = tmp_path / "r.html"
    assert run(["evaluate", "--data", str(cache), "--model", str(model), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "accuracy               100.0%   95% interval 100.0% to 100.0%" in shown
    assert re.search(r"^  polka +100.0% +100.0% +100.0% +1$", shown, re.M)
    assert r"does not know their genres: tec\x1bhno 1." in shown
    assert "\x1b" not in shown
    assert f"Written to {out} and {out.with_suffix('.json')}" in shown


def test_a_network_of_logits_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cache = write_cache(tmp_path / "cache", clips_of())
    model = write_listener(tmp_path / "m", logits="logits")
    assert evaluated(capsys, "--data", cache, "--model", model)["accuracy"] == 1


def test_models_that_cannot_be_judged(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: Path
) -> None:
    cache = write_cache(tmp_path / "cache", clips_of())
    words = ["--data", cache, "--model"]
    several = write_listener(tmp_path / "several", logits="logits", activation="sigmoid")
    assert "do not sum to 1" in complaint(capsys, 2, *words, several)
    card = model / "model.toml"
    text = card.read_text("utf-8")
    card.write_text(re.sub("labels = .*\n", "", text), "utf-8")
    assert "it names no genres" in complaint(capsys, 2, *words, model)
    card.write_text(card_text("wave", file="model.onnx"), "utf-8")
    assert "it hears 'waveform'" in complaint(capsys, 2, *words, model)
    assert "no model is called 'none'" in complaint(capsys, 1, *words, "none")


def test_data_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: Path
) -> None:
    cache = write_cache(tmp_path / "cache", clips_of())
    assert "cannot read" in complaint(capsys, 1, "--data", tmp_path / "none")
    words = ["--data", cache, "--model", model]
    assert "Name it with .html" in complaint(capsys, 2, *words, "--out", "r.txt")
    np.save(cache / "mel.npy", np.zeros((12, 128, 100), np.uint8))
    assert "100 columns" in complaint(capsys, 2, *words)


def test_a_folder_in_the_current_one_is_a_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model at hand goes before it."""
    write_cache(tmp_path / "cache", clips_of())
    write_listener(tmp_path / "mine")
    write_listener(tmp_path / "tonotope-1")
    monkeypatch.chdir(tmp_path)
    assert evaluated(capsys, "--data", "cache", "--model", "mine")["model"] == "mine 1"
    found = evaluated(capsys, "--data", "cache", "--model", "tonotope-1")
    assert len(found["labels"]) == 10
    assert found["left_out"] == {"polka": 4}


def test_a_folder_of_audio(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A track of over 31 s is heard in windows, a file that is none is told of."""
    music = tmp_path / "music"
    write(music / "Rock" / "long.flac", seed=1, seconds=65, artist="A")
    write(music / "jazz" / "short.flac", seed=2, seconds=3, artist="B")
    write(music / "techno" / "other.flac", seed=3, seconds=3)
    (music / "jazz" / "bad.mp3").write_text("no music")
    before = sorted(music.rglob("*"))
    found = evaluated(capsys, "--data", music)
    assert found["n"] > found["by_track"]["n"] == 2
    assert (found["n_clusters"], found["data"]) == (2, str(music))
    assert found["left_out"] == {"techno": 1}
    assert any("bad.mp3" in note for note in found["notes"])
    assert sorted(music.rglob("*")) == before

    for file in [*music.glob("*/*.flac")]:
        file.unlink()
    assert "no file gave anything" in complaint(capsys, 1, "--data", music)


def test_nothing_of_training_is_needed() -> None:
    code = (
        "import sys, tonotope.training.evaluation.run, tonotope.training.evaluation.report\n"
        "import tonotope.training.prepare\n"
        "print(sorted({'torch', 'sklearn', 'onnx', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


# The network that comes with Tonotope


def test_genre_says_unknown_below_the_cards_threshold(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tonotope.models.network import bundled_network

    song = write(tmp_path / "song.flac", seed=1)

    def told(below: float | None) -> tuple[dict, str]:
        output = bundled_network().card.document["output"]
        monkeypatch.delitem(output, "unknown_below", raising=False)
        if below is not None:
            monkeypatch.setitem(output, "unknown_below", below)
        capsys.readouterr()
        assert run(["genre", str(song), "--json"]) == 0
        (document,) = json.loads(capsys.readouterr().out)
        assert run(["genre", str(song), "--over-time"]) == 0
        return document, capsys.readouterr().out

    document, shown = told(None)
    first = document["genres"][0]
    assert document["known"] is document["windows"][0]["known"] is True
    assert "unknown (" not in shown
    document, shown = told(first["probability"] - 0.001)
    assert document["known"] is True
    document, shown = told(min(1.0, first["probability"] + 0.001))
    assert document["known"] is document["windows"][0]["known"] is False
    assert document["genres"][0] == first
    share = f"{first['genre']} {first['probability']:.0%}"
    assert shown.count(f"unknown (perhaps {share}, ") == 2


@pytest.mark.data
def test_the_bundled_model_on_what_it_has_heard_is_marked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, data_dir: Path
) -> None:
    from tonotope.models.cards import read_card

    measured = read_card().document["measured"]
    found = evaluated(capsys, "--data", data_dir / "gtzan-mel", "--part", "valid")
    assert found["n"] == measured["valid_n"] == 197
    assert found["leaky"]
    # Of weights that had not heard it; these have.
    assert measured["valid_accuracy"] < found["accuracy"]

    # A hidden part comes without splits: the same clips, then, without that column.
    cache = tmp_path / "cache"
    cache.mkdir()
    mel = np.load(data_dir / "gtzan-mel" / "mel.npy", mmap_mode="r")
    with (data_dir / "gtzan-mel" / "clips.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    valid = [k for k, row in enumerate(rows) if row["split"] == "valid"]
    np.save(cache / "mel.npy", mel[valid])
    with (cache / "clips.csv").open("w", newline="", encoding="utf-8") as file:
        kept = csv.DictWriter(file, ["clip", "genre", "artist", "title"], extrasaction="ignore")
        kept.writeheader()
        kept.writerows(rows[k] for k in valid)
    again = evaluated(capsys, "--data", cache)
    assert (again["part"], again["accuracy"]) == ("all", found["accuracy"])
    assert again["confusion"] == found["confusion"]
