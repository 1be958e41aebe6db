"""How fast the similarity space is in a large library, what it needs, and what it finds.

    .venv/bin/python benchmarks/similarity_space.py [--tracks 100000] [--index]

Makes tracks that fall into clusters (as many columns as a description has), and measures fitting,
one question, adding one track and the peak of memory, for each correction of hubness; beside them
the floor, one plain product of the places with a query. ``--index`` builds the approximate index,
too (extra ``ann``), and states its recall@10 against the exact answer: of tracks that fall into the
library's clusters, and of strangers, which fall between them. Times are medians; beside
each stands the time of processors, which says more where other programs run. The last line is one
JSON object. Each correction runs in a process of its own, or its memory could not be told from the
others'.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tonotope.discovery.hubness import CORRECTIONS
from tonotope.discovery.space import SimilaritySpace

PARTS = {"timbre": 224, "harmony": 18, "rhythm": 22, "dynamics": 10, "embedding": 256}
N_QUERIES = 100


def made_tracks(n: int, seed: int = 0) -> np.ndarray:
    """Return tracks in clusters of many sizes, whose columns depend on each other."""
    rng = np.random.default_rng(seed)
    n_clusters, n_hidden = 300, 60
    sizes = rng.dirichlet(np.full(n_clusters, 0.5))
    cluster = rng.choice(n_clusters, n, p=sizes)
    centres = rng.normal(size=(n_clusters, n_hidden))
    mixing = rng.normal(size=(n_hidden, sum(PARTS.values()))) / np.sqrt(n_hidden)
    vectors = np.empty((n, sum(PARTS.values())), np.float32)
    for start in range(0, n, 10_000):
        rows = slice(start, min(start + 10_000, n))
        n_rows = rows.stop - start
        hidden = centres[cluster[rows]] + rng.normal(size=(n_rows, n_hidden))
        vectors[rows] = hidden @ mixing + 0.3 * rng.normal(size=(n_rows, mixing.shape[1]))
    return vectors


def timed(ask: Callable[[Any], object], questions: Any) -> tuple[float, float]:
    """Return how long a question takes, and how much of processors' time: medians, in ms."""
    times = []
    for question in questions:
        start, start_cpu = time.perf_counter(), time.process_time()
        ask(question)
        times.append((time.perf_counter() - start, time.process_time() - start_cpu))
    wall_s, cpu_s = np.median(times, axis=0).tolist()
    return round(1000 * wall_s, 2), round(1000 * cpu_s, 2)


def peak_mb() -> float:
    """Return the most memory that this process has held, in megabytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def measure(n_tracks: int, correction: str | None, build_index: bool) -> dict[str, Any]:
    """Return what one space costs."""
    made = made_tracks(n_tracks + N_QUERIES)
    vectors, new = made[:n_tracks], made[n_tracks:]
    space = SimilaritySpace(PARTS, correction=correction)
    fit_ms = timed(space.fit, [vectors])
    places = space.transform(new)
    result: dict[str, Any] = {
        "correction": correction,
        "tracks": n_tracks,
        "columns": space.places_.shape[1],
        "fit_s": [round(ms / 1000, 2) for ms in fit_ms],
        "product_ms": timed(lambda place: space.places_ @ place, places),
        "query_ms": timed(space.distances_from, places),
        "nearest_ms": timed(lambda vector: space.kneighbors(vector[np.newaxis]), new),
        "add_ms": timed(lambda vector: space.add(vector[np.newaxis]), new[:10]),
        "vectors_mb": round(vectors.nbytes / 1e6),
        "peak_mb": round(peak_mb()),
    }
    if build_index:
        asked = {"known": new, "strangers": made_tracks(N_QUERIES, seed=1)}
        exact = {kind: space.kneighbors(each, 10)[1] for kind, each in asked.items()}
        index_ms = timed(lambda _: space.build_index(), [None])
        recall = {
            kind: recall_of(space.kneighbors(each, 10)[1], exact[kind])
            for kind, each in asked.items()
        }
        result |= {
            "index_s": [round(ms / 1000, 1) for ms in index_ms],
            "index_recall_at_10": recall,
            "index_nearest_ms": timed(lambda vector: space.kneighbors(vector[np.newaxis]), new),
        }
    return result


def recall_of(found: np.ndarray, exact: np.ndarray) -> float:
    """Return which share of the exact answers was found."""
    hits = [len(set(a) & set(b)) / len(b) for a, b in zip(found, exact, strict=True)]
    return round(float(np.mean(hits)), 4)


def show(result: dict[str, Any]) -> None:
    """Print a result in words."""
    print(f"{result['correction'] or 'plain'}:")
    figures = (
        ("fit_s", "fit", "s"),
        ("query_ms", "distances to all", "ms"),
        ("product_ms", "  the product alone", "ms"),
        ("nearest_ms", "10 nearest", "ms"),
        ("add_ms", "add one", "ms"),
        ("index_s", "build the index", "s"),
        ("index_nearest_ms", "10 nearest by it", "ms"),
    )
    for name, words, unit in figures:
        if name in result:
            wall, cpu = result[name]
            print(f"  {words:20s} {wall:8.2f} {unit:3s} processors {cpu:8.2f} {unit}")
    print(f"  peak of memory       {result['peak_mb']} MB, vectors {result['vectors_mb']} MB of it")
    if "index_recall_at_10" in result:
        known, strangers = result["index_recall_at_10"].values()
        print(f"  recall@10 of the index against exact: {known}, of strangers {strangers}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--index", action="store_true", help="build the approximate index, too")
    parser.add_argument("--only", choices=["plain", *CORRECTIONS])
    options = parser.parse_args()
    results = []
    for name in [options.only] if options.only else ["plain", *CORRECTIONS]:
        correction = None if name == "plain" else name
        is_default = name == SimilaritySpace().correction or name == "plain"
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            result = pool.apply(measure, (options.tracks, correction, options.index and is_default))
        results.append(result)
        show(result)
    load = os.getloadavg()[0]
    print(json.dumps({"load": round(load, 1), "cores": os.cpu_count(), "results": results}))


if __name__ == "__main__":
    main()
