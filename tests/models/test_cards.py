"""What a model card says, and what is said of one that says it wrongly."""

from __future__ import annotations

import pytest

from tonotope.errors import ModelError
from tonotope.models.cards import BUNDLED_CARD, read_card

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
