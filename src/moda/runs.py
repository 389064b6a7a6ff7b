"""Results of runs: those that are stored, or else trained, here on all cores or on a cluster.

While a run is trained, a file in the folder of runs keeps its state after the last epoch.
"""

import functools
import json
import os
import platform
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime

import joblib
import pandas as pd
import torch
from safetensors.torch import save

from moda import data, evaluation, training
from moda.checkpoint import Checkpoint
from moda.data import FashionMNIST, Images
from moda.parameters import ClassifierRun, ParameterError, Run, choose_device, origin
from moda.progress import Progress
from moda.store import LAYOUT, RECIPE, Result, folder_name, folders, kind, read, store, stored


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
    missing = [run for run in dict.fromkeys(runs) if not stored(run, weights)]
    classifiers = [run for run in missing if isinstance(run, ClassifierRun)]
    encoders = dict.fromkeys(origin(run) for run in classifiers if origin(run))
    autoencoders = [run for run in encoders if not stored(run, weights=True)]
    autoencoders += [run for run in missing if run not in classifiers and run not in encoders]
    # First what classifiers build on, so that no two processes train the same autoencoder.
    for step in (autoencoders, classifiers):
        if step:
            _train_all(step, device, dask)
    return [stored(run, weights) for run in runs]


def table(reference: bool = False) -> pd.DataFrame:
    """The runs trained here, one a row: parameters, test metrics and provenance; all with `reference`.

    The index is the name of the run's folder. `n` is N for both kinds; what else a classifier has of its
    autoencoder is in `autoencoder_…`.
    """
    rows = {}
    for place in folders() if reference else folders()[-1:]:
        for file in sorted(place.glob("*/run.json")):
            record = json.loads(file.read_text())
            configuration = record.pop("configuration")
            encoder = configuration.pop("autoencoder", {})
            rows[file.parent.name] = {
                "kind": record.pop("kind"),
                "n": (encoder or configuration).pop("n"),
                **configuration,
                **{f"autoencoder_{name}": value for name, value in encoder.items()},
                **json.loads((file.parent / "metrics.json").read_text()),
                **record.pop("versions"),
                **record,
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def _checkpoint(run: Run, device: str) -> Checkpoint:
    conditions = {"torch": str(torch.__version__), "device": device, "threads": torch.get_num_threads()}
    return Checkpoint(folders()[-1] / f".{folder_name(run)}.pt", conditions)


def _train_all(runs: list[Run], device: str, dask: str | None) -> None:
    lines = {folder_name(run): (_checkpoint(run, device).path, run.epochs) for run in runs}
    with Progress(lines) as progress:
        if dask:
            done = _train_on_dask(runs, device, dask)
        elif device == "cpu" and len(runs) > 1 and joblib.cpu_count() > 1:
            done = _train_in_processes(runs)
        else:
            done = _train_in_turn(runs, device)
        for _ in done:
            progress.finished_one()


def _train_in_turn(runs: list[Run], device: str) -> Iterable[Result]:
    dataset = data.load()
    for run in runs:
        yield _train(run, device, dataset)


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
            store(folders()[-1] / name, files)
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
    return _files(stored(origin(run), weights=True)) if origin(run) else {}


# Random numbers and the number of threads belong to a whole process: a worker that has several
# threads trains one run after another.
_ALONE = threading.Lock()


def _train_on_a_worker(run: Run, device: str, autoencoder: dict[str, bytes]) -> tuple[str, dict[str, bytes]]:
    with _ALONE:
        torch.set_num_threads(1)
        if autoencoder and not stored(run.autoencoder, weights=True):
            store(folders()[-1] / folder_name(run.autoencoder), autoencoder)
        result = stored(run, weights=True) or _train(run, choose_device(device).type, data.load())
        return result.folder.name, _files(result)


def _train(run: Run, device: str, dataset: FashionMNIST) -> Result:
    place = torch.device(device)
    checkpoint = _checkpoint(run, device)
    if isinstance(run, ClassifierRun):
        autoencoder = stored(origin(run), weights=True).model() if origin(run) else None
        trained = training.train_classifier(run, autoencoder, dataset, place, checkpoint)
    else:
        trained = training.train_autoencoder(run, dataset, place, checkpoint)
    record = {
        "kind": kind(run),
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
    model = trained.model.to(memory_format=LAYOUT)
    metrics = evaluation.measure_on_test(model, dataset.test)
    weights = {
        name: value.clone(memory_format=torch.contiguous_format) for name, value in model.state_dict().items()
    }
    target = folders()[-1]
    files = {
        "run.json": (json.dumps(record, indent=2) + "\n").encode(),
        "metrics.json": (json.dumps(metrics, indent=2) + "\n").encode(),
        "history.csv": trained.history.to_csv().encode(),
        "weights.safetensors": save(weights),
    }
    store(target / folder_name(run), files)
    checkpoint.remove()
    return read(run, target)
