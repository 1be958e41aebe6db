"""One track through decoding, descriptors and network, in one pass over its samples."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath

import numpy as np

from tonotope.audio import AudioInfo, decode
from tonotope.features import FEATURE_VERSION
from tonotope.features.stft import Float32Array
from tonotope.features.stream import DescriptorStream
from tonotope.models.frontend import WindowStream
from tonotope.models.network import GenreNetwork, Heard, bundled_network, mean_embedding

__all__ = ["GenreShare", "TrackAnalysis", "analyze", "ranked_genres"]


@dataclass(frozen=True, slots=True)
class GenreShare:
    """A genre and its probability."""

    genre: str
    probability: float


def ranked_genres(labels: tuple[str, ...], probabilities: Float32Array) -> list[GenreShare]:
    """Return the genres with their probabilities, the likeliest first."""
    order = np.argsort(-probabilities, kind="stable")
    return [GenreShare(labels[k], float(probabilities[k])) for k in order]


@dataclass(frozen=True, slots=True, eq=False)
class TrackAnalysis:
    """What Tonotope hears in a track.

    Attributes
    ----------
    path
        The file.
    audio
        What the file is: codec, duration, identity, damage, silence.
    summary
        Moments of the descriptors, shape (323,), float32, finite. The columns' names are
        `tonotope.features.summary.SUMMARY_COLUMNS`.
    labels
        The genres that the network tells apart.
    window_starts_s
        Where each window of 30 s begins, shape (n_windows,), float32. A track in which nothing
        is to be heard has no window.
    window_probabilities
        Genre probabilities of each window, shape (n_windows, n_labels), float32.
    embedding
        The network's description of the track, shape (256,), float32: mean over the windows;
        None where there is no window.
    feature_version, model_id
        What the summary, and what genres and embedding, were made by.
    """

    path: str
    audio: AudioInfo
    summary: Float32Array
    labels: tuple[str, ...]
    window_starts_s: Float32Array
    window_probabilities: Float32Array
    embedding: Float32Array | None
    feature_version: int
    model_id: str

    @property
    def genres(self) -> list[GenreShare]:
        """The genres of the whole track, the likeliest first; empty where nothing is heard."""
        if not len(self.window_probabilities):
            return []
        return ranked_genres(self.labels, self.window_probabilities.mean(axis=0))


def analyze(path: str | PathLike[str], *, network: GenreNetwork | None = None) -> TrackAnalysis:
    """Listen to a file.

    A file of many hours takes less than 100 MB more memory than one of three minutes.

    Parameters
    ----------
    path
        Any format that FFmpeg reads.
    network
        The network that names the genres; the bundled one by default.

    Returns
    -------
    TrackAnalysis

    Raises
    ------
    DecodeError
        If the file gives no sound.
    ModelError
        If the bundled network is wanted and cannot be loaded.

    Examples
    --------
    >>> import tonotope
    >>> track = tonotope.analyze("Sugar Plum Fairy.ogg")
    >>> track.genres[0].genre
    'classical'
    """
    network = network or bundled_network()
    descriptors = DescriptorStream()
    windows = WindowStream()
    heard: list[Heard] = []
    with decode(path) as blocks:
        for block in blocks:
            heard += map(network.hear, windows.push(descriptors.push(block)))
        heard += map(network.hear, windows.push(descriptors.finish()))
        heard += map(network.hear, windows.finish())
        audio = blocks.info
    labels = network.card.labels
    probabilities = [h.probabilities for h in heard]
    return TrackAnalysis(
        path=fspath(path),
        audio=audio,
        summary=descriptors.summary(),
        labels=labels,
        window_starts_s=np.array([h.start_s for h in heard], dtype=np.float32),
        window_probabilities=np.reshape(probabilities, (len(heard), len(labels))).astype(
            np.float32
        ),
        embedding=mean_embedding(heard) if heard else None,
        feature_version=FEATURE_VERSION,
        model_id=network.card.model_id,
    )
