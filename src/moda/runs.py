"""Results of runs: those that are stored, or else trained, here on all cores or on a cluster.

On a CPU a run is trained on one thread, whatever is trained beside it, so that its result is always the same.
While a run is trained, a file in the folder of runs keeps its state after the last epoch, and another one
keeps other processes from training it too.
"""

import functools
import json
import os
import platform
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import joblib
import pandas as pd
import torch
from safetensors.torch import save

from moda import data, disk, evaluation, training
from moda.arithmetic import arithmetic, one_thread
from moda.checkpoint import Checkpoint
from moda.data import FashionMNIST, Images
from moda.models import Autoencoder
from moda.parameters import (
    ClassifierRun,
    ParameterError,
    Run,
    as_text,
    check_device_name,
    choose_device,
    origin,
)
from moda.progress import Progress
from moda.store import (
    LAYOUT,
    RECIPE,
    WEIGHTS,
    Result,
    StoreError,
    folder_name,
    folders,
    kind,
    store,
    stored,
    verified,
)


def obtain(run: Run, device: str = "auto", weights: bool = True) -> Result:
    """The stored result of `run`; where there is none, trains it first (and what it builds on).

    With `weights` false, a result whose weights were not kept will do.
    """
    return obtain_all([run], device, weights)[0]


def obtain_all(
    runs: Iterable[Run], device: str = "auto", weights: bool = True, dask: str | None = None
) -> list[Result]:
    """The results of `runs`, in order; several missing ones are trained at once.

    On the CPU in one process per core; on a GPU one run after another; with `dask`, the address of a
    scheduler such as "tcp://10.0.0.1:8786", on the workers of that cluster.
    """
    runs = list(runs)
    check_device_name(device)
    missing = [run for run in dict.fromkeys(runs) if not stored(run, weights)]
    classifiers = [run for run in missing if isinstance(run, ClassifierRun)]
    encoders = dict.fromkeys(start for run in classifiers if (start := origin(run)))
    autoencoders: list[Run] = [run for run in encoders if not stored(run, weights=True)]
    autoencoders += [run for run in missing if run not in classifiers and run not in encoders]
    # First what classifiers build on, so that no two processes train the same autoencoder.
    steps: tuple[list[Run], ...] = (autoencoders, [*classifiers])
    for step in steps:
        if step:
            _train_all(step, device, dask)
    return [_there(run, weights) for run in runs]


def _there(run: Run, weights: bool = True) -> Result:
    """What is stored of a run that must be there."""
    result = stored(run, weights)
    if not result:
        raise StoreError.of(folders()[-1] / folder_name(run), "it was trained, and is gone")
    return result


