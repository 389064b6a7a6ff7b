"""Contender (a): training as PyTorch's tutorials do it.

torchvision's data set with ToTensor in a DataLoader, the paper's modules as they stand, Adam as it
comes, PyTorch's own number of threads.
"""

import itertools
import shutil
import tempfile
from pathlib import Path

import torch
from contender import arguments, serve
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
        self.loader = DataLoader(training_set(images), batch_size=64, shuffle=True)
        self.autoencodes = model == "autoencoder"
        self.model = Autoencoder() if self.autoencodes else Classifier(Autoencoder().encoder)
        self.model.to(device)
        self.loss = nn.MSELoss() if self.autoencodes else nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)

    def epoch(self, batches: int | None = None) -> None:
        self.model.train()
        for x, labels in itertools.islice(self.loader, batches):
            x, labels = x.to(self.device), labels.to(self.device)
            self.optimizer.zero_grad()
            loss = self.loss(self.model(x), x if self.autoencodes else labels)
            loss.backward()
            self.optimizer.step()
        loss.item()  # waits for a GPU


if __name__ == "__main__":
    given = arguments()
    plain = Plain(given.model, data.TRAIN_SIZE, given.device)
    serve(lambda: plain.epoch(given.images // 64))
