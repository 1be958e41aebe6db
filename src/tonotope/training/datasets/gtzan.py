"""GTZAN: 1000 excerpts of 30 s in ten genres, and what is known to be wrong with them.

``gtzan_index.csv`` beside this module has a row per clip:

``split``
    The fault-filtered split: 443, 197 and 290 clips without an artist on two sides; 70 clips that
    repeat others or are distorted are in no part. C. Kereliuk, B. L. Sturm and J. Larsen, "Deep
    learning and music adversaries", IEEE Transactions on Multimedia 17(11), 2015; from the lists
    ``train_filtered.txt``, ``valid_filtered.txt`` and ``test_filtered.txt`` of the authors'
    repository ``coreyker/dnn-mgr``, which number the clips from 1 in the order of their names.
``artist, title``
    B. L. Sturm's index of the excerpts (``GTZANindex.txt``, 2012); composers in ``classical``.
``recording``
    What exact repetitions have in common: the name of the first of them. 50 repetitions in 46
    groups, as Sturm lists and counts them: B. L. Sturm, "An analysis of the GTZAN music genre
    dataset", MIRUM 2012; "The GTZAN dataset: its contents, its faults, their effects on
    evaluation, and its future use", arXiv:1306.1461, 2013.
``flags``
    With ``|`` between them: ``repeats`` (exact repetition), ``same artist and title as`` (by the
    index: another excerpt or another version), ``distorted``, and, where none of these says why,
    ``left out of the fault-filtered split``. Sturm's lists of mislabelled excerpts are not here.
"""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

from tonotope.audio import identify
from tonotope.errors import DecodeError
from tonotope.training.clips import Clip
from tonotope.training.datasets.base import ClipList, DataSet, counted, files_in, folders_in, named

__all__ = ["GENRES", "Gtzan", "gtzan_index"]

GENRES = (
    "blues", "classical", "country", "disco", "hiphop",
    "jazz", "metal", "pop", "reggae", "rock",
)  # fmt: skip

# As the original archive, copies of it, and the one on Kaggle lay them out.
_FOLDERS = ("", "genres", "genres_original", "Data/genres_original", "Data", "gtzan")
_NAME = re.compile(rf"({'|'.join(GENRES)})\.[0-9]{{5}}")
# Nothing can decode the .wav that circulates; its place in the split shows that it was whole once.
_BROKEN_AS_WAV = frozenset({"jazz.00054"})


class Gtzan(DataSet):
    """GTZAN from audio; the split is the fault-filtered one."""

    name = "gtzan"
    title = "GTZAN"
    citation = (
        "G. Tzanetakis and P. Cook, Musical genre classification of audio signals, IEEE "
        "Transactions on Speech and Audio Processing 10(5), 2002"
    )
    licence = "none: excerpts of commercial recordings, for research only"
    url = "http://marsyas.info/downloads/datasets.html"
    layout = "<genre>/<genre>.00000.wav or .au, also below genres/ or Data/genres_original/"
    n_clips = 1000

    def clips(self, root: Path) -> ClipList:
        """Return the clips below a folder; see `DataSet.clips`."""
        problems: list[str] = []
        index = gtzan_index()
        found: dict[str, Path] = {}
        for name, path in named(self._files(self.absolute(root)), problems):
            if name not in index:
                problems.append(f"'{path}' is left out: GTZAN has no clip of this name")
            else:
                found[name] = path
        if not found:
            raise self.nothing_in(root)
        missing = [name for name in index if name not in found]
        problems += counted(missing, self.n_clips, "clips")
        for name in sorted(_BROKEN_AS_WAV & found.keys()):
            try:
                identify(found[name])
            except DecodeError as error:
                del found[name]
                problems.append(f"{name} is left out, it is known to be broken: {error.reason}")
        clips = (replace(index[name], path=str(path)) for name, path in sorted(found.items()))
        return ClipList(tuple(clips), tuple(problems))

    def _files(self, root: Path) -> list[Path]:
        """Return the audio files of the first layout that has clips, clips or not."""
        for folder in (root / name for name in _FOLDERS):
            if not folder.is_dir():
                continue
            files = [path for path in files_in(folder) if _NAME.fullmatch(path.stem)]
            for genre in folders_in(folder):
                if genre.name in GENRES:
                    files += files_in(genre)
            if any(_NAME.fullmatch(path.stem) for path in files):
                return files
        return []


@cache
def gtzan_index() -> dict[str, Clip]:
    """Return all 1000 clips by name, without paths."""
    text = (resources.files(__package__) / "gtzan_index.csv").read_text("utf-8")
    return {
        row["clip"]: Clip(
            name=row["clip"],
            genre=row["clip"].partition(".")[0],
            split=row["split"],
            artist=row["artist"],
            title=row["title"],
            recording=row["recording"],
            flags=tuple(filter(None, row["flags"].split("|"))),
        )
        for row in csv.DictReader(text.splitlines())
    }
