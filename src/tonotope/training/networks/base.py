"""What all networks share: their input's scale, their head, their two outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tonotope.training.cache import N_BANDS

__all__ = ["Network", "SteppedNetwork"]


class Network(nn.Module):
    """A network from log-mel spectrograms to genre scores and an embedding.

    A subclass gives the trunk, `embed`; the head is one linear layer, so that any trunk can be
    frozen or given another head.

    Parameters
    ----------
    n_labels
        How many genres it tells apart.
    n_columns
        The columns of its usual input; it takes any number from
        `tonotope.training.networks.MIN_COLUMNS`.
    embedding_size
        Length of the embedding.

    Attributes
    ----------
    mean_db
        Shape (128,), the training clips' mean in each band; a buffer.
    deviation_db
        Shape (), their standard deviation; a buffer.
    head
        From the embedding to the scores.
    others
        From the embedding to what other heads tell, see `tonotope.training.heads`; None where
        there are none.
    """

    mean_db: Tensor
    deviation_db: Tensor

    def __init__(self, n_labels: int, n_columns: int, embedding_size: int) -> None:
        super().__init__()
        self.n_labels = n_labels
        self.n_columns = n_columns
        self.embedding_size = embedding_size
        self.register_buffer("mean_db", torch.zeros(N_BANDS))
        self.register_buffer("deviation_db", torch.ones(()))
        self.head = nn.Linear(embedding_size, n_labels)
        self.others: nn.Linear | None = None

    def add_outputs(self, n_outputs: int) -> None:
        """Add a layer for other heads, with fresh weights."""
        self.others = nn.Linear(self.embedding_size, n_outputs)

    def outputs(self, embedding: Tensor) -> Tensor:
        """Return what other heads tell, (batch, n_outputs): nothing without `add_outputs`."""
        if self.others is None:
            return embedding[:, :0]
        outputs: Tensor = self.others(embedding)
        return outputs

    def set_scale(self, mean_db: Tensor, deviation_db: Tensor | float) -> None:
        """Set what the input is normalised with: from the training clips, before training.

        Parameters
        ----------
        mean_db
            Shape (128,): of each band.
        deviation_db
            One number, above 0.
        """
        if mean_db.shape != self.mean_db.shape:
            raise ValueError(f"mean_db has shape {tuple(mean_db.shape)}, expected ({N_BANDS},)")
        if not float(deviation_db) > 0:
            raise ValueError(f"deviation_db is {float(deviation_db)}, expected more than 0")
        with torch.no_grad():
            self.mean_db.copy_(mean_db)
            self.deviation_db.fill_(float(deviation_db))

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Hear clips.

        Parameters
        ----------
        log_mel
            Shape (batch, n_columns, 128), dB from -80 to 0.

        Returns
        -------
        logits, embedding : Tensor
            Shapes (batch, n_labels) and (batch, embedding_size).
        """
        embedding = self.embed(self.scaled(log_mel))
        return self.head(embedding), embedding

    def scaled(self, log_mel: Tensor) -> Tensor:
        """Return the input as the trunk takes it, (batch, n_columns, 128)."""
        return (log_mel - self.mean_db) / self.deviation_db

    def embed(self, scaled: Tensor) -> Tensor:
        """Return the embedding, (batch, embedding_size), of scaled input (batch, columns, 128)."""
        raise NotImplementedError

    if TYPE_CHECKING:  # nn.Module's own is not typed

        def __call__(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
            ...


class SteppedNetwork(Network):
    """A network that hears in steps of some columns and sums them up.

    A subclass gives `steps`.

    Attributes
    ----------
    step_columns
        How many columns a step has.
    step_size
        How many numbers describe it.
    """

    step_columns: int
    step_size: int

    def steps(self, scaled: Tensor) -> Tensor:
        """Return what is heard at each step, (batch, n_columns // step_columns, step_size)."""
        raise NotImplementedError

    def summarise(self, steps: Tensor) -> Tensor:
        """Return the embedding: mean and deviation over time, (batch, 2 * step_size)."""
        # In float32 under autocast, too: small deviations would lose their digits. What is added
        # keeps the gradient of the root finite where nothing changes.
        steps = steps.float()
        deviation = (steps.var(dim=1, correction=0) + 1e-4).sqrt()
        return torch.cat([steps.mean(dim=1), deviation], dim=1)

    def embed(self, scaled: Tensor) -> Tensor:
        """Return the embedding of scaled input."""
        return self.summarise(self.steps(scaled))
