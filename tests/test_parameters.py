import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch

from moda.configurations import AutoencoderRun, ClassifierRun, Fresh, Frozen, Revised
from moda.parameters import ParameterError, choose_device, whole_numbers
from moda.runs.schedule import obtain

INVALID = [
    ("n", 0),
    ("n", 10_001),
    ("n", 10**30),
    ("n", -1),
    ("n", 2.5),
    ("n", 64.0),
    ("n", True),
    ("n", "64"),
    ("n", None),
    ("dropout", 1),
    ("dropout", 1.5),
    ("dropout", -0.1),
    ("dropout", math.nan),
    ("dropout", False),
    ("dropout", "0.2"),
    ("epochs", 0),
    ("epochs", -1),
    ("epochs", 10_001),
    ("epochs", 1.5),
    ("seed", -1),
    ("seed", 2**63),
    ("seed", 0.0),
    ("batch_size", 0),
    ("batch_size", 6.4),
    ("batch_size", 50_001),
    ("learning_rate", 0),
    ("learning_rate", -0.1),
    ("learning_rate", 1.1),
    ("learning_rate", math.inf),
    ("learning_rate", math.nan),
    ("train_size", 0),
    ("train_size", 50_001),
    ("train_size", "todas"),
    ("train_size", 1000.0),
]
BEYOND = {
    AutoencoderRun: ["output_dropout", "all_pixels"],
    ClassifierRun: ["decay", "output_relu"],
}


def assert_explains(error: ParameterError, name: str, value):
    """In Spanish: the parameter, its value and what it may be."""
    assert str(error).startswith(f"El parámetro «{name}» vale {value!r}; debe ser un")


@pytest.mark.parametrize(
    "kind, name, value",
    [(AutoencoderRun, *case) for case in INVALID]
    + [(ClassifierRun, *case) for case in INVALID if case[0] != "n"],
)
def test_invalid_value(kind, name, value):
    with pytest.raises(ParameterError) as error:
        kind(**{name: value})
    assert_explains(error.value, name, value)


@pytest.mark.parametrize("value", [0, 1, "True", None])
@pytest.mark.parametrize("kind, name", [(kind, name) for kind, names in BEYOND.items() for name in names])
def test_choice_is_true_or_false(kind, name, value):
    with pytest.raises(ParameterError) as error:
        kind(**{name: value})
    assert str(error.value) == f"El parámetro «{name}» vale {value!r}; debe ser True o False."


@pytest.mark.parametrize(
    "name, value",
    [
        ("n", 1),
        ("n", 10_000),
        ("dropout", 0.999),
        ("epochs", 1),
        ("epochs", 10_000),
        ("seed", 2**63 - 1),
        ("batch_size", 1),
        ("batch_size", 50_000),
        ("learning_rate", 1e-9),
        ("learning_rate", 1.0),
        ("train_size", 1),
        ("train_size", 50_000),
    ],
)
def test_limits_are_valid(name, value):
    assert getattr(AutoencoderRun(**{name: value}), name) == value


@pytest.mark.parametrize("three", [np.int64(3), np.uint8(3), torch.tensor(3)], ids=repr)
def test_integers_of_other_libraries_are_integers(three):
    run = AutoencoderRun(n=three, seed=three, learning_rate=three - 2)
    assert run == AutoencoderRun(n=3, seed=3, learning_rate=1.0) and type(run.seed) is int
    assert whole_numbers("seeds", [three, 4], like="seed") == [3, 4]
    assert whole_numbers("seeds", three, like="seed") == [3]


@pytest.mark.parametrize("value", [np.True_, torch.tensor(True), np.array([3]), np.float64(3.0)], ids=repr)
def test_what_is_no_integer_there_is_none_here(value):
    with pytest.raises(ParameterError):
        AutoencoderRun(seed=value)


@pytest.mark.parametrize("kind", [Fresh, Revised])
@pytest.mark.parametrize("name, value", [("n", 0), ("dropout", 1)])
def test_invalid_size_of_a_start(kind, name, value):
    with pytest.raises(ParameterError) as error:
        kind(**{name: value})
    assert_explains(error.value, name, value)


def test_a_start_is_one_of_four_kinds():
    with pytest.raises(ParameterError) as error:
        ClassifierRun(64)
    assert_explains(error.value, "start", 64)
    with pytest.raises(ParameterError, match="«autoencoder» vale Fresh.*; debe ser un AutoencoderRun"):
        Frozen(Fresh())


