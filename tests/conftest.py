"""What tests share: the real data set, a piece of it, one thread of torch, the book, a check for tools."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from moda import data
from moda.data import PROJECT, FashionMNIST

# A suite that runs in the background (`make test &`) inherits an ignored Ctrl-C, and so would the programs
# that tests start in order to interrupt them.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def fashion_mnist() -> FashionMNIST:
    return data.load()


@pytest.fixture(scope="session")
def few(fashion_mnist) -> FashionMNIST:
    """Real images, so few that training on them takes no time."""
    return FashionMNIST(fashion_mnist.train[:200], fashion_mnist.validation[:100], fashion_mnist.test[:100])


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """torch repeats its results to the last bit only with the same number of threads.

    And pytest-xdist has a process for each core already.
    """
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def book(tmp_path_factory) -> Path:
    """The folder of the HTML book, freshly built with warnings as errors."""
    out = tmp_path_factory.mktemp("book")
    command = [Path(sys.executable).with_name("jupyter-book"), "build", "book", "--path-output", out]
    strict = ["-n", "-W", "--keep-going"]
    done = subprocess.run([*command, *strict], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return out / "_build" / "html"


@pytest.fixture(scope="session")
def needs():
    """Skips the test where a tool is missing; fails it in continuous integration, which must have it."""

    def check(tool: str) -> None:
        if not shutil.which(tool):
            give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            give_up(f"{tool} is not on this machine")

    return check
