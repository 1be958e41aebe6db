"""What a model card says, and what is said of one that says it wrongly."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from tonotope.errors import ModelError
from tonotope.models import cards, representations
from tonotope.models.cards import BUNDLED_CARD, OutputNames, read_card
from tonotope.models.representations import GtzanMel, LogMel, Waveform

PAGE = Path(__file__).parents[2] / "docs" / "model-cards.md"

CARD = """\
name = "small"
version = 2
file = "small.onnx"
sha256 = "00"
[input]
representation = "gtzan-mel"
[output]
labels = ["blues", "rock"]
embedding_size = 4
"""


def written(tmp_path, text: str | bytes):
    path = tmp_path / "card.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_card_says_what_the_network_needs(tmp_path):
    card = read_card(written(tmp_path, CARD))
    assert card.model_id == "small 2"
    assert card.file == tmp_path / "small.onnx"
    assert card.labels == ("blues", "rock")
    assert card.embedding_size == 4
    assert card.document["input"] == {"representation": "gtzan-mel"}
    assert card.input == GtzanMel()
    assert card.output == OutputNames("probabilities", "none", "embedding", "none")
    assert (card.path, card.sha256) == (tmp_path / "card.toml", "00")


def test_the_bundled_card_is_complete():
    card = read_card()
    assert card.file.parent == BUNDLED_CARD.parent
    assert len(card.labels) == len(set(card.labels)) == 10
    document = card.document
    assert document["licence"]
    assert document["data"]["name"]
    assert document["measured"]["valid_accuracy"] >= 0.62
    assert (document["input"]["window_s"], document["input"]["n_columns"]) == (30.0, 333)
    assert card.file.stat().st_size < 5_000_000


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda card: card.replace('name = "small"\n', ""), "lacks 'name'"),
        (lambda card: card.replace("labels", "genres").replace("embedding_", ""), "lacks 'labels'"),
        (lambda card: card.replace("[input]", "[inputs]"), "lacks 'input'"),
        (lambda card: "output = 3\n" + card.replace("[output]", "[outputs]"), "malformed"),
        (lambda card: card.replace("embedding_size = 4", 'embedding_size = "x"'), "malformed"),
        (lambda card: card.replace('"small.onnx"', "7"), "malformed"),
        (lambda card: card.replace('["blues", "rock"]', '"blues rock"'), "malformed"),
        (lambda card: card + "this is no TOML", "malformed"),
        (lambda card: card.encode() + b"\xff\xfe", "malformed"),
        (lambda card: card.replace("gtzan-mel", "cqt"), "asks for input 'cqt'"),
    ],
)
def test_a_bad_card_is_refused_in_one_line(tmp_path, break_it, reason):
    path = written(tmp_path, break_it(CARD))
    with pytest.raises(ModelError) as caught:
        read_card(path)
    message = str(caught.value)
    assert reason in message
    assert str(path) in message
    assert "\n" not in message
    assert message.endswith(("or reinstall the model.", "Update Tonotope."))


def test_a_missing_card_is_refused_in_one_line(tmp_path):
    with pytest.raises(ModelError, match=r"cannot read model card '.*none\.toml': No such file"):
        read_card(tmp_path / "none.toml")


WAVEFORM = """\
name = "encoder"
version = "a"
[input]
representation = "waveform"
sample_rate_hz = 24000
window_s = 5
hop_s = 2.5
normalise = "zero-mean-unit-variance"
[output]
embedding = "last_hidden_state"
embedding_size = 768
pooling = "mean"
"""

LOG_MEL = """\
name = "tagger"
version = 1
file = "weights.onnx"
[input]
representation = "log-mel"
sample_rate_hz = 16000
n_fft = 512
hop_length = 256
n_mels = 96
mel_scale = "slaney"
norm = "slaney"
power = 2
log = "log10(1+10000x)"
window_s = 2.048
hop_s = 0.992
layout = "time,band"
[output]
labels = ["a", "b"]
logits = "scores"
activation = "sigmoid"
[measured]
part = "a part of its own"
accuracy = 0.5
"""


def test_a_card_of_a_waveform_encoder(tmp_path):
    card = read_card(written(tmp_path, WAVEFORM))
    assert card.input == Waveform(24000, 5.0, 2.5, "repeat", "zero-mean-unit-variance")
    assert (card.input.window_samples, card.input.hop_samples) == (120_000, 60_000)
    assert card.output == OutputNames(None, "none", "last_hidden_state", "mean")
    assert (card.labels, card.embedding_size) == ((), 768)
    # What it does not say.
    assert (card.file, card.sha256) == (tmp_path / "card.onnx", None)
    assert (card.licence, card.accuracy) == (None, None)


def test_a_card_of_mel_spectrograms(tmp_path):
    card = read_card(written(tmp_path, LOG_MEL))
    assert card.input == LogMel(
        sample_rate_hz=16000, n_fft=512, win_length=512, hop_length=256, n_mels=96, f_min_hz=0.0,
        f_max_hz=8000.0, mel_scale="slaney", norm="slaney", power=2, log="log10(1+10000x)",
        layout="time,band", window_s=2.048, hop_s=0.992, pad="repeat",
    )  # fmt: skip
    assert (card.input.window_frames, card.input.hop_frames) == (128, 62)
    assert card.output == OutputNames("scores", "sigmoid", None, "none")
    assert (card.labels, card.embedding_size) == (("a", "b"), None)
    assert (card.accuracy.value, card.accuracy.part) == (0.5, "a part of its own")


def test_a_remark_is_no_name_of_an_output(tmp_path):
    text = CARD.replace("[output]", '[output]\nprobabilities = "calibrated by a temperature"')
    assert read_card(written(tmp_path, text)).output.scores == "probabilities"
    text = CARD.replace("[output]", '[output]\nprobabilities = "PartitionedCall:0"')
    assert read_card(written(tmp_path, text)).output.scores == "PartitionedCall:0"


@pytest.mark.parametrize(
    ("card", "old", "new", "reason"),
    [
        (WAVEFORM, "24000", "24000.0", "input.sample_rate_hz is 24000.0, not a whole number from"),
        (WAVEFORM, "24000", "800", "input.sample_rate_hz is 800, not a whole number from 4000"),
        (WAVEFORM, "24000", "true", "input.sample_rate_hz is True, not a whole number"),
        (WAVEFORM, "window_s = 5\n", "", "lacks 'window_s' in [input]"),
        (WAVEFORM, "window_s = 5", "window_s = -5", "input.window_s is -5, not a number from"),
        (WAVEFORM, "window_s = 5", "window_s = nan", "input.window_s is nan, not a number"),
        (WAVEFORM, "hop_s = 2.5", "hop_s = 0", "input.hop_s is 0, not a number from 0.01"),
        (WAVEFORM, "normalise", "normalize", "input.normalize is no key there (these are: "),
        (WAVEFORM, "zero-mean-", "", "input.normalise is 'unit-variance', not one of: 'none'"),
        (WAVEFORM, "embedding_size = 768", "", "lacks 'embedding_size' in [output]"),
        (WAVEFORM, "768", "768\nunknown_below = 2", "output.unknown_below is 2, not a number from"),
        (WAVEFORM, "768", "0", "output.embedding_size is 0, not a whole number from 1"),
        (WAVEFORM, '"mean"', '"max"', "output.pooling is 'max', not one of: 'mean', 'none'"),
        (LOG_MEL, "hop_length = 256", "hop_length = 600", "input.hop_length is 600, not a whole"),
        (LOG_MEL, "slaney", "mel", "input.mel_scale is 'mel', not one of: 'slaney', 'htk'"),
        (LOG_MEL, "power = 2", "power = 3", "input.power is 3, not a whole number from 1 to 2"),
        (LOG_MEL, '"log10(1+10000x)"', '"log"', "input.log is 'log', not one of: 'db', 'ln', 'log"),
        (LOG_MEL, '"time,band"', '["time"]', "input.layout is ['time'], not one of"),
        (LOG_MEL, "n_fft", "f_max_hz = 9e3\nn_fft", "input.f_max_hz is 9000.0, not a number from"),
        (LOG_MEL, "n_fft", "f_min_hz = 8e3\nn_fft", "input.f_min_hz is 8000, not below f_max_hz"),
        (LOG_MEL, '"b"', '"a"', "output.labels holds 'a' more than once"),
        (LOG_MEL, '"b"', "7", "output.labels holds 7, which is no name"),
        (LOG_MEL, '["a", "b"]', "[]", "output.labels is [], not a list of names"),
        (LOG_MEL, '"sigmoid"', '"relu"', "output.activation is 'relu', not one of"),
        (LOG_MEL, "logits", "probabilities", "output.activation is for 'logits'"),
        (LOG_MEL, "logits", 'probabilities = "p"\nlogits', "both 'probabilities' and 'logits'"),
        (LOG_MEL, "weights.onnx", "a/weights.onnx", "file is 'a/weights.onnx', not the name"),
        (LOG_MEL, "weights.onnx", "..", "file is '..', not the name of an .onnx file"),
        (LOG_MEL, '"tagger"', '"two\\nlines"', "name is 'two\\nlines', not a text in one line"),
        (LOG_MEL, "version = 1", "version = []", "version is [], not a text in one line"),
        (LOG_MEL, "log-mel", "mel", "asks for input 'mel', which this version cannot compute"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(tmp_path, card, old, new, reason):
    assert old in card
    with pytest.raises(ModelError) as caught:
        read_card(written(tmp_path, card.replace(old, new, 1)))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_cards_in_the_documentation_are_cards(tmp_path):
    examples = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    found = [read_card(written(tmp_path, example)) for example in examples]
    assert [card.input.name for card in found] == ["waveform", "log-mel"]
    assert (found[1].input.window_frames, found[1].input.hop_frames) == (128, 62)


def test_every_key_and_every_choice_is_documented():
    tables = "\n".join(re.findall(r"^\|.*", PAGE.read_text("utf-8"), re.M))
    for representation in (LogMel, Waveform):
        for field in fields(representation):
            assert field.name == "name" or f"`{field.name}`" in tables, field.name
    choices = [
        *representations.MEL_SCALES, *representations.NORMS, *representations.LOGARITHMS,
        *representations.LAYOUTS, *representations.PADS, *representations.NORMALISATIONS,
        *cards._ACTIVATIONS, *cards._POOLINGS, *cards._REPRESENTATIONS,
    ]  # fmt: skip
    for choice in choices:
        assert f'`"{choice}"`' in tables, choice
    for key in ("name", "version", "file", "sha256", "labels", "embedding_size", "unknown_below"):
        assert f"`{key}`" in tables
