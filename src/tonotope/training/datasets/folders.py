"""Any folder of folders: the name of the top folder is the label."""

from __future__ import annotations

from pathlib import Path

from tonotope.audio import read_tags
from tonotope.library.walk import Walk
from tonotope.training.clips import PARTS, Clip
from tonotope.training.datasets.base import ClipList, DataSet, folders_in, printable

__all__ = ["Folders"]


class Folders(DataSet):
    """Audio in folders: the label is the name of the top folder, the artist is in the tags.

    Folders called train, valid and test, and no others, are an official split, and the labels are
    the folders in these.
    """

    name = "folders"
    title = "a folder of folders"
    citation = ""
    licence = "your own"
    url = ""
    layout = "<label>/**/<any name>.<any audio format>, or train/, valid/ and test/ of such folders"

    def clips(self, root: Path) -> ClipList:
        """Return the clips below a folder; see `DataSet.clips`."""
        top = self.absolute(root)
        tops = {folder.name: folder for folder in folders_in(top)}
        parts = tops if set(tops) == set(PARTS) else {"": top}
        clips: list[Clip] = []
        problems: list[str] = []
        for split, folder in sorted(parts.items()):
            self._walk(top, folder, split, clips, problems)
        if not clips:
            raise self.nothing_in(root, "no folder with audio files")
        return ClipList(tuple(sorted(clips, key=lambda clip: clip.name)), tuple(problems))

    def _walk(
        self, top: Path, folder: Path, split: str, clips: list[Clip], problems: list[str]
    ) -> None:
        walk = Walk([str(folder)])
        unlabelled = []
        for file in walk:
            path = Path(file.path)
            below = path.relative_to(folder)
            if len(below.parts) == 1:
                unlabelled.append(file)
                continue
            tags = read_tags(path)
            clips.append(
                Clip(
                    name=printable(path.relative_to(top).as_posix()),
                    genre=printable(below.parts[0]),
                    split=split,
                    artist=tags.artist or tags.album_artist or "",
                    title=tags.title or "",
                    path=file.path,
                )
            )
        if unlabelled:
            files = "file" if len(unlabelled) == 1 else "files"
            problems.append(
                f"{len(unlabelled)} audio {files} directly in '{printable(str(folder))}' without "
                "a label: labels are the names of folders"
            )
        for found in walk.unreadable:
            problems.append(f"cannot look into '{printable(found.path)}': {found.reason}")
