"""What a taught network tells, and where."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from tonotope.training.networks import build_network
from tonotope.training.networks.base import SteppedNetwork
from tonotope.training.student import Student, tag_centres

N_CLIP_COLUMNS = 333


def heard(n_columns: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return -80 * torch.rand(2, n_columns, 128, generator=generator)


def test_windows_lie_in_the_excerpt_where_their_steps_do() -> None:
    network = build_network("tonotope-1", 10, 111)
    # 13 steps of 8 columns; a window of 33 columns has 4 of them.
    centres = tag_centres(network, 111, N_CLIP_COLUMNS)
    assert centres is not None
    assert centres.tolist() == pytest.approx([(k + 2) / 13 for k in range(10)])


def test_an_excerpt_shorter_than_a_window_is_one() -> None:
    network = build_network("tonotope-1", 10, 32)
    centres = tag_centres(network, 32, 1000)
    assert centres is not None
    assert centres.tolist() == [0.5]
    assert Student(network, 3, 32, 1000)(heard(32))[1].shape == (2, 1, 3)


def test_a_network_without_steps_tells_the_excerpts_tags() -> None:
    network = build_network("cnn", 10, 111)
    assert tag_centres(network, 111, N_CLIP_COLUMNS) is None
    assert Student(network, 7, 111, N_CLIP_COLUMNS)(heard(111))[1].shape == (2, 7)


@pytest.mark.parametrize("name", ["cnn", "tonotope-1"])
def test_without_a_teacher_there_are_no_tags(name: str) -> None:
    network = build_network(name, 10, 111).eval()
    logits, tags, _ = Student(network, 0, 111, N_CLIP_COLUMNS)(heard(111))
    assert tags is None
    assert torch.equal(logits, network(heard(111))[0])


def test_each_window_is_told_from_the_mean_of_its_steps() -> None:
    network = build_network("tonotope-1", 10, 111).eval()
    assert isinstance(network, SteppedNetwork)
    student = Student(network, 5, 111, N_CLIP_COLUMNS)
    assert student.tags is not None
    log_mel = heard(111)
    logits, tags, _ = student(log_mel)
    steps = network.steps(network.scaled(log_mel))
    assert steps.shape == (2, 13, 128)
    for k in range(10):
        told = functional.linear(
            steps[:, k : k + 4].mean(1), student.tags.weight, student.tags.bias
        )
        assert torch.allclose(tags[:, k], told, atol=1e-5)
    assert torch.equal(logits, network(log_mel)[0])


def test_the_embedding_is_mean_and_deviation_over_time() -> None:
    network = build_network("tonotope-1", 10, 333).eval()
    assert isinstance(network, SteppedNetwork)
    steps = network.steps(network.scaled(heard(333)))
    embedding = network(heard(333))[1]
    assert embedding.shape == (2, network.embedding_size) == (2, 256)
    assert torch.allclose(embedding[:, :128], steps.mean(1), atol=1e-5)
    deviation = (steps.var(1, unbiased=False) + 1e-4).sqrt()
    assert torch.allclose(embedding[:, 128:], deviation, atol=1e-5)


def test_a_steady_sound_has_a_finite_gradient() -> None:
    network = build_network("tonotope-1", 10, 64)
    log_mel = torch.full((2, 64, 128), -40.0)
    Student(network, 3, 64, N_CLIP_COLUMNS)(log_mel)[0].sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()
