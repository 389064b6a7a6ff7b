"""The notebooks: pairs in step and clean, parameters explained and checked, reruns that really train."""

import base64
import getpass
import json
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from moda.data import PROJECT

NOTEBOOKS = PROJECT / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("[0-9]*.md"))


def names(path: Path) -> str:
    return path.stem


def test_there_are_six_pairs():
    assert [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))] == [path.stem for path in SOURCES]
    assert len(SOURCES) == 6


@pytest.mark.parametrize("source", SOURCES, ids=names)
def test_pair_holds_the_same_cells(source):
    notebook = jupytext.read(source.with_suffix(".ipynb"))
    assert jupytext.writes(notebook, "md:myst") == source.read_text(encoding="utf-8")


@pytest.mark.parametrize("source", SOURCES, ids=names)
def test_committed_notebook_is_executed_in_order_and_clean(source):
    path = source.with_suffix(".ipynb")
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for output in (output for cell in code for output in cell.outputs):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text
    assert "papermill" not in notebook.metadata
    text = path.read_text(encoding="utf-8")
    for trace in (str(PROJECT), str(Path.home()) + "/", f"/{getpass.getuser()}/", "start_time"):
        assert trace not in text


def test_picture_of_the_readme_is_the_notebooks():
    notebook = nbformat.read(NOTEBOOKS / "03-curvas-promediadas.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    drawn = next(output.data["image/png"] for output in outputs if "image/png" in output.get("data", {}))
    shown = (PROJECT / "book" / "_assets" / "figura-4.png").read_bytes()
    assert base64.b64decode(drawn) == shown, "save the notebook's figure 4 there again"


@pytest.mark.parametrize("source", SOURCES, ids=names)
def test_every_parameter_is_explained(source):
    parameters = papermill.inspect_notebook(str(source.with_suffix(".ipynb")))
    assert parameters
    assert [name for name, parameter in parameters.items() if not parameter["help"]] == []


def test_executing_twice_gives_the_same_file(tmp_path):
    for folder in ("first", "second"):
        command = [sys.executable, NOTEBOOKS / "execute.py", "--to", tmp_path / folder, "02-autoencoder"]
        subprocess.run(command, check=True)
    first, second = (tmp_path / folder / "02-autoencoder.ipynb" for folder in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("name", "parameter", "value", "expected"),
    [
        ("01-conjunto-de-datos", "train_size", 50_001, "un entero de 1 a 50000"),
        ("02-autoencoder", "dropout", 1.5, "un número mayor o igual que 0 y menor que 1"),
        ("03-curvas-promediadas", "seeds", "[0, 0]", "una lista de valores distintos"),
        ("04-clasificador", "epochs", -1, "un entero mayor o igual que 1"),
        ("05-matriz-de-confusion", "device", "tpu", "«auto», «cpu», «cuda» o «mps»"),
        ("06-comparacion-de-n", "ns", "[0]", "un entero mayor o igual que 1"),
    ],
)
def test_senseless_parameter_ends_at_once_in_spanish(tmp_path, name, parameter, value, expected):
    with pytest.raises(PapermillExecutionError) as error:
        rerun(name, tmp_path / "out.ipynb", {parameter: value})
    assert error.value.ename == "ParameterError"
    assert f"«{parameter}» vale {value!r}" in error.value.evalue
    assert expected in error.value.evalue


@pytest.fixture(scope="module")
def empty_runs(tmp_path_factory):
    """A machine where nothing is trained yet."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODA_RUNS", str(folder))
        yield folder


def test_papermill_command_of_the_readme_trains_what_it_needs(empty_runs, tmp_path):
    command = "papermill notebooks/04-clasificador.ipynb OUT -p n 32 -p epochs 2 -p train_size 2000"
    words = [word.replace("OUT", str(tmp_path / "out.ipynb")) for word in command.split()]
    subprocess.run([sys.executable, "-m", *words, "--no-progress-bar"], cwd=PROJECT, check=True)
    trained = sorted(empty_runs.iterdir())
    assert [folder.name.split("-s")[0] for folder in trained] == ["autoencoder-n32", "classifier-n32"]
    accuracy = json.loads((trained[1] / "metrics.json").read_text())["accuracy"]
    assert f"{100 * accuracy:.2f}" in text_of(tmp_path / "out.ipynb")
    assert accuracy > 0.2, "even two epochs on 2000 images are better than chance"


def test_reruns_of_the_other_notebooks_train_and_finish(empty_runs, tmp_path):
    small = {"train_size": 300}
    rerun("01-conjunto-de-datos", tmp_path / "01.ipynb", small)
    assert "300" in text_of(tmp_path / "01.ipynb")
    rerun("02-autoencoder", tmp_path / "02.ipynb", {"n": 1, "dropout": 0})
    rerun(
        "03-curvas-promediadas",
        tmp_path / "03.ipynb",
        {**small, "n": 3, "seeds": "[4, 5]", "epochs": 2, "final_epochs": 1},
    )
    short = {**small, "autoencoder_epochs": 1, "epochs": 1}
    rerun("05-matriz-de-confusion", tmp_path / "05.ipynb", {**short, "n": 2})
    rerun("06-comparacion-de-n", tmp_path / "06.ipynb", {**short, "ns": "[2, 3]", "seeds": "[0, 1]"})
    # Two averaged and one final autoencoder; then 2 x 2 pairs, one of them trained by notebook 05.
    trained = [folder.name for folder in empty_runs.iterdir() if not folder.name.startswith(".")]
    assert sum(name.startswith(("autoencoder-n3-s4", "autoencoder-n3-s5")) for name in trained) == 3
    assert sum(name.startswith(("classifier-n2-", "classifier-n3-")) for name in trained) == 4


def rerun(name: str, target: Path, parameters: dict) -> None:
    papermill.execute_notebook(
        NOTEBOOKS / f"{name}.ipynb", target, parameters, cwd=NOTEBOOKS, progress_bar=False
    )


def text_of(notebook: Path) -> str:
    """Everything the notebook's cells print or show as text."""
    cells = nbformat.read(notebook, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "\n".join(
        str(output.get("text") or output.get("data", {}).get("text/plain")) for output in outputs
    )
