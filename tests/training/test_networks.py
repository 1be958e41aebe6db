"""Every network: its shapes, its gradients, its scale, its way into ONNX."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from tonotope.errors import InputError
from tonotope.training.committee import Committee
from tonotope.training.export import export_onnx
from tonotope.training.listener import Listener
from tonotope.training.networks import MIN_COLUMNS, NETWORKS, build_network
from tonotope.training.networks.base import Network

every_network = pytest.mark.parametrize("name", NETWORKS)


def built(name: str, n_labels: int = 3) -> Network:
    """Return a network with the scale of ordinary music."""
    torch.manual_seed(0)
    network = build_network(name, n_labels)
    network.set_scale(torch.linspace(-30, -60, 128), 15.0)
    return network


def spectrograms(batch: int, n_columns: int) -> Tensor:
    return torch.rand(batch, n_columns, 128, generator=torch.Generator().manual_seed(1)) * -80


@every_network
@pytest.mark.parametrize("n_columns", [MIN_COLUMNS, 111])
def test_outputs_have_the_promised_shapes(name, n_columns):
    network = built(name)
    assert isinstance(network, Network)
    for batch in (2, 3):
        logits, embedding = network(spectrograms(batch, n_columns))
        assert logits.shape == (batch, 3)
        assert embedding.shape == (batch, network.embedding_size)
        assert logits.isfinite().all()
        assert embedding.isfinite().all()
    assert network.head.in_features == network.embedding_size


@every_network
def test_every_weight_learns(name):
    network = built(name)
    logits, _ = network(spectrograms(4, 64))
    (logits * torch.randn_like(logits)).sum().backward()
    idle = [n for n, w in network.named_parameters() if w.grad is None or not w.grad.any()]
    assert idle == []


@every_network
def test_trains_in_bfloat16_and_channels_last(name):
    network = built(name).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, _ = network(spectrograms(2, 48))
    logits.float().sum().backward()
    assert all(w.dtype == w.grad.dtype == torch.float32 for w in network.parameters())


@every_network
def test_a_clip_is_heard_alone(name):
    """Outside training, what else is in the batch does not matter."""
    network = built(name).eval()
    clips = spectrograms(3, 48)
    with torch.no_grad():
        together, alone = network(clips)[0], network(clips[1:2])[0]
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)


@every_network
def test_the_scale_is_part_of_the_network(name):
    network = built(name).eval()
    clips = spectrograms(2, 48)
    with torch.no_grad():
        expected = network(clips)[0]
        network.set_scale(network.mean_db * 2 + 10, 30.0)
        given = network(clips * 2 + 10)[0]
    torch.testing.assert_close(given, expected, rtol=1e-3, atol=1e-4)
    assert {"mean_db", "deviation_db"} <= set(network.state_dict())


@every_network
def test_the_same_seed_gives_the_same_weights(name):
    first, second = built(name).state_dict(), built(name).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@every_network
def test_onnx_runtime_agrees(name, tmp_path):
    network = built(name)
    # Running statistics that are not those of fresh weights.
    for _ in range(2):
        network(spectrograms(4, 64))
    listener = Committee([Listener(network)]).eval()
    clips = spectrograms(3, 64)
    path = tmp_path / "network.onnx"
    export_onnx(listener, path, clips.numpy())
    session = onnxruntime.InferenceSession(path.read_bytes())
    for batch in (1, 3):
        given = session.run(["probabilities", "embedding"], {"log_mel": clips[:batch].numpy()})
        with torch.no_grad():
            expected = listener(clips[:batch])
        for ours, theirs in zip(given, expected, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-4)


def test_a_scale_must_fit():
    network = built("cnn")
    with pytest.raises(ValueError, match=r"mean_db has shape \(3,\), expected \(128,\)"):
        network.set_scale(torch.zeros(3), 1.0)
    for deviation_db in (0.0, float("nan")):
        with pytest.raises(ValueError, match="deviation_db"):
            network.set_scale(torch.zeros(128), deviation_db)


def test_what_no_network_can_be_is_refused():
    with pytest.raises(InputError, match=r"'resnet'.* There are: bbnn, cnn, crnn"):
        build_network("resnet", 10)
    with pytest.raises(InputError, match="'cnn' for 31 columns: it needs at least 32"):
        build_network("cnn", 10, 31)
    with pytest.raises(InputError, match="'cnn' for 0 labels"):
        build_network("cnn", 0)


def test_networks_are_listed_without_torch():
    code = (
        "import sys, tonotope.training.networks as networks\n"
        "assert networks.NETWORKS and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_building_without_torch_says_what_to_install(tmp_path):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(name='torch')\n")
    code = (
        "from tonotope.errors import InputError\n"
        "from tonotope.training.networks import build_network\n"
        "try: build_network('cnn', 10)\n"
        "except InputError as error: print(error)\n"
    )
    given = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2] / 'src'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert given.stdout.strip() == (
        "network 'cnn' needs PyTorch, which is not installed. "
        "Install it with: pip install 'tonotope[train]'"
    )
