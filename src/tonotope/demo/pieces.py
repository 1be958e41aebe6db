"""What is in the demonstration library: six split records of two artists and two styles each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from tonotope.demo.styles import PIECES_PER_STYLE, STYLES

__all__ = ["FORMATS", "Format", "Piece", "pieces"]


@dataclass(frozen=True)
class Format:
    """How a piece is written.

    Attributes
    ----------
    suffix
        Extension of the file, with its dot.
    container, codec
        FFmpeg's names.
    rate_hz
        Sampling rate; Opus knows no 44 100 Hz.
    bit_rate
        Bits per second; 0 where the codec is lossless or aims at a quality instead.
    options
        FFmpeg's options of the encoder.
    """

    suffix: str
    container: str
    codec: str
    rate_hz: int = 44_100
    bit_rate: int = 0
    options: Mapping[str, str] = field(default_factory=dict)


FORMATS = (
    # For MP3 and AAC a search is chosen that takes half the time at the same bit rate.
    Format(".mp3", "mp3", "libmp3lame", bit_rate=192_000, options={"compression_level": "7"}),
    Format(".flac", "flac", "flac"),
    # PyAV's wheels carry FFmpeg's own Vorbis encoder, which wants to be asked for explicitly.
    Format(".ogg", "ogg", "vorbis", options={"strict": "experimental"}),
    Format(".opus", "opus", "libopus", rate_hz=48_000, bit_rate=128_000),
    Format(".m4a", "ipod", "aac", bit_rate=256_000, options={"aac_coder": "fast"}),
    Format(".wav", "wav", "pcm_s16le"),
)


@dataclass(frozen=True)
class Piece:
    """One piece: what its tags say, and how it is made.

    Attributes
    ----------
    style
        Index into `STYLES`.
    take
        Which of the style's four pieces it is, 0 to 3.
    """

    style: int
    take: int
    title: str
    artist: str
    album_artist: str
    album: str
    track: int
    year: int

    @property
    def format(self) -> Format:
        """How it is written: each style in four formats, each format in four styles."""
        return FORMATS[(self.style + self.take) % len(FORMATS)]

    @property
    def path(self) -> PurePath:
        """Where it lies: ``Album artist/Album/NN Title.ext``."""
        name = f"{self.track:02} {self.title}{self.format.suffix}"
        return PurePath(self.album_artist, self.album, name)

    @property
    def tags(self) -> dict[str, str]:
        """The tags, by FFmpeg's names for them."""
        return {
            "title": self.title,
            "artist": self.artist,
            "album_artist": self.album_artist,
            "album": self.album,
            "track": str(self.track),
            "date": str(self.year),
            "genre": STYLES[self.style].genre,
        }


# (album, year, ((genre, artist, titles) of the host, the same of the guest)).
_RECORDS = (
    (
        "Night Ferry Timetable",
        2019,
        ("House", "Télésiège", ("Quarter to Neon", "Café Voltage")),
        ("Ambient", "Harbour at Four", ("Fog over the Reservoir", "Tidal Arithmetic")),
    ),
    (
        "Slow Weather",
        2022,
        ("Ambient", "Mossy Parallel", ("A Lamp Left On", "Åland, Before Snow")),
        ("House", "Disko Åsa", ("Escalator Down", "She's on the Guest List")),
    ),
    (
        "Tea for the Upstairs Neighbours",
        2011,
        ("Waltz", "The Quince Street Trio", ("Marguerite's Umbrella", "Three Chairs, One Window")),
        ("Swing", "Bernadette Oyelaran", ("Blue Bicycle Bounce", "Nobody's Raincoat")),
    ),
    (
        "Don't Wake the Parrot",
        1998,
        ("Swing", "Half Past Brass", ("Don't Tell the Drummer", "Ten Past Tuesday")),
        ("Waltz", "Los Relojeros", ("Vals del relojero", "La pluie à Bruges")),
    ),
    (
        "Level Nine Lullabies",
        2016,
        ("Chiptune", "Cartridge Club", ("Coin Drop Carnival", "Boss in the Kitchen")),
        ("Metal", "Anvil Aunt", ("Furnace Etiquette", "Thunder in the Laundry")),
    ),
    (
        "Rust Never Waltzes",
        2007,
        ("Metal", "Göran Grindstone", ("Gearbox Requiem", "Teeth of the Turnstile")),
        ("Chiptune", "Pixel Pâtissière", ("Pixel Señorita", "Extra Life, Extra Cheese")),
    ),
)


def pieces() -> list[Piece]:
    """Return the 24 pieces, record by record."""
    genres = [style.genre for style in STYLES]
    takes = dict.fromkeys(genres, 0)
    listed = []
    for album, year, host, guest in _RECORDS:
        track = 0
        for genre, artist, titles in (host, guest):
            for title in titles:
                track += 1
                style = genres.index(genre)
                listed.append(
                    Piece(style, takes[genre], title, artist, host[1], album, track, year)
                )
                takes[genre] += 1
    assert set(takes.values()) == {PIECES_PER_STYLE}
    return listed
