"""BBNN, the bottom-up broadcast network of Liu et al. (2020), exactly as published.

A shallow convolution, three inception blocks of which each hears everything that came before it,
a transition to few maps, and a linear decision over their means: 185 642 trainable weights for ten
genres, whatever the length of the input.

Every convolution but the first has a batch normalisation of its input and a ReLU after it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from tonotope.training.networks.base import Network

__all__ = ["BBNN"]

_MAPS = 32
_N_BLOCKS = 3
_MAPS_OF_BLOCK = 4 * _MAPS


def _norm(n_maps: int) -> nn.BatchNorm2d:
    # Keras' defaults; its momentum is the complement of PyTorch's.
    return nn.BatchNorm2d(n_maps, eps=1e-3, momentum=0.01)


class _NormConv(nn.Module):
    """Batch normalisation, convolution, ReLU."""

    def __init__(self, n_maps: int, kernel: int) -> None:
        super().__init__()
        self.norm = _norm(n_maps)
        self.conv = nn.Conv2d(n_maps, _MAPS, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.conv(self.norm(x)))


class _Inception(nn.Module):
    def __init__(self, n_maps: int) -> None:
        super().__init__()
        self.point = _NormConv(n_maps, 1)
        self.before_3 = _NormConv(n_maps, 1)
        self.conv_3 = _NormConv(_MAPS, 3)
        self.before_5 = _NormConv(n_maps, 1)
        self.conv_5 = _NormConv(_MAPS, 5)
        self.pooled = _NormConv(n_maps, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(
            [
                self.point(x),
                self.conv_3(self.before_3(x)),
                self.conv_5(self.before_5(x)),
                self.pooled(max_pool2d(x, 3, stride=1, padding=1)),
            ],
            dim=1,
        )


class BBNN(Network):
    """Liu et al.'s network: see the module."""

    def __init__(self, n_labels: int, n_columns: int) -> None:
        super().__init__(n_labels, n_columns, embedding_size=_MAPS)
        self.shallow = nn.Conv2d(1, _MAPS, 3, padding=1)
        self.shallow_norm = _norm(_MAPS)
        self.blocks = nn.ModuleList(
            _Inception(_MAPS + k * _MAPS_OF_BLOCK) for k in range(_N_BLOCKS)
        )
        self.transition = _NormConv(_MAPS + _N_BLOCKS * _MAPS_OF_BLOCK, 1)
        self.decision_norm = _norm(_MAPS)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                # As Keras begins, which the published learning rate of 0.01 belongs to.
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def embed(self, scaled: Tensor) -> Tensor:
        """Return the means of the 32 maps after the transition."""
        x = relu(self.shallow_norm(self.shallow(scaled.unsqueeze(1))))
        heard = max_pool2d(x, (4, 1))
        for block in self.blocks:
            heard = torch.cat([heard, block(heard)], dim=1)
        maps: Tensor = self.decision_norm(max_pool2d(self.transition(heard), 2))
        return maps.mean(dim=(2, 3))
