"""The models at hand: the bundled one, and those that a person added.

Each added model is a folder named after it, in the platform's folder of user data::

    .../tonotope/models/NAME/model.onnx
    .../tonotope/models/NAME/model.toml

A model is put together in a hidden folder beside these and renamed when it is complete, so that
what a killed process leaves behind is no model; the next process that changes anything removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from tonotope.errors import InputError, ModelError, PathError
from tonotope.models.cards import BUNDLED_CARD, ModelCard, read_card

if TYPE_CHECKING:
    from tonotope.models.download import OnDownload

__all__ = ["InstalledModel", "add", "find_model", "info", "list_models", "models_folder", "remove"]

_CARD, _NETWORK = "model.toml", "model.onnx"
# Safe in any file system, on any command line, and never hidden.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_UNFINISHED = ".unfinished-"


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model at hand.

    Attributes
    ----------
    name
        What it is called by.
    card
        Its card; None where that cannot be read.
    is_bundled
        Whether it came with Tonotope.
    size_bytes
        Of its network.
    problem
        Why it cannot be used; None if nothing is known against it.
    """

    name: str
    card: ModelCard | None
    is_bundled: bool
    size_bytes: int
    problem: str | None


def models_folder() -> Path:
    """Return where models are added to if nothing else is said: in the platform's data folder."""
    return Path(platformdirs.user_data_dir("tonotope", appauthor=False)) / "models"


def list_models(folder: Path | None = None) -> list[InstalledModel]:
    """Return the models at hand: the bundled one, then the others by name.

    Parameters
    ----------
    folder
        Where the others are; `models_folder` by default.

    Raises
    ------
    PathError
        If the folder cannot be read.
    """
    folder = folder or models_folder()
    bundled = read_card(BUNDLED_CARD)
    models = [_described(bundled.name, bundled, is_bundled=True)]
    try:
        names = [path.name for path in folder.iterdir() if path.is_dir()]
    except FileNotFoundError:
        names = []
    except OSError as error:
        raise _cannot("read", folder, error) from error
    for name in sorted(filter(_NAME.fullmatch, names), key=str.casefold):
        try:
            models.append(_described(name, _installed_card(folder / name), is_bundled=False))
        except ModelError as error:
            models.append(InstalledModel(name, None, False, 0, str(error)))
    return models


def info(name: str, folder: Path | None = None) -> InstalledModel:
    """Return a model at hand.

    Raises
    ------
    ModelError
        If there is none of that name.
    PathError
        If the folder cannot be read.
    """
    models = list_models(folder)
    for model in models:
        if model.name == name:
            return model
    names = ", ".join(model.name for model in models)
    raise ModelError(f"no model is called '{name}' (there are: {names}). See: tonotope models list")


def find_model(name_or_path: str | os.PathLike[str], folder: Path | None = None) -> ModelCard:
    """Return the card of a model at hand, or of one that lies anywhere.

    Parameters
    ----------
    name_or_path
        The name of a model at hand; or else a path: of its card (``.toml``), of its network
        (``.onnx``) with the card beside it, or of a folder with both, such as a training run's.
    folder
        Where models are; `models_folder` by default.

    Raises
    ------
    ModelError
        If there is no such model, or its card cannot be used.
    """
    source = os.fspath(name_or_path)
    if os.sep in source or source.endswith((".toml", ".onnx")):
        return _card_at(Path(source))
    try:
        model = info(source, folder)
    except ModelError:
        if Path(source).is_dir():
            return _card_at(Path(source))
        raise
    if model.card is None:
        raise ModelError(str(model.problem))
    return model.card


def add(
    source: str | os.PathLike[str],
    folder: Path | None = None,
    *,
    on_download: OnDownload | None = None,
) -> InstalledModel:
    """Add a model, after trying it out.

    The network must be the one that its card describes, load, and give on made-up sound what the
    card promises. If anything is wrong with it, nothing is left behind.

    Parameters
    ----------
    source
        Its card (``.toml``), its network (``.onnx``) with the card beside it, a folder with both,
        or the address (http or https) of one of the two files. Only then is anything downloaded.
    folder
        Where models are; `models_folder` by default.
    on_download
        Called as bytes come from the net.

    Raises
    ------
    InputError
        If the card's name cannot be a model's, or the address names no model.
    ModelError
        If the model cannot be used, or there is one of its name.
    PathError
        If the folder cannot be written to, or another process is changing it.
    """
    from tonotope.models.download import fetch_model, is_url

    folder = folder or models_folder()
    address = os.fspath(source)
    with _changing(folder), _unfinished(folder) as unfinished:
        if not is_url(address):
            return _install(_card_at(Path(source)), folder, unfinished)
        downloads = unfinished / "downloads"
        downloads.mkdir()
        try:
            card = read_card(fetch_model(address, downloads, on_download))
            model = _install(card, folder, unfinished)
        except ModelError as error:
            # A person knows the address, and not where its bytes happen to be.
            where = address.rpartition("/")[0]
            raise ModelError(str(error).replace(str(downloads), where)) from error
        return model


