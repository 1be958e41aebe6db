"""Model cards: what a network takes, gives, was made from and is worth, in a TOML file.

``docs/model-cards.md`` has every key.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tonotope.errors import ModelError
from tonotope.models.card_values import CardTable, CardValueError, MissingKeyError
from tonotope.models.representations import Representation, read_representation

__all__ = ["BUNDLED_CARD", "Accuracy", "ModelCard", "OutputNames", "read_card"]

BUNDLED_CARD = Path(__file__).parent / "bundled" / "tonotope-1.toml"

_REPRESENTATIONS = ("gtzan-mel", "log-mel", "waveform")
# No folder, and nothing hidden.
_FILE_NAME = re.compile(r"[^./\\\0][^/\\\0]*\.onnx")
_ACTIVATIONS = ("softmax", "sigmoid", "none")
_POOLINGS = ("mean", "none")
# Where accuracies are, and the part of the data that each is of, if [measured] does not say.
_MEASURED = (("test_accuracy", "test"), ("accuracy", "unknown"), ("valid_accuracy", "valid"))


@dataclass(frozen=True, slots=True)
class OutputNames:
    """Where in a network's outputs its answers are, and what has to be done to them.

    Attributes
    ----------
    scores
        The output with a number per label; None where the network has no labels.
    activation
        What makes probabilities of it.
    embedding
        The output with the embedding; None where there is none.
    pooling
        What is made of outputs with a time axis, shape (n_windows, n_steps, size).
    """

    scores: str | None
    activation: str
    embedding: str | None
    pooling: str


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A measured accuracy, 0 to 1, and of which part of the data."""

    value: float
    part: str


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The part of a card that running the network needs; `document` is all of it.

    Attributes
    ----------
    name, version
        Together they say which network an answer came from.
    path
        The card itself.
    file
        The ONNX file, beside the card.
    sha256
        Of that file; None where the card does not say, which no installed one does.
    labels
        The genres, in the order of the network's output; none if it only gives embeddings.
    embedding_size
        Length of the vector the network describes a window with; None if it only names genres.
    document
        Everything that the card says.
    input
        What the network is given.
    output
        Where its answers are.
    """

    name: str
    version: str
    path: Path
    file: Path
    sha256: str | None
    labels: tuple[str, ...]
    embedding_size: int | None
    document: dict[str, Any]
    input: Representation
    output: OutputNames

    @property
    def model_id(self) -> str:
        """Name and version, as libraries record it beside every answer."""
        return f"{self.name} {self.version}"

    @property
    def licence(self) -> str | None:
        """The licence that the card names."""
        licence = self.document.get("licence")
        return licence if isinstance(licence, str) else None

    @property
    def accuracy(self) -> Accuracy | None:
        """The accuracy on the test part that the card states; else on the valid part."""
        measured = self.document.get("measured")
        if not isinstance(measured, dict):
            return None
        for key, part in _MEASURED:
            value = measured.get(key)
            if isinstance(value, int | float) and 0 <= value <= 1:
                stated = str(measured.get("part", part)) if key == "accuracy" else part
                return Accuracy(float(value), stated)
        return None


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
    mend = "Correct it as docs/model-cards.md says, or reinstall the model."
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
        return _card(document, path)
    except OSError as error:
        raise ModelError(
            f"cannot read model card '{path}': {error.strerror}. "
            "Check the path, or reinstall the model."
        ) from error
    except MissingKeyError as error:
        raise ModelError(f"model card '{path}' lacks {error}. {mend}") from error
    except ValueError as error:  # also of what is no TOML, or no UTF-8
        raise ModelError(f"model card '{path}' is malformed: {error}. {mend}") from error


def _card(document: dict[str, Any], path: Path) -> ModelCard:
    card = CardTable(document)
    output = card.table("output")
    labels = output.names("labels") if "labels" in output else ()
    has_embedding = "embedding_size" in output or "embedding" in output
    if not labels and not has_embedding:
        raise MissingKeyError("'labels' and 'embedding_size' in [output], of which it needs one")
    if "unknown_below" in output:
        output.number("unknown_below", 0.0, 1.0)
    name, version = card.text("name"), _version(document)
    file, sha256 = _file(card, path), _sha256(card)
    representation = read_representation(card.table("input"))
    if isinstance(representation, str):
        raise ModelError(
            f"model card '{path}' asks for input {representation!r}, which this version cannot "
            f"compute (it can: {', '.join(_REPRESENTATIONS)}). Update Tonotope."
        )
    return ModelCard(
        name=name,
        version=version,
        path=path,
        file=file,
        sha256=sha256,
        labels=labels,
        embedding_size=output.whole("embedding_size", 1, 65536) if has_embedding else None,
        document=document,
        input=representation,
        output=_output_names(output, has_labels=bool(labels), has_embedding=has_embedding),
    )


def _version(document: dict[str, Any]) -> str:
    """Return the version, which may be written as a number."""
    version = document.get("version")
    return str(version) if isinstance(version, int) else CardTable(document).text("version")


def _file(card: CardTable, path: Path) -> Path:
    """Return the network's path: in the card's own folder, whatever the card says."""
    name = card.text("file", default=f"{path.stem}.onnx")
    if not _FILE_NAME.fullmatch(name):
        raise CardValueError(f"file is {name!r}, not the name of an .onnx file beside the card")
    return path.parent / name


def _sha256(card: CardTable) -> str | None:
    return card.text("sha256").lower() if "sha256" in card else None


def _output_names(output: CardTable, *, has_labels: bool, has_embedding: bool) -> OutputNames:
    if "logits" in output and "probabilities" in output:
        raise CardValueError("output has both 'probabilities' and 'logits', of which it needs one")
    kind, activation = "probabilities", "none"
    if "logits" in output:
        kind, activation = "logits", output.choice("activation", _ACTIVATIONS, "softmax")
    elif "activation" in output:
        raise CardValueError("output.activation is for 'logits', and there are none")
    return OutputNames(
        scores=_output_name(output, kind) if has_labels else None,
        activation=activation,
        embedding=_output_name(output, "embedding") if has_embedding else None,
        pooling=output.choice("pooling", _POOLINGS, "none"),
    )


def _output_name(output: CardTable, key: str) -> str:
    """Return the name of an output: the key's own, unless its value is one.

    A text with spaces in it is a remark: cards had these before networks could be installed.
    """
    value = output.text(key, default=key)
    return key if " " in value else value
