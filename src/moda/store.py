"""Trained runs on disk, each in a folder named by what describes it, so that nothing is trained twice.

The name comes from the configuration, the data's checksum and RECIPE. The folder holds `run.json`
(configuration and provenance), `history.csv`, `metrics.json`, `weights.safetensors` and, in the form of
sha256sum, the digests of these in `SHA256SUMS`; it appears whole or not at all. The book's own runs are in
`runs/reference`, which is only read and keeps the weights of few; training writes to `runs/local`. The
environment variable MODA_RUNS names a folder to use instead of both.
"""

import hashlib
import io
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import pandas as pd
import torch
from safetensors.torch import load_file

from moda import data, disk
from moda.errors import ModaError
from moda.models import Autoencoder, Classifier, untrained
from moda.parameters import OF_PAPER, AutoencoderRun, ClassifierRun, Run

# Raised by whoever changes what a configuration means (models, split, random stream, optimiser).
RECIPE = 3
# Of the code of models, training and fast, so that a test notices when these change and RECIPE does not.
RECIPE_CODE = "1e1717ff4e8bf02c"

REFERENCE_FOLDER = data.PROJECT / "runs" / "reference"
LOCAL_FOLDER = data.PROJECT / "runs" / "local"

# In which networks are measured and given back: the masks of nn.Dropout follow it.
LAYOUT = torch.channels_last

WEIGHTS = "weights.safetensors"
FILES = ["run.json", "history.csv", "metrics.json", WEIGHTS]
SUMS = "SHA256SUMS"


class StoreError(ModaError, RuntimeError):
    """A run cannot be stored, or what is stored is damaged or gone; the message says what to do."""

    @classmethod
    def of(cls, folder: Path, reason: object) -> Self:
        return cls(
            f"The stored run {folder} is damaged or missing ({reason}). Delete the folder, or restore it "
            "with git if it is a reference run, and try again."
        )


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
        model.load_state_dict(load_file(self.folder / WEIGHTS))
        return model.to(memory_format=LAYOUT).eval()  # type: ignore[call-overload]


def read(run: Run, root: Path) -> Result:
    """What the folder of runs `root` holds of `run`.

    StoreError where it is not there, not byte for byte what was stored, or another run's.
    """
    folder = root / folder_name(run)
    files = verified(folder)
    try:
        record = json.loads(files["run.json"])
        described = {"configuration": asdict(run), "recipe": RECIPE, "data_sha256": data.CHECKSUM}
        if different := [name for name, value in described.items() if record[name] != value]:
            raise ValueError(f"run.json has another {', '.join(different)}")
        history = pd.read_csv(io.BytesIO(files["history.csv"]), index_col="epoch")
        if len(history) != run.epochs:
            raise ValueError(f"history.csv has {len(history)} epochs of {run.epochs}")
        return Result(run, folder, history, json.loads(files["metrics.json"]), record)
    except (KeyError, ValueError) as error:
        raise StoreError.of(folder, error) from error


def verified(folder: Path) -> dict[str, bytes]:
    """The files of a run by their names, each as it was stored; the weights may not have been kept.

    StoreError names the one that is missing or has changed.
    """
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
        kept = [name for name in FILES if name != WEIGHTS or (folder / name).exists()]
        files = {name: (folder / name).read_bytes() for name in kept}
        for name, content in files.items():
            if sums.get(name) != hashlib.sha256(content).hexdigest():
                raise ValueError(f"{name} is not what was stored")
        return files
    except (OSError, ValueError) as error:
        raise StoreError.of(folder, error) from error


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
    # Whatever folder the process is in: a notebook's kernel is in its own.
    return [data.PROJECT / Path(chosen).expanduser()] if chosen else [REFERENCE_FOLDER, LOCAL_FOLDER]


def stored(run: Run, weights: bool) -> Result | None:
    """What is stored of `run`; None where nothing is, or nothing with weights where they are asked for."""
    for root in folders():
        folder = root / folder_name(run)
        if (folder / WEIGHTS if weights else folder).exists():
            return read(run, root)
    return None


def store(final: Path, files: dict[str, bytes]) -> None:
    """Writes the files of a run with their digests, so that its folder is there whole or not at all.

    One that is there, such as of a run whose weights were not kept, is replaced. The caller holds the
    run's lock. OSError where there is no room.
    """
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    partial, replaced = (final.with_name(f".{final.name}.{state}") for state in ("partial", "replaced"))
    for left_behind in (partial, replaced):
        shutil.rmtree(left_behind, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for name, content in {**files, SUMS: sums.encode()}.items():
            disk.write(partial / name, content)
        if final.exists():
            final.rename(replaced)
        partial.rename(final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    disk.sync(final.parent)
    shutil.rmtree(replaced, ignore_errors=True)
