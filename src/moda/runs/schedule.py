"""Results of runs, stored or else trained, on all cores of this machine or on a cluster.

On a CPU a run gives the same result on one thread or two, whatever is trained beside it.
During training, one file in the folder of runs holds the state after the last epoch, and another locks out
other processes.
"""

import functools
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import joblib
import torch

from moda import data, evaluation
from moda.configurations import AutoencoderRun, ClassifierRun, Run, with_starts
from moda.data import FashionMNIST, Images
from moda.networks import Autoencoder
from moda.parameters import ParameterError, as_text, check_device_name, choose_device
from moda.runs import store
from moda.runs.checkpoint import Checkpoint
from moda.runs.progress import Progress
from moda.runs.store import Result, StoreError, find, folder_name, folders
from moda.training import fast_layers, loop


def obtain(run: Run, device: str = "auto", weights: bool = True) -> Result:
    """The stored result of `run`, which is trained first (with what it builds on) if missing.

    With `weights` false, a result without weights will do.
    """
    return obtain_all([run], device, weights)[0]


def obtain_all(
    runs: Iterable[Run], device: str = "auto", weights: bool = True, dask: str | None = None
) -> list[Result]:
    """The results of `runs`, in order; missing ones are trained in parallel.

    On the CPU in one process per core; on a GPU one after another; with `dask`, the address of a
    scheduler such as "tcp://10.0.0.1:8786", on the workers of that cluster.
    """
    runs = list(runs)
    check_device_name(device)
    missing = with_starts(run for run in runs if not find(run, weights))
    # All autoencoders first, so that no two processes train the same one.
    for kind in AutoencoderRun, ClassifierRun:
        if step := [run for run in missing if isinstance(run, kind) and not find(run, weights=True)]:
            _train_all(step, device, dask)
    return [_stored(run, weights) for run in runs]


def _stored(run: Run, weights: bool = True) -> Result:
    """The stored result of a run that must be there."""
    result = find(run, weights)
    if not result:
        raise StoreError.of(folders()[-1] / folder_name(run), "it was trained, but is gone")
    return result


def _checkpoint_path(run: Run) -> Path:
    return folders()[-1] / f".{folder_name(run)}.pt"


def _conditions(device: str) -> dict[str, str]:
    """What the result depends on besides the run: the same digits need the same conditions."""
    return {
        "torch": str(torch.__version__),
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "machine": platform.machine(),
        "arithmetic": loop.arithmetic_of(device),
    }


@contextmanager
def _locked(run: Run) -> Iterator[Path]:
    """Lock `run` against processes that share the folder of runs; yield the folder to store it in.

    An OSError inside becomes a StoreError.
    """
    target = folders()[-1] / folder_name(run)
    try:
        with store.locked(target):
            yield target
    except OSError as error:
        raise StoreError(
            f"The run {target} cannot be stored ({error.strerror or error}). Make room, or name another "
            "folder in MODA_RUNS, and try again: complete runs and epochs are kept."
        ) from error


def _train_all(runs: Sequence[Run], device: str, dask: str | None) -> None:
    if os.environ.get("MODA_TRAIN") == "never":
        names = ", ".join(map(folder_name, runs))
        raise StoreError(f"Not stored, and MODA_TRAIN=never forbids training: {names}.")
    if not dask:  # whose workers may have other devices
        device = choose_device(device).type
    if device == "cpu":
        _say_if_slow()
    with Progress({folder_name(run): (_checkpoint_path(run), run.epochs) for run in runs}) as progress:
        if dask:
            done = _train_on_dask(runs, device, dask)
        elif device == "cpu" and len(runs) > 1 and joblib.cpu_count() > 1:
            done = _train_in_processes(runs)
        else:
            done = _train_in_turn(runs, device)
        for _ in done:
            progress.finished_one()


@functools.cache
def _say_if_slow() -> None:
    """Once in a process that trains, or gives others work: a line where the quick layers do not work."""
    if fault := fast_layers.fault():
        print(
            f"El camino rápido no sirve con esta versión de PyTorch ({fault}): se entrena con las capas de "
            "PyTorch, más despacio y con otros sorteos.",
            file=sys.stderr,
        )


def _train_in_turn(runs: Sequence[Run], device: str) -> Iterable[None]:
    dataset = data.load()
    for run in runs:
        _train(run, device, dataset)
        yield


