"""The classifier that chapter 13 compares with the paper's.

The docstrings are in Spanish, as the book's appendix shows these classes.
"""

import torch
from torch import Tensor, nn

from moda.networks import Classifier


class RevisedEncoder(nn.Sequential):
    """De imágenes (M, 1, 28, 28) a códigos (M, n).

    Tres convoluciones, que usan todos los píxeles.
    """

    def __init__(self, n: int, dropout: float, normalised: bool = True):
        def convolution(inputs: int, outputs: int, *pooling: nn.Module):
            return (
                nn.Conv2d(inputs, outputs, 3),
                *([nn.BatchNorm2d(outputs)] if normalised else []),
                nn.ReLU(),
                *pooling,
                nn.Dropout(dropout),
            )

        super().__init__(
            *convolution(1, 32, nn.MaxPool2d(2)),  # 32 x 13 x 13
            *convolution(32, 48, nn.MaxPool2d(3, stride=2)),  # 48 x 5 x 5
            *convolution(48, 48),  # 48 x 3 x 3
            nn.Flatten(),
            nn.Linear(48 * 3 * 3, n),
            nn.ReLU(),
        )
        self.n = n


class MirroringClassifier(Classifier):
    """Refleja al azar las imágenes al entrenar.

    Al evaluar promedia los puntajes de la imagen y de su reflejo.
    """

    def forward(self, x: Tensor) -> Tensor:
        mirrored = x.flip(3)
        if self.training:
            chance = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
            return super().forward(torch.where(chance, mirrored, x))
        return (super().forward(x) + super().forward(mirrored)) / 2
