"""What tests share: the real data set, a piece of it, one thread of torch, the book, a check for tools."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
import yaml
from filelock import FileLock

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


@pytest.fixture
def shown(monkeypatch) -> list[dict[str, str]]:
    """The forms of what moda.book.notebook and moda.book.tables display."""
    shown: list[dict[str, str]] = []
    for module in ("notebook", "tables"):
        monkeypatch.setattr(f"moda.book.{module}.display", lambda forms, raw: shown.append(forms))
    return shown


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """torch repeats its results to the last bit only with the same number of threads.

    And pytest-xdist has a process for each core already.
    """
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def repository() -> str:
    return "https://github.com/Usuario/moda"


@pytest.fixture(scope="session")
def book(tmp_path_factory) -> Path:
    """The folder of the HTML book, built once for all workers, as it is before the project has an address."""
    return built_once(tmp_path_factory, "book", None, ("html",))


@pytest.fixture(scope="session")
def hosted(tmp_path_factory, repository) -> Path:
    """The folder of the HTML book of a project with this address; with the PDF, if there is its TeX."""
    tex = subprocess.run(["make", "tex"], cwd=PROJECT, capture_output=True).returncode == 0
    builders = ("pdflatex", "html") if tex else ("html",)
    return built_once(tmp_path_factory, "hosted", repository, builders)


def built_once(tmp_path_factory, name: str, repository: str | None, builders: Sequence[str]) -> Path:
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # each worker has its own in there
    project, finished = folder / name, folder / f"{name}-finished"
    with FileLock(folder / f"{name}.lock"):
        if not finished.exists():
            build(project, repository, builders)
            finished.touch()
    return project / "book" / "_build" / "html"


def build(
    project: Path,
    repository: str | None = None,
    builders: Sequence[str] = ("html",),
    change: Callable[[Path], None] = lambda _: None,
) -> Path:
    """The book's HTML, built without a warning from a changed copy of the project that has this address."""
    for name in ("book", "notebooks", "src"):
        ignored = shutil.ignore_patterns("_build", "*.egg-info")
        shutil.copytree(PROJECT / name, project / name, symlinks=True, ignore=ignored, dirs_exist_ok=True)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(PROJECT / name, project)
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
    for name in ("repository-code", "url"):
        citation.pop(name, None)
    if repository:
        citation["repository-code"] = repository
    (project / "CITATION.cff").write_text(yaml.safe_dump(citation, allow_unicode=True), encoding="utf-8")
    change(project)
    command = [Path(sys.executable).with_name("jupyter-book"), "build", "book", "-n", "-W", "--keep-going"]
    for builder in builders:
        done = subprocess.run(
            [*command, "--builder", builder],
            cwd=project,
            env=os.environ | {"LATEXMKOPTS": "-silent -halt-on-error"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return project / "book" / "_build" / "html"


@pytest.fixture(scope="session")
def build_book() -> Callable[..., Path]:
    return build


@pytest.fixture(scope="session")
def needs():
    """Skips the test where a tool, or something else, is missing; fails it in CI, which must have it."""

    def check(tool: str, there: bool | None = None) -> None:
        if not (shutil.which(tool) if there is None else there):
            give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            give_up(f"{tool} is not on this machine")

    return check


@pytest.fixture(scope="module")
def downloads(tmp_path_factory) -> Path:
    """Where a module's browser keeps what it downloads."""
    return tmp_path_factory.mktemp("downloads")
