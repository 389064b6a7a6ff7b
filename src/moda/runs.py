"""Trained runs, stored by what describes them, so that nothing is trained twice.

A run's folder is named after its configuration, the data's checksum and RECIPE, and holds `run.json`
(configuration and provenance), `history.csv`, `metrics.json` and `weights.safetensors`. It appears
whole or not at all. The book's own runs are in `runs/reference`, which is only read; training
writes to `runs/local`. The environment variable MODA_RUNS names a folder to use instead of both.
"""

import hashlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import joblib
import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from tqdm import tqdm

from moda import data, evaluation, training
from moda.models import Autoencoder, Classifier, Encoder
from moda.parameters import AutoencoderRun, ClassifierRun, Run, choose_device

# Raised by whoever changes what a configuration means (models, split, random stream, optimiser).
RECIPE = 1

REFERENCE_FOLDER = data.PROJECT / "runs" / "reference"
LOCAL_FOLDER = data.PROJECT / "runs" / "local"

# In which networks are measured and given back: the masks of nn.Dropout follow it.
_LAYOUT = torch.channels_last


@dataclass(frozen=True)
class Result:
    """What is stored of a run.

    `history`: one row per epoch (see moda.training). `metrics`: test set, `loss` (ECM or cross
    entropy) and for a classifier `accuracy`, each also with dropout on (`…_dropout`). `record`:
    configuration, versions, device, threads and seconds of training.
    """

    run: Run
    folder: Path
    history: pd.DataFrame
    metrics: dict[str, float]
    record: dict

    def model(self) -> Autoencoder | Classifier:
        """The trained network, on the CPU and with dropout off."""
        model = _untrained(self.run)
        model.load_state_dict(load_file(self.folder / "weights.safetensors"))
        return model.to(memory_format=_LAYOUT).eval()


def obtain(run: Run, device: str = "auto", weights: bool = True) -> Result:
    """The stored result of `run`; where there is none, trains it first (and what it builds on).

    With `weights` false, a result whose weights were not kept will do.
    """
    chosen = choose_device(device)
    return _stored(run, weights) or _train(run, chosen)


def obtain_all(runs: Iterable[Run], device: str = "auto", weights: bool = True) -> list[Result]:
    """The results of `runs`, in order; several missing ones are trained at once.

    On the CPU one process per core, each with one thread; on a GPU one run after another.
    """
    runs = list(runs)
    missing = [run for run in dict.fromkeys(runs) if not _stored(run, weights)]
    classifiers = [run for run in missing if isinstance(run, ClassifierRun)]
    encoders = dict.fromkeys(run.autoencoder for run in classifiers)
    autoencoders = [run for run in encoders if not _stored(run, weights=True)]
    autoencoders += [run for run in missing if run not in classifiers and run not in encoders]
    # First what classifiers build on, so that no two processes train the same autoencoder.
    _train_all(autoencoders, choose_device(device))
    _train_all(classifiers, choose_device(device))
    return [obtain(run, device, weights) for run in runs]


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
    described = {"run": asdict(run), "data": data.CHECKSUM, "recipe": RECIPE}
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:10]
    return f"{_kind(run)}-n{_encoder(run).n}-s{run.seed}-{digest}"


def _kind(run: Run) -> str:
    return "classifier" if isinstance(run, ClassifierRun) else "autoencoder"


def _encoder(run: Run) -> AutoencoderRun:
    """The run that describes the encoder, which in an autoencoder is itself."""
    return run.autoencoder if isinstance(run, ClassifierRun) else run


def _untrained(run: Run) -> Autoencoder | Classifier:
    encoder = _encoder(run)
    if isinstance(run, ClassifierRun):
        return Classifier(Encoder(encoder.n, encoder.dropout), run.dropout)
    return Autoencoder(encoder.n, encoder.dropout)


def _folders() -> list[Path]:
    """Where runs are looked for, in order; new ones go to the last."""
    chosen = os.environ.get("MODA_RUNS")
    return [Path(chosen)] if chosen else [REFERENCE_FOLDER, LOCAL_FOLDER]


def _stored(run: Run, weights: bool) -> Result | None:
    needed = "weights.safetensors" if weights else "metrics.json"
    for folder in _folders():
        if (folder / folder_name(run) / needed).is_file():
            return read(run, folder)
    return None


def _train_all(runs: list[Run], device: torch.device) -> None:
    workers = min(joblib.cpu_count(), len(runs)) if device.type == "cpu" else 1
    if workers > 1:
        environment = {name: os.environ.get(name, "") for name in ("MODA_RUNS", "FASHION_MNIST_DIR")}
        tasks = (joblib.delayed(_train_on_one_thread)(run, environment) for run in runs)
        done = joblib.Parallel(workers, return_as="generator_unordered")(tasks)
    else:
        done = (_train(run, device) for run in runs)
    for _ in tqdm(done, total=len(runs), desc="training", unit="run", disable=None):
        pass


def _train_on_one_thread(run: Run, environment: dict[str, str]) -> None:
    os.environ.update(environment)  # a worker that joblib has kept still has that of an earlier call
    torch.set_num_threads(1)
    _train(run, torch.device("cpu"))


def _train(run: Run, device: torch.device) -> Result:
    dataset = data.load()
    if isinstance(run, ClassifierRun):
        autoencoder = obtain(run.autoencoder, device.type).model()
        start = time.perf_counter()
        model, history = training.train_classifier(run, autoencoder, dataset, device)
        measure = evaluation.classifier_metrics
    else:
        start = time.perf_counter()
        model, history = training.train_autoencoder(run, dataset, device)
        measure = evaluation.autoencoder_metrics
    record = {
        "kind": _kind(run),
        "configuration": asdict(run),
        "recipe": RECIPE,
        "data_sha256": data.CHECKSUM,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "device": torch.cuda.get_device_name() if device.type == "cuda" else device.type,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "seconds": round(time.perf_counter() - start, 1),
        "date": datetime.now(UTC).date().isoformat(),
    }
    model.to(memory_format=_LAYOUT)
    metrics = measure(model, dataset.test)
    metrics |= {f"{name}_dropout": v for name, v in measure(model, dataset.test, dropout=True).items()}
    target = _folders()[-1]
    _store(target, run, model, history, metrics, record)
    return read(run, target)


def _store(
    target: Path, run: Run, model: nn.Module, history: pd.DataFrame, metrics: dict, record: dict
) -> None:
    target.mkdir(parents=True, exist_ok=True)
    final = target / folder_name(run)
    with tempfile.TemporaryDirectory(dir=target, prefix=".") as scratch:
        partial = Path(scratch) / final.name
        partial.mkdir()
        (partial / "run.json").write_text(json.dumps(record, indent=2) + "\n")
        (partial / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        history.to_csv(partial / "history.csv")
        weights = {name: value.contiguous() for name, value in model.state_dict().items()}
        save_file(weights, partial / "weights.safetensors")
        try:
            partial.rename(final)
        except OSError:
            if not final.is_dir():
                raise
            # The run is there already: another process was quicker, or its weights were not kept.
            for file in partial.iterdir():
                file.replace(final / file.name)
