"""BBNN: the published weights, and the published function although computed in another order."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from support.plain_bbnn import PlainBBNN
from tonotope.training.networks import build_network
from tonotope.training.networks.bbnn import BBNN


@pytest.fixture
def pair() -> tuple[BBNN, PlainBBNN]:
    """Return ours and the plain one with the same, unusual weights and running statistics."""
    torch.manual_seed(1)
    ours = build_network("bbnn", 4).double()
    assert isinstance(ours, BBNN)
    with torch.no_grad():
        for module in ours.modules():
            if isinstance(module, nn.BatchNorm2d):
                # Negative gains as well: max pooling does not change places with those.
                module.weight.normal_()
                module.bias.normal_()
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2.0)
            elif isinstance(module, nn.Conv2d):
                module.bias.normal_()
    plain = PlainBBNN(4).double()
    same = {k: v for k, v in ours.state_dict().items() if k not in ("mean_db", "deviation_db")}
    plain.load_state_dict(same)
    return ours, plain


def _input(n_columns: int = 37) -> Tensor:
    return torch.randn(3, n_columns, 128, dtype=torch.float64)


def test_the_published_number_of_weights():
    network = build_network("bbnn", 10)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert sum(p.numel() for layer in layers for p in layer.parameters()) == 180_458
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == 185_642


@pytest.mark.parametrize("n_columns", [32, 37])
def test_training_is_that_of_the_plain_network(pair, n_columns):
    ours, plain = pair
    x = _input(n_columns)
    given, expected = ours(x)[0], plain(x)
    torch.testing.assert_close(given, expected, rtol=1e-9, atol=1e-9)

    aim = torch.randn_like(given)
    (given * aim).sum().backward()
    (expected * aim).sum().backward()
    gradients = {name: weight.grad for name, weight in plain.named_parameters()}
    largest = max(float(gradient.abs().max()) for gradient in gradients.values())
    for name, weight in ours.named_parameters():
        torch.testing.assert_close(
            weight.grad, gradients[name], rtol=1e-8, atol=1e-10 * largest, msg=name
        )


@pytest.mark.parametrize("momentum", [0.01, None])
def test_running_statistics_are_those_of_the_plain_network(pair, momentum):
    for network in pair:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = momentum
    ours, plain = pair
    for _ in range(3):
        x = _input()
        ours(x)
        plain(x)
    expected = dict(plain.named_buffers())
    compared = [name for name, _ in ours.named_buffers() if not name.endswith("_db")]
    assert len(compared) == 3 * (1 + 3 * 6 + 1 + 1)
    for name in compared:
        torch.testing.assert_close(
            ours.get_buffer(name), expected[name], rtol=1e-9, atol=1e-9, msg=name
        )


def test_answers_are_those_of_the_plain_network(pair):
    ours, plain = (network.eval() for network in pair)
    x = _input()
    before = {name: buffer.clone() for name, buffer in ours.named_buffers()}
    torch.testing.assert_close(ours(x)[0], plain(x), rtol=1e-9, atol=1e-9)
    assert all(torch.equal(before[name], buffer) for name, buffer in ours.named_buffers())


def test_bfloat16_stays_near_the_exact_answers(pair):
    ours = pair[0].float()
    for module in ours.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    x = _input(64).float()
    for network in (ours.train(), ours.eval()):
        exact = network(x)[1]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = network(x)[1]
        # 8 bits of mantissa through twelve layers.
        assert (rounded - exact).norm() < 0.05 * exact.norm()


def test_begins_as_keras_does():
    torch.manual_seed(0)
    network = build_network("bbnn", 10)
    assert isinstance(network, BBNN)
    weight = network.transition.conv.weight.detach()
    bound = (6 / (416 + 32)) ** 0.5
    assert 0.9 * bound < float(weight.abs().max()) <= bound * (1 + 1e-6)
    assert not network.transition.conv.bias.any()
    assert not network.head.bias.any()
