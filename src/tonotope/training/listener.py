"""How a trained network is used: in excerpts like those of its training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tonotope.training.networks.base import Network

__all__ = ["Listener"]


class Listener(nn.Module):
    """A network as it is used: it hears a window in excerpts like those of its training.

    Parameters
    ----------
    network
        What was trained.
    crop_columns, n_crops
        The window is judged by so many evenly spread excerpts of this length, which is that of
        training: means over time depend on it. 1 excerpt is the whole window.
    """

    def __init__(self, network: Network, crop_columns: int = 0, n_crops: int = 1) -> None:
        super().__init__()
        self.network = network
        self.crop_columns = crop_columns
        self.n_crops = n_crops

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean scores (batch, n_labels) and embedding of windows (batch, columns, 128)."""
        n_columns = log_mel.shape[1]
        if self.n_crops == 1 or not 0 < self.crop_columns < n_columns:
            logits, embedding = self.network(log_mel)
            return logits, embedding
        last = n_columns - self.crop_columns
        starts = [round(k * last / (self.n_crops - 1)) for k in range(self.n_crops)]
        crops = torch.cat([log_mel[:, s : s + self.crop_columns] for s in starts])
        logits, embedding = self.network(crops)
        shape = self.n_crops, log_mel.shape[0], -1
        return logits.reshape(shape).mean(0), embedding.reshape(shape).mean(0)
