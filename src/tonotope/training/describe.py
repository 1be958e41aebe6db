"""How large a model is, said before it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tonotope.errors import InputError
from tonotope.training.cache import N_BANDS
from tonotope.training.classical import CLASSICAL
from tonotope.training.clip_features import DEFAULT_FEATURES, n_features
from tonotope.training.networks import NETWORKS

if TYPE_CHECKING:
    from tonotope.training.networks.base import Network

__all__ = ["describe"]


def describe(name: str, n_labels: int = 10, n_columns: int | None = None) -> dict[str, Any]:
    """Return the size of a model.

    Parameters
    ----------
    name
        A network or a classical model.
    n_labels
        How many genres it tells apart.
    n_columns
        The columns of a clip; the network's usual number by default.

    Returns
    -------
    dict
        ``input_shape``: of a clip, [128, columns], or of a classical model's usual features, [n].
        ``trainable_weights`` and ``gflop_per_clip``: of hearing one clip, a multiplication with
        its addition counted as two operations, convolutions and matrix products only. Both are
        None for a classical model: they come from the data.

    Raises
    ------
    InputError
        If there is no such model, or PyTorch is missing.
    """
    if name in CLASSICAL:
        size = n_features(DEFAULT_FEATURES)
        return {"input_shape": [size], "trainable_weights": None, "gflop_per_clip": None}
    if name not in NETWORKS:
        names = ", ".join([*NETWORKS, *CLASSICAL])
        raise InputError(f"no model is called {name!r}. There are: {names}.")
    network = NETWORKS[name].build(n_labels, n_columns)
    return {
        "input_shape": [N_BANDS, network.n_columns],
        "trainable_weights": sum(w.numel() for w in network.parameters() if w.requires_grad),
        "gflop_per_clip": round(_flop(network) / 1e9, 6),
    }


def _flop(network: Network) -> int:
    """Return the operations of hearing one clip, in eval mode, without doing them."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    # Tensors without values: also, only these have recurrent layers spelt out as products.
    without_values = torch.device("meta")
    network = network.eval().to(without_values)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.empty(1, network.n_columns, N_BANDS, device=without_values))
    return int(counter.get_total_flops())
