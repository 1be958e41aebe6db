"""The demonstration library: its files, tags and sound."""

from __future__ import annotations

import itertools
import re
from collections import Counter

import av
import numpy as np
import pytest
from scipy import signal
from tinytag import TinyTag

from tonotope.demo import write_demo_music, writing
from tonotope.demo.pieces import FORMATS, pieces
from tonotope.demo.styles import STYLES, sketches
from tonotope.demo.writing import compose
from tonotope.errors import InputError, PathError

PIECES = pieces()


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Write the library once; return its folder, its files and what was reported on the way."""
    out_dir = tmp_path_factory.mktemp("demo") / "music"
    reported = []
    paths = write_demo_music(out_dir, on_written=lambda *report: reported.append(report))
    return out_dir, paths, reported


@pytest.fixture(scope="module")
def sounds(music):
    """Decode every file, as written: lists of samples (n, 2) and rates, in the pieces' order."""
    return [decoded(path) for path in music[1]]


def decoded(path):
    with av.open(str(path)) as file:
        rate_hz = file.streams.audio[0].rate
        to_float = av.AudioResampler(format="fltp", layout="stereo", rate=rate_hz)
        frames = [f.to_ndarray() for x in file.decode(audio=0) for f in to_float.resample(x)]
    return np.concatenate(frames, axis=1).T, rate_hz


def packets(path):
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]


def brightness_hz(x, rate_hz):
    """Return the median spectral centroid of frames that are not silent."""
    f_hz, _, spectrum = signal.stft(x.mean(axis=1), rate_hz, nperseg=2048)
    magnitude = np.abs(spectrum)
    loud = magnitude.sum(axis=0) > 0.05 * magnitude.sum(axis=0).max()
    return np.median((f_hz @ magnitude / (magnitude.sum(axis=0) + 1e-9))[loud])


def attacks_per_s(x, rate_hz):
    """Return how often the energy jumps: peaks of the spectral flux well above its median."""
    _, t_s, spectrum = signal.stft(x.mean(axis=1), rate_hz, nperseg=1024, noverlap=512)
    flux = np.maximum(np.diff(np.log1p(100 * np.abs(spectrum)), axis=1), 0).mean(axis=0)
    peaks, _ = signal.find_peaks(flux, height=0.12, distance=5)
    return len(peaks) / t_s[-1]


def low_share(x, rate_hz):
    """Return the share of the power that lies below 120 Hz."""
    f_hz, power = signal.welch(x.mean(axis=1), rate_hz, nperseg=8192)
    return power[f_hz < 120].sum() / power.sum()


def flatness(x, rate_hz):
    """Return the spectral flatness between 1 and 5 kHz: near 0 for tones, 1 for noise."""
    f_hz, _, spectrum = signal.stft(x.mean(axis=1), rate_hz, nperseg=4096)
    power = np.abs(spectrum[(f_hz > 1000) & (f_hz < 5000)]) ** 2 + 1e-12
    return np.median(np.exp(np.log(power).mean(axis=0)) / power.mean(axis=0))


def test_there_are_four_pieces_in_each_of_six_styles_and_formats():
    assert len(STYLES) == len(FORMATS) == 6
    assert set(Counter(piece.style for piece in PIECES).values()) == {4}
    assert set(Counter(piece.format.suffix for piece in PIECES).values()) == {4}
    assert len({(piece.style, piece.format.suffix) for piece in PIECES}) == 24
    assert len({piece.album for piece in PIECES}) == 6
    assert len({piece.artist for piece in PIECES}) == 12
    assert len({piece.title for piece in PIECES}) == 24


def test_files_lie_where_the_pieces_say(music):
    out_dir, paths, reported = music
    assert paths == [out_dir / piece.path for piece in PIECES]
    assert sorted(p for p in out_dir.rglob("*") if p.is_file()) == sorted(paths)
    assert reported == [(path, i + 1, 24) for i, path in enumerate(paths)]


@pytest.mark.parametrize("i", range(24), ids=[f"{p.title}{p.format.suffix}" for p in PIECES])
def test_piece_decodes_to_what_was_composed(i, music, sounds):
    piece, path = PIECES[i], music[1][i]
    x, rate_hz = sounds[i]
    assert rate_hz == piece.format.rate_hz
    duration_s = len(x) / rate_hz
    assert 20.0 <= duration_s <= 40.0
    with av.open(str(path)) as file:
        assert file.duration / av.time_base == pytest.approx(duration_s, abs=0.1)
    # Players and tag readers trust what the container states.
    assert TinyTag.get(path).duration == pytest.approx(duration_s, abs=0.1)
    assert np.isfinite(x).all()
    lossless = piece.format.suffix in {".flac", ".wav"}
    peak_db = 20 * np.log10(np.abs(x).max())
    # A lossy codec moves single peaks; anything beyond 1 dB would be heard.
    assert peak_db == pytest.approx(-1.0, abs=0.01) if lossless else -2.0 < peak_db < 1.0
    assert np.abs(x[-round(0.02 * rate_hz) :]).max() < 0.02
    assert not np.array_equal(x[:, 0], x[:, 1])


@pytest.mark.parametrize("i", range(24), ids=[f"{p.title}{p.format.suffix}" for p in PIECES])
def test_tags_are_read_back(i, music):
    piece = PIECES[i]
    tag = TinyTag.get(music[1][i])
    assert (tag.title, tag.artist, tag.album) == (piece.title, piece.artist, piece.album)
    assert tag.genre == STYLES[piece.style].genre
    assert (int(tag.track), tag.year) == (piece.track, str(piece.year))
    # RIFF INFO has no field for it.
    assert tag.albumartist == (None if piece.format.suffix == ".wav" else piece.album_artist)


