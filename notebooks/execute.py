"""Execute the notebooks: each NN-name.md becomes NN-name.ipynb, with outputs and without churn.

`python notebooks/execute.py [--to FOLDER] [NAME ...]`. A second run of the same code on the same
machine gives the same files. A notebook that fails leaves its old file as it was. Without --to, the
md is written again as jupytext writes it from the ipynb, so that a later sync changes nothing.

A notebook keeps what its outputs were made of (`stamp`), so that a test can tell when they are stale.
"""

import argparse
import base64
import hashlib
import io
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import jupytext
import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError
from PIL import Image
from tqdm import tqdm

from moda import figures, store

HERE = Path(__file__).resolve().parent


def execute(source: Path, target: Path) -> nbformat.NotebookNode:
    """Executes the MyST notebook `source` in its folder; writes it, cleaned, to `target`, and returns it."""
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"  # jupytext's are random
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / target.name
        nbformat.write(notebook, path)
        papermill.execute_notebook(path, path, cwd=source.parent, kernel_name="python3", progress_bar=False)
        notebook = nbformat.read(path, as_version=4)
    notebook.metadata["moda"] = stamp(notebook)
    nbformat.write(_with_light_images(_without_churn(notebook)), target)
    return jupytext.read(target)


def stamp(notebook: nbformat.NotebookNode) -> dict[str, str | int]:
    """What decides the outputs of a notebook: its code, what draws its images, recipe and runs.

    The rest of the package is not in it, for nbval compares all outputs but the images.
    """
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    drawing = Path(figures.__file__)
    runs = (path for path in sorted(store.folders()[0].rglob("*")) if path.is_file())
    return {
        "code": _digest(source.encode() for source in code),
        "figures": _digest(path.read_bytes() for path in (drawing, drawing.with_name("moda.mplstyle"))),
        "recipe": store.RECIPE,
        "runs": _digest(path.read_bytes() for path in runs),
    }


def _digest(contents: Iterable[bytes]) -> str:
    parts = (hashlib.sha256(content).digest() for content in contents)
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def _without_churn(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drops what papermill and Jupyter note of times, paths and versions."""
    for name in ("papermill", "language_info"):
        notebook.metadata.pop(name, None)
    for cell in notebook.cells:
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)
        if not cell.metadata.get("tags"):
            cell.metadata.pop("tags", None)
    return notebook


def _with_light_images(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Gives every image a palette of 256 colours, which nobody sees and which halves a page with figures."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        data = output.get("data", {})
        if "image/png" in data:
            image = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
            light = io.BytesIO()
            image.quantize(256, dither=Image.Dither.NONE).save(light, "png", optimize=True)
            data["image/png"] = base64.b64encode(light.getvalue()).decode()
    return notebook


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="such as 04-clasificador; all of them if none"
    )
    parser.add_argument("--to", type=Path, default=HERE, metavar="FOLDER", help="where the ipynb files go")
    arguments = parser.parse_args()
    sources = [HERE / f"{name}.md" for name in arguments.names] or sorted(HERE.glob("*.md"))
    arguments.to.mkdir(parents=True, exist_ok=True)
    progress = tqdm(sources, unit="notebook")
    for source in progress:
        progress.set_description(source.stem)
        try:
            notebook = execute(source, arguments.to / f"{source.stem}.ipynb")
        except PapermillExecutionError as error:
            sys.exit(f"\n{source.name} failed:\n{error}")
        if arguments.to == HERE:
            source.write_text(jupytext.writes(notebook, "md:myst"), encoding="utf-8")


if __name__ == "__main__":
    main()
