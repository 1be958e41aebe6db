"""``tonotope judge``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from tonotope.cli.options import JsonOption, LibraryOption, WholeNumber
from tonotope.cli.output import complain, counted, print_json, say
from tonotope.errors import InputError

__all__ = ["judge"]

_Columns = dict[str, Callable[[dict[str, Any]], str]]

_UNKNOWN = "-"


def judge(
    *,
    data: str | None = None,
    split: str | None = None,
    part: Literal["test", "valid", "train", "all"] | None = None,
    model: str | None = None,
    space: str | None = None,
    k: WholeNumber = 10,
    seed: WholeNumber = 0,
    library: LibraryOption = None,
    json: JsonOption = False,
) -> None:
    """Judge similarity spaces: whether near means alike, and whether all of the music is reached.

    By a library's own tags or, with `--data`, by labelled clips.

    Parameters
    ----------
    data
        A spectrogram cache (see `tonotope prepare`), or a folder with a folder of audio for each
        genre, in place of the library.
    split
        How the clips of `--data` are parted: official, random, kfold:K, artist:K, recording:K. By
        default as they are parted themselves, if they are.
    part
        Which part of `--data` to judge by; by default the test part, or else the validation part,
        or else all clips.
    model
        Whose embedding, with `--data`: a model's name, an .onnx file with its card beside it, or
        the folder of a training run; by default the model that comes with Tonotope.
    space
        Judge one space only: cosine, or descriptors, embedding or both, each also with -corrected
        after it. All by default.
    k
        How long the lists of neighbours are.
    seed
        Of random splits and of the intervals.
    """
    if data is None:
        for name, value in (("split", split), ("part", part), ("model", model)):
            if value is not None:
                raise InputError(f"--{name} goes with --data: a library has been heard already.")
        document = _of_library(library, space, k, seed)
    elif library is not None:
        raise InputError("a library or --data is judged, not both. Leave one out.")
    else:
        document = _of_data(Path(data), split, part, model, space, k, seed)
    if json:
        print_json(document)
    else:
        _print(document)
    if document.get("leaky"):
        complain(
            "leaky: the model was trained on what it is judged by. See leaks (--json), or name a "
            "--model that has not heard it."
        )


def _of_library(library: Path | None, space: str | None, k: int, seed: int) -> dict[str, Any]:
    from tonotope.cli.progress import counting
    from tonotope.session import Library

    with Library(library) as opened, counting("Judging") as show:
        return opened.judge(space=space, k=k, seed=seed, on_progress=show)


def _of_data(
    data: Path,
    split: str | None,
    part: str | None,
    model: str | None,
    space: str | None,
    k: int,
    seed: int,
) -> dict[str, Any]:
    from contextlib import ExitStack

    from tonotope.cli.progress import counting, scanning
    from tonotope.training.evaluation.data import opened_data
    from tonotope.training.evaluation.spaces import judge_cache

    with ExitStack() as stack:
        with scanning() as show_scan:
            opened = stack.enter_context(opened_data(data, show_scan))
        with counting("Hearing clips") as show:
            return judge_cache(
                opened,
                model=model,
                split=split,
                part=part,
                space=space,
                k=k,
                seed=seed,
                on_progress=show,
            )


def _print(document: dict[str, Any]) -> None:
    if "data" in document:
        say(f"{document['model']} on {document['data']}")
        say(f"{document['protocol']}, part {document['part']}: {counted(document['n'], 'track')}")
    else:
        say(f"{document['library']}: {counted(document['n'], 'track')}")
    known = (
        f"{counted(labels['n'], name)} (of {labels['n_tracks']} tracks)"
        for name, labels in document["labels"].items()
    )
    say(f"known: {', '.join(known)}")
    if (headline := document["spaces"][0]["genre_artist_filter"]) is not None:
        say(f"tracks of whose genre other artists have some: {headline['n']}")
    for title, columns in _TABLES.items():
        _print_table(title, columns, document)
    say("")
    if any(space["is_default"] for space in document["spaces"]):
        say("* what answers you")
    if document["novelty_by"] == "plays":
        say("Novelty goes by how often tracks were played.")
    for note in document["notes"]:
        say(note)


def _print_table(title: str, columns: _Columns, document: dict[str, Any]) -> None:
    """Print a table of the columns that there is something in; nothing if there is none."""
    spaces = document["spaces"]
    cells = {name: [of(space) for space in spaces] for name, of in columns.items()}
    shown = [name for name in columns if set(cells[name]) != {_UNKNOWN}]
    if not shown:
        return
    say("")
    say(title.format(k=document["k"]))
    names = [space["space"] + " *" * space["is_default"] for space in spaces]
    rows = [["space", *shown]]
    rows += [[name, *(cells[column][row] for column in shown)] for row, name in enumerate(names)]
    rows += _bounds(document, shown)
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for first, *others in rows:
        numbers = (f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True))
        say(f"  {first:<{widths[0]}}   {'   '.join(numbers)}".rstrip())


def _bounds(document: dict[str, Any], columns: Sequence[str]) -> list[list[str]]:
    """Return rows of what no space could be better than, and of what chance has."""
    if not set(columns) & set(_TASK_OF):
        return []
    return [
        [
            name,
            *(_share(document[key][_TASK_OF[c]]) if c in _TASK_OF else "" for c in columns),
        ]
        for name, key in (("best possible", "best"), ("chance", "chance"))
    ]


def _share(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.2f}"


def _range(ends: list[float] | None) -> str:
    return _UNKNOWN if ends is None else f"{ends[0]:.0%} to {ends[1]:.0%}"


def _difference(against: dict[str, Any] | None) -> str:
    if against is None or against["ci"] is None:
        return _UNKNOWN
    mean, low, high = (100 * value for value in (against["difference"], *against["ci"]))
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"


def _of_task(task: str, key: str) -> Callable[[dict[str, Any]], str]:
    return lambda space: _share((space[task] or {}).get(key))


_TASK_OF = {
    "other artists": "genre_artist_filter",
    "and albums": "genre_artist_album_filter",
    "any": "genre",
    "his": "artist",
    "on other albums": "artist_album_filter",
}
# From the title of a table to its columns.
_TABLES: dict[str, _Columns] = {
    "Genre: of {k} neighbours, the share that is of the query's": {
        "other artists": _of_task("genre_artist_filter", "precision"),
        "95% interval": lambda space: _range(space["precision_ci"]),
        "against cosine": lambda space: _difference(space["against_baseline"]),
        "nDCG": _of_task("genre_artist_filter", "ndcg"),
        "and albums": _of_task("genre_artist_album_filter", "precision"),
        "any": _of_task("genre", "precision"),
    },
    "Artist: of {k} neighbours, the share that is by the query's": {
        "his": _of_task("artist", "precision"),
        "nDCG": _of_task("artist", "ndcg"),
        "on other albums": _of_task("artist_album_filter", "precision"),
    },
    "Hubs: how unevenly tracks are spread over the lists, and what can be reached": {
        "skewness": lambda space: _number(space["hubness"]["skewness"]),
        "hubs": lambda space: _share(space["hubness"]["hub_share"]),
        "fill": lambda space: _share(space["hubness"]["hub_occurrence"]),
        "anti-hubs": lambda space: _share(space["hubness"]["antihub_share"]),
        "Robin Hood": lambda space: _share(space["hubness"]["robin_hood"]),
        "reached": lambda space: _share(space["reachability"]),
        "connected": lambda space: _share(space["largest_component"]),
    },
    "Lists of other artists' tracks, and paths": {
        "diversity": lambda space: _number(space["diversity"]),
        "coverage": lambda space: _share(space["coverage"]),
        "novelty": lambda space: _number(space["novelty_bits"]),
        "paths found": lambda space: _share(space["paths"]["found"]),
        "longest step": lambda space: _number(space["paths"]["longest_step"]),
        "detour": lambda space: _number(space["paths"]["detour"]),
    },
}
