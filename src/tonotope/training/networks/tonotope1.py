"""Tonotope's own network: small, made for a few hundred clips and a teacher."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from tonotope.training.cache import N_BANDS
from tonotope.training.networks.base import Network

__all__ = ["Tonotope1"]

_CHANNELS = (24, 48, 72, 96, 128)
# Of the maps of the first two stages, statistics in so many groups of bands.
_N_GROUPS = 8
_N_BANDS_LEFT = N_BANDS // 2**5
_N_WIDE = 256
_EMBEDDING_SIZE = 128


class Tonotope1(Network):
    """Four residual stages, then all bands at once, summed up over time.

    The embedding is made of mean and deviation over time of the last layer and, in eight groups of
    bands, of the first two stages: low layers say how a recording sounds, high ones what is played.
    """

    def __init__(self, n_labels: int, n_columns: int) -> None:
        super().__init__(n_labels, n_columns, _EMBEDDING_SIZE)
        first, *_, last = _CHANNELS
        self.stem = nn.Sequential(
            nn.Conv2d(1, first, 5, stride=(2, 1), padding=2, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
            nn.MaxPool2d((1, 2)),
        )
        self.stages = nn.ModuleList(
            _Stage(n_in, n_out, (2, 2) if k < 3 else (2, 1), 0.1 if k else 0.0)
            for k, (n_in, n_out) in enumerate(pairwise(_CHANNELS))
        )
        self.top = nn.Sequential(nn.BatchNorm2d(last), nn.ReLU())
        self.all_bands = nn.Sequential(
            nn.Conv1d(last * _N_BANDS_LEFT, _N_WIDE, 1, bias=False),
            nn.BatchNorm1d(_N_WIDE),
            nn.ReLU(),
        )
        n_statistics = 2 * (_N_WIDE + _N_GROUPS * (_CHANNELS[1] + _CHANNELS[2]))
        self.summary = nn.Sequential(
            nn.Dropout(0.1),
            nn.Linear(n_statistics, _EMBEDDING_SIZE, bias=False),
            nn.BatchNorm1d(_EMBEDDING_SIZE),
        )
        self.head_dropout = nn.Dropout(0.2)

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Hear clips; see `Network.forward`."""
        embedding = self.embed((log_mel - self.mean_db) / self.deviation_db)
        return self.head(self.head_dropout(embedding)), embedding

    def embed(self, scaled: Tensor) -> Tensor:
        """Return the embedding, (batch, 128), of scaled input (batch, columns, 128)."""
        hidden = scaled.transpose(1, 2).unsqueeze(1).contiguous(memory_format=torch.channels_last)
        hidden = self.stem(hidden)
        statistics = []
        for k, stage in enumerate(self.stages):
            hidden = stage(hidden)
            if k < 2:
                groups = functional.avg_pool2d(hidden, (hidden.shape[2] // _N_GROUPS, 1))
                statistics.append(_over_time(groups.flatten(1, 2)))
        statistics.append(_over_time(self.all_bands(self.top(hidden).flatten(1, 2))))
        embedding: Tensor = self.summary(torch.cat(statistics, 1))
        return embedding


class _Stage(nn.Module):
    """Averages neighbours, then adds what two convolutions find (He et al. 2016)."""

    def __init__(self, n_in: int, n_out: int, pool: tuple[int, int], dropout: float) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(pool)
        self.body = nn.Sequential(
            nn.BatchNorm2d(n_in),
            nn.ReLU(),
            nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Dropout2d(dropout),
            nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
        )
        self.skip = nn.Conv2d(n_in, n_out, 1, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = self.pool(hidden)
        found: Tensor = self.skip(hidden) + self.body(hidden)
        return found


def _over_time(hidden: Tensor) -> Tensor:
    """Return mean and deviation over time, shape (batch, 2 n), of (batch, n, columns)."""
    # float32: of bfloat16's eight bits, a sum over time would keep three.
    hidden = hidden.float()
    mean = hidden.mean(2)
    variance = (hidden - mean.unsqueeze(2)).square().mean(2)
    return torch.cat([mean, (variance + 1e-4).sqrt()], 1)
