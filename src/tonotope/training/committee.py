"""Several networks heard as one: those of other beginnings err elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import cast

import torch
from torch import Tensor, nn

from tonotope.training.heads import Heads
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
    heads
        What they tell besides the genre; None for nothing.
    """

    def __init__(
        self, members: Sequence[Listener], temperature: float = 1.0, heads: Heads | None = None
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.temperature = temperature
        self.heads = heads
        sizes = [member.network.embedding_size for member in members]
        self.n_embeddings = sum(total <= MAX_EMBEDDING for total in accumulate(sizes)) or 1
        self.embedding_size = sum(sizes[: self.n_embeddings])

    def with_temperature(self, temperature: float) -> Committee:
        """Return the same committee, as sure of itself as `temperature` says."""
        return Committee(list(self.members), temperature, self.heads)  # type: ignore[arg-type]

    def forward(self, log_mel: Tensor) -> tuple[Tensor, ...]:
        """Hear windows, shape (batch, columns, 128).

        Returns
        -------
        tuple of Tensor
            Probabilities (batch, n_labels), embedding, and what each of the other heads says, see
            `tonotope.training.heads.Heads.answers`.
        """
        heard = [member(log_mel) for member in self.members]
        logits = torch.stack([logits.log_softmax(1) for logits, _ in heard]).mean(0)
        embedding = torch.cat([embedding for _, embedding in heard[: self.n_embeddings]], 1)
        probabilities = (logits / self.temperature).softmax(1)
        if self.heads is None or not self.heads.n_outputs:
            return probabilities, embedding
        # Of the excerpts' mean embedding: the layer is linear, so it is their mean answer.
        outputs = [
            cast(Listener, member).network.outputs(own)
            for member, (_, own) in zip(self.members, heard, strict=True)
        ]
        return probabilities, embedding, *self.heads.answers(torch.stack(outputs).mean(0))
