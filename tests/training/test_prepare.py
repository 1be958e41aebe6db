"""Spectrogram caches: what is in them, what is kept, and that nothing but files is lost."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import signal
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess, Popen

import numpy as np
import pytest
import soundfile

from support.libraries import retag, sound, write
from support.processes import starting
from tonotope.audio import decode, identify
from tonotope.errors import InputError, PathError
from tonotope.features.mel import mel_power
from tonotope.features.stft import stft_power
from tonotope.files import write_all
from tonotope.library.workers import Outcome, WorkerPool
from tonotope.models.frontend import N_COLUMNS, WINDOW_FRAMES, gtzan_mel
from tonotope.models.representations import GtzanMel
from tonotope.models.windows import front_end
from tonotope.session import Library
from tonotope.training import prepare as prepare_module
from tonotope.training.cache import decibels, read_cache
from tonotope.training.clip_rows import rows_of, spectrogram_row, window_starts
from tonotope.training.prepare import PrepareSummary, prepare

Run = Callable[..., CompletedProcess[str]]
Start = Callable[..., Popen[str]]

RATE_HZ = 22050


def expected(path: Path, first: int = 0, n_frames: int | None = None) -> np.ndarray:
    """Return the row of some frames, computed in the plain way."""
    with decode(path) as blocks:
        samples = np.concatenate(list(blocks))
    frames = mel_power(stft_power(samples))
    if len(frames) >= 1288:
        log_mel = gtzan_mel(frames[first : None if n_frames is None else first + n_frames])
    else:
        places = (np.arange(N_COLUMNS) + 2) * 1293 / 334.8
        once = np.floor(places[places <= len(frames) - 1]).astype(int)
        shown = frames[np.resize(once, N_COLUMNS)] / frames.max()
        log_mel = 20 * np.log10(np.maximum(shown, 1e-4))
    return np.round((log_mel.T + 80) / 80 * 255).astype(np.uint8)


def assert_same_row(row: np.ndarray, wanted: np.ndarray) -> None:
    """Compare rows; sums in other portions may, on some processors, round to the other side."""
    difference = np.abs(row.astype(int) - wanted.astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-4


def counts(summary: PrepareSummary) -> tuple[int, int, int, int, int]:
    return summary.clips, summary.rows, summary.computed, summary.kept, summary.failed


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("what was waited for did not happen")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Return two genres, four clips and one long track, and two files that give nothing."""
    root = tmp_path / "music"
    write(root / "jazz" / "a.flac", seed=1, artist="Nina", title="One")
    write(root / "jazz" / "b.mp3", seed=2)
    write(root / "rock" / "c.flac", seed=3, seconds=31)
    soundfile.write(root / "rock" / "d.wav", sound(4, 100), RATE_HZ)
    (root / "rock" / "e.mp3").write_text("no music " * 1000)
    soundfile.write(root / "rock" / "f.wav", np.zeros(3 * RATE_HZ), RATE_HZ)
    return root


