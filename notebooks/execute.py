"""Execute the notebooks: each NN-name.md becomes NN-name.ipynb, with outputs and without churn.

`python notebooks/execute.py [--to FOLDER] [NAME ...]`. Running the same code again on the same machine gives
the same files. Without --to, a file stays as it is if only images or last digits differ, as on another
machine, and jupytext rewrites the md from the ipynb, so that a later sync changes nothing. A notebook that
fails leaves its old files intact, and so does an interruption or a full disk.

Several are executed at once, each by a kernel of one thread, so that their number changes no digit. Missing
runs are trained before, on all cores; notebooks that need the same ones would wait for each other.

A notebook records what its outputs were made from (`stamp`), so that a test can tell when they are stale.
"""

import argparse
import base64
import copy
import hashlib
import io
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from pathlib import Path

import joblib
import jupytext
import nbformat
import papermill
import psutil
from close_numbers import take_stored_numbers
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from PIL import Image
from tqdm import tqdm

from moda.book import figures
from moda.book.notebook import declared, needed
from moda.runs import safe_files, store
from moda.runs.schedule import obtain_all

HERE = Path(__file__).resolve().parent


def execute(source: Path, target: Path, keep: bool = False) -> nbformat.NotebookNode:
    """Execute the MyST notebook `source` in its folder; write it, cleaned, to `target`, and return it.

    With `keep`, a `target` that is the same (`is_same`) stays as it is.
    """
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"  # jupytext's are random
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / target.name
        nbformat.write(notebook, path)
        # Papermill's own `cwd` would move this process, with all its threads.
        folder = {"metadata": {"path": str(source.parent)}}
        # What a cell prints is one output, however often a busy machine sends it.
        settings = {"kernel_name": "python3", "progress_bar": False, "coalesce_streams": True}
        papermill.execute_notebook(path, path, resources=folder, **settings)
        notebook = nbformat.read(path, as_version=4)
    notebook.metadata["moda"] = stamp(notebook)
    notebook = _with_light_images(_without_churn(notebook))
    if not (keep and is_same(notebook, target)):
        safe_files.write(target, f"{nbformat.writes(notebook)}\n".encode())
    return jupytext.read(target)


def is_same(notebook: nbformat.NotebookNode, target: Path) -> bool:
    """Whether `target` holds this notebook, except for images and close numbers."""
    try:
        stored = nbformat.read(target, as_version=4)
    except (OSError, ValueError):  # missing, or in a merge conflict
        return False
    new = copy.deepcopy(notebook)
    for ours, theirs in zip(new.cells, stored.cells):
        outputs = ours.get("outputs", []), theirs.get("outputs", [])
        take_stored_numbers(*outputs, tags=ours.metadata.get("tags", []))
        for one, other in zip(*outputs):
            if "image/png" in one.get("data", {}) and "image/png" in other.get("data", {}):
                one.data["image/png"] = other.data["image/png"]
    return new == stored


def stamp(notebook: nbformat.NotebookNode) -> dict[str, str | int]:
    """What decides the outputs of a notebook: its code, the code of its figures, recipe and its runs.

    The rest of the package is left out, because nbval compares all outputs except images.
    """
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    drawing, root = Path(figures.__file__), store.folders()[0]
    names = sorted(map(store.folder_name, needed([notebook])))
    runs = (path for name in names for path in sorted((root / name).rglob("*")) if path.is_file())
    return {
        "code": _digest(source.encode() for source in code),
        "figures": _digest(_files((drawing, drawing.with_name("moda.mplstyle")), drawing.parent)),
        "recipe": store.RECIPE,
        "runs": _digest(_files(runs, root)),
    }


def _files(paths: Iterable[Path], root: Path) -> Iterator[bytes]:
    """The name below `root` and the content of each file."""
    for path in paths:
        yield path.relative_to(root).as_posix().encode()
        yield path.read_bytes()


def _digest(contents: Iterable[bytes]) -> str:
    parts = (hashlib.sha256(content).digest() for content in contents)
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def _without_churn(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop the times, paths and versions that papermill and Jupyter record."""
    for name in ("papermill", "language_info"):
        notebook.metadata.pop(name, None)
    for cell in notebook.cells:
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
        if not cell.metadata.get("tags"):
            cell.metadata.pop("tags", None)
    return notebook


def _with_light_images(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Reduce every image to 256 colours, which is invisible and halves a page with figures."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        data = output.get("data", {})
        if "image/png" in data:
            image = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
            light = io.BytesIO()
            image.quantize(256, dither=Image.Dither.NONE).save(light, "png", optimize=True)
            data["image/png"] = base64.b64encode(light.getvalue()).decode()
    return notebook


def at_once() -> int:
    """How many notebooks to execute at once: one a core, and each with 1.5 GB of the memory that is free."""
    with suppress(OSError):  # a Linux without /proc does not say
        return max(1, min(joblib.cpu_count(), int(psutil.virtual_memory().available / 1.5e9)))
    return joblib.cpu_count()


def side_by_side(do: Callable[[Path], None], sources: list[Path]) -> None:
    """Do this with each notebook, several at once; after a failure or Ctrl-C, stop the others.

    In threads, not processes, for in one process no two kernels are given the same port.
    """
    with ThreadPoolExecutor(at_once()) as pool, tqdm(total=len(sources), unit="notebook") as progress:
        running = {pool.submit(do, source): source for source in sources}
        try:
            for done in as_completed(running):
                try:
                    done.result()
                except (PapermillExecutionError, DeadKernelError) as error:
                    sys.exit(f"\n{running[done].name} failed:\n{error}")
                progress.set_description(f"{running[done].stem} done", refresh=False)
                progress.update()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            logging.disable()  # papermill's, of kernels that die
            while wait([one for one in running if not one.cancelled()], timeout=0.1).not_done:
                with suppress(psutil.Error):
                    for kernel in psutil.Process().children():
                        kernel.kill()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="such as 04-clasificador; all of them if none"
    )
    parser.add_argument(
        "--to",
        type=lambda text: Path(text).expanduser(),
        default=HERE,
        metavar="FOLDER",
        help="where the ipynb files go",
    )
    arguments = parser.parse_args()
    sources = [HERE / f"{name}.md" for name in dict.fromkeys(arguments.names)] or list(HERE.glob("*.md"))
    # Longest first, as far as their outputs tell, so that none of these is left alone at the end.
    sizes = {path.stem: path.stat().st_size for path in HERE.glob("*.ipynb")}
    sources.sort(key=lambda source: (-sizes.get(source.stem, 0), source))
    arguments.to.mkdir(parents=True, exist_ok=True)
    at_home = arguments.to.samefile(HERE)
    runs = [declared(jupytext.read(source)) for source in sources]
    obtain_all(run for _, with_weights in runs for run in with_weights)
    obtain_all((run for shown, _ in runs for run in shown), weights=False)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of kernels; this process has read it

    def update(source: Path) -> None:
        notebook = execute(source, arguments.to / f"{source.stem}.ipynb", keep=at_home)
        if at_home:
            safe_files.write(source, jupytext.writes(notebook, "md:myst").encode())

    side_by_side(update, sources)


if __name__ == "__main__":
    main()
