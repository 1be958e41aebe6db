"""Maps written to files, of the kind that the file's name says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tonotope.errors import InputError, PathError
from tonotope.explore.map_page import map_page
from tonotope.explore.map_picture import map_picture
from tonotope.explore.map_table import map_table
from tonotope.files import write_whole
from tonotope.session.maps import LibraryMap

__all__ = ["check_map_path", "write_map_file"]


def _text(render: Callable[[LibraryMap], str]) -> Callable[[LibraryMap], bytes]:
    # Bytes of file names that are not UTF-8 appear as \udc.., as in feature tables.
    return lambda drawn: render(drawn).encode("utf-8", "backslashreplace")


_RENDERERS: Mapping[str, Callable[[LibraryMap], bytes]] = {
    ".html": _text(map_page),
    ".htm": _text(map_page),
    ".png": map_picture,
    ".csv": _text(map_table),
}


def check_map_path(path: Path) -> Path:
    """Return a path if a map can be written there: to be asked before the work.

    Raises
    ------
    InputError
        If its suffix is no kind of map.
    PathError
        If its folder is not there, or it is a folder, a device or a pipe, or cannot be looked at.
    """
    if path.suffix.lower() not in _RENDERERS:
        raise InputError(
            f"cannot write a map to '{path}': its name says not which kind. "
            "Let it end in .html, .png or .csv"
        )
    try:
        has_folder = path.parent.is_dir()
        is_something_else = path.exists() and not path.is_file()
    except OSError as error:  # a name too long, a folder that may not be looked into
        raise _unwritable(path, error) from error
    if not has_folder:
        raise PathError(f"cannot write map '{path}': no folder '{path.parent}'. Make it first.")
    if is_something_else:
        raise PathError(f"cannot write map '{path}': it is no file. Name another --out.")
    return path


def write_map_file(drawn: LibraryMap, path: Path) -> None:
    """Write a map as a page, a picture or a table; a file that is there is replaced at once.

    Raises
    ------
    InputError, PathError
        As `check_map_path`; if Matplotlib is missing; if the file cannot be written.
    """
    content = _RENDERERS[check_map_path(path).suffix.lower()](drawn)
    try:
        write_whole(path, content)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> PathError:
    return PathError(f"cannot write map '{path}': {error.strerror}. Name another --out.")
