"""Which features can be asked for, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.tables import (
    SMALL,
)
from tonotope.errors import InputError, PathError
from tonotope.extraction import extract_table, parse_set
from tonotope.features import DESCRIPTORS


def test_sets_as_people_write_them() -> None:
    assert parse_set("fma518") == "fma518"
    assert parse_set("mfcc, tempo,mfcc") == ("mfcc", "tempo")
    for words in ("tonotope,mfcc", "mfcc, fma518", "fma518,tonotope"):
        with pytest.raises(InputError, match=r"the set \w+ stands alone"):
            parse_set(words)
    for words, unknown in (("fma", "'fma'"), ("mfcc,", "''")):
        with pytest.raises(InputError, match=f"is called {unknown}") as refused:
            parse_set(words)
        assert all(name in str(refused.value) for name in (*DESCRIPTORS, "fma518", "tonotope"))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [({"paths": []}, InputError, "nothing to listen to"),
     ({"paths": ["/no/where"]}, PathError, "'/no/where': it does not exist"),
     ({"table": "fma"}, InputError, "no table is called 'fma'"),
     ({"table": ["mfcc", "what"]}, InputError, "no descriptor is called 'what'"),
     ({"table": []}, InputError, "no descriptor was named"),
     ({"table": ["cqt"]}, InputError, "'cqt' has no columns in a table; ask for its frames"),
     ({"out": "t.txt"}, InputError, "names no format of a table"),
     ({"out": "t"}, InputError, "names no format of a table"),
     ({"out": "none/t.csv"}, PathError, "there is no folder"),
     ({"jobs": 0}, InputError, "cannot use 0 processes"),
     ({"nice": 20}, InputError, "cannot be 20 nice")],
)  # fmt: skip
def test_impossible_wishes(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change, error, message
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        extract_table(**{"paths": [music], "out": "t.csv", "table": SMALL, **change})
    assert list(tmp_path.iterdir()) == []
