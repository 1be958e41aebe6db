"""ONNX files, checked against their cards and opened on one thread."""

from __future__ import annotations

import hashlib
from typing import Any

import onnxruntime

from tonotope.errors import ModelError
from tonotope.models.cards import ModelCard

__all__ = ["one_line", "open_session"]


def open_session(card: ModelCard) -> Any:
    """Return the ONNX Runtime session of a card's network.

    Raises
    ------
    ModelError
        If the file is missing, is not the one the card describes, or is no usable network.
    """
    try:
        model = card.file.read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot read network '{card.file}': {error.strerror}. Reinstall the model."
        ) from error
    if card.sha256 is not None and hashlib.sha256(model).hexdigest() != card.sha256:
        raise ModelError(
            f"network '{card.file}' is not the one its card describes (sha256 differs). "
            "Reinstall the model."
        )
    options = onnxruntime.SessionOptions()
    # Tracks run in parallel; a second thread within a window costs more than it gives.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own types share no base but this
        is_split = "external" in str(error).lower()
        mend = (
            "Export it with its weights inside, as one file" if is_split else "Reinstall the model"
        )
        raise ModelError(
            f"network '{card.file}' does not load: {one_line(error)}. {mend}."
        ) from error


def one_line(error: Exception) -> str:
    """Return the first sentence of what ONNX Runtime says, without the full stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].strip().rstrip(".")
