"""Feature tables and files of frames: what is in them, and what is kept when a run is repeated."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from subprocess import CompletedProcess, Popen

import numpy as np
import pytest
import soundfile
from pyarrow import parquet

from support.libraries import retag, write
from support.processes import starting
from tonotope.audio import decode, identify
from tonotope.errors import InputError, PathError
from tonotope.extraction import extract_frames, extract_table, parse_set
from tonotope.extraction.formats import OtherTableError, Row, format_of
from tonotope.extraction.journal import Journal
from tonotope.extraction.run import FailedFile, check_paths
from tonotope.features import DESCRIPTORS, FAMILY_VERSIONS, Descriptors, analyze
from tonotope.features.tables import table_columns, table_features, table_row
from tonotope.files import locked_file

Run = Callable[..., CompletedProcess[str]]
Start = Callable[..., Popen[str]]

SMALL = ("zero_crossing_rate", "key", "level")
FORMATS = ("csv", "npz", "parquet")
N_FILES = 12


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of six tracks, one a copy, one silent, and two files that give nothing."""
    folder = tmp_path_factory.mktemp("extraction") / "music"
    write(folder / "a.wav", seed=1)
    write(folder / "B" / "one.mp3", seed=2)
    write(folder / "B" / "one.flac", seed=3, seconds=5, title="A title")
    shutil.copy(folder / "a.wav", folder / "B" / "copy of a.wav")
    write(folder / 'é, "quoted".ogg', seed=4)
    soundfile.write(folder / "silence.flac", np.zeros(44100), 22050)
    (folder / "words.mp3").write_text("no music " * 1000)
    (folder / "B" / "empty.wav").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def small(music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the small set's table in each format."""
    folder = tmp_path_factory.mktemp("small")
    for suffix in FORMATS:
        extract_table([music], folder / f"t.{suffix}", SMALL)
    return folder


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the command in a process group of its own; end what is left of it."""
    with starting("features") as run:
        yield run


def heard(path: Path, features: tuple[str, ...] | None = None) -> Descriptors:
    with decode(path) as blocks:
        return analyze(blocks, features)


def rows_of(table: Path) -> dict[str, list[str]]:
    """Return a CSV's rows by path, the header under ``path``."""
    with table.open(encoding="utf-8", newline="") as file:
        return {path: fields for path, *fields in csv.reader(file)}


def alter_row(table: Path, path: Path, field: int, text: str) -> None:
    """Change a field of a row in a CSV, the path being number -1."""
    rows = rows_of(table)
    rows[str(path)][field] = text
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([p, *fields] for p, fields in rows.items())


def counts(summary) -> tuple[int, int, int, int, int]:
    return summary.tracks, summary.computed, summary.kept, summary.failed, summary.dropped


def journal_of(table: Path) -> Path:
    return table.with_name(f"{table.name}.part")


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("what was waited for did not happen")


# Tables


@pytest.mark.parametrize("table", ["fma518", "tonotope"])
def test_rows_are_what_analyze_gives(music: Path, tmp_path: Path, table: str) -> None:
    out = tmp_path / "t.csv"
    summary = extract_table([music], out, table, jobs=2)
    assert counts(summary) == (6, 5, 1, 2, 0)
    assert [Path(failed.path).name for failed in summary.failures] == ["empty.wav", "words.mp3"]
    assert all(failed.reason for failed in summary.failures)
    rows = rows_of(out)
    assert rows.pop("path") == ["audio_id", "duration_s", "version", *table_columns(table)]
    assert list(rows) == sorted(
        str(music / name)
        for name in ("a.wav", "B/one.mp3", "B/one.flac", "B/copy of a.wav", "silence.flac",
                     "é, \"quoted\".ogg")
    )  # fmt: skip
    for path, (audio_id, duration_s, version, *numbers) in rows.items():
        described = heard(Path(path), table_features(table))
        got = np.array([float(number or "nan") for number in numbers], np.float32)
        np.testing.assert_allclose(got, table_row(described, table), rtol=1e-4, atol=1e-5)
        assert audio_id == identify(path).audio_id
        # An encoder's padding aside.
        assert float(duration_s) == pytest.approx(described.duration_s, abs=1e-3)
        families = ("timbre", "harmony") if table == "fma518" else FAMILY_VERSIONS
        assert version == " ".join(f"{family}={FAMILY_VERSIONS[family]}" for family in families)
    assert not list(tmp_path.glob("*.part*"))


def test_the_columns_of_the_fma_data_set(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    assert extract_table([music / "a.wav"], out, "fma518").columns == 518
    header = out.read_text("utf-8").splitlines()[0].split(",")[4:]
    assert (len(header), header[0], header[-1]) == (518, "chroma_cens_kurtosis_01", "zcr_std_01")


def test_formats_hold_the_same(small: Path, music: Path) -> None:
    header, *rows = [[path, *fields] for path, fields in rows_of(small / "t.csv").items()]
    from_csv = np.array([[float(x or "nan") for x in row[4:]] for row in rows], np.float32)
    assert from_csv.shape == (6, len(table_columns(SMALL)))
    assert all("nan" not in row for row in rows)
    # Of silence there is no key and no loudness: that is what is empty, and nothing else.
    silent = [row[0] for row in rows].index(str(music / "silence.flac"))
    assert np.flatnonzero(np.isnan(from_csv).any(axis=1)).tolist() == [silent]

    with np.load(small / "t.npz", allow_pickle=False) as held:
        assert set(held) == {"paths", "audio_ids", "durations_s", "versions", "columns", "rows"}
        assert held["rows"].dtype == np.float32
        np.testing.assert_array_equal(held["rows"], from_csv)
        assert held["columns"].tolist() == header[4:]
        assert held["durations_s"].dtype == np.float64
        own = zip(held["paths"], held["audio_ids"], held["durations_s"], held["versions"],
                  strict=True)  # fmt: skip
        assert [[str(field) for field in fields] for fields in own] == [row[:4] for row in rows]

    table = parquet.read_table(small / "t.parquet")
    assert table.schema.names == header
    assert [str(t) for t in table.schema.types[:4]] == ["string", "string", "double", "string"]
    assert {str(t) for t in table.schema.types[4:]} == {"float"}
    assert table["key_tonic"].null_count == 1
    numbers = np.stack([table[name].to_numpy() for name in header[4:]], axis=1)
    np.testing.assert_array_equal(numbers, from_csv)
    for k, name in enumerate(header[:4]):
        assert [str(field) for field in table[name].to_pylist()] == [row[k] for row in rows]


@pytest.mark.parametrize("suffix", FORMATS)
def test_more_rows_than_parquet_holds_in_a_group(tmp_path: Path, suffix: str) -> None:
    numbers = np.random.default_rng(1).normal(size=(9000, 2)).astype(np.float32)
    rows = [Row(f"/{k}", f"{k:032x}", k / 7, "v=1", numbers[k]) for k in range(len(numbers))]
    out, form = tmp_path / f"t.{suffix}", format_of(f"t.{suffix}")
    form.write(out, ["a", "b"], rows)
    held = list(form.read(out, ["a", "b"]))
    assert np.array_equal([row.numbers for row in held], numbers)
    for name in ("path", "audio_id", "duration_s", "version"):
        assert [getattr(row, name) for row in held] == [getattr(row, name) for row in rows]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_second_run_computes_nothing(
    small: Path, music: Path, tmp_path: Path, suffix: str
) -> None:
    out = Path(shutil.copy(small / f"t.{suffix}", tmp_path))
    assert counts(extract_table([music], out, SMALL)) == (6, 0, 6, 2, 0)
    # A zip file has the time in it.
    if suffix == "npz":
        with np.load(out) as again, np.load(small / "t.npz") as before:
            assert all(np.array_equal(again[k], before[k], equal_nan=k == "rows") for k in before)
    else:
        assert out.read_bytes() == (small / f"t.{suffix}").read_bytes()


def test_only_what_changed_is_computed(small: Path, music: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "music", tmp_path / "t.csv"
    shutil.copytree(music, folder)
    shutil.copy(small / "t.csv", out)
    # A number that no computation gives shows whose row was kept.
    for name in ("B/one.flac", "B/one.mp3", "silence.flac"):
        alter_row(out, music / name, 3, "4321.0")
    retag(folder / "B" / "one.flac", title="Another title", artist="Somebody")
    (folder / "silence.flac").rename(folder / "renamed.flac")
    write(folder / "B" / "one.mp3", seed=20)  # changed
    write(folder / "new.flac", seed=21)
    (folder / "a.wav").unlink()  # one copy is left
    (folder / 'é, "quoted".ogg').unlink()
    (folder / "words.mp3").unlink()
    # The rows of the changed and of the lost file are in no file any more.
    assert counts(extract_table([folder], out, SMALL)) == (5, 2, 3, 1, 2)
    rows = rows_of(out)
    assert [Path(path).name for path in rows] == [
        "path", "copy of a.wav", "one.flac", "one.mp3", "new.flac", "renamed.flac"
    ]  # fmt: skip
    kept = {Path(path).name for path, fields in rows.items() if fields[3] == "4321.0"}
    assert kept == {"one.flac", "renamed.flac"}
    numbers = [float(x or "nan") for x in rows[str(folder / "B" / "one.mp3")][3:]]
    row = table_row(heard(folder / "B" / "one.mp3", SMALL), SMALL)
    np.testing.assert_allclose(numbers, row, rtol=1e-4)


def test_what_another_version_made_is_computed_anew(
    small: Path, music: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t.csv"
    shutil.copy(small / "t.csv", out)
    alter_row(out, music / "B" / "one.flac", 2, "timbre=1 harmony=2 level=1")
    alter_row(out, music / "B" / "one.flac", 3, "4321.0")
    os.link(out, tmp_path / "as it was.csv")
    altered = out.read_bytes()
    assert counts(extract_table([music], out, SMALL)) == (6, 1, 5, 2, 0)
    assert out.read_bytes() == (small / "t.csv").read_bytes()
    # Replaced, and not written over: whoever reads it meanwhile sees one or the other.
    assert (tmp_path / "as it was.csv").read_bytes() == altered


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_versions_in_binary_formats(small: Path, music: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t.{suffix}"
    if suffix == "npz":
        with np.load(small / "t.npz") as held:
            arrays = dict(held)
        arrays["versions"][2] = "timbre=1"
        np.savez(out, **arrays)
    else:
        table = parquet.read_table(small / "t.parquet")
        versions = table["version"].to_pylist()
        versions[2] = "timbre=1"
        parquet.write_table(table.set_column(3, table.schema.field(3), [versions]), out)
    # The third by path is the only file of its recording.
    assert counts(extract_table([music], out, SMALL)) == (6, 1, 5, 2, 0)


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_no_such_table_is_left_alone(
    small: Path, music: Path, tmp_path: Path, suffix: str
) -> None:
    other = Path(shutil.copy(small / f"t.{suffix}", tmp_path))
    foreign = tmp_path / f"foreign.{suffix}"
    foreign.write_bytes(b"\x93NUMPY a,b\n\xff\xfe 1,2\n" * 10)
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(other.read_bytes()[:-30])
    for out, table in ((other, ("rms",)), (foreign, SMALL), (cut, SMALL)):
        before = out.read_bytes()
        with pytest.raises(PathError, match=r"exists and is no table of this set\. Name another"):
            extract_table([music], out, table)
        assert out.read_bytes() == before
        assert not journal_of(out).exists()


@pytest.mark.parametrize("suffix", FORMATS)
def test_whatever_bytes_are_damaged_it_is_no_table(
    small: Path, tmp_path: Path, suffix: str
) -> None:
    columns = table_columns(SMALL)
    whole = (small / f"t.{suffix}").read_bytes()
    out = tmp_path / f"t.{suffix}"
    random = np.random.default_rng(8)
    refused = set()
    for _ in range(500):
        damaged = bytearray(whole)
        for place in random.integers(len(whole), size=random.choice([1, 5, 200])):
            damaged[place] = random.integers(256)
        out.write_bytes(damaged)
        try:
            list(format_of(out.name).read(out, columns))
        except OtherTableError as error:
            refused.add(type(error.__cause__))
    # Numbers may be damaged so that nobody sees it; names, lengths and checksums may not.
    assert len(refused) > 1


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_damaged_table_is_left_alone(
    small: Path, music: Path, tmp_path: Path, suffix: str
) -> None:
    out = Path(shutil.copy(small / f"t.{suffix}", tmp_path))
    content = bytearray(out.read_bytes())
    if suffix == "npz":  # a method of compression that there is not
        place = content.index(b"PK\x01\x02") + 10
        content[place : place + 2] = b"\x63\x00"
    else:  # a path, in Parquet, and whatever comes first in CSV
        content[content.rindex(b"one.flac")] = 0xE9
    out.write_bytes(content)
    with pytest.raises(PathError, match=r"exists and is no table of this set"):
        extract_table([music / "a.wav"], out, SMALL)
    assert out.read_bytes() == content


@pytest.mark.parametrize("name", ["t.csv", "t.csv.part"])
def test_what_is_no_ordinary_file_is_left_alone(music: Path, tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(PathError, match=f"cannot write '.*{name}': it is no ordinary file"):
        extract_table([music / "a.wav"], tmp_path / "t.csv", ["rms"])
    (tmp_path / "link.csv").symlink_to(tmp_path / name)
    with pytest.raises(PathError, match=r"cannot write '.*link\.csv': it is no ordinary file"):
        extract_table([music / "a.wav"], tmp_path / "link.csv", ["rms"])
    assert {path.name for path in tmp_path.iterdir()} == {name, "link.csv"}
    assert (tmp_path / name).is_fifo()


def test_an_empty_file_is_no_table_to_be_lost(music: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").touch()
    assert extract_table([music / "a.wav"], tmp_path / "t.csv", ["rms"]).computed == 1


def test_names_that_are_hard_to_write(tmp_path: Path) -> None:
    folder = tmp_path / "music"
    names = [b"a\rb.flac", b"caf\xe9.flac", b"line\nbreak,\r.flac"]
    for seed, name in enumerate(names):
        write(folder / "x.flac", seed).rename(folder / os.fsdecode(name))
    spelt = [f"{folder}/a\rb.flac", f"{folder}/caf\\udce9.flac", f"{folder}/line\nbreak,\r.flac"]
    for suffix in FORMATS:
        out = tmp_path / f"t.{suffix}"
        assert extract_table([folder], out, ["rms"], jobs=1).computed == 3
        assert counts(extract_table([folder], out, ["rms"], jobs=1)) == (3, 0, 3, 0, 0)
    assert [path for path in rows_of(tmp_path / "t.csv") if path != "path"] == spelt
    assert np.load(tmp_path / "t.npz")["paths"].tolist() == spelt
    assert parquet.read_table(tmp_path / "t.parquet")["path"].to_pylist() == spelt
    extract_frames([folder], tmp_path / "frames", ["rms"], jobs=1)
    for name, path in zip(names, spelt, strict=True):
        with np.load(tmp_path / "frames" / os.fsdecode(name + b".npz")) as held:
            assert held["path"] == path


def test_nothing_to_be_heard_loses_no_table(small: Path, music: Path, tmp_path: Path) -> None:
    out = Path(shutil.copy(small / "t.csv", tmp_path))
    (tmp_path / "not mounted").mkdir()
    with pytest.raises(PathError, match=r"no audio file in .*not mounted"):
        extract_table([tmp_path / "not mounted"], out, SMALL)
    assert counts(extract_table([music / "words.mp3"], out, SMALL)) == (0, 0, 0, 1, 0)
    assert out.read_bytes() == (small / "t.csv").read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["t.csv"]


def test_a_named_file_that_vanishes_costs_itself_alone(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = write(tmp_path / "music" / "gone.wav", seed=1)

    def check_and_lose(paths):
        checked = check_paths(paths)
        gone.unlink()
        return checked

    monkeypatch.setattr("tonotope.extraction.table.check_paths", check_and_lose)
    summary = extract_table([gone, music / "a.wav"], tmp_path / "t.csv", ["rms"])
    assert counts(summary) == (1, 1, 0, 1, 0)
    assert summary.failures == [FailedFile(str(gone), "No such file or directory")]
    write(gone, seed=1)
    assert counts(extract_table([gone], tmp_path / "t.csv", ["rms"])) == (0, 0, 0, 1, 0)


def test_copies_of_what_cannot_be_decoded(tmp_path: Path) -> None:
    # Its packets are there, and so it has an identity; but nobody records one sample per second.
    slow = write(tmp_path / "music" / "a.wav", seed=1)
    content = bytearray(slow.read_bytes())
    content[24:28] = (1).to_bytes(4, "little")
    slow.write_bytes(content)
    assert identify(slow).sample_rate_hz == 1
    shutil.copy(slow, tmp_path / "music" / "b.wav")
    assert counts(extract_table([tmp_path / "music"], tmp_path / "t.csv", SMALL)) == (0, 0, 0, 2, 0)


def test_a_table_is_on_the_disk_before_anything_is_given_up_for_it(
    small: Path, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(shutil.copy(small / "t.csv", tmp_path))
    inode, fsync, synced = out.stat().st_ino, os.fsync, []

    def sync(descriptor: int) -> None:
        fsync(descriptor)
        synced.append((os.fstat(descriptor).st_ino, out.stat().st_ino))
        assert journal_of(out).exists()

    monkeypatch.setattr(os, "fsync", sync)
    extract_table([music], out, SMALL)
    new = out.stat().st_ino
    assert synced == [(new, inode), (tmp_path.stat().st_ino, new)]


def test_what_lies_where_a_table_is_written_is_not_written_through(
    music: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").write_text("of somebody else")
    (tmp_path / "t.csv.new").symlink_to(tmp_path / "other")
    extract_table([music / "a.wav"], tmp_path / "t.csv", ["rms"])
    assert (tmp_path / "other").read_text() == "of somebody else"
    assert len(rows_of(tmp_path / "t.csv")) == 2


def test_a_link_is_written_through(music: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "t.csv").symlink_to(tmp_path / "data" / "real.csv")
    extract_table([music / "a.wav"], tmp_path / "t.csv", ["rms"])
    assert (tmp_path / "t.csv").is_symlink()
    assert len(rows_of(tmp_path / "data" / "real.csv")) == 2


# The journal


def write_journal(small: Path, out: Path, n_rows: int, end: str = "") -> None:
    lines = [",".join(fields) for fields in rows_of(small / "t.csv").values()]
    journal_of(out).write_text("\n".join(lines[: 1 + n_rows]) + "\n" + end)


@pytest.mark.parametrize("end", ["", "0" * 32 + ",3.0,timbre=2", "0" * 32 + ",3.0\n", "\0" * 99])
def test_finished_rows_are_taken_from_the_journal(
    small: Path, music: Path, tmp_path: Path, end: str
) -> None:
    out = tmp_path / "t.csv"
    write_journal(small, out, n_rows=3, end=end)
    # The first three rows are of three recordings; the copy comes with its original.
    assert counts(extract_table([music], out, SMALL)) == (6, 2, 4, 2, 0)
    assert out.read_bytes() == (small / "t.csv").read_bytes()
    assert not journal_of(out).exists()


def test_a_torn_line_is_in_the_way_of_none_that_follows(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    columns = table_columns(SMALL)
    for n_rows in (1, 2, 3):
        with Journal(out, "t.csv", columns) as journal:
            assert len(journal.read()) == n_rows - 1
            journal.append(Row("", "0" * 32, 1.0, "v", np.ones(len(columns), np.float32)))
        with journal_of(out).open("a") as file:
            file.write("1" * 32 + ",3.0,v," + "4," * 400)


@pytest.mark.parametrize("n_bytes", [0, 10])
def test_a_journal_that_was_hardly_begun(
    small: Path, music: Path, tmp_path: Path, n_bytes: int
) -> None:
    out = tmp_path / "t.csv"
    write_journal(small, out, n_rows=0)
    os.truncate(journal_of(out), n_bytes)
    assert extract_table([music / "a.wav"], out, SMALL).computed == 1


def test_the_journal_of_another_set_is_left_alone(small: Path, music: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write_journal(small, out, n_rows=1)
    before = journal_of(out).read_bytes()
    for table in (["rms"], "fma518"):
        with pytest.raises(PathError, match="holds unfinished rows of another set"):
            extract_table([music], out, table)
        assert journal_of(out).read_bytes() == before
        assert not out.exists()


def test_one_run_at_a_time(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    with (
        locked_file(journal_of(out), "t.csv"),
        pytest.raises(PathError, match=r"t\.csv' is being written by another run"),
    ):
        extract_table([music], out, SMALL)
    assert not out.exists()


# Runs that are stopped


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many") / "music"
    for number in range(N_FILES):
        write(folder / f"{number:02d}.wav", seed=number, seconds=40)
    return folder


@pytest.fixture(scope="module")
def undisturbed(many: Path) -> bytes:
    out = many.parent / "t.csv"
    assert extract_table([many], out, "fma518", jobs=1).computed == N_FILES
    return out.read_bytes()


def n_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_kill_loses_nothing_that_was_finished(
    start: Start, many: Path, undisturbed: bytes, tmp_path: Path
) -> None:
    out, journal = tmp_path / "t.csv", tmp_path / "t.csv.part"
    for n_rows in (2, 5):
        process = start(many, "--out", out, "--set", "fma518", "--jobs", "2")
        wait_until(lambda n=n_rows: n_lines(journal) > n)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not out.exists()
    n_kept = n_lines(journal) - 1
    assert 5 <= n_kept < N_FILES
    summary = extract_table([many], out, "fma518")
    assert (summary.kept, summary.computed) == (n_kept, N_FILES - n_kept)
    assert out.read_bytes() == undisturbed
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_ctrl_c_stops_soon_and_says_how_to_go_on(
    start: Start, many: Path, undisturbed: bytes, tmp_path: Path
) -> None:
    out, journal = tmp_path / "t.csv", tmp_path / "t.csv.part"
    process = start(many, "--out", out, "--set", "fma518", "--jobs", "1")
    wait_until(lambda: n_lines(journal) > 2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (130, "")
    n_kept = n_lines(journal) - 1
    assert stderr == (
        f"tonotope: interrupted; {n_kept} of {N_FILES} files are done. "
        "Run the same command to go on.\n"
    )
    assert extract_table([many], out, "fma518").kept == n_kept
    assert out.read_bytes() == undisturbed


@pytest.mark.parametrize("file", ["t.csv.part", "t.csv"])
def test_a_full_disk_is_said_and_loses_nothing(
    many: Path, undisturbed: bytes, tmp_path: Path, file: str
) -> None:
    out = tmp_path / "t.csv"
    before = undisturbed.splitlines(keepends=True)[0]
    out.write_bytes(before)
    # Files that may not grow beyond a size stand in for a disk that is full. The table is larger
    # than the journal, which has no paths.
    n_bytes = 40_000 if file == "t.csv.part" else len(undisturbed) - 50
    limit = f"import resource as r; r.setrlimit(r.RLIMIT_FSIZE, ({n_bytes}, {n_bytes}))"
    code = f"{limit}; from tonotope.cli import main; main()"
    words = ["features", str(many), "--out", str(out), "--set", "fma518"]
    full = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert full.returncode == 1
    assert full.stderr.startswith(f"tonotope: cannot write '{tmp_path / file}': File too large. ")
    assert len(full.stderr.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"t.csv", "t.csv.part"}
    assert out.read_bytes() == before
    assert extract_table([many], out, "fma518").kept > 0
    assert out.read_bytes() == undisturbed


# Frames


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


# What is asked for


def test_sets_as_people_write_them() -> None:
    assert parse_set("fma518") == "fma518"
    assert parse_set("mfcc, tempo,mfcc") == ("mfcc", "tempo")
    for words in ("tonotope,mfcc", "mfcc, fma518", "fma518,tonotope"):
        with pytest.raises(InputError, match=r"the set \w+ stands alone"):
            parse_set(words)
    for words, unknown in (("fma", "'fma'"), ("mfcc,", "''")):
        with pytest.raises(InputError, match=f"is called {unknown}") as refused:
            parse_set(words)
        assert all(name in str(refused.value) for name in (*DESCRIPTORS, "fma518", "tonotope"))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [({"paths": []}, InputError, "nothing to listen to"),
     ({"paths": ["/no/where"]}, PathError, "'/no/where': it does not exist"),
     ({"table": "fma"}, InputError, "no table is called 'fma'"),
     ({"table": ["mfcc", "what"]}, InputError, "no descriptor is called 'what'"),
     ({"table": []}, InputError, "no descriptor was named"),
     ({"table": ["cqt"]}, InputError, "'cqt' has no columns in a table; ask for its frames"),
     ({"out": "t.txt"}, InputError, "names no format of a table"),
     ({"out": "t"}, InputError, "names no format of a table"),
     ({"out": "none/t.csv"}, PathError, "there is no folder"),
     ({"jobs": 0}, InputError, "cannot use 0 processes"),
     ({"nice": 20}, InputError, "cannot be 20 nice")],
)  # fmt: skip
def test_impossible_wishes(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change, error, message
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        extract_table(**{"paths": [music], "out": "t.csv", "table": SMALL, **change})
    assert list(tmp_path.iterdir()) == []
