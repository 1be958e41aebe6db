"""A file encoded anew, as people's libraries come by their copies."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import soundfile

ENCODINGS = {
    "mp3 128": (".mp3", "libmp3lame", 44100, 128_000),
    "opus 48": (".opus", "libopus", 48000, 48_000),
    "flac": (".flac", "flac", 44100, None),
}


def encode(source: Path, target: Path, codec: str, rate_hz: int, bit_rate: int | None) -> Path:
    """Decode a file and encode it with as many channels."""
    with av.open(str(source)) as original, av.open(str(target), "w") as copy:
        # FFmpeg makes mono 3 dB quieter where it makes stereo of it.
        layout = original.streams.audio[0].layout.name
        stream = copy.add_stream(codec, rate=rate_hz, layout=layout)
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        resampler = av.AudioResampler(
            stream.codec_context.format.name, layout, rate_hz, stream.codec_context.frame_size
        )
        for frame in [*original.decode(audio=0), None]:
            for resampled in resampler.resample(frame):
                resampled.pts = None
                copy.mux(stream.encode(resampled))
        copy.mux(stream.encode(None))
    return target


def write_sound(path: Path, signal: np.ndarray, rate_hz: int = 22050) -> Path:
    """Write samples as the format that a name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, signal, rate_hz)
    return path
