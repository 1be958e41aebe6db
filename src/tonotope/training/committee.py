"""Several networks heard as one: those of other beginnings err elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from tonotope.training.listener import Listener

__all__ = ["MAX_EMBEDDING", "Committee"]

MAX_EMBEDDING = 256


class Committee(nn.Module):
    """The mean of the members' scores, and their embeddings side by side.

    Parameters
    ----------
    members
        Of the same labels. Together their embeddings have `MAX_EMBEDDING` numbers at most: those
        of members beyond are left out.
    temperature
        What the mean scores are divided by (Guo et al., "On calibration of modern neural
        networks", 2017).
    """

    def __init__(self, members: Sequence[Listener], temperature: float = 1.0) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.temperature = temperature
        sizes = [member.network.embedding_size for member in members]
        self.n_embeddings = sum(total <= MAX_EMBEDDING for total in accumulate(sizes)) or 1
        self.embedding_size = sum(sizes[: self.n_embeddings])

    def with_temperature(self, temperature: float) -> Committee:
        """Return the same committee, as sure of itself as `temperature` says."""
        return Committee(list(self.members), temperature)  # type: ignore[arg-type]

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities (batch, n_labels) and embedding of windows (batch, columns, 128)."""
        heard = [member(log_mel) for member in self.members]
        logits = torch.stack([logits.log_softmax(1) for logits, _ in heard]).mean(0)
        embedding = torch.cat([embedding for _, embedding in heard[: self.n_embeddings]], 1)
        return (logits / self.temperature).softmax(1), embedding
