"""Trained runs on disk, each in a folder named by what describes it, so that nothing is trained twice.

The name comes from the configuration, the data's checksum and RECIPE. The folder holds `run.json`
(configuration and provenance), `history.csv`, `metrics.json` and `weights.safetensors`, and appears
whole or not at all. The book's own runs are in `runs/reference`, which is only read; training writes
to `runs/local`. The environment variable MODA_RUNS names a folder to use instead of both.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file

from moda import data
from moda.models import Autoencoder, Classifier, untrained
from moda.parameters import OF_PAPER, AutoencoderRun, ClassifierRun, Run

# Raised by whoever changes what a configuration means (models, split, random stream, optimiser).
RECIPE = 3

REFERENCE_FOLDER = data.PROJECT / "runs" / "reference"
LOCAL_FOLDER = data.PROJECT / "runs" / "local"

# In which networks are measured and given back: the masks of nn.Dropout follow it.
LAYOUT = torch.channels_last


@dataclass(frozen=True)
class Result:
    """What is stored of a run.

    `history`: one row per epoch (see moda.training). `metrics`: on the test set (see
    moda.evaluation.measure_on_test). `record`: configuration, versions, device, threads and seconds of
    training.
    """

    run: Run
    folder: Path
    history: pd.DataFrame
    metrics: dict[str, float]
    record: dict

    def model(self) -> Autoencoder | Classifier:
        """The trained network, on the CPU and with dropout off."""
        model = untrained(self.run)
        model.load_state_dict(load_file(self.folder / "weights.safetensors"))
        return model.to(memory_format=LAYOUT).eval()


def read(run: Run, root: Path) -> Result:
    """What the folder of runs `root` holds of `run`; RuntimeError where it is damaged or not there."""
    folder = root / folder_name(run)
    try:
        history = pd.read_csv(folder / "history.csv", index_col="epoch")
        if len(history) != run.epochs:
            raise ValueError(f"history.csv has {len(history)} epochs of {run.epochs}")
        metrics = json.loads((folder / "metrics.json").read_text())
        return Result(run, folder, history, metrics, json.loads((folder / "run.json").read_text()))
    except (OSError, ValueError) as error:
        raise RuntimeError(
            f"The stored run {folder} is damaged or missing ({error}). Delete the folder, or restore it "
            "with git if it is a reference run, and try again."
        ) from error


def folder_name(run: Run) -> str:
    """The name of the run's folder: legible in front, and a hash of all that decides its result."""
    described = {"run": _departures(asdict(run)), "data": data.CHECKSUM, "recipe": RECIPE}
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:10]
    return f"{kind(run)}-n{_encoder(run).n}-s{run.seed}-{digest}"


def _departures(described: dict) -> dict:
    """A run's fields; of those beyond the paper only what is not as in the paper."""
    return {
        name: _departures(value) if isinstance(value, dict) else value
        for name, value in described.items()
        if name not in OF_PAPER or value != OF_PAPER[name]
    }


def kind(run: Run) -> str:
    return "classifier" if isinstance(run, ClassifierRun) else "autoencoder"


def _encoder(run: Run) -> AutoencoderRun:
    """The run that describes the encoder, which in an autoencoder is itself."""
    return run.autoencoder if isinstance(run, ClassifierRun) else run


def folders() -> list[Path]:
    """Where runs are looked for, in order; new ones go to the last."""
    chosen = os.environ.get("MODA_RUNS")
    return [Path(chosen)] if chosen else [REFERENCE_FOLDER, LOCAL_FOLDER]


def stored(run: Run, weights: bool) -> Result | None:
    """What is stored of `run`; None where nothing is, or nothing with weights where they are asked for."""
    needed = "weights.safetensors" if weights else "metrics.json"
    for folder in folders():
        if (folder / folder_name(run) / needed).is_file():
            return read(run, folder)
    return None


def store(final: Path, files: dict[str, bytes]) -> None:
    """Writes the files of a run under another name first, so that it is there whole or not at all."""
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=".") as scratch:
        partial = Path(scratch) / final.name
        partial.mkdir()
        for name, content in files.items():
            (partial / name).write_bytes(content)
        try:
            partial.rename(final)
        except OSError:
            if not final.is_dir():
                raise
            # The run is there already: another process was quicker, or its weights were not kept.
            for file in partial.iterdir():
                file.replace(final / file.name)
