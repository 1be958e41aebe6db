"""Files of frames: what is in them, and what is kept when a run is repeated."""

from __future__ import annotations

import errno
import json
import os
import signal
from io import FileIO
from pathlib import Path

import numpy as np
import pytest

from support.libraries import write
from support.tables import (
    N_FILES,
    Start,
    counts,
    heard,
    wait_until,
)
from tonotope.audio import identify
from tonotope.errors import InputError, PathError
from tonotope.extraction import extract_frames
from tonotope.features import DESCRIPTORS


def test_frames_are_what_analyze_gives(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    summary = extract_frames([music], out)
    assert counts(summary) == (6, 6, 0, 2, 0)
    description = json.loads((out / "frames.json").read_text("utf-8"))
    usual = [name for name, descriptor in DESCRIPTORS.items() if not descriptor.on_request]
    assert list(description["descriptors"]) == usual
    assert description["descriptors"]["spectral_centroid"] == {
        "family": "timbre", "per_frame": 1, "unit": "Hz"
    }  # fmt: skip
    # song.mp3 and song.flac are two tracks.
    path = music / "B" / "one.flac"
    assert {p.name for p in (out / "B").iterdir()} == {
        "copy of a.wav.npz", "one.flac.npz", "one.mp3.npz"
    }  # fmt: skip
    expected = heard(path)
    with np.load(out / "B" / "one.flac.npz", allow_pickle=False) as held:
        assert set(usual) <= set(held)
        for name in usual:
            if DESCRIPTORS[name].n_columns:
                np.testing.assert_allclose(held[name], expected[name], rtol=1e-4, atol=1e-5)
                assert held[name].dtype == np.float32
        np.testing.assert_array_equal(held["times_s"], expected.times_s)
        np.testing.assert_allclose(held["onset_times"], expected["onset_times"])
        assert held["tuning"] == pytest.approx(expected["tuning"])
        tempo, key = json.loads(str(held["tempo"])), json.loads(str(held["key"]))
        assert tempo["bpm"] == pytest.approx(expected["tempo"].bpm)
        assert tempo["alternatives"][0]["bpm"] == pytest.approx(
            expected["tempo"].alternatives[0].bpm
        )
        assert key["camelot"] == expected["key"].camelot
        assert held["audio_id"] == identify(path).audio_id
        assert held["path"] == str(path)
        assert held["duration_s"] == 5.0
    with np.load(out / "silence.flac.npz", allow_pickle=False) as held:
        assert json.loads(str(held["key"])) is None


def test_named_frames_are_kept_and_others_refused(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    wanted = ["zero_crossing_rate", "cqt"]
    assert counts(extract_frames([music / "B"], out, wanted)) == (3, 3, 0, 1, 0)
    assert {path.name for path in out.iterdir()} == {
        "frames.json", "one.mp3.npz", "one.flac.npz", "copy of a.wav.npz"
    }  # fmt: skip
    one, before = out / "one.flac.npz", (out / "one.mp3.npz").stat().st_ino
    with np.load(one) as held:
        arrays = dict(held)
    assert {"zero_crossing_rate", "cqt"} <= set(arrays)
    assert "mfcc" not in arrays
    arrays["version"] = np.array("timbre=1 harmony=1")
    np.savez(one, **arrays)
    os.link(one, tmp_path / "as it was.npz")
    altered = one.read_bytes()
    copy = out / "copy of a.wav.npz"
    damaged = bytearray(copy.read_bytes())
    damaged[damaged.index(b"PK\x01\x02") + 6] = 0xFF  # a zip file of the far future
    copy.write_bytes(damaged)
    (out / ".123.part").write_bytes(b"left by a worker that was killed")
    assert counts(extract_frames([music / "B"], out, wanted)) == (3, 2, 1, 1, 0)
    assert (out / "one.mp3.npz").stat().st_ino == before
    with np.load(one) as held:
        assert str(held["version"]) != "timbre=1 harmony=1"
    assert (tmp_path / "as it was.npz").read_bytes() == altered
    with pytest.raises(PathError, match="holds frames of another set"):
        extract_frames([music / "B"], out, ["zero_crossing_rate"])
    assert not list(out.glob(".*"))


def test_frames_of_several_folders_mirror_what_these_share(music: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other" / "a.wav", seed=30)
    extract_frames([music / "B" / "one.mp3", other, other.parent], tmp_path / "f", ["rms"])
    shared = Path(os.path.commonpath([music / "B", other.parent]))
    assert {p.relative_to(tmp_path / "f") for p in (tmp_path / "f").rglob("*.npz")} == {
        (music / "B" / "one.mp3.npz").relative_to(shared),
        (other.parent / "a.wav.npz").relative_to(shared),
    }


def test_a_folder_with_other_things_is_left_alone(music: Path, tmp_path: Path) -> None:
    with pytest.raises(PathError, match="holds other things than frames"):
        extract_frames([music], music)
    (tmp_path / "frames.json").write_text('{"of": "somebody else"}')
    with pytest.raises(PathError, match=r"holds a frames\.json that describes no frames"):
        extract_frames([music], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["frames.json"]
    with pytest.raises(PathError, match="is a file"):
        extract_frames([music], tmp_path / "frames.json")
    with pytest.raises(InputError, match="is the name of a table"):
        extract_frames([music], tmp_path / "t.csv")


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b'{"root": 1, "descriptors": []}', b'{"descriptors": ["rms"]}']
)
def test_a_description_of_somebody_else_is_left_alone(
    music: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "frames.json").write_bytes(content)
    (tmp_path / "picture.png").touch()
    with pytest.raises(PathError, match=r"holds (other things than|a frames\.json)"):
        extract_frames([music], tmp_path, ["rms"])
    assert (tmp_path / "frames.json").read_bytes() == content


def test_a_description_that_is_no_ordinary_file_is_left_alone(music: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "frames.json")
    with pytest.raises(PathError, match=r"frames\.json': it is no ordinary file"):
        extract_frames([music], tmp_path, ["rms"])
    assert (tmp_path / "frames.json").is_fifo()


def test_a_folder_of_frames_mirrors_one_folder_of_music(tmp_path: Path) -> None:
    folder, out = tmp_path / os.fsdecode(b"music \xe9"), tmp_path / "frames"
    for k, name in enumerate(("A/1/x.wav", "A/2/x.wav", "B/x.wav")):
        write(tmp_path / "music" / name, seed=k)
    (tmp_path / "music").rename(folder)

    def written() -> set[str]:
        return {str(path.relative_to(out)) for path in out.rglob("*.npz")}

    assert extract_frames([folder / "A"], out, ["rms"], jobs=1).computed == 2
    assert written() == {"1/x.wav.npz", "2/x.wav.npz"}
    root = json.loads((out / "frames.json").read_bytes())["root"]
    assert root == str(folder / "A")
    # Less of it, and from another folder, by the same names.
    assert counts(extract_frames([folder / "A" / "2"], out, ["rms"])) == (1, 0, 1, 0, 0)
    (folder / "A" / "1" / "x.wav").rename(folder / "A" / "1" / "y.wav")
    assert counts(extract_frames([folder / "A" / "1"], out, ["rms"])) == (1, 1, 0, 0, 0)
    assert written() == {"1/x.wav.npz", "2/x.wav.npz", "1/y.wav.npz"}
    before = {path: path.read_bytes() for path in out.rglob("*.*")}
    for outside in (folder / "B", folder / "B" / "x.wav", folder):
        with pytest.raises(PathError, match=r"does not lie in .*/A'.* Name another --out"):
            extract_frames([folder / "A", outside], out, ["rms"])
    assert {path: path.read_bytes() for path in out.rglob("*.*")} == before


def test_a_folder_without_frames_mirrors_nothing_yet(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    (tmp_path / "no music").mkdir()
    with pytest.raises(PathError, match="no audio file"):
        extract_frames([tmp_path / "no music"], out, ["rms"])
    assert not out.exists()
    out.mkdir()
    assert extract_frames([music / "words.mp3"], out, ["rms"]).failed == 1
    assert list(out.iterdir()) == []
    assert extract_frames([music / "a.wav"], out, ["rms"]).computed == 1


def test_a_description_that_is_written_in_parts(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(FileIO):
        n_bytes_left = 10_000

        def write(self, content) -> int:
            if self.n_bytes_left < 100:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.n_bytes_left -= 100
            return super().write(content[:100])

    monkeypatch.setattr("tonotope.files.FileIO", Slow)
    assert extract_frames([music / "a.wav"], tmp_path / "whole", ["rms"]).computed == 1
    description = (tmp_path / "whole" / "frames.json").read_bytes()
    assert list(json.loads(description)["descriptors"]) == ["rms"]
    monkeypatch.setattr(Slow, "n_bytes_left", 250)
    with pytest.raises(PathError, match=r"cannot write '.*/full': No space left on device"):
        extract_frames([music / "a.wav"], tmp_path / "full", ["rms"])
    monkeypatch.undo()
    assert extract_frames([music / "a.wav"], tmp_path / "full", ["rms"]).computed == 1


def test_what_is_in_the_way_of_one_file_of_frames_costs_it_alone(tmp_path: Path) -> None:
    folder, out = tmp_path / "music", tmp_path / "frames"
    long = f"{'n' * 248}.wav"
    for seed, name in enumerate(("x.wav", "x.wav.npz/in.wav", "a.wav", "b.wav", long)):
        write(folder / name, seed=seed)
    extract_frames([folder / "x.wav.npz", folder / "a.wav"], out, ["rms"], jobs=1)
    os.mkfifo(out / "b.wav.npz")
    summary = extract_frames([folder], out, ["rms"], jobs=1)
    assert counts(summary) == (2, 0, 2, 3, 0)
    in_the_way = "there is a folder, or no ordinary file, of that name"
    assert [(Path(failed.path).name, failed.reason) for failed in summary.failures] == [
        ("b.wav", f"cannot write '{out}/b.wav.npz': {in_the_way}"),
        (long, f"cannot write '{out}/{long}.npz': File name too long"),
        ("x.wav", f"cannot write '{out}/x.wav.npz': {in_the_way}"),
    ]


def test_a_file_of_frames_is_whole_or_absent(start: Start, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    process = start(many, "--out", out, "--frames", "--set", "cqt,log_mel", "--jobs", "2")
    wait_until(lambda: len(list(out.glob("*.npz"))) >= 3)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    n_written = len(list(out.glob("*.npz")))
    for path in out.glob("*.npz"):
        with np.load(path) as held:
            assert len(held["cqt"]) == len(held["log_mel"]) == len(held["times_s"])
    # A worker may have finished the one it was at.
    summary = extract_frames([many], out, ["cqt", "log_mel"])
    assert n_written <= summary.kept <= n_written + 2
    assert summary.tracks == N_FILES
    assert {path.suffix for path in out.iterdir()} == {".json", ".npz"}
