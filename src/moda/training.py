"""Training of both networks (paper, section III).

The paper names epochs and dropout only. Optimiser (Adam), learning rate, batch size, split and the
fine-tuning of the encoder in the classifier are this project's choices.
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

from moda.checkpoint import Checkpoint
from moda.data import FashionMNIST, Images
from moda.errors import ModaError
from moda.evaluation import autoencoder_metrics, classifier_metrics
from moda.fast import accelerate, flatten
from moda.models import Autoencoder, Classifier, classifier, untrained
from moda.parameters import AutoencoderRun, ClassifierRun, origin

# The training set's own loss is measured on as many images as the validation set has.
EVALUATED = 10_000


class DivergenceError(ModaError, RuntimeError):
    """A loss is infinite or not a number any more; the message (Spanish) says of which run, and when."""


class Training(NamedTuple):
    """`model`: the trained network, on the CPU. `seconds`: how long it took, interruptions left out.

    `history` has one row per epoch, counted from 1: `running_loss` is the mean over the epoch's
    batches with dropout on; `train_loss` and `validation_loss` are measured after the epoch with
    dropout off, on EVALUATED training images and on the 10000 validation images. For the classifier
    it has `train_accuracy` and `validation_accuracy` (Eq. 3) besides.
    """

    model: Autoencoder | Classifier
    history: pd.DataFrame
    seconds: float


def train_autoencoder(
    run: AutoencoderRun, data: FashionMNIST, device: torch.device, checkpoint: Checkpoint | None = None
) -> Training:
    """Trains an autoencoder from its initialisation; the loss is the ECM (Eq. 1).

    After every epoch the state goes to `checkpoint`; what is there already is not done again.
    """
    with _seeded(run.seed):
        learner = Learner(untrained(run), reconstruction_loss, run, device)
        return _fit(learner, autoencoder_metrics, run, data, checkpoint)


def train_classifier(
    run: ClassifierRun,
    autoencoder: Autoencoder | None,
    data: FashionMNIST,
    device: torch.device,
    checkpoint: Checkpoint | None = None,
) -> Training:
    """Trains a classifier on a copy of the autoencoder's encoder, which it goes on training.

    A run without an origin starts from a random encoder, and takes no autoencoder; in one that is
    `frozen` only the last layer learns. The loss is the cross entropy (Eq. 2). `checkpoint` is as in
    train_autoencoder.
    """
    if (autoencoder is None) != (origin(run) is None):
        raise ValueError("a run that starts from an autoencoder needs it, and another one takes none")
    with _seeded(run.seed):
        model = classifier(deepcopy(autoencoder.encoder), run) if autoencoder else untrained(run)
        model.encoder.requires_grad_(not run.frozen)
        learner = Learner(model, classification_loss, run, device)
        return _fit(learner, classifier_metrics, run, data, checkpoint)


def reconstruction_loss(model: nn.Module, batch: Images) -> Tensor:
    x = batch.pixels
    return F.mse_loss(model(x), x)


def classification_loss(model: nn.Module, batch: Images) -> Tensor:
    return F.cross_entropy(model(batch.pixels), batch.labels)


@contextmanager
def _seeded(seed: int):
    """Every random number inside comes from `seed`; those outside are as if nothing had happened."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


