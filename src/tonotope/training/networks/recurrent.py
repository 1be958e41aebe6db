"""Recurrent layers, run in the precision of their weights."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn

__all__ = ["hear_in_order"]


def hear_in_order(layers: nn.GRU | nn.LSTM, sequence: Tensor) -> Tensor:
    """Return what recurrent layers say at each step.

    Under autocast too they keep the precision of their weights: an error of a step goes through
    all later ones, and a step of 32 units gains nothing from bfloat16.

    Parameters
    ----------
    layers
        With ``batch_first``.
    sequence
        Shape (batch, steps, features), of any precision.

    Returns
    -------
    Tensor
        Shape (batch, steps, units), both directions' units where there are two.
    """
    device = sequence.device.type
    # Only where there is something to switch off: an exported network has no place for it.
    off = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    with torch.autocast(device, enabled=False) if off else nullcontext():
        outputs: Tensor = layers(sequence.to(next(layers.parameters()).dtype))[0]
    return outputs
