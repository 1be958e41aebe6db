import re
from pathlib import Path

import pytest

from tonotope.errors import InputError
from tonotope.training.config import (
    PRESETS,
    TrainingConfig,
    preset_of,
    read_config,
    resolve_config,
    to_toml,
)


def test_liu2020_is_as_published() -> None:
    config = resolve_config(preset_of("liu2020"))
    assert (config.model, config.epochs, config.batch_size) == ("bbnn", 100, 8)
    assert (config.optimizer, config.learning_rate, config.weight_decay) == ("adam", 0.01, 0)
    assert (config.schedule, config.patience_epochs) == ("plateau", 3)
    assert not config.augment
    assert config.mixup_alpha == config.label_smoothing == config.ema_decay == 0


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_survives_being_written_and_read(name: str, tmp_path: Path) -> None:
    config = resolve_config(
        preset_of(name), {"teacher": 'a "quoted\\ name.npz', "teacher_weight": 2}
    )
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config), encoding="utf-8")
    assert resolve_config(read_config(path)) == config


def test_later_layers_win_and_words_become_numbers() -> None:
    config = resolve_config({"epochs": 3, "seed": 1}, {"epochs": "7", "augment": "gain, noise"})
    assert (config.epochs, config.seed, config.augment) == (7, 1, ("gain", "noise"))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"epochs": 0}, "epochs is 0; it is 1 at least"),
        ({"epochs": "many"}, "expected a whole number"),
        ({"epochs": 2.5}, "expected a whole number"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"optimizer": "adamax"}, "one of adam, adamw, sgd"),
        ({"label_smoothing": 1.0}, "below 1"),
        ({"teacher_weight": 1.0}, "but no teacher"),
        ({"teacher": "tags.npz"}, "teacher_weight is 0"),
        ({"seed": 2**40}, "at most"),
        ({"threads": 100_000}, "512 at most"),
        ({"train_parts": ["test"]}, "train, or train,valid"),
        ({"epoch": 3}, "no setting 'epoch'"),
        ({"augment": 3}, "expected names"),
    ],
)
def test_impossible_settings_are_named(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        resolve_config(settings)


def test_every_setting_and_preset_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text("utf-8")
    documented = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| `.*?\|", page, re.M))))
    assert documented == {*TrainingConfig.__dataclass_fields__}
    for name in PRESETS:
        assert f"`{name}`" in page


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("epochs = ", encoding="utf-8")
    with pytest.raises(InputError, match="no TOML"):
        read_config(path)
    with pytest.raises(InputError, match="No such file"):
        read_config(tmp_path / "absent.toml")
