"""What the base install lacks, and how to get it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from tonotope.errors import InputError

__all__ = ["require"]

_TITLES = {
    "fsspec": "fsspec",
    "matplotlib": "Matplotlib",
    "onnx": "onnx",
    "skl2onnx": "skl2onnx",
    "sklearn": "scikit-learn",
    "tensorboard": "TensorBoard",
    "torch": "PyTorch",
}

# The extra that each is in, if it is not the one of all training.
_EXTRAS = {"tensorboard": "tensorboard"}


def require(module: str, what: str = "this") -> ModuleType:
    """Import an optional module.

    Parameters
    ----------
    module
        Its name as imported, e.g. ``"torch"``.
    what
        What needs it, for the message: ``"training a network"``.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise InputError(
            f"{what} needs {_TITLES.get(module, module)}, which is not installed. "
            f"Install it with: pip install 'tonotope[{_EXTRAS.get(module, 'train')}]'"
        ) from None
