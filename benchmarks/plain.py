"""Contender (a): training as PyTorch's tutorials do it.

torchvision's data set with ToTensor in a DataLoader, the paper's modules as they stand, Adam as it
comes, PyTorch's own number of threads.
"""

import itertools
import shutil
import tempfile
from pathlib import Path

import torch
from contender import BATCH_SIZE, arguments, measured, serve
from torch import nn
from torch.utils.data import DataLoader, Subset

from moda import data
from moda.networks import Autoencoder, Classifier


def training_set(size: int) -> Subset:
    torchvision = data.import_torchvision()
    from torchvision.transforms import ToTensor

    files = data.locate(None)
    with tempfile.TemporaryDirectory() as root:
        raw = Path(root) / "FashionMNIST" / "raw"
        raw.mkdir(parents=True)
        for name in data.FILES:
            shutil.copy(files / name, raw)
        images = torchvision.datasets.FashionMNIST(root, transform=ToTensor())
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(data.SPLIT_SEED))
    return Subset(images, order[:size].tolist())


class Plain:
    def __init__(self, model: str, images: int, device: str):
        self.device = device
        self.loader = DataLoader(training_set(images), batch_size=BATCH_SIZE, shuffle=True)
        self.held_out = DataLoader(training_set(images), batch_size=BATCH_SIZE)
        self.autoencodes = model == "autoencoder"
        self.model = Autoencoder() if self.autoencodes else Classifier(Autoencoder().encoder)
        self.model.to(device)
        self.loss = nn.MSELoss() if self.autoencodes else nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)

    def epoch(self, batches: int | None = None) -> None:
        self.model.train()
        for x, labels in itertools.islice(self.loader, batches):
            self.optimizer.zero_grad()
            loss = self.loss_of(x, labels)
            loss.backward()
            self.optimizer.step()
        loss.item()  # waits for a GPU

    @torch.no_grad()
    def measure(self, batches: int) -> float:
        self.model.eval()
        losses = [self.loss_of(x, labels) for x, labels in itertools.islice(self.held_out, batches)]
        return torch.stack(losses).mean().item()

    def loss_of(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        x, labels = x.to(self.device), labels.to(self.device)
        return self.loss(self.model(x), x if self.autoencodes else labels)


if __name__ == "__main__":
    given = arguments()
    plain = Plain(given.model, data.TRAIN_SIZE, given.device)

    def turn() -> None:
        plain.epoch(given.images // BATCH_SIZE)
        plain.measure(measured(given.images) // BATCH_SIZE)

    serve(turn)
