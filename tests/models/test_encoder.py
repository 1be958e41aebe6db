"""Networks that a person brings along hear files, and are refused where they break their word."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

pytest.importorskip("onnx", reason="needs the extra 'train' (ONNX)")

import onnx
from onnx import TensorProto, helper

from support.models import LABELS, LOG_MEL, WAVEFORM, card_text, network, write_model
from tonotope.analysis import analyze, hear
from tonotope.audio import decode
from tonotope.errors import DecodeError, ModelError
from tonotope.models.cards import read_card
from tonotope.models.encoder import Encoder, hear_file
from tonotope.models.network import GenreNetwork, bundled_network
from tonotope.models.trial import try_out


@pytest.fixture(scope="module")
def song(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("encoder") / "song.wav"
    rng = np.random.default_rng(0)
    # Louder and louder: no two windows are alike.
    samples = np.linspace(0.01, 0.3, 44100 * 3)[:, None] * rng.standard_normal((44100 * 3, 2))
    soundfile.write(path, samples.astype(np.float32), 44100, subtype="FLOAT")
    return path


def decoded(path: Path, rate_hz: int) -> np.ndarray:
    with decode(path, sample_rate_hz=rate_hz) as blocks:
        return np.concatenate(list(blocks))


def encoder(folder: Path, model: bytes | None = None, **card) -> Encoder:
    return Encoder(read_card(write_model(folder, model, card_text(**card))))


def embeddings(heard) -> np.ndarray:
    return np.stack([window.embedding for window in heard])


def expected(windows: np.ndarray, size: int = 4) -> np.ndarray:
    """Return what the network of `support.models` gives for windows, computed anew."""
    rng = np.random.default_rng(1)
    rng.standard_normal((2, 3))
    axes = tuple(range(1, windows.ndim))
    both = np.stack([windows.mean(axis=axes), np.sqrt((windows**2).sum(axis=axes))], axis=1)
    return both @ rng.standard_normal((2, size))


@pytest.mark.parametrize("rate_hz", [16000, 22050, 24000, 44100, 48000])
def test_waveforms_at_any_rate(tmp_path, song, rate_hz):
    length = rate_hz // 2
    model = encoder(
        tmp_path,
        network(["batch", length]),
        hears={**WAVEFORM, "sample_rate_hz": rate_hz, "hop_s": 0.5},
    )
    heard = hear_file(song, model)
    assert [w.start_s for w in heard] == [k / 2 for k in range(6)]
    windows = decoded(song, rate_hz).reshape(6, length)
    np.testing.assert_allclose(embeddings(heard), expected(windows), rtol=1e-3, atol=1e-3)
    for window in heard:
        assert window.probabilities.shape == (3,)
        assert window.probabilities.dtype == window.embedding.dtype == np.float32
        assert window.probabilities.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("layout", ["time,band", "band,time"])
@pytest.mark.parametrize("channel", [[], [1], ["channels"]])
def test_mel_spectrograms(tmp_path, song, layout, channel):
    shape = [128, 96] if layout == "time,band" else [96, 128]
    model = encoder(
        tmp_path, network(["batch", *channel, *shape]), hears={**LOG_MEL, "layout": layout}
    )
    heard = hear_file(song, model)
    assert [round(w.start_s, 3) for w in heard] == [0.0, 0.992]
    mel = librosa.feature.melspectrogram(
        y=decoded(song, 16000), sr=16000, n_fft=512, hop_length=256, n_mels=96, pad_mode="constant"
    ).T
    frames = np.log10(1 + 10000 * mel)
    last = frames[62:]
    windows = np.stack([frames[:128], last[np.arange(128) % len(last)]])
    np.testing.assert_allclose(embeddings(heard), expected(windows), rtol=1e-3, atol=1e-3)


def test_gtzan_mel_networks_are_heard_as_in_analysis(song):
    bundled = bundled_network()
    (ours,) = hear_file(song, Encoder(bundled.card))
    theirs = analyze(song, families=())
    np.testing.assert_allclose(ours.probabilities, theirs.window_probabilities[0], atol=1e-6)
    np.testing.assert_allclose(ours.embedding, theirs.embedding, atol=1e-5)


@pytest.mark.parametrize("fixed", [1, 4, 64])
def test_a_network_may_insist_on_a_number_of_windows(tmp_path, song, fixed):
    any_number = hear_file(song, encoder(tmp_path / "a"))
    as_many = hear_file(song, encoder(tmp_path / "b", network([fixed, 8000])))
    np.testing.assert_allclose(embeddings(as_many), embeddings(any_number), rtol=1e-4, atol=1e-5)


def test_outputs_over_time_are_averaged(tmp_path, song):
    gives = {"embedding": "hidden", "embedding_size": 4, "pooling": "mean"}
    model = network(["batch", 8000], over_time=True, names=("probabilities", "hidden"))
    heard = hear_file(song, encoder(tmp_path, model, gives=gives))
    assert all(window.probabilities is None for window in heard)
    np.testing.assert_allclose(
        embeddings(heard), embeddings(hear_file(song, encoder(tmp_path / "b"))), rtol=1e-5
    )


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_logits_become_probabilities(tmp_path, song, activation):
    model = network(["batch", 8000], softmax=False, names=("scores", "embedding"))
    gives = {"labels": LABELS, "logits": "scores", "activation": activation}
    heard = hear_file(song, encoder(tmp_path, model, gives=gives))
    assert all(window.embedding is None for window in heard)
    probabilities = np.stack([window.probabilities for window in heard])
    by_softmax = np.stack([w.probabilities for w in hear_file(song, encoder(tmp_path / "b"))])
    if activation == "softmax":
        np.testing.assert_allclose(probabilities, by_softmax, atol=1e-5)
    else:
        # The same order of labels, and odds instead of shares.
        odds = probabilities / (1 - probabilities)
        np.testing.assert_allclose(odds / odds.sum(1, keepdims=True), by_softmax, atol=1e-3)
        assert np.ptp(probabilities.sum(axis=1)) > 1e-3


def test_a_whole_track_is_the_mean_of_its_windows(tmp_path, song):
    model = encoder(tmp_path)
    heard, track = hear_file(song, model), hear(song, model)
    assert track.labels == tuple(LABELS)
    assert track.model_id == "made 1"
    assert track.audio.sample_rate_hz == 44100
    assert track.window_probabilities.shape == (11, 3)
    np.testing.assert_allclose(track.embedding, embeddings(heard).mean(axis=0), rtol=1e-5)
    assert track.genres[0].genre in LABELS


def test_nothing_is_heard_in_silence(tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(44100), 44100)
    model = encoder(tmp_path)
    assert hear_file(tmp_path / "silence.wav", model) == []
    track = hear(tmp_path / "silence.wav", model)
    assert (track.genres, track.embedding) == ([], None)
    with pytest.raises(DecodeError):
        hear_file(tmp_path / "none.wav", model)


def refusal(folder: Path, model: bytes | None = None, **card) -> str:
    path = write_model(folder, model, card_text(**card))
    with pytest.raises(ModelError) as caught:
        try_out(read_card(path))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"network '{folder / 'made.onnx'}' ")
    return message


@pytest.mark.parametrize(
    ("model", "card", "reason"),
    [
        ({"input_shape": ["n", 7999]}, {}, "takes (n, 7999), where its card makes windows of"),
        ({"input_shape": ["n", 96, 8000]}, {}, "takes (n, 96, 8000), where its card makes"),
        ({"input_shape": ["n", 1, 1, 8000]}, {}, "takes (n, 1, 1, 8000), where its card makes"),
        ({"n_inputs": 2}, {}, "takes 2 inputs (input, mask), where one is given"),
        ({"input_type": TensorProto.DOUBLE}, {}, "takes tensor(double), not float32"),
        ({"n_labels": 4}, {}, "gives 'probabilities' of shape (1, 4), where its card promises"),
        ({"embedding_size": 5}, {}, "of shape (1, 5), where its card promises (1, 4)"),
        ({"over_time": True}, {}, "promises (1, 4), pooling = 'mean' averages the axis between"),
        ({"softmax": False}, {}, "which are no probabilities (are they logits?)"),
        ({"factor": np.nan}, {}, "gives numbers in 'probabilities' that are not finite"),
        ({"names": ("p", "e")}, {}, "has no output 'probabilities', which its card promises"),
        ({}, {"gives": {"embedding_size": 4, "embedding": "x"}}, "has no output 'x'"),
        ({}, {"sha256": "00"}, "is not the one its card describes (sha256 differs)"),
    ],
)
def test_a_network_that_breaks_its_cards_word_is_refused(tmp_path, model, card, reason):
    made = network(**{"input_shape": ["n", 8000], **model})
    # Windows come one at a time, so that shapes are the same in each message.
    hears = {**WAVEFORM, "hop_s": 10.0}
    assert reason in refusal(tmp_path, made, **{"hears": hears, **card})


def test_what_is_no_network_is_refused(tmp_path):
    assert "does not load: " in refusal(tmp_path, b"This is no ONNX file.\n" * 100)
    assert "does not load: " in refusal(tmp_path, b"")
    assert "does not load: " in refusal(tmp_path, network(["n", 8000])[:-50])


def test_a_network_in_two_files_is_refused(tmp_path):
    path = write_model(tmp_path).with_suffix(".onnx")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="made.data",
              size_threshold=0)  # fmt: skip
    message = refusal(tmp_path, path.read_bytes())
    assert message.endswith("Export it with its weights inside, as one file.")


def test_a_network_that_fails_while_it_runs_is_refused(tmp_path):
    # Of no fixed length, it cannot be seen before: three steps of its own do not fit.
    nodes = [helper.make_node("Reshape", ["input", "shape"], ["embedding"])]
    graph = helper.make_graph(
        nodes,
        "fails",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", "samples"])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [None, None])],
        [onnx.numpy_helper.from_array(np.array([-1, 7], np.int64), "shape")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    message = refusal(tmp_path, model.SerializeToString(), gives={"embedding_size": 7})
    assert " fails: " in message


def test_a_library_cannot_be_heard_by_other_networks(tmp_path):
    card = read_card(write_model(tmp_path))
    with pytest.raises(ModelError, match="cannot listen to a library"):
        GenreNetwork(card)
