"""Mixup: two clips laid over each other, with the labels of both.

References
----------
H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz, "mixup: beyond empirical risk minimization", ICLR,
2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

__all__ = ["Mixture", "draw_mixture", "mixup"]


@dataclass(frozen=True, slots=True)
class Mixture:
    """How a batch is mixed: with itself in another order.

    Attributes
    ----------
    share
        What each clip keeps of its own, 0 to 1.
    other
        Which clip the rest of each is from, shape (batch,). A clip may meet itself.
    """

    share: float
    other: Tensor

    def of(self, values: Tensor) -> Tensor:
        """Mix what there is of each clip, shape (batch, ...); NaN with anything stays NaN."""
        return values[self.other.to(values.device)].lerp(values, self.share)


def draw_mixture(n_clips: int, alpha: float, generator: Generator) -> Mixture:
    """Draw a share from the beta distribution of `alpha` and `alpha`, and an order.

    One share for a batch, as the paper's own program has it.

    Raises
    ------
    ValueError
        If `alpha` is not above 0 or not finite.
    """
    if not 0 < alpha < float("inf"):
        raise ValueError(f"mixup's alpha must be above 0, not {alpha}")
    # PyTorch draws no beta variables from a generator.
    seed = int(torch.randint(2**63 - 1, (), generator=generator, device=generator.device))
    share = float(np.random.default_rng(seed).beta(alpha, alpha))
    return Mixture(share, torch.randperm(n_clips, generator=generator, device=generator.device))


def mixup(
    log_mel: Tensor, targets: Tensor, alpha: float, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Mix each clip of a batch with another one of it.

    Both spectrograms (in dB) and targets become ``share * own + (1 - share) * other``.

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
    if len(log_mel) != len(targets):
        raise ValueError(f"{len(log_mel)} spectrograms with {len(targets)} targets")
    if alpha == 0:
        return log_mel, targets
    mixture = draw_mixture(len(log_mel), alpha, generator)
    return mixture.of(log_mel), mixture.of(targets)
