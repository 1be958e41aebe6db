"""Composing the demonstration library and writing it as tagged files."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tonotope.demo.pieces import Format, Piece, pieces
from tonotope.demo.styles import STYLES, sketches
from tonotope.demo.synthesis import Audio
from tonotope.errors import InputError, PathError

__all__ = ["compose", "write_demo_music"]


def write_demo_music(
    out_dir: str | os.PathLike[str],
    *,
    seed: int = 0,
    on_written: Callable[[Path, int, int], None] | None = None,
) -> list[Path]:
    """Write 24 short pieces of music in six styles and six formats, tagged, to try things on.

    Every piece is made on the spot from oscillators and noise. The same seed gives the same
    samples; another seed gives other keys, tempos and tunes under the same names.

    Parameters
    ----------
    out_dir
        A folder that is absent, empty, or holds an earlier result of this function, which is
        replaced. Hidden files in it are left alone.
    seed
        Of all random choices; not negative.
    on_written
        Called after each file with its path, how many are done and how many there are.

    Returns
    -------
    list of Path
        The files, as ``out_dir/Album artist/Album/NN Title.ext``.

    Raises
    ------
    PathError
        If `out_dir` is a file, holds anything else, or cannot be written to.
    InputError
        If the seed is negative.
    """
    out_dir = Path(out_dir)
    if seed < 0:
        raise InputError(f"seed {seed} is negative. Choose a whole number from 0 up.")
    _check_folder(out_dir, [out_dir / piece.path for piece in pieces()])
    return _write_pieces(out_dir, pieces(), seed, on_written)


def _write_pieces(
    out_dir: Path,
    listed: list[Piece],
    seed: int,
    on_written: Callable[[Path, int, int], None] | None,
) -> list[Path]:
    paths = [out_dir / piece.path for piece in listed]
    for done, (piece, path) in enumerate(zip(listed, paths, strict=True), start=1):
        sound = compose(piece, seed)
        try:
            _write(path, sound, piece.format, piece.tags)
        except OSError as error:
            raise PathError(
                f"cannot write demo music to '{path}': {error.strerror or error}. "
                "Name a folder that can be written to and has 100 MB free."
            ) from error
        if on_written is not None:
            on_written(path, done, len(listed))
    return paths


def compose(piece: Piece, seed: int) -> Audio:
    """Return the sound of one piece, shape (n, 2), at the rate of its format."""
    style = STYLES[piece.style]
    # The pieces of a style are sketched together, so that they differ; each is then composed from
    # a generator of its own, so that one piece does not depend on those before it.
    sketch = sketches(style, np.random.default_rng([seed, piece.style]))[piece.take]
    rng = np.random.default_rng([seed, piece.style, piece.take])
    return style.compose(sketch, rng, piece.format.rate_hz)


def _check_folder(out_dir: Path, own: list[Path]) -> None:
    """Refuse a folder that holds what this module did not write."""
    if not out_dir.exists():
        return
    if not out_dir.is_dir():
        raise PathError(
            f"cannot write demo music to '{out_dir}': it is a file. Name a new or empty folder."
        )
    expected = set(own)
    for path in out_dir.rglob("*"):
        relative = path.relative_to(out_dir)
        hidden = any(part.startswith(".") for part in relative.parts)
        if not hidden and path not in expected and not path.is_dir():
            raise PathError(
                f"cannot write demo music to '{out_dir}': it holds '{relative}', which is not "
                "part of the demo. Name a new or empty folder."
            )


def _write(path: Path, sound: Audio, how: Format, tags: dict[str, str]) -> None:
    """Encode under a hidden name beside `path`, then rename: no half file ever bears the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        _encode(unfinished, sound, how, tags)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _encode(path: Path, sound: Audio, how: Format, tags: dict[str, str]) -> None:
    # "bitexact" keeps versions, times and random serial numbers out of the file.
    with av.open(str(path), "w", format=how.container, options={"fflags": "+bitexact"}) as file:
        file.metadata.update(tags)
        stream = file.add_stream(
            how.codec, rate=how.rate_hz, layout="stereo", options=dict(how.options)
        )
        assert isinstance(stream, av.AudioStream)
        if how.bit_rate:
            stream.bit_rate = how.bit_rate
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound.T), format="fltp", layout="stereo"
        )
        frame.sample_rate = how.rate_hz
        # Without a time stamp, Ogg would state a sixteenth of the duration.
        frame.pts, frame.time_base = 0, Fraction(1, how.rate_hz)
        # PyAV converts to the encoder's sample format and cuts into its frames.
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
