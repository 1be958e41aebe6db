"""Augmentation: the same music, heard a little differently each time.

Two rooms of it. :data:`SPECTROGRAM` changes batches of log-mel spectrograms (PyTorch), which is
what happens while a network learns; :data:`AUDIO` changes samples (NumPy). Their numbers are in
`tonotope.training.augment.presets`.

>>> augmentation = compose(["specaugment", "random-eq"])
>>> log_mel = augmentation(log_mel, torch.Generator().manual_seed(0))

Augmentation belongs after the split and on the training side only: an augmented clip beside its
original in another part is a leak.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tonotope.training.augment.presets import AUDIO_PRESETS, SPECTROGRAM_PRESETS, Preset

if TYPE_CHECKING:
    from tonotope.training.augment.audio import AUDIO, AudioAugmentation
    from tonotope.training.augment.mixing import mixup
    from tonotope.training.augment.spectrogram import SPECTROGRAM, Augmentation, compose

__all__ = [
    "AUDIO",
    "AUDIO_PRESETS",
    "SPECTROGRAM",
    "SPECTROGRAM_PRESETS",
    "AudioAugmentation",
    "Augmentation",
    "Preset",
    "compose",
    "mixup",
]

_HOMES = {
    "AUDIO": "tonotope.training.augment.audio",
    "SPECTROGRAM": "tonotope.training.augment.spectrogram",
    "AudioAugmentation": "tonotope.training.augment.audio",
    "Augmentation": "tonotope.training.augment.spectrogram",
    "compose": "tonotope.training.augment.spectrogram",
    "mixup": "tonotope.training.augment.mixing",
}


def __getattr__(name: str) -> Any:
    # Imported at first use: what changes samples, and the list of presets, need no torch.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
