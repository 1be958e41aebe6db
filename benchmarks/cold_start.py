"""Recommending artists that nobody has played yet: what their sound is worth.

    .venv/bin/python benchmarks/cold_start.py --lastfm DIR --data CACHE [--seed 0]

DIR holds ``artists.dat`` and ``user_artists.dat`` of hetrec2011-lastfm-2k (Cantador, Brusilovsky
and Kuflik 2011), CACHE is a spectrogram cache whose clips name their artists (gtzan-mel). They are
joined by artist, case-insensitively. An item is an artist: its place is the mean of its clips',
each block of which (the bundled network's embedding, 40 moments of cepstral coefficients) is
standardised over all clips and scaled by its width. All other artists of Last.fm help to fit the
listeners' factors.

The artists with sound are parted into 5 folds. Of a fold's artists all plays are hidden, and its
artists are ranked for each listener who played one of them and, for the content to have something
to go by, one of the other artists with sound. AUC, mAP, nDCG@5 and recall@5 are means over such
pairs of listener and fold; their 95 % intervals come from drawing listeners. "By artist" is the
AUC with which the same listeners are ranked for an artist, on which popularity has no influence:
its interval comes from drawing artists.

popularity, unknown     all hidden artists alike: what a list of the most played makes of them
popularity, from sound  regressed from sound to the logarithm of the number of listeners
content only            likeness to what the listener played
factors from sound      kernel ridge regression
hybrid                  of the last two, weight chosen by hiding a fold's other artists in turn
popularity, known       the number of listeners: for comparison, no new artist has it
factors known           from the plays of all other listeners, a fifth of the listeners at a time
factors known, own too  from all plays, as van den Oord et al. (2013) bound theirs
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tonotope.discovery.collaborative import (
    FactorsFromSound,
    cold_scores,
    factors_from_plays,
    fit_factors,
    hybrid_scores,
    hybrid_weight,
)
from tonotope.discovery.metrics.recommendation import auc, evaluate
from tonotope.models.cards import read_card
from tonotope.models.encoder import Encoder
from tonotope.training.cache import read_cache
from tonotope.training.clip_features import embedding_features, features_of_cache

N_FOLDS = 5
K = 5
N_DRAWS = 2000
METRICS = ("auc", "average_precision", "ndcg", "recall")

FloatArray = NDArray[np.float64]


def read_lastfm(folder: Path) -> tuple[csr_array, list[str]]:
    """Return plays (n_listeners, n_artists) and the artists' names, casefolded."""
    names = {}
    for line in (folder / "artists.dat").read_text("utf-8").splitlines():
        number, name, *_ = line.split("\t")
        names[number] = name.casefold()
    columns = {name: k for k, name in enumerate(sorted(set(names.values())))}
    listeners: dict[str, int] = {}
    rows, places, counts = [], [], []
    for line in (folder / "user_artists.dat").read_text("utf-8").splitlines()[1:]:
        listener, artist, count = line.split()
        rows.append(listeners.setdefault(listener, len(listeners)))
        places.append(columns[names[artist]])
        counts.append(float(count))
    shape = (len(listeners), len(columns))
    return csr_array((counts, (rows, places)), shape=shape), list(columns)


def read_sounds(folder: Path, kinds: tuple[str, ...]) -> dict[str, FloatArray]:
    """Return the place of each artist of a cache, by name, casefolded."""
    cache = read_cache(folder)
    blocks = []
    for kind in kinds:
        if kind == "embedding":
            block = embedding_features(Encoder(read_card()), cache)
        else:
            block = features_of_cache(cache, kind)
        spread = block.std(axis=0)
        block = (block - block.mean(axis=0)) / np.where(spread > 0, spread, 1)
        blocks.append(block / np.sqrt(block.shape[1]))
    places = np.hstack(blocks)
    clips: dict[str, list[int]] = {}
    for row, clip in enumerate(cache.clips):
        clips.setdefault(clip.artist.casefold(), []).append(row)
    return {artist: places[rows].mean(axis=0) for artist, rows in clips.items() if artist}


def known_factors(plays: csr_array, heard: NDArray[np.intp], hidden: NDArray[np.intp],
                  n_groups: int) -> FloatArray:  # fmt: skip
    """Return scores by factors of which each listener's own plays are no part; of all if 1."""
    columns = heard[hidden]
    if n_groups == 1:
        factors = fit_factors(plays)
        return factors.listeners @ factors.songs[columns].T
    seen = plays.tolil()
    seen[:, columns] = 0
    factors = fit_factors(csr_array(seen))
    others = plays[:, columns].toarray()
    group = np.arange(len(others)) % n_groups
    scores = np.empty(others.shape)
    for k in range(n_groups):
        songs = factors_from_plays(factors, csr_array(others * (group != k)[:, np.newaxis]))
        scores[group == k] = factors.listeners[group == k] @ songs.T
    return scores


