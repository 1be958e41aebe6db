r"""Train, measure and export the network that comes with Tonotope.

::

    python scripts/train_bundled_model.py --data ../shared/data/gtzan-mel \
        --out src/tonotope/models/bundled

trains on the train part of GTZAN as mel spectrograms and writes ``gtzan-small.onnx`` with its card
``gtzan-small.toml``. Needs the extra ``train``. The same seed on the same machine gives the same
bytes. ``docs/model.md`` says why it is built as it is.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import hashlib
import json
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

N_COLUMNS, N_BANDS, WINDOW_S, FLOOR_DB = 333, 128, 30, -80.0
# The teacher hears 3 s, once a second.
N_TAGS, TAG_WINDOW_S = 50, 3
N_TAG_WINDOWS = WINDOW_S - TAG_WINDOW_S + 1

CHANNELS = (16, 32, 64, 96, 128)
EMBEDDING_SIZE = 128
# Networks of other beginnings err elsewhere: their mean is right more often than any of them.
N_MEMBERS = 2

N_FOLDS, BATCH_SIZE, CROP_COLUMNS, N_PARTS = 4, 16, 96, 3
LEARNING_RATE, WEIGHT_DECAY, TAG_WEIGHT = 3e-3, 0.05, 4.0
LABEL_SMOOTHING, MIXUP_ALPHA = 0.1, 0.2


@dataclass(frozen=True)
class Clips:
    """A data set in the layout of ``gtzan-mel``, time first."""

    mel: Tensor  # (n_clips, 333, 128), uint8
    genre: Tensor  # (n_clips,), index into labels
    tags: Tensor  # (n_clips, 28, 50), the teacher's standardised logits; zeros for valid clips
    artists: list[str]  # the clip's own name where the artist is unknown
    train: np.ndarray  # (n_clips,), bool: train or valid part
    labels: list[str]


def read_clips(folder: Path) -> Clips:
    """Read spectrograms, genres, artists and the teacher's tags."""
    with (folder / "clips.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = sorted({row["genre"] for row in rows})
    mel = np.load(folder / "mel.npy")
    if mel.shape != (len(rows), N_BANDS, N_COLUMNS):
        raise SystemExit(f"'{folder}': mel.npy {mel.shape}, but clips.csv has {len(rows)} rows")
    teacher = np.load(folder / "musicnn_taggram_train.npz")
    heard = torch.from_numpy(teacher["tags"].astype(np.float32)).clamp(1e-4, 1 - 1e-4).logit()
    heard = (heard - heard.mean(0)) / heard.std(0)
    tags = torch.zeros(len(rows), N_TAG_WINDOWS, N_TAGS)
    for i, row in enumerate(rows):
        if row["split"] == "train":
            of_clip = np.flatnonzero(teacher["clip"] == row["clip"])
            tags[i] = heard[of_clip[np.minimum(np.arange(N_TAG_WINDOWS), len(of_clip) - 1)]]
    return Clips(
        mel=torch.from_numpy(mel.transpose(0, 2, 1).copy()),
        genre=torch.tensor([labels.index(row["genre"]) for row in rows]),
        tags=tags,
        artists=[row["artist"] or row["clip"] for row in rows],
        train=np.array([row["split"] == "train" for row in rows]),
        labels=labels,
    )


def to_db(mel: Tensor) -> Tensor:
    """Return decibels from the data set's bytes."""
    return mel.float() / 255 * -FLOOR_DB + FLOOR_DB


def artist_folds(clips: Clips) -> list[np.ndarray]:
    """Deal the train part into folds alike in genre, no artist in two of them."""
    by_artist: dict[str, list[int]] = {}
    for i in np.flatnonzero(clips.train):
        by_artist.setdefault(clips.artists[i], []).append(int(i))
    counts = np.zeros((N_FOLDS, len(clips.labels)))
    folds: list[list[int]] = [[] for _ in range(N_FOLDS)]
    for group in sorted(by_artist.values(), key=len, reverse=True):
        added = np.bincount(clips.genre[group], minlength=len(clips.labels))
        # Where the sum of squares grows least; among equals, the smaller fold.
        fold = int((2 * counts @ added + 0.1 * counts.sum(1)).argmin())
        counts[fold] += added
        folds[fold] += group
    return [np.array(fold) for fold in folds]


class Augmentation:
    """Excerpts of clips, varied in tempo, pitch, gain, equaliser, cutoff and noise floor."""

    def __init__(self, clips: Clips, generator: torch.Generator) -> None:
        self._mel = clips.mel
        self._tag_sums = nn.functional.pad(clips.tags.cumsum(1), (0, 0, 1, 0))
        self._generator = generator

    def _uniform(self, n: int, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, generator=self._generator)

    def excerpts(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return log_mel, shape (n, CROP_COLUMNS, 128), and the teacher's tags of that time."""
        n = len(index)
        rate = self._uniform(n, -0.12, 0.12).exp()
        span = (CROP_COLUMNS - 1) * rate
        start = self._uniform(n, 0, 1) * (N_COLUMNS - 1 - span)
        columns = (start + torch.arange(CROP_COLUMNS) * rate).round().long()
        log_mel = self._recolour(self._shift_bands(to_db(self._mel[index[:, None], columns])))
        # The teacher's windows that lie within the excerpt.
        columns_per_s = N_COLUMNS / WINDOW_S
        first = (start[:, 0] / columns_per_s).round().long().clamp(max=N_TAG_WINDOWS - 1)
        stop = ((start + span)[:, 0] / columns_per_s).round().long() - TAG_WINDOW_S + 1
        stop = torch.maximum(stop, first + 1).clamp(max=N_TAG_WINDOWS)
        sums = self._tag_sums[index, stop] - self._tag_sums[index, first]
        return log_mel, sums / (stop - first)[:, None]

    def _shift_bands(self, log_mel: Tensor) -> Tensor:
        # Above 1 kHz, where mel bands are logarithmic, two bands are nearly a semitone.
        shift = self._uniform(len(log_mel), -3, 3)
        position = (torch.arange(N_BANDS) + shift).clamp(0, N_BANDS - 1)
        lower = position.long().clamp(max=N_BANDS - 2)
        take = lower[:, None].expand(log_mel.shape)
        share = (position - lower)[:, None]
        return log_mel.gather(2, take).lerp(log_mel.gather(2, take + 1), share)

    def _recolour(self, log_mel: Tensor) -> Tensor:
        n, generator, band = len(log_mel), self._generator, torch.arange(N_BANDS)
        order = torch.arange(1, 5)[:, None]
        waves = torch.cos(torch.pi * order * band / N_BANDS) / order
        gain_db = torch.randn(n, 4, generator=generator) @ waves * 1.5 + self._uniform(n, -6, 3)
        # What lay below the floor stays there: nobody knows how far below.
        log_mel = torch.where(log_mel > FLOOR_DB + 0.5, log_mel + gain_db[:, None], log_mel)
        # One in ten has an upper cutoff, as coders make it, one in twenty a lower one.
        chance = self._uniform(n, 0, 1)
        cut = (band >= self._uniform(n, 88, N_BANDS)) & (chance < 0.1)
        cut |= (band < self._uniform(n, 0, 8)) & (chance > 0.95)
        log_mel = log_mel.masked_fill(cut[:, None], FLOOR_DB)
        # One level of noise in ten rises above the floor.
        level_db = self._uniform(n, -300, -55)[:, None]
        noise = level_db + 3 * torch.randn(log_mel.shape, generator=generator)
        return torch.maximum(log_mel, noise).clamp(FLOOR_DB, 0)


def _convolution(n_in: int, n_out: int, size: tuple[int, int]) -> list[nn.Module]:
    pad = (size[0] // 2, size[0] // 2)  # none where all bands are taken at once
    return [nn.Conv2d(n_in, n_out, size, padding=pad, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]


def _statistics(hidden: Tensor) -> Tensor:
    """Return mean and deviation over time, shape (batch, 2 n), of (batch, n, columns)."""
    return torch.cat([hidden.mean(2), (hidden.var(2, correction=0) + 1e-4).sqrt()], 1)


class GenreNet(nn.Module):
    """Five blocks of convolution, then all bands at once, summed up over time.

    The embedding is made from mean and deviation over time of the last layer and, in eight groups
    of bands, of the second and third block. Genre logits and the teacher's tags are linear in it.
    """

    def __init__(self, n_genres: int, mean_db: Tensor, deviation_db: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean_db", mean_db)
        self.register_buffer("deviation_db", deviation_db)
        self.blocks = nn.ModuleList()
        for i, (n_in, n_out) in enumerate(pairwise((1, *CHANNELS))):
            block = [nn.Dropout2d(0.05)] if i > 1 else []
            block += _convolution(n_in, n_out, (3, 3))
            block += [nn.MaxPool2d(2)] if i < 4 else []
            self.blocks.append(nn.Sequential(*block))
        over_bands = _convolution(CHANNELS[-1], EMBEDDING_SIZE, (1, N_BANDS // 16))
        self.all_bands = nn.Sequential(nn.Dropout2d(0.05), *over_bands)
        n_statistics = 2 * (EMBEDDING_SIZE + 8 * CHANNELS[1] + 8 * CHANNELS[2])
        self.embed = nn.Sequential(
            nn.Dropout(0.1),
            nn.Linear(n_statistics, EMBEDDING_SIZE, bias=False),
            nn.BatchNorm1d(EMBEDDING_SIZE),
        )
        self.genre = nn.Sequential(nn.Dropout(0.2), nn.Linear(EMBEDDING_SIZE, n_genres))
        self.tags = nn.Linear(EMBEDDING_SIZE, N_TAGS)

    def logits_tags_embedding(self, log_mel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what training looks at, (batch, n_genres), (batch, 50) and (batch, 128)."""
        hidden = ((log_mel - self.mean_db) / self.deviation_db).unsqueeze(1)
        statistics = []
        for i, block in enumerate(self.blocks):
            hidden = block(hidden)
            if i in (1, 2):
                groups = nn.functional.avg_pool2d(hidden, (1, hidden.shape[3] // 8))
                statistics.append(_statistics(groups.transpose(2, 3).flatten(1, 2)))
        statistics.append(_statistics(self.all_bands(hidden).squeeze(3)))
        embedding = self.embed(torch.cat(statistics, 1))
        return self.genre(embedding), self.tags(embedding), embedding

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return genre logits and embedding of whole windows, (batch, 333, 128)."""
        # Heard in parts as long as the excerpts of training, which the deviations depend on.
        parts = log_mel.reshape(-1, N_COLUMNS // N_PARTS, N_BANDS)
        _, _, embedding = self.logits_tags_embedding(parts)
        embedding = embedding.reshape(-1, N_PARTS, EMBEDDING_SIZE).mean(1)
        return self.genre(embedding), embedding


class Committee(nn.Module):
    """Networks that were trained alike from other seeds, heard as one."""

    def __init__(self, members: list[GenreNet]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.temperature = 1.0

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return calibrated probabilities, and the members' embeddings side by side."""
        heard = [member(log_mel) for member in self.members]
        logits = torch.stack([logits for logits, _ in heard]).mean(0)
        embedding = torch.cat([embedding for _, embedding in heard], 1)
        return (logits / self.temperature).softmax(1), embedding


def train(clips: Clips, index: np.ndarray, seed: int, epochs: int) -> GenreNet:
    """Train on the clips of `index`; return the moving average of the weights."""
    # More threads would change the order of sums, and with it the weights.
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.distributions.Beta(MIXUP_ALPHA, MIXUP_ALPHA)
    augmentation = Augmentation(clips, generator)
    heard, n_genres = to_db(clips.mel[index]), len(clips.labels)
    net = GenreNet(n_genres, heard.mean((0, 1)), heard.std())
    net = net.to(memory_format=torch.channels_last)
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.99), use_buffers=True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    batch_size = min(BATCH_SIZE, len(index))
    n_batches = len(index) // batch_size
    schedule = OneCycleLR(optimizer, LEARNING_RATE, epochs * n_batches, pct_start=0.15)
    smooth = torch.eye(n_genres) * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / n_genres
    for _ in range(epochs):
        shuffled = torch.from_numpy(index)[torch.randperm(len(index), generator=generator)]
        for batch in shuffled[: n_batches * batch_size].split(batch_size):
            other = torch.randperm(batch_size, generator=generator)
            share = mixing.sample()
            log_mel, tags, genre = (
                torch.lerp(target[other], target, share)
                for target in (*augmentation.excerpts(batch), smooth[clips.genre[batch]])
            )
            logits, said, _ = net.logits_tags_embedding(log_mel)
            tag_loss = nn.functional.mse_loss(said, tags)
            loss = nn.functional.cross_entropy(logits, genre) + TAG_WEIGHT * tag_loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            average.update_parameters(net)
    return average.module.eval()


def train_all(clips: Clips, indices: list[np.ndarray], seed: int, epochs: int) -> list[Committee]:
    """Train a committee for each index, two networks at a time in processes of their own."""
    start_s = time.monotonic()
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        runs = [
            pool.submit(train, clips, index, seed * N_MEMBERS + member, epochs)
            for index in indices
            for member in range(N_MEMBERS)
        ]
        for n_done, _ in enumerate(as_completed(runs), 1):
            left_s = (time.monotonic() - start_s) / n_done * (len(runs) - n_done)
            print(f"{n_done} of {len(runs)} trained, about {left_s:.0f} s left", flush=True)
        nets = [run.result() for run in runs]
    return [Committee(nets[i : i + N_MEMBERS]).eval() for i in range(0, len(nets), N_MEMBERS)]


@torch.no_grad()
def validate(clips: Clips, folds: list[np.ndarray], nets: list[Committee]) -> tuple[float, float]:
    """Return accuracy on unheard artists, and the temperature fitted there (Guo et al. 2017)."""
    genre = clips.genre[np.concatenate(folds)]
    heard = [net(to_db(clips.mel[fold]))[0] for net, fold in zip(nets, folds, strict=True)]
    logits = torch.cat(heard).log()
    accuracy = float((logits.argmax(1) == genre).float().mean())
    candidates = torch.logspace(-1, 1, 401)
    losses = [nn.functional.cross_entropy(logits / candidate, genre) for candidate in candidates]
    return accuracy, round(float(candidates[torch.stack(losses).argmin()]), 4)


def export(net: Committee, path: Path, log_mel: Tensor) -> np.ndarray:
    """Write the ONNX file, compare it with the original, return its probabilities of `log_mel`."""
    names, shapes = ["probabilities", "embedding"], {"log_mel": {0: "batch"}}
    program = torch.onnx.export(
        net, (log_mel[:2],), dynamo=True, output_names=names, dynamic_shapes=shapes, verbose=False
    )
    proto = program.model_proto
    # The exporter notes stack traces, with the paths of this machine.
    for noted in (proto, proto.graph, *proto.graph.node, *proto.graph.value_info):
        noted.ClearField("metadata_props")
        noted.ClearField("doc_string")
    network = proto.SerializeToString(deterministic=True)
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    answers = [session.run(None, {"log_mel": clip[None].numpy()}) for clip in log_mel]
    found = np.concatenate([np.concatenate(answer, 1) for answer in answers])
    with torch.no_grad():
        difference = np.abs(found - torch.cat(net(log_mel), 1).numpy()).max()
    print(f"ONNX Runtime differs from PyTorch by at most {difference:.1e}")
    if not difference < 1e-4:
        raise SystemExit(f"'{path}' would differ from PyTorch by more than 1e-4: not written")
    path.write_bytes(network)
    return found[:, : -N_MEMBERS * EMBEDDING_SIZE]


def measure(probabilities: np.ndarray, genre: np.ndarray, labels: list[str]) -> dict[str, float]:
    """Return accuracy, expected calibration error over ten bins, and recall of each genre."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == genre
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [abs((right - confidence)[bins == b].sum()) for b in range(10)]
    measured = {"valid_accuracy": right.mean(), "valid_calibration_error": sum(gaps) / len(genre)}
    recall = {f"valid_recall_{name}": right[genre == i].mean() for i, name in enumerate(labels)}
    return {name: round(float(value), 4) for name, value in (measured | recall).items()}


def card(clips: Clips, path: Path, made: dict[str, float], measured: dict[str, float]) -> str:
    """Return the card, as TOML."""
    made_toml = "\n".join(f"{key} = {value}" for key, value in made.items())
    measured_toml = "\n".join(f"{key} = {value}" for key, value in measured.items())
    return f"""\
# Written by scripts/train_bundled_model.py; do not edit.
name = "gtzan-small"
version = "1"
file = "{path.name}"
sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"
licence = "Apache-2.0"
licence_of_data = "GTZAN carries no licence. Spectrograms of its recordings were used for research \
only and are not in this file; Apache-2.0 covers the code and the weights as made here."

[input]
representation = "gtzan-mel"
range_db = [-80.0, 0.0]
scaling = "librosa.amplitude_to_db(ref=np.max) of mel power: its 80 dB are 40 dB of power"
sample_rate_hz = 22050
n_fft = 2048
hop_length = 512
n_mels = 128
mel_scale = "slaney"
window_s = 30
window_frames = 1293
n_columns = 333
column_spacing_frames = 3.862007
column_frame = "floor((column + 2) * 1293 / 334.8)"

[output]
labels = {json.dumps(clips.labels)}
probabilities = "calibrated by a temperature"
embedding = "inputs of the last layers, for Euclidean or cosine distance"
embedding_size = {N_MEMBERS * EMBEDDING_SIZE}

[data]
name = "GTZAN (Tzanetakis and Cook 2002) as mel spectrograms"
split = "fault-filtered, no artist in two parts (Kereliuk, Sturm and Larsen 2015)"
train_clips = {clips.train.sum()}
valid_clips = {(~clips.train).sum()}
teacher = "musicnn's tags (Pons and Serra 2019, ISC licence) of the train clips"
valid_use = "never trained on; measured 4 times in one trial, then once for each of 4 networks"

[made]
script = "scripts/train_bundled_model.py"
options = "--seed {made["seed"]} --epochs {made["epochs"]}"
{made_toml}
temperature_fitted_on = "held-out clips of {N_FOLDS} artist-grouped folds of the train part"
torch_version = "{torch.__version__}"

[measured]
date = {datetime.date.today()}
runtime = "ONNX Runtime {onnxruntime.__version__}, this file (cross-validation: PyTorch)"
{measured_toml}
"""


def main() -> None:
    """Train, export, measure, and write network and card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of gtzan-mel")
    parser.add_argument("--out", type=Path, required=True, help="where network and card go")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=100)
    arguments = parser.parse_args()
    seed, epochs = arguments.seed, arguments.epochs
    clips = read_clips(arguments.data)
    folds = artist_folds(clips)
    indices = [np.setdiff1d(np.flatnonzero(clips.train), fold) for fold in folds]
    *fold_nets, net = train_all(clips, [*indices, np.flatnonzero(clips.train)], seed, epochs)
    accuracy, temperature = validate(clips, folds, fold_nets)
    net.temperature = temperature
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "gtzan-small.onnx"
    probabilities = export(net, path, to_db(clips.mel[~clips.train]))
    made = {"seed": seed, "epochs": epochs, "temperature": temperature}
    made["n_members"] = N_MEMBERS
    made["n_parameters"] = sum(parameter.numel() for parameter in net.parameters())
    measured = measure(probabilities, clips.genre[~clips.train].numpy(), clips.labels)
    measured["cross_validated_train_accuracy"] = round(accuracy, 4)
    text = card(clips, path, made, measured)
    path.with_suffix(".toml").write_text(text, encoding="utf-8")
    print(text[text.index("[made]") :])


if __name__ == "__main__":
    main()
