from pathlib import Path

import numpy as np
import pytest

from support.caches import write_cache
from tonotope.errors import InputError, LeakError
from tonotope.training.cache import Cache, read_cache
from tonotope.training.evaluation.provenance import provenance
from tonotope.training.parting import Source, data_digest, judged_part, parted

PARTS = {"train": 4, "valid": 2}


def made(folder: Path, rows: list[dict[str, str]] | None = None, **options: int) -> Cache:
    return read_cache(write_cache(folder, PARTS, rows=rows, **options))


def test_clips_without_a_genre_are_in_no_part(tmp_path: Path) -> None:
    cache = made(tmp_path, [{}, {"genre": ""}, *[{}] * 11, {"genre": ""}])
    (split,) = parted(cache, ["official"], 0, allow_leaks=False)
    assert split.parts["train"].tolist() == [0, *range(2, 12)]
    assert split.parts["valid"].tolist() == [12, *range(14, 18)]
    assert judged_part(split) == "valid"
    for fold in parted(cache, ["artist:3"], 0, allow_leaks=False):
        assert not {1, 13} & set(np.concatenate(list(fold.parts.values())).tolist())


@pytest.mark.parametrize("hows", [[], ["official", "official"]])
def test_ways_to_split_are_named_once(tmp_path: Path, hows: list[str]) -> None:
    with pytest.raises(InputError, match="several that differ"):
        parted(made(tmp_path), hows, 0, allow_leaks=False)


def test_several_splits_all_have_a_part_to_judge_by(tmp_path: Path) -> None:
    cache = read_cache(write_cache(tmp_path, {"train": 6}))
    (alone,) = parted(cache, ["official"], 0, allow_leaks=False)
    assert judged_part(alone) == ""
    with pytest.raises(InputError, match="'official' has neither a test nor a validation part"):
        parted(cache, ["artist:3", "official"], 0, allow_leaks=False)


def test_a_split_without_training_clips_is_refused(tmp_path: Path) -> None:
    cache = read_cache(write_cache(tmp_path, {"valid": 3}))
    with pytest.raises(InputError, match="no training part"):
        parted(cache, ["official"], 0, allow_leaks=False)


def test_what_is_built_on_has_not_heard_what_is_judged(tmp_path: Path) -> None:
    cache = made(tmp_path)
    of_valid = {"trained_on": provenance([cache.clips[14]])}
    with pytest.raises(LeakError, match=r"judged by what other 1 was trained on \(1 leaks\)"):
        parted(cache, ["official"], 0, allow_leaks=False, source=Source("other 1", of_valid))
    source = Source("other 1", of_valid)
    (split,) = parted(cache, ["official"], 0, allow_leaks=True, source=source)
    assert split.is_leaky
    assert split.leaks[0].startswith("other 1: clip 'noisy.valid.000' was trained on")
    of_train = {"trained_on": provenance([cache.clips[3]])}
    source = Source("other 1", of_train)
    (split,) = parted(cache, ["official"], 0, allow_leaks=False, source=source)
    assert not split.is_leaky


def test_other_clips_have_another_digest(tmp_path: Path) -> None:
    first = data_digest(made(tmp_path / "a"))
    assert data_digest(made(tmp_path / "b")) == first  # where they lie does not matter
    assert data_digest(made(tmp_path / "c", seed=1)) != first  # what they sound like does
    assert data_digest(made(tmp_path / "d", [{"genre": "low"}])) != first
    assert data_digest(made(tmp_path / "e", [{"artist": "x"}])) != first
