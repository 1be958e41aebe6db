"""How fast BBNN is trained, against the loop that everybody writes first, in the same run.

    .venv/bin/python benchmarks/training.py CACHE [--rounds 5] [--batches 4]

Both train BBNN as published (185 642 weights) on batches of 8 clips on all cores: the naive loop
in float32 with channels first and every normalisation on its own, Tonotope as
`tonotope train --preset liu2020` does. They take turns, each in a process of
its own, because a machine's speed drifts.
The last line is one JSON object; ratios above 1 mean that Tonotope is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tonotope.training.batches import TrainingBatches
from tonotope.training.cache import Cache, decibels, read_cache
from tonotope.training.config import preset_of, resolve_config
from tonotope.training.devices import Devices
from tonotope.training.memory import keep_freed_memory
from tonotope.training.networks import build_network
from tonotope.training.optimizers import Plan

# The plain network is the one that the tests compare with.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.plain_bbnn import PlainBBNN

BATCH_SIZE = 8


class Naive:
    """float32, channels first, one layer after the other."""

    def __init__(self, cache: Cache, genre: np.ndarray, n_labels: int) -> None:
        self._cache, self._genre = cache, torch.from_numpy(genre)
        self._network = PlainBBNN(n_labels).train()
        self._optimizer = torch.optim.Adam(self._network.parameters(), 0.01)
        self._order = np.random.default_rng(0)

    def train(self, n_batches: int) -> None:
        """Train on some batches."""
        for _ in range(n_batches):
            rows = self._order.choice(len(self._genre), BATCH_SIZE, replace=False)
            log_mel = (torch.from_numpy(decibels(self._cache.mel[rows])) + 40) / 20
            loss = nn.functional.cross_entropy(self._network(log_mel), self._genre[rows])
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()


class Ours:
    """The loop of `tonotope train`."""

    def __init__(self, cache: Cache, genre: np.ndarray, n_labels: int) -> None:
        config = resolve_config(preset_of("liu2020"))
        self._devices = Devices("cpu", config.precision)
        generator = torch.Generator().manual_seed(0)
        rows = np.arange(len(genre))
        self._batches = TrainingBatches(
            cache, rows, genre, n_labels, config, lambda x, _: x, None, generator
        )
        network = build_network("bbnn", n_labels, cache.n_columns)
        network.set_scale(torch.full((128,), -40.0), 20.0)
        self._network = self._devices.place(network).train()
        self._plan = Plan(config, self._network, len(self._batches))

    def train(self, n_batches: int) -> None:
        """Train on some batches."""
        for batch, _ in zip(self._batches, range(n_batches), strict=False):
            with self._devices.autocast():
                logits, _ = self._network(batch.log_mel)
            self._plan.step(nn.functional.cross_entropy(logits.float(), batch.genre))


def serve(kind: type[Naive] | type[Ours], folder: Path, link: Connection) -> None:
    """Train as many batches as are asked for, and tell how many clips that was in a second."""
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    if kind is Ours:
        keep_freed_memory()  # as the loop does; of the whole process, so each has its own
    cache = read_cache(folder)
    genre = np.array([cache.labels.index(clip.genre) for clip in cache.clips])
    loop = kind(cache, genre, len(cache.labels))
    while n_batches := link.recv():
        started_s = time.monotonic()
        loop.train(n_batches)
        link.send(n_batches * BATCH_SIZE / (time.monotonic() - started_s))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cache", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=4)
    options = parser.parse_args()
    context = get_context("spawn")
    links, processes = [], []
    for kind in (Naive, Ours):
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(kind, options.cache, there))
        process.start()
        links.append(here)
        processes.append(process)

    def clips_per_s(link: Connection, n_batches: int) -> float:
        link.send(n_batches)
        speed: float = link.recv()
        return speed

    for link in links:
        clips_per_s(link, 1)
    speeds = [[clips_per_s(link, options.batches) for link in links] for _ in range(options.rounds)]
    for link, process in zip(links, processes, strict=True):
        link.send(0)
        process.join()
    ratios = [ours / naive for naive, ours in speeds]
    naive, ours = (statistics.median(column) for column in zip(*speeds, strict=True))
    print(f"naive {naive:.1f} clips/s, Tonotope {ours:.1f} clips/s")
    summary = {
        "min": round(min(ratios), 2),
        "median": round(statistics.median(ratios), 2),
        "max": round(max(ratios), 2),
    }
    print(f"ratio {summary['median']} ({summary['min']} to {summary['max']})")
    print(
        json.dumps(
            {
                "clips_per_s": round(ours, 2),
                "naive_clips_per_s": round(naive, 2),
                "ratio": summary,
                "threads": os.cpu_count(),
            }
        )
    )


if __name__ == "__main__":
    main()
