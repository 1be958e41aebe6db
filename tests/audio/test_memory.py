"""Memory does not grow with the length of a file."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import soundfile

DECODE = """
import resource, sys
from tonotope.audio import decode
with decode(sys.argv[1]) as stream:
    heard = sum(map(len, stream))
unit = 1 if sys.platform == "darwin" else 1024
print(heard, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
"""


def write_long(path, duration_s: int) -> None:
    rng = np.random.default_rng(0)
    second = (rng.standard_normal(8000) * 300).astype(np.int16)
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_16") as file:
        for _ in range(duration_s):
            file.write(second)


def peak_bytes(path, duration_s: int) -> int:
    result = subprocess.run(
        [sys.executable, "-c", DECODE, path], capture_output=True, text=True, check=True
    )
    heard, peak = map(int, result.stdout.split())
    assert heard == duration_s * 22050
    return peak


@pytest.mark.parametrize("suffix", [".flac", ".wav"])
def test_an_hour_costs_no_more_than_two_minutes(tmp_path, suffix):
    peaks = []
    for duration_s in (120, 3600):
        path = tmp_path / f"{duration_s}{suffix}"
        write_long(path, duration_s)
        peaks.append(peak_bytes(path, duration_s))
    assert peaks[1] - peaks[0] < 15e6
