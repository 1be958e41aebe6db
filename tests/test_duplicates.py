"""Duplicates: from sound to fingerprints to pairs, the library's merges, and the command."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import scipy.signal

from support.data import tracks
from support.encodings import ENCODINGS, encode, write_sound
from support.libraries import RATE_HZ, alter, contents, retag
from tonotope import Library, analyze
from tonotope.audio import decode
from tonotope.discovery.duplicates import compare, duplicate_pairs
from tonotope.discovery.versions import compare_harmony, version_pairs
from tonotope.errors import InputError, LibraryError, TrackNotFoundError
from tonotope.features.fingerprint import Fingerprint
from tonotope.features.stream import DescriptorStream


def fingerprint_of(signal: np.ndarray) -> Fingerprint:
    stream = DescriptorStream([], keep_frames=False, fingerprint=True)
    stream.push(signal.astype(np.float32))
    stream.finish()
    assert stream.fingerprint is not None
    return stream.fingerprint


def heard(path: Path) -> Fingerprint:
    made = analyze(path, families=(), genres=False).fingerprint
    assert made is not None
    return made


def tune(
    seed: int, *, seconds: float = 45.0, up: float = 0.0, tempo: float = 1.0, noise: float = 0.003
) -> np.ndarray:
    """Return triads that change every two seconds, each with a melody of its own, and a beat."""
    rng = np.random.default_rng(seed)
    n_chords = int(seconds / 2) + 1
    roots, thirds = rng.integers(0, 12, n_chords), rng.integers(3, 5, n_chords)
    melody = rng.integers(0, 12, n_chords * 4)
    time_s = np.arange(int(seconds / tempo * RATE_HZ)) / RATE_HZ
    beat = (time_s * tempo * 2).astype(int)
    chord = beat // 4
    sound = np.zeros(len(time_s))
    for semitones, level in (
        (roots[chord], 0.1),
        (roots[chord] + thirds[chord], 0.1),
        (roots[chord] + 7, 0.1),
        (12 + melody[beat], 0.04),
    ):
        pitch_hz = 220 * 2 ** ((semitones + up) / 12)
        sound += level * np.sin(2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ)
    fade = np.exp(-3 * np.mod(time_s * tempo * 2, 1.0))
    clicks = 0.05 * fade * np.random.default_rng([seed, 1]).standard_normal(len(time_s))
    hiss = noise * np.random.default_rng([seed, 2]).standard_normal(len(time_s))
    return (sound * (0.6 + 0.4 * fade) + clicks + hiss).astype(np.float32)


def remastered(signal: np.ndarray) -> np.ndarray:
    """Return a sound with more treble and less bass, compressed 2.5 to 1, and louder."""
    low = scipy.signal.sosfilt(scipy.signal.butter(1, 300, fs=RATE_HZ, output="sos"), signal)
    high = scipy.signal.sosfilt(
        scipy.signal.butter(1, 3000, "high", fs=RATE_HZ, output="sos"), signal
    )
    bright = signal + 0.8 * high - 0.5 * low
    envelope = np.sqrt(scipy.signal.lfilter([0.001], [1, -0.999], bright**2) + 1e-9)
    return np.tanh(3 * bright * np.minimum(1, (0.05 / envelope) ** 0.6)).astype(np.float32)


def cut(signal: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    """Return a part of a sound, faded in and out over two seconds."""
    part = signal[int(start_s * RATE_HZ) : int(end_s * RATE_HZ)].copy()
    ramp = np.linspace(0, 1, 2 * RATE_HZ)
    part[: len(ramp)] *= ramp
    part[-len(ramp) :] *= ramp[::-1]
    return part


# From sound to pairs


def test_a_remaster_an_edit_and_a_version_of_a_tune() -> None:
    plain = tune(1)
    made = [
        fingerprint_of(sound)
        for sound in (
            plain,
            remastered(plain),
            cut(plain, 6, 38),
            tune(1, up=3, tempo=1.07, noise=0.02),
            tune(2),
        )
    ]
    pairs = {(pair.a, pair.b): pair for pair in duplicate_pairs(made)}
    assert {pair: found.kind for pair, found in pairs.items()} == {
        (0, 1): "remaster",
        (0, 2): "edit",
        (1, 2): "edit",
    }
    assert abs(pairs[0, 1].level_db or 0) > 1 or (pairs[0, 1].spectrum_db or 0) > 1
    (stretch,) = pairs[0, 2].stretches
    assert stretch.start_a_s == pytest.approx(6, abs=2)
    assert stretch.end_a_s == pytest.approx(38, abs=2)
    assert stretch.start_a_s - stretch.start_b_s == pytest.approx(6, abs=0.2)
    versions = {(pair.a, pair.b): pair for pair in version_pairs(made, [0, 3, 4])}
    assert versions.keys() == {(0, 3)}
    assert versions[0, 3].transposition == 3


@pytest.mark.data
def test_other_encodings_of_real_tracks_are_found(music_dir: Path, tmp_path: Path) -> None:
    chosen = (
        "kevin_macleod/sneaky_snitch.mp3",
        "tuxemon/Chibi Ninja.ogg",
        "kevin_macleod/amazing_plan.m4a",
        "kevin_macleod/hand_trolley.webm",
        "tuxemon/07 - Town.ogg",
    )
    made = []
    for number, name in enumerate(chosen):
        made.append(heard(music_dir / name))
        for suffix, *how in ENCODINGS.values():
            copy = encode(music_dir / name, tmp_path / f"{number}{suffix}", *how)
            made.append(heard(copy))
    pairs = duplicate_pairs(made)
    n = 1 + len(ENCODINGS)
    expected = [
        pair for k in range(len(chosen)) for pair in combinations(range(k * n, k * n + n), 2)
    ]
    assert [(pair.a, pair.b) for pair in pairs] == expected
    assert {pair.kind for pair in pairs} == {"same recording"}
    assert max(pair.bit_error_rate or 0 for pair in pairs) < 0.15


@pytest.mark.data
def test_no_two_of_the_real_tracks_are_a_pair(music_dir: Path) -> None:
    # Several are of one artist, or from one album.
    made = [heard(music_dir / name) for name in tracks()]
    assert len(made) == 43
    assert duplicate_pairs(made) == []
    assert version_pairs(made, range(43)) == []
    # Not even where all pairs are laid side by side, at offsets up to half a minute.
    for a, b in combinations(made, 2):
        assert compare(a, b, range(-160, 161, 20)) is None


@pytest.mark.data
def test_real_tracks_remastered_cut_and_played_otherwise(music_dir: Path) -> None:
    with decode(music_dir / "lofi_oga" / "lobby.mp3") as blocks:
        plain = np.concatenate(list(blocks))[: 90 * RATE_HZ]
    # Off the first's grid of frames. A record that turns 6 % faster: a semitone up.
    bright = fingerprint_of(remastered(plain)[700:])
    edit = fingerprint_of(cut(plain, 20.3, 75))
    faster = fingerprint_of(scipy.signal.resample(plain, int(len(plain) / 1.0595)))
    whole = fingerprint_of(plain)
    kinds = {(pair.a, pair.b): pair.kind for pair in duplicate_pairs([whole, bright, edit, faster])}
    assert kinds == {(0, 1): "remaster", (0, 2): "edit", (1, 2): "edit"}
    version = compare_harmony(whole, faster)
    assert version is not None
    assert version.transposition == 1


# The library


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library of a tune, a copy of it in MP3, a cut of it, two others and silence."""
    folder = tmp_path_factory.mktemp("duplicates")
    music = folder / "music"
    plain = write_sound(music / "a plain.flac", tune(1))
    retag(plain, title="Plain", artist="Somebody")
    encode(plain, music / "b copy.mp3", "libmp3lame", 44100, 128_000)
    write_sound(music / "c cut.flac", cut(tune(1), 5, 40))
    write_sound(music / "d other.flac", tune(2))
    write_sound(music / "e third.flac", tune(3))
    write_sound(music / "f silence.flac", np.zeros(30 * RATE_HZ))
    write_sound(music / "g short.flac", tune(1, seconds=4))
    with Library(folder / "l.db") as library:
        library.scan([music])
    return folder / "l.db"


