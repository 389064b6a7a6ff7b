"""What the tests share: the real data set, a piece of it, one thread of torch, and the check for tools."""

import os
import shutil

import pytest
import torch

from moda import data
from moda.data import FashionMNIST


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
def needs():
    """Skips the test where a tool is missing; fails it in continuous integration, which must have it."""

    def check(tool: str) -> None:
        if not shutil.which(tool):
            give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            give_up(f"{tool} is not on this machine")

    return check
