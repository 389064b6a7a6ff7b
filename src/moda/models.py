"""The paper's two networks, layer by layer (section II, appendix A), and the classifier of chapter 13."""

import torch
from torch import Tensor, nn

from moda.parameters import ClassifierRun, Run


class Encoder(nn.Sequential):
    """Images (M, 1, 28, 28) to codes (M, n): half of the autoencoder, and the classifier's first part.

    With `all_pixels` the second pooling takes windows of three, and leaves nothing out.
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
            # 32 x 5 x 5: windows of two leave out the eleventh row and column
            nn.MaxPool2d(3 if all_pixels else 2, stride=2),
            nn.Flatten(),
            nn.Linear(32 * 5 * 5, n),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.n = n


class Decoder(nn.Sequential):
    """Codes (M, n) back to images (M, 1, 28, 28) with values in [0, 1].

    With `all_pixels` larger kernels reach the last rows and columns, in place of output_padding, which
    fills them with the bias. `output_dropout`: whether the image itself passes through dropout.
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
            nn.Dropout(dropout if output_dropout else 0.0),  # on the output itself, as the paper has it
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

    As in the paper, the scores too pass through ReLU (unless `output_relu` is false) and dropout. The
    appendix writes Linear(64, 10); here the layer takes as many inputs as the encoder has outputs.
    """

    def __init__(self, encoder: "Encoder | RevisedEncoder", dropout: float = 0.2, output_relu: bool = True):
        super().__init__()
        self.encoder = encoder
        relu = [nn.ReLU()] if output_relu else []
        self.head = nn.Sequential(nn.Linear(encoder.n, 10), *relu, nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))


class RevisedEncoder(nn.Sequential):
    """Images (M, 1, 28, 28) to codes (M, n): three convolutions, batch normalisation, no pixel left out."""

    def __init__(self, n: int, dropout: float):
        def convolution(inputs: int, outputs: int, *pooling: nn.Module) -> list[nn.Module]:
            layer, normalisation = nn.Conv2d(inputs, outputs, 3), nn.BatchNorm2d(outputs)
            return [layer, normalisation, nn.ReLU(), *pooling, nn.Dropout(dropout)]

        super().__init__(
            *convolution(1, 32, nn.MaxPool2d(2)),  # 32 x 13 x 13
            *convolution(32, 48, nn.MaxPool2d(3, stride=2)),  # 48 x 5 x 5
            *convolution(48, 48),  # 48 x 3 x 3
            nn.Flatten(),
            nn.Linear(48 * 3 * 3, n),
            nn.ReLU(),
        )
        self.n = n


class RevisedClassifier(Classifier):
    """In training sees each image as it is or mirrored, by chance; later takes the mean of both scores."""

    def forward(self, x: Tensor) -> Tensor:
        mirrored = x.flip(3)
        if self.training:
            chance = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
            return super().forward(torch.where(chance, mirrored, x))
        return (super().forward(x) + super().forward(mirrored)) / 2


def untrained(run: Run) -> Autoencoder | Classifier:
    """The network that `run` describes, as it is initialised."""
    if isinstance(run, ClassifierRun):
        of = run.autoencoder
        if run.revised:
            return classifier(RevisedEncoder(of.n, of.dropout), run)
        return classifier(Encoder(of.n, of.dropout, of.all_pixels), run)
    return Autoencoder(run.n, run.dropout, run.output_dropout, run.all_pixels)


def classifier(encoder: Encoder | RevisedEncoder, run: ClassifierRun) -> Classifier:
    """The classifier that `run` describes on this encoder (not copied), its last layer untrained."""
    kind = RevisedClassifier if run.revised else Classifier
    return kind(encoder, run.dropout, run.output_relu)


@torch.no_grad()
def trace(model: Autoencoder | Classifier) -> list[tuple[str, nn.Module, tuple[int, ...]]]:
    """Of every layer in order: its part's name, the layer, and the shape it gives for one image."""
    x = torch.zeros(1, 1, 28, 28)
    layers = []
    for part, sequence in model.named_children():
        for layer in sequence.children():
            x = layer(x)
            layers.append((part, layer, tuple(x.shape[1:])))
    return layers
