"""Several heads on one trunk: what they learn from, what they say, and where it is written."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from support.caches import write_cache
from tonotope.errors import InputError, PathError
from tonotope.models.cards import read_card
from tonotope.models.encoder import Encoder
from tonotope.models.frontend import Window
from tonotope.models.network import GenreNetwork
from tonotope.models.windows import InputWindow
from tonotope.training.batches import TrainingBatches
from tonotope.training.cache import Cache, decibels, numbers_of, read_cache
from tonotope.training.checkpoints import load_checkpoint, weights_of
from tonotope.training.committee import Committee
from tonotope.training.config import TrainingConfig, resolve_config
from tonotope.training.feature_tables import table_column
from tonotope.training.heads import Head, Heads, HeadSetting, head_settings, read_heads
from tonotope.training.listener import Listener
from tonotope.training.loop import Run, train
from tonotope.training.splits import make_splits

NAN = float("nan")
SETTINGS = {
    "epochs": 2, "batch_size": 6, "threads": 1, "precision": "float32", "device": "cpu",
    "model": "cnn",
}  # fmt: skip
ALL = ("genre", "multi-label", "regression:tempo_bpm")


def rows(n_of_each: int) -> list[dict[str, str]]:
    """Return what can be heard besides the genre: 'tonal' of two of the three, and a tempo."""
    told = []
    for k in range(n_of_each):
        for genre, tempo_bpm in (("high", 150), ("low", 80), ("noisy", 110)):
            genres = genre if genre == "noisy" else f"{genre}|tonal"
            told.append({"genres": genres, "tempo_bpm": str(tempo_bpm + k % 3)})
    return told


def cache_of(folder: Path, n_columns: int = 40, **cells: dict[int, str]) -> Cache:
    """Return a cache of 18 training and 9 validation clips; `cells` changes some, by row."""
    told = rows(9)
    for column, changes in cells.items():
        for row, value in changes.items():
            told[row][column] = value
    return read_cache(write_cache(folder, {"train": 6, "valid": 3}, n_columns=n_columns, rows=told))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return cache_of(tmp_path_factory.mktemp("caches") / "cache")


def config_of(*heads: str, **changes: object) -> TrainingConfig:
    return resolve_config(SETTINGS, {"heads": list(heads or ALL)}, changes)


def run(cache: Cache, folder: Path, config: TrainingConfig, **told: object) -> Run:
    (split,) = make_splits(cache.clips, "official", 0)
    return train(config, cache, split, folder, vary=lambda log_mel, _: log_mel, **told)


# What is asked for


def test_words_say_kind_column_and_weight() -> None:
    assert head_settings(["genre", "multi-label=0.5", "regression:tempo_bpm=2"]) == (
        HeadSetting("genre", "", 1.0),
        HeadSetting("multi-label", "", 0.5),
        HeadSetting("regression", "tempo_bpm", 2.0),
    )
    (_, strange) = head_settings(["genre", "regression:a:b=c"])
    assert (strange.column, strange.weight) == ("a:b=c", 1.0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["multi-label"], "lacks genre"),
        (["genre", "genre=2"], "has 'genre' twice"),
        (["genre", "regression:x", "regression:x=3"], "twice"),
        (["genre", "regression"], "a head is genre"),
        (["genre", "regression:"], "a head is genre"),
        (["genre:x"], "a head is genre"),
        (["genre", "mood"], "a head is genre"),
        (["genre=0"], "above 0"),
        (["genre=nan"], "above 0"),
        (["genre", "regression:embedding"], "another output so"),
    ],
)
def test_words_that_are_no_heads(words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        config_of(*words)
    assert "\n" not in str(refused.value)


def test_a_table_without_a_head_for_it_is_refused() -> None:
    with pytest.raises(InputError, match="no head for it"):
        config_of("genre", targets="table.csv")


# What is learned from


def test_targets_are_labels_and_numbers(cache: Cache) -> None:
    heads = read_heads(config_of(), cache)
    labels, tempo = heads
    assert labels.labels == ("high", "low", "noisy", "tonal")
    assert (labels.name, labels.kind, tempo.name, tempo.kind) == (
        "multi-label", "multi-label", "tempo_bpm", "regression",
    )  # fmt: skip
    assert heads.targets[:3].tolist() == [[1, 0, 0, 1, 150], [0, 1, 0, 1, 80], [0, 0, 1, 0, 110]]
    train_rows = np.arange(18)
    fitted = heads.fitted(train_rows)
    standard = fitted.standardised()[train_rows, 4]
    assert standard.mean() == pytest.approx(0, abs=1e-6)
    assert standard.std() == pytest.approx(1, abs=1e-6)
    other = heads.fitted(train_rows[::3])  # "high" alone: nothing of the other clips is used
    assert next(iter(other.heads[1:])).mean == pytest.approx(151)


def test_without_heads_nothing_is_read(cache: Cache) -> None:
    heads = read_heads(config_of("genre"), cache)
    assert (heads.n_outputs, heads.names, heads.digest) == (0, (), "")


def test_what_is_not_known_is_nan(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, genres={1: ""}, tempo_bpm={0: "", 2: "inf"})
    targets = read_heads(config_of(), cache).targets
    assert np.isnan(targets[0]).tolist() == [False] * 4 + [True]
    assert np.isnan(targets[1]).tolist() == [True] * 4 + [False]
    assert np.isnan(targets[2, 4])


def test_columns_that_cannot_be_learned_from(tmp_path: Path, cache: Cache) -> None:
    with pytest.raises(InputError, match=r"no column 'valence' \(it has: clip, .*--targets TABLE"):
        read_heads(config_of("genre", "regression:valence"), cache)
    broken = cache_of(tmp_path / "a", tempo_bpm={4: "fast"})
    with pytest.raises(PathError, match=r"'fast' for clip 'low\.train\.001'.*is no number"):
        numbers_of(broken, "tempo_bpm")
    plain = read_cache(write_cache(tmp_path / "b", {"train": 2}))
    with pytest.raises(InputError, match=r"column 'genres' of .* is empty or missing"):
        read_heads(config_of("genre", "multi-label"), plain)
    same = cache_of(tmp_path / "c", tempo_bpm=dict.fromkeys(range(18), "120"))
    with pytest.raises(InputError, match="all 18 numbers of training clips are the same"):
        read_heads(config_of(), same).fitted(np.arange(18))
    unknown = cache_of(tmp_path / "d", tempo_bpm=dict.fromkeys(range(18), ""))
    with pytest.raises(InputError, match="no training clip has a number"):
        read_heads(config_of(), unknown).fitted(np.arange(18))
    nameless = cache_of(tmp_path / "e", genres=dict.fromkeys(range(18), ""))
    with pytest.raises(InputError, match="no training clip has labels"):
        read_heads(config_of(), nameless).fitted(np.arange(18))


def test_numbers_of_a_table_by_the_names_of_clips(tmp_path: Path, cache: Cache) -> None:
    table = tmp_path / "ratings.csv"
    table.write_text("clip,mood,valence\nnoisy.train.000.wav,sad,0.25\nhigh.train.000,glad,\n")
    names = [clip.name for clip in cache.clips]
    numbers = table_column(table, "valence", names)
    assert np.flatnonzero(~np.isnan(numbers)).tolist() == [names.index("noisy.train.000")]
    assert np.nanmax(numbers) == 0.25
    heads = read_heads(config_of("genre", "regression:valence", targets=str(table)), cache)
    assert np.array_equal(heads.targets[:, 0], numbers, equal_nan=True)
    with pytest.raises(InputError, match=r"no column 'tempo' \(it has: clip, mood, valence\)"):
        table_column(table, "tempo", names)
    with pytest.raises(PathError, match=r"'glad' of clip 'high\.train\.000', mood, is no number"):
        table_column(table, "mood", names)


# The losses


def two_heads() -> Heads:
    heads = (Head("multi-label", ("a", "b"), 0.5), Head("tempo_bpm", (), 2.0, 100.0, 20.0))
    return Heads(heads, np.zeros((4, 3), np.float32))


def test_the_loss_by_hand() -> None:
    outputs = torch.tensor([[0.0, 2.0, 1.0], [-1.0, 0.5, 3.0]])
    targets = torch.tensor([[1.0, 0.0, 0.5], [NAN, NAN, NAN]])
    entropy = (math.log(2) + math.log(1 + math.exp(2))) / 2
    expected = 0.5 * entropy + 2.0 * 0.25
    assert float(two_heads().loss(outputs, targets)) == pytest.approx(expected, rel=1e-6)


def test_what_is_not_known_pulls_at_nothing() -> None:
    outputs = torch.zeros(2, 3, requires_grad=True)
    two_heads().loss(outputs, torch.tensor([[1.0, 0.0, NAN], [NAN, NAN, NAN]])).backward()
    assert (outputs.grad != 0).tolist() == [[True, True, False], [False, False, False]]
    nothing = torch.zeros(2, 3, requires_grad=True)
    loss = two_heads().loss(nothing, torch.full((2, 3), NAN))
    loss.backward()
    assert float(loss.detach()) == 0
    assert (nothing.grad == 0).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3))
def test_answers_undo_the_standardisation(numbers: list[float]) -> None:
    heads = two_heads()
    wanted = np.array([[0, 1, number] for number in numbers], np.float32)
    standard = Heads(heads.heads, wanted).standardised()
    labels, tempo = heads.answers(torch.from_numpy(standard))
    assert np.allclose(tempo.numpy()[:, 0], wanted[:, 2], rtol=1e-5, atol=1e-3)
    assert torch.allclose(labels, torch.tensor([[0.0, 1.0]]).expand(3, 2).sigmoid())


def test_mixing_with_the_unknown_is_unknown(cache: Cache) -> None:
    n_clips = len(cache.clips)
    others = np.arange(n_clips, dtype=np.float32)[:, np.newaxis]
    others[::2] = NAN
    batches = TrainingBatches(
        cache, np.arange(n_clips), np.zeros(n_clips, int), 3,
        config_of(mixup_alpha=1.0, batch_size=n_clips), lambda log_mel, _: log_mel, None,
        torch.Generator().manual_seed(0), others,
    )  # fmt: skip
    (batch,) = batches
    assert batch.others is not None
    known = ~batch.others.isnan()
    assert 0 < known.sum() < n_clips / 2  # about a quarter: both must be known
    assert (batch.others[known] % 1 != 0).any()


# The figures


def test_the_figures_by_hand() -> None:
    targets = np.array([[1, 0, 100], [0, 1, 120], [NAN, NAN, 140], [1, 1, NAN]], np.float32)
    heads = Heads(two_heads().heads, targets)
    labels = np.array([[0.9, 0.6], [0.2, 0.5], [0.5, 0.5], [0.8, 0.9]], np.float32)
    tempo = np.array([[110], [120], [130], [0]], np.float32)
    found = heads.figures([labels, tempo], np.arange(4))
    # Of b, the one clip without it lies second: precision 1 at the first, 2/3 at the last.
    assert found["multi-label"] == {
        "kind": "multi-label", "n": 3, "mean_average_precision": round((1 + 5 / 6) / 2, 6),
        "roc_auc": 0.75,
    }  # fmt: skip
    assert found["tempo_bpm"] == {
        "kind": "regression", "n": 3, "r2": 0.75, "mae": round(20 / 3, 6)
    }  # fmt: skip
    few = heads.figures([labels[3:], tempo[3:]], np.array([3]))
    assert few["tempo_bpm"] == {"kind": "regression", "n": 0, "r2": None, "mae": None}
    assert few["multi-label"]["roc_auc"] is None


# Training


def test_all_heads_learn(cache: Cache, tmp_path: Path) -> None:
    whole = run(cache, tmp_path, config_of(epochs=12, ema_decay=0.8, learning_rate=0.01))
    listener = Committee([Listener(whole.network)], heads=whole.heads).eval()
    with torch.no_grad():
        _, _, labels, tempo = listener(torch.from_numpy(decibels(cache.mel[18:])))
    figures = whole.heads.figures([labels.numpy(), tempo.numpy()], np.arange(18, 27))
    assert figures["multi-label"]["roc_auc"] > 0.8
    assert figures["tempo_bpm"]["r2"] > 0.3
    assert whole.history[-1].valid_accuracy > 0.6


def test_a_run_with_heads_goes_on_to_the_bit(cache: Cache, tmp_path: Path) -> None:
    config = config_of(epochs=3)

    class StoppedError(Exception):
        pass

    def stop(history: list, total: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        run(cache, tmp_path / "stopped", config, on_epoch=stop)
    resumed = run(cache, tmp_path / "stopped", config)
    whole = run(cache, tmp_path / "whole", config)
    first, second = whole.network.state_dict(), resumed.network.state_dict()
    assert "others.weight" in first
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert [e.valid_loss for e in whole.history] == [e.valid_loss for e in resumed.history]


def test_the_weight_of_a_head_counts(cache: Cache, tmp_path: Path) -> None:
    plain = run(cache, tmp_path / "a", config_of(epochs=1))
    heavy = run(cache, tmp_path / "b", config_of("genre", "multi-label=9", ALL[2], epochs=1))
    assert heavy.history[0].train_loss > plain.history[0].train_loss + 1
    assert heavy.history[0].valid_loss > plain.history[0].valid_loss + 1


def test_the_genre_alone_is_trained_as_ever(cache: Cache, tmp_path: Path) -> None:
    """Weights of a run by the version before there were heads: same draws, same arithmetic."""
    network = run(cache, tmp_path, config_of("genre")).network
    assert network.others is None
    assert set(load_checkpoint(tmp_path)["student"]) == {
        f"network.{name}" for name in network.state_dict()
    }


def test_other_targets_are_another_run(cache: Cache, tmp_path: Path) -> None:
    config = config_of("genre", "regression:tempo_bpm", epochs=1)
    run(cache, tmp_path / "run", config)
    changed = cache_of(tmp_path / "changed", tempo_bpm={5: "60"})
    with pytest.raises(InputError, match="other clips there"):
        run(changed, tmp_path / "run", config)


def test_a_run_with_heads_begins_with_one_without(cache: Cache, tmp_path: Path) -> None:
    run(cache, tmp_path / "first", config_of("genre", epochs=1))
    weights = weights_of(tmp_path / "first")
    tuned = run(
        cache, tmp_path / "tuned", config_of(epochs=2, ema_decay=0), initial=weights, frozen=True
    ).network.state_dict()
    for name, tensor in weights.items():
        assert torch.equal(tuned[name], tensor) != name.startswith("head."), name
    fresh = run(
        cache, tmp_path / "none", config_of(epochs=2, ema_decay=0), initial=weights
    ).network.state_dict()
    assert not torch.equal(fresh["others.weight"], tuned["others.weight"])


def test_a_committee_says_the_mean_of_its_members(cache: Cache, tmp_path: Path) -> None:
    runs = [run(cache, tmp_path / str(k), config_of(epochs=1, seed=k)) for k in (0, 1)]
    heads = runs[0].heads
    listeners = [Listener(r.network, 32, 3) for r in runs]
    log_mel = torch.from_numpy(decibels(cache.mel[:4]))
    with torch.no_grad():
        together = Committee(listeners, heads=heads)(log_mel)
        alone = [Committee([listener], heads=heads)(log_mel) for listener in listeners]
        crops = [log_mel[:, start : start + 32] for start in (0, 4, 8)]
        heard = [heads.answers(runs[0].network.outputs(runs[0].network(c)[1])) for c in crops]
    assert torch.allclose(together[3], (alone[0][3] + alone[1][3]) / 2, rtol=1e-4)
    logits = [torch.logit(one[2]) for one in alone]
    assert torch.allclose(torch.logit(together[2]), sum(logits) / 2, atol=1e-4)
    # And each that of its excerpts.
    assert torch.allclose(alone[0][3], torch.stack([tempo for _, tempo in heard]).mean(0))


# The command and its model


def tonotope(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with time enough for an export."""
    command = [sys.executable, "-m", "tonotope", *map(os.fspath, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_a_model_of_several_heads(tmp_path: Path) -> None:
    cache = cache_of(tmp_path / "cache", n_columns=333)
    # The tempo in seconds a beat, in a table.
    table = tmp_path / "beats.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["clip", "beat_s"])
        lines.writerows(
            [clip.name, 60 / tempo]
            for clip, tempo in zip(cache.clips, numbers_of(cache, "tempo_bpm"), strict=True)
        )
    words = [
        "train", "--data", cache.folder, "--out", tmp_path / "run", "--epochs", "3",
        "--threads", "1", "--device", "cpu", "--model", "cnn", "--set", "batch_size=6",
        "--set", "precision=float32", "--set", "crop_columns=100",
        "--set", "test_crops=3", "--set", "learning_rate=0.01", "--set", "ema_decay=0.8",
        "--heads", "genre,multi-label,regression:beat_s=0.5", "--targets", table,
    ]  # fmt: skip
    done = tonotope(*words)
    assert done.returncode == 0, done.stderr
    assert "multi-label: mean average precision " in done.stdout
    assert "beat_s: R² " in done.stdout
    result = json.loads((tmp_path / "run" / "result.json").read_text("utf-8"))
    assert (result["heads"]["multi-label"]["n"], result["heads"]["beat_s"]["n"]) == (9, 9)

    card = read_card(tmp_path / "run" / "model.toml")
    told = card.document["heads"]
    assert told["multi-label"]["labels"] == ["high", "low", "noisy", "tonal"]
    assert told["beat_s"]["column"] == "beat_s"
    beats = 60 / numbers_of(cache, "tempo_bpm")[:18]
    assert told["beat_s"]["mean"] == pytest.approx(beats.mean(), rel=1e-4)
    assert told["beat_s"]["deviation"] == pytest.approx(beats.std(), rel=1e-4)
    assert told["beat_s"]["mae"] == result["heads"]["beat_s"]["mae"]
    assert 0 <= told["beat_s"]["int8_difference"] < 0.5

    # The file says the same in the column's unit, and whoever knows of no heads can use it.
    session = onnxruntime.InferenceSession(card.file, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == [
        "probabilities", "embedding", "multi-label", "beat_s"
    ]  # fmt: skip
    log_mel = decibels(cache.mel[18:])
    probabilities, labels, beat_s = session.run(
        ["probabilities", "multi-label", "beat_s"], {"log_mel": log_mel}
    )
    wanted = 60 / numbers_of(cache, "tempo_bpm")[18:]
    assert np.abs(beat_s[:, 0] - wanted).mean() == pytest.approx(
        result["heads"]["beat_s"]["mae"], rel=1e-3
    )
    assert (labels.shape, labels.min() >= 0, labels.max() <= 1) == ((9, 4), True, True)
    heard = GenreNetwork(card).hear(Window(0.0, log_mel[0]))
    assert np.allclose(heard.probabilities, probabilities[0], atol=1e-5)
    (also,) = Encoder(card).hear_windows([InputWindow(0.0, log_mel[0])])
    assert np.allclose(also.embedding, heard.embedding, atol=1e-4)
    judged = tonotope("evaluate", "--model", tmp_path / "run", "--data", cache.folder, "--json")
    assert json.loads(judged.stdout)["accuracy"] == result["accuracy"]

    table.write_text(table.read_text("utf-8").replace("low.train.000,0.75", "low.train.000,0.8"))
    changed = tonotope(*words)
    assert changed.returncode == 2
    assert "was told something else" in changed.stderr
