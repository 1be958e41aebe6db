"""Fetching a model from an address that a person named: all that the package does with the net."""

from __future__ import annotations

import http.client
import re
import urllib.request
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import TypeAlias
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, quote, unquote, urlsplit

from tonotope.errors import InputError, ModelError
from tonotope.models.cards import read_card

__all__ = ["OnDownload", "fetch_model", "is_url"]

OnDownload: TypeAlias = Callable[[str, int, int | None], None]
"""Called with a file's name, how many bytes have come, and how many there are, if that is known."""

_MOST_CARD_BYTES = 1 << 20
_MOST_NETWORK_BYTES = 2 << 30  # no ONNX file is larger
_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 30
_STEM = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def is_url(source: str) -> bool:
    """Whether a source is an address, not a path."""
    return source.lower().startswith(("http://", "https://"))


def fetch_model(url: str, folder: Path, on_download: OnDownload | None = None) -> Path:
    """Download a card and its network into a folder.

    Parameters
    ----------
    url
        Of the card (``.toml``), whose network lies beside it, or of the network (``.onnx``), whose
        card has the same name and ``.toml``.
    folder
        Where both go.
    on_download
        Called as the bytes come.

    Returns
    -------
    Path
        The card.

    Raises
    ------
    InputError
        If the address names neither.
    ModelError
        If there is nothing, the card is wrong, or it does not say its network's sha256.
    """
    address = urlsplit(url)
    path = PurePosixPath(address.path)
    if path.suffix not in (".toml", ".onnx"):
        raise InputError(
            f"'{url}' is the address of neither a card (.toml) nor a network (.onnx). "
            "Name one of the two."
        )
    stem = unquote(path.stem)
    card_path = folder / f"{stem if _STEM.fullmatch(stem) else 'model'}.toml"
    card_url = address._replace(path=str(path.with_suffix(".toml"))).geturl()
    _fetch(card_url, card_path, _MOST_CARD_BYTES, on_download)
    card = read_card(card_path)
    if card.sha256 is None:
        raise ModelError(
            f"model card '{card_url}' lacks 'sha256', without which nobody can tell whether what "
            "comes from there is what was meant. Download both files, and add them from there."
        )
    network_url = url if path.suffix == ".onnx" else _beside(address, card.file.name)
    _fetch(network_url, card.file, _MOST_NETWORK_BYTES, on_download)
    return card_path


def _beside(address: SplitResult, name: str) -> str:
    path = PurePosixPath(address.path).with_name(quote(name))
    return address._replace(path=str(path)).geturl()


def _fetch(url: str, path: Path, most_bytes: int, on_download: OnDownload | None) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": f"tonotope/{version('tonotope')}"})
    try:
        with _opener().open(request, timeout=_TIMEOUT_S) as response, path.open("wb") as file:
            length = response.headers.get("Content-Length", "")
            n_bytes = int(length) if length.isdecimal() else None
            n_done = 0
            while True:
                if max(n_done, n_bytes or 0) > most_bytes:
                    raise ModelError(
                        f"cannot download '{url}': it is larger than {most_bytes >> 20} MiB. "
                        "Check the address."
                    )
                if on_download is not None:
                    on_download(path.name, n_done, n_bytes)
                chunk = response.read(_CHUNK_BYTES)
                if not chunk:
                    break
                n_done += file.write(chunk)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ModelError(
            f"cannot download '{url}': {_reason(error)}. Check the address and the connection."
        ) from error


def _opener() -> urllib.request.OpenerDirector:
    """Return what follows http and https only: no address leads to a local file."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        error.close()  # it is an answer, too
        return f"HTTP {error.code} {error.reason}".strip()
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return " ".join(str(reason).split()) or type(reason).__name__