@pytest.fixture
def library(scanned: Path, tmp_path: Path) -> Path:
    """Return a library that the test may spoil."""
    return Path(shutil.copy(scanned, tmp_path / "copy.db"))


def music_of(scanned: Path) -> Path:
    return scanned.parent / "music"


def found_by(library: Path, asked: Path) -> list[str]:
    with Library(library) as opened:
        found = opened.similar(asked)
        return [Path(k.track.path).name for k in found.neighbours]


def test_groups_with_the_best_first(scanned: Path) -> None:
    with Library(scanned) as opened:
        found = opened.duplicates()
    (group,) = found.groups
    assert group.kind == "edit"
    assert [Path(copy.track.path).name for copy in group.copies] == [
        "a plain.flac", "b copy.mp3", "c cut.flac"
    ]  # fmt: skip
    assert [(pair.a, pair.b, pair.kind) for pair in group.pairs] == [
        (0, 1, "same recording"), (0, 2, "edit"), (1, 2, "edit")
    ]  # fmt: skip
    assert (found.n_tracks, found.n_out_of_date) == (7, 0)
    with Library(scanned) as opened:
        (same,) = opened.duplicates(["same recording"]).groups
        assert len(same.copies) == 2
        assert opened.duplicates(["version"]).groups == []


def test_what_is_merged_is_no_answer_and_another_stands_for_it(
    library: Path, scanned: Path
) -> None:
    music = music_of(scanned)
    before = found_by(library, music / "d other.flac")
    assert {"a plain.flac", "c cut.flac"} <= set(before)
    with Library(library) as opened:
        opened.merge(music / "a plain.flac", [music / "b copy.mp3", music / "c cut.flac"])
        assert opened.duplicates().groups == []
        assert opened.similar(music / "c cut.flac").query.title == "Plain"
        names = {Path(k.path).name for k in opened.playlist([music / "d other.flac"], n=9).tracks}
    after = found_by(library, music / "d other.flac")
    assert "a plain.flac" in after
    assert not {"b copy.mp3", "c cut.flac"} & (set(after) | names)
    with Library(library) as opened:
        opened.undo_merges([music / "b copy.mp3", music / "c cut.flac"])
        assert opened.merged() == []
        assert len(opened.duplicates().groups) == 1
    assert found_by(library, music / "d other.flac") == before


