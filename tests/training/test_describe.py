"""How large models are, against sums made by hand."""

from __future__ import annotations

import subprocess
import sys

import pytest
from torch import Tensor, nn

from tonotope.errors import InputError
from tonotope.training import networks
from tonotope.training.classical import CLASSICAL
from tonotope.training.describe import describe
from tonotope.training.networks import NETWORKS, NetworkSpec
from tonotope.training.networks.base import Network


class OneOfEach(Network):
    """One convolution, one recurrent layer, and the linear head."""

    def __init__(self, n_labels: int, n_columns: int) -> None:
        super().__init__(n_labels, n_columns, embedding_size=5)
        self.conv = nn.Conv2d(1, 4, 3, stride=(2, 1), padding=1)
        self.recurrent = nn.LSTM(4 * 128, 5, batch_first=True)

    def embed(self, scaled: Tensor) -> Tensor:
        maps = self.conv(scaled.unsqueeze(1))
        return self.recurrent(maps.transpose(1, 2).flatten(2))[0][:, -1]


def test_convolution_recurrent_and_linear_layer(monkeypatch):
    monkeypatch.setitem(networks.NETWORKS, "one", NetworkSpec("one", "made:OneOfEach", 40, "", ""))
    monkeypatch.setitem(sys.modules, "tonotope.training.networks.made", sys.modules[__name__])
    steps = 20
    multiplications = (
        steps * 128 * 4 * 9  # nine of each output of the convolution
        + steps * 4 * 5 * (4 * 128 + 5)  # four gates of five units hear input and state
        + 5 * 7
    )
    assert describe("one", 7) == {
        "input_shape": [128, 40],
        "trainable_weights": 4 * 9 + 4 + 4 * 5 * (512 + 5 + 2) + 5 * 7 + 7,
        "gflop_per_clip": round(2 * multiplications / 1e9, 6),
    }


def test_bbnn_as_published():
    positions = 161 * 128
    inputs_of_points = 32 + (32 + 128) + (32 + 256)
    multiplications = (
        647 * 128 * 32 * 9
        + positions * 4 * 32 * inputs_of_points
        + positions * 3 * 32 * 32 * (9 + 25)
        + positions * 416 * 32
        + 32 * 10
    )
    assert describe("bbnn") == {
        "input_shape": [128, 647],
        "trainable_weights": 185_642,
        "gflop_per_clip": round(2 * multiplications / 1e9, 6),
    }
    # The weights do not depend on the length of a clip, the work does.
    short = describe("bbnn", n_columns=333)
    assert short["trainable_weights"] == 185_642
    assert short["gflop_per_clip"] == pytest.approx(3.83, abs=0.01)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_describes_itself(name):
    document = describe(name)
    assert document["input_shape"] == [128, NETWORKS[name].input_columns]
    # Modest, as all that is to run on a processor.
    assert 1e5 < document["trainable_weights"] < 2e6
    assert 0.1 < document["gflop_per_clip"] < 10


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_models_are_as_large_as_their_data(name):
    assert describe(name) == {
        "input_shape": [40],
        "trainable_weights": None,
        "gflop_per_clip": None,
    }


def test_an_unknown_model_is_refused():
    with pytest.raises(InputError, match=r"'perceptron'. There are: bbnn, .*, svm, random-forest"):
        describe("perceptron")


def test_classical_models_need_no_torch():
    code = (
        "import sys; from tonotope.training.describe import describe\n"
        "describe('svm'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
