"""The valid values of a run's fields, and so of a notebook's parameters.

The errors are in Spanish because the book's notebooks show them; each names the parameter, its value and
the valid ones.
"""

import json
import operator
from contextlib import suppress

import torch

from moda.data import TRAIN_SIZE
from moda.errors import ModaError


class ParameterError(ModaError, ValueError):
    """A parameter has an invalid value; the message (Spanish) says which are valid."""


def choose_device(name: str = "auto") -> torch.device:
    """The device called `name`; "auto" is the first available of CUDA, Apple's MPS and the CPU."""
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    check_device_name(name)
    if name == "auto":
        name = next(device for device, there in available.items() if there)
    if not available[name]:
        there = ", ".join(f"«{device}»" for device, there in available.items() if there)
        raise ParameterError(
            f"El parámetro «device» vale {name!r}, un dispositivo que esta máquina no tiene. "
            f"Puede ser «auto» o uno de los que hay: {there}."
        )
    return torch.device(name)


def check_device_name(name: str) -> None:
    """ParameterError if no machine has such a device."""
    if not isinstance(name, str) or name not in ("auto", "cpu", "cuda", "mps"):
        raise ParameterError(message("device", name, "«auto», «cpu», «cuda» o «mps»"))


# The most values that a list parameter may have.
LONGEST = 1000


def whole_numbers(name: str, value, like: str) -> list[int]:
    """A parameter that lists values of the parameter `like`, such as `seeds` of `seed`.

    Takes a list, a single number, or the text of either (papermill's -p passes a list as text).
    """
    items = _from_json(value) if isinstance(value, str) else _as_integer(value)
    items = [items] if isinstance(items, int) else items
    values: list = []
    if isinstance(items, (list, tuple, range)) and len(items) <= LONGEST:
        with suppress(ParameterError):
            values = [checked(like, item) for item in items]
    # Several trainings may take as many epochs; any other value twice would be the same training twice.
    distinct = "" if like == "epochs" else " distintos"
    if not values or (distinct and len(set(values)) < len(values)):
        kind = f"una lista de valores{distinct}, hasta {LONGEST}, por ejemplo [1, 2, 3]"
        raise ParameterError(message(name, value, f"{kind}, cada uno {_RULES[like][2]}"))
    return values


def _from_json(text: str):
    """The value of `text`; None if it is not JSON, or nested too deep or too long for Python."""
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


# For each parameter: its type, the test of a value, and the same in words. Some bounds are only there because
# far beyond them memory, time or the numbers themselves give out.
_RULES = {
    "n": (int, lambda v: 1 <= v <= 10_000, "un entero mayor o igual que 1 y menor o igual que 10000"),
    "dropout": (float, lambda v: 0 <= v < 1, "un número mayor o igual que 0 y menor que 1"),
    "epochs": (int, lambda v: 1 <= v <= 10_000, "un entero mayor o igual que 1 y menor o igual que 10000"),
    "seed": (int, lambda v: 0 <= v < 2**63, "un entero mayor o igual que 0 y menor que 2**63"),
    "batch_size": (int, lambda v: 1 <= v <= TRAIN_SIZE, f"un entero de 1 a {TRAIN_SIZE}"),
    "learning_rate": (float, lambda v: 0 < v <= 1, "un número mayor que 0 y menor o igual que 1"),
    "train_size": (int, lambda v: 1 <= v <= TRAIN_SIZE, f"un entero de 1 a {TRAIN_SIZE}"),
    "train_block": (int, lambda v: 0 <= v < TRAIN_SIZE, f"un entero de 0 a {TRAIN_SIZE - 1}"),
    "optimizer": (str, lambda v: v in ("adam", "sgd", "momentum"), "«adam», «sgd» o «momentum»"),
    "warm_up": (int, lambda v: 0 <= v <= 10_000, "un entero mayor o igual que 0 y menor o igual que 10000"),
    "leak": (float, lambda v: 0 <= v < 1, "un número mayor o igual que 0 y menor que 1"),
    "bias": (float, lambda v: -1000 <= v <= 1000, "un número de -1000 a 1000"),
}
_RULES |= dict.fromkeys(
    ("decay", "output_dropout", "all_pixels", "output_relu", "normalised", "mirrored"),
    (bool, lambda v: True, "True o False"),
)


def checked(name: str, value, like: str | None = None) -> int | float | bool | str:
    """`value` in the type of the parameter `name`, or of `like`; ParameterError if it is invalid."""
    kind, allows, rule = _RULES[like or name]
    number = _as_integer(value)
    boolean = isinstance(number, bool)
    fits = boolean if kind is bool else isinstance(number, (int, kind)) and not boolean
    if not fits or not allows(number):
        raise ParameterError(message(name, value, rule))
    return kind(number) if number else kind(0)  # -0.0 is 0.0


def _as_integer(value):
    """An integer of another library, such as NumPy, as Python's; anything else as it is."""
    if isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool"):
        return value
    with suppress(TypeError):
        return operator.index(value)
    return value


def message(name: str, value, rule: str) -> str:
    return f"El parámetro «{name}» vale {as_text(value)}; debe ser {rule}."


def as_text(value) -> str:
    """The repr of `value`, in one line of readable length."""
    try:
        text = " ".join(repr(value).splitlines())
    except ValueError:  # an integer with more digits than Python prints
        text = "un número de miles de cifras"
    return text if len(text) <= 200 else f"{text[:100]}…"