def fold_scores(
    plays: csr_array, places: FloatArray, heard: NDArray[np.intp], hidden: NDArray[np.intp],
    seed: int,
) -> tuple[dict[str, FloatArray], float]:  # fmt: skip
    """Return each method's scores (n_listeners, n_hidden), and the hybrid's weight."""
    shown = np.setdiff1d(np.arange(len(heard)), hidden)
    n_listeners = (plays > 0).sum(axis=0)
    everybody = np.ones((plays.shape[0], 1))
    guess = FactorsFromSound().fit(places[shown], np.log(n_listeners[heard[shown]])[:, np.newaxis])
    by_factors, by_content = cold_scores(plays, places, heard, hidden)
    visible = plays.tolil()
    visible[:, heard[hidden]] = 0
    weight = hybrid_weight(
        csr_array(visible), places[shown], heard[shown], list(shown), np.random.default_rng(seed)
    )
    return {
        "popularity, unknown": everybody * np.zeros(len(hidden)),
        "popularity, from sound": everybody * guess.predict(places[hidden]).T,
        "content only": by_content,
        "factors from sound": by_factors,
        "hybrid": hybrid_scores(by_factors, by_content, weight),
        "popularity, known": everybody * n_listeners[heard[hidden]],
        "factors known": known_factors(plays, heard, hidden, N_FOLDS),
        "factors known, own too": known_factors(plays, heard, hidden, 1),
    }, weight


def interval(sums: FloatArray, counts: FloatArray, rng: np.random.Generator) -> list[float]:
    """Return a mean and its 95 % interval, from sums and counts per unit that is drawn."""
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=N_DRAWS)
    low, high = np.percentile((drawn @ sums) / (drawn @ counts), [2.5, 97.5])
    return [float(sums.sum() / counts.sum()), float(low), float(high)]


def measure(plays: csr_array, artists: list[str], sounds: dict[str, FloatArray], seed: int) -> dict:
    """Return the table."""
    column = {name: k for k, name in enumerate(artists)}
    names = [name for name in sorted(sounds) if name in column]
    heard = np.array([column[name] for name in names])
    places = np.array([sounds[name] for name in names], np.float32)
    played = plays[:, heard].toarray() > 0
    folds = np.array_split(np.random.default_rng(seed).permutation(len(names)), N_FOLDS)
    values: dict[str, dict[str, list[FloatArray]]] = {}
    weights, who = [], []
    for hidden in folds:
        shown = np.setdiff1d(np.arange(len(names)), hidden)
        asked = np.flatnonzero(played[:, hidden].any(axis=1) & played[:, shown].any(axis=1))
        who.append(asked)
        scores, weight = fold_scores(plays, places, heard, hidden, seed)
        weights.append(weight)
        relevant = played[np.ix_(asked, hidden)]
        for method, given in scores.items():
            found = evaluate(given[asked], relevant, K)
            of = values.setdefault(method, {name: [] for name in (*METRICS, "by_artist")})
            for name in METRICS:
                of[name].append(getattr(found, name))
            of["by_artist"].append(auc(given[asked].T, relevant.T))
    listeners = np.concatenate(who)
    table = {}
    for method, found in values.items():
        rng = np.random.default_rng(seed)
        table[method] = {}
        for name in METRICS:
            per_pair = np.concatenate(found[name])
            known = np.isfinite(per_pair)
            counts = np.bincount(listeners[known], minlength=plays.shape[0])
            sums = np.bincount(listeners[known], per_pair[known], minlength=plays.shape[0])
            table[method][name] = interval(sums[counts > 0], counts[counts > 0], rng)
        per_artist = np.concatenate(found["by_artist"])
        per_artist = per_artist[np.isfinite(per_artist)]
        table[method]["by_artist"] = interval(per_artist, np.ones(len(per_artist)), rng)
    return {
        "artists": len(names), "listeners": len(set(listeners.tolist())), "pairs": len(listeners),
        "weights": weights, "table": table,
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lastfm", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sound", default="embedding,mfcc", help="blocks: embedding, mfcc, mel")
    options = parser.parse_args()
    plays, artists = read_lastfm(options.lastfm)
    sounds = read_sounds(options.data, tuple(options.sound.split(",")))
    report = measure(plays, artists, sounds, options.seed)
    print(
        f"{report['artists']} artists with sound and plays, {report['listeners']} listeners, "
        f"{report['pairs']} pairs of listener and fold; weights of the factors: {report['weights']}"
    )
    head = ("AUC", "mAP", f"nDCG@{K}", f"recall@{K}", "AUC by artist")
    print(f"| {'':22s} | " + " | ".join(f"{name:17s}" for name in head) + " |")
    print("|---" * 6 + "|")
    for method, row in report["table"].items():
        cells = " | ".join(f"{m:.3f} ({low:.3f}–{high:.3f})"[:19] for m, low, high in row.values())
        print(f"| {method:22s} | {cells} |")
    print(json.dumps(report | {"seed": options.seed, "sound": options.sound, "k": K}))


if __name__ == "__main__":
    main()
