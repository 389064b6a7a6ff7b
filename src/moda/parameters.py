"""What describes a run, and the checks of the values that a reader may give a notebook.

The errors are in Spanish, for they are read in the book's notebooks; each names the parameter, its
value and the values that it may take.
"""

import json
from contextlib import suppress
from dataclasses import dataclass, field, fields

import torch

from moda.data import TRAIN_SIZE
from moda.errors import ModaError


class ParameterError(ModaError, ValueError):
    """A parameter has a value that makes no sense; the message (Spanish) says which ones do."""


def _beyond(paper: bool) -> bool:
    """A field that the paper's own runs do not have: it describes a run only where it is not `paper`."""
    return field(default=paper, metadata={"beyond": True})


@dataclass(frozen=True)
class AutoencoderRun:
    """One training of the autoencoder, from its initialisation. Paper's values by default."""

    n: int = 64  # neurons of the hidden layer
    dropout: float = 0.2
    epochs: int = 15
    seed: int = 0  # of initial weights, order of the images and dropout
    batch_size: int = 64  # this and the next: not in the paper
    learning_rate: float = 1e-3
    train_size: int = TRAIN_SIZE  # the first so many of the training images
    decay: bool = _beyond(False)  # the learning rate falls to 0 along half a cosine
    output_dropout: bool = _beyond(True)  # on the image that the decoder gives
    all_pixels: bool = _beyond(False)  # layers that leave out no row or column of the image

    def __post_init__(self):
        _check(self)


@dataclass(frozen=True)
class ClassifierRun:
    """One training of the classifier on the encoder that `autoencoder` leaves. Paper's values by default."""

    autoencoder: AutoencoderRun = field(default_factory=AutoencoderRun)
    dropout: float = 0.2  # on the scores; the encoder keeps its own
    epochs: int = 30
    seed: int = 0
    batch_size: int = 64
    learning_rate: float = 1e-3
    train_size: int = TRAIN_SIZE
    decay: bool = _beyond(False)
    output_relu: bool = _beyond(True)  # on the scores
    pretrained: bool = _beyond(True)  # otherwise only the sizes of `autoencoder` count
    frozen: bool = _beyond(False)  # the encoder stays as it was
    # Chapter 13's network, from random weights; of `autoencoder` it has n and dropout.
    revised: bool = _beyond(False)

    def __post_init__(self):
        _check(self)
        if not isinstance(self.autoencoder, AutoencoderRun):
            raise ParameterError(message("autoencoder", self.autoencoder, "un AutoencoderRun"))


Run = AutoencoderRun | ClassifierRun

# The paper's value of every field that its own runs do not have.
OF_PAPER = {
    item.name: item.default
    for kind in (AutoencoderRun, ClassifierRun)
    for item in fields(kind)
    if item.metadata.get("beyond")
}


def origin(run: Run) -> AutoencoderRun | None:
    """The run that has to be trained before `run`; None where it starts from random weights."""
    if isinstance(run, ClassifierRun) and run.pretrained and not run.revised:
        return run.autoencoder
    return None


def choose_device(name: str = "auto") -> torch.device:
    """The device called `name`; "auto" is the first there is of CUDA, Apple's MPS and the CPU."""
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
    """ParameterError where no machine has such a device."""
    if not isinstance(name, str) or name not in ("auto", "cpu", "cuda", "mps"):
        raise ParameterError(message("device", name, "«auto», «cpu», «cuda» o «mps»"))


# As many values as a list of parameters may have.
LONGEST = 1000


def whole_numbers(name: str, value, like: str) -> list[int]:
    """A parameter that lists values of the parameter `like`, such as `seeds` of `seed`.

    Takes a list, a single number, or the text of either (papermill's -p passes a list as text).
    """
    items = _from_json(value) if isinstance(value, str) else value
    items = [items] if isinstance(items, int) else items
    values: list = []
    if isinstance(items, (list, tuple, range)) and len(items) <= LONGEST:
        with suppress(ParameterError):
            values = [checked(like, item) for item in items]
    if not values or len(set(values)) < len(values):
        kind = f"una lista de valores distintos, hasta {LONGEST}, por ejemplo [1, 2, 3]"
        raise ParameterError(message(name, value, f"{kind}, cada uno {_RULES[like][2]}"))
    return values


def _from_json(text: str):
    """None where it is none, or too deep or too long for Python to read."""
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


# Of each parameter: its type, whether it may have a value, and the same in words. Some bounds are there
# only because far beyond them memory, time or the numbers themselves would give out.
_RULES = {
    "n": (int, lambda v: 1 <= v <= 10_000, "un entero mayor o igual que 1 y menor o igual que 10000"),
    "dropout": (float, lambda v: 0 <= v < 1, "un número mayor o igual que 0 y menor que 1"),
    "epochs": (int, lambda v: 1 <= v <= 10_000, "un entero mayor o igual que 1 y menor o igual que 10000"),
    "seed": (int, lambda v: 0 <= v < 2**63, "un entero mayor o igual que 0 y menor que 2**63"),
    "batch_size": (int, lambda v: 1 <= v <= TRAIN_SIZE, f"un entero de 1 a {TRAIN_SIZE}"),
    "learning_rate": (float, lambda v: 0 < v <= 1, "un número mayor que 0 y menor o igual que 1"),
    "train_size": (int, lambda v: 1 <= v <= TRAIN_SIZE, f"un entero de 1 a {TRAIN_SIZE}"),
}
_RULES |= dict.fromkeys(OF_PAPER, (bool, lambda v: True, "True o False"))


def _check(run: Run) -> None:
    """Checks every field, and makes numbers of the declared type, so that 0 and 0.0 are one run."""
    for item in fields(run):
        if item.name in _RULES:
            object.__setattr__(run, item.name, checked(item.name, getattr(run, item.name)))


def checked(name: str, value, like: str | None = None) -> int | float | bool:
    """`value` as the parameter `name` takes it, or one `like` it; ParameterError where it makes no sense."""
    kind, allows, rule = _RULES[like or name]
    boolean = isinstance(value, bool)
    fits = boolean if kind is bool else isinstance(value, (int, kind)) and not boolean
    if not fits or not allows(value):
        raise ParameterError(message(name, value, rule))
    return value if kind is bool else kind(value) + 0  # -0.0 is 0.0


def message(name: str, value, rule: str) -> str:
    return f"El parámetro «{name}» vale {as_text(value)}; debe ser {rule}."


def as_text(value) -> str:
    """`value` as Python writes it, in one line of a length that can be read."""
    try:
        text = " ".join(repr(value).splitlines())
    except ValueError:  # an integer of more digits than Python writes
        text = "un número de miles de cifras"
    return text if len(text) <= 200 else f"{text[:100]}…"
