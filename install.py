"""Fill .venv with the pinned packages, from inside it: `.venv/bin/python install.py`, which `make` calls.

uv installs, told what pip is told; where it cannot be had or fails, pip does, in some fifteen times as long.
On Linux PyTorch is the build for the CPU, 0.2 GB to fetch in place of 2.8, unless the machine has an NVIDIA
card; TORCH=cpu or cuda in the environment chooses. With the name of an extra it adds that one.
Nothing but the standard library is there yet.
"""

import ast
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import files
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
PINS = ["--constraint", "constraints.txt"]
PIP = [sys.executable, "-m", "pip"]
UV = Path(sys.executable).with_name("uv")
# PyPI has PyTorch for CUDA alone. Another address may stand in for this one.
CPU_INDEX = os.environ.get("TORCH_INDEX", "https://download.pytorch.org/whl/cpu")


def main() -> None:
    os.chdir(PROJECT)
    settings = pip_settings()
    if settings.get("cert"):
        os.environ.setdefault("SSL_CERT_FILE", settings["cert"])
    else:
        os.environ.setdefault("UV_SYSTEM_CERTS", "1")
    if settings.get("proxy"):
        os.environ.setdefault("ALL_PROXY", settings["proxy"])
    if not (UV.exists() or succeeds(*PIP, "install", "--quiet", *PINS, "uv")):
        print("uv cannot be had: pip installs, which takes longer.", flush=True)
    if extras := sys.argv[1:]:
        # The project stays as it is installed: somebody may be importing it.
        optional = tomllib.loads(Path("pyproject.toml").read_text())["project"]["optional-dependencies"]
        what = [requirement for extra in extras for requirement in optional[extra]]
    else:
        install_torch(settings)
        what = ["--editable", ".[test]"]
    if not install(settings, *PINS, *what):
        sys.exit("The packages could not be installed; the lines above say why. The same command goes on.")
    if extras:
        # It comes with JupyterLab, checks nothing here, and makes any import of nbformat a second longer.
        subprocess.run([*PIP, "uninstall", "--quiet", "--yes", "rfc3987-syntax"], stderr=subprocess.DEVNULL)
    else:
        make_relative()


def install_torch(settings: dict[str, str]) -> None:
    """What has to be there first for PyTorch's build to be the right one; nothing if it will be anyway."""
    wanted = os.environ.get("TORCH") or ("cuda" if has_card() else "cpu")
    if wanted not in ("cpu", "cuda"):
        sys.exit(f"TORCH is {wanted!r}; it may be cpu or cuda, or not be set.")
    if (platform.system(), platform.machine()) == ("Darwin", "x86_64"):
        sys.exit(
            "PyTorch is no longer built for Macs with an Intel processor; it is for Apple silicon, and Linux."
        )
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "aarch64"):
        return  # there is but one
    torch, torchvision = (pinned(name) for name in ("torch", "torchvision"))
    cpu_at_hand = f"{torch}+cpu" in output(*PIP, "index", "versions", "torch")
    print(f"PyTorch {torch} for {wanted.upper()}; TORCH=cpu or TORCH=cuda chooses.", flush=True)
    if wanted == "cuda" and cpu_at_hand:  # which would be taken
        done = install(settings, *PINS, f"torch==={torch}")
    elif wanted == "cpu" and not cpu_at_hand:
        there = settings | {"index-url": CPU_INDEX, "extra-index-url": ""}
        # Not what they need, of which that index has other versions.
        both = "--no-deps", f"torch=={torch}+cpu", f"torchvision=={torchvision}"
        done = answers(CPU_INDEX) and install(there, *both)
    else:
        return
    if not done:
        print("It cannot be had: going on with the build that pip would take.", flush=True)


def install(settings: dict[str, str], *what: str) -> bool:
    """By uv, or else by pip."""
    options = as_options(settings)
    # As pip does: of several indexes the best version, and bytecode, which Python may not be let write.
    by_uv = "--python", sys.executable, "--index-strategy", "unsafe-best-match", "--compile-bytecode"
    if UV.exists() and succeeds(UV, "pip", "install", "--quiet", *by_uv, *options, *what):
        return True
    return succeeds(*PIP, "install", "--quiet", *options, *what)


def succeeds(*command: str | Path) -> bool:
    return subprocess.run(command).returncode == 0


def pip_settings() -> dict[str, str]:
    """What the environment and the files of its configuration tell pip, the environment first."""
    told = output(*PIP, "config", "list")
    lines = re.findall(r"^(:env:|global|install)\.([\w-]+)=(.*)$", told, re.MULTILINE)
    lines.sort(key=lambda line: line[0] == ":env:")
    return {name: ast.literal_eval(value) for _, name, value in lines}


def as_options(settings: dict[str, str]) -> list[str]:
    """The settings that say where packages come from, as pip and uv take them."""
    options = ["--no-index"] * (settings.get("no-index", "").lower() in ("1", "true", "yes", "on"))
    for name in ("index-url", "extra-index-url", "find-links", "trusted-host", "constraint"):
        options += [part for value in settings.get(name, "").split() for part in (f"--{name}", value)]
    return options


def has_card() -> bool:
    return bool(shutil.which("nvidia-smi")) and "GPU" in output("nvidia-smi", "-L")


def pinned(name: str) -> str:
    return re.search(rf"^{name}==([\w.]+)", Path("constraints.txt").read_text(), re.MULTILINE)[1]


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


def answers(index: str) -> bool:
    """One short try, whatever becomes of the connection."""
    code = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)"
    try:
        command = [sys.executable, "-c", code, f"{index}/torch/"]
        return subprocess.run(command, stderr=subprocess.DEVNULL, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def make_relative() -> None:
    """Make the path to src/ in the .pth file of the editable install relative.

    Python 3.11 stops at an ñ in it where a shell says LC_ALL=C.
    """
    for path in files("moda") or []:
        if path.suffix == ".pth":
            place = Path(path.locate())
            place.write_text(os.path.relpath(PROJECT / "src", place.parent) + "\n")
    code = "import sys; from importlib.util import find_spec; sys.exit(not find_spec('moda'))"
    if subprocess.run([sys.executable, "-c", code], env=os.environ | {"LC_ALL": "C"}).returncode:
        sys.exit(f"Python does not find src/moda from .venv. Clone into a folder without accents: {PROJECT}")


if __name__ == "__main__":
    main()
