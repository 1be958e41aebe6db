"""Caches of made-up clips that a network can tell apart in seconds."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from tonotope.training.cache import CLIPS_FILE, MEL_FILE

GENRES = ("high", "low", "noisy")


def spectrogram(genre: str, rng: np.random.Generator, n_columns: int) -> np.ndarray:
    """Return a spectrogram that sounds like its genre, shape (128, n_columns), uint8."""
    mel = rng.integers(20, 60, (128, n_columns))
    # Something of its own, so that no two clips are alike.
    mel[rng.integers(0, 128, 12)] += rng.integers(10, 60, (12, n_columns))
    if genre == "high":
        mel[70:110] += 120
    elif genre == "low":
        mel[5:45] += 120
    else:
        mel += rng.integers(0, 120, mel.shape)
    return mel.clip(0, 255).astype(np.uint8)


def write_cache(
    folder: Path,
    parts: dict[str, int],
    *,
    n_columns: int = 40,
    seed: int = 0,
    rows: list[dict[str, str]] | None = None,
) -> Path:
    """Write a cache with so many clips of each genre in each part.

    Every clip has an artist of its own, but where `rows`, in order, say otherwise.
    """
    rng = np.random.default_rng(seed)
    clips, mel = [], []
    for part, n_clips in parts.items():
        for k in range(n_clips):
            for genre in GENRES:
                name = f"{genre}.{part}.{k:03d}"
                clips.append(
                    {
                        "clip": name,
                        "genre": genre,
                        "split": part,
                        "artist": f"artist of {name}",
                        "title": "",
                        "recording": "",
                    }
                )
                mel.append(spectrogram(genre, rng, n_columns))
    for clip, changes in zip(clips, rows or [], strict=False):
        clip |= changes
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / MEL_FILE, np.array(mel))
    with (folder / CLIPS_FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(clips[0]))
        writer.writeheader()
        writer.writerows(clips)
    return folder
