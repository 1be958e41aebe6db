"""Which files are looked at, and which of FFmpeg's demuxers may read them.

A suffix only says which files a scan picks up. How a file is read follows from its content alone,
and only by a demuxer listed here: playlists (HLS, concat, SDP) would open other files or the
network, raw formats accept any bytes, and pictures and subtitles hold no sound.
"""

from __future__ import annotations

__all__ = ["AUDIO_SUFFIXES", "DEMUXERS"]

AUDIO_SUFFIXES = frozenset(
    {
        # MPEG audio, AAC and MP4
        ".mp3", ".mp2", ".mp1", ".mpga", ".aac", ".m4a", ".m4b", ".m4r", ".mp4", ".m4v", ".mov",
        ".3gp",
        # Ogg and Matroska
        ".ogg", ".oga", ".ogv", ".opus", ".spx", ".webm", ".weba", ".mka", ".mkv",
        # uncompressed
        ".wav", ".wave", ".bwf", ".w64", ".rf64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf",
        ".dsf", ".dff",
        # lossless
        ".flac", ".ape", ".wv", ".tta", ".tak", ".shn",
        # others that are met in collections
        ".wma", ".asf", ".wmv", ".mpc", ".mp+", ".mpp", ".ac3", ".eac3", ".dts", ".amr", ".avi",
        ".flv", ".mpg", ".mpeg", ".m2ts", ".ra", ".rm", ".oma",
    }
)  # fmt: skip
"""Suffixes, in lower case and with the dot, of the files that a scan picks up."""

DEMUXERS = (
    "aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf", "dts", "dtshd", "eac3",
    "flac", "flv", "iff", "loas", "matroska", "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "ogg",
    "oma", "rm", "shn", "tak", "truehd", "tta", "w64", "wav", "wv", "xwma",
)  # fmt: skip
"""FFmpeg's names of the demuxers that may read a file."""
