"""What a rerun says of itself, and which parameters it refuses."""

import subprocess
import sys
from types import SimpleNamespace

import jupytext
import markdown_it
import nbformat
import pytest
from bs4 import BeautifulSoup
from papermill.translators import translate_parameters

from moda.book import notebook
from moda.book.notebook import book_parameters, take_parameters
from moda.data import PROJECT
from moda.parameters import ParameterError

NAME = "06-comparacion-de-n"
LIKE = {"ns": "n", "autoencoder_epochs": "epochs", "seeds": "seed"}


def take(**changed) -> dict:
    """The values of that notebook's parameters as it uses them, after some are given."""
    values = book_parameters(NAME) | changed
    take_parameters(NAME, values, LIKE)
    return values


def test_the_books_parameters_are_read_as_values():
    parameters = book_parameters(NAME)
    assert parameters["ns"] == [64, 128, 256] and parameters["train_size"] == 50_000
    assert parameters["learning_rate"] == 1e-3 and parameters["dask"] is None


def test_no_notice_with_the_books_parameters(shown):
    take(another="variable of the notebook")
    assert shown == []


def test_notice_names_what_differs_in_every_form(shown):
    values = take(ns="[8]", epochs=2, seeds=str(book_parameters(NAME)["seeds"]))
    assert values["ns"] == [8] and values["seeds"] == book_parameters(NAME)["seeds"]
    (forms,) = shown
    for form, text in seen(forms).items():
        assert "ns = [8] (en el libro, [64, 128, 256]); epochs = 2 (en el libro, 30)." in text, form
        assert "Nueva corrida" in text and "dropout" not in text
    assert forms["text/markdown"].startswith(":::{admonition} Nueva corrida")


def seen(forms: dict[str, str]) -> dict[str, str]:
    """The text that a reader sees of each form."""
    page = markdown_it.MarkdownIt().render(forms["text/markdown"])
    return {
        "text/plain": forms["text/plain"],
        "text/html": BeautifulSoup(forms["text/html"], "html.parser").text,
        "text/markdown": BeautifulSoup(page, "html.parser").text,
    }


MARKUP = "<b>a</b> **b** `c` ``{numref}`d`` $e$ | &lt; </script> _f_ \\ \n\n:::\n# g:1"


def test_markup_in_a_value_is_text_in_every_form(shown, monkeypatch):
    monkeypatch.setattr(notebook, "_checked", lambda name, value, *_: value)
    take(dask=MARKUP)
    for form, text in seen(shown.pop()).items():
        assert f"dask = {MARKUP!r} (en el libro, None)." in text, form


def executed(monkeypatch, *sources: str) -> None:
    """What a kernel has executed so far."""
    shell = SimpleNamespace(history_manager=SimpleNamespace(input_hist_raw=["", *sources]))
    monkeypatch.setattr(notebook, "get_ipython", lambda: shell)


def injected(**parameters) -> str:
    """The cell that papermill adds."""
    return translate_parameters("python3", "python", parameters, "Parameters")


PARAMETERS, SECOND, OWN = (
    "\n".join(f"{name} = 0  # …" for name in book_parameters(NAME)),
    "import pandas as pd\nnotebook.take_parameters(…)",
    "%matplotlib inline\nmine = 3\nseedz = [mine]",
)
MISSPELT = injected(train_sizes=300, epochs=2)


@pytest.mark.parametrize(
    "sources",
    [
        [PARAMETERS, MISSPELT, SECOND],
        [PARAMETERS, MISSPELT, OWN, SECOND, SECOND],
        [PARAMETERS, injected(epochs=3), SECOND, MISSPELT, SECOND],
        [PARAMETERS, injected(**dict.fromkeys(book_parameters(NAME), 1), train_sizes=300), SECOND],
    ],
    ids=["papermill", "cells of one's own, and again", "mended wrongly", "beside all the others"],
)
def test_unknown_parameter_is_an_error_that_names_the_nearest_and_all(monkeypatch, shown, sources):
    executed(monkeypatch, *sources)
    with pytest.raises(ParameterError) as error:
        take()
    text = str(error.value)
    assert text.startswith("Este cuaderno no tiene el parámetro «train_sizes». ¿Será «train_size»? ")
    assert all(f"«{name}»" in text for name in book_parameters(NAME))
    assert shown == []


@pytest.mark.parametrize(
    "sources",
    [
        [],
        [PARAMETERS, SECOND],
        [PARAMETERS, injected(epochs=2, ns="[1]\nx = 3"), SECOND],
        [PARAMETERS, OWN, SECOND, OWN, SECOND],
        [PARAMETERS, MISSPELT, SECOND, injected(train_size=300), SECOND],
        [PARAMETERS, MISSPELT, SECOND, PARAMETERS, SECOND],
        [PARAMETERS, MISSPELT, SECOND, f"{PARAMETERS}\nmine = 3", SECOND],
    ],
    ids=[
        "no history",
        "by hand",
        "papermill",
        "cells of one's own",
        "mended",
        "begun again without it",
        "and with more",
    ],
)
def test_no_false_alarm(monkeypatch, shown, sources):
    executed(monkeypatch, *sources)
    take()
    assert shown == []


def test_unknown_parameter_that_resembles_none(monkeypatch):
    executed(monkeypatch, PARAMETERS, injected(zzz=1), SECOND)
    with pytest.raises(ParameterError, match=r"«zzz»\. Sus parámetros son: «ns», «dropout»"):
        take()


def test_parameter_is_called_by_the_notebooks_own_name():
    with pytest.raises(ParameterError, match="«autoencoder_epochs» vale 0; debe ser un entero"):
        take(autoencoder_epochs=0)


@pytest.mark.parametrize("address", ["", "10.0.0.1", 8786, True])
def test_address_of_a_cluster(address):
    with pytest.raises(ParameterError, match="«dask» vale .*; debe ser la dirección de un planificador"):
        take(dask=address)


def test_device_of_a_cluster_need_not_be_here(shown, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    take(device="cuda", dask="tcp://10.0.0.1:8786")
    with pytest.raises(ParameterError, match="esta máquina no tiene"):
        take(device="cuda")
    with pytest.raises(ParameterError, match="«device» vale 'tpu'"):
        take(dask="tcp://10.0.0.1:8786", device="tpu")


@pytest.mark.slow
def test_misspelt_parameter_ends_papermill_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("MODA_RUNS", str(tmp_path / "runs"))
    notebook = jupytext.read(PROJECT / "notebooks" / "04-clasificador.md")
    nbformat.write(notebook, tmp_path / "in.ipynb")
    words = ["papermill", tmp_path / "in.ipynb", tmp_path / "out.ipynb", "-p", "train_sizes", "300"]
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, errors="replace")
    assert done.returncode == 1
    assert "train_sizes" in done.stderr.rstrip().splitlines()[-1]
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    (error,) = [output for cell in cells for output in cell.get("outputs", [])]
    assert error.ename == "ParameterError" and error.traceback == [error.evalue], "and no stack"
    assert not (tmp_path / "runs").exists()
