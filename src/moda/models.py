"""The paper's two networks, layer by layer (section II, appendix A)."""

import torch
from torch import Tensor, nn


class Encoder(nn.Sequential):
    """Images (M, 1, 28, 28) to codes (M, n): half of the autoencoder, and the classifier's first part."""

    def __init__(self, n: int = 64, dropout: float = 0.2):
        super().__init__(
            nn.Conv2d(1, 16, kernel_size=3),  # 16 x 26 x 26
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.MaxPool2d(2),  # 16 x 13 x 13
            nn.Conv2d(16, 32, kernel_size=3),  # 32 x 11 x 11
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.MaxPool2d(2),  # 32 x 5 x 5: the eleventh row and column are left out
            nn.Flatten(),
            nn.Linear(32 * 5 * 5, n),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.n = n


class Decoder(nn.Sequential):
    """Codes (M, n) back to images (M, 1, 28, 28) with values in [0, 1]."""

    def __init__(self, n: int = 64, dropout: float = 0.2):
        super().__init__(
            nn.Linear(n, 32 * 5 * 5),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Unflatten(1, (32, 5, 5)),
            nn.ConvTranspose2d(32, 16, kernel_size=4, stride=2, output_padding=1),  # 16 x 13 x 13
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.ConvTranspose2d(16, 1, kernel_size=3, stride=2, output_padding=1),  # 1 x 28 x 28
            nn.Sigmoid(),
            nn.Dropout(dropout),  # on the output itself, as the paper has it
        )


class Autoencoder(nn.Module):
    """Fig. 2 and appendix A1: `encoder` to `n` neurons and `decoder` back to the image."""

    def __init__(self, n: int = 64, dropout: float = 0.2):
        super().__init__()
        self.encoder = Encoder(n, dropout)
        self.decoder = Decoder(n, dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class Classifier(nn.Module):
    """Appendix A2: `encoder` (not copied) and one linear layer to the scores (M, 10) of the classes.

    As in the paper, the scores too pass through ReLU and dropout. The appendix writes
    Linear(64, 10); here the layer takes as many inputs as the encoder has outputs.
    """

    def __init__(self, encoder: Encoder, dropout: float = 0.2):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(nn.Linear(encoder.n, 10), nn.ReLU(), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))


@torch.no_grad()
def trace(model: Autoencoder | Classifier) -> list[tuple[str, nn.Module, tuple[int, ...]]]:
    """Of every layer in order: its part's name, the layer, and the shape it gives for one image."""
    x = torch.zeros(1, 1, 28, 28)
    layers = []
    for part, sequence in model.named_children():
        for layer in sequence:
            x = layer(x)
            layers.append((part, layer, tuple(x.shape[1:])))
    return layers
