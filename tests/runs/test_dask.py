"""The same runs on a Dask cluster: a real scheduler and real workers, each a process with its own folder."""

import os
import re
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import pytest

from moda import data
from moda.configurations import AutoencoderRun, ClassifierRun
from moda.data import PROJECT
from moda.parameters import ParameterError
from moda.runs.schedule import obtain_all
from moda.runs.store import SUMS, StoreError, folder_name

pytestmark = pytest.mark.slow
FEW_IMAGES = str(PROJECT / "tests" / "few_images.py")
RUNS = [
    ClassifierRun(AutoencoderRun(n=2, epochs=1, seed=seed, train_size=500), epochs=1, train_size=500)
    for seed in (0, 1)
]


class Cluster:
    def __init__(self, folder: Path, workers: int):
        self.folder, self.processes = folder, {}
        command = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        self.address = re.search(r"tcp://[\d.:]+", self._start("scheduler", command, "Scheduler at:"))[0]
        for number in range(workers):
            self.add_worker(f"worker-{number}")

    def add_worker(self, name: str, *more: str) -> None:
        options = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--local-directory", str(self.folder)]
        options += ["--preload", FEW_IMAGES, *more]
        self._start(name, ["worker", self.address, *options], "Registered to:")

    def _start(self, name: str, command: list[str], ready: str) -> str:
        """Starts it with a folder of runs of its own, and gives the line that says it is ready."""
        log = self.folder / f"{name}.log"
        environment = os.environ | {"MODA_RUNS": str(self.folder / name), "PYTHONUNBUFFERED": "1"}
        program = Path(sys.executable).with_name("dask")
        with log.open("wb") as output:
            self.processes[name] = subprocess.Popen(
                [program, *command], env=environment, stdout=output, stderr=output
            )
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for line in log.read_text().splitlines():
                if ready in line:
                    return line
            time.sleep(0.1)
        raise AssertionError(log.read_text())

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """What is trained here takes no more of them, which give the same and take long to start."""
    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    """Here as on the workers."""
    monkeypatch.setattr(data, "load", data.load)  # put back afterwards
    runpy.run_path(FEW_IMAGES)


@pytest.fixture
def cluster(tmp_path):
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Cluster(folder, workers=2)
    yield cluster
    cluster.stop()


def test_worker_with_another_recipe_is_told_apart(tmp_path, monkeypatch):
    """Before it trains anything."""
    (tmp_path / "older.py").write_text("from moda.runs import store; store.RECIPE = -1")
    cluster = Cluster(tmp_path, workers=0)
    try:
        for name in ("older", "another"):  # with a single one joblib would do all here
            cluster.add_worker(name, "--preload", str(tmp_path / "older.py"))
        monkeypatch.setenv("MODA_RUNS", str(tmp_path / "here"))
        with pytest.raises(StoreError, match="its recipe or its data are not the caller's"):
            obtain_all(RUNS[:1], device="cpu", dask=cluster.address)
    finally:
        cluster.stop()
    assert not list(tmp_path.glob("older/*")) + list(tmp_path.glob("another/*"))


def files(folder: Path) -> dict[str, bytes]:
    """What must be equal: all but the record, which tells date and seconds, and with it the digests."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("run.json", SUMS)
    }


def test_workers_give_what_this_machine_gives(tmp_path, monkeypatch, cluster):
    here, there = tmp_path / "here", tmp_path / "there"
    monkeypatch.setenv("MODA_RUNS", str(here))
    obtain_all(RUNS, device="cpu")
    monkeypatch.setenv("MODA_RUNS", str(there))
    results = obtain_all(RUNS, device="cpu", dask=cluster.address)
    assert [result.run for result in results] == RUNS
    assert {path.name for path in there.iterdir()} == {
        folder_name(run) for classifier in RUNS for run in (classifier, classifier.autoencoder)
    }
    assert files(there) == files(here)
    used = cluster.folder.glob("worker-*/classifier-*")
    assert {path.parent.name for path in used} == {"worker-0", "worker-1"}


def test_killed_worker_costs_only_its_run(tmp_path, monkeypatch, cluster):
    """Which another worker does again; the results are as if nothing had happened."""
    runs = [AutoencoderRun(n=2, epochs=4, seed=seed, train_size=2000) for seed in range(3)]
    script = f"""
from moda.configurations import AutoencoderRun
from moda.runs.schedule import obtain_all
obtain_all({runs}, device="cpu", dask="{cluster.address}")
"""
    environment = os.environ | {"MODA_RUNS": str(tmp_path / "there")}
    caller = subprocess.Popen([sys.executable, "-c", script], env=environment)
    end = time.monotonic() + 120
    while not list(cluster.folder.glob("worker-0/.*.pt")):  # in the middle of a run
        assert time.monotonic() < end and caller.poll() is None
        time.sleep(0.05)
    cluster.processes["worker-0"].send_signal(signal.SIGKILL)
    assert caller.wait() == 0
    monkeypatch.setenv("MODA_RUNS", str(tmp_path / "here"))
    obtain_all(runs, device="cpu")
    assert files(tmp_path / "there") == files(tmp_path / "here")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere"])
def test_scheduler_that_does_not_answer(tmp_path, monkeypatch, address):
    monkeypatch.setenv("MODA_RUNS", str(tmp_path))
    with pytest.raises(ParameterError, match=f"El parámetro «dask» vale '{address}'"):
        obtain_all(RUNS, device="cpu", dask=address)