class Learner:
    """A network with its optimiser on a device; `network` computes the same as `model`, quicker."""

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
        if device.type == "cpu":
            torch.set_flush_denormal(True)
            self.network = accelerate(model)
            parameters = [flatten(model)]
        else:
            parameters = [p for p in model.parameters() if p.requires_grad]
        cuda = device.type == "cuda"
        # A CUDA graph reads the learning rate from where it was when it was recorded.
        rate = torch.tensor(run.learning_rate, device=device) if cuda else run.learning_rate
        self.optimizer = torch.optim.Adam(parameters, lr=rate, fused=device.type != "mps", capturable=cuda)
        self._do = Recorded(self._step, self.batch_size, device) if cuda else self._step

    def epoch(self, train: Images) -> float:
        """One pass over `train` in random order; its mean loss. A GPU is waited for only at the end."""
        self.network.train()
        self.total.zero_()
        # The order comes from the CPU's generator, so that it is the same on every device.
        for index in torch.randperm(len(train)).to(self.device).split(self.batch_size):
            self._do(train, index)
        return self.total.item() / len(train)

    def _step(self, train: Images, index: Tensor) -> None:
        batch = train[index]
        # In place where there is one long gradient; into the graph's own memory on CUDA.
        self.optimizer.zero_grad(set_to_none=self.device.type != "cpu")
        loss = self.loss(self.network, batch)
        loss.backward()
        self.optimizer.step()
        self.total += loss.detach() * len(batch)

    def set_learning_rate(self, rate: float) -> None:
        group = self.optimizer.param_groups[0]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate

    def state(self) -> dict:
        """All that the coming epochs depend on."""
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


def _device_random(device: torch.device):
    """The module that has the random state of a device: torch.cuda or torch.mps."""
    return getattr(torch, device.type)


class Recorded:
    """`step(train, index)` as a CUDA graph, so that its many small kernels start at once.

    The first steps are done one by one, on a stream of their own, as PyTorch asks for before a
    recording; so are those of another size, such as an epoch's last.
    """

    WARM_UP = 3

    def __init__(self, step: Callable[[Images, Tensor], None], size: int, device: torch.device):
        self.step, self.index = step, torch.zeros(size, dtype=torch.int64, device=device)
        self.calls = 0
        self.train: Images | None = None
        self.replay: Callable[[], None] = lambda: None

    def __call__(self, train: Images, index: Tensor) -> None:
        if len(index) != len(self.index):
            self.step(train, index)
        elif self.calls < self.WARM_UP:
            self.calls += 1
            self._aside(lambda: self.step(train, index))
        else:
            if self.train is not train:  # a recording reads the tensors that it was made with
                self.train, self.replay = train, self._record(lambda: self.step(train, self.index))
            self.index.copy_(index)
            self.replay()

    @staticmethod
    def _aside(step: Callable[[], None]) -> None:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            step()
        torch.cuda.current_stream().wait_stream(stream)

    @staticmethod
    def _record(step: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        return graph.replay


def _fit(
    learner: Learner,
    metrics: Callable[[nn.Module, Images], dict[str, float]],
    run: AutoencoderRun | ClassifierRun,
    data: FashionMNIST,
    checkpoint: Checkpoint | None,
) -> Training:
    train = data.train[: run.train_size].to(learner.device)
    measured = {"train": train[:EVALUATED], "validation": data.validation.to(learner.device)}
    history, seconds = [], 0.0
    if checkpoint and (state := checkpoint.load()):
        learner.resume(state)
        history, seconds = state["history"], state["seconds"]
    for epoch in range(len(history) + 1, run.epochs + 1):
        start = perf_counter()
        if run.decay:
            done = (epoch - 1) / run.epochs
            learner.set_learning_rate(run.learning_rate * (1 + math.cos(math.pi * done)) / 2)
        row = {"epoch": epoch, "running_loss": learner.epoch(train)}
        for part, images in measured.items():
            row |= {f"{part}_{name}": value for name, value in metrics(learner.network, images).items()}
        if wrong := [name for name, value in row.items() if not math.isfinite(value)]:
            raise DivergenceError(
                f"El entrenamiento de {run} no puede seguir: en la época {epoch}, {', '.join(wrong)} no es "
                "un número finito. Pruebe con una tasa de aprendizaje («learning_rate») menor."
            )
        history.append(row)
        seconds += perf_counter() - start
        if checkpoint:
            checkpoint.save({**learner.state(), "history": history, "seconds": seconds})
    return Training(learner.model.cpu(), pd.DataFrame(history).set_index("epoch"), seconds)
