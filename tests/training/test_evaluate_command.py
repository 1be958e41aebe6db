"""`tonotope evaluate`, and what it says of the model that comes with Tonotope."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.evaluations import (
    Page,
    clips_of,
    write_cache,
    write_listener,
)
from support.libraries import write
from support.models import card_text
from tonotope.cli.app import run
from tonotope.training.clips import Clip


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
