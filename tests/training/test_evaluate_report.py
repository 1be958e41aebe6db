"""How an evaluation is shown: a page, and protocols side by side."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from support.evaluations import (
    LABELS,
    Page,
    clips_of,
    made_predictions,
)
from tonotope.errors import InputError, PathError
from tonotope.training.clips import Clip
from tonotope.training.evaluation.evaluate import compare, evaluate
from tonotope.training.evaluation.report import compare_protocols, render, verdict, write_report

HOSTILE = '<script>alert("x")</script>&amp;\'"'


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
