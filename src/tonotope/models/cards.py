"""Model cards: what a network takes, gives, was made from and is worth, in a TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tonotope.errors import ModelError

__all__ = ["BUNDLED_CARD", "ModelCard", "read_card"]

BUNDLED_CARD = Path(__file__).parent / "bundled" / "gtzan-small.toml"

_REPRESENTATIONS = ("gtzan-mel",)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The part of a card that running the network needs; `document` is all of it.

    Attributes
    ----------
    name, version
        Together they say which network an answer came from.
    file
        The ONNX file, beside the card.
    sha256
        Of that file.
    labels
        The genres, in the order of the network's output.
    embedding_size
        Length of the vector the network describes a window with.
    document
        Everything that the card says.
    """

    name: str
    version: str
    file: Path
    sha256: str
    labels: tuple[str, ...]
    embedding_size: int
    document: dict[str, Any]

    @property
    def model_id(self) -> str:
        """Name and version, as libraries record it beside every answer."""
        return f"{self.name} {self.version}"


def read_card(path: Path = BUNDLED_CARD) -> ModelCard:
    """Read a model card.

    Parameters
    ----------
    path
        The card; the bundled network's by default.

    Raises
    ------
    ModelError
        If the card cannot be read, lacks something or asks for an unknown representation.
    """
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
        labels = document["output"]["labels"]
        if not isinstance(labels, list):
            raise TypeError(f"labels is {labels!r}, not a list")
        card = ModelCard(
            name=document["name"],
            version=str(document["version"]),
            file=path.parent / document["file"],
            sha256=document["sha256"],
            labels=tuple(labels),
            embedding_size=int(document["output"]["embedding_size"]),
            document=document,
        )
        representation = document["input"]["representation"]
    except OSError as error:
        raise ModelError(
            f"cannot read model card '{path}': {error.strerror}. Reinstall the model."
        ) from error
    except KeyError as error:
        raise ModelError(f"model card '{path}' lacks {error}. Reinstall the model.") from error
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"model card '{path}' is malformed: {error}. Reinstall the model."
        ) from error
    if representation not in _REPRESENTATIONS:
        raise ModelError(
            f"model card '{path}' asks for input {representation!r}, which this version cannot "
            f"compute (it can: {', '.join(_REPRESENTATIONS)}). Update Tonotope."
        )
    return card
