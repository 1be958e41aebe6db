"""Real files from many encoders, none of them damaged."""

from __future__ import annotations

import pytest

from tonotope.audio import AUDIO_SUFFIXES, decode, identify, read_tags

pytestmark = pytest.mark.data


def music_files(*folders):
    return [
        path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in AUDIO_SUFFIXES
    ]


def test_no_valid_file_is_refused_or_called_damaged(music_dir, data_dir):
    paths = music_files(music_dir, data_dir / "fma")
    assert len(paths) == 48
    ids = set()
    for path in paths:
        with decode(path) as stream:
            heard = sum(map(len, stream))
        info = stream.info
        assert not info.damage, (path, info.damage.describe())
        assert heard == pytest.approx(info.duration_s * 22050, abs=1)
        assert not info.silence.is_silent
        identity = identify(path)
        assert identity.audio_id == info.audio_id
        assert identity.duration_s == pytest.approx(info.duration_s, abs=0.1)
        ids.add(info.audio_id)
    assert len(ids) == len(paths)


def test_tags_of_real_files(music_dir):
    tags = [read_tags(path) for path in music_files(music_dir)]
    assert len(tags) == 43
    assert sum(t.title is not None for t in tags) >= 15
    assert sum(t.artist is not None for t in tags) >= 15
