"""Long work survives: trainings that are really killed, and go on."""

import os
import pty
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from moda.parameters import AutoencoderRun
from moda.store import folder_name, read

RUNS = [AutoencoderRun(n=2, epochs=4, seed=seed, train_size=2000) for seed in (0, 1)]
SCRIPT = f"""
import joblib
joblib.cpu_count = lambda: 2
from moda.parameters import AutoencoderRun
from moda.runs import obtain_all
obtain_all({RUNS}, device="cpu")
"""


def start(folder: Path, **options) -> subprocess.Popen:
    environment = os.environ | {"MODA_RUNS": str(folder)}
    return subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment, **options)


def wait_for(condition, seconds: float = 120) -> None:
    """A bound for a machine that hangs, and no measure of speed."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def workers_of(pid: int) -> set[int]:
    lines = (line.split() for line in subprocess.check_output(["ps", "-eo", "pid,ppid"]).splitlines()[1:])
    return {int(child) for child, parent in lines if int(parent) == pid}


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert start(folder).wait() == 0
    return folder


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="watches processes through /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_killed_in_the_middle_it_ends_as_if_nothing_had_happened(tmp_path, uninterrupted, how):
    process = start(tmp_path, stderr=subprocess.DEVNULL, start_new_session=True)
    checkpoints = [tmp_path / f".{folder_name(run)}.pt" for run in RUNS]
    wait_for(lambda: all(path.exists() for path in checkpoints))
    children = workers_of(process.pid)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as the terminal does
    else:
        process.kill()
    assert process.wait() != 0
    wait_for(lambda: not any(map(alive, children)))  # none goes on by itself
    assert any(path.exists() for path in checkpoints)

    assert start(tmp_path).wait() == 0
    assert {path.name for path in tmp_path.iterdir()} == {folder_name(run) for run in RUNS}
    for run in RUNS:
        one, other = (read(run, folder) for folder in (tmp_path, uninterrupted))
        for name in ("history.csv", "metrics.json", "weights.safetensors"):
            assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_a_terminal_shows_every_run_and_the_whole(tmp_path):
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    process = start(tmp_path, stderr=slave)
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


def test_without_a_terminal_nothing_is_shown(tmp_path):
    process = start(tmp_path, stderr=subprocess.PIPE)
    assert process.communicate()[1] == b"" and process.returncode == 0
