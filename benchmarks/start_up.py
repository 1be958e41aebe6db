"""How long a person waits for an answer: whole processes, from their start to their end.

    .venv/bin/python benchmarks/start_up.py [--tracks 10000] [--rounds 9]

`tonotope --help`, and `tonotope similar` on a library of made-up tracks, in turn with a Python
that starts and ends (the floor). Wall seconds. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tonotope.analysis import TrackAnalysis
from tonotope.audio import AudioInfo, Damage, Silence, Tags
from tonotope.features import FAMILY_VERSIONS
from tonotope.features.tables import FAMILIES, family_columns
from tonotope.library.catalogue import Catalogue
from tonotope.library.records import ScanRecords
from tonotope.library.versions import Versions
from tonotope.library.walk import FoundFile
from tonotope.models.cards import read_card


def fill(library: Path, n_tracks: int) -> str:
    """Fill a library with random vectors; return the id of a track."""
    rng = np.random.default_rng(0)
    card = read_card()
    with Catalogue(library, create=True) as catalogue:
        records = ScanRecords(catalogue.connection, Versions(FAMILY_VERSIONS, card.model_id))
        for number in range(n_tracks):
            audio = AudioInfo(
                container="mp3", codec="mp3", sample_rate_hz=44100, channels=2,
                duration_s=float(rng.uniform(60, 400)), bit_rate_bps=192000,
                audio_id=rng.bytes(16).hex(), damage=Damage(0, 0, False),
                silence=Silence(0.0, 0.0, False),
            )  # fmt: skip
            analysis = TrackAnalysis(
                path=f"/music/{number}.mp3",
                audio=audio,
                rows={
                    family: rng.normal(size=len(family_columns(family))).astype(np.float32)
                    for family in FAMILIES
                },
                feature_versions=FAMILY_VERSIONS,
                labels=card.labels,
                window_starts_s=np.arange(8, dtype=np.float32) * 30,
                window_probabilities=rng.dirichlet(np.ones(len(card.labels)), 8).astype("f4"),
                embedding=rng.normal(size=card.embedding_size).astype(np.float32),
                model_id=card.model_id,
            )
            with records.unit():
                tags = Tags(title=f"Title {number}", artist=f"Artist {number % 900}")
                track_id = records.put_track(analysis)
                records.put_file(FoundFile(analysis.path, 1, 1), "mp3", track_id, tags)
        records.commit()
    return audio.audio_id


def wall_s(command: list[str]) -> float:
    """Return how long a command takes."""
    started = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tracks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    tonotope = str(Path(sys.executable).with_name("tonotope"))
    with tempfile.TemporaryDirectory() as temporary:
        library = Path(temporary) / "l.db"
        audio_id = fill(library, options.tracks)
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "help": [tonotope, "--help"],
            "similar": [tonotope, "similar", audio_id, "--library", str(library)],
        }
        times = {name: [wall_s(command)] for name, command in commands.items()}
        for _ in range(options.rounds):
            for name, command in commands.items():
                times[name].append(wall_s(command))
    report = {}
    for name, values in times.items():
        counted = values[1:]  # the first only warmed the file cache
        report[name] = {
            "min": round(min(counted), 3),
            "median": round(statistics.median(counted), 3),
            "max": round(max(counted), 3),
        }
        print(f"{name:8s} {report[name]} s")
    print(json.dumps(report | {"tracks": options.tracks}))


if __name__ == "__main__":
    main()
