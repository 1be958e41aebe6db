"""From a trained network to the file that Tonotope runs: ONNX in float32 and in int8, compared."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tonotope.errors import ModelError
from tonotope.features.stft import Float32Array
from tonotope.training.extras import require
from tonotope.training.run_folders import write_whole

__all__ = ["Exported", "export_int8", "export_onnx", "hear"]

_INPUT, _OUTPUTS = "log_mel", ("probabilities", "embedding")
# By how much ONNX Runtime's answers may differ from PyTorch's.
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written.

    Attributes
    ----------
    path
        The ONNX file.
    difference
        The largest difference of a probability from what it was made of, over the clips compared.
    same_answers
        Share of the clips compared whose likeliest genre is the same.
    others
        The largest difference of each of the other heads, by name, in its unit.
    """

    path: Path
    difference: float
    same_answers: float
    others: Mapping[str, float] = field(default_factory=dict)


def export_onnx(
    listener: nn.Module, path: Path, log_mel: Float32Array, heads: Sequence[str] = ()
) -> Exported:
    """Write a network as ONNX in float32, and compare the two.

    Parameters
    ----------
    listener
        Returns probabilities and embedding, see `tonotope.training.committee.Committee`.
    path
        Where to.
    log_mel
        Windows to compare on, shape (n, n_columns, 128), 2 at least.
    heads
        Names of what it returns besides.

    Raises
    ------
    ModelError
        If ONNX Runtime gives other answers.
    PathError
        If the file cannot be written.
    """
    require("onnx", "exporting a network")
    listener = listener.eval()
    example = torch.from_numpy(log_mel[:2])
    with _quiet():
        program = torch.onnx.export(
            listener,
            (example,),
            dynamo=True,
            input_names=[_INPUT],
            output_names=[*_OUTPUTS, *heads],
            dynamic_shapes={"log_mel": {0: torch.export.Dim("batch", min=1, max=1024)}},
            verbose=False,
        )
    if program is None:
        raise ModelError(f"cannot export to '{path}': PyTorch gave no program. Report it.")
    proto = program.model_proto
    # The exporter notes stack traces, with the paths of the machine it ran on.
    for noted in (proto, proto.graph, *proto.graph.node, *proto.graph.value_info):
        noted.ClearField("metadata_props")
        noted.ClearField("doc_string")
    write_whole(path, proto.SerializeToString(deterministic=True))
    with torch.no_grad():
        heard = [listener(torch.from_numpy(clip[np.newaxis])) for clip in log_mel]
    expected = [torch.cat(parts).numpy() for parts in zip(*heard, strict=True)]
    exported = _compared(path, log_mel, expected, heads)
    # What is no probability has a size of its own.
    sizes = [max(1.0, float(np.abs(answers).max())) for answers in expected[len(_OUTPUTS) :]]
    differences = {"probabilities": exported.difference} | {
        name: difference / size
        for (name, difference), size in zip(exported.others.items(), sizes, strict=True)
    }
    for name, difference in differences.items():
        if not difference < _TOLERANCE:
            path.unlink()
            raise ModelError(
                f"'{path}' would differ from the trained network by {difference:.1e} in {name}: "
                "not written. Please report it."
            )
    return exported


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporters note about their own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def hear(path: Path, log_mel: Float32Array, heads: Sequence[str] = ()) -> list[Float32Array]:
    """Return the probabilities and embeddings, and what other heads say, of an ONNX file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    names = [*_OUTPUTS, *heads]
    answers = [session.run(names, {_INPUT: clip[np.newaxis]}) for clip in log_mel]
    return [np.concatenate(parts) for parts in zip(*answers, strict=True)]


def _compared(
    path: Path, log_mel: Float32Array, expected: Sequence[Float32Array], heads: Sequence[str]
) -> Exported:
    found = hear(path, log_mel, heads)
    differences = [
        float(np.abs(one - other).max()) for one, other in zip(found, expected, strict=True)
    ]
    return Exported(
        path,
        differences[0],
        float((found[0].argmax(1) == expected[0].argmax(1)).mean()),
        dict(zip(heads, differences[len(_OUTPUTS) :], strict=True)),
    )


class _Clips:
    """Windows as ONNX Runtime's quantizer asks for them."""

    def __init__(self, log_mel: Float32Array) -> None:
        self._windows = iter(log_mel)

    def get_next(self) -> dict[str, Any] | None:
        window = next(self._windows, None)
        return None if window is None else {_INPUT: window[np.newaxis]}

    def set_range(self, start_index: int, end_index: int) -> None:
        """Part of the interface; all windows are used."""


def export_int8(
    path: Path,
    int8_path: Path,
    log_mel: Float32Array,
    compared: Float32Array,
    heads: Sequence[str] = (),
) -> Exported:
    """Write an ONNX file anew in 8 bits, and compare its answers with the original's.

    Parameters
    ----------
    path
        In float32.
    int8_path
        Where to.
    log_mel
        Training windows that the ranges are measured on, shape (n, n_columns, 128); of all genres.
    compared
        Other windows, on which the answers are compared.
    heads
        Names of the other heads' outputs.

    References
    ----------
    B. Jacob et al., "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", 2018.
    """
    require("onnx", "quantising a network")
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with _quiet():
        quantize_static(
            path,
            int8_path,
            _Clips(log_mel),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
        )
    return _compared(int8_path, compared, hear(path, compared, heads), heads)
