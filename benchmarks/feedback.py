"""What likes and skips are worth: weights learned from some artists, judged by others.

    .venv/bin/python benchmarks/feedback.py --data CACHE --model FOLDER [--part valid] [--draws 20]

CACHE is a spectrogram cache whose clips name their artists (gtzan-mel), FOLDER a model that has not
heard this part. The artists are parted at random into two halves. A made-up user listens to the
tracks nearest to a seed, all of the first half and by other artists, and likes those that are of
the seed's genre and skips the others, seed after seed. Weights are learned from so many verdicts
(`tonotope.discovery.metric_learning`), from likes and skips and from likes alone. Judged by the
second half: which share of a track's 10 nearest, by other artists, is of its genre. Differences
from the weights as set, with 95 % intervals over draws. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.space import SimilaritySpace
from tonotope.models.encoder import Encoder
from tonotope.training.cache import Cache, read_cache
from tonotope.training.clip_features import embedding_features, features_of_cache
from tonotope.training.evaluation.run import find_card
from tonotope.training.splits import artist_key

N_VERDICTS = (10, 30, 100, 300)
K = 10

IndexArray = NDArray[np.intp]
Pairs = list[tuple[int, int]]


def placed(cache: Cache, model: str) -> SimilaritySpace:
    """Return the clips in the space of a model's embedding and of what a spectrogram tells."""
    timbre = features_of_cache(cache, "mfcc")
    embedding = embedding_features(Encoder(find_card(model)), cache)
    space = SimilaritySpace({"timbre": timbre.shape[1], "embedding": embedding.shape[1]})
    return space.fit(np.hstack([timbre, embedding]).astype(np.float32))


def neighbours(
    space: SimilaritySpace, rows: IndexArray, artist: NDArray[np.int64]
) -> dict[int, list[int]]:
    """Return the nearest of some tracks among these, by other artists."""
    nearest = {}
    for row in rows.tolist():
        others = rows[artist[rows] != artist[row]]
        distances = space.distances_from(space.places_[row])[others]
        nearest[row] = others[np.argsort(distances, kind="stable")[:K]].tolist()
    return nearest


def verdicts(
    nearest: dict[int, list[int]], genre: NDArray[np.int64], n: int, rng: np.random.Generator
) -> tuple[Pairs, Pairs]:
    """Return what a user who goes by genre likes and skips."""
    liked: Pairs = []
    skipped: Pairs = []
    for seed in rng.permutation(list(nearest)).tolist():
        for row in nearest[seed]:
            if len(liked) + len(skipped) < n:
                (liked if genre[row] == genre[seed] else skipped).append((seed, row))
    return liked, skipped


def precision(nearest: dict[int, list[int]], genre: NDArray[np.int64]) -> float:
    """Return which share of the neighbours is of the track's genre."""
    return float(np.mean([(genre[rows] == genre[row]).mean() for row, rows in nearest.items()]))


def one_draw(
    space: SimilaritySpace, genre: NDArray[np.int64], artist: NDArray[np.int64], seed: int
) -> dict[str, float]:
    """Return the precision by each kind and number of verdicts, for one parting of the artists."""
    rng = np.random.default_rng(seed)
    artists = np.unique(artist)
    is_first = np.isin(artist, rng.choice(artists, len(artists) // 2, replace=False))
    first, second = np.flatnonzero(is_first), np.flatnonzero(~is_first)
    space.learn([])
    of_first = neighbours(space, first, artist)
    found = {"as set": precision(neighbours(space, second, artist), genre)}
    for n in N_VERDICTS:
        liked, skipped = verdicts(of_first, genre, n, np.random.default_rng(seed))
        for kind, apart in (("likes and skips", skipped), ("likes alone", [])):
            space.learn(liked, apart=apart)
            found[f"{n} {kind}"] = precision(neighbours(space, second, artist), genre)
    return found


def numbers(names: list[str]) -> NDArray[np.int64]:
    """Return a number for each name; what has none is like no other."""
    return np.unique([name or f"unknown {k}" for k, name in enumerate(names)], return_inverse=True)[
        1
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--part", default="valid")
    parser.add_argument("--draws", type=int, default=20)
    options = parser.parse_args()
    cache = read_cache(options.data)
    rows = [row for row, clip in enumerate(cache.clips) if clip.split == options.part]
    clips = [cache.clips[row] for row in rows]
    cache = replace(cache, clips=clips, mel=cache.mel[rows])
    genre = numbers([clip.genre for clip in clips])
    artist = numbers([artist_key(clip) for clip in clips])
    space = placed(cache, options.model)
    draws = [one_draw(space, genre, artist, seed) for seed in range(options.draws)]
    result = {}
    print(f"as set: {np.mean([draw['as set'] for draw in draws]):.1%}")
    for name in list(draws[0])[1:]:
        gains = 100 * np.array([draw[name] - draw["as set"] for draw in draws])
        half = 1.96 * gains.std(ddof=1) / len(gains) ** 0.5
        result[name] = [round(float(gains.mean()), 2), round(float(half), 2)]
        print(f"{name:22s} {gains.mean():+5.1f} points ({-half:+.1f} to {half:+.1f} about it)")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
