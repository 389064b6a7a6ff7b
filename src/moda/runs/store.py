"""Trained runs on disk, each in a folder named after its configuration, so that nothing is trained twice.

The name comes from the configuration, the data's checksum and RECIPE. The folder holds `run.json`
(configuration and provenance), `history.csv`, `metrics.json`, `weights.safetensors` and their digests in
`SHA256SUMS`, in sha256sum's format; it is written atomically. The book's own runs are in `runs/reference`,
which is read-only and keeps few of the weights; training writes to `runs/local`. The environment variable
MODA_RUNS names a folder to use instead of both.
"""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd
import torch
from safetensors.torch import load_file
from safetensors.torch import save as as_safetensors

from moda import data
from moda.configurations import Run, described
from moda.errors import ModaError
from moda.networks import Autoencoder, Classifier
from moda.runs import safe_files

# To be raised when a configuration changes meaning (networks, split, random stream, optimiser).
RECIPE = 4
# Digest of the code of networks and training, so that a test notices if it changes and RECIPE does not.
RECIPE_CODE = "01f2f1e9220bd104"

REFERENCE_FOLDER = data.PROJECT / "runs" / "reference"
LOCAL_FOLDER = data.PROJECT / "runs" / "local"

# Memory layout of the networks that are measured or returned: nn.Dropout's masks depend on it.
LAYOUT = torch.channels_last

WEIGHTS = "weights.safetensors"
FILES = ["run.json", "history.csv", "metrics.json", WEIGHTS]
SUMS = "SHA256SUMS"


class StoreError(ModaError, RuntimeError):
    """A run cannot be stored, or the stored one is damaged or missing; the message says what to do."""

    @classmethod
    def of(cls, folder: Path, reason: object) -> Self:
        return cls(
            f"The stored run {folder} is damaged or missing ({reason}). Delete the folder, or restore it "
            "with git if it is a reference run, and try again."
        )


@dataclass(frozen=True)
class Result:
    """A stored run.

    `history`: one row per epoch (see moda.training.loop). `metrics`: on the test set (see
    moda.evaluation.measure); `validation`: the same on the validation set. `record`: configuration,
    versions, device, threads and seconds of training.
    """

    run: Run
    folder: Path
    history: pd.DataFrame
    metrics: dict
    validation: dict
    record: dict

    @property
    def complete(self) -> bool:
        """Whether a classifier keeps every class: a score above 0 for some of the validation images."""
        return not self.validation["dead_classes"]

    def model(self) -> Autoencoder | Classifier:
        """The trained network, on the CPU and with dropout off."""
        model = self.run.network()
        model.load_state_dict(load_file(self.folder / WEIGHTS))
        return model.to(memory_format=LAYOUT).eval()  # type: ignore[call-overload]


def read(run: Run, root: Path) -> Result:
    """The result of `run` in the folder of runs `root`.

    StoreError if it is missing, not byte for byte what was stored, or another run's.
    """
    folder = root / folder_name(run)
    files = read_files(folder)
    try:
        record = json.loads(files["run.json"])
        expected = _decisive(run)
        if different := [name for name, value in expected.items() if record[name] != value]:
            raise ValueError(f"run.json has another {', '.join(different)}")
        # An empty text stays one: no dead classes.
        history = pd.read_csv(io.BytesIO(files["history.csv"]), index_col="epoch", keep_default_na=False)
        if len(history) != run.epochs:
            raise ValueError(f"history.csv has {len(history)} epochs of {run.epochs}")
        metrics = json.loads(files["metrics.json"])
        return Result(run, folder, history, metrics["test"], metrics["validation"], record)
    except (KeyError, ValueError) as error:
        raise StoreError.of(folder, error) from error


def read_files(folder: Path) -> dict[str, bytes]:
    """The files of a run by name, each verified; the weights may be absent.

    StoreError names the file that is missing or has changed.
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
    """The name of the run's folder: a readable prefix, and a hash of everything that decides its result."""
    digest = hashlib.sha256(json.dumps(_decisive(run), sort_keys=True).encode()).hexdigest()[:10]
    return f"{run.kind}-n{run.n}-s{run.seed}-{digest}"


def _decisive(run: Run) -> dict[str, Any]:
    """What decides the result of a run, as in its record."""
    return {"configuration": described(run), "recipe": RECIPE, "data_sha256": data.CHECKSUM}


def folders() -> list[Path]:
    """The folders to search for runs, in order; new runs go to the last."""
    chosen = os.environ.get("MODA_RUNS")
    # Relative to the project, because a notebook's kernel runs in its own folder.
    return [data.PROJECT / Path(chosen).expanduser()] if chosen else [REFERENCE_FOLDER, LOCAL_FOLDER]


def find(run: Run, weights: bool) -> Result | None:
    """The stored result of `run`; None if there is none, or none with weights when `weights` is true."""
    for root in folders():
        folder = root / folder_name(run)
        if safe_files.aside_of(folder).exists() and not folder.exists():
            try:
                with locked(folder):
                    pass
            except OSError as error:
                raise StoreError.of(folder, error) from error
        if (folder / WEIGHTS if weights else folder).exists():
            return read(run, root)
    return None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let in one process at a time for each run's folder; undo a replacement that was killed halfway."""
    with safe_files.locked(folder.with_name(f".{folder.name}.lock")):
        safe_files.undo_replace(folder)
        yield


def save(
    folder: Path,
    run: Run,
    model: Autoencoder | Classifier,
    history: pd.DataFrame,
    metrics: dict,
    provenance: dict,
) -> None:
    """Store a trained run in `folder`; `provenance` (date, versions, device ...) goes into its record."""
    weights = {
        name: value.clone(memory_format=torch.contiguous_format) for name, value in model.state_dict().items()
    }
    files = {
        "run.json": _json({**_decisive(run), **provenance}),
        "metrics.json": _json(metrics),
        "history.csv": history.to_csv().encode(),
        WEIGHTS: as_safetensors(weights),
    }
    write_files(folder, files)


def _json(content: dict) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()


def write_files(final: Path, files: dict[str, bytes]) -> None:
    """Write the files of a run and their digests, so that its folder is complete or absent.

    Replaces an existing folder, such as that of a run without weights. The caller has it `locked`.
    OSError if the disk is full.
    """
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    partial = final.with_name(f".{final.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for name, content in {**files, SUMS: sums.encode()}.items():
            safe_files.write(partial / name, content)
        safe_files.replace(partial, final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def table(reference: bool = False) -> pd.DataFrame:
    """The runs trained here, one per row: configuration, test metrics and provenance.

    With `reference`, the reference runs too. The index is the name of the run's folder. A classifier's
    start is in the columns `start_…`.
    """
    rows = {}
    for place in folders() if reference else folders()[-1:]:
        for folder in sorted(place.glob("[!.]*-n*-s*-*")):
            files = read_files(folder)
            record = json.loads(files["run.json"])
            configuration, versions = record.pop("configuration"), record.pop("versions")
            del configuration["type"]
            kind, n = folder.name.split("-")[:2]
            rows[folder.name] = {
                "kind": kind,
                **pd.json_normalize(configuration, sep="_").iloc[0],
                "n": int(n[1:]),
                **json.loads(files["metrics.json"])["test"],
                **versions,
                **record,
            }
    return pd.DataFrame.from_dict(rows, orient="index")
