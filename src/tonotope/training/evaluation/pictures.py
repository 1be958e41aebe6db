"""Pictures of an evaluation as HTML and inline SVG: no library, nothing fetched.

Colours are CSS variables of ``report.css``, so that they follow the reader's light or dark theme.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["confusion_table", "reliability_chart", "risk_coverage_chart"]

# The charts' plane: both axes run from 0 to 1.
_SIZE = 260
_LEFT, _TOP, _RIGHT, _BOTTOM = 46, 10, 10, 42
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
# From this share of a row on, text in its colour's contrast is readable.
_STRONG = 0.5


def confusion_table(labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> str:
    """Return a confusion matrix as a table whose cells are tinted by their share of the row.

    Parameters
    ----------
    labels
        Of rows (the truth) and columns (the predictions).
    confusion
        Counts, shape (n_labels, n_labels).
    """
    head = "".join(f'<th scope="col"><span>{escape(label)}</span></th>' for label in labels)
    rows = []
    for k, (label, counts) in enumerate(zip(labels, confusion, strict=True)):
        total = max(1, sum(counts))
        cells = "".join(_cell(n, n / total, is_right=k == j) for j, n in enumerate(counts))
        rows.append(f'<tr><th scope="row">{escape(label)}</th>{cells}</tr>')
    return (
        '<table class="confusion"><caption>Rows: the true genre. Columns: what it was taken for.'
        f"</caption><thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _cell(n: int, share: float, *, is_right: bool) -> str:
    if not n:
        return "<td></td>"
    kinds = ("right " if is_right else "wrong ") + ("strong" if share >= _STRONG else "")
    return f'<td class="{kinds.strip()}" style="--share:{share:.0%}">{n}</td>'


def reliability_chart(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how often a model is right over how sure it is, as SVG.

    Parameters
    ----------
    rows
        ``reliability`` of an evaluation: ``lower``, ``upper``, ``n``, ``accuracy``.
    """
    most = max((row["n"] for row in rows), default=0) or 1
    bars = []
    for row in rows:
        if not row["n"]:
            continue
        left, right = _x(row["lower"]) + 1, _x(row["upper"]) - 1
        top = _y(row["accuracy"])
        # How full a bar is drawn says how many clips it stands on.
        opacity = 0.25 + 0.75 * row["n"] / most
        title = (
            f"confidence {row['lower']:.0%} to {row['upper']:.0%}: "
            f"{row['accuracy']:.0%} right of {row['n']}"
        )
        bars.append(
            f'<rect class="bar" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
            f'height="{_y(0) - top:.1f}" fill-opacity="{opacity:.2f}"><title>{title}</title></rect>'
        )
    diagonal = _line("ideal", [(0, 0), (1, 1)])
    return _chart(
        "Share of right answers by confidence; on the dashed line it is as right as it is sure",
        "confidence",
        "right",
        "".join(bars) + diagonal,
    )


def risk_coverage_chart(
    curve: Sequence[Mapping[str, float]], answered: tuple[float, float] | None = None
) -> str:
    """Return the share of wrong answers over the share of clips answered, as SVG.

    Parameters
    ----------
    curve
        Of an evaluation: ``coverage``, ``risk``, in order.
    answered
        Coverage and risk at the threshold of the model's card, to be marked.
    """
    inside = _line("curve", [(point["coverage"], point["risk"]) for point in curve])
    if answered is not None:
        x, y = answered
        inside += (
            f'<circle class="mark" cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="4">'
            f"<title>{x:.0%} answered, {y:.0%} of them wrong</title></circle>"
        )
    return _chart(
        "Share of wrong answers when only the surest are given", "answered", "wrong", inside
    )


def _x(value: float) -> float:
    return _LEFT + value * _SIZE


def _y(value: float) -> float:
    return _TOP + (1 - value) * _SIZE


def _line(kind: str, points: Sequence[tuple[float, float]]) -> str:
    places = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in points)
    return f'<polyline class="{kind}" points="{places}"/>'


def _chart(description: str, x_title: str, y_title: str, inside: str) -> str:
    width, height = _LEFT + _SIZE + _RIGHT, _TOP + _SIZE + _BOTTOM
    grid = []
    for tick in _TICKS:
        grid.append(_line("grid", [(tick, 0), (tick, 1)]) + _line("grid", [(0, tick), (1, tick)]))
        x_anchor = {0.0: "start", 1.0: "end"}.get(tick, "middle")
        grid.append(
            f'<text x="{_x(tick):.1f}" y="{_y(0) + 16}" text-anchor="{x_anchor}">{tick:.0%}</text>'
            f'<text x="{_LEFT - 6}" y="{_y(tick) + 4:.1f}" text-anchor="end">{tick:.0%}</text>'
        )
    middle_x, middle_y = _x(0.5), _y(0.5)
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img"><title>{escape(description)}</title>'
        f"{''.join(grid)}{inside}"
        f'<text x="{middle_x}" y="{height - 6}" text-anchor="middle">{escape(x_title)}</text>'
        f'<text transform="translate(11 {middle_y}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_title)}</text></svg>"
    )
