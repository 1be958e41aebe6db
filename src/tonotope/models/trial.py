"""Whether a network does what its card promises: it is given made-up sound."""

from __future__ import annotations

import numpy as np

from tonotope.errors import ModelError
from tonotope.features.stft import Float32Array
from tonotope.models.cards import ModelCard
from tonotope.models.encoder import Encoder

__all__ = ["try_out"]


def try_out(card: ModelCard) -> None:
    """Let a network hear one and a half windows of noise, and as much silence with a click in it.

    Raises
    ------
    ModelError
        If it does not load, fails, or gives other than its card promises: outputs of another
        shape, numbers that are not finite, probabilities that are none.
    """
    encoder = Encoder(card)
    n_samples = round(1.5 * card.input.window_s * card.input.sample_rate_hz)
    noise = 0.1 * np.random.default_rng(0).standard_normal(n_samples)
    for sound in (noise.astype(np.float32), _click(n_samples)):
        if not list(encoder.hear([sound])):
            raise ModelError(
                f"network '{card.file}' was given no window of {n_samples} samples. "
                "Correct window_s and hop_s in its card."
            )


def _click(n_samples: int) -> Float32Array:
    """Return silence with one audible sample, since silence alone is never heard."""
    samples = np.zeros(n_samples, np.float32)
    samples[n_samples // 3] = 0.01
    return samples
