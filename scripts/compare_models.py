r"""Train every model on one data set with several seeds, and print a table of how they did.

::

    python scripts/compare_models.py --data CACHE --out FOLDER

Needs the extra ``train``. Takes three hours on two cores; interrupted, it goes on (the time of a
run that was interrupted counts from there). ``docs/training.md`` has the table of GTZAN's
fault-filtered split.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

SMALL = ["--preset", "small-data"]
# What takes longest is heard less often.
MODELS: dict[str, list[str]] = {
    "svm": [],
    "random-forest": [],
    "gradient-boosting": [],
    "knn": [],
    "lstm": [*SMALL, "--epochs", "60"],
    "cnn": [*SMALL, "--epochs", "60"],
    "inception-crnn": [*SMALL, "--epochs", "30"],
    "crnn": [*SMALL, "--epochs", "60"],
    "bbnn": [*SMALL, "--epochs", "100"],
}


def run(model: str, options: list[str], seed: int, data: Path, out: Path) -> dict[str, float]:
    """Train a model once, and return its accuracy, macro F1 and time."""
    folder = out / f"{model}-{seed}"
    noted = folder / "time.json"
    if not noted.exists():
        command = [sys.executable, "-m", "tonotope", "train", "--model", model, *options]
        command += ["--data", str(data), "--seed", str(seed), "--out", str(folder), "--json"]
        if options:
            command += ["--threads", "1"]
        started_s = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        noted.write_text(json.dumps({"seconds": time.monotonic() - started_s}), encoding="utf-8")
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    seconds = json.loads(noted.read_text(encoding="utf-8"))["seconds"]
    return {"accuracy": result["accuracy"], "macro_f1": result["macro_f1"], "seconds": seconds}


def main() -> None:
    """Run all that has not been run, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    print("| model | accuracy | macro F1 | wall time of a run |\n|---|---|---|---|")
    for model, options in MODELS.items():
        runs = [
            run(model, options, seed, arguments.data, arguments.out)
            for seed in range(arguments.seeds)
        ]
        cells = [model]
        for name in ("accuracy", "macro_f1"):
            values = [one[name] for one in runs]
            cells.append(f"{statistics.mean(values):.3f} ± {statistics.pstdev(values):.3f}")
        cells.append(f"{statistics.mean(one['seconds'] for one in runs):.0f} s")
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
