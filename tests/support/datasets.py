"""Small trees of files, laid out as the publishers of data sets do."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from support.libraries import write
from tonotope.features.tables import table_columns


def touch(path: Path) -> Path:
    """Make a file whose content does not matter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"sound")
    return path


def gtzan(root: Path) -> Path:
    for name in ("blues.00029", "jazz.00053", "jazz.00054", "blues.00000"):
        touch(root / "genres" / name.partition(".")[0] / f"{name}.wav")
    touch(root / "genres" / "rock.00016.wav")  # one that nobody put into its folder
    return root


def ballroom(root: Path) -> Path:
    top = root / "BallroomData"
    touch(top / "Samba" / "Albums-Fire-09.wav")
    touch(top / "ChaChaCha" / "Albums-Fire-08.wav")
    touch(top / "Rumba-International" / "Media-103601.wav")
    touch(top / "Rumba-Misc" / "Media-103913.wav")
    return root


EXTENDED_XML = """<extendedballroom>
  <Chacha>
    <song id="100701" album="One" artist=" A  Band " title="First" bpm="120" hash="0"/>
    <song id="100702" artist="A Band" title="First" exact="100701"/>
    <song id="100703" artist="Others" title="Second"><karaoke>100702</karaoke></song>
    <song id="100704" artist="Others" title="Third"/>
  </Chacha>
  <Wcswing><song id="100801" artist="Others" title="First" version="100701"/></Wcswing>
</extendedballroom>
"""


def extended_ballroom(root: Path) -> Path:
    for track in ("Chacha/100703", "Chacha/100701", "Chacha/100702", "Wcswing/100801"):
        touch(root / f"{track}.mp3")
    (root / "extendedballroom_v1.1.xml").write_text(EXTENDED_XML)
    return root


def folders(root: Path) -> Path:
    write(root / "tones" / "b.flac", 1, 0.1, artist="Tone Band", title="Hum")
    write(root / "tones" / "deeper" / "a.ogg", 2, 0.1)
    write(root / "noise" / "b.wav", 3, 0.1)
    return root


GENRES = """genre_id,#tracks,parent,title,top_level
12,32923,0,Rock,12
21,8389,0,Hip-Hop,21
25,9261,12,Punk,12
"""

# (track, split, subset, genre_top, genres_all, title, artist id, artist): ids out of order, a
# line break, quotes, and one name of two artists.
FMA_TRACKS = (
    (134, "test", "large", "", "[12, 21]", "Between", "3", "AWOL"),
    (2, "training", "small", "Hip-Hop", "[21]", 'Food, "raw"\nagain', "1", "AWOL"),
    (5, "validation", "small", "Rock", "[12, 25]", "Punk'd", "2", "The Ones"),
    (98565, "training", "small", "Rock", "[12]", "Short", "4", "Two"),
    (99134, "test", "small", "Rock", "[12]", "Silent", "4", "Two"),
    (140, "training", "medium", "Rock", "[25, 12]", "Medium", "5", "Solo"),
    (141, "training", "small", "Rock", "[12]", "Absent", "5", "Solo"),
)
_TRACK_COLUMNS = (
    ("album", "information"),
    ("artist", "bio"),
    ("artist", "id"),
    ("artist", "name"),
    ("set", "split"),
    ("set", "subset"),
    ("track", "genre_top"),
    ("track", "genres_all"),
    ("track", "title"),
)


def fma(root: Path, size: str) -> Path:
    metadata = root / "fma_metadata"
    metadata.mkdir(parents=True)
    (metadata / "genres.csv").write_text(GENRES, "utf-8-sig")
    with (metadata / "tracks.csv").open("w", newline="", encoding="utf-8-sig") as file:
        rows = csv.writer(file)
        rows.writerows(["", *level] for level in zip(*_TRACK_COLUMNS, strict=True))
        rows.writerow(["track_id", *[""] * len(_TRACK_COLUMNS)])
        for track, split, subset, genre, genres, title, artist_id, artist in FMA_TRACKS:
            told = (artist_id, artist, split, subset, genre, genres, title)
            rows.writerow([track, "An\nalbum", "x" * 200_000, *told])
    for track, *_ in FMA_TRACKS:
        if track != 141:
            touch(root / f"fma_{size}" / f"{track:06d}"[:3] / f"{track:06d}.mp3")
    return root


def fma_features(root: Path, tracks: Iterable[int], columns: list[str] | None = None) -> None:
    """Write the table of features: a column's number, plus a track's id."""
    names = list(table_columns("fma518")) if columns is None else columns
    parts = [(*name.rsplit("_", 2),) for name in names]
    with (root / "fma_metadata" / "features.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        for k, level in enumerate(("feature", "statistics", "number")):
            rows.writerow([level, *(part[k] for part in parts)])
        rows.writerow(["track_id", *[""] * len(names)])
        for track in tracks:
            rows.writerow([track, *(track + k / 2 for k in range(len(names)))])
