"""Training of both networks (paper, section III).

The paper specifies only epochs and dropout. Optimiser (Adam), learning rate and batch size are those of the
course assignment behind it; the split and the fine-tuning of the encoder are this project's choices.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from time import perf_counter
from typing import NamedTuple, Protocol

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moda.arithmetic import exact, instructions, one_thread, seeded, tiny_numbers_as_zero
from moda.configurations import AutoencoderRun, ClassifierRun, Frozen
from moda.data import FashionMNIST, Images
from moda.errors import ModaError
from moda.evaluation import autoencoder_metrics, classifier_metrics
from moda.networks import Autoencoder, Classifier
from moda.training import fast_layers
from moda.training.cuda_graph import Recorded
from moda.training.half_batches import HalfBatches

# How far a device's gradient may be from the CPU's (see check_device).
TOLERANCE = 2e-3
# The training loss is measured on as many images as the validation set has.
EVALUATED = 10_000


class DivergenceError(ModaError, RuntimeError):
    """A loss is infinite or NaN; the message (Spanish) says in which run, and when."""


class DeviceError(ModaError, RuntimeError):
    """A device does not compute what the CPU does; the message (Spanish) says which, and what to do."""


class Checkpoint(Protocol):
    """Where the state after an epoch is kept, from which training resumes (moda.runs.checkpoint)."""

    def load(self) -> dict | None: ...

    def save(self, state: dict) -> None: ...


class Training(NamedTuple):
    """`model`: the trained network, on the CPU. `seconds`: its duration, excluding interruptions.

    `history` has one row per epoch, counted from 1: `running_loss` is the mean over the epoch's
    batches with dropout on; `train_loss` and `validation_loss` are measured after the epoch with
    dropout off, on EVALUATED training images and on the 10000 validation images. The classifier's
    also has `train_accuracy` and `validation_accuracy` (Eq. 3), and `dead_classes` on the validation images
    (see moda.evaluation).
    """

    model: Autoencoder | Classifier
    history: pd.DataFrame
    seconds: float


def train_autoencoder(
    run: AutoencoderRun, data: FashionMNIST, device: torch.device, checkpoint: Checkpoint | None = None
) -> Training:
    """Train an autoencoder from initialisation; the loss is the ECM (Eq. 1).

    Every epoch ends by saving the state to `checkpoint`, from which training resumes.
    """
    with seeded(run.seed, device), exact(device):
        learner = Learner(run.network(), reconstruction_loss, run, device)
        return _fit(learner, autoencoder_metrics, run, data, checkpoint)


def train_classifier(
    run: ClassifierRun,
    autoencoder: Autoencoder | None,
    data: FashionMNIST,
    device: torch.device,
    checkpoint: Checkpoint | None = None,
) -> Training:
    """Train a classifier from its start; the loss is the cross entropy (Eq. 2).

    `autoencoder`: the trained network of `run.autoencoder`, if any, whose encoder is copied. `checkpoint`
    is as in train_autoencoder.
    """
    if (autoencoder is None) != (run.autoencoder is None):
        raise ValueError("a run that starts from an autoencoder needs it, and another one takes none")
    with seeded(run.seed, device), exact(device):
        model = run.network(deepcopy(autoencoder.encoder) if autoencoder else None)
        model.encoder.requires_grad_(not isinstance(run.start, Frozen))
        learner = Learner(model, classification_loss, run, device)
        return _fit(learner, classifier_metrics, run, data, checkpoint)


def reconstruction_loss(model: nn.Module, batch: Images) -> Tensor:
    x = batch.pixels
    return F.mse_loss(model(x), x)


def classification_loss(model: nn.Module, batch: Images) -> Tensor:
    return F.cross_entropy(model(batch.pixels), batch.labels)


def arithmetic_of(device: str) -> str:
    """How training computes on a device, for the record of a run: the same digits need the same."""
    if device == "cpu":
        return instructions() if fast_layers.usable() else f"plain {instructions()}"
    return "float32, deterministic" if device == "cuda" else "float32"


class Learner:
    """A network with its optimiser on a device; `network` computes the same as `model`, faster on a CPU."""

    def __init__(
        self,
        model: Autoencoder | Classifier,
        loss: Callable[[nn.Module, Images], Tensor],
        run: AutoencoderRun | ClassifierRun,
        device: torch.device,
    ):
        self.model, self.loss = model.to(device), loss
        self.batch_size, self.device = run.batch_size, device
        self.total = torch.zeros((), device=device)
        quick = device.type == "cpu" and fast_layers.usable()
        self.batch = (
            HalfBatches(self.model, loss, run.batch_size) if quick else WholeBatches(self.model, loss)
        )
        self.network = self.batch.network
        self.optimizer = _optimizer(run, self.batch.parameters, device)
        self.recorded = Recorded(self.batch_size, device) if device.type == "cuda" else None

    def epoch(self, train: Images) -> float:
        """Mean loss of one pass over `train` in random order; waits for a GPU only at the end."""
        self.total.zero_()
        # The CPU's generator gives the same order on every device.
        batches = torch.randperm(len(train)).to(self.device).split(self.batch_size)
        step = partial(self.recorded, self._step) if self.recorded else self._step
        threads = torch.get_num_threads()
        with one_thread(), tiny_numbers_as_zero(), self.batch.epoch(threads):
            for index in batches:
                step(train, index)
        return self.total.item() / len(train)

    def _step(self, train: Images, index: Tensor) -> None:
        loss = self.batch.gradient(train, index)
        self.optimizer.step()
        self.total += loss * len(index)

    def set_learning_rate(self, rate: float) -> None:
        group = self.optimizer.param_groups[0]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate

    def state(self) -> dict:
        """Everything that later epochs depend on."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "device_random": _device_random(self.device).get_rng_state()
            if self.device.type != "cpu"
            else None,
        }

    def resume(self, state: dict) -> None:
        self.model.load_state_dict(state["model"])
        rate = self.optimizer.param_groups[0]["lr"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.optimizer.param_groups[0]["lr"] = rate  # on the device; every epoch sets it
        torch.set_rng_state(state["random"])
        if state["device_random"] is not None:
            _device_random(self.device).set_rng_state(state["device_random"])


class WholeBatches:
    """A training step's gradient from the whole batch by PyTorch's own layers, on any device."""

    def __init__(self, model: nn.Module, loss: Callable[[nn.Module, Images], Tensor]):
        self.network, self.loss = model, loss
        self.parameters = [p for p in model.parameters() if p.requires_grad]

    @contextmanager
    def epoch(self, threads: int) -> Iterator[None]:
        """Training mode."""
        self.network.train()
        yield

    def gradient(self, train: Images, index: Tensor) -> Tensor:
        """The mean loss of the batch `train[index]`; its gradient goes to that of the parameters."""
        for parameter in self.parameters:
            parameter.grad = None  # a CUDA graph allocates its own
        loss = self.loss(self.network, train[index])
        loss.backward()
        return loss.detach()


def _optimizer(
    run: AutoencoderRun | ClassifierRun, parameters: list[nn.Parameter], device: torch.device
) -> torch.optim.Optimizer:
    cuda = device.type == "cuda"
    # A tensor, because a CUDA graph would freeze a number.
    rate = torch.tensor(run.learning_rate, device=device) if cuda else run.learning_rate
    if run.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=rate, fused=device.type != "mps", capturable=cuda)
    momentum = 0.9 if run.optimizer == "momentum" else 0.0
    return torch.optim.SGD(parameters, lr=rate, momentum=momentum, fused=device.type != "mps")


