"""A run's history while it runs: a table, and a picture of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

from tonotope.training.extras import require
from tonotope.training.loop import Epoch
from tonotope.training.run_folders import write_whole

__all__ = ["CURVES_FILE", "PICTURE_FILE", "draw_curves", "write_curves"]

CURVES_FILE = "curves.csv"
PICTURE_FILE = "curves.png"


def write_curves(folder: Path, history: Sequence[Epoch]) -> None:
    """Write the table, a row per epoch; whole or not at all."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(field.name for field in fields(Epoch))
    for epoch in history:
        rows.writerow(f"{v:.6g}" if isinstance(v, float) else v for v in astuple(epoch))
    write_whole(folder / CURVES_FILE, text.getvalue().encode())


def draw_curves(folder: Path, history: Sequence[Epoch]) -> None:
    """Draw losses and accuracies over the epochs; whole or not at all."""
    require("matplotlib", "drawing the curves")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    epochs = [epoch.epoch for epoch in history]
    for axes, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for part, colour in (("train", "#9aa5b1"), ("valid", "#0b6e99")):
            values = [getattr(epoch, f"{part}_{what}") for epoch in history]
            label = "training (varied, mixed)" if part == "train" else "validation"
            axes.plot(epochs, values, color=colour, label=label, linewidth=1.6)
        axes.set_xlabel("epoch")
        axes.set_title(what, loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.25)
    figure.axes[1].set_ylim(0, 1)
    figure.axes[0].legend(frameon=False, fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=120, format="png")
    write_whole(folder / PICTURE_FILE, picture.getvalue())
