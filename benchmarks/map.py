"""What a map costs, and how far it may be believed: made-up tracks in clusters.

    .venv/bin/python benchmarks/map.py [--tracks 20000] [--methods tsne umap pca] [--dims 2]

Per method: wall and processor seconds of drawing, of putting 1000 new tracks on it, and of judging
it; the measures; how often a new track lies nearest to one of its own cluster. Then the page: its
size and the seconds it takes to write. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tonotope.discovery.map_measures import judge_map
from tonotope.discovery.maps import add_points, draw_map
from tonotope.explore.map_files import write_map_file
from tonotope.library.catalogue import Track
from tonotope.session.maps import LibraryMap

N_NEW = 1000
N_CLUSTERS = 40
N_COLUMNS = 160


def timed(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Return what a call returns, and its seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    result = call()
    return result, {
        "wall_s": round(time.perf_counter() - wall, 2),
        "processor_s": round(time.process_time() - processor, 2),
    }


def clusters(n_tracks: int) -> tuple[np.ndarray, np.ndarray]:
    """Return tracks in overlapping clusters, and which each is of."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, N_CLUSTERS, n_tracks)
    centres = 0.6 * rng.normal(size=(N_CLUSTERS, N_COLUMNS))
    return (centres[labels] + rng.normal(size=(n_tracks, N_COLUMNS))).astype(np.float32), labels


def measure(
    places: np.ndarray, labels: np.ndarray, method: str, n_dims: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """Draw all but the last 1000 tracks, put these on the map, and judge it."""
    mapped, new = places[:-N_NEW], places[-N_NEW:]
    drawing, drawn = timed(lambda: draw_map(mapped, method, n_dims))
    points = drawing.points
    added, placed = timed(lambda: add_points(mapped, points, new))
    kinds = {"cluster": labels[:-N_NEW].tolist()}
    quality, judged = timed(lambda: judge_map(mapped, points, kinds))
    nearest = np.array([np.linalg.norm(points - point, axis=1).argmin() for point in added])
    return points, {
        "draw": drawn,
        "place_1000": placed,
        "judge": judged,
        "trustworthiness": round(quality.trustworthiness, 4),
        "overlap": round(quality.overlap, 4),
        "cluster_hit": round(quality.hits["cluster"].on_map, 4),
        "new_in_own_cluster": round(float((labels[nearest] == labels[-N_NEW:]).mean()), 4),
    }


def page(points: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Write the page of a map, and return its cost."""
    n = len(points)
    tracks = [
        Track(f"{k:032x}", f"/music/Artist {k % 900}/{k}.mp3", f"Track {k}", f"Artist {k % 900}",
              f"Album {k % 2000}", 200.0)
        for k in range(n)
    ]  # fmt: skip
    drawn = LibraryMap(
        "tsne", "2026-01-01T00:00:00+00:00", True, True, 0, 0, 0, tracks, points,
        [f"genre {label % 10}" for label in labels[:n]], np.full(n, 0.7), np.full(n, 120.0),
        [None] * n, {}, None,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.html"
        _, written = timed(lambda: write_map_file(drawn, path))
        return {**written, "size_mb": round(path.stat().st_size / 1e6, 2)}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=20_000)
    parser.add_argument("--methods", nargs="+", default=["tsne", "umap", "pca"])
    parser.add_argument("--dims", type=int, default=2)
    options = parser.parse_args()
    places, labels = clusters(options.tracks + N_NEW)
    results: dict[str, Any] = {"tracks": options.tracks, "dims": options.dims}
    for method in options.methods:
        points, results[method] = measure(places, labels, method, options.dims)
        print(method, json.dumps(results[method]), flush=True)
    results["page"] = page(points, labels)
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results["peak_mb"] = round(peak_kb / 1000)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
