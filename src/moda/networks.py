"""The paper's two networks, layer by layer (section II, appendix A)."""

import torch
from torch import Tensor, nn


class Encoder(nn.Sequential):
    """Images (M, 1, 28, 28) to codes (M, n): half of the autoencoder, and the classifier's first part.

    With `all_pixels` the second pooling has windows of three, and skips nothing.
    """

    def __init__(self, n: int = 64, dropout: float = 0.2, all_pixels: bool = False):
        super().__init__(
            nn.Conv2d(1, 16, kernel_size=3),  # 16 x 26 x 26
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.MaxPool2d(2),  # 16 x 13 x 13
            nn.Conv2d(16, 32, kernel_size=3),  # 32 x 11 x 11
            nn.ReLU(),
            nn.Dropout(dropout),
            # 32 x 5 x 5: windows of two skip the eleventh row and column
            nn.MaxPool2d(3 if all_pixels else 2, stride=2),
            nn.Flatten(),
            nn.Linear(32 * 5 * 5, n),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.n = n


class Decoder(nn.Sequential):
    """Codes (M, n) back to images (M, 1, 28, 28) with values in [0, 1].

    With `all_pixels` larger kernels reach the last rows and columns, instead of output_padding, which
    leaves only the bias in them. `output_dropout`: whether the image itself passes through dropout.
    """

    def __init__(
        self, n: int = 64, dropout: float = 0.2, output_dropout: bool = True, all_pixels: bool = False
    ):
        padding = 0 if all_pixels else 1
        super().__init__(
            nn.Linear(n, 32 * 5 * 5),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Unflatten(1, (32, 5, 5)),
            nn.ConvTranspose2d(32, 16, 5 - padding, stride=2, output_padding=padding),  # 16 x 13 x 13
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.ConvTranspose2d(16, 1, 4 - padding, stride=2, output_padding=padding),  # 1 x 28 x 28
            nn.Sigmoid(),
            nn.Dropout(dropout if output_dropout else 0.0),  # on the output itself, as in the paper
        )


class Autoencoder(nn.Module):
    """Fig. 2 and appendix A1: `encoder` to `n` neurons and `decoder` back to the image."""

    def __init__(
        self, n: int = 64, dropout: float = 0.2, output_dropout: bool = True, all_pixels: bool = False
    ):
        super().__init__()
        self.encoder = Encoder(n, dropout, all_pixels)
        self.decoder = Decoder(n, dropout, output_dropout, all_pixels)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class Classifier(nn.Module):
    """Appendix A2: `encoder` (not copied) and one linear layer to the scores (M, 10) of the classes.

    As in the paper, the scores also pass through ReLU (unless `output_relu` is false) and dropout. The
    appendix has Linear(64, 10); here the layer has as many inputs as the encoder has outputs. For chapter
    7, `leak` is the slope of that ReLU below 0, and `bias` is added to the initial biases.
    """

    def __init__(
        self,
        encoder: Encoder,
        dropout: float = 0.2,
        output_relu: bool = True,
        leak: float = 0.0,
        bias: float = 0.0,
    ):
        super().__init__()
        self.encoder = encoder
        scores = nn.Linear(encoder.n, 10)
        scores.bias.data += bias
        relu = [nn.LeakyReLU(leak) if leak else nn.ReLU()] if output_relu else []
        self.head = nn.Sequential(scores, *relu, nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))


@torch.no_grad()
def trace(model: Autoencoder | Classifier) -> list[tuple[str, nn.Module, tuple[int, ...]]]:
    """Each layer in order: the name of its part, the layer, and its output shape for one image."""
    x = torch.zeros(1, 1, 28, 28)
    layers = []
    for part, sequence in model.named_children():
        for layer in sequence.children():
            x = layer(x)
            layers.append((part, layer, tuple(x.shape[1:])))
    return layers
