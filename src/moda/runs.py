"""Trained runs, stored by what describes them, so that nothing is trained twice.

A run's folder is named after its configuration, the data's checksum and RECIPE, and holds `run.json`
(configuration and provenance), `history.csv`, `metrics.json` and `weights.safetensors`. It appears
whole or not at all; while the run is trained, a file beside it keeps the state after the last epoch.
The book's own runs are in `runs/reference`, which is only read; training writes to `runs/local`. The
environment variable MODA_RUNS names a folder to use instead of both.
"""

import functools
import hashlib
import json
import os
import platform
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import joblib
import pandas as pd
import torch
from safetensors.torch import load_file, save

from moda import data, evaluation, training
from moda.checkpoint import Checkpoint
from moda.data import FashionMNIST, Images
from moda.models import Autoencoder, Classifier, Encoder
from moda.parameters import AutoencoderRun, ClassifierRun, ParameterError, Run, choose_device
from moda.progress import Progress

# Raised by whoever changes what a configuration means (models, split, random stream, optimiser).
RECIPE = 2

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
    return obtain_all([run], device, weights)[0]


def obtain_all(
    runs: Iterable[Run], device: str = "auto", weights: bool = True, dask: str | None = None
) -> list[Result]:
    """The results of `runs`, in order; several missing ones are trained at once.

    On the CPU one process per core, each with one thread; on a GPU one run after another; with
    `dask`, the address of a scheduler such as "tcp://10.0.0.1:8786", on the workers of that cluster.
    """
    runs = list(runs)
    device = choose_device(device).type if not dask else device
    missing = [run for run in dict.fromkeys(runs) if not _stored(run, weights)]
    classifiers = [run for run in missing if isinstance(run, ClassifierRun)]
    encoders = dict.fromkeys(run.autoencoder for run in classifiers)
    autoencoders = [run for run in encoders if not _stored(run, weights=True)]
    autoencoders += [run for run in missing if run not in classifiers and run not in encoders]
    # First what classifiers build on, so that no two processes train the same autoencoder.
    for step in (autoencoders, classifiers):
        if step:
            _train_all(step, device, dask)
    return [_stored(run, weights) for run in runs]


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


def _checkpoint(run: Run, device: str) -> Checkpoint:
    conditions = {"torch": str(torch.__version__), "device": device, "threads": torch.get_num_threads()}
    return Checkpoint(_folders()[-1] / f".{folder_name(run)}.pt", conditions)


def _train_all(runs: list[Run], device: str, dask: str | None) -> None:
    lines = {folder_name(run): (_checkpoint(run, device).path, run.epochs) for run in runs}
    with Progress(lines) as progress:
        if dask:
            done = _train_on_dask(runs, device, dask)
        elif device == "cpu" and len(runs) > 1 and joblib.cpu_count() > 1:
            done = _train_in_processes(runs)
        else:
            done = (_train(run, device, data.load()) for run in runs)
        for _ in done:
            progress.finished_one()


def _train_in_processes(runs: list[Run]) -> Iterable[None]:
    """Each run on one thread, in as many processes as there are cores."""
    dataset = data.load()
    # joblib keeps long arrays in a file that the processes map: they are in memory only once.
    arrays = [
        tensor.numpy()
        for images in (dataset.train, dataset.validation, dataset.test)
        for tensor in (images.images, images.labels)
    ]
    workers = min(joblib.cpu_count(), len(runs))
    parallel = joblib.Parallel(workers, batch_size=1, return_as="generator_unordered", mmap_mode="c")
    return parallel(
        joblib.delayed(_train_in_a_process)(run, arrays, os.environ.get("MODA_RUNS"), os.getpid())
        for run in runs
    )


def _train_in_a_process(run: Run, arrays: list, folder: str | None, parent: int) -> None:
    # A process that joblib has kept from an earlier call has the environment of that time.
    os.environ.pop("MODA_RUNS", None)
    if folder:
        os.environ["MODA_RUNS"] = folder
    torch.set_num_threads(1)
    _end_with(parent)
    tensors = [torch.from_numpy(array) for array in arrays]
    _train(run, "cpu", FashionMNIST(*map(Images, tensors[::2], tensors[1::2])))


