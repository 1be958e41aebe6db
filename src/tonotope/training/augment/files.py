"""A file through some augmentations: a WAV to listen to, and a picture to look at."""

from __future__ import annotations

import math
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tonotope.audio import SAMPLE_RATE_HZ, decode
from tonotope.errors import InputError
from tonotope.features.stft import Float32Array
from tonotope.files import cannot_write, refuse_special, replacing
from tonotope.training.augment.audio import AUDIO
from tonotope.training.augment.mixed_sound import hear_mixup
from tonotope.training.augment.picture import draw_before_and_after
from tonotope.training.augment.presets import HEARD
from tonotope.training.extras import require

__all__ = ["AugmentedFile", "augment_file", "parse_names", "write_wav"]

_MIXUP = "mixup"

_FULL_SCALE = 32767


@dataclass(frozen=True, slots=True)
class AugmentedFile:
    """What was written.

    Attributes
    ----------
    path
        The file that was listened to.
    names
        What was done to it, in order.
    seed
        Gives the same again.
    out
        The WAV.
    picture
        The picture, or None.
    duration_s
        How long the WAV is.
    lowered_db
        By how much the level was lowered so that nothing is clipped.
    """

    path: str
    names: tuple[str, ...]
    seed: int
    out: str
    picture: str | None
    duration_s: float
    lowered_db: float


def parse_names(text: str) -> tuple[str, ...]:
    """Return the names of a list with commas.

    Raises
    ------
    InputError
        If there is no such augmentation.
    """
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in HEARD:
            raise InputError(f"no augmentation is called {name!r}. There are: {', '.join(HEARD)}.")
    return names


def augment_file(
    path: Path,
    names: Sequence[str],
    out: Path,
    *,
    seed: int = 0,
    other: Path | None = None,
    picture: Path | None = None,
) -> AugmentedFile:
    """Write a file's sound as some augmentations change it: mono, 22 050 Hz, 16 bits.

    Parameters
    ----------
    path
        Audio of any format.
    names
        Which augmentations, in order; see `HEARD`.
    out
        The WAV to write. An existing one is replaced.
    seed
        The same number gives the same result.
    other
        What ``"mixup"`` mixes in.
    picture
        Where to draw the sound before and after, a PNG.

    Raises
    ------
    InputError
        If `out` or `picture` is no name for one or is the file itself, the seed is out of range,
        mixup has nothing to mix in, or something is not installed.
    DecodeError
        If a file gives no sound.
    PathError
        If the output cannot be written.
    """
    if not 0 <= seed < 2**32:
        raise InputError(f"{seed} is no seed. Use one from 0 to {2**32 - 1}.")
    if (_MIXUP in names) != (other is not None):
        raise InputError(
            "mixup needs a second file to mix in. Name it with --other FILE."
            if other is None
            else f"nothing mixes in --other '{other}'. Add mixup to --with, or leave --other out."
        )
    sources = [path] if other is None else [path, other]
    _refuse(out, ".wav", sources)
    if picture is not None:
        _refuse(picture, ".png", sources)
        require("matplotlib", "a picture")
    for name in names:
        if name not in AUDIO and name != _MIXUP:
            require("torch", f"hearing {name}")
    samples = _read(path)
    changed = _augmented(samples, names, seed, None if other is None else _read(other))
    lowered_db = write_wav(out, changed)
    if picture is not None:
        with _written(picture) as unfinished:
            draw_before_and_after(samples, changed, ", ".join(names), unfinished)
    return AugmentedFile(
        path=str(path),
        names=tuple(names),
        seed=seed,
        out=str(out),
        picture=None if picture is None else str(picture),
        duration_s=len(changed) / SAMPLE_RATE_HZ,
        lowered_db=lowered_db,
    )


def _refuse(target: Path, suffix: str, sources: Sequence[Path]) -> None:
    """Refuse what would be written over music, or under a name that says something else."""
    if target.suffix.lower() != suffix:
        raise InputError(f"'{target}' is written as {suffix}. Let its name end so.")
    refuse_special(target, target)
    for source in sources:
        if target.exists() and source.exists() and target.samefile(source):
            raise InputError(f"'{target}' is the file that is listened to. Name another one.")


def _read(path: Path) -> Float32Array:
    with decode(path) as blocks:
        return np.concatenate(list(blocks))


def _augmented(
    samples: Float32Array, names: Sequence[str], seed: int, other: Float32Array | None
) -> Float32Array:
    """Apply the augmentations in turn: to the samples, or as their spectrogram is changed."""
    rng = np.random.default_rng(seed)
    for position, name in enumerate(names):
        if name in AUDIO:
            samples = AUDIO[name].apply(samples, rng)
        elif name == _MIXUP:
            assert other is not None
            samples = hear_mixup(samples, other, rng)
        else:
            from tonotope.training.augment.audible import hear

            samples = hear(name, samples, seed + position)
    return samples


def write_wav(out: Path, samples: Float32Array) -> float:
    """Write mono samples with 16 bits, lowered as a whole where these would not hold them.

    Parameters
    ----------
    out
        The file; an existing one is replaced at once by the whole new one.
    samples
        Shape (n_samples,), at 22 050 Hz.

    Returns
    -------
    float
        By how many dB they were lowered.

    Raises
    ------
    PathError
        If it cannot be written.
    """
    peak = float(np.abs(samples).max(initial=1.0))
    numbers = np.rint(samples * np.float32(_FULL_SCALE / peak)).astype("<i2")
    with (
        _written(out) as unfinished,
        unfinished.open("wb") as stream,
        wave.open(stream, "wb") as file,
    ):
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(numbers.tobytes())
    return 20 * math.log10(peak)


@contextmanager
def _written(target: Path) -> Iterator[Path]:
    """Give the path to write to; it takes the place of `target` when it is complete."""
    try:
        with replacing(target, target.with_name(f"{target.name}.new")) as unfinished:
            yield unfinished
    except OSError as error:
        raise cannot_write(target, error) from error
