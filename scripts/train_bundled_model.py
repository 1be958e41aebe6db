r"""Train and measure the network that comes with Tonotope.

::

    python scripts/train_bundled_model.py --data ../shared/data/gtzan-mel --work FOLDER \
        --out src/tonotope/models/bundled

Twice with the preset ``tonotope-1``: on the train part, to be measured on the valid part, where the
temperature and the threshold of "unknown" are fitted; then on both, for the weights that are given
away. Writes ``tonotope-1.onnx`` and its card. Needs the extra ``train``. Interrupted, it goes on;
the same seed on the same machine gives the same bytes. ``docs/model.md`` says why it is built as it
is.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tomllib
from pathlib import Path
from typing import Any

from tonotope.training.cache import Cache, read_cache
from tonotope.training.config import TrainingConfig, preset_of, resolve_config
from tonotope.training.runs import RunOptions, run_splits

NAME = "tonotope-1"
DATA_NAME = "GTZAN (Tzanetakis and Cook 2002) as mel spectrograms"
LICENCE_OF_DATA = (
    "GTZAN carries no licence. Spectrograms of its recordings were used for research only and are "
    "not in this file; Apache-2.0 covers the code and the weights as made here."
)
TEACHER = "musicnn's tags (Pons and Serra 2019, ISC licence) of the train clips"
MEASURED = ("accuracy", "balanced_accuracy", "macro_f1", "top3", "ece")


def run(config: TrainingConfig, cache: Cache, folder: Path) -> dict[str, Any]:
    """Train once, or go on with it; return what was measured."""

    def show(name: str, epoch: Any, total: int) -> None:
        if epoch.epoch % 10 == 0 or epoch.epoch == total:
            print(f"{folder.name}: epoch {epoch.epoch} of {total}, {epoch.clips_per_s:.0f} clips/s")

    return run_splits(config, cache, ["official"], folder, RunOptions(DATA_NAME), show=show)


def card_of(folder: Path) -> dict[str, Any]:
    """Return a run's card."""
    return tomllib.loads((folder / "model.toml").read_text(encoding="utf-8"))


def bundled_card(text: str, measured: dict[str, Any], date: Any, network: Path) -> str:
    """Return the card of the weights given away: the final run's, with the first one's figures."""
    replaced = {
        "name": f'name = "{NAME}"',
        "version": 'version = "1"',
        "file": f'file = "{network.name}"',
        "sha256": f'sha256 = "{hashlib.sha256(network.read_bytes()).hexdigest()}"',
        "licence": f'licence = "Apache-2.0"\nlicence_of_data = "{LICENCE_OF_DATA}"',
    }
    head, rest = text.split("\n[input]\n")
    lines = [replaced.get(line.partition(" ")[0], line) for line in head.splitlines()]
    before, _, after = rest.partition("[measured]\n")
    _, _, trained_on = after.partition("\n[trained_on]")
    # Whose machine it was is nobody's business.
    lines_before = [
        f'teacher = "{Path(line.split(chr(34))[1]).name}"'
        if line.startswith("teacher = ")
        else line
        for line in before.splitlines()
    ]
    before = "\n".join(lines_before) + "\n"
    before = before.replace("\n\n[made]\n", f'\nteacher = "{TEACHER}"\n\n[made]\n', 1)
    figures = "\n".join(f"valid_{name} = {measured[name]}" for name in MEASURED)
    return (
        "\n".join(lines)
        + f"\n\n[input]\n{before}[measured]\n"
        + 'weights = "of the train part alone; those in the file have also heard the valid part"\n'
        + f"date = {date}\nvalid_n = {measured['n']}\n{figures}\n\n[trained_on]{trained_on}"
    )


def main() -> None:
    """Train twice; write network and card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of gtzan-mel")
    parser.add_argument("--work", type=Path, required=True, help="where the two runs are kept")
    parser.add_argument("--out", type=Path, required=True, help="where network and card go")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=preset_of(NAME)["epochs"])
    arguments = parser.parse_args()
    cache = read_cache(arguments.data)
    told = {
        "teacher": str(arguments.data / "musicnn_taggram_train.npz"), "threads": 1,
        "seed": arguments.seed, "epochs": arguments.epochs,
    }  # fmt: skip
    measured = run(resolve_config(preset_of(NAME), told), cache, arguments.work / "train")
    fitted = card_of(arguments.work / "train")
    final = arguments.work / "train-and-valid"
    told |= {"train_parts": ["train", "valid"], "temperature": fitted["made"]["temperature"]}
    run(resolve_config(preset_of(NAME), told), cache, final)
    arguments.out.mkdir(parents=True, exist_ok=True)
    network = arguments.out / f"{NAME}.onnx"
    shutil.copyfile(final / "model.onnx", network)
    text = (final / "model.toml").read_text(encoding="utf-8")
    below = fitted["output"].get("unknown_below")
    if below is not None:
        text = text.replace("\n[data]\n", f"unknown_below = {below}\n\n[data]\n", 1)
    card = bundled_card(text, measured, fitted["measured"]["date"], network)
    tomllib.loads(card)
    network.with_suffix(".toml").write_text(card, encoding="utf-8")
    print(card[card.index("[measured]") : card.index("[trained_on]")])


if __name__ == "__main__":
    main()
