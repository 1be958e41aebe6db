"""A plain convolutional network: the baseline that others have to beat."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from tonotope.training.networks.base import Network

__all__ = ["CNN"]

_MAPS = (1, 16, 32, 64, 96, 128)


class CNN(Network):
    """Five times convolution, batch normalisation, ReLU and halving; then the maps' means."""

    def __init__(self, n_labels: int, n_columns: int) -> None:
        super().__init__(n_labels, n_columns, embedding_size=_MAPS[-1])
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
                    nn.BatchNorm2d(n_out),
                    nn.ReLU(),
                    nn.MaxPool2d(2),
                )
                for n_in, n_out in pairwise(_MAPS)
            )
        )

    def embed(self, scaled: Tensor) -> Tensor:
        """Return the means of the last 128 maps."""
        maps: Tensor = self.blocks(scaled.unsqueeze(1))
        return maps.mean(dim=(2, 3))
