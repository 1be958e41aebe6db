"""Feature tables as a data set, in the layouts that are met; features of caches and networks."""

from __future__ import annotations

import csv
from pathlib import Path

import librosa
import numpy as np
import pytest

from support.models import write_model
from tonotope.errors import InputError, PathError
from tonotope.models.cards import BUNDLED_CARD, read_card
from tonotope.models.encoder import Encoder
from tonotope.models.frontend import Window
from tonotope.models.network import bundled_network
from tonotope.training.cache import Cache, decibels, read_cache
from tonotope.training.clip_features import embedding_features, features_of_cache, n_features
from tonotope.training.clips import Clip
from tonotope.training.feature_tables import table_features

NAMES = ["blues.00001", "rock.00000"]


def write_csv(path: Path, rows: list[list[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def kaggle(tmp_path) -> Path:
    return write_csv(
        tmp_path / "features_30_sec.csv",
        [
            ["filename", "length", "chroma_stft_mean", "tempo", "label"],
            ["blues.00000.wav", 661794, 0.1, 100, "blues"],
            ["blues.00001.wav", 661794, 0.25, "", "blues"],
            ["rock.00000.wav", 661794, "inf", 140.5, "rock"],
        ],
    )


def test_a_table_as_on_kaggle(kaggle):
    X, columns = table_features(kaggle, NAMES)
    assert columns == ("chroma_stft_mean", "tempo")
    assert X.dtype == np.float32
    np.testing.assert_array_equal(X, np.float32([[0.25, np.nan], [np.nan, 140.5]]))
    # As spreadsheets save it.
    kaggle.write_bytes("\ufeff".encode() + kaggle.read_bytes())
    # In the order of the clips.
    np.testing.assert_array_equal(table_features(kaggle, NAMES[::-1])[0], X[::-1])


def test_fma_features_with_three_header_rows(tmp_path):
    path = write_csv(
        tmp_path / "features.csv",
        [
            ["feature", "mfcc", "mfcc", "tonnetz"],
            ["statistics", "mean", "mean", "kurtosis"],
            ["number", "01", "02", "01"],
            ["track_id", "", "", ""],
            [2, 1.5, 2.5, 3.5],
            [10, 4.5, 5.5, 6.5],
        ],
    )
    X, columns = table_features(path, ["000010", "000002"])
    assert columns == ("mfcc_mean_01", "mfcc_mean_02", "tonnetz_kurtosis_01")
    np.testing.assert_array_equal(X, [[4.5, 5.5, 6.5], [1.5, 2.5, 3.5]])
    # As some tools write it anew, without the row that names the index.
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:3] + lines[4:]) + "\n")
    np.testing.assert_array_equal(table_features(path, ["000010", "000002"])[0], X)


def test_a_table_of_tonotope_features_csv_and_parquet(tmp_path, tonotope):
    from scipy.io import wavfile

    rng = np.random.default_rng(0)
    for name in ("rock/song.wav", "jazz/song.wav"):
        (tmp_path / name).parent.mkdir()
        wavfile.write(tmp_path / name, 22050, (rng.normal(size=30000) * 3000).astype(np.int16))
    given = {}
    for out in ("table.csv", "table.parquet"):
        done = tonotope(
            "features", tmp_path, "--out", tmp_path / out, "--set", "rms", "--jobs", "1"
        )
        assert done.returncode == 0, done.stderr
        # Named as a folder of folders names its clips.
        given[out] = table_features(tmp_path / out, ["jazz/song.wav", "rock/song.wav"])
    X, columns = given["table.csv"]
    assert X.shape == (2, 7)
    assert all(column.startswith("rms_") for column in columns)
    assert (X[0] != X[1]).any()
    np.testing.assert_array_equal(given["table.parquet"][0], X)
    with pytest.raises(InputError, match="clip 'song' has more than one row"):
        table_features(tmp_path / "table.csv", ["song"])


