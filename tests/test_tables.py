import numpy as np
import pandas as pd
import pytest
import torch

from moda import tables


def test_against_paper_gives_the_signed_difference_or_a_dash():
    table = tables.against_paper([("ECM", 0.0533, 0.05461, ".4f"), ("Exactitud (%)", None, 88.123, ".2f")])
    assert table.to_numpy().tolist() == [
        ["ECM", "0.0533", "0.0546", "+0.0013"],
        ["Exactitud (%)", "—", "88.12", "—"],
    ]


def test_show_is_a_named_table_of_the_book_with_numbers_to_the_right(monkeypatch):
    shown = []
    monkeypatch.setattr(tables, "display", lambda forms, raw: shown.append(forms))
    tables.show(pd.DataFrame({"Clase": ["Bota"], "Imágenes": [1008]}), "tabla-x", "Cuántas hay.")
    (forms,) = shown
    assert forms["text/markdown"].startswith("```{table} Cuántas hay.\n:name: tabla-x\n\n")
    assert forms["text/markdown"].splitlines()[4].endswith("-:|"), "the numeric column"
    assert "1008" in forms["text/html"] and "1008" in forms["text/plain"]


@pytest.mark.parametrize("value", [np.float64(0.5), np.int64(3), torch.tensor(0.25), 7, "Bolso"])
def test_to_prose_hands_over_plain_values(monkeypatch, value):
    glued = {}
    monkeypatch.setattr(tables, "glue", lambda name, value, display: glued.update({name: value}))
    tables.to_prose(key=value)
    assert type(glued["key"]) in (float, int, str)
    assert glued["key"] == value