def _device_random(device: torch.device):
    """The module with the random state of a device: torch.cuda or torch.mps."""
    return getattr(torch, device.type)


def check_device(learner: Learner, train: Images) -> None:
    """DeviceError unless the device gives the loss and the gradient that the CPU gives.

    Of one of the first three batches of images, without dropout; each tensor may be off by TOLERANCE of its
    norm. In single precision it is by about a millionth, and in one batch of some hundred by more, where a
    rounding decides whether a score is above 0.
    """
    off = [_distance(learner, train[start : start + 100]) for start in range(0, min(len(train), 300), 100)]
    if not any(distance <= TOLERANCE for distance in off):  # nor is one that is not a number
        raise DeviceError(
            f"El dispositivo «{learner.device.type}» no da el gradiente que da la CPU: se aparta en "
            f"{off[0]:.1e} de su norma. Entrene en la CPU: con papermill, -p device cpu; con make reproduce, "
            "DEVICE=cpu."
        )


def _distance(learner: Learner, images: Images) -> float:
    """How far the device's loss and gradient are from the CPU's, as a part of the norm of each tensor."""
    results = []
    for device in (torch.device("cpu"), learner.device):
        network = deepcopy(learner.model).to(device).eval()
        loss = learner.loss(network, images.to(device))
        loss.backward()
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        results.append([value.detach().cpu() for value in (loss, *gradients)])
    parts = [
        # A tensor of zeros, as of a class without a score, is met by zeros alone.
        (actual - expected).norm() / expected.norm().clamp(min=1e-30)
        for expected, actual in zip(*results, strict=True)
    ]
    return torch.stack(parts).max().item()


def _fit(
    learner: Learner,
    metrics: Callable[[nn.Module, Images], dict],
    run: AutoencoderRun | ClassifierRun,
    data: FashionMNIST,
    checkpoint: Checkpoint | None,
) -> Training:
    train = data.train[run.images].to(learner.device)
    if learner.device.type != "cpu":
        check_device(learner, train)
    measured = {"train": train[:EVALUATED], "validation": data.validation.to(learner.device)}
    history, seconds = [], 0.0
    if checkpoint and (state := checkpoint.load()):
        learner.resume(state)
        history, seconds = state["history"], state["seconds"]
    for epoch in range(len(history) + 1, run.epochs + 1):
        start = perf_counter()
        learner.set_learning_rate(_learning_rate(run, epoch))
        row = {"epoch": epoch, "running_loss": learner.epoch(train)}
        for part, images in measured.items():
            row |= {f"{part}_{name}": value for name, value in metrics(learner.network, images).items()}
        # Of a classifier; no number, and of the training images no matter.
        row.pop("train_dead_classes", None)
        dead = row.pop("validation_dead_classes", None)
        if wrong := [name for name, value in row.items() if not math.isfinite(value)]:
            raise DivergenceError(
                f"El entrenamiento de {run} no puede seguir: en la época {epoch}, {', '.join(wrong)} no es "
                "un número finito. Pruebe con una tasa de aprendizaje («learning_rate») menor."
            )
        if dead is not None:
            row["dead_classes"] = dead
        history.append(row)
        seconds += perf_counter() - start
        if checkpoint:
            checkpoint.save({**learner.state(), "history": history, "seconds": seconds})
    return Training(learner.model.cpu(), pd.DataFrame(history).set_index("epoch"), seconds)


def _learning_rate(run: AutoencoderRun | ClassifierRun, epoch: int) -> float:
    """That of an epoch, counted from 1."""
    rate = run.learning_rate
    if isinstance(run, ClassifierRun):
        if run.decay:
            rate *= (1 + math.cos(math.pi * (epoch - 1) / run.epochs)) / 2
        if epoch <= run.warm_up:
            rate *= epoch / (run.warm_up + 1)
    return rate
