"""``tonotope models``: the models at hand, and what their cards say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from tonotope.cli.options import JsonOption
from tonotope.cli.output import print_json, say

if TYPE_CHECKING:
    from tonotope.models.cards import ModelCard
    from tonotope.models.download import OnDownload
    from tonotope.models.installed import InstalledModel

__all__ = ["models"]

FolderOption = Annotated[
    Path | None,
    Parameter(name="--folder", help="Where added models are; by default one folder per user."),
]

_HELP = (
    "Show, add and remove models.\n\n"
    "A model is a network (ONNX) with a card (TOML) that says what it takes and gives. Nothing is "
    "downloaded unless you name an address yourself."
)
_EXAMPLES = """Examples:

  tonotope models list
  tonotope models add my-encoder.toml
  tonotope genre song.mp3 --model my-encoder
"""

models = App(name="models", help=_HELP, help_epilogue=_EXAMPLES)


@models.command(
    name="list", help_epilogue="Examples:\n\n  tonotope models list\n  tonotope models list --json"
)
def list_(*, folder: FolderOption = None, json: JsonOption = False) -> None:
    """Show the models at hand."""
    from tonotope.models.installed import list_models

    found = list_models(folder)
    if json:
        print_json([_document(model) for model in found])
        return
    for model in found:
        say(_title(model))
        for line in _facts(model):
            say(f"  {line}")


@models.command(
    help_epilogue="Examples:\n\n  tonotope models info tonotope-1\n"
    "  tonotope models info my-encoder --json"
)
def info(
    name: Annotated[str, Parameter(allow_leading_hyphen=False)],
    /,
    *,
    folder: FolderOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a model's card says.

    Parameters
    ----------
    name
        What `tonotope models list` calls it.
    """
    from tonotope.models.installed import info

    model = info(name, folder)
    if json:
        card = None if model.card is None else _plain(model.card.document)
        path = None if model.card is None else str(model.card.path)
        print_json({**_document(model), "path": path, "card": card})
        return
    say(_title(model))
    if model.card is None:
        say(f"  {model.problem}")
        return
    say(f"  {model.card.path}")
    for line in _card_lines(model.card.document):
        say(line)


@models.command(
    help_epilogue="Examples:\n\n  tonotope models add my-encoder.toml\n"
    "  tonotope models add ~/Downloads/my-encoder/\n"
    "  tonotope models add https://example.org/my-encoder.toml"
)
def add(
    source: Annotated[str, Parameter(allow_leading_hyphen=False)],
    /,
    *,
    folder: FolderOption = None,
    json: JsonOption = False,
) -> None:
    """Try a model out, and keep a copy of it.

    Parameters
    ----------
    source
        Its card (.toml), its network (.onnx) with the card beside it, a folder with both, or the
        http(s) address of one of the two files.
    """
    from tonotope.models.installed import add

    with _downloading() as on_download:
        model = add(Path(source).expanduser() if "://" not in source else source, folder,
                    on_download=on_download)  # fmt: skip
    if json:
        print_json(_document(model))
        return
    say(f"added {_title(model)}")
    for line in _facts(model):
        say(f"  {line}")


@models.command(help_epilogue="Examples:\n\n  tonotope models remove my-encoder")
def remove(
    name: Annotated[str, Parameter(allow_leading_hyphen=False)],
    /,
    *,
    folder: FolderOption = None,
    json: JsonOption = False,
) -> None:
    """Remove a model that was added.

    Parameters
    ----------
    name
        What `tonotope models list` calls it.
    """
    from tonotope.models.installed import remove

    remove(name, folder)
    if json:
        print_json({"removed": name})
    else:
        say(f"removed {name}")


def _title(model: InstalledModel) -> str:
    version = "" if model.card is None else f" {model.card.version}"
    return f"{model.name}{version}" + " (bundled)" * model.is_bundled


def _facts(model: InstalledModel) -> list[str]:
    """Return what is to be known of a model, in lines for people."""
    card = model.card
    if card is None:
        return [f"unusable: {model.problem}"]
    facts = [f"hears      {_heard(card)}", f"gives      {_given(card)}"]
    if card.accuracy is not None:
        facts.append(f"accuracy   {card.accuracy.value:.1%} ({card.accuracy.part} part)")
    facts.append(f"licence    {card.licence or 'not stated'}")
    facts.append(f"size       {model.size_bytes / 1e6:.1f} MB")
    if model.problem is not None:
        facts.append(f"unusable: {model.problem}")
    return facts


def _heard(card: ModelCard) -> str:
    spec = card.input
    return f"{spec.window_s:g} s at a time as {spec.name}, from {spec.sample_rate_hz} Hz"


def _given(card: ModelCard) -> str:
    given = []
    if card.labels:
        named = ", ".join(card.labels[:12]) + ", ..." * (len(card.labels) > 12)
        given.append(f"{len(card.labels)} labels ({named})")
    if card.embedding_size is not None:
        given.append(f"an embedding of {card.embedding_size} numbers")
    return " and ".join(given)


def _document(model: InstalledModel) -> dict[str, Any]:
    """Return a model as JSON shows it."""
    card = model.card
    if card is None:
        return {"name": model.name, "bundled": model.is_bundled, "problem": model.problem}
    return {
        "name": model.name,
        "version": card.version,
        "bundled": model.is_bundled,
        "representation": card.input.name,
        "sample_rate_hz": card.input.sample_rate_hz,
        "window_s": card.input.window_s,
        "labels": list(card.labels),
        "embedding_size": card.embedding_size,
        "accuracy": None if card.accuracy is None else card.accuracy.value,
        "accuracy_part": None if card.accuracy is None else card.accuracy.part,
        "licence": card.licence,
        "size_bytes": model.size_bytes,
        "problem": model.problem,
    }


def _plain(value: Any) -> Any:
    """Return what TOML holds as what JSON can: dates become texts."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float) else str(value)


def _card_lines(table: dict[str, Any]) -> Iterator[str]:
    """Yield a card as people read it: keys side by side, tables below their names."""
    keys = [key for key, value in table.items() if not isinstance(value, dict)]
    width = max(map(len, keys), default=0)
    for key in keys:
        value = table[key]
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield f"  {key:{width}}  {text}"
    for key, value in table.items():
        if isinstance(value, dict):
            yield ""
            yield f"{key}"
            yield from _card_lines(value)


@contextmanager
def _downloading() -> Iterator[OnDownload]:
    """Give a function that shows on the standard error how much of a file has come."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from tonotope.cli.output import complain, printable

    console = Console(stderr=True)
    if not console.is_terminal:

        def tell(name: str, n_done: int, n_bytes: int | None) -> None:
            if n_done == 0:
                size = "of unknown size" if n_bytes is None else f"{n_bytes / 1e6:.1f} MB"
                complain(f"downloading {name}, {size}")

        yield tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=16), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        tasks: dict[str, Any] = {}

        def draw(name: str, n_done: int, n_bytes: int | None) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(printable(name), total=n_bytes)
            progress.update(tasks[name], completed=n_done, total=n_bytes)

        yield draw
