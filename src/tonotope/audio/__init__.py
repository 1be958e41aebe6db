"""From a path to samples: decoding, the identity of a recording, and tags.

:func:`decode` gives the sound of any common audio file as mono float32 blocks, at
:data:`SAMPLE_RATE_HZ` unless another rate is asked for, and at the end what the file was.
:func:`identify` gives the recording's identity without decoding it; :func:`read_tags` what people
wrote into the file.
"""

from __future__ import annotations

from tonotope.audio._decode import AudioStream, decode
from tonotope.audio._formats import AUDIO_SUFFIXES
from tonotope.audio._identity import AudioIdentity, identify
from tonotope.audio._info import AudioInfo, Damage, Silence
from tonotope.audio._resample import SAMPLE_RATE_HZ
from tonotope.audio._tags import Tags, read_tags

__all__ = [
    "AUDIO_SUFFIXES",
    "SAMPLE_RATE_HZ",
    "AudioIdentity",
    "AudioInfo",
    "AudioStream",
    "Damage",
    "Silence",
    "Tags",
    "decode",
    "identify",
    "read_tags",
]
