"""Does a fault in one place go unnoticed? `python tests/mutants/run.py [WORD ...]` tries mutants.toml.

Each is made in a copy of the project, where the tests that it names run; WORDs choose the faults whose file
or description has one. Prints a table, and fails where a fault survives that is not said to.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

from moda import data

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
IGNORED = shutil.ignore_patterns(
    ".git", ".venv", "data", "_build", "local", "reproduced", "__pycache__", "node_modules"
)


def mutants() -> list[dict[str, str]]:
    return tomllib.loads((HERE / "mutants.toml").read_text(encoding="utf-8"))["mutant"]


def caught(mutant: dict[str, str], copy: Path) -> bool:
    """Whether one of its tests fails in `copy` with the fault, which is mended afterwards."""
    file = copy / mutant["file"]
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole.replace(mutant["old"], mutant["new"], 1), encoding="utf-8")
    tests = [path for name in mutant["tests"].split() for path in copy.glob(f"tests/**/test_{name}.py")]
    environment = os.environ | {"PYTHONPATH": str(copy / "src"), "FASHION_MNIST_DIR": str(data.locate(None))}
    command = [sys.executable, "-m", "pytest", "--exitfirst", "--quiet", "--numprocesses=0", *tests]
    try:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{mutant['fault']}: the tests could not run\n{done.stdout}{done.stderr}")
        return done.returncode == 1
    finally:
        file.write_text(whole, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", metavar="WORD")
    words = parser.parse_args().words
    chosen = [
        mutant
        for mutant in mutants()
        if not words or any(word in mutant["file"] + mutant["fault"] for word in words)
    ]
    processes = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(processes) as pool:
        copies: Queue[Path] = Queue()
        for number in range(processes):
            copies.put(shutil.copytree(PROJECT, Path(scratch, str(number)), symlinks=True, ignore=IGNORED))

        def tried(mutant: dict[str, str]) -> bool:
            copy = copies.get()
            try:
                return caught(mutant, copy)
            finally:
                copies.put(copy)

        survivors = []
        for mutant, found in zip(chosen, pool.map(tried, chosen), strict=True):
            print(f"{'caught' if found else 'SURVIVES':10}{mutant['file']:40}{mutant['fault']}", flush=True)
            if not found:
                survivors.append(mutant)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} caught")
    sys.exit(any("survives" not in mutant for mutant in survivors))


if __name__ == "__main__":
    main()
