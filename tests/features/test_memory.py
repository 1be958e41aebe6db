"""An hour of music does not need an hour's memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from tonotope.features import analyze
from tonotope.features.stream import DescriptorStream
from tonotope.features.tables import table_features

def blocks(minutes):
    rng = np.random.default_rng(0)
    noise = (0.1 * rng.standard_normal(65536)).astype(np.float32)
    n_samples = minutes * 60 * 22050
    for start in range(0, n_samples, 65536):
        level = np.float32(0.5 + 0.5 * np.sin(start / 3e5))
        yield level * noise[: n_samples - start]

minutes, what = int(sys.argv[1]), sys.argv[2]
if what in {"block", "array"}:
    signal = np.concatenate(list(blocks(minutes)))
    n_frames = 1 + len(signal) // 512
    if what == "block":
        n_frames = analyze([signal], ["rms"]).n_frames
elif what == "frames":
    n_frames = analyze(blocks(minutes)).n_frames
else:
    stream = DescriptorStream(table_features("tonotope"), keep_frames=False)
    for block in blocks(minutes):
        stream.push(block)
    stream.finish()
    n_frames = stream.result().n_frames
assert n_frames == 1 + minutes * 60 * 22050 // 512
status = Path("/proc/self/status").read_text()
print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
"""


def peak_rss_mb(minutes: int, what: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(minutes), what],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_an_hour_takes_less_than_300_mb_more_than_three_minutes() -> None:
    assert peak_rss_mb(60, "frames") - peak_rss_mb(3, "frames") < 300


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_a_row_of_three_hours_takes_no_more_than_one_of_an_hour() -> None:
    assert peak_rss_mb(180, "row") - peak_rss_mb(60, "row") < 40


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_a_track_in_one_block_is_not_held_several_times() -> None:
    # 90 minutes are 476 MB of samples, of which one copy is made.
    assert peak_rss_mb(90, "block") - peak_rss_mb(90, "array") < 100
