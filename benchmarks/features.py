"""What all descriptors cost, against librosa, Essentia and bliss in the same run.

    .venv/bin/python benchmarks/features.py FOLDER [--rounds 9]

Every round takes another clip of 30 s out of the music in FOLDER, and all of one round hear the
same: CPU time of one thread, in turn, because a machine's speed drifts. Ratios above 1 mean that
Tonotope is faster. Peers: two librosa scripts (`librosa_scripts.py`); Essentia's MusicExtractor
(AGPL) and bliss (GPL), both with decoding, where they are installed (pip install essentia
bliss-audio). Tonotope's side is everything that is not on request, all frames of it, and the row
of the table `tonotope`: also what librosa has not (loudness, key, rhythm patterns ...).
`vs_librosa_shared` computes the same descriptors as Tonotope: two constant-Q transforms, of 12
and of 36 bins per octave; `..._coarse_chroma` makes chroma of the first, which is cheaper.
Beside it: the share of each stage, and the floor, which is the bare FFT of the same frames.
The last line is one JSON object.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import librosa
import librosa_scripts
import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from tonotope.audio import decode
from tonotope.features import analyze
from tonotope.features.mel import log_mel
from tonotope.features.stft import stft_power
from tonotope.features.tables import table_row
from tonotope.library.walk import Walk

try:
    import bliss_audio
except ImportError:
    bliss_audio = None
try:
    import essentia
    from essentia.standard import MusicExtractor
except ImportError:
    essentia = None

RATE_HZ = librosa_scripts.RATE_HZ
CLIP_S = 30

FIRST_CALL = """
import sys, time, numpy as np
from tonotope.features import analyze
from tonotope.features.tables import table_row
signal = np.load(sys.argv[1])
for _ in range(4):
    started = time.process_time()
    table_row(analyze([signal]), "tonotope")
    print(time.process_time() - started)
