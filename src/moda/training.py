"""Training of both networks (paper, section III).

The paper names epochs and dropout only. Optimiser (Adam), learning rate, batch size, split and the
fine-tuning of the encoder in the classifier are this project's choices.
"""

from collections.abc import Callable
from contextlib import contextmanager
from copy import deepcopy

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from moda.data import FashionMNIST, Images
from moda.evaluation import autoencoder_metrics, classifier_metrics
from moda.fast import accelerate
from moda.models import Autoencoder, Classifier
from moda.parameters import AutoencoderRun, ClassifierRun

# The training set's own loss is measured on as many images as the validation set has.
EVALUATED = 10_000


def train_autoencoder(
    run: AutoencoderRun, data: FashionMNIST, device: torch.device
) -> tuple[Autoencoder, pd.DataFrame]:
    """The trained autoencoder (on the CPU) and its history; the loss is the ECM (Eq. 1).

    The history has one row per epoch, counted from 1: `running_loss` is the mean over the epoch's
    batches with dropout on; `train_loss` and `validation_loss` are measured after the epoch with
    dropout off, on EVALUATED training images and on the 10000 validation images.
    """
    with _seeded(run.seed):
        model = Autoencoder(run.n, run.dropout)
        history = _fit(model, _reconstruction_loss, autoencoder_metrics, run, data, device)
    return model, history


def train_classifier(
    run: ClassifierRun, autoencoder: Autoencoder, data: FashionMNIST, device: torch.device
) -> tuple[Classifier, pd.DataFrame]:
    """The trained classifier (on the CPU) and its history; the loss is the cross entropy (Eq. 2).

    It starts from a copy of the autoencoder's encoder and goes on training it. The history is that
    of train_autoencoder with `train_accuracy` and `validation_accuracy` (Eq. 3) besides.
    """
    with _seeded(run.seed):
        model = Classifier(deepcopy(autoencoder.encoder), run.dropout)
        history = _fit(model, _classification_loss, classifier_metrics, run, data, device)
    return model, history


def _reconstruction_loss(model: nn.Module, batch: Images) -> Tensor:
    x = batch.pixels
    return F.mse_loss(model(x), x)


def _classification_loss(model: nn.Module, batch: Images) -> Tensor:
    return F.cross_entropy(model(batch.pixels), batch.labels)


@contextmanager
def _seeded(seed: int):
    """Every random number inside comes from `seed`; those outside are as if nothing had happened."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def _fit(
    model: nn.Module,
    loss: Callable[[nn.Module, Images], Tensor],
    metrics: Callable[[nn.Module, Images], dict[str, float]],
    run: AutoencoderRun | ClassifierRun,
    data: FashionMNIST,
    device: torch.device,
) -> pd.DataFrame:
    model.to(device)
    learner = model
    if device.type == "cpu":
        torch.set_flush_denormal(True)
        learner = accelerate(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=run.learning_rate, fused=device.type != "mps")
    train = data.train[: run.train_size].to(device)
    measured = {"train": train[:EVALUATED], "validation": data.validation.to(device)}
    history = []
    for epoch in tqdm(range(1, run.epochs + 1), desc=type(model).__name__, unit="epoch", disable=None):
        row = {"epoch": epoch, "running_loss": _train_epoch(learner, loss, optimizer, train, run.batch_size)}
        for part, images in measured.items():
            row |= {f"{part}_{name}": value for name, value in metrics(learner, images).items()}
        history.append(row)
    model.cpu()
    return pd.DataFrame(history).set_index("epoch")


def _train_epoch(
    learner: nn.Module,
    loss: Callable[[nn.Module, Images], Tensor],
    optimizer: torch.optim.Optimizer,
    train: Images,
    batch_size: int,
) -> float:
    """One pass over `train` in random order; its mean loss. A GPU is waited for only at the end."""
    learner.train()
    total = torch.zeros((), device=train.images.device)
    # The order comes from the CPU's generator, so that it is the same on every device.
    for index in torch.randperm(len(train)).to(total.device).split(batch_size):
        batch = train[index]
        batch_loss = loss(learner, batch)
        optimizer.zero_grad()
        batch_loss.backward()
        optimizer.step()
        total += batch_loss.detach() * len(batch)
    return total.item() / len(train)
