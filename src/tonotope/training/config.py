"""What a training run is told, in one TOML file: the preset, the file and the command's words."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from tonotope.errors import InputError
from tonotope.training.heads import GENRE, head_settings

__all__ = ["PRESETS", "TrainingConfig", "preset_of", "read_config", "resolve_config", "to_toml"]

_OPTIMIZERS = ("adam", "adamw", "sgd")
_SCHEDULES = ("constant", "plateau", "cosine", "one-cycle")
_PRECISIONS = ("auto", "float32", "bfloat16")
_DEVICES = ("auto", "cpu", "cuda", "mps")
_KEEPS = ("last", "best")


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """All settings of a run; a run writes them beside its results as ``config.toml``.

    Attributes
    ----------
    model
        A name of `tonotope.training.networks.NETWORKS`.
    seed
        Of weights, order, augmentation and everything else that is drawn.
    epochs, batch_size
        How often each clip is heard, and how many at a time; what fills no batch is left to the
        next epoch.
    optimizer, learning_rate, weight_decay
        ``adam``, ``adamw`` or ``sgd`` (momentum 0.9).
    schedule
        Of the learning rate: ``constant``; ``plateau`` (halved when the loss on the validation
        part has not fallen for `patience_epochs`); ``cosine`` (to 0); ``one-cycle`` (Smith 2018,
        up for 15 % of the steps).
    patience_epochs
        See `schedule`.
    early_stop_epochs
        End when the validation loss has not fallen for so many epochs; 0 for never.
    keep
        The weights of the ``last`` epoch, or of the ``best`` on the validation part, whose figures
        then flatter.
    gradient_norm
        Gradients of a larger norm are scaled down to it; 0 for never.
    ema_decay
        Of the moving average of the weights, per step, which is what is kept; 0 for none.
    label_smoothing
        Share of each target that is spread over all genres.
    mixup_alpha
        Of the Beta distribution that mixing shares are drawn from; 0 for no mixing.
    augment
        Names of `tonotope.training.augment.SPECTROGRAM`, applied in this order.
    crop_columns
        Length of the excerpts that are trained on, in columns of 90 ms; 0 for whole clips.
    tempo_spread
        Excerpts are played up to this much faster or slower (0.12: 12 %).
    test_crops
        How many evenly spread excerpts of `crop_columns` a window is judged by; 1 for the whole
        window at once.
    teacher, teacher_weight
        A file of tag activations (``.npz`` with ``clip`` and ``tags``), which the embedding has to
        tell too, and the weight of that loss; empty for none.
    members
        How many networks of other seeds are trained; their scores are averaged.
    heads
        What is told besides the genre, on the same trunk: ``genre``, ``multi-label``,
        ``regression:COLUMN``, each with ``=NUMBER`` for the weight of its loss; see
        `tonotope.training.heads`.
    targets
        The table with the numbers of ``regression``; empty for the cache's own ``clips.csv``.
    train_parts
        Parts that are trained on: ``train``, and ``train,valid`` for the weights that are given
        away once all choices were made.
    temperature
        What scores are divided by; 0 to fit it on the validation part.
    precision
        ``bfloat16`` autocast, ``float32``, or ``auto``: bfloat16 where the processor has it.
    device
        ``auto`` takes a GPU where there is one.
    threads
        Of the processor; 0 for all cores. Two runs are equal to the bit on one thread.
    """

    model: str = "tonotope-1"
    seed: int = 0
    epochs: int = 100
    batch_size: int = 16
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    schedule: str = "one-cycle"
    patience_epochs: int = 3
    early_stop_epochs: int = 0
    keep: str = "last"
    gradient_norm: float = 0.0
    ema_decay: float = 0.99
    label_smoothing: float = 0.1
    mixup_alpha: float = 0.2
    augment: tuple[str, ...] = ()
    crop_columns: int = 0
    tempo_spread: float = 0.0
    test_crops: int = 1
    teacher: str = ""
    teacher_weight: float = 0.0
    members: int = 1
    heads: tuple[str, ...] = (GENRE,)
    targets: str = ""
    train_parts: tuple[str, ...] = ("train",)
    temperature: float = 0.0
    precision: str = "auto"
    device: str = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        """Refuse what no run could be made with."""
        for name, choices in (
            ("optimizer", _OPTIMIZERS),
            ("schedule", _SCHEDULES),
            ("precision", _PRECISIONS),
            ("device", _DEVICES),
            ("keep", _KEEPS),
        ):
            if getattr(self, name) not in choices:
                raise InputError(
                    f"{name} is {getattr(self, name)!r}; it is one of {', '.join(choices)}."
                )
        for name, least in (
            ("epochs", 1), ("batch_size", 2), ("test_crops", 1), ("seed", 0), ("members", 1),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; it is {least} at least.")
        for name in (
            "weight_decay", "patience_epochs", "early_stop_epochs", "gradient_norm", "mixup_alpha",
            "crop_columns", "tempo_spread", "teacher_weight", "temperature", "threads",
        ):  # fmt: skip
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} is {getattr(self, name)}; it is not below 0.")
        for name, most in (("seed", 2**31), ("members", 64), ("threads", 512)):
            if getattr(self, name) > most:
                raise InputError(f"{name} is {getattr(self, name)}; it is {most} at most.")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate is {self.learning_rate}; it is above 0.")
        for name in ("ema_decay", "label_smoothing", "tempo_spread"):
            if not getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it is below 1.")
        if self.train_parts not in (("train",), ("train", "valid")):
            raise InputError(
                f"train_parts is {','.join(self.train_parts)!r}; it is train, or train,valid."
            )
        kinds = {setting.kind for setting in head_settings(self.heads)}
        if self.targets and "regression" not in kinds:
            raise InputError("targets is set, but no head for it. Name one: regression:COLUMN")
        if self.teacher_weight and not self.teacher:
            raise InputError("teacher_weight is set, but no teacher. Name its file: --teacher")
        if self.teacher and not self.teacher_weight:
            raise InputError("a teacher is named, but its teacher_weight is 0. Set it: 1, say.")


# As published; the other settings keep their defaults, of which these switch off what the paper
# has not.
_PLAIN = {
    "label_smoothing": 0.0, "mixup_alpha": 0.0, "ema_decay": 0.0, "weight_decay": 0.0,
}  # fmt: skip
_VARIED = ("gain", "random-eq", "time-roll", "specaugment")

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # Liu et al., "Bottom-up broadcast neural network for music genre classification", 2020.
    "liu2020": {
        **_PLAIN, "model": "bbnn", "epochs": 100, "batch_size": 8, "optimizer": "adam",
        "learning_rate": 0.01, "schedule": "plateau", "patience_epochs": 3,
    },
    # Choi et al., "Convolutional recurrent neural networks for music classification", 2017.
    "choi2017": {
        **_PLAIN, "model": "crnn", "epochs": 100, "optimizer": "adam", "learning_rate": 1e-3,
        "schedule": "constant", "early_stop_epochs": 10, "keep": "best",
    },
    # The network that comes with Tonotope, with a teacher: see docs/model.md.
    "tonotope-1": {
        "epochs": 300, "crop_columns": 111, "test_crops": 3, "tempo_spread": 0.12,
        "augment": ("frequency-shift", "recording", "small-masks"),
        "teacher_weight": 12.0, "members": 2,
    },
    # What suits a few hundred clips: varied sound, mixing, averaged weights.
    "small-data": {
        "epochs": 60, "augment": _VARIED, "crop_columns": 111, "test_crops": 3,
        "tempo_spread": 0.1,
    },
}  # fmt: skip
"""Settings that go together, by name."""


def preset_of(name: str) -> Mapping[str, Any]:
    """Return a preset.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise InputError(
            f"there is no preset {name!r}. There are: {', '.join(sorted(PRESETS))}."
        ) from None