def test_long_value_is_cut_in_the_message():
    with pytest.raises(ParameterError, match="vale 1000*…; debe ser un número") as error:
        AutoencoderRun(learning_rate=10**400)
    assert len(str(error.value)) < 200


def test_error_in_a_notebook_is_its_message_alone():
    """This is what IPython asks an exception for."""
    with pytest.raises(ParameterError) as error:
        AutoencoderRun(n=0)
    assert error.value._render_traceback_() == [str(error.value)]


def test_paper_s_values_are_the_defaults():
    assert (AutoencoderRun().n, AutoencoderRun().dropout, AutoencoderRun().epochs) == (64, 0.2, 15)
    assert (ClassifierRun().dropout, ClassifierRun().epochs) == (0.2, 30)
    assert ClassifierRun().autoencoder == AutoencoderRun()
    assert AutoencoderRun().train_size == ClassifierRun().train_size == 50_000


def test_what_goes_beyond_the_paper_is_off_by_default():
    beyond = {name: getattr(kind(), name) for kind, names in BEYOND.items() for name in names}
    assert beyond == {"decay": False, "output_dropout": True, "all_pixels": False, "output_relu": True}


def test_what_is_trained_before_a_run():
    encoder = AutoencoderRun(seed=3)
    starts = [encoder, Frozen(encoder), Fresh(), Revised()]
    assert [ClassifierRun(start).autoencoder for start in starts] == [encoder, encoder, None, None]
    assert encoder.autoencoder is None


def test_minus_zero_is_zero():
    assert math.copysign(1, AutoencoderRun(dropout=-0.0).dropout) == 1


def test_whole_number_for_a_float_is_made_one():
    run = AutoencoderRun(dropout=0, learning_rate=1)
    assert run == AutoencoderRun(dropout=0.0, learning_rate=1.0)
    assert isinstance(run.dropout, float) and isinstance(run.learning_rate, float)


def test_run_is_a_value():
    """So it can be a key, and what it describes cannot change under it."""
    assert len({ClassifierRun(), ClassifierRun(), ClassifierRun(seed=1)}) == 2
    with pytest.raises(FrozenInstanceError):
        AutoencoderRun().n = 3


def test_device_that_is_there():
    assert choose_device("cpu") == torch.device("cpu")
    first = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device().type == choose_device("auto").type == first


def test_unknown_device():
    with pytest.raises(ParameterError) as error:
        choose_device("tpu")
    assert str(error.value) == "El parámetro «device» vale 'tpu'; debe ser «auto», «cpu», «cuda» o «mps»."


def test_absent_device():
    """No machine has both CUDA and MPS."""
    absent = "mps" if torch.cuda.is_available() else "cuda"
    with pytest.raises(ParameterError, match="esta máquina no tiene") as error:
        choose_device(absent)
    assert str(error.value).startswith(f"El parámetro «device» vale '{absent}'")
    assert "«cpu»" in str(error.value)


def test_device_is_checked_before_anything_is_read(monkeypatch, tmp_path):
    monkeypatch.setenv("MODA_RUNS", str(tmp_path))
    with pytest.raises(ParameterError, match="«device»"):
        obtain(AutoencoderRun(), device="tpu")


@pytest.mark.parametrize(
    "value, expected",
    [
        ([3, 1, 2], [3, 1, 2]),
        ((1, 2), [1, 2]),
        (range(3), [0, 1, 2]),
        (range(1000), list(range(1000))),
        (7, [7]),
        ("[1, 2]", [1, 2]),
        ("7", [7]),
    ],
)
def test_whole_numbers(value, expected):
    assert whole_numbers("seeds", value, like="seed") == expected


def test_several_trainings_may_take_as_many_epochs():
    assert whole_numbers("epochs", "[100, 100, 40]", like="epochs") == [100, 100, 40]


@pytest.mark.parametrize(
    "value",
    [
        [],
        "[]",
        [1, 1],
        [0, -1],
        [1.5],
        1.5,
        [True],
        True,
        "true",
        "uno",
        "[1, 2",
        '"12"',
        "{}",
        None,
        ["1"],
        {1: 2},
        b"12",
        range(1001),
    ],
)
def test_not_whole_numbers(value):
    with pytest.raises(ParameterError, match="cada uno un entero mayor o igual que 0") as error:
        whole_numbers("seeds", value, like="seed")
    assert_explains(error.value, "seeds", value)
