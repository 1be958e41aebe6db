"""An evaluation as a page for people, and as a table of protocols.

The page is one HTML file that fetches nothing: style and pictures are in it, there is no script.
Whatever comes from data (names of clips, artists, models) is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from tonotope.errors import InputError, PathError
from tonotope.training.evaluation.pictures import (
    confusion_table,
    reliability_chart,
    risk_coverage_chart,
)

__all__ = ["check_name", "compare_protocols", "render", "verdict", "write_report"]

Document = Mapping[str, Any]

_N_LEAKS_SHOWN = 10
_FIGURES = (
    ("accuracy", "accuracy"),
    ("balanced_accuracy", "balanced accuracy"),
    ("macro_f1", "macro F1"),
    ("top3", "among the first three"),
)
_PROTOCOL_HEAD = (
    "protocol",
    "figures are",
    "accuracy",
    "95% interval",
    "balanced accuracy",
    "macro F1",
    "clips",
)
_GLOSSARY = (
    ("Accuracy", "Share of clips whose likeliest genre is the right one."),
    ("Balanced accuracy", "The mean of the genres' recalls: a rare genre counts as a common one."),
    ("Macro F1", "The mean of the genres' F1, each the harmonic mean of precision and recall."),
    (
        "95% interval",
        "From 2000 draws of whole artists with replacement: clips of one artist are right or wrong "
        "together. Where artists are unknown, each track is drawn by itself, and the interval is "
        "too narrow.",
    ),
    (
        "Calibration error",
        "By how much the stated probability misses the share of right answers, in ten bins "
        "(Guo et al. 2017).",
    ),
    (
        "Leaky",
        "The model had heard these clips, or others of their artists or recordings, when it was "
        "trained. Such figures say little of music it does not know.",
    ),
)


def verdict(document: Document) -> str:
    """Return whether an evaluation's figures may be believed: ``honest``, or why not."""
    if not document["leaky"]:
        return "honest"
    leaks = document["leaks"]
    if leaks and not any(line.startswith("artist") for line in leaks):
        return "inflated: recordings on both sides"
    return "inflated: artists on both sides"


