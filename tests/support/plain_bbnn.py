"""BBNN as the paper draws it: nothing shared, everything stacked. What ours is compared with."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu


def _norm(n_maps: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(n_maps, eps=1e-3, momentum=0.01)


class _Layer(nn.Module):
    def __init__(self, n_maps: int, kernel: int) -> None:
        super().__init__()
        self.norm = _norm(n_maps)
        self.conv = nn.Conv2d(n_maps, 32, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.conv(self.norm(x)))


class _Block(nn.Module):
    def __init__(self, n_maps: int) -> None:
        super().__init__()
        self.point = _Layer(n_maps, 1)
        self.before_3 = _Layer(n_maps, 1)
        self.conv_3 = _Layer(32, 3)
        self.before_5 = _Layer(n_maps, 1)
        self.conv_5 = _Layer(32, 5)
        self.pooled = _Layer(n_maps, 1)

    def forward(self, x: Tensor) -> Tensor:
        branches = (
            self.point(x),
            self.conv_3(self.before_3(x)),
            self.conv_5(self.before_5(x)),
            self.pooled(max_pool2d(x, 3, stride=1, padding=1)),
        )
        return torch.cat(branches, dim=1)


class PlainBBNN(nn.Module):
    """The published layers in the published order; scaled input of shape (batch, columns, 128)."""

    def __init__(self, n_labels: int) -> None:
        super().__init__()
        self.shallow = nn.Conv2d(1, 32, 3, padding=1)
        self.shallow_norm = _norm(32)
        self.blocks = nn.ModuleList(_Block(32 + 128 * k) for k in range(3))
        self.transition = _Layer(32 + 128 * 3, 1)
        self.decision_norm = _norm(32)
        self.head = nn.Linear(32, n_labels)

    def forward(self, scaled: Tensor) -> Tensor:
        x = relu(self.shallow_norm(self.shallow(scaled[:, None])))
        stack = max_pool2d(x, (4, 1))
        for block in self.blocks:
            stack = torch.cat([stack, block(stack)], dim=1)
        x = max_pool2d(self.transition(stack), (2, 2))
        return self.head(self.decision_norm(x).mean(dim=(2, 3)))
