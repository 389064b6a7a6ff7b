"""Long work survives: trainings that are really killed, and go on."""

import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

import pytest

from moda.configurations import AutoencoderRun
from moda.data import PROJECT
from moda.runs.store import folder_name, read

pytestmark = pytest.mark.slow
RUNS = [AutoencoderRun(n=2, epochs=4, seed=seed, train_size=2000) for seed in (0, 1)]
# More of them in the environment's MODA_KILLS, to be sure.
KILLS = int(os.environ.get("MODA_KILLS", "3"))
SCRIPT = f"""
import joblib
joblib.cpu_count = lambda: 2
from moda.configurations import AutoencoderRun
from moda.runs.schedule import obtain_all
obtain_all({RUNS}, device="cpu")
"""
ON_FEW = (PROJECT / "tests" / "few_images.py").read_text() + SCRIPT


def start(folder: Path, script: str = ON_FEW, **options) -> subprocess.Popen:
    environment = os.environ | {"MODA_RUNS": str(folder)}
    return subprocess.Popen([sys.executable, "-c", script], env=environment, **options)


def wait_for(condition, seconds: float = 120) -> None:
    """A bound for a machine that hangs, and no measure of speed."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def status(pid: int) -> tuple[str, int]:
    """State and parent of a process; a zombie's state is "Z", and so is that of one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], int(fields[1])
    except OSError:
        return "Z", 0


def workers_of(parent: int) -> list[int]:
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if status(pid)[1] == parent]


def wait_for_the_end_of(pids: list[int]) -> None:
    wait_for(lambda: all(status(pid)[0] == "Z" for pid in pids))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, bytes]:
    """The folder of a program that nothing interrupts, and what it said where there is no terminal."""
    folder = tmp_path_factory.mktemp("whole")
    process = start(folder, stderr=subprocess.PIPE)
    said = process.communicate()[1]
    assert process.returncode == 0, said
    return folder, said


@pytest.fixture(scope="module")
def uninterrupted(whole) -> Path:
    return whole[0]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="watches processes through /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_killed_in_the_middle_it_ends_as_if_nothing_had_happened(tmp_path, uninterrupted, how):
    process = start(tmp_path, stderr=subprocess.DEVNULL, start_new_session=True)
    checkpoints = [tmp_path / f".{folder_name(run)}.pt" for run in RUNS]
    wait_for(lambda: any(path.exists() for path in checkpoints))
    children = workers_of(process.pid)
    assert children
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as the terminal does
    else:
        process.kill()
    assert process.wait() != 0
    wait_for_the_end_of(children)  # none goes on by itself
    assert any(path.exists() for path in checkpoints)

    assert start(tmp_path).wait() == 0
    assert_same(tmp_path, uninterrupted)


def assert_same(folder: Path, other: Path, runs: list[AutoencoderRun] = RUNS) -> None:
    """`folder` holds these runs, each with the bytes that it has in `other`, and nothing else."""
    assert {path.name for path in folder.iterdir()} == {folder_name(run) for run in runs}
    for run in runs:
        one, two = (read(run, place).folder for place in (folder, other))
        for name in ("history.csv", "metrics.json", "weights.safetensors"):
            assert (one / name).read_bytes() == (two / name).read_bytes()


def test_run_is_the_same_whatever_is_trained_beside_it(tmp_path, uninterrupted):
    """The second alone, after a kill that left only the first finished."""
    first = folder_name(RUNS[0])
    shutil.copytree(uninterrupted / first, tmp_path / first)
    assert start(tmp_path).wait() == 0
    assert_same(tmp_path, uninterrupted)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="watches processes through /proc")
@pytest.mark.parametrize("runs", [RUNS[:1], RUNS], ids=["one run", "two at once"])
def test_kills_at_any_moment_change_nothing(tmp_path, uninterrupted, monkeypatch, runs):
    folder, shared = tmp_path / "runs", tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(shared))
    script = ON_FEW.replace(str(RUNS), str(runs))
    chance, starting = random.Random(0), 0.0
    for _ in range(KILLS):
        begin = time.monotonic()
        process = start(folder, script, stderr=subprocess.DEVNULL)
        if not starting:
            wait_for(folder.exists)
            starting = time.monotonic() - begin
        time.sleep(chance.uniform(0, 2 * starting))  # such short trainings take as long as starting
        children = workers_of(process.pid)
        process.kill()
        process.wait()
        wait_for_the_end_of(children)
        if all((folder / folder_name(run)).exists() for run in runs):
            assert_same(folder, uninterrupted, runs)
            shutil.rmtree(folder)
    assert start(folder, script).wait() == 0
    assert_same(folder, uninterrupted, runs)
    wait_for(lambda: not list(shared.iterdir()))  # what the processes shared


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="watches processes through /proc")
def test_workers_end_with_a_program_that_is_killed_while_it_gives_them_work(tmp_path):
    """Before they have any of it."""
    script = f"""
import os, signal
from moda.runs import schedule

class Fatal:
    def __reduce__(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def __call__(self, *of):
        pass

schedule._train_in_a_process = Fatal()
{SCRIPT}"""
    process = start(tmp_path, script, stderr=subprocess.DEVNULL)
    assert process.wait() == -signal.SIGKILL
    wait_for(lambda: not processes_of(tmp_path))


def processes_of(folder: Path) -> list[Path]:
    """Those that have this folder of runs."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"MODA_RUNS={folder}\0".encode() in environment.read_bytes():
                found.append(environment.parent)
    return found


def test_a_terminal_shows_every_run_and_the_whole(tmp_path):
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    often = "from moda.runs.progress import Progress\nProgress.PERIOD = 0.05\n"
    process = start(tmp_path, often + ON_FEW, stderr=slave)
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 4096):
            shown += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(master)
    assert process.wait() == 0
    shown = shown.decode()
    assert "all runs:" in shown and "2/2" in shown
    for run in RUNS:
        assert f"{folder_name(run)}: epoch " in shown
    assert "loss 0." in shown and "left" in shown


def test_without_a_terminal_nothing_is_shown(whole):
    assert whole[1] == b""
