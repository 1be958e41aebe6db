"""Clips, predictions, and small models and caches to be evaluated.

A clip of genre k has its sound in band k, and the network looks there.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from support.models import card_text
from tonotope.training.clips import Clip
from tonotope.training.evaluation.evaluate import Predictions
from tonotope.training.evaluation.provenance import provenance

LABELS = ("blues", "polka", "rock")


def clips_of(n: int = 12, **values: str) -> list[Clip]:
    return [Clip(f"clip {k}", LABELS[k % 3], artist=f"artist {k // 2}", **values) for k in range(n)]


def made_predictions(clips: Sequence[Clip], guesses: Sequence[str], sure: float = 0.8):
    shares = np.full((len(clips), 3), (1 - sure) / 2)
    shares[np.arange(len(clips)), [LABELS.index(guess) for guess in guesses]] = sure
    genre = np.array([LABELS.index(clip.genre) for clip in clips])
    return Predictions(LABELS, shares, genre, tuple(clips))


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
