"""One track through decoding, descriptors and network, in one pass over its samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING

import numpy as np

from tonotope.audio import AudioInfo, decode
from tonotope.features import FAMILY_VERSIONS
from tonotope.features.fingerprint import Fingerprint
from tonotope.features.stft import Float32Array
from tonotope.features.stream import DescriptorStream
from tonotope.features.tables import FAMILIES, family_features, family_row, whole_row
from tonotope.models.cards import ModelCard
from tonotope.models.frontend import WindowStream
from tonotope.models.network import GenreNetwork, Heard, bundled_network, mean_embedding

if TYPE_CHECKING:
    from tonotope.models.encoder import Encoder

__all__ = ["GenreShare", "TrackAnalysis", "analyze", "hear", "is_known", "ranked_genres"]


@dataclass(frozen=True, slots=True)
class GenreShare:
    """A genre and its probability."""

    genre: str
    probability: float


def ranked_genres(labels: tuple[str, ...], probabilities: Float32Array) -> list[GenreShare]:
    """Return the genres with their probabilities, the likeliest first."""
    order = np.argsort(-probabilities, kind="stable")
    return [GenreShare(labels[k], float(probabilities[k])) for k in order]


def is_known(genres: list[GenreShare], unknown_below: float | None) -> bool:
    """Return whether the first of some ranked genres is likely enough to be named.

    Parameters
    ----------
    genres
        The likeliest first. Of none, nothing is known.
    unknown_below
        The least probability, of the network's card; None if any will do.
    """
    return bool(genres) and genres[0].probability >= (unknown_below or 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class TrackAnalysis:
    """What Tonotope hears in a track.

    Attributes
    ----------
    path
        The file.
    audio
        What the file is: codec, duration, identity, damage, silence.
    rows
        The numbers of each family of descriptors, float32. The columns' names are
        ``tonotope.features.tables.family_columns(family)``. NaN where there is no answer: the key
        of what has none, the loudness of silence.
    feature_versions
        By family, which version of it the numbers were made by.
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
    model_id
        The network; None where none listened. Then there is no label and no window.
    unknown_below
        How likely the first genre must be to be named, as the network's card says; None if it
        does not. See `is_known`.
    fingerprint
        What the recording is recognised by; None if it was not asked for.
    """

    path: str
    audio: AudioInfo
    rows: Mapping[str, Float32Array]
    feature_versions: Mapping[str, int]
    labels: tuple[str, ...]
    window_starts_s: Float32Array
    window_probabilities: Float32Array
    embedding: Float32Array | None
    model_id: str | None
    unknown_below: float | None = None
    fingerprint: Fingerprint | None = None

    @property
    def summary(self) -> Float32Array:
        """The track's row of the table ``tonotope``, shape (n_columns,), float32.

        The columns' names are ``tonotope.features.tables.table_columns("tonotope")``.

        Raises
        ------
        ValueError
            If not all families were computed.
        """
        missing = [family for family in FAMILIES if family not in self.rows]
        if missing:
            raise ValueError(f"no summary without the families {', '.join(missing)}")
        return whole_row([self.rows[family] for family in FAMILIES])

    @property
    def is_whole(self) -> bool:
        """Whether all families and the fingerprint were computed, and a network listened."""
        is_described = self.fingerprint is not None and self.rows.keys() >= set(FAMILIES)
        return is_described and self.model_id is not None

    @property
    def genres(self) -> list[GenreShare]:
        """The genres of the whole track, the likeliest first; empty where nothing is heard."""
        if not len(self.window_probabilities):
            return []
        return ranked_genres(self.labels, self.window_probabilities.mean(axis=0))


def analyze(
    path: str | PathLike[str],
    *,
    network: GenreNetwork | None = None,
    families: Iterable[str] | None = None,
    genres: bool = True,
    fingerprint: bool = True,
) -> TrackAnalysis:
    """Listen to a file.

    A file of many hours takes less than 100 MB more memory than one of three minutes.

    Parameters
    ----------
    path
        Any format that FFmpeg reads.
    network
        The network that names the genres; the bundled one by default.
    families
        Which `tonotope.features.tables.FAMILIES` of descriptors to compute; all by default. Their
        numbers are the same whatever else is computed.
    genres
        Whether the network listens. If not, the analysis has neither genres nor embedding.
    fingerprint
        Whether to make what the recording is recognised by.

    Returns
    -------
    TrackAnalysis

    Raises
    ------
    DecodeError
        If the file gives no sound.
    ModelError
        If the bundled network is wanted and cannot be loaded.
    ValueError
        If there is no such family.

    Examples
    --------
    >>> import tonotope
    >>> track = tonotope.analyze("Sugar Plum Fairy.ogg")
    >>> track.genres[0].genre
    'classical'
    """
    wanted = _checked(families)
    listener = (network or bundled_network()) if genres else None
    stream = DescriptorStream(
        _features(wanted, with_mel=genres), keep_frames=False, fingerprint=fingerprint
    )
    windows = WindowStream()
    heard: list[Heard] = []
    with decode(path) as blocks:
        for mel_power in _mel_power(stream, blocks):
            if listener is not None:
                heard += map(listener.hear, windows.push(mel_power))
        if listener is not None:
            heard += map(listener.hear, windows.finish())
        audio = blocks.info
    descriptors = stream.result()
    labels = () if listener is None else listener.card.labels
    probabilities = [h.probabilities for h in heard]
    return TrackAnalysis(
        path=fspath(path),
        audio=audio,
        rows={family: family_row(descriptors, family) for family in wanted},
        feature_versions={family: FAMILY_VERSIONS[family] for family in wanted},
        labels=labels,
        window_starts_s=np.array([h.start_s for h in heard], dtype=np.float32),
        window_probabilities=np.reshape(probabilities, (len(heard), len(labels))).astype(
            np.float32
        ),
        embedding=mean_embedding(heard) if heard else None,
        model_id=None if listener is None else listener.card.model_id,
        unknown_below=None if listener is None else _unknown_below(listener.card),
        fingerprint=stream.fingerprint,
    )


def hear(path: str | PathLike[str], encoder: Encoder) -> TrackAnalysis:
    """Listen to a file with any network, through the representation that its card asks for.

    Parameters
    ----------
    path
        Any format that FFmpeg reads.
    encoder
        The network. Its windows are as long as its card says.

    Returns
    -------
    TrackAnalysis
        Without descriptors; without labels, or embedding, where the network gives none.

    Raises
    ------
    DecodeError
        If the file gives no sound.
    ModelError
        If the network fails, or gives what its card does not promise.
    """
    with decode(path, sample_rate_hz=encoder.sample_rate_hz) as blocks:
        heard = list(encoder.hear(blocks))
        audio = blocks.info
    card = encoder.card
    probabilities = [h.probabilities for h in heard if h.probabilities is not None]
    embeddings = [h.embedding for h in heard if h.embedding is not None]
    embedding: Float32Array | None = None
    if embeddings:
        embedding = np.stack(embeddings).mean(axis=0, dtype=np.float64).astype(np.float32)
    shape = (len(heard), len(card.labels))
    return TrackAnalysis(
        path=fspath(path),
        audio=audio,
        rows={},
        feature_versions={},
        labels=card.labels,
        window_starts_s=np.array([h.start_s for h in heard], dtype=np.float32),
        window_probabilities=np.array(probabilities, dtype=np.float32).reshape(shape),
        embedding=embedding,
        model_id=card.model_id,
        unknown_below=_unknown_below(card),
    )


def _unknown_below(card: ModelCard) -> float | None:
    below = card.document["output"].get("unknown_below")
    return None if below is None else float(below)


def _checked(families: Iterable[str] | None) -> tuple[str, ...]:
    """Return the families that are wanted, in their order."""
    wanted = set(FAMILIES if families is None else families)
    unknown = sorted(wanted.difference(FAMILIES))
    if unknown:
        raise ValueError(
            f"no family is called {', '.join(map(repr, unknown))}. "
            f"There are: {', '.join(FAMILIES)}."
        )
    return tuple(family for family in FAMILIES if family in wanted)


def _features(families: tuple[str, ...], *, with_mel: bool) -> list[str]:
    """Return the descriptors that the families' rows are made of, and the network's if wanted."""
    features = [feature for family in families for feature in family_features(family)]
    # These two are made of the mel power anyway; to ask for it costs its moments.
    if with_mel and not {"timbre", "rhythm"} & set(families):
        features.append("mel")
    return features


def _mel_power(stream: DescriptorStream, blocks: Iterable[Float32Array]) -> Iterator[Float32Array]:
    """Put a track through a stream of descriptors; yield the mel power of its frames."""
    for block in blocks:
        yield stream.push(block)
    yield stream.finish()
