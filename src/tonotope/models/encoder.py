"""Any network with a card, heard through the representation that its card asks for.

Where `tonotope.models.network` is what analysis and libraries use, for the project's own
representation, this runs what a person brings along: encoders of waveforms or mel spectrograms at
any sample rate, with genre probabilities, an embedding, or both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from os import PathLike

import numpy as np
import scipy  # its submodules load when first used
from numpy.typing import NDArray

from tonotope.audio import decode
from tonotope.errors import ModelError
from tonotope.features.stft import Float32Array
from tonotope.models.cards import ModelCard
from tonotope.models.runtime import one_line, open_session
from tonotope.models.windows import InputWindow, front_end, window_shape

__all__ = ["Encoder", "HeardWindow", "hear_file"]

_BATCH_WINDOWS = 8
# Probabilities come out of sums in float32.
_TOLERANCE = 1e-3
_MEND = "Correct its card as docs/model-cards.md says."


@dataclass(frozen=True, slots=True)
class HeardWindow:
    """What a network makes of one window.

    Attributes
    ----------
    start_s
        Where the window begins in the track.
    probabilities
        Of each label, shape (n_labels,), float32, 0 to 1; None if the network has no labels.
    embedding
        Shape (embedding_size,), float32; None if the network gives none.
    """

    start_s: float
    probabilities: Float32Array | None
    embedding: Float32Array | None


class Encoder:
    """A network with its card, ready to hear whole tracks.

    Parameters
    ----------
    card
        Which network.

    Raises
    ------
    ModelError
        If the file is missing, is not the one the card describes, is no usable network, or its
        inputs and outputs are not what the card says.
    """

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self._session = open_session(card)
        self._input_name, self._window_shape, self._fixed_batch = self._input()
        outputs = {output.name for output in self._session.get_outputs()}
        for name in (card.output.scores, card.output.embedding):
            if name is not None and name not in outputs:
                raise self._error(
                    f"has no output '{name}', which its card promises "
                    f"(it has: {', '.join(sorted(outputs))})"
                )

    @property
    def sample_rate_hz(self) -> int:
        """Sample rate of what it hears."""
        return self.card.input.sample_rate_hz

    def hear(self, blocks: Iterable[Float32Array]) -> Iterator[HeardWindow]:
        """Hear a track, window by window; up to eight windows are held.

        Parameters
        ----------
        blocks
            The track's samples in order, shape (n_samples,) each, mono at `sample_rate_hz`: what
            ``tonotope.audio.decode(path, sample_rate_hz=...)`` yields.

        Yields
        ------
        HeardWindow
            In order of time; none where nothing is to be heard.

        Raises
        ------
        ModelError
            If the network fails, or gives what its card does not promise.
        """
        windows = self._windows(blocks)
        while batch := list(islice(windows, self._fixed_batch or _BATCH_WINDOWS)):
            yield from self.hear_windows(batch)

    def hear_windows(self, windows: Sequence[InputWindow]) -> list[HeardWindow]:
        """Hear windows in one batch, see `hear`."""
        values = np.stack([window.values for window in windows])
        probabilities, embeddings = self._run(values.reshape(len(windows), *self._window_shape))
        return [
            HeardWindow(
                window.start_s,
                None if probabilities is None else probabilities[k],
                None if embeddings is None else embeddings[k],
            )
            for k, window in enumerate(windows)
        ]

    def _windows(self, blocks: Iterable[Float32Array]) -> Iterator[InputWindow]:
        front = front_end(self.card.input)
        for block in blocks:
            yield from front.push(block)
        yield from front.finish()

    def _input(self) -> tuple[str, tuple[int, ...], int | None]:
        """Return the input's name, a window's shape there, and how many it takes if that is fixed.

        The shape is the representation's, with an axis for the one channel where the network
        has it.
        """
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(given.name for given in inputs)
            raise self._error(
                f"takes {len(inputs)} inputs ({names}), where one is given", "Export it with one."
            )
        (given,) = inputs
        if given.type != "tensor(float)":
            raise self._error(f"takes {given.type}, not float32", "Export it so.")
        shape = window_shape(self.card.input)
        if len(given.shape) == len(shape) + 2:
            shape = (1, *shape)
        fits = len(given.shape) == len(shape) + 1 and all(
            # What is open has a name, or none.
            not isinstance(wanted, int) or wanted == made
            for wanted, made in zip(given.shape[1:], shape, strict=True)
        )
        if not fits:
            takes = ", ".join("?" if axis is None else str(axis) for axis in given.shape)
            raise self._error(f"takes ({takes}), where its card makes windows of {shape}")
        n_windows = given.shape[0]
        return given.name, shape, n_windows if isinstance(n_windows, int) else None

    def _run(self, values: Float32Array) -> tuple[Float32Array | None, Float32Array | None]:
        """Return probabilities, shape (n_windows, n_labels), and embeddings of a batch."""
        n_windows = len(values)
        if self._fixed_batch is not None:
            # The last window stands in for those that are missing.
            values = values[np.minimum(np.arange(self._fixed_batch), n_windows - 1)]
        output = self.card.output
        names = [name for name in (output.scores, output.embedding) if name is not None]
        try:
            given = dict(
                zip(names, self._session.run(names, {self._input_name: values}), strict=True)
            )
        except Exception as error:  # ONNX Runtime's own types share no base but this
            raise self._error(f"fails: {one_line(error)}") from error
        probabilities = embeddings = None
        if output.scores is not None:
            scores = self._rows(output.scores, given, len(self.card.labels), len(values))
            probabilities = self._probabilities(scores)[:n_windows]
        if output.embedding is not None and self.card.embedding_size is not None:
            rows = self._rows(output.embedding, given, self.card.embedding_size, len(values))
            embeddings = rows[:n_windows].astype(np.float32)
        return probabilities, embeddings

    def _rows(
        self, name: str, given: dict[str, NDArray[np.generic]], size: int, n_windows: int
    ) -> NDArray[np.float64]:
        """Return an output as numbers, shape (n_windows, size)."""
        rows = np.asarray(given[name])
        if rows.dtype.kind != "f":
            raise self._error(f"gives {rows.dtype} in '{name}', not floating-point numbers")
        rows = rows.astype(np.float64)
        if rows.ndim == 3 and self.card.output.pooling == "mean":
            rows = rows.mean(axis=1)
        if rows.shape != (n_windows, size):
            hint = ", pooling = 'mean' averages the axis between" if rows.ndim == 3 else ""
            raise self._error(
                f"gives '{name}' of shape {rows.shape}, where its card promises "
                f"{(n_windows, size)}{hint}"
            )
        if not np.isfinite(rows).all():
            raise self._error(f"gives numbers in '{name}' that are not finite", "Do not use it.")
        return rows

    def _probabilities(self, scores: NDArray[np.float64]) -> Float32Array:
        activation = self.card.output.activation
        if activation == "softmax":
            scores = scipy.special.softmax(scores, axis=1)
        elif activation == "sigmoid":
            scores = scipy.special.expit(scores)
        if scores.min() < -_TOLERANCE or scores.max() > 1 + _TOLERANCE:
            raise self._error(
                f"gives '{self.card.output.scores}' from {scores.min():.3g} to {scores.max():.3g}, "
                "which are no probabilities (are they logits?)"
            )
        return np.clip(scores, 0, 1).astype(np.float32)

    def _error(self, reason: str, next_step: str = _MEND) -> ModelError:
        return ModelError(f"network '{self.card.file}' {reason}. {next_step}")


def hear_file(path: str | PathLike[str], model: Encoder) -> list[HeardWindow]:
    """Hear a file with any network.

    Parameters
    ----------
    path
        Any format that FFmpeg reads.
    model
        What hears it, at its own sample rate.

    Returns
    -------
    list of HeardWindow
        In order of time; empty where nothing is to be heard.

    Raises
    ------
    DecodeError
        If the file gives no sound.
    ModelError
        If the network fails, or gives what its card does not promise.

    Examples
    --------
    >>> encoder = Encoder(find_model("my-encoder"))  # doctest: +SKIP
    >>> embeddings = [window.embedding for window in hear_file("song.mp3", encoder)]
    """
    with decode(path, sample_rate_hz=model.sample_rate_hz) as blocks:
        return list(model.hear(blocks))