def remove(name: str, folder: Path | None = None) -> None:
    """Remove a model that was added.

    Raises
    ------
    ModelError
        If there is none of that name, or it is the bundled one.
    PathError
        If the folder cannot be written to, or another process is changing it.
    """
    folder = folder or models_folder()
    if info(name, folder).is_bundled:
        raise ModelError(f"model '{name}' comes with Tonotope and cannot be removed. Leave it be.")
    with _changing(folder), _unfinished(folder) as unfinished:
        try:
            # It is gone at once; that its files take longer is seen by nobody.
            (folder / name).rename(unfinished / name)
        except OSError as error:
            raise _cannot("remove", folder / name, error) from error


def _described(name: str, card: ModelCard, *, is_bundled: bool) -> InstalledModel:
    try:
        return InstalledModel(name, card, is_bundled, card.file.stat().st_size, None)
    except OSError as error:
        problem = f"cannot read network '{card.file}': {error.strerror}. Reinstall the model."
        return InstalledModel(name, card, is_bundled, 0, problem)


def _installed_card(folder: Path) -> ModelCard:
    # Whatever the network was called where it came from.
    return replace(read_card(folder / _CARD), file=folder / _NETWORK)


def _card_at(path: Path) -> ModelCard:
    """Return the card of a model that lies somewhere, see `find_model`."""
    if path.is_dir() and (path / _CARD).exists():
        return _card_at(path / _CARD)
    if path.is_dir():
        cards = sorted(path.glob("*.toml"))
        if len(cards) != 1:
            raise ModelError(
                f"folder '{path}' holds {len(cards)} cards (.toml), not one. Name the card itself."
            )
        return _card_at(cards[0])
    if path.suffix == ".onnx":
        card = path.with_suffix(".toml")
        if path.exists() and not card.exists():
            raise ModelError(
                f"network '{path}' has no card '{card.name}' beside it. Write one as "
                "docs/model-cards.md says."
            )
        return replace(read_card(card), file=path)
    if path.suffix == ".toml":
        # In the folder of an installed model the card goes with the network there.
        is_installed = path.name == _CARD and (path.parent / _NETWORK).exists()
        return _installed_card(path.parent) if is_installed else read_card(path)
    raise ModelError(
        f"'{path}' is neither a card (.toml), a network (.onnx) nor a folder with both. "
        "See docs/model-cards.md."
    )


def _install(card: ModelCard, folder: Path, unfinished: Path) -> InstalledModel:
    """Put a model that may be used into its place."""
    from tonotope.models.trial import try_out

    _refuse_name(card.name, folder)
    if not card.file.is_file():
        raise ModelError(f"cannot read network '{card.file}': no such file. Put it there.")
    try_out(card)
    made = unfinished / "model"
    try:
        made.mkdir()
        shutil.copyfile(card.file, made / _NETWORK)
        sha256 = _sha256(made / _NETWORK)
        if card.sha256 not in (None, sha256):
            raise ModelError(f"network '{card.file}' changed while it was added. Add it again.")
        text = card.path.read_bytes()
        if card.sha256 is None:
            # Keys above all tables may come first, and these stand above everything.
            text = f'sha256 = "{sha256}"  # of the file that was added\n'.encode() + text
        (made / _CARD).write_bytes(text)
        for path in (made / _NETWORK, made / _CARD, made):
            _sync(path)
        made.rename(folder / card.name)
        _sync(folder)
    except OSError as error:
        raise _cannot("write", folder / card.name, error) from error
    return info(card.name, folder)


def _refuse_name(name: str, folder: Path) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"a model cannot be called {name!r}: only letters, digits, '.', '_' and '-' are "
            "allowed, 64 at most, and a letter or digit first. Change the name in its card."
        )
    # Not all file systems tell upper from lower case.
    there = {model.name.casefold(): model for model in list_models(folder)}
    model = there.get(name.casefold())
    if model is not None and model.is_bundled:
        raise ModelError(
            f"model '{model.name}' comes with Tonotope. Change the name in the card of yours."
        )
    if model is not None:
        raise ModelError(
            f"there is a model '{model.name}' already. Remove it first: "
            f"tonotope models remove {model.name}"
        )


@contextmanager
def _changing(folder: Path) -> Iterator[None]:
    """Hold the right to change the folder; the system drops it when its owner ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _cannot("write", folder, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PathError(
                f"models in '{folder}' are being changed by another process. Wait for it."
            ) from None
        # Nobody else is at work: these were left by a process that was killed.
        for left_over in folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(left_over, ignore_errors=True)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """Give a hidden folder to work in, removed at the end."""
    try:
        path = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder))
    except OSError as error:
        raise _cannot("write", folder, error) from error
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _cannot(do: str, path: Path, error: OSError) -> PathError:
    reason = error.strerror or type(error).__name__
    return PathError(f"cannot {do} '{path}': {reason}. Mend that, or name another --folder.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
