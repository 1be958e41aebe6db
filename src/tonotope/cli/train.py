"""``tonotope train``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from tonotope.cli.options import JsonOption, WholeNumber
from tonotope.cli.output import complain, print_json, say
from tonotope.errors import InputError

__all__ = ["train"]

# Of other heads than the genre's.
_TITLES = {
    "mean_average_precision": "mean average precision", "roc_auc": "ROC AUC", "r2": "R²",
    "mae": "mean error",
}  # fmt: skip


def train(
    *,
    model: str | None = None,
    data: str | None = None,
    preset: str | None = None,
    config: Path | None = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    split: str = "official",
    epochs: WholeNumber | None = None,
    seed: WholeNumber | None = None,
    features: str | None = None,
    heads: str | None = None,
    targets: str | None = None,
    teacher: str | None = None,
    teacher_weight: float | None = None,
    initial: Annotated[Path | None, Parameter(name="--from")] = None,
    freeze: Annotated[bool, Parameter(negative="")] = False,
    allow_leaks: Annotated[bool, Parameter(negative="")] = False,
    device: str | None = None,
    threads: WholeNumber | None = None,
    tensorboard: Annotated[bool, Parameter(negative="")] = False,
    out: Path | None = None,
    describe: Annotated[bool, Parameter(negative="")] = False,
    json: JsonOption = False,
) -> int:
    """Train a model on labelled clips, judge it on clips it has not heard, and export it.

    An interrupted run goes on with the same command. A split in which training and test share an
    artist, a recording or the same sound is refused.

    Parameters
    ----------
    model
        A network (bbnn, cnn, crnn, lstm, inception-crnn, tonotope-1), or a classical model (svm,
        random-forest, gradient-boosting, knn); tonotope-1 by default.
    data
        A spectrogram cache, made by `tonotope prepare`; a folder or a URL.
    preset
        Settings that go together: liu2020, choi2017, small-data, tonotope-1.
    config
        A TOML file of settings, as a run writes it; over those of the preset.
    settings
        One setting, `name=value`; can be given several times; over all others.
    split
        How the clips are parted: official, random, kfold:K, artist:K, recording:K; several with
        commas between, which are then shown side by side.
    epochs
        How often each clip is heard.
    seed
        Of all that is drawn.
    features
        What a classical model learns from: mfcc (the default), mel, embedding (of the model that
        comes with Tonotope), embedding:NAME, or a table, .csv or .parquet.
    heads
        What is told besides the genre, with commas between: genre, multi-label (all of a clip's
        genres), regression:COLUMN (a number of clips.csv); each with =NUMBER for its weight.
    targets
        A table with the numbers of regression, by the names of clips; .csv or .parquet.
    teacher
        A file of another network's tags of the training clips, `.npz`.
    teacher_weight
        How much it counts to tell them, beside the genre.
    initial
        A checkpoint or a run's folder to begin with instead of fresh weights.
    freeze
        Leave these weights as they are and train the last layer alone.
    allow_leaks
        Train although the split leaks; the result is marked as leaky for good.
    device
        auto, cpu, cuda or mps.
    threads
        Of the processor; on one, two runs are equal to the bit.
    tensorboard
        Keep a log for TensorBoard in the run's folder; needs the extra tensorboard.
    out
        The run's folder; by default one of its own among the user's data.
    describe
        Say how large the model is, and train nothing.
    """
    from tonotope.training.config import preset_of, read_config, resolve_config

    given = {
        "model": model, "epochs": epochs, "seed": seed, "teacher": teacher, "device": device,
        "heads": heads, "targets": targets, "teacher_weight": teacher_weight, "threads": threads,
    }  # fmt: skip
    layers: list[Mapping[str, Any]] = [
        {"teacher_weight": 1.0} if teacher is not None else {},
        preset_of(preset) if preset else {},
        read_config(config) if config else {},
        {name: value for name, value in given.items() if value is not None},
        dict(map(_setting, settings or [])),
    ]
    if describe:
        return _describe(layers, json=json)
    if data is None:
        raise InputError("train needs clips. Name a cache: --data CACHE (see: tonotope prepare)")
    from tonotope.training.classical_runs import is_classical, run_classical
    from tonotope.training.runs import RunOptions, run_splits
    from tonotope.training.stores import open_cache

    name = str(next((layer["model"] for layer in reversed(layers) if "model" in layer), ""))
    hows = [how.strip() for how in split.split(",") if how.strip()]
    cache = open_cache(data)
    if is_classical(name):
        told = {option for layer in layers for option in layer} - {"model", "seed"}
        if told or freeze or tensorboard or initial is not None:
            word = sorted(told)[0] if told else "--from, --freeze, --tensorboard"
            raise InputError(f"{name} learns without {word}: that is for networks. Leave it out.")
        result = run_classical(
            name, cache, hows, features=features or "mfcc", seed=_seed(layers), folder=out,
            allow_leaks=allow_leaks,
        )  # fmt: skip
    else:
        if features is not None:
            raise InputError(f"--features is for classical models; {name or 'a network'} hears.")
        from tonotope.cli.training_progress import training

        resolved = resolve_config(*layers)
        if freeze and initial is None:
            raise InputError("--freeze leaves weights as they are: say which, with --from RUN.")
        options = RunOptions(data, allow_leaks, initial, freeze, tensorboard)
        with training() as show:
            result = run_splits(resolved, cache, hows, out, options, show=show)
    if not result:
        return 0  # of several processes, the first one speaks
    if json:
        print_json(result)
    else:
        _print(result)
    if result["leaky"]:
        complain("leaky: training and test share artists, recordings or sound. See its leaks.")
    return 0


def _seed(layers: Sequence[Mapping[str, Any]]) -> int:
    from tonotope.training.config import resolve_config

    seeds = [{"seed": layer["seed"]} for layer in layers if "seed" in layer]
    return resolve_config(*seeds).seed


def _setting(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise InputError(f"--set {word}: expected name=value, such as --set batch_size=8")
    return name.strip(), value.strip()


def _describe(layers: list[Mapping[str, Any]], *, json: bool) -> int:
    from tonotope.training.describe import describe

    models = [str(layer["model"]) for layer in layers if "model" in layer]
    document = describe(models[-1] if models else "tonotope-1")
    if json:
        print_json(document)
    else:
        for name, value in document.items():
            say(f"{name.replace('_', ' '):20s} {value}")
    return 0


def _print(result: dict[str, Any]) -> None:
    if "splits" in result:
        from tonotope.training.evaluation.report import compare_protocols

        say(f"{result['model']}, {len(result['splits'])} splits")
        for line in compare_protocols(
            {each["protocol"]: each for each in result["splits"]}
        ).splitlines():
            say(line)
        for way, means in result["protocols"].items():
            word = "inflated" if means["leaky"] else "honest"
            mean, deviation = means["accuracy"], means["accuracy_deviation"]
            say(f"{way}: accuracy {mean:.1%} ± {deviation:.1%} over {means['folds']}, {word}")
    elif result["n"]:
        say(f"{result['model']}, {result['protocol']} split, {result['part']} part")
        low, high = result["accuracy_ci"]
        say(f"accuracy {result['accuracy']:.1%} of {result['n']} clips ({low:.1%} to {high:.1%})")
        say(f"balanced {result['balanced_accuracy']:.1%}, macro F1 {result['macro_f1']:.3f}")
    else:
        say("nothing to judge by: the split has neither a test nor a validation part")
    for name, figures in result.get("heads", {}).items():
        words = [f"{title} {figures[key]:.3g}" for key, title in _TITLES.items()
                 if figures.get(key) is not None]  # fmt: skip
        say(f"{name}: {', '.join(words) or 'nothing to judge by'} ({figures['n']} clips)")
    if "folder" in result:
        say(f"written to {result['folder']}")
