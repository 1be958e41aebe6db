"""One track through all rooms: real files of every container, and files made here."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import tonotope
from tonotope.analysis import GenreShare, analyze, ranked_genres
from tonotope.errors import DecodeError
from tonotope.features import FAMILY_VERSIONS
from tonotope.features.tables import FAMILIES, family_columns, table_columns
from tonotope.models.network import bundled_network

RATE_HZ = 22050
COLUMNS = table_columns("tonotope")
# What a track may have no answer to: the key of what has none, the loudness of what is too short.
UNANSWERED = {
    "key_tonic",
    "key_is_major",
    "integrated_loudness_lufs",
    "loudness_range_lu",
    "true_peak_dbtp",
    "dynamic_complexity_db",
}

# One track of each container: path, rounded duration, number of windows of 30 s.
TRACKS = (
    ("kevin_macleod/Gold Rush.mp3", 48, 2),
    ("tuxemon/01 - Opening.ogg", 23, 1),
    ("kevin_macleod/amazing_plan.m4a", 87, 3),
    ("kevin_macleod/look_busy.webm", 107, 4),
)


def music(duration_s: float, rate_hz: int = RATE_HZ):
    """Half-second bursts of a chord with some noise."""
    rng = np.random.default_rng(11)
    time_s = np.arange(int(duration_s * rate_hz)) / rate_hz
    chord = sum(np.sin(2 * np.pi * f * time_s) for f in (220.0, 277.2, 329.6)) / 4
    signal = np.exp(-6 * np.mod(time_s, 0.5)) * (chord + 0.1 * rng.standard_normal(len(time_s)))
    return signal.astype(np.float32)


def wav(path, signal, rate_hz: int = RATE_HZ, subtype: str = "FLOAT"):
    soundfile.write(path, signal, rate_hz, subtype=subtype)
    return path


def number(track, column: str) -> float:
    return float(track.summary[COLUMNS.index(column)])


def assert_same(a, b):
    assert np.array_equal(a.summary, b.summary, equal_nan=True)
    assert np.array_equal(a.window_starts_s, b.window_starts_s)
    assert np.array_equal(a.window_probabilities, b.window_probabilities)
    assert np.array_equal(a.embedding, b.embedding)
    assert a.audio.audio_id == b.audio.audio_id


def assert_sound(track, n_windows: int):
    assert track.is_whole
    assert tuple(track.rows) == FAMILIES
    for family, row in track.rows.items():
        assert row.shape == (len(family_columns(family)),)
        assert row.dtype == np.float32
    assert track.summary.shape == (len(COLUMNS),)
    assert track.summary.dtype == np.float32
    without = {COLUMNS[k] for k in np.flatnonzero(~np.isfinite(track.summary))}
    assert without <= UNANSWERED
    assert track.window_starts_s.shape == (n_windows,)
    assert track.window_starts_s.dtype == np.float32
    assert track.window_probabilities.shape == (n_windows, len(track.labels))
    assert track.window_probabilities.dtype == np.float32
    np.testing.assert_allclose(track.window_probabilities.sum(axis=1), 1, atol=1e-5)
    assert track.embedding.shape == (256,)
    assert track.embedding.dtype == np.float32
    assert np.isfinite(track.embedding).all()
    probabilities = [share.probability for share in track.genres]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    assert {share.genre for share in track.genres} == set(track.labels)
    assert track.feature_versions == FAMILY_VERSIONS
    assert track.model_id == bundled_network().card.model_id


@pytest.mark.data
@pytest.mark.parametrize(("path", "duration_s", "n_windows"), TRACKS)
def test_real_tracks_of_every_container(music_dir, path, duration_s, n_windows):
    track = analyze(music_dir / path)
    assert_sound(track, n_windows)
    assert track.path == str(music_dir / path)
    assert round(track.audio.duration_s) == duration_s
    # The last window ends with the track.
    if n_windows > 1:
        assert track.window_starts_s[-1] + 30 == pytest.approx(track.audio.duration_s, abs=0.1)


@pytest.mark.data
def test_the_sugar_plum_fairy_is_classical(music_dir):
    (path,) = (music_dir / "librosa_data").glob("*Sugar_Plum_Fairy*")
    assert analyze(path).genres[0].genre == "classical"


@pytest.mark.data
def test_twice_gives_the_same_bits(music_dir):
    path = music_dir / "kevin_macleod/Gold Rush.mp3"
    assert_same(analyze(path), analyze(path))


def test_a_written_file(tmp_path):
    path = wav(tmp_path / "made.wav", music(70))
    track = analyze(path)
    # 30 s, 30 s, and the last ten seconds' own window, which ends where the track ends.
    assert_sound(track, 3)
    assert track.window_starts_s == pytest.approx([0, 30.02, 40], abs=0.05)
    assert number(track, "tempo_bpm") == pytest.approx(120, abs=3)
    assert track.embedding is not None
    assert_same(track, analyze(str(path)))


def test_stereo_and_another_rate_change_little(tmp_path):
    mono = analyze(wav(tmp_path / "mono.wav", music(31)))
    resampled = music(31, rate_hz=44100)
    stereo = analyze(wav(tmp_path / "stereo.wav", np.column_stack([resampled] * 2), 44100))
    assert stereo.audio.channels == 2
    column = "spectral_centroid_hz_mean"
    # The noise reaches twice as far up before it is resampled, with as much power.
    assert number(stereo, column) == pytest.approx(number(mono, column), rel=0.3)
    assert number(stereo, "tempo_bpm") == number(mono, "tempo_bpm")


def test_the_longer_half_decides(tmp_path):
    # Genre probabilities of a track are the mean over its windows.
    path = wav(tmp_path / "two.wav", np.concatenate([music(40), 0.1 * np.sin(np.arange(900_000))]))
    track = analyze(path)
    mean = track.window_probabilities.mean(axis=0, dtype=np.float64)
    expected = {label: mean[k] for k, label in enumerate(track.labels)}
    assert {g.genre: g.probability for g in track.genres} == pytest.approx(expected, abs=1e-6)


def test_a_silent_file_is_known_and_has_no_genre(tmp_path):
    track = analyze(wav(tmp_path / "silent.wav", np.zeros(40 * RATE_HZ, np.float32)))
    assert track.audio.silence.is_silent
    assert track.genres == []
    assert track.embedding is None
    assert track.window_starts_s.shape == (0,)
    assert track.window_probabilities.shape == (0, 10)
    without = {COLUMNS[k] for k in np.flatnonzero(~np.isfinite(track.summary))}
    assert without <= UNANSWERED
    assert number(track, "energy_estimate") == 0


# Parts


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return wav(tmp_path_factory.mktemp("parts") / "made.wav", music(35))


@pytest.fixture(scope="module")
def whole(made):
    return analyze(made)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_alone_has_the_same_bits(made, whole, family):
    part = analyze(made, families=[family])
    assert list(part.rows) == [family]
    assert np.array_equal(part.rows[family], whole.rows[family], equal_nan=True)
    assert part.feature_versions == {family: FAMILY_VERSIONS[family]}
    # Whatever it is heard beside, the network hears the same.
    assert np.array_equal(part.window_probabilities, whole.window_probabilities)
    assert np.array_equal(part.embedding, whole.embedding)
    assert not part.is_whole
    with pytest.raises(ValueError, match="no summary without the families"):
        _ = part.summary


def test_only_the_network_listens(made, whole):
    part = analyze(made, families=())
    assert part.rows == part.feature_versions == {}
    assert np.array_equal(part.window_starts_s, whole.window_starts_s)
    assert np.array_equal(part.embedding, whole.embedding)
    assert part.model_id == whole.model_id


def test_the_network_does_not_listen(made, whole):
    class Deaf(type(bundled_network())):
        def hear(self, window):
            raise AssertionError("it was made to listen")

    deaf = Deaf(bundled_network().card)
    part = analyze(made, network=deaf, genres=False)
    assert_same_rows(part, whole)
    assert (part.model_id, part.labels, part.genres, part.embedding) == (None, (), [], None)
    assert part.window_probabilities.shape == (0, 0)
    assert part.audio == whole.audio
    assert not part.is_whole


def assert_same_rows(a, b):
    assert a.rows.keys() == b.rows.keys()
    for family, row in a.rows.items():
        assert np.array_equal(row, b.rows[family], equal_nan=True)


def test_a_family_that_there_is_not(made):
    with pytest.raises(ValueError, match=r"'melody'\. There are: timbre, harmony, rhythm, level"):
        analyze(made, families=["melody"])


def test_silence_around_music_is_not_listened_to(tmp_path):
    silence = np.zeros(35 * RATE_HZ, np.float32)
    track = analyze(wav(tmp_path / "padded.wav", np.concatenate([silence, music(20), silence])))
    assert_sound(track, 1)
    assert track.window_starts_s == pytest.approx([30.02], abs=0.05)


@pytest.mark.parametrize("n_samples", [1, 512, 2205])
def test_the_shortest_files(tmp_path, n_samples):
    track = analyze(wav(tmp_path / "short.wav", np.full(n_samples, 0.5, np.float32)))
    assert_sound(track, 1)


def test_what_cannot_be_decoded_says_so(tmp_path):
    (tmp_path / "text.mp3").write_text("no music at all\n" * 50)
    with pytest.raises(DecodeError, match=r"text\.mp3"):
        analyze(tmp_path / "text.mp3")
    with pytest.raises(DecodeError, match="no such file"):
        analyze(tmp_path / "none.mp3")


def test_another_network_may_be_given(tmp_path):
    class Opposite(type(bundled_network())):
        def hear(self, window):
            heard = super().hear(window)
            return type(heard)(heard.start_s, heard.probabilities[::-1], -heard.embedding)

    path = wav(tmp_path / "made.wav", music(10))
    usual, opposite = analyze(path), analyze(path, network=Opposite(bundled_network().card))
    assert np.array_equal(usual.embedding, -opposite.embedding)
    assert_same_rows(usual, opposite)


def test_equal_probabilities_keep_the_labels_order():
    shares = ranked_genres(("a", "b", "c"), np.array([0.25, 0.5, 0.25], np.float32))
    assert shares == [GenreShare("b", 0.5), GenreShare("a", 0.25), GenreShare("c", 0.25)]


def test_is_the_package_s_own_analyze():
    assert tonotope.analyze is analyze


# The process's own high-water mark; getrusage would report the parent's where it was larger.
PEAK = """
import json, sys, resource
from pathlib import Path
import tonotope
tonotope.analyze(sys.argv[1])
status = Path("/proc/self/status")
if status.exists():
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    peak_bytes = int(line.split()[1]) * 1024
else:
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps(peak_bytes))
"""


def peak_bytes(path) -> int:
    command = [sys.executable, "-c", PEAK, str(path)]
    # One BLAS thread, as in the workers of a scan; each further one brings buffers of its own.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(run.stdout)


def test_memory_does_not_grow_with_length(tmp_path):
    rate_hz = 4000
    minute = music(60, rate_hz)
    paths = {minutes: tmp_path / f"{minutes}.wav" for minutes in (3, 65)}
    for minutes, path in paths.items():
        wav(path, np.tile(minute, minutes), rate_hz, subtype="PCM_U8")
    short, long = (peak_bytes(path) for path in paths.values())
    # Twenty minutes of descriptors, 60 to 80 MB, are held before their moments are taken; all of
    # the long one would take three times as much, and its sound 344 MB.
    assert long - short < 100e6
