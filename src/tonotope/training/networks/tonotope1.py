"""The network that comes with Tonotope: plain convolutions that keep the time they hear in."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from tonotope.training.networks.base import SteppedNetwork

__all__ = ["Tonotope1"]

_MAPS = (1, 32, 64, 96, 128, 128)
# A step of eight columns is 0.7 s: a teacher's windows of 3 s have four of them.
_HALVINGS_OF_TIME = 3


class Tonotope1(SteppedNetwork):
    """Five times convolution, batch normalisation, ReLU and halving; then means over the bands."""

    step_columns = 2**_HALVINGS_OF_TIME
    step_size = _MAPS[-1]

    def __init__(self, n_labels: int, n_columns: int) -> None:
        super().__init__(n_labels, n_columns, embedding_size=2 * self.step_size)
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
                    nn.BatchNorm2d(n_out),
                    nn.ReLU(),
                    nn.MaxPool2d((2 if k < _HALVINGS_OF_TIME else 1, 2)),
                )
                for k, (n_in, n_out) in enumerate(pairwise(_MAPS))
            )
        )

    def steps(self, scaled: Tensor) -> Tensor:
        """Return what is heard at each step, (batch, n_columns // 8, 128)."""
        maps: Tensor = self.blocks(scaled.unsqueeze(1))
        return maps.mean(dim=3).transpose(1, 2)