def compare_protocols(results: Mapping[str, Document]) -> str:
    """Return evaluations of one method under several protocols, side by side.

    Parameters
    ----------
    results
        By the protocol's name, what `evaluate` returned.

    Returns
    -------
    str
        A Markdown table, a row per protocol in the given order, with a column that says which
        figures are ``honest`` and which ``inflated: artists on both sides``.
    """
    rows = [_PROTOCOL_HEAD, *(_protocol_row(name, result) for name, result in results.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def write_report(
    document: Document, path: Path, *, protocols: Mapping[str, Document] | None = None
) -> Path:
    """Write an evaluation as a page, and as JSON beside it.

    Parameters
    ----------
    document
        Of `tonotope.training.evaluation.evaluate.evaluate`.
    path
        The page, ``.html``.
    protocols
        Evaluations under other protocols, to be shown side by side.

    Returns
    -------
    Path
        The JSON file: the page's name with ``.json``.

    Raises
    ------
    InputError
        If the path does not end in ``.html``.
    PathError
        If its folder is not there, or a file cannot be written.
    """
    beside = check_name(path).with_suffix(".json")
    try:
        # Names of files may hold bytes that are not UTF-8.
        path.write_bytes(render(document, protocols=protocols).encode("utf-8", "backslashreplace"))
        beside.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise PathError(
            f"cannot write report '{error.filename or path}': {error.strerror}. Name another --out."
        ) from error
    return beside


def check_name(path: Path) -> Path:
    """Return the path of a report if one can be written there: to be asked before the work.

    Raises
    ------
    InputError
        If the path does not end in ``.html``.
    PathError
        If its folder is not there.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"cannot write a report to '{path}': it is a page. Name it with .html.")
    if not path.parent.is_dir():
        raise PathError(
            f"cannot write a report to '{path}': there is no folder '{path.parent}'. Make it first."
        )
    return path


def render(document: Document, *, protocols: Mapping[str, Document] | None = None) -> str:
    """Return an evaluation as one HTML page."""
    title = f"{document['model'] or 'A model'}: {document['accuracy']:.1%} of {document['n']} clips"
    sections = [
        _alarm(document),
        f"<h1>{escape(title)}</h1>",
        f'<p class="faint">{escape(_subtitle(document))}</p>',
        _figures(document),
        "".join(f"<p>{escape(note)}</p>" for note in document["notes"]),
        _protocols(protocols or {}),
        _against(document),
        _genres(document),
        "<h2>What is taken for what</h2>",
        f'<div class="wide">{confusion_table(document["labels"], document["confusion"])}</div>',
        _confidence(document),
        _mistakes(document),
        "<h2>What the figures mean</h2><dl>",
        *(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in _GLOSSARY),
        "</dl>",
    ]
    style = files("tonotope.training.evaluation").joinpath("report.css").read_text("utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        + "\n".join(filter(None, sections))
        + "\n</body>\n</html>\n"
    )


def _alarm(document: Document) -> str:
    if not document["leaky"]:
        return ""
    leaks = document["leaks"]
    lines = "".join(f"<li>{escape(line)}</li>" for line in leaks[:_N_LEAKS_SHOWN])
    if len(leaks) > _N_LEAKS_SHOWN:
        lines += f"<li>and {len(leaks) - _N_LEAKS_SHOWN} more</li>"
    return (
        '<div class="alarm" role="alert"><strong>Leaky: these figures are inflated.</strong> '
        "The model was trained on some of what it is judged by."
        + (f"<ul>{lines}</ul>" if lines else "")
        + "</div>"
    )


def _subtitle(document: Document) -> str:
    tracks = document["by_track"]["n"]
    words = [
        f"protocol: {document['protocol']}" if document["protocol"] else "",
        f"part: {document['part']}" if document["part"] else "",
        f"{document['n']} clips" + (f" of {tracks} tracks" if tracks != document["n"] else ""),
        f"the artist of {document['n_of_known_artist']} is known",
    ]
    return ", ".join(filter(None, words))


def _figures(document: Document) -> str:
    boxes = [
        f"<div><span>{name}</span><b>{document[key]:.1%}</b>"
        f"<span>{_interval(document[f'{key}_ci'])}</span></div>"
        for key, name in _FIGURES
    ]
    tracks = document["by_track"]
    if tracks["n"] != document["n"]:
        boxes.append(
            f"<div><span>accuracy by track</span><b>{tracks['accuracy']:.1%}</b>"
            f"<span>{_interval(tracks['accuracy_ci'])}</span></div>"
        )
    boxes.append(
        f"<div><span>calibration error</span><b>{document['ece']:.3f}</b>"
        "<span>0 is perfect</span></div>"
    )
    return f'<div class="figures">{"".join(boxes)}</div>'


def _protocols(protocols: Mapping[str, Document]) -> str:
    if not protocols:
        return ""
    rows = []
    for name, result in protocols.items():
        _, judged, *cells = _protocol_row(name, result)
        kind = ' class="text bad"' if result["leaky"] else ' class="text"'
        rows.append([f"<td{kind}>{escape(judged)}</td>", *map(_td, cells)])
    return "<h2>By protocol</h2>" + _table(_PROTOCOL_HEAD, list(protocols), rows, n_text_columns=2)


def _protocol_row(name: str, result: Document) -> tuple[str, ...]:
    return (
        name,
        verdict(result),
        f"{result['accuracy']:.1%}",
        _interval(result["accuracy_ci"]),
        f"{result['balanced_accuracy']:.1%}",
        f"{result['macro_f1']:.1%}",
        str(result["n"]),
    )


def _against(document: Document) -> str:
    other = document.get("against")
    if other is None:
        return ""
    test = other["mcnemar"]
    low, high = other["difference_ci"]
    return (
        f"<h2>Against {escape(other['model'])}</h2><p>The other has {other['accuracy']:.1%}: a "
        f"difference of {other['difference'] * 100:+.1f} points "
        f"({low * 100:+.1f} to {high * 100:+.1f} over artists). {test['n_only_this']} clips only "
        f"this model gets right, {test['n_only_other']} only the other; were they equally good, "
        f"this would happen with a probability of {test['p_value']:.2g} (McNemar's exact test, "
        "which takes the clips for independent).</p>"
    )


def _genres(document: Document) -> str:
    rows = [
        [
            *(_td(f"{genre[key]:.1%}") for key in ("precision", "recall", "f1")),
            _td(str(genre["support"])),
        ]
        for genre in document["per_genre"]
    ]
    names = [genre["genre"] for genre in document["per_genre"]]
    head = ("genre", "precision", "recall", "F1", "clips")
    return "<h2>By genre</h2>" + _table(head, names, rows)


def _confidence(document: Document) -> str:
    unknown, area = document["unknown"], document["risk_coverage"]["area"]
    answered = None
    if unknown["below"] is None:
        words = "The model's card has no threshold below which it says “unknown”."
    else:
        words = (
            f"Below {unknown['below']:.2f} the model says “unknown”: it answers "
            f"{unknown['coverage']:.0%} of these clips"
        )
        if unknown["precision"] is None:
            words += "."
        else:
            words += f", and {unknown['precision']:.1%} of the answers are right."
            answered = (unknown["coverage"], 1 - unknown["precision"])
    curve = risk_coverage_chart(document["risk_coverage"]["curve"], answered)
    return (
        '<h2>How far it may be believed</h2><div class="pair">'
        f"<figure>{reliability_chart(document['reliability'])}<figcaption>How often it is right by "
        "how sure it is. On the dashed line the two agree; the fuller a bar, the more clips."
        f"</figcaption></figure><figure>{curve}<figcaption>How much is wrong when only the surest "
        f"answers are given (area {area:.3f}).</figcaption></figure></div><p>{words}</p>"
    )


def _mistakes(document: Document) -> str:
    if not document["mistakes"]:
        return ""
    rows = [
        [
            f'<td class="text">{escape(_song(mistake))}</td>',
            f'<td class="text">{escape(mistake["genre"])}</td>',
            f'<td class="text">{escape(mistake["predicted"])}</td>',
            _td(f"{mistake['probability']:.0%}"),
        ]
        for mistake in document["mistakes"]
    ]
    names = [mistake["clip"] for mistake in document["mistakes"]]
    head = ("clip", "", "labelled", "taken for", "sure")
    return "<h2>The surest mistakes</h2><p>Faults of the model, or of the labels.</p>" + _table(
        head, names, rows, n_text_columns=4
    )


def _song(mistake: Mapping[str, str]) -> str:
    return " – ".join(filter(None, (mistake["artist"], mistake["title"])))


def _table(
    head: Sequence[str],
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    n_text_columns: int = 1,
) -> str:
    """Return a table whose rows have names; the other cells are HTML."""
    titles = "".join(
        f'<th scope="col"{" class=text" * (k < n_text_columns)}>{escape(title)}</th>'
        for k, title in enumerate(head)
    )
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>'
        for name, cells in zip(names, rows, strict=True)
    )
    return (
        f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )


def _td(text: str) -> str:
    return f"<td>{escape(text)}</td>"


def _interval(ends: Sequence[float]) -> str:
    return f"{ends[0]:.1%} to {ends[1]:.1%}"
