"""``tonotope augment``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tonotope.cli.options import JsonOption, WholeNumber
from tonotope.cli.output import print_json, say
from tonotope.errors import InputError

if TYPE_CHECKING:
    from tonotope.training.augment.files import AugmentedFile

__all__ = ["augment"]


def augment(
    file: Annotated[Path | None, Parameter(allow_leading_hyphen=False)] = None,
    /,
    *,
    with_: Annotated[str | None, Parameter(name="--with")] = None,
    out: Path | None = None,
    seed: WholeNumber = 0,
    other: Path | None = None,
    picture: Path | None = None,
    list_: Annotated[bool, Parameter(name="--list", negative="")] = False,
    json: JsonOption = False,
) -> None:
    """Let hear what an augmentation does: write a file's sound as training changes it.

    What is done to spectrograms is done to sound as nearly as can be: docs/augmentation.md says
    how. Needs no library, and PyTorch only for masks, time warp and frequency shift.

    Parameters
    ----------
    file
        Audio of any format; only read.
    with_
        Which augmentations, with commas between them, in order.
    out
        The WAV to write: mono, 22 050 Hz, 16 bits. An existing one is replaced.
    seed
        The same number gives the same result.
    other
        The second file, which `mixup` mixes in.
    picture
        Draw the sound before and after it as a PNG.
    list_
        Show which augmentations there are, and their numbers; nothing is written.
    """
    if list_:
        if file or with_ or out:
            raise InputError("--list only shows what there is. Leave FILE, --with and --out out.")
        _list(json)
        return
    if file is None or with_ is None or out is None:
        raise InputError(
            "augment needs FILE, --with NAME and --out x.wav. "
            "See the names: tonotope augment --list"
        )
    from dataclasses import asdict

    from tonotope.training.augment.files import augment_file, parse_names

    done = augment_file(file, parse_names(with_), out, seed=seed, other=other, picture=picture)
    if json:
        print_json(asdict(done))
    else:
        _print(done)


def _list(json: bool) -> None:
    from tonotope.training.augment.presets import HEARD

    if json:
        print_json(
            [
                {
                    "name": name,
                    "summary": preset.summary,
                    "preset": dict(preset.numbers),
                    "reference": preset.reference,
                }
                for name, preset in HEARD.items()
            ]
        )
        return
    width = max(map(len, HEARD))
    for name, preset in HEARD.items():
        numbers = f" ({preset.describe()})" * bool(preset.numbers)
        say(f"{name:{width}}  {preset.summary}{numbers}")


def _print(done: AugmentedFile) -> None:
    say(f"{', '.join(done.names)}: {done.duration_s:.2f} s written to {done.out}")
    if done.lowered_db >= 0.05:
        say(f"lowered by {done.lowered_db:.1f} dB so that nothing is clipped")
    if done.picture:
        say(f"before and after drawn to {done.picture}")
