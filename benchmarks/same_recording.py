"""How far apart encodings of one recording lie, and how near different recordings come.

    .venv/bin/python benchmarks/same_recording.py FOLDER [--every 4]

Scans FOLDER, encodes every fourth track anew in five ways, and prints each encoding's distance
from its original and the distance of the nearest other recording. `discovery/recordings.py` takes
its threshold from here. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import av
import numpy as np

from tonotope import Library, analyze
from tonotope.features import FAMILY_VERSIONS
from tonotope.library.catalogue import Catalogue
from tonotope.library.versions import Versions
from tonotope.models.cards import read_card
from tonotope.session.placed import place_tracks, similarity_columns

ENCODINGS = {
    "mp3 128k": ("mp3", "libmp3lame", 44100, 128_000),
    "mp3 64k": ("mp3", "libmp3lame", 44100, 64_000),
    "opus 64k": ("opus", "libopus", 48000, 64_000),
    "aac 128k": ("m4a", "aac", 44100, 128_000),
    "flac": ("flac", "flac", 44100, None),
}


def encode(source: str, target: Path, codec: str, rate_hz: int, bit_rate: int | None) -> None:
    """Decode a file and encode it anew, in stereo."""
    with av.open(source) as original, av.open(str(target), "w") as copy:
        stream = copy.add_stream(codec, rate=rate_hz, layout="stereo")
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        resampler = av.AudioResampler(
            stream.codec_context.format.name, "stereo", rate_hz, stream.codec_context.frame_size
        )
        for frame in [*original.decode(audio=0), None]:
            for resampled in resampler.resample(frame):
                resampled.pts = None
                copy.mux(stream.encode(resampled))
        copy.mux(stream.encode(None))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--every", type=int, default=4)
    options = parser.parse_args()
    columns = similarity_columns()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        Library(folder / "l.db").scan([options.folder])
        with Catalogue(folder / "l.db") as catalogue:
            placed = place_tracks(catalogue, Versions(FAMILY_VERSIONS, read_card().model_id))
        places = placed.places
        between = np.linalg.norm(places[:, np.newaxis] - places, axis=2)
        np.fill_diagonal(between, np.inf)
        farthest = 0.0
        for row in range(0, len(places), options.every):
            distances = {}
            for name, (suffix, *how) in ENCODINGS.items():
                copy = folder / f"copy.{suffix}"
                encode(placed.tracks[row].path, copy, *how)
                heard = analyze(copy, families=columns.families)
                gap = placed.place_of(columns.of(heard.rows), heard.embedding) - places[row]
                distances[name] = round(float(np.linalg.norm(gap)), 3)
            farthest = max(farthest, *distances.values())
            nearest = float(between[row].min())
            print(f"{Path(placed.tracks[row].path).name[:32]:32s} {distances} next {nearest:.3f}")
    print(json.dumps({"farthest_encoding": farthest, "nearest_other": float(between.min())}))


if __name__ == "__main__":
    main()
