"""Maps: each track's place in the similarity space as a point on a plane, or in a room.

Near on the map means alike; far apart says little. By PCA, t-SNE (van der Maaten & Hinton 2008) or
UMAP (McInnes, Healy & Melville 2018), all from the space's first principal components, and both of
the latter begun at the PCA map, which keeps the large view in order (Kobak & Linderman 2021).

A map is drawn once. A track that comes later is put among the mapped tracks that are nearest to it
in the space (`add_points`), and no other point moves.

Time grows with the tracks' number n as n log n; PCA's is linear. In the plane t-SNE is openTSNE's
(Poličar, Stražar & Zupan 2024); with three axes it is scikit-learn's, which takes many times as
long. UMAP takes some 20 s more, in which its code is compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tonotope.discovery.distances import distances_to

__all__ = [
    "FEWEST_TRACKS",
    "METHODS",
    "Drawing",
    "add_points",
    "best_method",
    "draw_map",
    "missing_package",
]

Float32Array = NDArray[np.float32]
Progress = Callable[[int, int], None]

METHODS = ("umap", "tsne", "pca")

# Fewer than these have no neighbourhoods that a map could keep: PCA draws them.
FEWEST_TRACKS = 4

# Directions of less variance are mostly noise, and cost time in every distance.
_N_COMPONENTS = 50
_PERPLEXITY = 30.0
_N_NEIGHBOURS = 15
# With more, t-SNE with three axes takes many minutes.
_MOST_FOR_SLOW_TSNE = 5000
_N_ITERATIONS = (250, 500)  # of openTSNE: exaggerated, and as the method is defined


class Drawing(NamedTuple):
    """A map: points, shape (n_tracks, n_dims), float32, and the method they come from."""

    points: Float32Array
    method: str


def missing_package(method: str) -> str | None:
    """Return what has to be installed for a method; None if nothing has to."""
    return "umap-learn" if method == "umap" and find_spec("umap") is None else None


def best_method(n_tracks: int, n_dims: int) -> str:
    """Return the method that draws the best map in bearable time, of those that are installed.

    In the plane t-SNE. With three axes UMAP, if it is installed; else t-SNE for up to 5000 tracks,
    and PCA for more.
    """
    if n_dims == 2:
        return "tsne"
    if missing_package("umap") is None:
        return "umap"
    return "tsne" if n_tracks <= _MOST_FOR_SLOW_TSNE else "pca"


def draw_map(
    places: Float32Array,
    method: str,
    n_dims: int = 2,
    *,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Drawing:
    """Return a point for each track, near for those that are alike.

    Parameters
    ----------
    places
        Shape (n_tracks, n_columns), finite; Euclidean distances mean dissimilarity.
    method
        One of `METHODS`; ``"umap"`` needs umap-learn. Fewer than `FEWEST_TRACKS`, or tracks that
        are all the same, are drawn by PCA whatever is asked for.
    n_dims
        2 or 3.
    seed
        The same seed gives the same map.
    on_progress
        Called with how many steps of how many are done, where the method tells.

    Returns
    -------
    Drawing
        Its points are finite, around the origin, and none is further from it along any axis than 1.
    """
    if places.ndim != 2 or not len(places) or not np.isfinite(places).all():
        raise ValueError(f"places have shape {places.shape}, expected (n, d), finite, n >= 1")
    if n_dims not in (2, 3) or method not in METHODS:
        raise ValueError(f"no map by {method!r} with {n_dims} axes")
    components = _principal_components(places)
    plane = _first_columns(components, n_dims)
    if method == "pca" or len(places) < FEWEST_TRACKS or not plane.any():
        return Drawing(_fitted(plane), "pca")
    draw = _umap if method == "umap" else _tsne
    points = draw(components, plane, seed, on_progress or (lambda done, total: None))
    return Drawing(_fitted(points), method)


def add_points(
    places: Float32Array,
    points: Float32Array,
    new_places: Float32Array,
    *,
    n_neighbours: int = 10,
) -> Float32Array:
    r"""Return points for new tracks on a map; those that are on it stay where they are.

    A new track is put at the weighted geometric median of its nearest mapped tracks' points: unlike
    the mean it stays with the many, and out of the void between them and a few that the map has put
    elsewhere. A neighbour at distance d counts :math:`\exp(-d^2 / 2 m^2)`, m being the median
    distance of the neighbours; a track like a mapped one to the bit gets its point.

    Parameters
    ----------
    places, points
        Of the mapped tracks, shape (n, n_columns) and (n, n_dims); n >= 1.
    new_places
        Shape (n_new, n_columns).
    n_neighbours
        How many mapped tracks say where a new one goes.

    Returns
    -------
    ndarray
        Shape (n_new, n_dims), float32, within the bounds of the neighbours' points.
    """
    result = np.empty((len(new_places), points.shape[1]), np.float32)
    k = min(n_neighbours, len(places))
    for row, place in enumerate(new_places):
        distances = distances_to(places, place)
        nearest = np.argpartition(distances, k - 1)[:k]
        nearest = nearest[np.lexsort((nearest, distances[nearest]))]
        near = distances[nearest].astype(np.float64)
        if near[0] == 0:
            result[row] = points[nearest[0]]
            continue
        weights = np.exp(-0.5 * (near / np.median(near)) ** 2)
        result[row] = _geometric_median(points[nearest].astype(np.float64), weights)
    return result


def _geometric_median(points: NDArray[np.float64], weights: NDArray[np.float64]) -> Float32Array:
    """Return the point with the least weighted sum of distances to some (Weiszfeld 1937)."""
    point = np.average(points, axis=0, weights=weights)
    smallest = 1e-6 * max(float(np.ptp(points, axis=0).max()), 1e-12)
    for _ in range(50):
        shares = weights / np.maximum(np.linalg.norm(points - point, axis=1), smallest)
        moved = np.average(points, axis=0, weights=shares)
        if np.abs(moved - point).max() <= smallest:
            break
        point = moved
    result: Float32Array = point.astype(np.float32)
    return result


def _principal_components(places: Float32Array) -> Float32Array:
    """Return the places turned to their principal axes, the widest first, at most 50 of them."""
    from sklearn.decomposition import PCA

    n_components = min(_N_COMPONENTS, *places.shape)
    centred = places - places.mean(axis=0, dtype=np.float64).astype(np.float32)
    if n_components == 0 or not centred.any():
        return np.zeros((len(places), 1), np.float32)
    # Exact, and of fixed signs; the covariance of some hundred columns is small.
    pca = PCA(n_components, svd_solver="covariance_eigh")
    return np.asarray(pca.fit_transform(centred), np.float32)


def _first_columns(components: Float32Array, n_dims: int) -> Float32Array:
    plane: Float32Array = np.zeros((len(components), n_dims), np.float32)
    plane[:, : components.shape[1]] = components[:, :n_dims]
    return plane


def _fitted(points: NDArray[np.floating]) -> Float32Array:
    """Return points moved and scaled, all axes alike, into the square from -1 to 1."""
    low, high = points.min(axis=0), points.max(axis=0)
    half = float((high - low).max()) / 2
    # Without float64 the largest might come to lie a rounding outside.
    centred = points.astype(np.float64) - (low.astype(np.float64) + high) / 2
    fitted = centred / half if half > 0 else np.zeros_like(centred)
    result: Float32Array = np.clip(fitted, -1, 1).astype(np.float32)
    return result


def _beginning(plane: Float32Array, spread: float, seed: int) -> Float32Array:
    """Return the PCA map at a size, with a trace of noise that parts what lies on one point."""
    noise = np.random.default_rng(seed).normal(size=plane.shape)
    begun: Float32Array = np.ascontiguousarray(
        spread * (plane / plane[:, 0].std() + 1e-3 * noise), np.float32
    )
    return begun


def _umap(
    components: Float32Array, plane: Float32Array, seed: int, on_progress: Progress
) -> NDArray[np.floating]:
    import warnings

    with warnings.catch_warnings():
        # It says that it uses one thread, as it must with a seed, and what its own parts deprecate.
        warnings.simplefilter("ignore")
        import umap

        mapper = umap.UMAP(
            n_neighbors=min(_N_NEIGHBOURS, len(components) - 1),
            n_components=plane.shape[1],
            init=_beginning(plane, 10 / 3, seed),
            random_state=seed,
            n_jobs=1,
            tqdm_kwds={
                "disable": False,
                "file": _Counted(on_progress),
                "bar_format": "{n_fmt}/{total_fmt};",
            },
        )
        return np.asarray(mapper.fit_transform(components))


class _Counted:
    """A stream on which tqdm writes ``12/200;``; UMAP tells by no other way how far it is."""

    def __init__(self, on_progress: Progress) -> None:
        self._on_progress = on_progress

    def write(self, text: str) -> None:
        done, slash, total = text.strip().removesuffix(";").partition("/")
        if slash and done.isdigit() and total.isdigit():
            self._on_progress(int(done), int(total))

    def flush(self) -> None:
        """Do nothing: each text is passed on at once."""


def _tsne(
    components: Float32Array, plane: Float32Array, seed: int, on_progress: Progress
) -> NDArray[np.floating]:
    n_tracks = len(components)
    perplexity = min(_PERPLEXITY, (n_tracks - 1) / 3)
    begun = _beginning(plane, 1e-4, seed)
    if plane.shape[1] == 2:
        return _fast_tsne(components, begun, perplexity, seed, on_progress)
    from sklearn.manifold import TSNE

    tsne = TSNE(
        plane.shape[1],
        perplexity=perplexity,
        init=begun,
        # Its own rule lets few points leap about.
        learning_rate=min(n_tracks / 12, max(n_tracks / 48, 50)),
        random_state=seed,
        n_jobs=1,
    )
    return np.asarray(tsne.fit_transform(components))


def _fast_tsne(
    components: Float32Array,
    begun: Float32Array,
    perplexity: float,
    seed: int,
    on_progress: Progress,
) -> NDArray[np.floating]:
    """Draw by interpolation and FFT (Linderman et al. 2019); in the plane only."""
    from openTSNE import TSNE

    n_early, n_late = _N_ITERATIONS
    done = 0

    def count(iteration: int, error: float, embedding: object) -> None:
        # Each of the two phases counts from one again.
        nonlocal done
        done += 10
        on_progress(done, n_early + n_late)

    tsne = TSNE(
        perplexity=perplexity,
        initialization=begun,
        early_exaggeration_iter=n_early,
        n_iter=n_late,
        random_state=seed,
        # With more threads the sums' last digits, and after some hundred steps the map, would
        # depend on how many they are.
        n_jobs=1,
        callbacks=count,
        callbacks_every_iters=10,
    )
    return np.asarray(tsne.fit(components))
