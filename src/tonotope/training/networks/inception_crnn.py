"""Inception blocks, which hear at several scales at once, then units that hear in both directions.

After the inception blocks of Szegedy et al. (2015), normalised as in Ioffe and Szegedy (2015), and
the recurrent summary of Choi et al. (2017).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from tonotope.training.networks.base import Network
from tonotope.training.networks.recurrent import hear_in_order

__all__ = ["InceptionCRNN"]

_STEM_MAPS = 32
_BRANCH_MAPS = 24
# Columns and bands; with the stem's, 128 bands become 2 and 333 columns 20.
_POOLS = ((2, 4), (2, 4), (2, 2))
_UNITS = 64
_DROPOUT = 0.3


class InceptionCRNN(Network):
    """Three inception blocks with pooling, then a layer of gated units in both directions.

    The embedding is the mean of their states over time.
    """

    def __init__(self, n_labels: int, n_columns: int) -> None:
        super().__init__(n_labels, n_columns, embedding_size=2 * _UNITS)
        self.stem = nn.Sequential(_conv(1, _STEM_MAPS, 3), nn.MaxPool2d(2))
        n_maps = 4 * _BRANCH_MAPS
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(_Inception(n_maps if k else _STEM_MAPS), nn.MaxPool2d(pool))
                for k, pool in enumerate(_POOLS)
            )
        )
        self.recurrent = nn.GRU(2 * n_maps, _UNITS, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(_DROPOUT)

    def embed(self, scaled: Tensor) -> Tensor:
        """Return the mean of the recurrent layer's states."""
        maps: Tensor = self.blocks(self.stem(scaled.unsqueeze(1)))
        steps = maps.transpose(1, 2).flatten(2)
        mean: Tensor = self.dropout(hear_in_order(self.recurrent, steps).mean(dim=1))
        return mean


class _Inception(nn.Module):
    """Four branches side by side: a point, 3 x 3, 5 x 5, and the loudest of 3 x 3."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        n_out = _BRANCH_MAPS
        self.point = _conv(n_in, n_out, 1)
        self.three = nn.Sequential(_conv(n_in, n_out, 1), _conv(n_out, n_out, 3))
        self.five = nn.Sequential(_conv(n_in, n_out, 1), _conv(n_out, n_out, 5))
        self.pooled = _conv(n_in, n_out, 1)

    def forward(self, maps: Tensor) -> Tensor:
        loudest = max_pool2d(maps, 3, stride=1, padding=1)
        branches = [self.point(maps), self.three(maps), self.five(maps), self.pooled(loudest)]
        return torch.cat(branches, dim=1)


def _conv(n_in: int, n_out: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )
