"""install.py: which of PyTorch's builds comes, and from where; on a stand-in for the indexes, on loopback."""

import functools
import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from moda.data import PROJECT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        platform.system() != "Linux" or platform.machine() not in ("x86_64", "aarch64"),
        reason="PyTorch has several builds on Linux alone",
    ),
]
CPU = ["torch-2.0+cpu", "torchvision-3.0+cpu"]
PYPI = ["torch-2.0", "torchvision-3.0"]


def put_wheel(folder: Path, name: str) -> None:
    """An empty package, and a page that links to it."""
    project, _, version = name.partition("-")
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        info = f"{name}.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    links = "".join(f'<a href="{path.name}">{path.name}</a>' for path in folder.glob("*.whl"))
    (folder / "index.html").write_text(links)


class Machine:
    """A project with an environment of its own, and the indexes that it reaches: `asked` are their pages."""

    def __init__(self, folder: Path, environment: Path, address: str):
        self.folder, self.address, self.asked = folder, address, []
        self.python, self.uv = (environment / "bin" / name for name in ("python", "uv"))
        (self.packages,) = environment.glob("lib/python*/site-packages")
        self.environment = {
            "PATH": str(folder / "programs"),
            "HOME": str(folder),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_INDEX_URL": f"{address}/pypi",
            "TORCH_INDEX": f"{address}/cpu",
            "UV_CACHE_DIR": str(folder / "cache"),
            "no_proxy": "127.0.0.1",
        }

    def installs(self, **environment: str) -> tuple[str, str]:
        """What there is of PyTorch after install_torch, and what was said."""
        code = "import install; install.install_torch(install.pip_settings())"
        done = subprocess.run(
            [self.python, "-c", code],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        found = sorted(
            path.name.removesuffix(".dist-info") for path in self.packages.glob("torch*.dist-info")
        )
        return " ".join(found), done.stdout

    def has_card(self) -> None:
        program = self.folder / "programs" / "nvidia-smi"
        program.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H200'\n")
        program.chmod(0o755)


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


@pytest.fixture
def machine(environment, tmp_path) -> Iterator[Machine]:
    shutil.copy(PROJECT / "install.py", tmp_path)
    (tmp_path / "constraints.txt").write_text("torch==2.0\ntorchvision==3.0\n")
    (tmp_path / "programs").mkdir()
    for index, names in (("pypi", PYPI), ("cpu", CPU)):
        for name in names:
            put_wheel(tmp_path / "indexes" / index / name.partition("-")[0], name)

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, form, *of):
            made.asked.append(self.path)

    handler = functools.partial(Handler, directory=tmp_path / "indexes")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        made = Machine(tmp_path, environment, f"http://127.0.0.1:{server.server_port}")
        made.uv.symlink_to(Path(sys.executable).with_name("uv"))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()
    made.uv.unlink(missing_ok=True)
    for path in made.packages.glob("torch*"):
        shutil.rmtree(path)


@pytest.mark.parametrize("uv", [True, False], ids=["uv", "pip"])
def test_without_a_card_the_build_for_the_cpu_comes_from_pytorch(machine, uv):
    if not uv:
        machine.uv.unlink()
    installed, said = machine.installs()
    assert installed == " ".join(CPU), said
    assert said.startswith("PyTorch 2.0 for CPU")


def test_with_a_card_pytorch_s_index_is_not_asked(machine):
    """PyPI's build, which comes with the rest, is that for CUDA."""
    machine.has_card()
    installed, said = machine.installs()
    assert installed == "" and said == "PyTorch 2.0 for CUDA; TORCH=cpu or TORCH=cuda chooses.\n"
    assert not [page for page in machine.asked if page.startswith("/cpu")]


def test_the_reader_chooses(machine):
    machine.has_card()
    assert machine.installs(TORCH="cpu")[0] == " ".join(CPU)
    assert "TORCH is 'gpu'; it may be cpu or cuda" in machine.installs(TORCH="gpu")[1]


@pytest.mark.parametrize("trouble", ["closed", "silent", "without it"])
def test_where_the_index_is_of_no_use_one_line_says_so(machine, trouble):
    with socket.create_server(("127.0.0.1", 0)) as other:  # accepts, and never answers
        index = f"http://127.0.0.1:{other.getsockname()[1]}"
        if trouble == "closed":
            other.close()
        if trouble == "without it":
            index = f"{machine.address}/pypi"
        installed, said = machine.installs(TORCH_INDEX=index)
    assert installed == ""
    assert said.endswith("It cannot be had: going on with the build that pip would take.\n")
    if trouble != "without it":
        assert len(said.splitlines()) == 2


def test_where_the_build_is_at_hand_pytorch_s_index_is_not_asked(machine):
    for name in CPU:
        put_wheel(machine.folder / "wheels", name)
    installed, said = machine.installs(PIP_FIND_LINKS=str(machine.folder / "wheels"))
    assert installed == "" and len(said.splitlines()) == 1
    assert not [page for page in machine.asked if page.startswith("/cpu")]


@pytest.mark.parametrize("src", ["there", "missing"])
def test_the_path_to_the_package_is_made_relative_whatever_its_file_is_called(machine, src):
    """As the record of the installation has it, or what is wrong is said."""
    if src == "there":
        (machine.folder / "src" / "moda").mkdir(parents=True)
        (machine.folder / "src" / "moda" / "__init__.py").touch()
    path, info = machine.packages / "otro.pth", machine.packages / "moda-1.dist-info"
    path.write_text(f"{machine.folder / 'src'}\n")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: moda\nVersion: 1\n")
    (info / "RECORD").write_text("otro.pth,,\n")
    try:
        command = [machine.python, "-c", "import install; install.make_relative()"]
        done = subprocess.run(
            command, cwd=machine.folder, env=machine.environment, capture_output=True, text=True
        )
        assert path.read_text() == f"{os.path.relpath(machine.folder / 'src', machine.packages)}\n"
        assert done.returncode == (src == "missing")
        assert ("Python does not find src/moda" in done.stderr) == (src == "missing")
    finally:
        path.unlink()
        shutil.rmtree(info)


def test_a_card_has_its_build_where_the_other_is_at_hand(machine):
    machine.has_card()
    for name in CPU:
        put_wheel(machine.folder / "wheels", name)
    assert machine.installs(PIP_FIND_LINKS=str(machine.folder / "wheels"))[0] == "torch-2.0"