def test_windows_of_a_track_share_its_row(kaggle):
    X, _ = table_features(kaggle, ["rock.00000", "rock.00000#2", "rock.00000#10"])
    np.testing.assert_array_equal(X, np.repeat(X[:1], 3, axis=0))


def test_clips_without_a_row_are_named(kaggle):
    names = [*NAMES, *(f"jazz.0000{k}" for k in range(4))]
    with pytest.raises(InputError, match=r"4 of 6 clips have no row \('jazz.00000', .*, …\)"):
        table_features(kaggle, names)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        ("", "it is empty"),
        ("filename,label\nblues.00001,blues\nrock.00000,rock\n", "no column of numbers"),
        ("filename,a\nblues.00001,1\nrock.00000,two\n", "'two' of clip 'rock.00000', a, is no"),
        ("filename,a,b\nblues.00001,1,2\nrock.00000,1\n", "'rock.00000' has 2 cells, the header 3"),
        ("feature,mfcc\nblues.00001,1\n", "not the others"),
        ("filename,a\n\xff", "utf-8"),
    ],
)
def test_a_damaged_table_says_what_is_wrong(tmp_path, content, reason):
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(PathError, match=reason) as caught:
        table_features(path, NAMES)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_parquet_file_says_so(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(PathError, match="cannot use table"):
        table_features(path, NAMES)


@pytest.fixture
def cache(tmp_path) -> Cache:
    mel = np.random.default_rng(0).integers(0, 256, (70, 128, 333), dtype=np.uint8)
    return Cache(tmp_path, tuple(Clip(f"clip {k}", "rock") for k in range(70)), mel)


def test_cepstra_are_librosas(cache):
    X = features_of_cache(cache, "mfcc")
    assert X.shape == (70, n_features("mfcc")) == (70, 40)
    mfcc = librosa.feature.mfcc(S=decibels(cache.mel[69]).T, n_mfcc=20)
    np.testing.assert_allclose(X[69, :20], mfcc.mean(axis=1), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(X[69, 20:], mfcc.std(axis=1), rtol=1e-4, atol=1e-4)


def test_bands_are_means_and_deviations_in_db(cache):
    X = features_of_cache(cache, "mel")
    assert X.shape == (70, n_features("mel")) == (70, 256)
    band = cache.mel[66, 17] / 255 * 80 - 80
    assert X[66, 17] == pytest.approx(band.mean(), rel=1e-5)
    assert X[66, 128 + 17] == pytest.approx(band.std(), rel=1e-5)
    with pytest.raises(InputError, match=r"'chroma'\. There are: mfcc, mel"):
        features_of_cache(cache, "chroma")


def test_embeddings_are_what_the_bundled_network_says(cache):
    small = Cache(cache.folder, cache.clips[:2], cache.mel[:2])
    seen: list[tuple[int, int]] = []
    X = embedding_features(
        Encoder(read_card(BUNDLED_CARD)), small, lambda *progress: seen.append(progress)
    )
    heard = bundled_network().hear(Window(0.0, decibels(cache.mel[1])))
    np.testing.assert_array_equal(X[1], heard.embedding)
    assert len(X) == 2
    assert seen == [(1, 2), (2, 2)]


def test_a_network_that_hears_something_else_is_refused(cache, tmp_path):
    waveforms = Encoder(read_card(write_model(tmp_path)))
    with pytest.raises(InputError, match="hears no such spectrograms"):
        embedding_features(waveforms, cache)
    short = Cache(cache.folder, cache.clips, cache.mel[:, :, :100])
    with pytest.raises(InputError, match="its clips have 100 columns, networks hear 333"):
        embedding_features(Encoder(read_card(BUNDLED_CARD)), short)


@pytest.mark.data
def test_the_real_table_of_gtzan(data_dir):
    clips = read_cache(data_dir / "gtzan-mel").clips
    table = data_dir / "gtzan-mel" / "kaggle_features_30_sec.csv"
    X, columns = table_features(table, [clip.name for clip in clips])
    assert X.shape == (639, 57)
    assert {"label", "length", "filename"}.isdisjoint(columns)
    assert np.isfinite(X).all()
