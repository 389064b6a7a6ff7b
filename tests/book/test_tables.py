from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from moda import data
from moda.book import tables
from moda.comparison import Difference
from moda.configurations import AutoencoderRun, ClassifierRun, Run
from moda.runs.store import RECIPE, Result


def test_against_paper_gives_the_signed_difference_or_a_dash():
    table = tables.against_paper([("ECM", 0.0533, 0.05461, ".4f"), ("Exactitud (%)", None, 88.123, ".2f")])
    assert table.to_numpy().tolist() == [
        ["ECM", "0.0533", "0.0546", "+0.0013"],
        ["Exactitud (%)", "—", "88.12", "—"],
    ]


def test_spread_is_the_mean_and_the_deviation_where_there_is_one():
    assert tables.spread([1.0, 2.0, 3.0], ".1f") == "2.0\u00a0(1.0)"
    assert tables.spread(pd.Series([2.0]), ".1f") == "2.0"
    assert tables.spread([], ".1f") == "—"


def test_show_is_a_named_table_of_the_book_with_numbers_to_the_right(shown):
    tables.show(pd.DataFrame({"Clase": ["Bota"], "Imágenes": [1008]}), "tabla-x", "Cuántas hay.")
    (forms,) = shown
    assert forms["text/markdown"].startswith("```{table} Cuántas hay.\n:name: tabla-x\n\n")
    assert forms["text/markdown"].splitlines()[4].endswith("-:|"), "the numeric column"
    assert "1008" in forms["text/html"] and "1008" in forms["text/plain"]


def test_show_folded_has_a_title_and_no_number(shown):
    tables.show_folded(pd.DataFrame({"Margen": ["±0.1"]}), "Una por una")
    (forms,) = shown
    assert forms["text/markdown"].startswith(":::{dropdown} Una por una\n\n|")
    assert "{table}" not in forms["text/markdown"]
    assert "-:|" in forms["text/markdown"], "the margin is a number"


def result(run: Run, **record) -> Result:
    """What a notebook is given of a run that took place on some machine."""
    record = {
        "configuration": asdict(run),
        "recipe": 7,
        "versions": {"python": "3.12.1", "torch": "2.13.0"},
        "device": "cpu",
        "machine": "x86_64",
        "threads": 1,
        "seconds": 61.4,
        "date": "2026-11-24",
    } | record
    return Result(run, Path(), pd.DataFrame(), {}, {}, record)


def provenance(shown, groups: dict) -> tuple[dict[str, list[str]], str]:
    """The rows of the table by their heads, and the line below it; every form has them."""
    tables.provenance(groups)
    forms = shown.pop()
    _, *folded, _, recipe, _ = forms["text/markdown"].splitlines()
    *lines, line = filter(None, folded)
    assert recipe.startswith("La receta es")
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in lines]
    for form in ("text/html", "text/plain"):
        assert line in forms[form] and all(cell in forms[form] for row in cells[2:] for cell in row), form
    return {head: values for head, *values in cells}, line


def test_provenance_tells_what_is_common_once_and_what_differs_as_a_range(shown):
    times = {0: 61.4, 1: 70.6, 2: 65.0}
    averaged = [result(AutoencoderRun(seed=seed), seconds=time) for seed, time in times.items()]
    rows, line = provenance(shown, {"Promediadas": averaged, "Final": averaged[:1], "Ninguna": []})
    assert rows["Entrenamiento"] == ["Promediadas", "Final"]
    assert rows["N"] == ["64", "64"]
    assert rows["Semilla"] == ["0 a 2", "0"]
    assert rows["Tasa de aprendizaje"] == ["0.001", "0.001"]
    assert rows["Duración (s)"] == ["61 a 71", "61"]
    assert rows["Corridas"] == ["3", "1"] and rows["Duración total (min)"] == ["3", "1"]
    assert "Tasa decreciente" not in rows
    assert line == (
        "Dispositivo: cpu (x86_64), hilos: 1 · Python 3.12.1, PyTorch 2.13.0 · Fecha: 2026-11-24 · "
        f"Receta: 7 · Datos: Fashion-MNIST, SHA-256 {data.CHECKSUM[:16]}…"
    )


def test_provenance_lists_what_differs(shown):
    rates = {256: 1e-3, 64: 3e-4, 63: 3e-3}
    autoencoders = [result(AutoencoderRun(n=n, learning_rate=rate)) for n, rate in rates.items()]
    classifier = result(ClassifierRun(AutoencoderRun(n=9), epochs=3), device="NVIDIA L4", date="2026-11-25")
    rows, line = provenance(shown, {"Autoencoders": autoencoders, "Clasificador": [classifier]})
    assert rows["N"] == ["63, 64, 256", "9"]
    assert rows["Tasa de aprendizaje"] == ["0.0003, 0.001, 0.003", "0.001"]
    assert rows["Épocas"] == ["15", "3"]
    assert "NVIDIA L4 (x86_64), hilos: 1, cpu (x86_64), hilos: 1" in line
    assert "Fecha: 2026-11-24, 2026-11-25" in line


def test_provenance_tells_what_departs_from_the_paper(shown):
    autoencoder = AutoencoderRun(all_pixels=True, output_dropout=False)
    runs = [ClassifierRun(autoencoder), ClassifierRun(autoencoder, output_relu=False)]
    groups = {"Autoencoder": [result(autoencoder)], "Clasificadores": [result(run) for run in runs]}
    rows, _ = provenance(shown, groups)
    assert rows["Capas que no pierden píxeles"] == ["sí", "sí"]
    assert rows["Dropout en la imagen"] == ["no", "—"]
    assert rows["ReLU en los puntajes"] == ["—", "no, sí"]
    assert "Dropout en los puntajes" not in rows
    assert "Codificador congelado" not in rows


def test_provenance_where_nothing_was_trained(shown):
    rows, line = provenance(shown, {})
    assert not rows
    assert line == f"Receta: {RECIPE} · Datos: Fashion-MNIST, SHA-256 {data.CHECKSUM[:16]}…"


@pytest.mark.parametrize("value", [np.float64(0.5), np.int64(3), torch.tensor(0.25), 7, "Bolso"])
def test_to_prose_hands_over_plain_values(monkeypatch, value):
    glued = {}
    monkeypatch.setattr(tables, "glue", lambda name, value, display: glued.update({name: value}))
    tables.to_prose(key=value)
    assert type(glued["key"]) in (float, int, str)
    assert glued["key"] == value


def test_difference_is_a_dash_where_there_is_none():
    assert tables.difference(Difference(-0.5, 0.25), ".1f") == "-0.5\u00a0±\u00a00.2"
    assert tables.difference(None, ".1f") == "—"


def test_estimate_has_an_interval_where_there_are_several_values():
    assert tables.estimate([90.0, 91.0, 92.0], ".1f") == "91.0\u00a0±\u00a02.5"
    assert tables.estimate([90.123], ".1f") == "90.1"
    # Student's t for one degree of freedom is 12.706; the mean is not the middle one.
    assert tables.estimate([1.0, 2.0], ".2f") == "1.50\u00a0±\u00a06.35"
    assert tables.estimate([1.0, 2.0, 6.0], ".1f").startswith("3.0")


def test_small_counts_are_words():
    words = ["ninguna", "una", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez"]
    assert [tables.in_words(count) for count in range(12)] == [*words, "11"]
