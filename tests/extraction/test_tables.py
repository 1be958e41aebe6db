"""Feature tables: what is in them, and what is kept when a run is repeated."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from support.libraries import retag, write
from support.tables import (
    FORMATS,
    SMALL,
    alter_row,
    counts,
    heard,
    journal_of,
    rows_of,
)
from tonotope.audio import identify
from tonotope.errors import PathError
from tonotope.extraction import extract_frames, extract_table
from tonotope.extraction.formats import OtherTableError, Row, format_of
from tonotope.extraction.run import FailedFile, check_paths
from tonotope.features import FAMILY_VERSIONS
from tonotope.features.tables import table_columns, table_features, table_row


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
