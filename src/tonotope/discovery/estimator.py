"""What scikit-learn asks of an estimator, without importing it.

Its import takes longer than a question to a library. An estimator here has the methods that
scikit-learn looks for; those that need a class of scikit-learn's import it when they are called,
which only scikit-learn does.
"""

from __future__ import annotations

import inspect
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Estimator", "check_vectors"]


class Estimator:
    """The parameters of the constructor by name, as scikit-learn reads and sets them."""

    n_features_in_: int

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; none of them has parameters of its own."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters by name; they take effect when the estimator is fitted.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        known = self._parameter_names()
        for name, value in parameters.items():
            if name not in known:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}. It has: {', '.join(known)}."
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({values})"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=["float32"]),
            input_tags=InputTags(allow_nan=True),
        )

    def _refuse_unfitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            from sklearn.exceptions import NotFittedError

            raise NotFittedError(f"this {type(self).__name__} is not fitted. Call fit first.")


def check_vectors(X: Any, *, name: str) -> NDArray[np.float32]:
    """Return vectors as a matrix of float32, which may hold NaN.

    Parameters
    ----------
    X
        What was given, array-like of shape (n, n_columns).
    name
        Of the estimator, for messages.

    Raises
    ------
    ValueError
        If it is no matrix of real numbers, or has no row or no column.
    TypeError
        If it is sparse.
    """
    if hasattr(X, "tocsr"):
        raise TypeError(f"{name} takes dense vectors, and these are sparse. Use toarray().")
    matrix = np.asarray(X)
    if matrix.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} takes real numbers.")
    if matrix.ndim != 2:
        raise ValueError(
            f"{name} takes a matrix, a row per track, and this has {matrix.ndim} dimensions. "
            "Reshape your data: X.reshape(1, -1) if it is one track."
        )
    for count, what in zip(matrix.shape, ("sample", "feature"), strict=True):
        if count == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={matrix.shape}) while a minimum of 1 is "
                f"required by {name}."
            )
    with np.errstate(over="ignore"):  # what is too large for float32 counts as unknown
        return matrix.astype(np.float32, copy=False)
