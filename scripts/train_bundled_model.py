"""Train, measure and export the network that comes with Tonotope.

::

    python scripts/train_bundled_model.py --data ../shared/data/gtzan-mel \\
        --out src/tonotope/models/bundled

reads the train part of GTZAN as mel spectrograms, trains a small convolutional network on it and
writes ``gtzan-small.onnx`` with its card ``gtzan-small.toml``. Needs the extra ``train``. The same
seed on the same machine gives the same bytes. ``docs/model.md`` says why it is built as it is.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import hashlib
import json
import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

N_COLUMNS, N_BANDS, N_TAGS = 333, 128, 50
WINDOW_S = 30.0
FLOOR_DB = -80.0
EMBEDDING_SIZE = 128
CHANNELS = (16, 32, 64, 96, 128)

N_FOLDS = 4
BATCH_SIZE = 16
CROP_COLUMNS = 96
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.05
LABEL_SMOOTHING = 0.1
MIXUP_ALPHA = 0.2
# The number of threads changes the order of sums, so it is part of the recipe.
N_THREADS = 2
# How often the valid part was measured while this script was developed, this run included.
VALID_MEASUREMENTS = 2


@dataclass(frozen=True)
class Clips:
    """A data set in the layout of ``gtzan-mel``, time first.

    Attributes
    ----------
    mel
        Shape (n_clips, 333, 128), uint8; ``dB = mel / 255 * 80 - 80``.
    genre
        Shape (n_clips,), int64, index into `labels`.
    tags
        Shape (n_clips, n_windows, 50): standardised logits of the teacher's tags for windows of
        3 s, one a second; zeros outside the train part.
    groups
        The artist of each clip, or the clip itself where the artist is unknown.
    train
        Shape (n_clips,), bool: train or valid part.
    """

    mel: Tensor
    genre: Tensor
    tags: Tensor
    groups: list[str]
    train: np.ndarray
    labels: list[str]


def read_clips(folder: Path) -> Clips:
    """Read spectrograms, genres, artists and the teacher's tags."""
    with (folder / "clips.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = sorted({row["genre"] for row in rows})
    mel = np.load(folder / "mel.npy")
    if mel.shape != (len(rows), N_BANDS, N_COLUMNS):
        raise SystemExit(f"{folder / 'mel.npy'} has shape {mel.shape}; clips.csv has {len(rows)} rows")
    teacher = np.load(folder / "musicnn_taggram_train.npz")
    tags = torch.from_numpy(teacher["tags"].astype(np.float32)).clamp(1e-4, 1 - 1e-4).logit()
    tags = (tags - tags.mean(0)) / tags.std(0)
    n_windows = int(WINDOW_S) - 2
    all_tags = torch.zeros(len(rows), n_windows, N_TAGS)
    for i, row in enumerate(rows):
        if row["split"] == "train":
            of_clip = np.flatnonzero(teacher["clip"] == row["clip"])
            all_tags[i] = tags[of_clip[np.minimum(np.arange(n_windows), len(of_clip) - 1)]]
    return Clips(
        mel=torch.from_numpy(mel.transpose(0, 2, 1).copy()),
        genre=torch.tensor([labels.index(row["genre"]) for row in rows]),
        tags=all_tags,
        groups=[row["artist"] or row["clip"] for row in rows],
        train=np.array([row["split"] == "train" for row in rows]),
        labels=labels,
    )


def to_db(mel: Tensor) -> Tensor:
    """Return decibels from the data set's bytes."""
    return mel.float() / 255 * -FLOOR_DB + FLOOR_DB


def artist_folds(clips: Clips) -> list[np.ndarray]:
    """Deal the train part into folds alike in genre, no artist in two of them."""
    groups: dict[str, list[int]] = {}
    for i in np.flatnonzero(clips.train):
        groups.setdefault(clips.groups[i], []).append(int(i))
    genre = clips.genre.numpy()
    counts = np.zeros((N_FOLDS, len(clips.labels)))
    folds: list[list[int]] = [[] for _ in range(N_FOLDS)]
    for group in sorted(groups.values(), key=len, reverse=True):
        added = np.bincount(genre[group], minlength=len(clips.labels))
        # The growth of the sum of squares, and the smaller fold where that is even.
        cost = 2 * counts @ added + 0.1 * counts.sum(1)
        fold = int(cost.argmin())
        counts[fold] += added
        folds[fold] += group
    return [np.array(fold) for fold in folds]


def _hz_to_mel(hz: Tensor) -> Tensor:
    # Slaney's scale, librosa's default: linear to 1 kHz, logarithmic above.
    return torch.where(hz < 1000, hz * 0.015, 15 + (hz.clamp(min=1) / 1000).log() * 27 / math.log(6.4))


def _mel_to_hz(mel: Tensor) -> Tensor:
    return torch.where(mel < 15, mel / 0.015, 1000 * ((mel - 15) * math.log(6.4) / 27).exp())


class Augmentation:
    """Random excerpts of clips as other recordings of them might look.

    Excerpts are of random place, tempo (12 %) and pitch (1.5 semitones), with a random gain and
    equaliser curve, noise floor, upper and lower cutoff, and a masked stretch of time and bands.
    """

    def __init__(self, clips: Clips, generator: torch.Generator) -> None:
        self._mel = clips.mel
        self._tag_sums = F.pad(clips.tags.cumsum(1), (0, 0, 1, 0))
        self._generator = generator
        self._mel_step = float(_hz_to_mel(torch.tensor(11025.0))) / (N_BANDS + 1)
        self._band_hz = _mel_to_hz(torch.arange(1, N_BANDS + 1) * self._mel_step)

    def uniform(self, n: int, low: float, high: float) -> Tensor:
        """Draw n numbers, shape (n, 1)."""
        return low + (high - low) * torch.rand(n, 1, generator=self._generator)

    def excerpts(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return log_mel, shape (n, CROP_COLUMNS, 128), and the teacher's tags of that time."""
        n = len(index)
        rate = self.uniform(n, -0.12, 0.12).exp()
        span = (CROP_COLUMNS - 1) * rate
        start = self.uniform(n, 0, 1) * (N_COLUMNS - 1 - span)
        columns = (start + torch.arange(CROP_COLUMNS) * rate).round().long()
        log_mel = self._shift_pitch(to_db(self._mel[index[:, None], columns]))
        log_mel = self._mask(self._recolour(log_mel))
        seconds = WINDOW_S / N_COLUMNS
        n_windows = self._tag_sums.shape[1] - 1
        first = (start[:, 0] * seconds).round().long().clamp(max=n_windows - 1)
        stop = ((start + span)[:, 0] * seconds - 3).round().long() + 1
        stop = torch.maximum(stop, first + 1).clamp(max=n_windows)
        sums = self._tag_sums[index, stop] - self._tag_sums[index, first]
        return log_mel, sums / (stop - first)[:, None]

    def _shift_pitch(self, log_mel: Tensor) -> Tensor:
        ratio = (self.uniform(len(log_mel), -1.5, 1.5) / 12).exp2()
        position = (_hz_to_mel(self._band_hz * ratio) / self._mel_step - 1).clamp(0, N_BANDS - 1)
        below = position.long().clamp(max=N_BANDS - 2)
        weight = (position - below)[:, None]
        take = below[:, None].expand(log_mel.shape)
        return log_mel.gather(2, take) * (1 - weight) + log_mel.gather(2, take + 1) * weight

    def _recolour(self, log_mel: Tensor) -> Tensor:
        n, g = len(log_mel), self._generator
        order = torch.arange(1, 5)[:, None]
        waves = torch.cos(torch.pi * order * torch.arange(N_BANDS) / N_BANDS)
        curve = 2.0 * ((torch.randn(n, 4, 1, generator=g) / order) * waves).sum(1)
        # What lay below the floor stays there: nobody knows how far below.
        heard = log_mel > FLOOR_DB + 0.5
        log_mel = torch.where(heard, log_mel + (curve + self.uniform(n, -6, 3))[:, None], log_mel)
        often = self.uniform(n, 0, 1)
        upper = torch.where(often < 0.2, self.uniform(n, 88, N_BANDS), torch.tensor(float(N_BANDS)))
        lower = torch.where(often > 0.9, self.uniform(n, 0, 8), torch.tensor(0.0))
        band = torch.arange(N_BANDS)
        log_mel = log_mel.masked_fill(((band >= upper) | (band < lower))[:, None], FLOOR_DB)
        noisy = self.uniform(n, 0, 1) < 0.1
        level = torch.where(noisy, self.uniform(n, FLOOR_DB, FLOOR_DB + 25), torch.tensor(-120.0))
        noise = level[:, None] + 3 * torch.randn(log_mel.shape, generator=g)
        return torch.maximum(log_mel, noise).clamp(FLOOR_DB, 0)

    def _mask(self, log_mel: Tensor) -> Tensor:
        n = len(log_mel)
        for axis, size in ((1, CROP_COLUMNS), (2, N_BANDS)):
            width = self.uniform(n, 0, 12)
            start = self.uniform(n, 0, 1) * (size - width)
            position = torch.arange(size)
            hidden = (position >= start) & (position < start + width)
            log_mel = log_mel.masked_fill(hidden.unsqueeze(3 - axis), FLOOR_DB)
        return log_mel


class GenreNet(nn.Module):
    """Five blocks of convolution, then all bands at once, then statistics over time.

    Takes log_mel, shape (batch, columns, 128), in dB; gives genre logits, teacher's tags and
    the embedding.
    """

    def __init__(self, n_genres: int, mean_db: Tensor, deviation_db: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean_db", mean_db)
        self.register_buffer("deviation_db", deviation_db)
        blocks: list[nn.Module] = []
        for i, (n_in, n_out) in enumerate(zip((1, *CHANNELS), CHANNELS, strict=False)):
            blocks += [nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
            blocks += [nn.MaxPool2d(2)] if i < 4 else []
            blocks += [nn.Dropout2d(0.05)] if i else []
        blocks += [
            nn.Conv2d(CHANNELS[-1], EMBEDDING_SIZE, (1, N_BANDS // 16), bias=False),
            nn.BatchNorm2d(EMBEDDING_SIZE),
            nn.ReLU(),
        ]
        self.body = nn.Sequential(*blocks)
        self.embed = nn.Sequential(
            nn.Dropout(0.1),
            nn.Linear(2 * EMBEDDING_SIZE, EMBEDDING_SIZE, bias=False),
            nn.BatchNorm1d(EMBEDDING_SIZE),
        )
        self.genre = nn.Sequential(nn.Dropout(0.2), nn.Linear(EMBEDDING_SIZE, n_genres))
        self.tags = nn.Linear(EMBEDDING_SIZE, N_TAGS)

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (batch, n_genres), tags (batch, 50), embedding (batch, 128)."""
        hidden = self.body(((log_mel - self.mean_db) / self.deviation_db).unsqueeze(1)).squeeze(3)
        embedding = self.embed(torch.cat([hidden.mean(2), hidden.amax(2)], 1))
        return self.genre(embedding), self.tags(embedding), embedding


class Progress:
    """Says how far a run is and how long it will take."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._start = time.monotonic()

    def advance(self, what: str) -> None:
        """Count one epoch and print a line for every tenth."""
        self._done += 1
        elapsed_s = time.monotonic() - self._start
        left_s = elapsed_s / self._done * (self._total - self._done)
        if self._done % 10 == 0 or self._done == self._total:
            print(f"{what}; {elapsed_s:.0f} s gone, about {left_s:.0f} s left", flush=True)


def _batches(index: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
    shuffled = index[torch.randperm(len(index), generator=generator)]
    size = min(BATCH_SIZE, len(index))
    return iter(shuffled[: len(index) // size * size].view(-1, size))


def train(clips: Clips, index: np.ndarray, seed: int, epochs: int, name: str, progress: Progress) -> GenreNet:
    """Train on the clips of `index`; return the moving average of the weights."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    numbers = np.random.default_rng(seed)
    augmentation = Augmentation(clips, generator)
    heard = to_db(clips.mel[index])
    net = GenreNet(len(clips.labels), heard.mean((0, 1)), heard.std())
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.99), use_buffers=True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    n_steps = epochs * max(1, len(index) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=n_steps, pct_start=0.15
    )
    smooth = LABEL_SMOOTHING / len(clips.labels)
    for epoch in range(epochs):
        losses = []
        for batch in _batches(torch.from_numpy(index), generator):
            log_mel, tags = augmentation.excerpts(batch)
            genre = F.one_hot(clips.genre[batch], len(clips.labels)) * (1 - LABEL_SMOOTHING) + smooth
            share = float(numbers.beta(MIXUP_ALPHA, MIXUP_ALPHA))
            other = torch.randperm(len(batch), generator=generator)
            log_mel, tags, genre = (share * a + (1 - share) * a[other] for a in (log_mel, tags, genre))
            logits, said_tags, _ = net(log_mel)
            loss = F.cross_entropy(logits, genre) + F.mse_loss(said_tags, tags)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            average.update_parameters(net)
            losses.append(loss.item())
        progress.advance(f"{name}: epoch {epoch + 1} of {epochs}, loss {np.mean(losses):.3f}")
    return average.module.eval()


@torch.no_grad()
def logits_of(net: GenreNet, mel: Tensor) -> Tensor:
    """Return genre logits of whole clips."""
    return torch.cat([net(to_db(part))[0] for part in mel.split(16)])


def fit_temperature(logits: Tensor, genre: Tensor) -> float:
    """Return the temperature at which held-out logits are most likely (Guo et al. 2017)."""
    candidates = torch.logspace(-1, 1, 401)
    losses = torch.stack([F.cross_entropy(logits / t, genre) for t in candidates])
    return round(float(candidates[losses.argmin()]), 4)


class Calibrated(nn.Module):
    """A network as others run it: probabilities and embedding."""

    def __init__(self, net: GenreNet, temperature: float) -> None:
        super().__init__()
        self.net = net
        self.temperature = temperature

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities (batch, n_genres) and embedding (batch, 128)."""
        logits, _, embedding = self.net(log_mel)
        return F.softmax(logits / self.temperature, 1), embedding


def export(model: Calibrated, path: Path, example: Tensor) -> None:
    """Write an ONNX file without traces of this machine, and compare it with the original."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own use of PyTorch
        program = torch.onnx.export(
            model.eval(),
            (example[:2],),
            dynamo=True,
            input_names=["log_mel"],
            output_names=["probabilities", "embedding"],
            dynamic_shapes={"log_mel": {0: "batch"}},
            verbose=False,
        )
    proto = program.model_proto
    for named in (proto, proto.graph, *proto.graph.node, *proto.graph.value_info):
        named.ClearField("metadata_props")
        named.ClearField("doc_string")
    proto.graph.name = path.stem
    onnx.checker.check_model(proto)
    path.write_bytes(proto.SerializeToString(deterministic=True))
    with torch.no_grad():
        expected = model(example)
    for name, a, b in zip(("probabilities", "embedding"), expected, run_onnx(path, example), strict=True):
        difference = float(np.abs(a.numpy() - b).max())
        print(f"{name}: ONNX Runtime differs from torch by at most {difference:.1e}")
        if not difference < 1e-4:
            raise SystemExit(f"{path}: {name} differ by {difference}, more than 1e-4; not to be used")


def run_onnx(path: Path, log_mel: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and embeddings as ONNX Runtime gives them, clip by clip."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    answers = [session.run(None, {"log_mel": clip[None].numpy()}) for clip in log_mel]
    return np.concatenate([a[0] for a in answers]), np.concatenate([a[1] for a in answers])


def calibration_error(probabilities: np.ndarray, genre: np.ndarray, n_bins: int = 10) -> float:
    """Return the expected calibration error: mean gap of confidence and accuracy over bins."""
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == genre
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = [abs((right[bins == b] - confidence[bins == b]).sum()) for b in range(n_bins)]
    return float(sum(gaps) / len(genre))


def cross_validate(clips: Clips, seed: int, epochs: int, progress: Progress) -> tuple[float, float]:
    """Return accuracy on clips of unheard artists within the train part, and the temperature."""
    folds = artist_folds(clips)
    logits = []
    for i, held_out in enumerate(folds):
        rest = np.sort(np.concatenate(folds[:i] + folds[i + 1 :]))
        net = train(clips, rest, seed, epochs, f"fold {i + 1} of {N_FOLDS}", progress)
        logits.append(logits_of(net, clips.mel[held_out]))
    genre = clips.genre[np.concatenate(folds)]
    pooled = torch.cat(logits)
    accuracy = float((pooled.argmax(1) == genre).float().mean())
    return accuracy, fit_temperature(pooled, genre)


def measure(path: Path, clips: Clips) -> dict[str, float]:
    """Return what the exported network is worth on the valid part."""
    held_out = torch.from_numpy(~clips.train)
    genre = clips.genre[held_out].numpy()
    probabilities, _ = run_onnx(path, to_db(clips.mel[held_out]))
    right = probabilities.argmax(1) == genre
    measured = {"valid_accuracy": float(right.mean())}
    measured["valid_calibration_error"] = calibration_error(probabilities, genre)
    for i, label in enumerate(clips.labels):
        measured[f"valid_recall_{label}"] = float(right[genre == i].mean())
    return {name: round(value, 4) for name, value in measured.items()}


def write_card(path: Path, tables: dict[str, dict[str, object]]) -> None:
    """Write tables of strings, numbers and lists as TOML; the table named '' comes on top."""
    lines = ["# Written by scripts/train_bundled_model.py. Do not edit."]
    for table, entries in tables.items():
        lines += ["", f"[{table}]"] if table else []
        # What JSON writes of these types is TOML as well.
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entries.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def card(clips: Clips, model: Path, made: dict[str, object], measured: dict[str, float]) -> dict[str, dict[str, object]]:
    """Return all that is to be said about the network."""
    return {
        "": {
            "name": "gtzan-small",
            "version": "1",
            "file": model.name,
            "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
            "licence": "Apache-2.0",
            "licence_of_data": (
                "GTZAN carries no licence. Its recordings' spectrograms were used for research only and "
                "are not part of this file; Apache-2.0 covers the code and the weights as made here."
            ),
        },
        "input": {
            "name": "log_mel",
            "representation": "gtzan-mel",
            "shape": ["batch", N_COLUMNS, N_BANDS],
            "dtype": "float32",
            "unit": "dB",
            "minimum_db": FLOOR_DB,
            "maximum_db": 0.0,
            "reference": "the window's maximum",
            "scaling": "librosa.amplitude_to_db of mel power: 80 dB are 40 dB of power",
            "sample_rate_hz": 22050,
            "n_fft": 2048,
            "hop_length": 512,
            "n_mels": N_BANDS,
            "mel_scale": "slaney",
            "window_s": WINDOW_S,
            "n_frames": 1293,
            "n_columns": N_COLUMNS,
            "column_spacing_frames": round(1293 / 334.8, 6),
            "column_frame": "floor((column + 2) * n_frames / 334.8)",
        },
        "output": {
            "probabilities": "softmax, calibrated; shape [batch, 10]",
            "labels": clips.labels,
            "embedding": "activations before the last layer, for Euclidean or cosine distance",
            "embedding_size": EMBEDDING_SIZE,
        },
        "data": {
            "name": "GTZAN (Tzanetakis and Cook 2002) as mel spectrograms",
            "split": "fault-filtered, no artist on both sides (Kereliuk, Sturm and Larsen 2015)",
            "train_clips": int(clips.train.sum()),
            "valid_clips": int((~clips.train).sum()),
            "teacher": "tags of musicnn (Pons and Serra 2019, ISC licence) for the train clips",
            "seen_in_training": "the train part only",
            "valid_measurements": VALID_MEASUREMENTS,
        },
        "made": made,
        "measured": {"date": datetime.date.today().isoformat(), **measured},
    }


def main() -> None:
    """Train, export, measure, and write network and card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of gtzan-mel")
    parser.add_argument("--out", type=Path, required=True, help="where network and card go")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=50)
    arguments = parser.parse_args()
    seed, epochs = arguments.seed, arguments.epochs
    torch.set_num_threads(N_THREADS)
    torch.use_deterministic_algorithms(True)
    clips = read_clips(arguments.data)
    start = time.monotonic()
    progress = Progress((N_FOLDS + 1) * epochs)
    accuracy, temperature = cross_validate(clips, seed, epochs, progress)
    net = train(clips, np.flatnonzero(clips.train), seed, epochs, "all", progress)
    print(f"trained in {time.monotonic() - start:.0f} s")
    arguments.out.mkdir(parents=True, exist_ok=True)
    model = arguments.out / "gtzan-small.onnx"
    export(Calibrated(net, temperature), model, to_db(clips.mel[~clips.train]))
    measured = {"cross_validated_accuracy": round(accuracy, 4), **measure(model, clips)}
    made = {
        "script": "scripts/train_bundled_model.py",
        "command": f"python scripts/train_bundled_model.py --data ../shared/data/gtzan-mel "
        f"--out src/tonotope/models/bundled --seed {seed} --epochs {epochs}",
        "seed": seed,
        "epochs": epochs,
        "n_parameters": sum(p.numel() for p in net.parameters()),
        "temperature": temperature,
        "temperature_fitted_on": f"{N_FOLDS} artist-grouped folds of the train part, each held out",
        "torch_version": torch.__version__,
    }
    write_card(model.with_suffix(".toml"), card(clips, model, made, measured))
    print(f"{'size':32}{model.stat().st_size / 1e6:.2f} MB")
    for name, value in {"temperature": temperature, **measured}.items():
        print(f"{name:32}{value}")


if __name__ == "__main__":
    main()