def test_a_merge_outlives_a_scan_and_ends_where_the_kept_is_gone(
    library: Path, scanned: Path, tmp_path: Path
) -> None:
    music = tmp_path / "moved"
    shutil.copytree(music_of(scanned), music)
    with Library(tmp_path / "l.db") as opened:
        opened.scan([music])
        opened.merge(music / "a plain.flac", [music / "c cut.flac"])
        (music / "c cut.flac").rename(music / "z cut.flac")
        opened.scan([music])
        assert opened.duplicates(["edit"]).groups == []
        (music / "a plain.flac").unlink()
        opened.scan([music])
    # Nobody stands for it any more.
    assert "z cut.flac" in found_by(tmp_path / "l.db", music / "d other.flac")
    with Library(tmp_path / "l.db") as opened:
        (one,) = opened.merged()
    assert one.kept is None
    assert one.track is not None


def test_merges_of_merges(library: Path, scanned: Path) -> None:
    a, b, c, d = (
        music_of(scanned) / n for n in ("a plain.flac", "b copy.mp3", "c cut.flac", "d other.flac")
    )
    with Library(library) as opened:
        opened.merge(b, [c])
        opened.merge(a, [b])
        # The last of the chain stands for all of it.
        assert opened.similar(c).query.title == "Plain"
        with pytest.raises(InputError, match=r"is itself merged into .*--undo"):
            opened.merge(b, [d])
        with pytest.raises(InputError, match=r"is itself merged into"):
            opened.merge(c, [a])
        opened.undo_merges([b])
        assert opened.similar(c).query.path == str(b)


def test_what_cannot_be_merged(library: Path, scanned: Path, tmp_path: Path) -> None:
    a, b = (music_of(scanned) / name for name in ("a plain.flac", "b copy.mp3"))
    stranger = write_sound(tmp_path / "stranger.wav", tune(9, seconds=3))
    before = contents(library)
    with Library(library) as opened:
        with pytest.raises(InputError, match="needs two tracks"):
            opened.merge(a, [])
        with pytest.raises(InputError, match="into itself"):
            opened.merge(a, [b, a])
        with pytest.raises(TrackNotFoundError, match="neither a file nor the id"):
            opened.merge(a, ["0123456789abcdef"])
        with pytest.raises(TrackNotFoundError, match=r"is not in the library. Add it"):
            opened.merge(a, [b, stranger])
        with pytest.raises(InputError, match="was not merged"):
            opened.undo_merges([b])
        assert opened.merged() == []
    assert contents(library) == before


