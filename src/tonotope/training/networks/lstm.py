"""A recurrent network on the spectrogram's columns."""

from __future__ import annotations

from torch import Tensor, nn

from tonotope.training.cache import N_BANDS
from tonotope.training.networks.base import Network
from tonotope.training.networks.recurrent import hear_in_order

__all__ = ["LSTM"]

_UNITS = 128
_DROPOUT = 0.3


class LSTM(Network):
    """Two layers of long short-term memory; the embedding is the mean of their states over time.

    The mean rather than the last state: what 30 s of music are is not said by their end.

    References
    ----------
    S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9, 1997.
    """

    def __init__(self, n_labels: int, n_columns: int) -> None:
        super().__init__(n_labels, n_columns, embedding_size=_UNITS)
        self.recurrent = nn.LSTM(N_BANDS, _UNITS, num_layers=2, batch_first=True, dropout=_DROPOUT)
        self.dropout = nn.Dropout(_DROPOUT)

    def embed(self, scaled: Tensor) -> Tensor:
        """Return the mean of the second layer's states."""
        mean: Tensor = self.dropout(hear_in_order(self.recurrent, scaled).mean(dim=1))
        return mean
