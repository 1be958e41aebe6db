"""``tonotope models`` and ``tonotope genre --model``, as a person types them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

pytest.importorskip("onnx", reason="needs the extra 'train' (ONNX)")

from support.libraries import write
from support.models import LABELS, card_text, network, write_model
from tonotope.models.cards import read_card

BUNDLED = read_card().name


@pytest.fixture
def run(tonotope, tmp_path) -> Callable[..., CompletedProcess[str]]:
    """Return the command for a user who has no models yet."""
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "share"), "HOME": str(tmp_path)}
    return lambda *arguments: tonotope(*arguments, env=environment, cwd=tmp_path)


def document(done: CompletedProcess[str]):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def complaint(done: CompletedProcess[str], status: int) -> str:
    assert done.returncode == status
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("tonotope: ")
    return line


def test_a_models_life(run, tmp_path):
    source = write_model(tmp_path / "source")
    added = document(run("models", "add", source, "--json"))
    assert added == {
        "name": "made",
        "version": "1",
        "bundled": False,
        "representation": "waveform",
        "sample_rate_hz": 16000,
        "window_s": 0.5,
        "labels": LABELS,
        "embedding_size": 4,
        "accuracy": None,
        "accuracy_part": None,
        "licence": "CC0-1.0",
        "size_bytes": (tmp_path / "source" / "made.onnx").stat().st_size,
        "problem": None,
    }
    bundled, made = document(run("models", "list", "--json"))
    assert (bundled["name"], bundled["bundled"]) == (BUNDLED, True)
    assert bundled["accuracy"] > 0.5
    assert made == added
    told = document(run("models", "info", "made", "--json"))
    assert {key: told[key] for key in added} == added
    assert told["card"]["input"]["hop_s"] == 0.25
    assert Path(told["path"]).name == "model.toml"

    song = write(tmp_path / "song.flac", seed=0)
    (heard,) = document(run("genre", song, "--model", "made", "--json"))
    assert [g["genre"] for g in heard["genres"]] != []
    assert {g["genre"] for g in heard["genres"]} == set(LABELS)
    assert [w["start_s"] for w in heard["windows"]] == [k / 4 for k in range(11)]
    # The same from where it was, by its card.
    assert document(run("genre", song, "--model", source, "--json")) == [heard]

    assert document(run("models", "remove", "made", "--json")) == {"removed": "made"}
    assert [model["name"] for model in document(run("models", "list", "--json"))] == [BUNDLED]
    assert "no model is called 'made'" in complaint(run("genre", song, "--model", "made"), 1)


def test_for_people(run, tmp_path):
    write_model(tmp_path / "source")
    done = run("models", "add", "source")
    assert done.returncode == 0
    assert done.stdout.startswith("added made 1\n")
    assert "3 labels (blues, rock, polka) and an embedding of 4 numbers" in done.stdout
    listed = run("models", "list").stdout
    assert f"{BUNDLED} " in listed
    assert "(bundled)" in listed
    assert "0.5 s at a time as waveform, from 16000 Hz" in listed
    for part in ("CC0-1.0", "MB", "accuracy"):
        assert part in listed
    told = run("models", "info", "made").stdout
    assert "sample_rate_hz  16000" in told
    assert "blues, rock, polka" in told
    assert run("models", "info", BUNDLED).returncode == 0
    assert run("models", "remove", "made").stdout == "removed made\n"


def test_the_card_of_the_bundled_model_is_one_json_document(run):
    told = document(run("models", "info", BUNDLED, "--json"))
    assert told["card"]["name"] == BUNDLED
    assert isinstance(told["card"]["measured"]["date"], str)


def test_another_folder(run, tmp_path):
    write_model(tmp_path / "source")
    document(run("models", "add", "source", "--folder", "elsewhere", "--json"))
    assert (tmp_path / "elsewhere" / "made" / "model.onnx").exists()
    assert len(document(run("models", "list", "--json"))) == 1
    assert len(document(run("models", "list", "--folder", "elsewhere", "--json"))) == 2
    song = write(tmp_path / "song.flac", seed=0)
    document(run("genre", song, "--model", "elsewhere/made", "--json"))


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (["models", "add", "none"], 1, "neither a card (.toml), a network (.onnx) nor a folder"),
        (["models", "add", "bad"], 1, "of shape (1, 2), where its card promises (1, 3)"),
        (["models", "add", "named"], 2, "a model cannot be called '../made'"),
        (["models", "add", "https://localhost/x.zip"], 2, "neither a card (.toml) nor a network"),
        (["models", "add", ""], 2, "an empty word"),
        (["models", "add"], 2, "SOURCE"),
        (["models", "info", "none"], 1, "no model is called 'none'"),
        (["models", "remove", BUNDLED], 1, "comes with Tonotope and cannot be removed"),
        (["models", "forget"], 2, "forget"),
        (["models", "list", "--folder", "bad/made.toml"], 1, "cannot read"),
        (["genre", "song.flac", "--model", "mute"], 1, "no model is called 'mute'"),
        (["genre", "song.flac", "--model", "mute/made.toml"], 2, "it has no labels"),
    ],
)
def test_what_cannot_be_done_is_one_line(run, tmp_path, words, status, reason):
    write_model(tmp_path / "bad", network(["n", 8000], n_labels=2), card_text(hears=_ONE_WINDOW))
    write_model(tmp_path / "named", text=card_text("../made", file="made.onnx"))
    if "mute/made.toml" in words:
        write_model(tmp_path / "mute", text=card_text(gives={"embedding_size": 4}))
    write(tmp_path / "song.flac", seed=0)
    assert reason in complaint(run(*words), status)


_ONE_WINDOW = {"representation": "waveform", "sample_rate_hz": 16000, "window_s": 0.5, "hop_s": 9.0}


def test_names_in_cards_cannot_talk_to_the_terminal(run, tmp_path):
    text = card_text(licence="free\u009b31m").replace("\u009b", "\\u009b")
    write_model(tmp_path / "source", text=text)
    done = run("models", "add", "source")
    assert done.returncode == 0, done.stderr
    assert "\u009b" not in done.stdout + run("models", "info", "made").stdout
