"""Scans of small real libraries by real processes."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import soundfile

from support.libraries import alter, contents, retag, sound, write
from tonotope.analysis import analyze
from tonotope.audio import AUDIO_SUFFIXES
from tonotope.features import FAMILY_VERSIONS
from tonotope.library.catalogue import Catalogue
from tonotope.library.records import ScanRecords
from tonotope.library.scanner import _Job, _Scan, scan_folders
from tonotope.library.versions import Versions
from tonotope.library.walk import FoundFile
from tonotope.library.worker import analyze_file, identify_file
from tonotope.library.workers import Failure, Outcome
from tonotope.models.cards import read_card

Run = Callable[..., CompletedProcess[str]]

COUNTS = ("files", "analysed", "unchanged", "moved", "duplicates", "failed", "damaged")


@pytest.fixture
def scan(tonotope: Run, tmp_path: Path) -> Callable[..., dict[str, int]]:
    """Scan ``tmp_path/music`` into ``tmp_path/l.db``; return the counts that are not 0."""

    def run(*options: str) -> dict[str, int]:
        done = tonotope(
            "scan", tmp_path / "music", "--library", tmp_path / "l.db", "--json", *options
        )
        assert done.returncode == 0, done.stderr
        summary: dict[str, Any] = json.loads(done.stdout)
        assert set(summary) == {*COUNTS, "seconds"}
        kinds = ("analysed", "unchanged", "moved", "duplicates", "failed")
        assert summary["files"] == sum(summary[kind] for kind in kinds)
        return {name: summary[name] for name in COUNTS if summary[name]}

    return run


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    for number, suffix in enumerate(["mp3", "flac", "ogg", "wav"]):
        write(folder / f"{number} song.{suffix}", seed=number)
    for number, suffix in enumerate(["mp3", "flac", "ogg"]):
        retag(folder / f"{number} song.{suffix}", title=f"Song {number}", artist="Some One")
    return folder


def files(tmp_path: Path) -> dict[str, tuple[str, bool]]:
    """Return audio_id and presence of each file, by name."""
    rows = contents(tmp_path / "l.db")["files"]
    return {Path(row[0]).name: (row[4], bool(row[5])) for row in rows}


def test_everything_is_heard_once(scan, music: Path, tmp_path: Path) -> None:
    assert scan() == {"files": 4, "analysed": 4}
    first = contents(tmp_path / "l.db")
    assert len(first["tracks"]) == len(first["files"]) == 4
    titles = {Path(row[0]).name: row[1:3] for row in first["tags"]}
    assert titles["1 song.flac"] == ("Song 1", "Some One")
    assert titles["3 song.wav"] == (None, None)
    assert scan() == {"files": 4, "unchanged": 4}
    assert contents(tmp_path / "l.db") == first


def test_nothing_is_written_beside_the_music(scan, music: Path) -> None:
    before = {path: path.stat() for path in music.rglob("*")}
    scan()
    after = {path: path.stat() for path in music.rglob("*")}
    assert {p: (s.st_size, s.st_mtime_ns) for p, s in before.items()} == {
        p: (s.st_size, s.st_mtime_ns) for p, s in after.items()
    }


def test_renamed_and_moved_files_are_recognised(scan, music: Path, tmp_path: Path) -> None:
    scan()
    before = files(tmp_path)
    (music / "deep" / "er").mkdir(parents=True)
    (music / "0 song.mp3").rename(music / "renamed.mp3")
    (music / "1 song.flac").rename(music / "deep" / "er" / "1 song.flac")
    assert scan() == {"files": 4, "moved": 2, "unchanged": 2}
    after = files(tmp_path)
    assert after["renamed.mp3"] == before["0 song.mp3"]
    assert len(after) == 4


def test_of_two_new_copies_of_a_file_that_is_gone_one_was_moved(
    scan, music: Path, tmp_path: Path
) -> None:
    scan()
    (music / "0 song.mp3").rename(music / "a.mp3")
    shutil.copy(music / "a.mp3", music / "b.mp3")
    assert scan() == {"files": 5, "unchanged": 3, "moved": 1, "duplicates": 1}
    held = files(tmp_path)
    assert held["a.mp3"] == held["b.mp3"]
    assert "0 song.mp3" not in held


def test_retagged_files_are_not_heard_again(scan, music: Path, tmp_path: Path) -> None:
    scan()
    retag(music / "0 song.mp3", title="Another title " * 40)
    retag(music / "2 song.ogg", artist="Somebody Else")
    assert scan() == {"files": 4, "unchanged": 4}
    tags = {Path(row[0]).name: row[1:3] for row in contents(tmp_path / "l.db")["tags"]}
    assert tags["2 song.ogg"] == ("Song 2", "Somebody Else")
    assert tags["0 song.mp3"][0].startswith("Another title")


def test_all_renamed_and_half_retagged(scan, music: Path, tmp_path: Path) -> None:
    scan()
    tracks = contents(tmp_path / "l.db")["tracks"]
    for number, path in enumerate(sorted(music.iterdir())):
        if number % 2 == 0:
            retag(path, title="new")
        path.rename(music / f"new name {path.name}")
    assert scan() == {"files": 4, "moved": 4}
    assert contents(tmp_path / "l.db")["tracks"] == tracks


def test_files_that_swap_names(scan, music: Path, tmp_path: Path) -> None:
    scan()
    before = files(tmp_path)
    a, b, aside = music / "0 song.mp3", music / "swap.mp3", music / "aside"
    write(b, seed=77)
    scan()
    before = files(tmp_path)
    a.rename(aside)
    b.rename(a)
    aside.rename(b)
    os.utime(a, ns=(1, 1))
    os.utime(b, ns=(2, 2))
    assert scan() == {"files": 5, "moved": 2, "unchanged": 3}
    after = files(tmp_path)
    assert after["0 song.mp3"] == before["swap.mp3"]
    assert after["swap.mp3"] == before["0 song.mp3"]


def test_two_copies_are_one_track_with_two_files(scan, music: Path, tmp_path: Path) -> None:
    # Both are new: whichever a worker meets first is heard, the other waits for it.
    shutil.copy(music / "0 song.mp3", music / "9 copy.mp3")
    assert scan() == {"files": 5, "analysed": 4, "duplicates": 1}
    assert scan() == {"files": 5, "unchanged": 5}
    shutil.copy(music / "1 song.flac", music / "later copy.flac")
    assert scan() == {"files": 6, "unchanged": 5, "duplicates": 1}
    held = files(tmp_path)
    assert held["0 song.mp3"] == held["9 copy.mp3"]
    assert held["1 song.flac"] == held["later copy.flac"]
    assert len(contents(tmp_path / "l.db")["tracks"]) == 4


def test_of_two_copies_one_may_go(scan, music: Path, tmp_path: Path) -> None:
    shutil.copy(music / "0 song.mp3", music / "copy.mp3")
    scan()
    (music / "0 song.mp3").unlink()
    assert scan() == {"files": 4, "unchanged": 4}
    assert files(tmp_path)["copy.mp3"][1]


def test_deleted_files_are_marked_and_come_back_unheard(
    scan, music: Path, tmp_path: Path, tonotope: Run
) -> None:
    scan()
    state = (music / "0 song.mp3").stat()
    content = (music / "0 song.mp3").read_bytes()
    (music / "0 song.mp3").unlink()
    assert scan() == {"files": 3, "unchanged": 3}
    assert files(tmp_path)["0 song.mp3"][1] is False
    status = json.loads(tonotope("status", "--library", tmp_path / "l.db", "--json").stdout)
    assert (status["files"], status["tracks"], status["missing"]) == (3, 3, 1)
    (music / "0 song.mp3").write_bytes(content)
    os.utime(music / "0 song.mp3", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert scan() == {"files": 4, "unchanged": 4}
    assert files(tmp_path)["0 song.mp3"][1] is True


def test_another_folder_marks_nothing_as_missing(
    scan, music: Path, tmp_path: Path, tonotope: Run
) -> None:
    scan()
    other = tmp_path / "music 2"  # whose name begins with the other's
    write(other / "x.wav", seed=50)
    tonotope("scan", other, "--library", tmp_path / "l.db")
    assert all(present for _, present in files(tmp_path).values())


def test_a_changed_sound_is_heard_again(scan, music: Path, tmp_path: Path) -> None:
    scan()
    before = files(tmp_path)["3 song.wav"]
    write(music / "3 song.wav", seed=99)
    assert scan() == {"files": 4, "analysed": 1, "unchanged": 3}
    assert files(tmp_path)["3 song.wav"] != before


def test_a_failure_costs_one_file_and_is_remembered(
    scan, music: Path, tmp_path: Path, tonotope: Run
) -> None:
    bad = music / "bad.mp3"
    bad.write_text("these are words and no music\n" * 100)
    assert scan() == {"files": 5, "analysed": 4, "failed": 1}
    ((path, _, _, reason),) = contents(tmp_path / "l.db")["failures"]
    assert (path, bool(reason)) == (str(bad), True)
    shown = tonotope("failures", "--library", tmp_path / "l.db")
    assert shown.stdout.startswith(f"{bad}\n    {reason}. ")
    times = json.loads(tonotope("failures", "--library", tmp_path / "l.db", "--json").stdout)
    # Not tried again until it changes, or until asked to.
    assert scan() == {"files": 5, "unchanged": 4, "failed": 1}
    again = json.loads(tonotope("failures", "--library", tmp_path / "l.db", "--json").stdout)
    assert again == times
    assert scan("--retry-failed") == {"files": 5, "unchanged": 4, "failed": 1}
    write(bad, seed=60)
    assert scan() == {"files": 5, "unchanged": 4, "analysed": 1}
    assert contents(tmp_path / "l.db")["failures"] == []


def test_a_failure_that_is_gone_is_forgotten(scan, music: Path, tmp_path: Path) -> None:
    (music / "bad.mp3").write_bytes(b"")
    scan()
    (music / "bad.mp3").unlink()
    scan()
    assert contents(tmp_path / "l.db")["failures"] == []


def test_a_good_file_that_goes_bad(scan, music: Path, tmp_path: Path, tonotope: Run) -> None:
    scan()
    (music / "3 song.wav").write_bytes(b"RIFF")
    assert scan() == {"files": 4, "unchanged": 3, "failed": 1}
    status = json.loads(tonotope("status", "--library", tmp_path / "l.db", "--json").stdout)
    assert (status["files"], status["failed"], status["missing"]) == (3, 1, 0)


def test_damage_is_counted_and_kept(scan, music: Path, tonotope: Run, tmp_path: Path) -> None:
    flac = music / "1 song.flac"
    flac.write_bytes(flac.read_bytes()[: flac.stat().st_size // 2])
    assert scan() == {"files": 4, "analysed": 4, "damaged": 1}
    status = json.loads(tonotope("status", "--library", tmp_path / "l.db", "--json").stdout)
    assert status["damaged"] == 1


def test_a_failure_that_mended_itself_is_forgotten(scan, music: Path, tmp_path: Path) -> None:
    scan()
    wav = music / "3 song.wav"
    content, state = wav.read_bytes(), wav.stat()
    wav.write_text("no music")
    assert scan() == {"files": 4, "unchanged": 3, "failed": 1}
    wav.write_bytes(content)
    os.utime(wav, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert scan() == {"files": 4, "unchanged": 4}
    assert contents(tmp_path / "l.db")["failures"] == []
    assert files(tmp_path)["3 song.wav"][1]


def test_a_file_from_the_far_future(scan, music: Path) -> None:
    os.utime(music / "0 song.mp3", (2**34, 2**34))
    assert scan() == {"files": 4, "analysed": 4}
    assert scan() == {"files": 4, "unchanged": 4}


def test_a_copy_over_another_file_is_a_copy(scan, music: Path, tmp_path: Path) -> None:
    write(music / "4 song.mp3", seed=40)
    scan()
    shutil.copy(music / "0 song.mp3", music / "4 song.mp3")
    assert scan() == {"files": 5, "unchanged": 4, "duplicates": 1}


def test_where_one_copy_is_gone_by_the_time_the_other_is_heard(
    tmp_path: Path,
) -> None:
    # The first of two copies fails at the last gate; the second is heard in its place. When a file
    # vanishes cannot be timed from outside: this test stands where the workers are.
    submitted = []

    class Pool:
        def submit(self, key, task, path, timeout_s) -> None:
            submitted.append((key, task.__name__, Path(path).name))

    first, second = write(tmp_path / "a.wav", seed=1), write(tmp_path / "b.wav", seed=1)
    with Catalogue(tmp_path / "l.db", create=True) as catalogue:
        run = _Scan(
            ScanRecords(catalogue.connection, Versions({"timbre": 1}, "m")),
            [str(tmp_path)],
            lambda p: None,
        )
        run._pool = Pool()
        for path in (first, second):
            run._identify(_Job(FoundFile(str(path), 1, 1)))
        for job, _, _ in list(submitted):
            run._advance(Outcome(job, identify_file(job.found.path)))
        assert [entry[1:] for entry in submitted[2:]] == [("analyze_file", "a.wav")]
        run._advance(Outcome(submitted[2][0], Failure("gone", "none")))
        assert [entry[1:] for entry in submitted[3:]] == [("analyze_file", "b.wav")]
    assert run.progress.summary.failed == 1


def test_the_bounds_on_a_files_time(tmp_path: Path) -> None:
    bounds = []

    class Pool:
        def submit(self, key, task, path, timeout_s) -> None:
            bounds.append(timeout_s)

    identified = identify_file(write(tmp_path / "a.wav", seed=1))
    with Catalogue(tmp_path / "l.db", create=True) as catalogue:
        run = _Scan(
            ScanRecords(catalogue.connection, Versions({"timbre": 1}, "m")),
            [str(tmp_path)],
            lambda p: None,
        )
        run._pool = Pool()
        for number, hours in enumerate((0.1, 10)):
            identity = dataclasses.replace(
                identified.identity, audio_id=str(number), duration_s=hours * 3600
            )
            job = _Job(FoundFile(f"{number}.wav", int(40e6), 1))
            run._identify(job)
            run._on_identified(job, dataclasses.replace(identified, identity=identity))
    assert bounds == [100, 60, 100, 1800]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_is_closed_for_a_while_loses_nothing(
    music: Path, tmp_path: Path, tonotope: Run
) -> None:
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib").chmod(0o777)
    write(music / "closed" / "x.wav", seed=30)
    library = tmp_path / "lib" / "l.db"

    def scan_as_nobody() -> dict[str, int]:
        os.seteuid(65534)
        try:
            summary = scan_folders(library, [music], read_card().model_id)
        finally:
            os.seteuid(0)
        return {name: getattr(summary, name) for name in COUNTS if getattr(summary, name)}

    assert tonotope("scan", music, "--library", library).returncode == 0
    for path in (tmp_path / "lib").iterdir():
        path.chmod(0o666)
    (music / "closed").chmod(0)
    assert scan_as_nobody() == {"files": 5, "unchanged": 4, "failed": 1}
    assert {Path(row[0]).name: row[5] for row in contents(library)["files"]}["x.wav"] == 1
    (music / "closed").chmod(0o755)
    assert scan_as_nobody() == {"files": 5, "unchanged": 5}


def test_a_pipe_and_a_circle_of_links_fail_with_a_reason(scan, music: Path, tmp_path: Path) -> None:
    os.mkfifo(music / "pipe.mp3")
    (music / "loop.mp3").symlink_to(music / "loop.mp3")
    assert scan() == {"files": 6, "analysed": 4, "failed": 2}
    reasons = {Path(row[0]).name: row[3] for row in contents(tmp_path / "l.db")["failures"]}
    assert set(reasons) == {"pipe.mp3", "loop.mp3"}


def test_silence_is_a_track_that_is_like_nothing(
    scan, music: Path, tmp_path: Path, tonotope: Run
) -> None:
    soundfile.write(music / "silence.wav", 0 * sound(0), 22050)
    assert scan() == {"files": 5, "analysed": 5}
    library = tmp_path / "l.db"
    found = tonotope("similar", music / "0 song.mp3", "--library", library, "--json")
    paths = {k["path"] for k in json.loads(found.stdout)["neighbours"]}
    assert str(music / "silence.wav") not in paths
    asked = tonotope("similar", music / "silence.wav", "--library", library)
    assert asked.returncode == 1
    assert "nothing is to be heard in" in asked.stderr


def test_two_jobs_give_what_one_gives(scan, music: Path, tmp_path: Path) -> None:
    scan("--jobs", "1")
    one = contents(tmp_path / "l.db")
    (tmp_path / "l.db").unlink()
    scan("--jobs", "2", "--nice", "5")
    assert contents(tmp_path / "l.db") == one


def test_what_an_older_version_heard_is_heard_again(scan, music: Path, tmp_path: Path) -> None:
    scan()
    first = contents(tmp_path / "l.db")
    alter(tmp_path / "l.db", "UPDATE family_rows SET version = 0, numbers = x''")
    alter(
        tmp_path / "l.db",
        "UPDATE tracks SET model_id = 'old', embedding = NULL, window_probabilities = x''",
    )
    assert scan() == {"files": 4, "analysed": 4}
    assert contents(tmp_path / "l.db") == first


def test_of_a_family_that_changed_nothing_else_is_computed(
    scan, music: Path, tmp_path: Path
) -> None:
    library = tmp_path / "l.db"
    scan()
    first = contents(library)
    with closing(sqlite3.connect(library)) as connection:
        stale = [
            row[0] for row in connection.execute("SELECT audio_id FROM tracks ORDER BY id LIMIT 2")
        ]
    # What is marked tells by itself whether it was computed again.
    alter(library, "UPDATE family_rows SET numbers = x'0102'")
    alter(library, "UPDATE tracks SET embedding = x'0304', window_probabilities = x'05'")
    marked = contents(library)
    alter(
        library,
        "UPDATE family_rows SET version = 0 WHERE family = 'harmony' AND track_id IN"
        " (SELECT id FROM tracks ORDER BY id LIMIT 2)",
    )
    assert scan() == {"files": 4, "analysed": 2, "unchanged": 2}
    expected = dict(marked)
    expected["family_rows"] = [
        heard if heard[0] in stale and heard[1] == "harmony" else as_marked
        for heard, as_marked in zip(first["family_rows"], marked["family_rows"], strict=True)
    ]
    assert contents(library) == expected
    assert scan() == {"files": 4, "unchanged": 4}


def test_a_row_that_is_not_there_is_made(scan, music: Path, tmp_path: Path) -> None:
    scan()
    first = contents(tmp_path / "l.db")
    alter(tmp_path / "l.db", "DELETE FROM family_rows WHERE family = 'level' AND track_id = 1")
    alter(tmp_path / "l.db", "DELETE FROM family_rows WHERE track_id = 3")
    assert scan() == {"files": 4, "analysed": 2, "unchanged": 2}
    assert contents(tmp_path / "l.db") == first


def test_of_another_network_nothing_else_is_computed(scan, music: Path, tmp_path: Path) -> None:
    library = tmp_path / "l.db"
    scan()
    first = contents(library)
    alter(library, "UPDATE family_rows SET numbers = x'0102'")
    marked = contents(library)["family_rows"]
    alter(library, "UPDATE tracks SET embedding = x'0304', model_id = 'old' WHERE id > 1")
    assert scan() == {"files": 4, "analysed": 3, "unchanged": 1}
    assert contents(library) == first | {"family_rows": marked}


def test_a_copy_of_what_is_computed_in_part_waits_for_it(scan, music: Path, tmp_path: Path) -> None:
    shutil.copy(music / "0 song.mp3", music / "9 copy.mp3")
    scan()
    first = contents(tmp_path / "l.db")
    alter(tmp_path / "l.db", "UPDATE family_rows SET version = 0 WHERE family = 'level'")
    assert scan() == {"files": 5, "analysed": 4, "unchanged": 1}
    assert contents(tmp_path / "l.db") == first


def test_who_is_only_stale_in_part_and_moved_is_not_missing(
    scan, music: Path, tmp_path: Path
) -> None:
    scan()
    alter(tmp_path / "l.db", "UPDATE family_rows SET version = 9 WHERE family = 'rhythm'")
    (music / "0 song.mp3").rename(music / "moved.mp3")
    assert scan() == {"files": 4, "analysed": 4}
    assert set(files(tmp_path)) == {"moved.mp3", "1 song.flac", "2 song.ogg", "3 song.wav"}


def test_a_file_written_to_between_the_gates_is_heard_as_a_whole(tmp_path: Path) -> None:
    # Of what was there when it was identified only a part was to be computed; of what is there now
    # nothing is known. When a file is written to cannot be timed from outside.
    submitted: list[Any] = []

    class Pool:
        def submit(self, key, task, path, timeout_s) -> None:
            submitted.append(task)

    path = write(tmp_path / "a.wav", seed=1)
    with Catalogue(tmp_path / "l.db", create=True) as catalogue:
        versions = Versions(FAMILY_VERSIONS, read_card().model_id)
        records = ScanRecords(catalogue.connection, versions)
        with records.unit():
            records.put_track(analyze(path))
        catalogue.connection.execute("DELETE FROM family_rows WHERE family = 'level'")
        records.commit()
        run = _Scan(records, [str(tmp_path)], lambda p: None)
        run._pool = Pool()
        job = _Job(FoundFile(str(path), 1, 1))
        run._on_identified(job, identify_file(str(path)))
        (part,) = submitted
        assert part.keywords == {"families": ("level",), "genres": False, "fingerprint": False}
        write(path, seed=2)
        run._advance(Outcome(job, part(str(path))))
        assert submitted[1:] == [analyze_file]
        assert run.progress.summary.analysed == 0
        run._advance(Outcome(job, analyze_file(str(path))))
        assert run.progress.summary.analysed == 1
        records.commit()
    held = contents(tmp_path / "l.db")
    assert len(held["tracks"]) == 2
    assert len(held["family_rows"]) == 3 + 4
    assert held["files"][0][4] == identify_file(str(path)).identity.audio_id


def test_what_moved_before_it_is_heard_again_is_not_missing(
    scan, music: Path, tmp_path: Path
) -> None:
    scan()
    alter(tmp_path / "l.db", "UPDATE family_rows SET version = 0")
    (music / "0 song.mp3").rename(music / "moved.mp3")
    assert scan() == {"files": 4, "analysed": 4}
    assert set(files(tmp_path)) == {"moved.mp3", "1 song.flac", "2 song.ogg", "3 song.wav"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--jobs", "0"], "0 processes"),
        (["--jobs", "257"], "1 to 256"),
        (["--nice", "20"], "20 nice"),
    ],
)
def test_numbers_out_of_range(
    tonotope: Run, music: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    done = tonotope("scan", music, "--library", tmp_path / "l.db", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_formats_that_are_scanned() -> None:
    assert {".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wav", ".webm", ".wma"} <= AUDIO_SUFFIXES


@pytest.mark.data
def test_the_real_library_without_a_failure(tonotope: Run, music_dir: Path, tmp_path: Path) -> None:
    done = tonotope("scan", music_dir, "--library", tmp_path / "l.db", "--json")
    summary = json.loads(done.stdout)
    assert {name: summary[name] for name in COUNTS if summary[name]} == {
        "files": 43,
        "analysed": 43,
    }
