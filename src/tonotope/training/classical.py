"""Classical models: what can be learned from a row of numbers per clip.

Any features will do: descriptors, sums of a spectrogram, another network's embedding. What is
missing (NaN) is filled in with the median of the training clips. The same seed gives the same
model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tonotope.errors import InputError
from tonotope.features.stft import Float32Array
from tonotope.training.extras import require

__all__ = ["CLASSICAL", "ClassicalModel", "fit_classical"]

_N_FOLDS = 5
# With fewer numbers, threads wait for each other longer than they compute.
_LEAST_FOR_THREADS = 1_000_000

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ClassicalModel:
    """A fitted model.

    Attributes
    ----------
    name
        One of `CLASSICAL`.
    labels
        The genres, in the order of the probabilities.
    n_features
        How many numbers it wants per clip.
    estimator
        scikit-learn's, whose classes are indices into `labels`.
    """

    name: str
    labels: tuple[str, ...]
    n_features: int
    estimator: Any

    def probabilities(self, X: ArrayLike) -> FloatArray:
        """Return the probability of each label.

        Parameters
        ----------
        X
            Shape (n_clips, n_features); NaN where unknown.

        Returns
        -------
        ndarray
            Shape (n_clips, n_labels), each row of sum 1.
        """
        rows = _rows(X)
        if rows.shape[1] != self.n_features:
            raise ValueError(f"X has shape {rows.shape}, expected (n_clips, {self.n_features})")
        given: FloatArray = self.estimator.predict_proba(rows).astype(np.float64)
        given /= given.sum(axis=1, keepdims=True)
        return given

    def to_onnx(self, path: Path) -> None:
        """Write the model for ONNX Runtime.

        Its input ``features`` is float32 of shape (n_clips, n_features), its output
        ``probabilities`` float32 of shape (n_clips, n_labels). Where neighbours of a clip are
        equally far to the last bit of float32, ``knn`` may take another than scikit-learn does.

        Raises
        ------
        InputError
            If skl2onnx is not installed.
        """
        from tonotope.training.classical_onnx import write_onnx

        write_onnx(self.estimator, self.n_features, path)


def fit_classical(
    name: str, X: ArrayLike, y: ArrayLike, labels: Sequence[str], seed: int = 0
) -> ClassicalModel:
    """Fit a model.

    Parameters
    ----------
    name
        ``svm``: radial basis functions on standardised features, C 10; the probabilities by Platt's
        sigmoid on decisions of five-fold cross-validation. ``random-forest``: 300 trees.
        ``gradient-boosting``: 150 rounds of small trees on histograms. ``knn``: the 10 nearest of
        standardised features.
    X
        The training clips, shape (n_clips, n_features); NaN where unknown.
    y
        Their genres, shape (n_clips,): indices into `labels`.
    labels
        The genres. Each needs a clip, for ``svm`` two.
    seed
        Of folds and trees.

    Raises
    ------
    InputError
        If there is no such model, a label has too few clips, or scikit-learn is not installed.
    """
    if name not in _MAKERS:
        raise InputError(f"no classical model is called {name!r}. There are: {', '.join(_MAKERS)}.")
    rows, genre = _rows(X), np.asarray(y)
    if genre.shape != (len(rows),):
        raise ValueError(f"y has shape {genre.shape}, expected ({len(rows)},): one for each row")
    if len(genre) and not 0 <= genre.min() <= genre.max() < len(labels):
        raise ValueError(
            f"y goes from {genre.min()} to {genre.max()}, there are {len(labels)} labels"
        )
    counts = np.bincount(genre, minlength=len(labels))
    least = 2 if name == "svm" else 1
    if len(labels) < 2:
        raise InputError(f"cannot fit {name}: {len(labels)} genres. Give clips of 2 at least.")
    if counts.min() < least:
        raise InputError(
            f"cannot fit {name}: of genre '{labels[int(counts.argmin())]}' {counts.min()} training "
            f"clips. It needs {least} of each; leave scarce genres out."
        )
    require("sklearn", f"model {name!r}")
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from threadpoolctl import threadpool_limits

    # A column without any number says nothing, and keeps its place.
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    steps = _MAKERS[name](seed, min(_N_FOLDS, int(counts.min())), len(rows))
    pipeline = make_pipeline(imputer, *steps)
    with threadpool_limits(1 if rows.size < _LEAST_FOR_THREADS else None):
        estimator = pipeline.fit(rows, genre)
    return ClassicalModel(name, tuple(labels), rows.shape[1], estimator)


def _rows(X: ArrayLike) -> Float32Array:
    with np.errstate(over="ignore"):
        rows: Float32Array = np.array(X, dtype=np.float32, ndmin=2)
    if rows.ndim != 2:
        raise ValueError(f"X has shape {rows.shape}, expected (n_clips, n_features)")
    rows[np.isinf(rows)] = np.nan
    return rows


def _svm(seed: int, n_folds: int, _: int) -> list[Any]:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import StratifiedKFold
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    return [StandardScaler(), CalibratedClassifierCV(SVC(C=10.0), cv=folds, ensemble=False)]


def _random_forest(seed: int, *_: int) -> list[Any]:
    from sklearn.ensemble import RandomForestClassifier

    return [RandomForestClassifier(n_estimators=300, random_state=seed)]


def _gradient_boosting(seed: int, *_: int) -> list[Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    # Without early stopping, for which it would set clips aside, whoever their artist is.
    return [
        HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=150,
            max_leaf_nodes=8,
            early_stopping=False,
            random_state=seed,
        )
    ]


def _knn(_seed: int, _n_folds: int, n_clips: int) -> list[Any]:
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import StandardScaler

    return [StandardScaler(), KNeighborsClassifier(n_neighbors=min(10, n_clips))]


# From a name to the steps after the imputer, given seed, folds and number of clips.
_MAKERS: Mapping[str, Callable[[int, int, int], list[Any]]] = {
    "svm": _svm,
    "random-forest": _random_forest,
    "gradient-boosting": _gradient_boosting,
    "knn": _knn,
}

CLASSICAL = tuple(_MAKERS)
"""The names of the classical models."""
