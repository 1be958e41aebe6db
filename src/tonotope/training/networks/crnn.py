"""CRNN, the convolutional recurrent network of Choi et al. (2017), for our spectrograms."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from tonotope.training.networks.base import Network
from tonotope.training.networks.recurrent import hear_in_order

__all__ = ["CRNN"]

_MAPS = (1, 64, 128, 128, 128)
# Columns and bands. The bands as published, which leaves one of 128. The published input has 1366
# columns of 21 ms, pooled to steps of 2.0 s; ours has columns of 90 ms, pooled to steps of 2.2 s.
_POOLS = ((2, 2), (2, 3), (2, 4), (3, 4))
_UNITS = 32
_CONV_DROPOUT = 0.1
_RECURRENT_DROPOUT = 0.3


class CRNN(Network):
    """Four convolutions with ELU that pool all bands into one, then two layers of gated units.

    Maps, units and dropout are those of the authors' published code. The embedding is the second
    layer's last state.

    References
    ----------
    K. Choi, G. Fazekas, M. Sandler, K. Cho, "Convolutional recurrent neural networks for music
    classification", ICASSP 2017.
    """

    def __init__(self, n_labels: int, n_columns: int) -> None:
        super().__init__(n_labels, n_columns, embedding_size=_UNITS)
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(n_in, n_out, 3, padding=1),
                    nn.BatchNorm2d(n_out),
                    nn.ELU(),
                    nn.MaxPool2d(pool),
                    nn.Dropout(_CONV_DROPOUT),
                )
                for (n_in, n_out), pool in zip(pairwise(_MAPS), _POOLS, strict=True)
            )
        )
        self.recurrent = nn.GRU(_MAPS[-1], _UNITS, num_layers=2, batch_first=True)
        self.dropout = nn.Dropout(_RECURRENT_DROPOUT)

    def embed(self, scaled: Tensor) -> Tensor:
        """Return the last state of the second recurrent layer."""
        maps = self.blocks(scaled.unsqueeze(1)).squeeze(3)
        last: Tensor = self.dropout(hear_in_order(self.recurrent, maps.transpose(1, 2))[:, -1])
        return last
