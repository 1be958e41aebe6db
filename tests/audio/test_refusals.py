"""Files that give no sound: each is refused with a reason and a next step, and nothing hangs."""

from __future__ import annotations

import os
import pickle
import socket
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tonotope.audio import Tags, decode, identify, read_tags
from tonotope.errors import DecodeError

NOBODY = 65534


def assert_refused(path, reason: str) -> None:
    """Check that decoding and identifying fail for a reason, and that tags are read as none."""
    with pytest.raises(DecodeError, match=reason) as caught, decode(path) as stream:
        for _ in stream:
            pass
    error = caught.value
    assert error.path == os.fspath(path)
    assert error.next_step.endswith(".")
    assert "\n" not in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert read_tags(path) == Tags()


def assert_not_identified(path, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        identify(path)


def test_absent(tmp_path):
    assert_refused(tmp_path / "absent.mp3", "no such file")
    assert_not_identified(tmp_path / "absent.mp3", "no such file")


def test_empty(tmp_path):
    path = tmp_path / "empty.mp3"
    path.touch()
    assert_refused(path, "the file is empty")
    assert_not_identified(path, "the file is empty")


def test_folder(tmp_path):
    assert_refused(tmp_path, "it is a folder")


def test_fifo_does_not_block(tmp_path):
    path = tmp_path / "pipe.mp3"
    os.mkfifo(path)
    assert_refused(path, "it is a named pipe")
    assert_not_identified(path, "it is a named pipe")


def test_socket(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the address of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.mp3")
        assert_refused("socket.mp3", "it is a socket")


def test_device():
    assert_refused("/dev/zero", "it is a device")


def test_symlink_loop(tmp_path):
    (tmp_path / "a.mp3").symlink_to(tmp_path / "b.mp3")
    (tmp_path / "b.mp3").symlink_to(tmp_path / "a.mp3")
    assert_refused(tmp_path / "a.mp3", "symbolic links")


def test_impossible_names(tmp_path):
    assert_refused(tmp_path / ("x" * 5000), "too long")
    assert_refused("nul\0.mp3", "null")


def test_no_permission(copy_of):
    path = copy_of("a.mp3")
    path.chmod(0)
    if os.geteuid() != 0:
        assert_refused(path, "no permission")
        return
    # The superuser may read everything, so that the test has to be somebody else.
    for folder in (path.parent, *path.parent.parents):
        if folder.stat().st_uid == 0 and len(folder.parts) > 2:
            folder.chmod(folder.stat().st_mode | 0o055)
    os.seteuid(NOBODY)
    try:
        assert_refused(path, "no permission")
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "This is no music.\n" * 2000,
        "<html><body>404 not found</body></html>",
        '{"error": "not found"}' * 500,
    ],
)
def test_text_named_mp3(tmp_path, text):
    path = tmp_path / "text.mp3"
    path.write_text(text)
    assert_refused(path, "not an audio file")
    assert_not_identified(path, "not an audio file")


@pytest.mark.parametrize("seed", range(8))
def test_random_bytes_named_mp3(tmp_path, seed):
    path = tmp_path / "noise.mp3"
    path.write_bytes(np.random.default_rng(seed).bytes(10 ** (3 + seed % 4)))
    assert_refused(path, "not an audio file|no decodable")


def test_what_only_looks_like_frames_is_no_sound(tmp_path, sound, encode):
    # As FFmpeg sees many a program: MPEG start codes among noise, and by chance a valid frame.
    rng = np.random.default_rng(1)
    path = encode(tmp_path / "x.mpg", sound(0.1, 44100, 2), 44100, "mp2")
    noise = [b"\0\0\x01\xc0\0\xcb\x80\0\0\xff\xfd" + rng.bytes(198) for _ in range(400)]
    path.write_bytes(path.read_bytes() + b"".join(noise))
    assert_refused(path, "no decodable mp2 sound")


@pytest.mark.parametrize("suffix", [".mp3", ".m3u8", ".ffconcat", ".sdp"])
@pytest.mark.parametrize("playlist", ["hls", "concat", "sdp", "dash"])
def test_playlists_open_nothing_else(sample_file, tmp_path, suffix, playlist):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        port = server.getsockname()[1]
        target = sample_file("a.mp3")
        text = {
            "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n"
            f"#EXTINF:10,\n{target}\n#EXTINF:10,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
            "concat": f"ffconcat version 1.0\nfile '{target}'\n",
            "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
            f"m=audio {port} RTP/AVP 0\n",
            "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period>'
            f"<AdaptationSet><BaseURL>http://127.0.0.1:{port}/</BaseURL></AdaptationSet>"
            "</Period></MPD>",
        }[playlist]
        path = tmp_path / f"list{suffix}"
        path.write_text(text)
        assert_refused(path, "not an audio file")
        with pytest.raises(TimeoutError):
            server.accept()


def test_picture_is_not_even_opened(tmp_path):
    # Only demuxers that can hold sound are allowed: no picture decoder meets the file.
    gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"
    path = tmp_path / "picture.mp3"
    path.write_bytes(gif)
    assert_refused(path, "not an audio file")


def test_cover_without_sound(tmp_path):
    import av

    path = tmp_path / "cover.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuvj420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    assert_refused(path, r"no audio stream \(found: mjpeg")
    assert_not_identified(path, r"no audio stream \(found: mjpeg")


def test_tags_without_sound(tmp_path):
    path = tmp_path / "tags.mp3"
    path.write_bytes(b"ID3\x04\0\0\0\0\x01\0" + bytes(128) + b"TAG" + bytes(124) + b"\xff")
    assert_refused(path, "nothing but tags")


def test_no_samples(tmp_path):
    path = tmp_path / "nothing.wav"
    soundfile.write(path, np.empty((0, 2), np.int16), 44100)
    assert_refused(path, "no decodable pcm_s16le sound")
    assert_not_identified(path, "the audio stream is empty")


def test_impossible_sample_rate(tmp_path):
    # One hertz: a kilobyte would become hours.
    samples = np.zeros(5000, np.int16)
    path = tmp_path / "slow.wav"
    soundfile.write(path, samples, 8000)
    data = bytearray(path.read_bytes())
    assert struct.unpack_from("<I", data, 24) == (8000,)
    struct.pack_into("<I", data, 24, 1)
    path.write_bytes(data)
    assert_refused(path, "no decodable pcm_s16le sound")


def test_path_as_text_and_as_path(sample_file):
    path = sample_file("a.wav")
    assert identify(str(path)) == identify(Path(path))
