"""The bundled network hears; a network that is not what its card says is refused."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from tonotope.errors import ModelError
from tonotope.models.cards import read_card
from tonotope.models.frontend import Window
from tonotope.models.network import GenreNetwork, bundled_network, mean_embedding

GENRES = {
    "blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock",
}  # fmt: skip


def window(seed: int, start_s: float = 0.0) -> Window:
    log_mel = np.random.default_rng(seed).uniform(-80, 0, (333, 128)).astype(np.float32)
    return Window(start_s, log_mel)


def test_the_bundled_network_hears():
    network = bundled_network()
    assert set(network.card.labels) == GENRES
    heard = network.hear(window(0, start_s=12.5))
    assert heard.start_s == 12.5
    assert heard.probabilities.shape == (10,)
    assert heard.probabilities.dtype == np.float32
    assert heard.probabilities.min() >= 0
    assert heard.probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert heard.embedding.shape == (256,)
    assert heard.embedding.dtype == np.float32
    assert np.isfinite(heard.embedding).all()


def test_is_loaded_once():
    assert bundled_network() is bundled_network()


def test_the_same_window_gives_the_same_bits():
    network = bundled_network()
    first, _, second = (network.hear(window(seed)) for seed in (1, 2, 1))
    assert np.array_equal(first.probabilities, second.probabilities)
    assert np.array_equal(first.embedding, second.embedding)


def test_what_else_is_in_a_batch_does_not_matter():
    network = bundled_network()
    windows = [window(seed) for seed in range(5)]
    session = onnxruntime.InferenceSession(
        network.card.file.read_bytes(), providers=["CPUExecutionProvider"]
    )
    batch = np.stack([w.log_mel for w in windows])
    probabilities, embeddings = session.run(["probabilities", "embedding"], {"log_mel": batch})
    for k, w in enumerate(windows):
        alone = network.hear(w)
        np.testing.assert_allclose(alone.probabilities, probabilities[k], atol=1e-5)
        np.testing.assert_allclose(alone.embedding, embeddings[k], atol=1e-4)


def test_a_window_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(128, 333\), expected \(333, 128\)"):
        bundled_network().hear(Window(0.0, np.zeros((128, 333), np.float32)))


@pytest.mark.data
def test_names_the_genres_of_its_data(data_dir):
    # Not a measurement (that is the training script's; these weights have heard these clips), but
    # the wiring: column order, decibels and labels. Without any of them this falls to chance, 0.1.
    table = np.genfromtxt(
        data_dir / "gtzan-mel" / "clips.csv",
        delimiter=",",
        usecols=(1, 2),
        dtype=str,
        skip_header=1,
    )
    valid = np.flatnonzero(table[:, 1] == "valid")
    mel = np.load(data_dir / "gtzan-mel" / "mel.npy", mmap_mode="r")
    network = bundled_network()
    right = 0
    for k in valid:
        log_mel = mel[k].T.astype(np.float32) / 255 * 80 - 80
        heard = network.hear(Window(0.0, np.ascontiguousarray(log_mel)))
        right += network.card.labels[int(np.argmax(heard.probabilities))] == table[k, 0]
    assert right / len(valid) > network.card.document["measured"]["valid_accuracy"]


def test_the_mean_embedding_is_the_mean():
    network = bundled_network()
    heard = [network.hear(window(seed)) for seed in range(3)]
    mean = mean_embedding(heard)
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, np.mean([h.embedding for h in heard], axis=0), rtol=1e-5)


@pytest.fixture
def copied_card(tmp_path):
    card = read_card()
    copy = tmp_path / "copied.onnx"
    shutil.copyfile(card.file, copy)
    return replace(card, file=copy)


def with_content(card, content: bytes):
    """Return a card that vouches for other content."""
    card.file.write_bytes(content)
    return replace(card, sha256=hashlib.sha256(content).hexdigest())


def refusal(card) -> str:
    with pytest.raises(ModelError) as caught:
        GenreNetwork(card)
    message = str(caught.value)
    assert "\n" not in message
    assert f"network '{card.file}'" in message
    assert message.endswith("Reinstall the model.")
    return message


def test_a_copied_network_loads(copied_card):
    assert GenreNetwork(copied_card).hear(window(0)).embedding.shape == (256,)


def test_a_missing_network_is_refused(copied_card):
    copied_card.file.unlink()
    assert "cannot read" in refusal(copied_card)
    assert "No such file" in refusal(copied_card)


def test_a_changed_network_is_refused(copied_card):
    content = bytearray(copied_card.file.read_bytes())
    content[len(content) // 2] ^= 1
    copied_card.file.write_bytes(content)
    assert "is not the one its card describes (sha256 differs)" in refusal(copied_card)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_a_truncated_network_is_refused(copied_card, share):
    content = copied_card.file.read_bytes()
    truncated = content[: int(share * len(content))]
    copied_card.file.write_bytes(truncated)
    assert "sha256 differs" in refusal(copied_card)
    assert "does not load" in refusal(with_content(copied_card, truncated))


def test_a_network_with_other_outputs_is_refused(copied_card):
    content = copied_card.file.read_bytes().replace(b"probabilities", b"probabilitoes")
    assert "promises {'probabilities': [10]" in refusal(with_content(copied_card, content))


def test_a_network_with_fewer_labels_than_its_card_is_refused(copied_card):
    assert "gives {" in refusal(replace(copied_card, labels=(*copied_card.labels, "polka")))
    assert "gives {" in refusal(replace(copied_card, embedding_size=64))