def table(reference: bool = False) -> pd.DataFrame:
    """The runs trained here, one a row: parameters, test metrics and provenance; all with `reference`.

    The index is the name of the run's folder. `n` is N for both kinds; what else a classifier has of its
    autoencoder is in `autoencoder_…`.
    """
    rows = {}
    for place in folders() if reference else folders()[-1:]:
        for folder in sorted(place.glob("[!.]*-n*-s*-*")):
            files = verified(folder)
            record = json.loads(files["run.json"])
            configuration = record.pop("configuration")
            encoder = configuration.pop("autoencoder", {})
            rows[folder.name] = {
                "kind": record.pop("kind"),
                "n": (encoder or configuration).pop("n"),
                **configuration,
                **{f"autoencoder_{name}": value for name, value in encoder.items()},
                **json.loads(files["metrics.json"]),
                **record.pop("versions"),
                **record,
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def _checkpoint_path(run: Run) -> Path:
    return folders()[-1] / f".{folder_name(run)}.pt"


def _conditions(device: str) -> dict[str, str]:
    """What the result of a training depends on beside the run: the same digits need the same of these."""
    return {
        "torch": str(torch.__version__),
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "machine": platform.machine(),
        "arithmetic": arithmetic(),
    }


@contextmanager
def _alone(run: Run) -> Iterator[Path]:
    """The folder to store `run` in, while no other process that shares the folder of runs works at it.

    What cannot be written inside is a StoreError.
    """
    target = folders()[-1] / folder_name(run)
    try:
        with disk.locked(target.with_name(f".{target.name}.lock")):
            yield target
    except OSError as error:
        raise StoreError(
            f"The run {target} cannot be stored ({error.strerror or error}). Make room, or name another "
            "folder in MODA_RUNS, and try again: whole runs and whole epochs are kept."
        ) from error


def _train_all(runs: list[Run], device: str, dask: str | None) -> None:
    if not dask:  # whose workers may have another
        device = choose_device(device).type
    with Progress({folder_name(run): (_checkpoint_path(run), run.epochs) for run in runs}) as progress:
        if dask:
            done = _train_on_dask(runs, device, dask)
        elif device == "cpu" and len(runs) > 1 and joblib.cpu_count() > 1:
            done = _train_in_processes(runs)
        else:
            done = _train_in_turn(runs, device)
        for _ in done:
            progress.finished_one()


def _train_in_turn(runs: list[Run], device: str) -> Iterable[None]:
    dataset = data.load()
    for run in runs:
        _train(run, device, dataset)
        yield


def _train_in_processes(runs: list[Run]) -> Iterable[None]:
    """In as many processes as there are cores."""
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
        tasks = (
            joblib.delayed(_train_on_a_worker)(run, folder_name(run), device, _autoencoder_of(run))
            for run in runs
        )
        by_name = {folder_name(run): run for run in runs}
        for name, files in parallel(tasks):
            with _alone(by_name[name]) as target:
                store(target, files)
            yield


def _dask_client(scheduler: str):
    try:
        from distributed import Client
    except ImportError as error:
        raise ParameterError(
            f"El parámetro «dask» vale {as_text(scheduler)}, pero Dask no está instalado. Se instala "
            "con: pip install 'dask[distributed]'"
        ) from error
    try:
        return Client(scheduler, timeout=10)
    except (OSError, TypeError, ValueError) as error:
        raise ParameterError(
            f"El parámetro «dask» vale {as_text(scheduler)}; debe ser la dirección de un planificador de "
            f"Dask en marcha, como tcp://10.0.0.1:8786 ({error})."
        ) from error


def _autoencoder_of(run: Run) -> dict[str, bytes]:
    """What a classifier starts from, which its worker may not have."""
    start = origin(run)
    return verified(_there(start).folder) if start else {}


# Random numbers and the number of threads belong to a whole process: a worker that has several
# threads trains one run after another.
_ONE_AT_A_TIME = threading.Lock()


def _train_on_a_worker(
    run: Run, name: str, device: str, autoencoder: dict[str, bytes]
) -> tuple[str, dict[str, bytes]]:
    if folder_name(run) != name:
        raise StoreError(
            f"A Dask worker on {platform.node()} calls the run {name} {folder_name(run)}: its recipe or its "
            "data are not the caller's. Install the same version of this project there."
        )
    with _ONE_AT_A_TIME:
        if start := origin(run):
            with _alone(start) as target:
                if not stored(start, weights=True):
                    store(target, autoencoder)
        _train(run, choose_device(device).type, data.load())
        return name, verified(_there(run).folder)


def _train(run: Run, device: str, dataset: FashionMNIST) -> None:
    """Trains and stores `run`, unless another process does so first."""
    with _alone(run) as target, one_thread():
        if not stored(run, weights=True):
            checkpoint = Checkpoint(_checkpoint_path(run), _conditions(device))
            try:
                store(target, _trained(run, device, dataset, checkpoint))
            except training.DivergenceError:
                checkpoint.remove()  # what it keeps leads nowhere
                raise
            checkpoint.remove()


def _trained(run: Run, device: str, dataset: FashionMNIST, checkpoint: Checkpoint) -> dict[str, bytes]:
    """The files of the trained run."""
    place = torch.device(device)
    if isinstance(run, ClassifierRun):
        start = origin(run)
        autoencoder = cast(Autoencoder, _there(start).model()) if start else None
        trained = training.train_classifier(run, autoencoder, dataset, place, checkpoint)
    else:
        trained = training.train_autoencoder(run, dataset, place, checkpoint)
    conditions = _conditions(device)
    record = {
        "kind": kind(run),
        "configuration": asdict(run),
        "recipe": RECIPE,
        "data_sha256": data.CHECKSUM,
        "versions": {"python": platform.python_version(), "torch": conditions.pop("torch")},
        **conditions,
        "threads": torch.get_num_threads(),
        "commit": _commit(),
        "seconds": round(trained.seconds, 1),
        "date": datetime.now(UTC).date().isoformat(),
    }
    model = trained.model.to(memory_format=LAYOUT)  # type: ignore[call-overload]
    metrics = evaluation.measure_on_test(model, dataset.test)
    weights = {
        name: value.clone(memory_format=torch.contiguous_format) for name, value in model.state_dict().items()
    }
    return {
        "run.json": (json.dumps(record, indent=2) + "\n").encode(),
        "metrics.json": (json.dumps(metrics, indent=2) + "\n").encode(),
        "history.csv": trained.history.to_csv().encode(),
        WEIGHTS: save(weights),
    }


@functools.cache
def _commit() -> str | None:
    """The commit of the code, with "-dirty" where files differ from it; None outside a checkout."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        done = subprocess.run(command, cwd=data.PROJECT, capture_output=True, text=True, check=True)
        return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
