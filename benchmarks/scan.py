"""What listening to a library costs: CPU by stage, and a whole scan with its memory.

    .venv/bin/python benchmarks/scan.py FOLDER [--rounds 3]

The first table is CPU time of one thread for four minutes of music, over the files of FOLDER that
are MP3 (the issue's figure) and over all of them: the stages of one track as a worker runs them,
beside the floor (PyAV decoding and nothing else) and, where it is installed (pip install
bliss-audio, GPL), bliss in the same run, file by file in turn, because a machine's speed drifts;
ratios above 1 mean that Tonotope is faster. The second is a scan into an empty library with the
usual workers, and one without any change. The last line is one JSON object.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from tonotope.analysis import analyze
from tonotope.audio import decode, identify, read_tags
from tonotope.features import FAMILY_VERSIONS
from tonotope.features.stream import DescriptorStream
from tonotope.features.tables import FAMILIES, family_row, table_features
from tonotope.library.catalogue import Catalogue
from tonotope.library.records import ScanRecords
from tonotope.library.versions import Versions
from tonotope.library.walk import FoundFile, Walk
from tonotope.models.frontend import WindowStream
from tonotope.models.network import bundled_network

try:
    import bliss_audio
except ImportError:
    bliss_audio = None

FOUR_MINUTES_S = 240.0
STAGES = ("identify", "decode", "features", "network", "store")


class Stopwatch:
    """CPU seconds of this process by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what runs inside."""
        started = time.process_time()
        yield
        self.seconds[name] += time.process_time() - started


def stages(path: str, records: ScanRecords, watch: Stopwatch) -> float:
    """Put a file through the stages of a worker and its scanner; return its duration."""
    with watch.stage("identify"):
        identity, tags = identify(path), read_tags(path)
    network = bundled_network()
    descriptors = DescriptorStream(table_features("tonotope"), keep_frames=False)
    windows, pending = WindowStream(), []
    with decode(path) as stream:
        blocks = iter(stream)
        while True:
            with watch.stage("decode"):
                block = next(blocks, None)
            if block is None:
                break
            with watch.stage("features"):
                pending += windows.push(descriptors.push(block))
        with watch.stage("features"):
            pending += [*windows.push(descriptors.finish()), *windows.finish()]
            for family in FAMILIES:
                family_row(descriptors.result(), family)
    with watch.stage("network"):
        for window in pending:
            network.hear(window)
    analysis = analyze(path)
    with watch.stage("store"):
        with records.unit():
            track_id = records.put_track(analysis)
            records.put_file(FoundFile(path, 0, 0), identity.container, track_id, tags)
        records.commit()
    return analysis.audio.duration_s


def floor(path: str) -> None:
    """Decode with PyAV and do nothing with it."""
    with av.open(path) as container:
        for _ in container.decode(audio=0):
            pass


def cost_by_stage(paths: list[str], rounds: int, library: Path) -> dict[str, dict[str, float]]:
    """Return CPU seconds per four minutes: the median over rounds, by stage."""
    rows = defaultdict(list)
    with Catalogue(library, create=True) as catalogue:
        records = ScanRecords(catalogue.connection, Versions(FAMILY_VERSIONS, "benchmark"))
        for _ in range(rounds):
            watch, music_s = Stopwatch(), 0.0
            for path in paths:
                with watch.stage("floor"):
                    floor(path)
                if bliss_audio is not None:
                    with watch.stage("bliss"):
                        bliss_audio.Song(path)
                music_s += stages(path, records, watch)
            watch.seconds["total"] = sum(watch.seconds[stage] for stage in STAGES)
            for stage, seconds in watch.seconds.items():
                rows[stage].append(seconds / music_s * FOUR_MINUTES_S)
            for peer in {"floor", "bliss"} & watch.seconds.keys():
                rows[f"{peer} / total"].append(watch.seconds[peer] / watch.seconds["total"])
    return {
        stage: {
            "min": round(min(values), 4),
            "median": round(statistics.median(values), 4),
            "max": round(max(values), 4),
        }
        for stage, values in rows.items()
    }


def peak_rss_mb(pid: int) -> float:
    """Return the most memory that a running process has held, 0 once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024 if "VmHWM:" in status else 0.0


def whole_scan(folder: str, library: Path) -> dict[str, float]:
    """Scan with the command; return wall seconds and the peak memory of its processes."""
    command = [
        sys.executable,
        "-m",
        "tonotope",
        "scan",
        folder,
        "--library",
        str(library),
        "--json",
    ]
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    peaks: dict[int, float] = defaultdict(float)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None:
        try:
            pids = [int(pid) for task in children.parents[1].iterdir()
                    for pid in (task / "children").read_text().split()]  # fmt: skip
        except OSError:
            pids = []
        for pid in [process.pid, *pids]:
            peaks[pid] = max(peaks[pid], peak_rss_mb(pid))
        time.sleep(0.05)
    wall_s = time.monotonic() - started
    summary = json.loads(process.stdout.read()) if process.stdout else {}
    scanner = peaks.pop(process.pid, 0.0)
    return {
        "wall_s": round(wall_s, 2),
        "scanner_peak_rss_mb": round(scanner, 1),
        "worker_peak_rss_mb": round(max(peaks.values(), default=0.0), 1),
        **{name: summary[name] for name in ("files", "analysed", "unchanged", "failed")},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    paths = [file.path for file in Walk([str(Path(options.folder).absolute())])]
    report: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, chosen in {
            "mp3": [path for path in paths if path.lower().endswith(".mp3")],
            "all": paths,
        }.items():
            costs = cost_by_stage(chosen, options.rounds, folder / f"{name}.db")
            report[name] = costs
            print(f"\nCPU seconds per 4 minutes, {len(chosen)} files ({name}), one thread")
            for stage, cost in costs.items():
                print(
                    f"  {stage:13s} {cost['median']:.3f}  ({cost['min']:.3f} to {cost['max']:.3f})"
                )
        report["scan"] = whole_scan(options.folder, folder / "scan.db")
        report["rescan"] = whole_scan(options.folder, folder / "scan.db")
    for name in ("scan", "rescan"):
        print(f"\n{name}: {report[name]}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
