"""Configurations of runs, each the training of a network from initialisation (paper, sections II and III)."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, cast, get_args

from moda import paper
from moda.data import TRAIN_SIZE
from moda.networks import Autoencoder, Classifier, Encoder, MirroringClassifier, RevisedEncoder
from moda.parameters import ParameterError, checked, message


def _check(part: Any, **kinds: Any) -> None:
    """Check every field, and convert numbers to the declared type, so that 0 and 0.0 are the same run.

    `kinds`: the types of the fields that are not parameters.
    """
    for item in fields(part):
        value = getattr(part, item.name)
        if item.name not in kinds:
            object.__setattr__(part, item.name, checked(item.name, value))
        elif not isinstance(value, kinds[item.name]):
            names = [kind.__name__ for kind in get_args(kinds[item.name]) or [kinds[item.name]]]
            raise ParameterError(message(item.name, value, f"un {' o '.join(names)}"))


@dataclass(frozen=True)
class AutoencoderRun:
    """One training of the autoencoder, by default with the paper's values."""

    n: int = 64  # neurons in the hidden layer
    dropout: float = 0.2
    epochs: int = 15
    seed: int = 0  # of the initial weights, the order of the images and dropout
    # The next three are those of the course assignment behind the paper, which does not report them.
    batch_size: int = 100
    optimizer: str = "adam"  # or "sgd", or "momentum": SGD with a momentum of 0.9
    learning_rate: float = 1e-3
    train_size: int = TRAIN_SIZE  # how many of the training images, from the first
    output_dropout: bool = True  # on the decoder's output image
    all_pixels: bool = False  # layers that skip no row or column of the image

    kind = "autoencoder"
    autoencoder = None  # no other run is trained before it

    def __post_init__(self):
        _check(self)

    @property
    def images(self) -> slice:
        """Which of the training images it is trained on."""
        return slice(self.train_size)

    def encoder(self) -> Encoder:
        return Encoder(self.n, self.dropout, self.all_pixels)

    def network(self) -> Autoencoder:
        """The untrained network."""
        return Autoencoder(self.n, self.dropout, self.output_dropout, self.all_pixels)


@dataclass(frozen=True)
class Frozen:
    """A classifier's start: the encoder of a trained autoencoder, kept frozen."""

    autoencoder: AutoencoderRun

    def __post_init__(self):
        _check(self, autoencoder=AutoencoderRun)

    @property
    def n(self) -> int:
        return self.autoencoder.n

    def encoder(self) -> Encoder:
        return self.autoencoder.encoder()


@dataclass(frozen=True)
class Fresh:
    """A classifier's start: the paper's encoder with random weights."""

    n: int = 64
    dropout: float = 0.2

    def __post_init__(self):
        _check(self)

    def encoder(self) -> Encoder:
        return Encoder(self.n, self.dropout)


@dataclass(frozen=True)
class Revised:
    """A classifier's start: the encoder of chapter 13's network, with random weights."""

    n: int = 32
    dropout: float = 0.1
    normalised: bool = True  # batch normalisation
    mirrored: bool = True  # images mirrored at random in training; both scores averaged in evaluation

    def __post_init__(self):
        _check(self)

    def encoder(self) -> RevisedEncoder:
        return RevisedEncoder(self.n, self.dropout, self.normalised)


@dataclass(frozen=True)
class Modernised(Revised):
    """A classifier's start: the layers of the paper's encoder, in all else as chapter 13's."""

    n: int = 64

    def encoder(self) -> RevisedEncoder:
        return RevisedEncoder(self.n, self.dropout, self.normalised, compact=False)


Start = AutoencoderRun | Frozen | Fresh | Revised


@dataclass(frozen=True)
class ClassifierRun:
    """One training of a classifier, by default with the paper's values.

    It starts from the encoder of a trained autoencoder, which it fine-tunes, or from another `start`.
    """

    start: Start = AutoencoderRun()
    dropout: float = 0.2  # on the scores; the encoder keeps its own
    epochs: int = 30
    seed: int = 0
    batch_size: int = 100
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    train_size: int = TRAIN_SIZE
    train_block: int = 0  # which of the blocks of `train_size` training images
    decay: bool = False  # the learning rate falls to 0 along half a cosine
    warm_up: int = 0  # epochs along which the learning rate rises to its value
    output_relu: bool = True  # on the scores
    leak: float = 0.0  # slope of that ReLU below 0
    bias: float = 0.0  # added to the initial biases of the scores

    kind = "classifier"

    def __post_init__(self):
        _check(self, start=Start)
        if self.images.stop > TRAIN_SIZE:
            blocks = TRAIN_SIZE // self.train_size
            rule = f"menor que {blocks}, porque hay {blocks} bloques de {self.train_size} imágenes"
            raise ParameterError(message("train_block", self.train_block, rule))

    @property
    def images(self) -> slice:
        """Which of the training images it is trained on."""
        return slice(self.train_block * self.train_size, (self.train_block + 1) * self.train_size)

    @property
    def autoencoder(self) -> AutoencoderRun | None:
        """The run to train before this one; None if it starts from random weights."""
        if isinstance(self.start, AutoencoderRun):
            return self.start
        return self.start.autoencoder if isinstance(self.start, Frozen) else None

    @property
    def n(self) -> int:
        return self.start.n

    def network(self, encoder: Encoder | None = None) -> Classifier:
        """The untrained network, or the untrained rest on a trained `encoder` (not copied)."""
        mirrors = isinstance(self.start, Revised) and self.start.mirrored
        kind = MirroringClassifier if mirrors else Classifier
        if encoder is None:
            encoder = cast(Encoder, self.start.encoder())
        return kind(encoder, self.dropout, self.output_relu, self.leak, self.bias)


Run = AutoencoderRun | ClassifierRun


def with_starts(runs: Iterable[Run]) -> list[Run]:
    """`runs` without repeats, each classifier after the autoencoder it starts from."""
    return list(dict.fromkeys(one for run in runs for one in (run.autoencoder, run) if one is not None))


def described(run: Any) -> dict[str, Any]:
    """A run as JSON: all its fields, and the types of the run and its start."""
    values = {item.name: getattr(run, item.name) for item in fields(run)}
    return {"type": type(run).__name__} | {
        name: described(value) if is_dataclass(value) else value for name, value in values.items()
    }


def repeated(seeds: Iterable[int], autoencoder: dict | None = None, **classifier) -> list[ClassifierRun]:
    """One classifier per seed, each on an autoencoder trained with the same seed.

    `autoencoder` and `classifier`: the fields that differ from the paper.
    """
    return [
        ClassifierRun(AutoencoderRun(seed=seed, **(autoencoder or {})), seed=seed, **classifier)
        for seed in seeds
    ]


# The raw scores of the last layer.
PLAIN: dict[str, Any] = {"dropout": 0.0, "output_relu": False}
# The paper's classifiers, ten for each of its N, each on an autoencoder of its own.
BASE = {n: repeated(range(10), {"n": n}) for n in paper.ACCURACY}
# Those that stand for the paper's: the first of each N that keeps every class (Fig. 7) on the validation
# images. Chapter 6 shows the others.
CHOSEN = {n: BASE[n][seed] for n, seed in {64: 4, 128: 0, 256: 0}.items()}
