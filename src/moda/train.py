"""Training of both networks (paper, section III).

The paper specifies only epochs and dropout. Optimiser (Adam), learning rate and batch size are those of the
course assignment behind it; the split and the fine-tuning of the encoder are this project's choices.
"""

import math
from collections.abc import Callable
from contextlib import contextmanager
from copy import deepcopy
from time import perf_counter
from typing import NamedTuple

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moda.arithmetic import one_thread
from moda.checkpoint import Checkpoint
from moda.cuda_graph import Recorded
from moda.data import FashionMNIST, Images
from moda.errors import ModaError
from moda.evaluation import autoencoder_metrics, classifier_metrics
from moda.experiments import AutoencoderRun, ClassifierRun, Frozen
from moda.halves import Halves
from moda.networks import Autoencoder, Classifier

# The training loss is measured on as many images as the validation set has.
EVALUATED = 10_000


class DivergenceError(ModaError, RuntimeError):
    """A loss is infinite or NaN; the message (Spanish) says in which run, and when."""


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
    with _seeded(run.seed):
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
    with _seeded(run.seed):
        model = run.network(deepcopy(autoencoder.encoder) if autoencoder else None)
        model.encoder.requires_grad_(not isinstance(run.start, Frozen))
        learner = Learner(model, classification_loss, run, device)
        return _fit(learner, classifier_metrics, run, data, checkpoint)


def reconstruction_loss(model: nn.Module, batch: Images) -> Tensor:
    x = batch.pixels
    return F.mse_loss(model(x), x)


def classification_loss(model: nn.Module, batch: Images) -> Tensor:
    return F.cross_entropy(model(batch.pixels), batch.labels)


@contextmanager
def _seeded(seed: int):
    """Draw every random number inside from `seed`, leaving those outside unaffected."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


class Learner:
    """A network with its optimiser on a device; `network` computes the same as `model`, faster."""

    def __init__(
        self,
        model: Autoencoder | Classifier,
        loss: Callable[[nn.Module, Images], Tensor],
        run: AutoencoderRun | ClassifierRun,
        device: torch.device,
    ):
        self.model = model.to(device)
        self.network: nn.Module = self.model
        self.loss, self.batch_size, self.device = loss, run.batch_size, device
        self.total = torch.zeros((), device=device)
        self.halves = Halves(self.model, loss, run.batch_size) if device.type == "cpu" else None
        if self.halves:
            self.network = self.halves.network
            parameters = [self.halves.flat]
        else:
            parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = _optimizer(run, parameters, device)
        self._do = Recorded(self._step, self.batch_size, device) if device.type == "cuda" else self._step

    def epoch(self, train: Images) -> float:
        """Mean loss of one pass over `train` in random order; waits for a GPU only at the end."""
        self.total.zero_()
        # The CPU's generator gives the same order on every device.
        batches = torch.randperm(len(train)).to(self.device).split(self.batch_size)
        self.threads = torch.get_num_threads()
        with one_thread():
            if self.halves:
                self.halves.start_epoch()
            else:
                self.network.train()
            for index in batches:
                self._do(train, index)
        return self.total.item() / len(train)

    def _step(self, train: Images, index: Tensor) -> None:
        if self.halves:
            loss = self.halves.gradient(train, index, self.threads)
        else:
            self.optimizer.zero_grad()  # to None: a CUDA graph allocates its own
            loss = self.loss(self.network, train[index])
            loss.backward()
        self.optimizer.step()
        self.total += loss.detach() * len(index)

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
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        if state["device_random"] is not None:
            _device_random(self.device).set_rng_state(state["device_random"])


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


def _fit(
    learner: Learner,
    metrics: Callable[[nn.Module, Images], dict],
    run: AutoencoderRun | ClassifierRun,
    data: FashionMNIST,
    checkpoint: Checkpoint | None,
) -> Training:
    train = data.train[run.images].to(learner.device)
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
            found = metrics(learner.network, images)
            dead = found.pop("dead_classes", None)
            row |= {f"{part}_{name}": value for name, value in found.items()}
        if wrong := [name for name, value in row.items() if not math.isfinite(value)]:
            raise DivergenceError(
                f"El entrenamiento de {run} no puede seguir: en la época {epoch}, {', '.join(wrong)} no es "
                "un número finito. Pruebe con una tasa de aprendizaje («learning_rate») menor."
            )
        if dead is not None:
            row["dead_classes"] = dead  # of the validation images, measured last
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
