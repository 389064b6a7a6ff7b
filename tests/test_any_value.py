"""Whatever value a parameter is given: it is valid, or an error that names it before anything is done."""

import json
from dataclasses import fields

import jupytext
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moda import data
from moda.book import figures
from moda.book.notebook import book_parameters
from moda.configurations import AutoencoderRun, ClassifierRun, Fresh, Revised, described
from moda.data import PROJECT
from moda.parameters import ParameterError, choose_device, whole_numbers

NOTEBOOKS = {path.stem: path for path in sorted((PROJECT / "notebooks").glob("*.md"))}
# Every time the same, and however busy the machine is.
QUICKLY = settings(derandomize=True, deadline=None, max_examples=30, database=None)

SPECIAL = [
    10**400,  # no float is as great
    -(10**30),
    np.int64(3),
    np.float32(0.5),
    np.array([1, 2]),
    np.bool_(True),
    torch.tensor(2),
    "[1e999]",
    "٣",
    " 3\n",
    "<script>",
    range(10**12),
    AutoencoderRun,
]
# An integer that Python does not even write, two texts that it does not read, a long list.
HUGE = [10**5000, "9" * 5000, "[" * 100_000, [0] * 10**5]
NUMBERS = st.integers() | st.floats() | st.integers(0, 20_000) | st.floats(0, 1)
ONE = st.none() | st.booleans() | NUMBERS | st.text() | st.binary() | st.sampled_from(SPECIAL)
WHOLE = st.lists(st.integers(-1, 50) | NUMBERS, max_size=5)
VALUES = ONE | WHOLE | WHOLE.map(json.dumps) | st.lists(ONE, max_size=3) | st.dictionaries(st.text(), ONE)


def assert_tells(error: ParameterError, name: str):
    """In one line that can be read."""
    assert f"«{name}»" in str(error)
    assert len(str(error).splitlines()) == 1 and len(str(error)) < 600


@pytest.fixture(scope="module", params=NOTEBOOKS)
def notebook(request, tmp_path_factory):
    """The second cell of each notebook, and the values of its parameters; nothing may be written."""
    cells = jupytext.read(NOTEBOOKS[request.param]).cells
    _, second, *_ = (cell.source for cell in cells if cell.cell_type == "code")
    values = book_parameters(request.param)
    runs = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODA_RUNS", str(runs))
        patch.setattr(figures, "use_style", lambda: None)
        patch.setattr(data, "load", lambda: None)
        patch.setattr("moda.book.notebook.display", lambda *_, **__: None)
        patch.setattr("moda.book.notebook.book_parameters", lambda _: values)
        yield compile(second, request.param, "exec"), values
    assert list(runs.iterdir()) == []


@pytest.mark.parametrize("value", HUGE, ids=["integer", "text", "brackets", "list"])
def test_notebook_with_a_huge_value(notebook, value):
    second, values = notebook
    for name in values:
        with pytest.raises(ParameterError) as error:
            exec(second, values | {name: value})
        assert_tells(error.value, name)


@QUICKLY
@given(drawn=st.data())
def test_notebook(notebook, drawn):
    second, values = notebook
    name, value = drawn.draw(st.sampled_from(list(values))), drawn.draw(VALUES)
    try:
        exec(second, values | {name: value})
    except ParameterError as error:
        assert_tells(error, name)


@QUICKLY
@given(kind=st.sampled_from([AutoencoderRun, ClassifierRun, Fresh, Revised]), drawn=st.data())
def test_run(kind, drawn):
    name = drawn.draw(st.sampled_from([item.name for item in fields(kind)]))
    try:
        run = kind(**{name: drawn.draw(VALUES)})
    except ParameterError as error:
        assert_tells(error, name)
    else:
        json.dumps(described(run), allow_nan=False)
        assert len({run, kind(**{name: getattr(run, name)})}) == 1


@QUICKLY
@given(value=VALUES, like=st.sampled_from(["n", "seed", "epochs", "train_size"]))
def test_list(value, like):
    try:
        numbers = whole_numbers("some", value, like)
    except ParameterError as error:
        assert_tells(error, "some")
    else:
        assert numbers and all(type(number) is int for number in numbers)


@QUICKLY
@given(value=VALUES)
def test_device(value):
    try:
        assert choose_device(value).type in ("cpu", "cuda", "mps")
    except ParameterError as error:
        assert_tells(error, "device")