class HerePool(WorkerPool):
    """Does the jobs in this process: what processes add, the tests with real ones show."""

    def submit(self, key, function, path, timeout_s) -> None:
        try:
            result = function(path)
        except Exception as error:
            result = self._failure(error, timeout_s)
        self._done.put(Outcome(key, result))

    def next_outcome(self, timeout_s):
        return self._done.get_nowait()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare_module, "WorkerPool", HerePool)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    root = tmp_path / "many"
    for k in range(8):
        write(root / "pop" / f"{k:02}.wav", seed=k, seconds=20)
    return root


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the command in a process group of its own; end what is left of it."""
    with starting("prepare") as run:
        yield run


# Rows


@pytest.mark.parametrize("seconds", [29.93, 30, 30.65])
def test_a_clip_of_about_30_s_is_one_row_of_its_whole_length(
    tmp_path: Path, seconds: float
) -> None:
    path = write(tmp_path / "a.wav", seed=1, seconds=seconds)
    rows = rows_of(str(path), windows=5)
    assert rows.audio_id == identify(path).audio_id
    assert rows.is_whole and rows.mel.shape == (1, 128, N_COLUMNS)
    assert_same_row(rows.mel[0], expected(path))


@pytest.mark.parametrize("seconds", [3, 12.5, 29])
def test_a_short_clip_is_learned_from_as_it_is_heard(tmp_path: Path, seconds: float) -> None:
    path = write(tmp_path / "a.wav", seed=1, seconds=seconds)
    rows = rows_of(str(path), windows=5)
    assert rows.is_whole and rows.mel.shape == (1, 128, N_COLUMNS)
    front = front_end(GtzanMel())
    with decode(path) as blocks:
        (window,) = [w for block in blocks for w in front.push(block)] + list(front.finish())
    assert_same_row(rows.mel[0], spectrogram_row(window.values))
    # At its true speed: a second pass begins where the first one ends.
    passes = [round(seconds * RATE_HZ / 512 / (1293 / 334.8)) + k for k in (-3, -2, -1)]
    columns = rows.mel[0].T
    assert any(np.array_equal(columns[: N_COLUMNS - n], columns[n:]) for n in passes)


def test_a_clip_of_31_to_60_s_is_the_30_s_in_its_middle(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", seed=1, seconds=44)
    rows = rows_of(str(path), windows=5)
    n_frames = 1 + 44 * RATE_HZ // 512
    assert not rows.is_whole and rows.mel.shape == (1, 128, N_COLUMNS)
    assert_same_row(rows.mel[0], expected(path, (n_frames - WINDOW_FRAMES) // 2, WINDOW_FRAMES))


def test_a_long_track_gives_windows_of_30_s_spread_over_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", seed=1, seconds=130)
    n_frames = 1 + 130 * RATE_HZ // 512
    middle = rows_of(str(path), windows=1)
    assert not middle.is_whole
    assert_same_row(middle.mel[0], expected(path, (n_frames - WINDOW_FRAMES) // 2, WINDOW_FRAMES))
    three = rows_of(str(path), windows=3)
    assert three.mel.shape == (3, 128, N_COLUMNS)
    for row, first in zip(three.mel, window_starts(n_frames, 3), strict=True):
        assert_same_row(row, expected(path, first, WINDOW_FRAMES))


@pytest.mark.parametrize("n_frames", [1293, 1294, 1940, 2585, 2586, 10_000, 123_457])
@pytest.mark.parametrize("windows", [1, 2, 3, 7, 1000])
def test_windows_lie_in_the_track_and_do_not_overlap(n_frames: int, windows: int) -> None:
    starts = window_starts(n_frames, windows)
    assert len(starts) == min(windows, n_frames // WINDOW_FRAMES)
    assert starts[0] >= 0 and starts[-1] + WINDOW_FRAMES <= n_frames
    assert all(np.diff(starts) >= WINDOW_FRAMES)
    assert starts[0] == pytest.approx(n_frames - WINDOW_FRAMES - starts[-1], abs=2)


def test_a_window_of_silence_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "half.wav"
    soundfile.write(path, np.concatenate([sound(1, 60), np.zeros(60 * RATE_HZ)]), RATE_HZ)
    assert len(rows_of(str(path), windows=4).mel) == 2


def test_a_row_holds_decibels_as_the_cache_gives_them_back() -> None:
    rng = np.random.default_rng(0)
    log_mel = rng.uniform(-80, 0, (N_COLUMNS, 128)).astype(np.float32)
    log_mel[0, :2] = -80, 0
    row = spectrogram_row(log_mel)
    assert row.dtype == np.uint8 and row[:2, 0].tolist() == [0, 255]
    np.testing.assert_allclose(decibels(row), log_mel, atol=80 / 255 / 2 + 1e-4)


# Caches


def test_a_cache_has_the_clips_that_could_be_heard(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "cache"
    summary = prepare("folders", str(music), str(out), windows=2, jobs=2)
    assert counts(summary) == (4, 5, 4, 0, 2)
    reasons = {Path(failed.path).name: failed.reason for failed in summary.failures}
    assert "not an audio file" in reasons["e.mp3"]
    assert reasons["f.wav"] == "nothing is to be heard in it"
    cache = read_cache(out)
    assert cache.mel.shape == (5, 128, N_COLUMNS)
    assert cache.labels == ("jazz", "rock")
    names = ["jazz/a.flac", "jazz/b.mp3", "rock/c.flac", "rock/d.wav", "rock/d.wav#2"]
    assert [clip.name for clip in cache.clips] == names
    assert (cache.clips[0].artist, cache.clips[0].title) == ("Nina", "One")
    for clip in cache.clips:
        assert clip.recording == identify(music / clip.name.partition("#")[0]).audio_id
    for row, name in zip(cache.mel[:3], names, strict=False):
        assert_same_row(row, expected(music / name))
    about = tomllib.loads((out / "cache.toml").read_text("utf-8"))
    assert about["dataset"] == "folders" and about["representation"] == "gtzan-mel"
    assert about["n_columns"] == N_COLUMNS and about["rows"] == 5
    assert about["made_by"].startswith("tonotope ") and about["date"]
    assert set(files_of(out)) == {"mel.npy", "clips.csv", "cache.toml", "sources.jsonl"}


def test_what_has_not_changed_is_not_decoded_again(
    here, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "cache"
    prepare("folders", str(music), str(out), windows=2, jobs=2)
    before, inode = files_of(out), (out / "mel.npy").stat().st_ino
    assert counts(prepare("folders", str(music), str(out), windows=2)) == (4, 5, 0, 4, 2)
    assert files_of(out) == before
    assert (out / "mel.npy").stat().st_ino == inode  # not even copied
    # Moved, retagged and copied: its packets tell which recording it is.
    (music / "rock" / "d.wav").rename(music / "jazz" / "moved.wav")
    retag(music / "rock" / "c.flac", title="New")
    shutil.copy(music / "jazz" / "b.mp3", music / "rock" / "b again.mp3")
    write(music / "jazz" / "new.wav", seed=9)
    (music / "jazz" / "a.flac").unlink()
    assert counts(prepare("folders", str(music), str(out), windows=2)) == (5, 6, 1, 4, 2)
    cache = read_cache(out)
    assert [clip.name for clip in cache.clips] == [
        "jazz/b.mp3", "jazz/moved.wav", "jazz/moved.wav#2", "jazz/new.wav", "rock/b again.mp3",
        "rock/c.flac",
    ]  # fmt: skip
    np.testing.assert_array_equal(cache.mel[0], cache.mel[4])
    assert cache.clips[0].recording == cache.clips[4].recording
    assert_same_row(cache.mel[3], expected(music / "jazz" / "new.wav"))
    assert_same_row(cache.mel[5], expected(music / "rock" / "c.flac"))
    assert counts(prepare("folders", str(music), str(out), windows=2)) == (5, 6, 0, 5, 2)
    # Rows of another version, and other windows of what is longer than one, are made anew.
    assert counts(prepare("folders", str(music), str(out), windows=1)) == (5, 5, 1, 4, 2)
    monkeypatch.setattr(prepare_module, "_VERSION", "another")
    assert counts(prepare("folders", str(music), str(out), windows=1)) == (5, 5, 5, 0, 2)


def test_a_file_that_took_the_place_of_another_is_heard(here, music: Path, tmp_path: Path) -> None:
    out = tmp_path / "cache"
    prepare("folders", str(music), str(out))
    (music / "jazz" / "a.flac").rename(music / "rock" / "z.flac")
    write(music / "jazz" / "a.flac", seed=20, seconds=4)
    assert counts(prepare("folders", str(music), str(out))) == (5, 5, 1, 4, 2)
    cache = read_cache(out)
    assert_same_row(cache.mel[0], expected(music / "jazz" / "a.flac"))
    assert_same_row(cache.mel[4], expected(music / "rock" / "z.flac"))


def test_of_a_library_the_tags_are_the_labels(here, tmp_path: Path) -> None:
    music, library, out = tmp_path / "music", tmp_path / "library.db", tmp_path / "cache"
    write(music / "a.flac", seed=1, genre="Jazz", artist="Nina")
    write(music / "b.ogg", seed=2, genre="jazz")
    write(music / "c.flac", seed=3)
    with Library(library) as opened:
        opened.scan([music], jobs=1)
    summary = prepare("library", None, str(out), library=library)
    assert summary.clips == 2 and "1 of 3 tracks" in summary.problems[0]
    cache = read_cache(out)
    assert [clip.artist for clip in cache.clips] == ["Nina", ""]
    assert len(cache.labels) == 1


# Refusals


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("nonsense", "{root}"), {}, "no data set is called 'nonsense'"),
        (("folders", None), {}, "Name its folder with --root"),
        (("library", "{root}"), {}, "Leave out --root"),
        (("folders", "{root}"), {"windows": 0}, "--windows with 1 to"),
        (("folders", "{root}"), {"jobs": 0}, "--jobs with 1 to"),
        (("folders", "{root}"), {"nice": 20}, "--nice with 0 to 19"),
    ],
)
def test_wrong_usage_is_refused(tmp_path: Path, arguments, options, message: str) -> None:
    name, root = arguments
    root = root and str(tmp_path)
    with pytest.raises(InputError, match=message):
        prepare(name, root, str(tmp_path / "cache"), **options)
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_holds_anything_else_is_refused(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "cache"
    out.mkdir()
    (out / "holiday.txt").write_text("mine")
    with pytest.raises(PathError, match=r"holds 'holiday\.txt'"):
        prepare("folders", str(music), str(out))
    assert files_of(out) == {"holiday.txt": b"mine"}
    (out / "holiday.txt").rename(out / "clips.csv")
    with pytest.raises(PathError, match=r"holds 'clips\.csv'"):
        prepare("folders", str(music), str(out))
    with pytest.raises(PathError, match="File exists"):
        prepare("folders", str(music), str(out / "clips.csv"))


def test_a_cache_of_another_data_set_is_refused_and_left_alone(here, music, tmp_path: Path) -> None:
    out = tmp_path / "cache"
    prepare("folders", str(music), str(out))
    (out / "cache.toml").write_text('dataset = "gtzan"\n')
    before = files_of(out)
    with pytest.raises(PathError, match="of another data set"):
        prepare("folders", str(music), str(out))
    assert files_of(out) == before


def test_where_nothing_can_be_heard_nothing_is_written(here, tmp_path: Path) -> None:
    (tmp_path / "music" / "rock").mkdir(parents=True)
    (tmp_path / "music" / "rock" / "a.mp3").write_text("no music")
    summary = prepare("folders", str(tmp_path / "music"), str(tmp_path / "cache"))
    assert counts(summary) == (0, 0, 0, 0, 1)
    assert not (tmp_path / "cache").exists()


# Interruptions


def test_killed_at_any_time_the_same_command_goes_on(
    here, many: Path, tmp_path: Path, start: Start, tonotope: Run
) -> None:
    out, whole = tmp_path / "cache", tmp_path / "whole"
    arguments = ("folders", "--root", many, "--jobs", "1", "--json")
    lines = 0
    for goal in (1, 4):
        process = start(*arguments, "--out", out)
        wait_until(
            lambda goal=goal: (
                (out / "sources.part").exists()
                and (out / "sources.part").read_bytes().count(b"\n") >= goal
            )
        )
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (out / "clips.csv").exists()
        kept = (out / "sources.part").read_bytes().count(b"\n")
        assert kept >= max(goal, lines)
        lines = kept
        # What a power cut may leave: half a line, half a row.
        with (out / "sources.part").open("ab") as journal:
            journal.write(b'{"path": "/half')
        with (out / "mel.part").open("ab") as mel:
            mel.write(b"half")
    done = json.loads(tonotope("prepare", *arguments, "--out", out).stdout)
    assert (done["clips"], done["computed"], done["kept"]) == (8, 8 - lines, lines)
    prepare("folders", str(many), str(whole))
    for name in ("mel.npy", "clips.csv", "sources.jsonl"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    assert set(files_of(out)) == {"mel.npy", "clips.csv", "cache.toml", "sources.jsonl"}


def test_rows_that_a_power_cut_damaged_are_made_anew(here, many: Path, tmp_path: Path) -> None:
    out = tmp_path / "cache"

    def stop_after_five(progress) -> None:
        if progress.n_done >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare("folders", str(many), str(out), jobs=1, on_progress=stop_after_five)
    with (out / "mel.part").open("r+b") as mel:
        mel.seek(2 * 128 * N_COLUMNS + 5000)
        mel.write(bytes(100))
    assert counts(prepare("folders", str(many), str(out))) == (8, 8, 6, 2, 0)
    cache = read_cache(out)
    assert_same_row(cache.mel[2], expected(many / cache.clips[2].name))


def test_a_full_disk_ends_the_run_in_one_line_and_keeps_what_there_is(
    here, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, writes = tmp_path / "cache", iter(range(100))

    def full(file, content) -> None:
        if next(writes) == 4:  # the third file's rows
            file.write(content[:1000])
            raise OSError(errno.ENOSPC, "No space left on device")
        write_all(file, content)

    with monkeypatch.context() as patched:
        patched.setattr("tonotope.training.cache_writing.write_all", full)
        with pytest.raises(
            PathError, match=r"No space left on device\. What was finished"
        ) as error:
            prepare("folders", str(many), str(out), jobs=1)
    assert "\n" not in str(error.value)
    assert counts(prepare("folders", str(many), str(out))) == (8, 8, 6, 2, 0)
    assert_same_row(read_cache(out).mel[2], expected(many / "pop" / "02.wav"))


@pytest.mark.parametrize("n_done", range(5))
def test_an_exchange_of_files_that_was_cut_short_is_brought_to_its_end(
    here, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_done: int
) -> None:
    out, whole = tmp_path / "cache", tmp_path / "whole"
    prepare("folders", str(music), str(out))
    write(music / "jazz" / "a new one.wav", seed=30)
    prepare("folders", str(music), str(whole))
    moves = iter(range(100))
    replace = Path.replace

    def cut_short(self: Path, target: Path) -> Path:
        if self.name.endswith(".new") and next(moves) >= n_done:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", cut_short)
        with pytest.raises(KeyboardInterrupt) if n_done < 4 else monkeypatch.context():
            prepare("folders", str(music), str(out))
    if n_done < 4:
        with pytest.raises(PathError):  # no cache rather than a wrong one
            read_cache(out)
    assert counts(prepare("folders", str(music), str(out))) == (5, 5, 0, 5, 2)
    for name in ("mel.npy", "clips.csv", "sources.jsonl"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    assert set(files_of(out)) == set(files_of(whole))


def test_two_at_once_on_one_cache_are_refused(
    many: Path, tmp_path: Path, start: Start, tonotope: Run
) -> None:
    out = tmp_path / "cache"
    first = start("folders", "--root", many, "--out", out, "--jobs", "1")
    wait_until(lambda: (out / "mel.part").exists() and (out / "mel.part").stat().st_size > 0)
    first.send_signal(signal.SIGSTOP)
    second = tonotope("prepare", "folders", "--root", many, "--out", out)
    assert second.returncode == 1
    assert "is being written by another run" in second.stderr
    first.send_signal(signal.SIGCONT)
    assert first.wait(60) == 0
    assert len(read_cache(out).clips) == 8


def test_the_command_lists_what_failed_and_answers_with_0(
    music: Path, tmp_path: Path, tonotope: Run
) -> None:
    out = tmp_path / "cache"
    done = tonotope("prepare", "folders", "--root", music, "--out", out, "--windows", "2")
    assert done.returncode == 0
    assert done.stdout.startswith("4 clips of folders (4 computed, 0 kept), 5 rows, written to")
    assert done.stderr.count("failed: ") == 2
    nothing = tonotope("prepare", "folders", "--root", tmp_path / "none", "--out", out)
    assert nothing.returncode == 1 and nothing.stderr.count("\n") == 1
    wrong = tonotope("prepare", "folders", "--root", music, "--out", out, "--windows", "0")
    assert wrong.returncode == 2 and wrong.stderr.count("\n") == 1


# Real music


@pytest.mark.data
def test_rows_of_real_music_are_the_representation(here, music_dir: Path, tmp_path: Path) -> None:
    root, out = tmp_path / "music", tmp_path / "cache"
    (root / "games").mkdir(parents=True)
    tracks = [path for path in sorted(music_dir.rglob("*.ogg")) if path.stat().st_size < 2_000_000]
    for path in tracks[:3]:
        shutil.copy(path, root / "games" / path.name)
    summary = prepare("folders", str(root), str(out), windows=2)
    assert summary.clips == 3 and not summary.failures
    with (out / "clips.csv").open(newline="", encoding="utf-8") as file:
        names = [row["clip"] for row in csv.DictReader(file)]
    cache = read_cache(out)
    for name, row in zip(names, cache.mel, strict=True):
        name, _, number = name.partition("#")
        with decode(root / name) as blocks:
            n_frames = 1 + sum(map(len, blocks)) // 512
        if n_frames <= 31 * RATE_HZ // 512 + 1:
            assert_same_row(row, expected(root / name))
        else:
            first = window_starts(n_frames, 2)[int(number or 1) - 1]
            assert_same_row(row, expected(root / name, first, WINDOW_FRAMES))