def test_only_the_fingerprint_that_another_version_made_is_made_anew(
    library: Path, scanned: Path
) -> None:
    def fingerprints() -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(library)) as connection:
            return connection.execute("SELECT * FROM fingerprints ORDER BY track_id").fetchall()

    before = fingerprints()
    alter(library, "UPDATE fingerprints SET version = 0, marks = x'' WHERE track_id IN (1, 2)")
    alter(library, "DELETE FROM fingerprints WHERE track_id = 3")
    # Would be lost if more than the fingerprint were heard anew.
    alter(library, "UPDATE tracks SET embedding = zeroblob(1024) WHERE id = 1")
    with Library(library) as opened:
        assert opened.status().out_of_date == 3
        assert opened.duplicates().n_tracks == 4
        summary = opened.scan([music_of(scanned)])
        assert (summary.analysed, summary.unchanged) == (3, 4)
        assert opened.status().out_of_date == 0
    assert fingerprints() == before
    with closing(sqlite3.connect(library)) as connection:
        query = "SELECT embedding = zeroblob(1024) FROM tracks WHERE id = 1"
        assert connection.execute(query).fetchone() == (1,)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE fingerprints SET marks = x'010203'",
        "UPDATE fingerprints SET chroma = x'010203'",
        "UPDATE fingerprints SET spectrum_db = x''",
        "DROP TABLE merges",
    ],
)
def test_damage_is_said_in_one_line(library: Path, statement: str) -> None:
    alter(library, statement)
    with Library(library) as opened, pytest.raises(LibraryError, match=r"is damaged: .*scan again"):
        opened.duplicates()


def test_damage_is_said_in_one_line_by_the_command(library: Path, tonotope) -> None:
    alter(library, "UPDATE fingerprints SET marks = x'010203'")
    said = tonotope("duplicates", "--library", library)
    assert said.returncode == 1
    # As the process ends, what it had not read to the end says nothing of its own.
    assert said.stderr.count("\n") == 1
    assert "is damaged: fingerprints of wrong length" in said.stderr


# The command


def test_the_command(library: Path, scanned: Path, tonotope) -> None:
    music = music_of(scanned)
    shown = tonotope("duplicates", "--library", library)
    assert shown.returncode == 0, shown.stderr
    assert "1 and 2: same recording: " in shown.stdout
    assert "Somebody – Plain  (0:45, flac" in shown.stdout
    assert "1 and 3: edit: " in shown.stdout
    assert "1 group among 7 tracks." in shown.stdout
    document = json.loads(tonotope("duplicates", "--json", "--library", library).stdout)
    (group,) = document["groups"]
    assert [pair["kind"] for pair in group["pairs"]] == ["same recording", "edit", "edit"]
    assert group["pairs"][0]["bit_error_rate"] < 0.15
    kept, copy, _ = (track["audio_id"] for track in group["tracks"])

    merged = tonotope("duplicates", "--merge", kept[:8], music / "b copy.mp3", "--library", library)
    assert merged.returncode == 0, merged.stderr
    assert merged.stdout.startswith("Merged: b copy  ->  Somebody – Plain\n")
    listed = json.loads(tonotope("duplicates", "--merged", "--json", "--library", library).stdout)
    (one,) = listed["merged"]
    assert (one["audio_id"], one["kept_audio_id"]) == (copy, kept)
    assert one["path"] == str(music / "b copy.mp3")
    same = tonotope("duplicates", "--kind", "same", "--library", library)
    assert same.stdout == "No groups among 6 tracks.\n"

    undone = tonotope("duplicates", "--undo", copy, "--library", library)
    assert undone.stdout.startswith("No longer merged: b copy  ->  Somebody – Plain\n")
    empty = tonotope("duplicates", "--merged", "--library", library)
    assert empty.stdout == "Nothing was merged.\n"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--merge", "ffffffffffff", "eeeeeeeeeeee"], 1, "neither a file nor the id"),
        (["--merge", "a plain.flac"], 2, "a merge needs two tracks"),
        (["--undo", "a plain.flac"], 2, "was not merged into another track"),
        (["--merge"], 2, "--merge names no track"),
        (["--undo"], 2, "--undo names no track"),
        (["--merged", "--kind", "same"], 2, "exclude each other"),
        (["--kind", "cover"], 2, "cover"),
    ],
)
def test_wrong_words(scanned: Path, tonotope, words: list[str], status: int, message: str) -> None:
    result = tonotope("duplicates", *words, "--library", scanned, cwd=music_of(scanned))
    assert result.returncode == status
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_libraries_of_nothing_and_of_one_track(tmp_path: Path, tonotope) -> None:
    library, music = tmp_path / "l.db", tmp_path / "music"
    music.mkdir()
    none = tonotope("duplicates", "--library", library)
    assert none.returncode == 1
    assert "no library at" in none.stderr
    with Library(library) as opened:
        opened.scan([music])
    assert tonotope("duplicates", "--library", library).stdout == "No groups among 0 tracks.\n"
    write_sound(music / "one.flac", tune(1, seconds=20))
    with Library(library) as opened:
        opened.scan([music])
    assert tonotope("duplicates", "--library", library).stdout == "No groups among 1 track.\n"
    alter(library, "DELETE FROM fingerprints")
    assert tonotope("duplicates", "--library", library).stdout == (
        "Nothing to compare yet: scan again.\n"
    )