"""


def cpu_s(work: Callable[..., object], *arguments: object) -> float:
    """Return the CPU seconds that some work takes."""
    started = time.process_time()
    work(*arguments)
    return time.process_time() - started


def least_ms(work: Callable[..., object], *arguments: object) -> float:
    """Return the least that some work takes of seven times, in ms."""
    return 1e3 * min(cpu_s(work, *arguments) for _ in range(7))


def whole_set(signal: librosa_scripts.Signal) -> None:
    """Describe a signal: all frames, and the row."""
    table_row(analyze([signal]), "tonotope")


def whole_file(path: str) -> None:
    """Decode a file and describe it."""
    with decode(path) as blocks:
        table_row(analyze(blocks), "tonotope")


def clips(paths: list[str], seconds: int) -> Iterator[librosa_scripts.Signal]:
    """Yield a stretch out of the middle of each file that is long enough."""
    for path in paths:
        with decode(path) as blocks:
            signal = np.concatenate(list(blocks))
        start = (len(signal) - seconds * RATE_HZ) // 2
        if start >= 0:
            yield signal[start : start + seconds * RATE_HZ]


def summary(values: list[float]) -> dict[str, float]:
    """Return minimum, median and maximum."""
    return {
        "min": round(min(values), 3),
        "median": round(statistics.median(values), 3),
        "max": round(max(values), 3),
    }


def floor(signal: librosa_scripts.Signal) -> None:
    """Transform the same frames and do nothing with them."""
    frames = sliding_window_view(np.pad(signal, 1024), 2048)[::512]
    for start in range(0, len(frames), 64):
        scipy.fft.rfft(frames[start : start + 64], axis=1)


STAGES: dict[str, list[str]] = {
    "spectrum (STFT, mel, log-mel)": ["log_mel"],
    "timbre": [
        "mfcc",
        "spectral_contrast",
        "spectral_centroid",
        "spectral_bandwidth",
        "spectral_rolloff",
        "spectral_flatness",
        "zero_crossing_rate",
        "rms",
    ],
    "tuning, chroma, pitch classes": ["tuning", "chroma_stft", "pitch_class_profile"],
    "constant Q, CENS, tonnetz, key": ["cqt", "chroma_cqt", "chroma_cens", "tonnetz", "key"],
    "onsets, tempo, beats": [
        "onset_strength",
        "onset_times",
        "tempo",
        "beat_times",
        "beat_histogram",
        "beat_histogram_summary",
        "pulse_clarity",
    ],
    "rhythm patterns, danceability": ["rhythm_patterns", "fluctuation", "danceability"],
    "loudness, true peak": ["level"],
}


def stages(signal: librosa_scripts.Signal) -> dict[str, float]:
    """Return what each stage adds, in ms: the set with it less the set before."""
    added: dict[str, float] = {}
    before = 0.0
    wanted: list[str] = []
    for stage, names in STAGES.items():
        wanted += names
        cost = least_ms(analyze, [signal], wanted)
        added[stage] = round(cost - before, 2)
        before = cost
    total = least_ms(whole_set, signal)
    added["statistics and row"] = round(total - before, 2)
    added["total"] = round(total, 2)
    added["floor (bare rfft)"] = round(least_ms(floor, signal), 2)
    return added


def first_call(signal: librosa_scripts.Signal) -> float:
    """Return by how many CPU seconds a process's first call exceeds its later ones."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.npy"
        np.save(path, signal)
        done = subprocess.run(
            [sys.executable, "-c", FIRST_CALL, str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
    first, *later = map(float, done.stdout.split())
    return first - min(later)


def our_log_mel(signal: librosa_scripts.Signal) -> None:
    """Compute the log-mel spectrogram."""
    log_mel(stft_power(signal))


def librosas_log_mel(signal: librosa_scripts.Signal) -> None:
    """Compute the log-mel spectrogram."""
    librosa.power_to_db(librosa.feature.melspectrogram(y=signal, sr=RATE_HZ))


def coarse(signal: librosa_scripts.Signal) -> None:
    """Describe a signal by librosa as cheaply as can be."""
    librosa_scripts.shared(signal, fine_chroma=False)


def compare(paths: list[str], rounds: int) -> dict[str, list[float]]:
    """Return the ratios of all rounds, by peer."""
    ratios = defaultdict(list)
    pool = list(itertools.islice(clips(paths, CLIP_S), rounds))
    for work in (whole_set, librosa_scripts.shared, librosa_scripts.typical):
        work(pool[0])  # librosa compiles at its first call
    of_signals = {
        "vs_librosa_shared": (librosa_scripts.shared, whole_set),
        "vs_librosa_shared_coarse_chroma": (coarse, whole_set),
        "vs_librosa_typical": (librosa_scripts.typical, whole_set),
        "log_mel_vs_librosa": (librosas_log_mel, our_log_mel),
    }
    of_files: dict[str, Callable[[str], object]] = {}
    if essentia is not None:
        essentia.log.infoActive = essentia.log.warningActive = False
        of_files["vs_essentia_with_decoding"] = lambda path: MusicExtractor()(path)
    # What Essentia's tag reader takes, too.
    common = [path for path in paths if path.lower().endswith((".mp3", ".ogg", ".flac", ".wav"))]
    if bliss_audio is not None:
        of_files["vs_bliss_with_decoding"] = bliss_audio.Song
    for k in range(rounds):
        signal = pool[k % len(pool)]
        for name, (theirs, ours) in of_signals.items():
            ratios[name].append(cpu_s(theirs, signal) / cpu_s(ours, signal))
        long = np.tile(signal, 8)
        ratios["growth_240_s_over_30_s"].append(cpu_s(whole_set, long) / cpu_s(whole_set, signal))
        path = common[k * len(common) // rounds]
        for name, file_work in of_files.items():
            ratios[name].append(cpu_s(file_work, path) / cpu_s(whole_file, path))
    return ratios


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    paths = [file.path for file in Walk([str(Path(options.folder).absolute())])]
    report: dict[str, object] = {}
    for name, values in compare(paths, options.rounds).items():
        report[name] = ratio = summary(values)
        print(f"{name:32s} {ratio['median']:8.2f}  ({ratio['min']:.2f} to {ratio['max']:.2f})")
    signal = next(clips(paths, CLIP_S))
    report["first_call_excess_s"] = summary([first_call(signal) for _ in range(3)])
    print(f"\nfirst call of a process: {report['first_call_excess_s']} s over later ones")
    report["stages_ms"] = costs = stages(signal)
    print("\nms of CPU per 30 s clip")
    for stage, cost in costs.items():
        print(f"  {stage:32s} {cost:7.2f}  {cost / costs['total']:5.0%}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