def read_config(path: Path) -> dict[str, Any]:
    """Read settings from a TOML file.

    Raises
    ------
    InputError
        If it cannot be read or is no TOML.
    """
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise InputError(f"cannot read settings '{path}': {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"settings '{path}' are no TOML: {error}.") from error


def resolve_config(*layers: Mapping[str, Any]) -> TrainingConfig:
    """Return settings of several layers, each over the ones before.

    Parameters
    ----------
    *layers
        From setting to value, e.g. a preset, a file, and the command's options.

    Raises
    ------
    InputError
        If there is no such setting, or a value is of another kind or out of range.
    """
    config = TrainingConfig()
    known = {field.name: getattr(config, field.name) for field in fields(TrainingConfig)}
    changes: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            if name not in known:
                raise InputError(f"there is no setting {name!r}. There are: {', '.join(known)}.")
            changes[name] = _as_kind_of(known[name], name, value)
    return replace(config, **changes)


def _as_kind_of(default: Any, name: str, value: Any) -> Any:
    if isinstance(default, tuple):
        words = value.split(",") if isinstance(value, str) else value
        if isinstance(words, (list, tuple)) and all(isinstance(word, str) for word in words):
            return tuple(word.strip() for word in words if word.strip())
    elif isinstance(value, str) and not isinstance(default, str):
        try:
            return type(default)(value)
        except ValueError:
            pass
    elif isinstance(default, float) and type(value) in (int, float):
        return float(value)
    elif type(value) is type(default):
        return value
    raise InputError(f"setting {name} is {value!r}, expected {_KINDS[type(default)]}.")


_KINDS = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple: "names with commas between",
}


def to_toml(config: TrainingConfig) -> str:
    """Return the settings as TOML, as `read_config` reads them."""
    return "".join(f"{name} = {_toml_value(value)}\n" for name, value in asdict(config).items())


def _toml_value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, str):
        # A path may hold quotes and backslashes; no setting holds control characters.
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
