"""Progress of a training run: a bar on a terminal, a line per epoch elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tonotope.cli.output import printable

if TYPE_CHECKING:
    from tonotope.training.loop import Epoch

__all__ = ["training"]


@contextmanager
def training() -> Iterator[Callable[[str, Epoch, int], None]]:
    """Give a function that is called with a split's name, its last epoch, and of how many."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda name, epoch, total: print(
            printable(f"{name}: epoch {epoch.epoch} of {total}, {_figures(epoch)}"),
            file=sys.stderr,
            flush=True,
        )
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task("Training", total=None, figures="")

        def show(name: str, epoch: Epoch, total: int) -> None:
            progress.update(
                task,
                description=printable(name),
                completed=epoch.epoch,
                total=total,
                figures=_figures(epoch),
            )

        yield show


def _figures(epoch: Epoch) -> str:
    words = [f"loss {epoch.train_loss:.3f}"]
    if epoch.valid_loss == epoch.valid_loss:  # there is a validation part
        words.append(f"valid {epoch.valid_loss:.3f} {epoch.valid_accuracy:.1%}")
    return ", ".join([*words, f"{epoch.clips_per_s:.0f} clips/s"])
