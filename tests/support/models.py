"""Small networks with their cards, made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WAVEFORM = {
    "representation": "waveform",
    "sample_rate_hz": 16000,
    "window_s": 0.5,
    "hop_s": 0.25,
}
LOG_MEL = {
    "representation": "log-mel",
    "sample_rate_hz": 16000,
    "n_fft": 512,
    "hop_length": 256,
    "n_mels": 96,
    "mel_scale": "slaney",
    "norm": "slaney",
    "f_min_hz": 0,
    "f_max_hz": 8000,
    "power": 2,
    "log": "log10(1+10000x)",
    "window_s": 2.048,
    "hop_s": 0.992,
    "layout": "time,band",
}
LABELS = ["blues", "rock", "polka"]


def network(
    input_shape: list[Any],
    *,
    n_labels: int = 3,
    embedding_size: int = 4,
    softmax: bool = True,
    over_time: bool = False,
    factor: float = 1.0,
    n_inputs: int = 1,
    input_type: int = TensorProto.FLOAT,
    names: tuple[str, str] = ("probabilities", "embedding"),
) -> bytes:
    """Return a network: mean and root mean square of a window, and what is linear in both.

    With `over_time` the embedding has an axis of three equal steps of time.
    """
    rng = np.random.default_rng(1)
    axes = np.arange(1, len(input_shape))
    constants = {
        "axes": axes.astype(np.int64),
        "last": np.array([1], np.int64),
        "to_labels": (rng.standard_normal((2, n_labels)) * factor).astype(np.float32),
        "to_embedding": rng.standard_normal((2, embedding_size)).astype(np.float32),
        "steps": np.array([1, 3, 1], np.int64),
    }
    score = "logits" if softmax else names[0]
    vector = "vector" if over_time else names[1]
    nodes = [
        helper.make_node("Cast", ["input"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers", "axes"], ["mean"], keepdims=0),
        helper.make_node("ReduceL2", ["numbers", "axes"], ["level"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "last"], ["mean_column"]),
        helper.make_node("Unsqueeze", ["level", "last"], ["level_column"]),
        helper.make_node("Concat", ["mean_column", "level_column"], ["both"], axis=1),
        helper.make_node("MatMul", ["both", "to_labels"], [score]),
        helper.make_node("MatMul", ["both", "to_embedding"], [vector]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", [score], [names[0]], axis=1))
    embedding_shape: list[Any] = ["batch", embedding_size]
    if over_time:
        nodes.append(helper.make_node("Unsqueeze", [vector, "last"], ["one_step"]))
        nodes.append(helper.make_node("Tile", ["one_step", "steps"], [names[1]]))
        embedding_shape = ["batch", "time", embedding_size]
    inputs = ["input", "mask"][:n_inputs]
    graph = helper.make_graph(
        nodes,
        "made for tests",
        [helper.make_tensor_value_info(name, input_type, input_shape) for name in inputs],
        [
            helper.make_tensor_value_info(names[0], TensorProto.FLOAT, ["batch", n_labels]),
            helper.make_tensor_value_info(names[1], TensorProto.FLOAT, embedding_shape),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def card_text(
    name: str = "made",
    *,
    hears: dict[str, Any] = WAVEFORM,
    gives: dict[str, Any] | None = None,
    **keys: Any,
) -> str:
    """Return a card, as TOML."""
    if gives is None:
        gives = {"labels": LABELS, "embedding_size": 4}
    top = {"name": name, "version": "1", "licence": "CC0-1.0", **keys}
    tables = {"input": hears, "output": gives}
    lines = [f"{key} = {_toml(value)}" for key, value in top.items()]
    for table, values in tables.items():
        lines += [f"[{table}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def write_model(folder: Path, model: bytes | None = None, text: str | None = None) -> Path:
    """Write a network with its card, by default one of waveforms; return the card's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "made.onnx").write_bytes(network(["batch", 8000]) if model is None else model)
    (folder / "made.toml").write_text(card_text() if text is None else text, "utf-8")
    return folder / "made.toml"


def _toml(value: Any) -> str:
    return repr(value) if not isinstance(value, list) else "[" + ", ".join(map(_toml, value)) + "]"
