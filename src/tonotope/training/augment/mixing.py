"""Mixup: two clips laid over each other, with the labels of both.

References
----------
H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz, "mixup: beyond empirical risk minimization", ICLR,
2018.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor

__all__ = ["mixup"]


def mixup(
    log_mel: Tensor, targets: Tensor, alpha: float, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Mix each clip of a batch with another one of it.

    Both spectrograms (in dB) and targets become ``w * own + (1 - w) * other``, with a weight `w`
    for each clip from the beta distribution of `alpha` and `alpha`. The others are the batch in
    random order, where a clip may meet itself.

    Parameters
    ----------
    log_mel
        Shape (batch, columns, 128), dB.
    targets
        Shape (batch, n_labels): probabilities.
    alpha
        The larger, the more even the mixture; 0 mixes nothing.
    generator
        Where all chance comes from.

    Returns
    -------
    tuple of Tensor
        The mixed spectrograms and targets.

    Raises
    ------
    ValueError
        If `alpha` is negative or not finite, or the two tensors are not of the same clips.
    """
    if not 0 <= alpha < float("inf"):
        raise ValueError(f"mixup's alpha must be 0 or more, not {alpha}")
    if len(log_mel) != len(targets):
        raise ValueError(f"{len(log_mel)} spectrograms with {len(targets)} targets")
    if alpha == 0:
        return log_mel, targets
    device = generator.device
    # PyTorch draws no beta variables from a generator.
    seed = torch.randint(2**63 - 1, (), generator=generator, device=device)
    weights = np.random.default_rng(int(seed)).beta(alpha, alpha, size=len(log_mel))
    order = torch.randperm(len(log_mel), generator=generator, device=device).to(log_mel.device)
    own = torch.from_numpy(weights).to(log_mel)
    mixed = torch.lerp(log_mel[order], log_mel, own[:, None, None])
    return mixed, torch.lerp(targets[order], targets, own[:, None].to(targets))
