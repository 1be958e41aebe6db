"""Ballroom and Extended Ballroom: 30 s of dance music each, labelled by dance.

The replicas in Ballroom are those that B. L. Sturm found ("Ballroom dataset", 2014), as the
annotations of F. Krebs, S. Böck and G. Widmer (``CPJKU/BallroomAnnotations``) list them: four exact
ones and nine of the same recording. Those in Extended Ballroom are in its own XML file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from tonotope.errors import PathError
from tonotope.training.clips import Clip
from tonotope.training.datasets.base import (
    ClipList,
    DataSet,
    counted,
    files_in,
    folders_in,
    named,
    printable,
    replicas,
)

__all__ = ["Ballroom", "ExtendedBallroom"]

_EXACT_REPLICAS = (
    ("Albums-AnaBelen_Veneo-11", "Albums-Chrisanne2-12"),
    ("Albums-Fire-08", "Albums-Fire-09"),
    ("Albums-Latin_Jam2-05", "Albums-Latin_Jam2-13"),
    ("Albums-Secret_Garden-01", "Media-104705"),
)
_RECORDING_REPLICAS = (
    ("Albums-AnaBelen_Veneo-03", "Albums-AnaBelen_Veneo-15"),
    ("Albums-Ballroom_Magic-03", "Albums-Ballroom_Magic-18"),
    ("Albums-Latin_Jam-04", "Albums-Latin_Jam-13"),
    ("Albums-Latin_Jam-08", "Albums-Latin_Jam-14"),
    ("Albums-Latin_Jam-06", "Albums-Latin_Jam-15"),
    ("Albums-Latin_Jam2-02", "Albums-Latin_Jam2-14"),
    ("Albums-Latin_Jam2-07", "Albums-Latin_Jam2-15"),
    ("Albums-Latin_Jam3-02", "Media-103414"),
    ("Media-103402", "Media-103415"),
)
_LIST_FILE = "allBallroomFiles"
_DANCES = (
    "ChaChaCha", "Jive", "Quickstep", "Rumba", "Rumba-American", "Rumba-International",
    "Rumba-Misc", "Samba", "Tango", "VienneseWaltz", "Waltz",
)  # fmt: skip

_XML_FILES = ("extendedballroom_v1.1.xml", "extendedballroom_v1.xml")
# What its XML file calls the ways in which two tracks are one recording.
_SAME_RECORDING = ("exact", "time", "karaoke")
_EXTENDED_DANCES = frozenset(
    {
        "chacha", "foxtrot", "jive", "pasodoble", "quickstep", "rumba", "salsa", "samba",
        "slowwaltz", "tango", "viennesewaltz", "waltz", "wcswing",
    }
)  # fmt: skip


class Ballroom(DataSet):
    """Ballroom; the three kinds of rumba are one label, as they are in the literature."""

    name = "ballroom"
    title = "Ballroom"
    citation = (
        "F. Gouyon, A. Klapuri, S. Dixon, M. Alonso, G. Tzanetakis, C. Uhle and P. Cano, An "
        "experimental comparison of audio tempo induction algorithms, IEEE Transactions on Audio, "
        "Speech and Language Processing 14(5), 2006"
    )
    licence = "none: excerpts of commercial recordings, for research only"
    url = "http://mtg.upf.edu/ismir2004/contest/tempoContest/node5.html"
    layout = "BallroomData/<Dance>/<name>.wav, with or without BallroomData/allBallroomFiles"
    n_clips = 698

    def clips(self, root: Path) -> ClipList:
        """Return the clips below a folder; see `DataSet.clips`."""
        top = self.absolute(root)
        top = top / "BallroomData" if (top / "BallroomData").is_dir() else top
        problems: list[str] = []
        recordings, flags = replicas((*_EXACT_REPLICAS, *_RECORDING_REPLICAS))
        files = (path for f in folders_in(top) if f.name in _DANCES for path in files_in(f))
        clips = [
            Clip(
                name=printable(name),
                genre=path.parent.name.partition("-")[0],
                recording=recordings.get(name, ""),
                path=str(path),
                flags=(flags[name],) if name in flags else (),
            )
            for name, path in named(files, problems)
        ]
        if not clips:
            raise self.nothing_in(root)
        problems += self._missing(top, {clip.name for clip in clips})
        return ClipList(tuple(sorted(clips, key=lambda clip: clip.name)), tuple(problems))

    def _missing(self, top: Path, names: set[str]) -> list[str]:
        try:
            listed = (top / _LIST_FILE).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            lacking = self.n_clips - len(names)
            return [f"{lacking} of {self.n_clips} clips are missing"] if lacking > 0 else []
        expected = {Path(line).stem for line in listed if line.strip()}
        return counted(sorted(expected - names), len(expected), "clips")


class ExtendedBallroom(DataSet):
    """Extended Ballroom; artists, titles and replicas from its XML file."""

    name = "extended-ballroom"
    title = "Extended Ballroom"
    citation = (
        "U. Marchand and G. Peeters, The Extended Ballroom dataset, late-breaking session of "
        "ISMIR 2016"
    )
    licence = "none: excerpts of commercial recordings, for research only"
    url = "http://anasynth.ircam.fr/home/media/ExtendedBallroom"
    layout = "<Dance>/<id>.mp3 and extendedballroom_v1.1.xml beside the folders of the dances"
    n_clips = 4180

    def clips(self, root: Path) -> ClipList:
        """Return the clips below a folder; see `DataSet.clips`."""
        top = self.absolute(root)
        problems: list[str] = []
        files = [
            path
            for folder in folders_in(top)
            if folder.name.lower() in _EXTENDED_DANCES
            for path in files_in(folder)
        ]
        if not files:
            raise self.nothing_in(root)
        songs = self._songs(top, problems)
        recordings = _recordings(songs)
        clips = []
        for name, path in named(files, problems):
            song = songs.get(name, {})
            clips.append(
                Clip(
                    name=printable(name),
                    genre=path.parent.name,
                    artist=song.get("artist", ""),
                    title=song.get("title", ""),
                    recording=recordings.get(name, ""),
                    path=str(path),
                    flags=tuple(_flags(song)),
                )
            )
        names = {clip.name for clip in clips}
        problems += counted([n for n in songs if n not in names], len(songs), "clips")
        return ClipList(tuple(sorted(clips, key=lambda clip: clip.name)), tuple(problems))

    def _songs(self, top: Path, problems: list[str]) -> dict[str, dict[str, str]]:
        """Return what the XML file says of each song, by its id."""
        xml = next((path for name in _XML_FILES if (path := top / name).is_file()), None)
        if xml is None:
            problems.append(
                f"there is no '{top / _XML_FILES[0]}': artists, titles and replicas are unknown"
            )
            return {}
        try:
            dances = ElementTree.parse(xml).getroot()
        except (OSError, ElementTree.ParseError) as error:
            raise PathError(f"cannot read '{xml}': {error}. Unpack {self.title} again.") from error
        songs = {}
        for song in (song for dance in dances for song in dance):
            if key := song.get("id"):
                # Its description leaves open which of them are attributes and which elements.
                told = {part.tag: part.get("id") or part.text or "" for part in song}
                known = {**told, **song.attrib}.items()
                songs[key] = {name: " ".join(value.split()) for name, value in known}
        return songs


def _flags(song: dict[str, str]) -> Iterator[str]:
    for kind in _SAME_RECORDING:
        if song.get(kind):
            yield f"repeats {song[kind]} ({kind})"
    if song.get("version"):
        yield f"another version of {song['version']}"


def _recordings(songs: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return the first song of each recording that several songs are made of."""
    first: dict[str, str] = {}

    def top_of(name: str) -> str:
        while first.get(name, name) != name:
            name = first[name]
        return name

    for name, song in songs.items():
        for other in (song[kind] for kind in _SAME_RECORDING if song.get(kind)):
            one, two = sorted((top_of(name), top_of(other)))
            first[one] = first[two] = one
    return {name: top_of(name) for name in first}
