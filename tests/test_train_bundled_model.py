from __future__ import annotations

import csv
import hashlib
import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from support.caches import GENRES, write_cache
from tonotope.models.cards import BUNDLED_CARD, read_card
from tonotope.models.frontend import Window
from tonotope.models.network import GenreNetwork
from tonotope.training.cache import decibels, read_cache

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "train_bundled_model.py"

needs_torch = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "onnx", "onnxscript")),
    reason="needs the extra 'train' (PyTorch and ONNX)",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what the script makes of a small data set."""
    folder = tmp_path_factory.mktemp("trained")
    data = write_cache(folder / "data", {"train": 6, "valid": 3}, n_columns=333)
    names = [clip.name for clip in read_cache(data).clips if clip.split == "train"]
    tags = np.random.default_rng(1).uniform(0.01, 0.99, (28 * len(names), 5))
    np.savez(data / "musicnn_taggram_train.npz", clip=np.repeat(names, 28), tags=tags)
    command = [sys.executable, SCRIPT, "--data", data, "--work", folder / "work"]
    done = subprocess.run(
        [*command, "--out", folder / "out", "--epochs", "1"],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@needs_torch
def test_the_card_describes_the_file_and_the_runs(trained: Path) -> None:
    card = read_card(trained / "out" / "tonotope-1.toml")
    assert hashlib.sha256(card.file.read_bytes()).hexdigest() == card.sha256
    assert card.labels == GENRES
    assert card.document["data"]["train_clips"] == 27  # both parts, for the weights in the file
    assert card.document["measured"]["valid_n"] == 9  # but measured on the valid part
    first = tomllib.loads((trained / "work" / "train" / "model.toml").read_text("utf-8"))
    assert first["data"]["train_clips"] == 18
    assert card.document["measured"]["valid_accuracy"] == first["measured"]["accuracy"]
    assert card.document["made"]["temperature"] == first["made"]["temperature"]
    assert card.document["output"].get("unknown_below") == first["output"].get("unknown_below")
    assert len(card.document["trained_on"]["clips"]) == 27


@needs_torch
def test_the_network_can_be_used(trained: Path) -> None:
    network = GenreNetwork(read_card(trained / "out" / "tonotope-1.toml"))
    mel = read_cache(trained / "data").mel[0]
    heard = network.hear(Window(0.0, decibels(mel)))
    assert heard.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert heard.embedding.shape == (256,)


@needs_torch
def test_nothing_tells_of_the_machine(trained: Path) -> None:
    for path in sorted((trained / "out").iterdir()):
        content = path.read_bytes()
        for trace in (os.fspath(ROOT), os.fspath(trained), sys.prefix, "site-packages"):
            assert trace.encode() not in content, path


def test_bundled_network_is_the_one_its_card_describes() -> None:
    card = read_card(BUNDLED_CARD)
    model = card.file.read_bytes()
    assert hashlib.sha256(model).hexdigest() == card.sha256
    assert len(model) < 10_000_000


@pytest.mark.data
def test_bundled_network_knows_what_it_was_trained_on(data_dir: Path) -> None:
    card = read_card(BUNDLED_CARD)
    folder = data_dir / "gtzan-mel"
    cache = read_cache(folder)
    assert card.labels == cache.labels
    with (folder / "clips.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == sum(
            card.document["data"].get(f"{part}_clips", 0) for part in ("train", "valid")
        )
    network = GenreNetwork(card)
    rows = range(0, len(cache.clips), 8)
    right = [
        card.labels[int(network.hear(Window(0.0, decibels(cache.mel[k]))).probabilities.argmax())]
        == cache.clips[k].genre
        for k in rows
    ]
    # Weights that have heard these clips; no measure of anything else.
    assert np.mean(right) > 0.8