def test_styles_sound_different(sounds):
    """Any two styles are told apart by one of four measures with no overlap at all."""
    measures = [brightness_hz, attacks_per_s, low_share, flatness]
    values = {style: [] for style in range(6)}
    for piece, (x, rate_hz) in zip(PIECES, sounds, strict=True):
        values[piece.style].append([measure(x, rate_hz) for measure in measures])
    for a, b in itertools.combinations(range(6), 2):
        first, second = np.array(values[a]), np.array(values[b])
        apart = (first.min(axis=0) > second.max(axis=0)) | (second.min(axis=0) > first.max(axis=0))
        assert apart.any(), f"{STYLES[a].genre} and {STYLES[b].genre}: {first} {second}"


def test_styles_are_what_they_are_called(sounds):
    by_style = {style.genre: [] for style in STYLES}
    for piece, sound in zip(PIECES, sounds, strict=True):
        by_style[STYLES[piece.style].genre].append(sound)
    assert all(attacks_per_s(*s) < 0.1 for s in by_style["Ambient"])
    assert all(attacks_per_s(*s) > 1.0 for g, v in by_style.items() if g != "Ambient" for s in v)
    assert all(low_share(*s) > 0.45 for s in by_style["House"])
    assert all(low_share(*s) < 0.05 for s in by_style["Waltz"])
    # Distortion fills the spectrum; square waves leave gaps.
    assert min(flatness(*s) for s in by_style["Metal"]) > max(
        flatness(*s) for s in by_style["Chiptune"]
    )
    centroid_hz = {g: np.median([brightness_hz(*s) for s in v]) for g, v in by_style.items()}
    assert sorted(centroid_hz, key=centroid_hz.get)[:3] == ["Ambient", "Waltz", "Swing"]


@pytest.mark.parametrize("style", STYLES, ids=[style.genre for style in STYLES])
def test_pieces_of_a_style_differ(style):
    four = sketches(style, np.random.default_rng(5))
    assert len({sketch.key for sketch in four}) == 4
    assert len({sketch.progression for sketch in four}) == 4
    tempos = sorted(sketch.tempo_bpm for sketch in four)
    assert style.tempo_bpm[0] <= tempos[0]
    assert tempos[-1] <= style.tempo_bpm[1]


@pytest.mark.parametrize("style", range(6), ids=[style.genre for style in STYLES])
def test_same_seed_gives_the_same_sound_and_another_seed_another(style):
    piece = next(piece for piece in PIECES if piece.style == style)
    first = compose(piece, 3)
    assert np.array_equal(first, compose(piece, 3))
    other = compose(piece, 4)
    n = min(len(first), len(other))
    assert abs(np.corrcoef(first[:n].T, other[:n].T)[0, 2]) < 0.5


@pytest.mark.parametrize("seed", range(1, 9))
def test_any_seed_gives_sound_pieces(seed):
    rng = np.random.default_rng(seed)
    style = STYLES[seed % 6]
    x = style.compose(sketches(style, rng)[seed % 4], rng, 44_100)
    assert x.dtype == np.float32
    assert x.shape[1] == 2
    assert 20.0 <= len(x) / 44_100 <= 40.0
    assert np.isfinite(x).all()


@pytest.mark.parametrize("how", FORMATS, ids=lambda how: how.suffix)
def test_same_sound_gives_the_same_packets(how, tmp_path):
    piece = next(piece for piece in PIECES if piece.format == how)
    sound = compose(piece, 0)[: 5 * how.rate_hz]
    for name in ("a", "b"):
        writing._write(tmp_path / name, sound, how, piece.tags)
    assert packets(tmp_path / "a") == packets(tmp_path / "b")
    assert len(packets(tmp_path / "a")) > 5


def test_own_output_is_replaced_and_hidden_files_stay(tmp_path):
    three = PIECES[:3]
    first = writing._write_pieces(tmp_path, three, 0, None)
    first[0].write_bytes(b"overwritten by accident")
    first[1].unlink()
    (tmp_path / ".DS_Store").write_bytes(b"x")
    half = first[2].with_name(f".{first[2].name}.part")
    half.write_bytes(b"left by a kill")
    writing._check_folder(tmp_path, [tmp_path / piece.path for piece in PIECES])
    assert writing._write_pieces(tmp_path, three, 0, None) == first
    assert packets(first[0])
    assert packets(first[1])
    assert (tmp_path / ".DS_Store").read_bytes() == b"x"
    assert not half.exists()


def test_foreign_files_are_refused_and_left(tmp_path):
    theirs = tmp_path / "Holiday" / "song.mp3"
    theirs.parent.mkdir()
    theirs.write_bytes(b"mine")
    with pytest.raises(PathError, match=r"song\.mp3.*Name a new or empty folder"):
        write_demo_music(tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [theirs]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    target = tmp_path / "music"
    target.write_text("")
    with pytest.raises(PathError, match=r"it is a file\. Name"):
        write_demo_music(target)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PathError, match=r"cannot write demo music to .*file.*Name a folder"):
        write_demo_music(tmp_path / "file" / "music")


def test_negative_seed_is_refused(tmp_path):
    with pytest.raises(InputError, match="seed -1"):
        write_demo_music(tmp_path, seed=-1)


def test_a_failure_after_encoding_leaves_no_half_file(tmp_path):
    path = tmp_path / "x.wav"
    (path / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match=re.escape(str(path))):
        writing._write(path, np.zeros((48_000, 2), np.float32), FORMATS[-1], PIECES[0].tags)
    assert list(tmp_path.iterdir()) == [path]
