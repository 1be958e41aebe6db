"""Where a run computes, and what its processes draw."""

from __future__ import annotations

import pytest
import torch

from tonotope.training.devices import Devices


def drawn(
    monkeypatch: pytest.MonkeyPatch, rank: int, epoch: int, seed: int = 7
) -> tuple[list[float], list[float]]:
    """Return what a process draws from its generator, and from PyTorch's own, in an epoch."""
    monkeypatch.setenv("RANK", str(rank))
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    Devices("cpu", "float32").draw_apart(seed, epoch, generator)
    return torch.rand(4, generator=generator).tolist(), torch.rand(4).tolist()


def test_each_process_draws_numbers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = [
        drawn(monkeypatch, rank, epoch)[which]
        for rank in (1, 2)
        for epoch in (0, 1)
        for which in (0, 1)
    ]
    streams += [drawn(monkeypatch, 0, 0)[0], drawn(monkeypatch, 1, 0, seed=8)[0]]
    assert len(set(map(tuple, streams))) == len(streams)
    assert drawn(monkeypatch, 2, 1) == drawn(monkeypatch, 2, 1)  # whoever goes on draws the same


def test_the_first_process_draws_on(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = torch.rand(4, generator=torch.Generator().manual_seed(7)).tolist()
    assert drawn(monkeypatch, 0, 3)[0] == alone
