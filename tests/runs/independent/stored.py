"""The stored runs and the data set, read without the package."""

import csv
import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch  # only for the order of the images
from safetensors.numpy import load_file

from moda.data import locate  # only to find the files

PROJECT = Path(__file__).resolve().parents[3]
TEN, FIVE = range(10), range(5)
# The paper's, but for their seeds.
AUTOENCODER = {
    "type": "AutoencoderRun",
    "n": 64,
    "dropout": 0.2,
    "epochs": 15,
    "batch_size": 100,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "train_size": 50_000,
    "output_dropout": True,
    "all_pixels": False,
}
CLASSIFIER = {
    "type": "ClassifierRun",
    "dropout": 0.2,
    "epochs": 30,
    "batch_size": 100,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "train_size": 50_000,
    "train_block": 0,
    "decay": False,
    "warm_up": 0,
    "output_relu": True,
    "leak": 0.0,
    "bias": 0.0,
}
# Without ReLU or dropout on the scores.
PLAIN = {"dropout": 0.0, "output_relu": False}


class Run(NamedTuple):
    """A folder: what was trained and for how many seconds, how good it is, and each epoch's measures."""

    folder: Path
    configuration: dict
    seconds: float
    measures: dict
    history: dict

    @property
    def seed(self) -> int:
        return self.configuration["seed"]

    @property
    def complete(self) -> bool:
        return not self.measures["validation"]["dead_classes"]

    @property
    def weights(self) -> dict:
        return load_file(self.folder / "weights.safetensors")


def unseeded(configuration: dict) -> dict:
    return {
        name: unseeded(value) if isinstance(value, dict) else value
        for name, value in configuration.items()
        if name != "seed"
    }


@cache
def stored() -> list[Run]:
    runs = []
    for folder in sorted((PROJECT / "runs" / "reference").iterdir()):
        record, measures = (json.loads((folder / f"{name}.json").read_text()) for name in ("run", "metrics"))
        with (folder / "history.csv").open() as file:
            rows = list(csv.DictReader(file))
        numbers = rows[0].keys() - {"dead_classes"}
        history = {name: np.array([float(row[name]) for row in rows]) for name in numbers}
        runs.append(Run(folder, record["configuration"], record["seconds"], measures, history))
    return runs


def found(configuration: dict, seeds=None) -> list[Run]:
    """The runs so configured, in the order of their seeds, which are any or among these."""
    runs = [run for run in stored() if unseeded(run.configuration) == configuration]
    return sorted((run for run in runs if seeds is None or run.seed in seeds), key=lambda run: run.seed)


def autoencoders(n=64, seeds=TEN, **changed) -> list[Run]:
    return found(AUTOENCODER | {"n": n} | changed, seeds)


def classifiers(n=64, seeds=TEN, start=None, of_start=None, **changed) -> list[Run]:
    """On the paper's autoencoder, on one that differs from it, or with another start."""
    start = start or AUTOENCODER | {"n": n} | (of_start or {})
    return found(CLASSIFIER | {"start": start} | changed, seeds)


def origin(run: Run) -> Run:
    """The autoencoder that a classifier starts from."""
    (one,) = (one for one in stored() if one.configuration == run.configuration["start"])
    return one


def complete(n=64) -> list[Run]:
    """Of the paper's classifiers, those that keep every class on the validation images."""
    return [run for run in classifiers(n) if run.complete]


def lost(n=64) -> list[Run]:
    return [run for run in classifiers(n) if not run.complete]


def measured(runs: list[Run], what="loss", of_set="test") -> np.ndarray:
    """Accuracies are in per cent."""
    return np.array([run.measures[of_set][what] for run in runs]) * (100 if "accuracy" in what else 1)


@cache
def images(part: str) -> np.ndarray:
    content = (locate(None) / f"{part}-images-idx3-ubyte").read_bytes()
    return np.frombuffer(content, np.uint8, offset=16).reshape(-1, 784) / np.float32(255)


@cache
def labels(part: str) -> np.ndarray:
    return np.frombuffer((locate(None) / f"{part}-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8)


@cache
def order() -> np.ndarray:
    """Of the images to train with and, behind these, of those to validate with."""
    return torch.randperm(60_000, generator=torch.Generator().manual_seed(0)).numpy()


def to_train(count=50_000) -> np.ndarray:
    return images("train")[order()[:count]]


def to_validate() -> np.ndarray:
    return images("train")[order()[50_000:]]


def to_test() -> np.ndarray:
    return images("t10k")
