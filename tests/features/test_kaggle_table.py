"""The feature table that circulates with GTZAN, as far as 40 dB of its clips' log-mel go.

librosa computed that table from the sound. Here there are the same clips' mel spectrograms alone,
8 bits deep and cut off at 40 dB, which is not enough for MFCC or contrast. What loud bands decide
can be compared: it must vary from clip to clip as theirs does.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tonotope.features import spectral_centroid, spectral_rolloff
from tonotope.features.mel import mel_filterbank

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def compared(data_dir: Path) -> dict[str, np.ndarray]:
    """Return of 160 clips pairs of what we compute and what the table says, shape (160, 2)."""
    folder = data_dir / "gtzan-mel"
    with (folder / "kaggle_features_30_sec.csv").open(newline="") as file:
        table = {row["filename"].removesuffix(".wav"): row for row in csv.DictReader(file)}
    with (folder / "clips.csv").open(newline="") as file:
        clips = [row["clip"] for row in csv.DictReader(file)]
    mel = np.load(folder / "mel.npy", mmap_mode="r")
    # Each bin is made of the bands that it adds to.
    of_bands = mel_filterbank() / mel_filterbank().sum(axis=0).clip(1e-9)
    pairs: dict[str, list[tuple[float, float]]] = {"centroid": [], "rolloff": [], "rms": []}
    for clip in range(0, len(clips), 4):
        row = {name: value for name, value in table[clips[clip]].items() if name != "label"}
        levels = mel[clip].T.astype(np.float32)
        power = np.where(levels > 0, 10 ** ((levels / 255 * 80 - 80) / 20), 0) @ of_bands
        magnitude = np.sqrt(power).astype(np.float32)
        rms = np.sqrt(power.sum(axis=1))
        theirs_rms = float(row["rms_var"]) / float(row["rms_mean"]) ** 2
        theirs_centroid = float(row["spectral_centroid_mean"])
        pairs["centroid"].append((float(spectral_centroid(magnitude).mean()), theirs_centroid))
        pairs["rolloff"].append(
            (float(spectral_rolloff(magnitude).mean()), float(row["rolloff_mean"]))
        )
        pairs["rms"].append((float(rms.var() / rms.mean() ** 2), theirs_rms))
    return {name: np.array(values) for name, values in pairs.items()}


@pytest.mark.parametrize(("name", "least"), [("centroid", 0.8), ("rolloff", 0.75), ("rms", 0.96)])
def test_varies_from_clip_to_clip_as_the_table_does(
    compared: dict[str, np.ndarray], name: str, least: float
) -> None:
    assert np.corrcoef(compared[name].T)[0, 1] > least
