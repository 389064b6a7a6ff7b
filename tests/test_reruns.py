"""What a rerun says of itself."""

import pytest

from moda import reruns
from moda.reruns import book_parameters, notice

NAME = "06-comparacion-de-n"


@pytest.fixture
def shown(monkeypatch) -> list[dict[str, str]]:
    shown = []
    monkeypatch.setattr(reruns, "display", lambda forms, raw: shown.append(forms))
    return shown


def test_the_books_parameters_are_read_as_values():
    parameters = book_parameters(NAME)
    assert parameters["ns"] == [64, 128, 256] and parameters["train_size"] == 50_000
    assert parameters["learning_rate"] == 1e-3 and parameters["dask"] is None


def test_no_notice_with_the_books_parameters(shown):
    notice(NAME, book_parameters(NAME) | {"another": "variable of the notebook"})
    assert shown == []


def test_notice_names_what_differs_in_every_form(shown):
    notice(NAME, book_parameters(NAME) | {"ns": [8], "epochs": 2})
    (forms,) = shown
    for text in forms.values():
        assert "ns = [8] (en el libro, [64, 128, 256]); epochs = 2 (en el libro, 30)." in text
        assert "Nueva corrida" in text and "dropout" not in text
    assert forms["text/markdown"].startswith(":::{admonition} Nueva corrida")