def _train_in_processes(runs: Sequence[Run]) -> Iterable[None]:
    """One process per core."""
    dataset = data.load()
    # joblib maps large arrays from a file, so that the processes share a single copy in memory.
    arrays = [
        tensor.numpy()
        for images in (dataset.train, dataset.validation, dataset.test)
        for tensor in (images.images, images.labels)
    ]
    workers = min(joblib.cpu_count(), len(runs))
    parallel = joblib.Parallel(
        workers,
        batch_size=1,
        return_as="generator_unordered",
        mmap_mode="c",
        initializer=_exit_with_parent,
        initargs=(os.getpid(),),
    )
    return parallel(
        joblib.delayed(_train_in_a_process)(
            run, arrays, {name: os.environ.get(name, "") for name in SETTINGS}
        )
        for run in runs
    )


# An empty one counts as none.
SETTINGS = ("MODA_RUNS", "MODA_ARITHMETIC")


def _train_in_a_process(run: Run, arrays: list, settings: dict[str, str]) -> None:
    os.environ.update(settings)  # a process that joblib reuses has those of an earlier call
    tensors = [torch.from_numpy(array) for array in arrays]
    _train(run, "cpu", FashionMNIST(*map(Images, tensors[::2], tensors[1::2])))


def _exit_with_parent(parent: int) -> None:
    """End this process when its parent is gone: a killed program must not live on in its workers.

    It starts before the first task: a worker whose parent is killed while sending one would wait for ever.
    """

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _train_on_dask(runs: Sequence[Run], device: str, scheduler: str) -> Iterable[None]:
    """Each run on one worker of the cluster; what the workers store is copied here.

    If a worker dies, another takes over its run, from the last epoch if they share a folder of runs.
    """
    with _dask_client(scheduler), joblib.parallel_config("dask"):
        parallel = joblib.Parallel(batch_size=1, pre_dispatch="all", return_as="generator_unordered")
        tasks = (
            joblib.delayed(_train_on_a_worker)(run, folder_name(run), device, _autoencoder_of(run))
            for run in runs
        )
        by_name = {folder_name(run): run for run in runs}
        for name, files in parallel(tasks):
            with _locked(by_name[name]) as target:
                store.write_files(target, files)
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
    """The files of the autoencoder that a classifier starts from, which its worker may lack."""
    return store.read_files(_stored(run.autoencoder).folder) if run.autoencoder else {}


# Random numbers and the number of threads are per process, so a worker with several threads trains one
# run at a time.
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
        if device != "cuda":
            _say_if_slow()
        if run.autoencoder:
            with _locked(run.autoencoder) as target:
                if not find(run.autoencoder, weights=True):
                    store.write_files(target, autoencoder)
        _train(run, choose_device(device).type, data.load())
        return name, store.read_files(_stored(run).folder)


def _train(run: Run, device: str, dataset: FashionMNIST) -> None:
    """Train and store `run`, unless another process does so first."""
    with _locked(run) as target:
        if find(run, weights=True):
            return
        conditions = _conditions(device)
        checkpoint = Checkpoint(_checkpoint_path(run), conditions)
        try:
            trained = _trained(run, torch.device(device), dataset, checkpoint)
        except loop.DivergenceError:
            checkpoint.remove()  # resuming would only diverge again
            raise
        model = trained.model.to(memory_format=store.LAYOUT)  # type: ignore[call-overload]
        sets = dataset.test, dataset.validation
        metrics = dict(zip(("test", "validation"), evaluation.measure_each(model, sets)))
        provenance = {
            "versions": {"python": platform.python_version(), "torch": conditions.pop("torch")},
            **conditions,
            "threads": min(torch.get_num_threads(), 2) if device == "cpu" else 1,
            "commit": _commit(),
            "seconds": round(trained.seconds, 1),
            "date": datetime.now(UTC).date().isoformat(),
        }
        store.save(target, run, model, trained.history, metrics, provenance)
        checkpoint.remove()


def _trained(run: Run, device: torch.device, dataset: FashionMNIST, checkpoint: Checkpoint) -> loop.Training:
    if isinstance(run, AutoencoderRun):
        return loop.train_autoencoder(run, dataset, device, checkpoint)
    autoencoder = cast(Autoencoder, _stored(run.autoencoder).model()) if run.autoencoder else None
    return loop.train_classifier(run, autoencoder, dataset, device, checkpoint)


@functools.cache
def _commit() -> str | None:
    """The commit of the code, with "-dirty" if files differ from it; None outside a checkout."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        done = subprocess.run(command, cwd=data.PROJECT, capture_output=True, text=True, check=True)
        return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
