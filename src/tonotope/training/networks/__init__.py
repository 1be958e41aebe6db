"""The networks that can be trained, by name.

Each maps log-mel spectrograms to genre scores and an embedding
(`tonotope.training.networks.base.Network`). Listing them needs no PyTorch; building one does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from tonotope.errors import InputError
from tonotope.training.extras import require

if TYPE_CHECKING:
    from tonotope.training.networks.base import Network

__all__ = ["MIN_COLUMNS", "NETWORKS", "NetworkSpec", "build_network"]

MIN_COLUMNS = 32
"""The shortest spectrogram that every network takes: 2.9 s as in ``gtzan-mel``."""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network that can be built.

    Attributes
    ----------
    name
        What it is called on the command line.
    where
        Module below this one and class, ``"bbnn:BBNN"``.
    input_columns
        The columns of its usual input.
    reference
        Who published it, or whose idea it is.
    summary
        What it consists of, in one line.
    """

    name: str
    where: str
    input_columns: int
    reference: str
    summary: str

    def build(self, n_labels: int, n_columns: int | None = None) -> Network:
        """Return the network with fresh weights, from PyTorch's global random state.

        Parameters
        ----------
        n_labels
            How many genres it tells apart.
        n_columns
            The columns of a clip that it will be given; `input_columns` by default.

        Raises
        ------
        InputError
            If PyTorch is missing, or a number is too small.
        """
        n_columns = self.input_columns if n_columns is None else n_columns
        if n_labels < 1:
            raise InputError(
                f"cannot build network {self.name!r} for {n_labels} labels: "
                "it needs at least 1. Give clips with a genre."
            )
        if n_columns < MIN_COLUMNS:
            raise InputError(
                f"cannot build network {self.name!r} for {n_columns} columns: "
                f"it needs at least {MIN_COLUMNS}. Give longer clips."
            )
        require("torch", f"network {self.name!r}")
        module, _, name = self.where.partition(":")
        network: Network = getattr(import_module(f"{__name__}.{module}"), name)(n_labels, n_columns)
        return network


NETWORKS: Mapping[str, NetworkSpec] = {
    spec.name: spec
    for spec in (
        NetworkSpec(
            "bbnn",
            "bbnn:BBNN",
            647,
            "Liu, Feng, Liu, Wang, Liu: Bottom-up broadcast neural network for music genre "
            "classification, Multimedia Tools and Applications 80, 2021 (arXiv:1901.08928)",
            "three inception blocks, each hearing all that came before it",
        ),
        NetworkSpec("cnn", "cnn:CNN", 333, "a plain baseline", "five convolutions with pooling"),
        NetworkSpec(
            "crnn",
            "crnn:CRNN",
            333,
            "Choi, Fazekas, Sandler, Cho: Convolutional recurrent neural networks for music "
            "classification, ICASSP 2017 (arXiv:1609.04243)",
            "four convolutions with pooling, then two layers of gated recurrent units",
        ),
        NetworkSpec(
            "lstm",
            "lstm:LSTM",
            333,
            "Hochreiter, Schmidhuber: Long short-term memory, Neural Computation 9, 1997",
            "two recurrent layers on the columns of the spectrogram",
        ),
        NetworkSpec(
            "inception-crnn",
            "inception_crnn:InceptionCRNN",
            333,
            "after Szegedy et al.: Going deeper with convolutions, CVPR 2015 (arXiv:1409.4842), "
            "and Choi et al. 2017",
            "three inception blocks with pooling, then recurrent units in both directions",
        ),
        NetworkSpec(
            "tonotope-1",
            "tonotope1:Tonotope1",
            333,
            "Tonotope's own; the preset tonotope-1 is its recipe",
            "five convolutions with pooling, wider than cnn; means and deviations over time",
        ),
    )
}


def build_network(name: str, n_labels: int, n_columns: int | None = None) -> Network:
    """Return a network with fresh weights.

    Parameters
    ----------
    name
        One of `NETWORKS`.
    n_labels
        How many genres it tells apart.
    n_columns
        The columns of a clip that it will be given; the network's usual number by default.

    Raises
    ------
    InputError
        If there is no such network, PyTorch is missing, or a number is too small.
    """
    spec = NETWORKS.get(name)
    if spec is None:
        raise InputError(f"no network is called {name!r}. There are: {', '.join(NETWORKS)}.")
    return spec.build(n_labels, n_columns)
