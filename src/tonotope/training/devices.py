"""Where a run computes: processor or GPU, one process or, under torchrun, several."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from tonotope.errors import InputError
from tonotope.training.batches import Batch

__all__ = ["Devices", "end_together", "has_bfloat16", "is_first_process"]


def is_first_process() -> bool:
    """Return whether this process writes files and shows progress: one of a run's does."""
    return os.environ.get("RANK", "0") == "0"


def end_together() -> None:
    """Wait for the other processes of a run, and part from them in good order."""
    if distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()


def has_bfloat16(device: torch.device) -> bool:
    """Return whether a device multiplies bfloat16 at more than float32's speed."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device.type == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and _has_instructions()
    return False


def _has_instructions() -> bool:
    capabilities = torch.backends.cpu.get_cpu_capability()
    if "AVX512" not in capabilities:
        return False
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            flags = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


class Devices:
    """The device of this process, and its place among the processes of a run.

    Parameters
    ----------
    name
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    precision
        ``auto``, ``float32`` or ``bfloat16``.

    Raises
    ------
    InputError
        If there is no such device.
    """

    def __init__(self, name: str, precision: str) -> None:
        self.n_processes = int(os.environ.get("WORLD_SIZE", "1"))
        self._rank = int(os.environ.get("RANK", "0"))
        self.device = _device(name)
        bfloat16 = precision == "bfloat16" or (precision == "auto" and has_bfloat16(self.device))
        self._dtype = torch.bfloat16 if bfloat16 else None
        if self.n_processes > 1 and not distributed.is_initialized():
            distributed.init_process_group("nccl" if self.device.type == "cuda" else "gloo")

    def share_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows that this process trains on: as many in each process."""
        n_each = len(rows) // self.n_processes
        return rows[self._rank :: self.n_processes][:n_each]

    def draw_apart(self, seed: int, epoch: int, generator: torch.Generator) -> None:
        """Let each process but the first draw numbers of its own in an epoch.

        The first one's streams go on, and are what a checkpoint keeps; those of the others begin
        anew with each epoch, so that they need no keeping.
        """
        if self._rank:
            words = np.random.SeedSequence((seed, self._rank, epoch)).generate_state(2, np.uint32)
            torch.manual_seed(int(words[0]))
            generator.manual_seed(int(words[1]))

    def place(self, model: nn.Module) -> nn.Module:
        """Move a model here, convolutions in the layout that is fastest."""
        return model.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def parallel(self, model: nn.Module) -> nn.Module:
        """Return what computes with the model and sums gradients over all processes."""
        return DistributedDataParallel(model) if self.n_processes > 1 else model

    def of_first(self, *values: float) -> list[float]:
        """Return these numbers as the first process has them."""
        if self.n_processes == 1:
            return list(values)
        numbers = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.broadcast(numbers, 0)
        return [float(number) for number in numbers]

    def moved(self, batch: Batch) -> Batch:
        """Return a batch on this device."""
        if self.device.type == "cpu":
            return batch
        return replace(
            batch,
            log_mel=batch.log_mel.to(self.device),
            genre=batch.genre.to(self.device),
            tags=None if batch.tags is None else batch.tags.to(self.device),
            others=None if batch.others is None else batch.others.to(self.device),
            tags_known=None if batch.tags_known is None else batch.tags_known.to(self.device),
        )

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context of the networks' computations."""
        if self._dtype is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self._dtype)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = next(
            (kind for kind, there in (("cuda", torch.cuda), ("mps", torch.backends.mps))
             if there.is_available()), "cpu",
        )  # fmt: skip
    elif name == "cuda" and not torch.cuda.is_available():
        raise InputError("there is no CUDA device here. Use --device auto, or cpu.")
    elif name == "mps" and not torch.backends.mps.is_available():
        raise InputError("there is no MPS device here. Use --device auto, or cpu.")
    if name == "cuda":
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device(name)
