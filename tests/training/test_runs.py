"""Runs as people start them: by the command, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from support.caches import GENRES, write_cache
from tonotope.models.cards import read_card
from tonotope.models.frontend import Window
from tonotope.models.network import GenreNetwork
from tonotope.training.cache import decibels, read_cache
from tonotope.training.checkpoints import CHECKPOINT_FILE, load_checkpoint, weights_of

Command = Callable[..., subprocess.CompletedProcess[str]]

QUICK = (
    "--threads", "1", "--set", "precision=float32", "--set", "batch_size=6", "--device", "cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("caches") / "cache"
    return write_cache(folder, {"train": 6, "valid": 3, "test": 3}, n_columns=333)


def train(tonotope: Command, cache: Path, out: Path, *arguments: str, epochs: int = 2) -> dict:
    done = tonotope(
        "train",
        "--data",
        cache,
        "--out",
        out,
        "--epochs",
        str(epochs),
        *QUICK,
        "--json",
        *arguments,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_run_leaves_a_model_that_can_be_used(
    tonotope: Command, cache: Path, tmp_path: Path
) -> None:
    result = train(tonotope, cache, tmp_path / "run", "--set", "members=2")
    assert (result["n"], result["part"], result["leaky"]) == (9, "test", False)
    network = GenreNetwork(read_card(tmp_path / "run" / "model.toml"))
    assert network.card.labels == GENRES
    clips = read_cache(cache)
    heard = [network.hear(Window(0.0, decibels(mel))) for mel in clips.mel[-9:]]
    right = [
        GENRES[int(h.probabilities.argmax())] == clip.genre
        for h, clip in zip(heard, clips.clips[-9:], strict=True)
    ]
    assert np.mean(right) == pytest.approx(result["accuracy"], abs=1e-6)
    assert len(heard[0].embedding) == network.card.embedding_size == 256
    made = network.card.document["made"]
    assert made["int8"]["largest_difference"] < 0.2
    assert (tmp_path / "run" / made["int8"]["file"]).exists()
    assert not list((tmp_path / "run").rglob("tensorboard"))  # nobody asked for it
    assert (tmp_path / "run" / "member-1" / "curves.png").read_bytes().startswith(b"\x89PNG")
    rows = (tmp_path / "run" / "member-2" / "curves.csv").read_text().splitlines()
    assert rows[0].startswith("epoch,train_loss,train_accuracy,valid_loss")
    assert len(rows) == 3
    # What it was trained on, it is not judged by unknowingly.
    words = ("evaluate", "--model", tmp_path / "run", "--data", cache, "--part", "train", "--json")
    marked = tonotope(*words)
    assert json.loads(marked.stdout)["leaky"] is True
    assert "leaky" in marked.stderr


def test_kill_and_go_on_to_the_bit(tonotope: Command, cache: Path, tmp_path: Path) -> None:
    arguments = ["train", "--data", cache, "--out", tmp_path / "killed", "--epochs", "4", *QUICK]
    arguments += ["--set", "augment=gain,time-mask"]
    running = subprocess.Popen(
        [sys.executable, "-m", "tonotope", *map(os.fspath, arguments)], stderr=subprocess.DEVNULL
    )
    deadline_s = time.monotonic() + 100
    while not (tmp_path / "killed" / CHECKPOINT_FILE).exists():
        assert running.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    n_before = len(load_checkpoint(tmp_path / "killed")["history"])
    assert n_before < 4
    resumed = train(
        tonotope, cache, tmp_path / "killed", "--set", "augment=gain,time-mask", epochs=4
    )
    whole = train(tonotope, cache, tmp_path / "whole", "--set", "augment=gain,time-mask", epochs=4)
    first, second = (weights_of(tmp_path / name) for name in ("killed", "whole"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert resumed["accuracy"] == whole["accuracy"]
    again = tonotope(*arguments)
    assert again.returncode == 0
    assert again.stderr == ""  # it was finished: no epoch was trained


def leaky_cache(folder: Path, kind: str) -> Path:
    shared: list[dict[str, str]] = [{} for _ in range(27)]
    if kind in ("artist", "recording"):
        shared[0] = {kind: "Shared One"}
        shared[18] = {kind: "Shared One"}
    write_cache(folder, {"train": 6, "valid": 3}, rows=shared)
    if kind == "sound":
        mel = np.load(folder / "mel.npy")
        mel[18] = mel[0]
        np.save(folder / "mel.npy", mel)
    return folder


@pytest.mark.parametrize("kind", ["artist", "recording", "sound"])
def test_each_kind_of_leak_is_refused_by_name(tonotope: Command, tmp_path: Path, kind: str) -> None:
    cache = leaky_cache(tmp_path / "cache", kind)
    refused = tonotope("train", "--data", cache, "--out", tmp_path / "run", "--epochs", "1", *QUICK)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "high.train.000" in refused.stderr
    assert "high.valid.000" in refused.stderr
    assert "--allow-leaks" in refused.stderr
    assert not (tmp_path / "run").exists()


def test_an_allowed_leak_is_on_record_for_good(tonotope: Command, tmp_path: Path) -> None:
    cache = leaky_cache(tmp_path / "cache", "artist")
    result = train(tonotope, cache, tmp_path / "run", "--allow-leaks", epochs=1)
    assert result["leaky"]
    assert any("shared one" in line.lower() for line in result["leaks"])
    assert json.loads((tmp_path / "run" / "result.json").read_text())["leaky"]
    assert read_card(tmp_path / "run" / "model.toml").document["data"]["leaky"] is True


def test_several_splits_side_by_side(tonotope: Command, tmp_path: Path) -> None:
    cache = write_cache(tmp_path / "cache", {"train": 4, "valid": 2})
    done = tonotope(
        "train", "--data", cache, "--out", tmp_path / "run", "--epochs", "1", *QUICK,
        "--split", "official,random",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 splits" in done.stdout
    assert done.stdout.count("honest") == 4  # each split, and each way to split
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    first, second = result["splits"]
    assert result["accuracy"] == first["accuracy"]
    assert result["protocols"]["random"]["accuracy"] == second["accuracy"]


def test_folds_are_averaged(tonotope: Command, cache: Path, tmp_path: Path) -> None:
    done = tonotope(
        "train", "--model", "knn", "--data", cache, "--split", "artist:3,official", "--json",
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    accuracies = [each["accuracy"] for each in result["splits"]]
    assert len(accuracies) == 4
    assert result["accuracy"] == pytest.approx(np.mean(accuracies[:3]), abs=1e-6)
    assert result["accuracy_deviation"] == pytest.approx(np.std(accuracies[:3]), abs=1e-6)
    assert result["protocols"]["artist:3"]["folds"] == 3
    assert result["protocols"]["artist:3"]["n"] == 36


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--freeze"], "say which, with --from"),
        (["--model", "svm", "--freeze"], "learns without --from, --freeze, --tensorboard"),
        (["--model", "svm", "--set", "epochs=3"], "learns without epochs"),
        (["--from", "nowhere"], "cannot begin with 'nowhere'"),
        (["--split", ","], "name one way to split"),
        (["--seed", "99999999999999999999"], "at most"),
        (["--model", "resnet"], "no network is called 'resnet'"),
        (["--preset", "liu2021"], "no preset 'liu2021'"),
        (["--set", "epochs"], "expected name=value"),
        (["--set", "batch=3"], "no setting 'batch'"),
        (["--split", "official-ish"], "no split is called"),
        (["--set", "augment=reverb"], "no augmentation of spectrograms is called 'reverb'"),
        (["--device", "cuda"], "no CUDA device"),
    ],
)
def test_wrong_usage_is_one_line(
    tonotope: Command, cache: Path, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is one")
    done = tonotope("train", "--data", cache, "--out", tmp_path / "run", *arguments)
    assert done.returncode == 2
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


def test_describe(tonotope: Command) -> None:
    done = tonotope("train", "--model", "bbnn", "--describe", "--json")
    document = json.loads(done.stdout)
    assert document["input_shape"] == [128, 647]
    assert document["trainable_weights"] == 185_642
    assert 1 < document["gflop_per_clip"] < 10


def test_two_processes_train_one_network(tmp_path: Path) -> None:
    cache = write_cache(tmp_path / "cache", {"train": 6, "valid": 3})
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m"]
    command += ["tonotope", "train", "--data", cache, "--out", tmp_path / "run", "--json"]
    done = subprocess.run(
        [*map(os.fspath, command), "--epochs", "3", *QUICK],
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n"] == 9  # said once
    assert done.stderr.count("epoch 3 of 3") == 1
    history = load_checkpoint(tmp_path / "run")["history"]
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3]
    # A run that was interrupted after its last epoch goes on in both.
    first = json.loads(done.stdout)
    (tmp_path / "run" / "result.json").unlink()
    again = subprocess.run(
        [*map(os.fspath, command), "--epochs", "3", *QUICK],
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == first