@functools.cache  # a process is given several runs, and needs one watch
def _end_with(parent: int) -> None:
    """Ends this process when its parent is gone: a killed program must not go on in its workers."""

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _train_on_dask(runs: list[Run], device: str, scheduler: str) -> Iterable[None]:
    """Each run on one worker of the cluster; what the workers store is brought here.

    A run whose worker dies is given to another one, which goes on from its last epoch where they
    share a folder of runs.
    """
    with _dask_client(scheduler), joblib.parallel_config("dask"):
        parallel = joblib.Parallel(batch_size=1, pre_dispatch="all", return_as="generator_unordered")
        tasks = (joblib.delayed(_train_on_a_worker)(run, device, _autoencoder_of(run)) for run in runs)
        for name, files in parallel(tasks):
            _store(_folders()[-1] / name, files)
            yield


def _dask_client(scheduler: str):
    try:
        from distributed import Client
    except ImportError as error:
        raise ParameterError(
            f"El parámetro «dask» vale {scheduler!r}, pero Dask no está instalado. "
            "Se instala con: pip install 'dask[distributed]'"
        ) from error
    try:
        return Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise ParameterError(
            f"El parámetro «dask» vale {scheduler!r}; debe ser la dirección de un planificador de Dask "
            f"en marcha, como tcp://10.0.0.1:8786 ({error})."
        ) from error


def _files(result: Result) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in result.folder.iterdir()}


def _autoencoder_of(run: Run) -> dict[str, bytes]:
    """What a classifier starts from, which its worker may not have."""
    return _files(_stored(run.autoencoder, weights=True)) if isinstance(run, ClassifierRun) else {}


# Random numbers and the number of threads belong to a whole process: a worker that has several
# threads trains one run after another.
_ALONE = threading.Lock()


def _train_on_a_worker(run: Run, device: str, autoencoder: dict[str, bytes]) -> tuple[str, dict[str, bytes]]:
    with _ALONE:
        torch.set_num_threads(1)
        if autoencoder and not _stored(run.autoencoder, weights=True):
            _store(_folders()[-1] / folder_name(run.autoencoder), autoencoder)
        result = _stored(run, weights=True) or _train(run, choose_device(device).type, data.load())
        return result.folder.name, _files(result)


def _train(run: Run, device: str, dataset: FashionMNIST) -> Result:
    place = torch.device(device)
    checkpoint = _checkpoint(run, device)
    if isinstance(run, ClassifierRun):
        autoencoder = _stored(run.autoencoder, weights=True).model()
        trained = training.train_classifier(run, autoencoder, dataset, place, checkpoint)
        measure = evaluation.classifier_metrics
    else:
        trained = training.train_autoencoder(run, dataset, place, checkpoint)
        measure = evaluation.autoencoder_metrics
    record = {
        "kind": _kind(run),
        "configuration": asdict(run),
        "recipe": RECIPE,
        "data_sha256": data.CHECKSUM,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "seconds": round(trained.seconds, 1),
        "date": datetime.now(UTC).date().isoformat(),
    }
    model = trained.model.to(memory_format=_LAYOUT)
    metrics = measure(model, dataset.test)
    metrics |= {f"{name}_dropout": v for name, v in measure(model, dataset.test, dropout=True).items()}
    weights = {
        name: value.clone(memory_format=torch.contiguous_format) for name, value in model.state_dict().items()
    }
    target = _folders()[-1]
    files = {
        "run.json": (json.dumps(record, indent=2) + "\n").encode(),
        "metrics.json": (json.dumps(metrics, indent=2) + "\n").encode(),
        "history.csv": trained.history.to_csv().encode(),
        "weights.safetensors": save(weights),
    }
    _store(target / folder_name(run), files)
    checkpoint.remove()
    return read(run, target)


def _store(final: Path, files: dict[str, bytes]) -> None:
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
