"""Playlists as extended M3U in UTF-8, which every player reads."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tonotope.errors import PathError
from tonotope.library.catalogue import Track

__all__ = ["write_m3u8"]


def write_m3u8(path: str | os.PathLike[str], tracks: Sequence[Track]) -> None:
    """Write a playlist.

    A track that lies in the playlist's folder, or below it, is named relative to it, so that the
    folder can be moved as a whole; any other by its absolute path. The file appears at once and
    whole.

    Parameters
    ----------
    path
        Where to; an existing file is replaced.
    tracks
        In the order of playing.

    Raises
    ------
    PathError
        If it cannot be written there.
    """
    target = Path(path).expanduser().absolute()
    lines = ["#EXTM3U"]
    for track in tracks:
        lines.append(f"#EXTINF:{round(track.duration_s)},{_one_line(track.name)}")
        lines.append(_entry(track.path, target.parent))
    # A name that is not UTF-8 keeps its own bytes: players open files by them.
    content = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    try:
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name}-", delete=False
        ) as file:
            temporary = Path(file.name)
            try:
                file.write(content)
                file.close()
                temporary.chmod(0o666 & ~_umask())
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise PathError(
            f"cannot write playlist '{os.fspath(path)}': {error.strerror}. Name another --out."
        ) from error


def _entry(track_path: str, folder: Path) -> str:
    try:
        relative = str(Path(track_path).relative_to(folder))
    except ValueError:
        return track_path
    # A line that begins with "#" would be a comment.
    return f"./{relative}" if relative.startswith("#") else relative


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
