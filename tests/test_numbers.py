"""Which numbers nbval lets through in a notebook's outputs (notebooks/close_numbers.py); others fail."""

import re
import runpy
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from moda.data import PROJECT

POLICY = PROJECT / "notebooks" / "close_numbers.py"
with_stored_numbers = runpy.run_path(str(POLICY))["with_stored_numbers"]

TABLE = "| N | ECM |\n|---:|---:|\n| 64 | 0.0555 |\n| 128 | 0.0530 |"
HTML = "<td style='width: 12px'>0.6030</td><td>−1.68 ± 0.68</td>"
# A stored output, and a new one that differs by no more than processors do.
EQUAL = [
    ("0.6030", "entropía 0.6030", "entropía 0.6031"),
    ("percentage", "90.34 %", "90.33 %"),
    ("minus", "−0.04 puntos", "−0.05 puntos"),
    ("another sign", "+0.00 ± 0.46", "−0.00 ± 0.46"),
    ("thousands", "1,234.56 imágenes", "1,234.57 imágenes"),
    ("exponent", "p = 3.21e-07", "p = 3.22e-07"),
    ("one digit more", "| a | 9.99 |\n|:--|-----:|", "| a | 10.00 |\n|:--|------:|"),
    ("table", TABLE, TABLE.replace("0.0555", "0.0554")),
    ("HTML", HTML, HTML.replace("0.6030", "0.6031").replace("1.68", "1.69")),
    ("LaTeX", r"$0.0543 \pm 0.0024$", r"$0.0544 \pm 0.0024$"),
    ("all digits", "55.25311279296875", "55.25309371948242"),
    ("all digits and exponent", "3.2134e-07", "3.2133e-07"),
    ("text", "'0.60 ± 0.12'", "'0.61 ± 0.12'"),
]
# And one that another result made.
OTHER = [
    ("N", "N = 64", "N = 65"),
    ("whole output", "64", "65"),
    ("one percent", "0.6030", "0.6090"),
    ("one percent in a table", TABLE, TABLE.replace("0.0555", "0.0560")),
    ("one percent in HTML", HTML, HTML.replace("0.6030", "0.6090")),
    ("one percent in LaTeX", r"$0.0543 \pm 0.0024$", r"$0.0548 \pm 0.0024$"),
    ("one percent of all digits", "55.25311279296875", "55.805643920898438"),
    ("two units", "90.34 %", "90.32 %"),
    ("short, but whole", "0.5", "0.6"),
    ("thousands", "1,234.56", "1,235.56"),
    ("exponent", "3.21e-07", "3.21e-06"),
    ("sign", "+0.19 ± 0.14", "−0.19 ± 0.14"),
    ("swapped cells", TABLE, TABLE.replace("0.0555", "x").replace("0.0530", "0.0555").replace("x", "0.0530")),
    ("another word", "dentro: 0.5", "fuera: 0.5"),
    ("a number less", "0.5 0.6", "0.5"),
    ("unit", "0.53 s", "0.53 h"),
    ("version", "PyTorch 2.13.0", "PyTorch 2.14.0"),
    ("digest", "SHA-256 1e5f07…", "SHA-256 1e6f07…"),
    ("date", "2026-11-24", "2026-11-25"),
]


@pytest.mark.parametrize(("_", "stored", "new"), EQUAL, ids=[case[0] for case in EQUAL])
def test_last_digits_are_let_through(_, stored, new):
    assert new != stored
    assert with_stored_numbers(new, stored) == stored


@pytest.mark.parametrize(("_", "stored", "new"), OTHER, ids=[case[0] for case in OTHER])
def test_another_result_is_not(_, stored, new):
    assert with_stored_numbers(new, stored) != stored


@pytest.mark.parametrize(
    ("stored", "new"), [("28", "27"), ("248 y 290", "249 y 289"), ("83.90", "84.00"), ("0.1", "0.2")]
)
def test_near_ties_let_one_image_through(stored, new):
    assert with_stored_numbers(new, stored, near_ties=True) == stored


@pytest.mark.parametrize(
    ("stored", "new"), [("28", "26"), ("83.90", "84.74"), ("Abrigo: 83.90", "Buzo: 83.90")]
)
def test_near_ties_let_no_more_through(stored, new):
    assert with_stored_numbers(new, stored, near_ties=True) != stored


@pytest.mark.slow
def test_in_a_notebook_only_what_is_another_result_fails(tmp_path):
    """In every form that a notebook's outputs have."""
    forms = [
        "text/plain",
        "text/html",
        "text/markdown",
        "text/latex",
        "application/papermill.record/text/plain",
    ]
    cells = []
    for number, (_, stored, new) in enumerate([("near-ties", "28", "27"), *EQUAL, *OTHER]):
        form = forms[number % len(forms)]
        cells.append(new_code_cell(f"display({{{form!r}: {new!r}}}, raw=True)"))
        cells[-1].outputs = [new_output("display_data", {form: stored})]
        cells[-1].metadata["tags"] = ["near-ties"] if number == 0 else []
    cells.append(new_code_cell("print('ECM 0.0555, N 65')"))
    cells[-1].outputs = [new_output("stream", name="stdout", text="ECM 0.0554, N 64\n")]
    for count, cell in enumerate(cells, 1):
        cell.execution_count = count
    nbformat.write(new_notebook(cells=cells), tmp_path / "little.ipynb")
    for file in (POLICY, POLICY.with_name("conftest.py")):
        shutil.copy(file, tmp_path)
    (tmp_path / "pytest.ini").touch()
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--color=no"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    failed = {
        int(cell) for cell in re.findall(r"^FAILED little.ipynb::Cell (\d+)", done.stdout, re.MULTILINE)
    }
    assert failed == set(range(1 + len(EQUAL), len(cells))), done.stdout
    assert f"{1 + len(EQUAL)} passed" in done.stdout
    # What is close is not in the report of what differs.
    assert "ECM 0.0554, N 65" in done.stdout
