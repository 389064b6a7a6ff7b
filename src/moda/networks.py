"""The paper's two networks, layer by layer (section II, appendix A), and chapter 13's.

Classes whose code the book's appendix shows have their docstrings in Spanish.
"""

import torch
from torch import Tensor, nn


class Encoder(nn.Sequential):
    """De imágenes (M, 1, 28, 28) a códigos (M, n).

    Es la mitad del autoencoder y el comienzo del clasificador. Con
    `all_pixels` el segundo max pooling toma ventanas de tres y no deja nada
    afuera.
    """

    def __init__(
        self,
        n: int = 64,
        dropout: float = 0.2,
        all_pixels: bool = False,
    ):
        super().__init__(
            nn.Conv2d(1, 16, kernel_size=3),  # 16 x 26 x 26
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.MaxPool2d(2),  # 16 x 13 x 13
            nn.Conv2d(16, 32, kernel_size=3),  # 32 x 11 x 11
            nn.ReLU(),
            nn.Dropout(dropout),
            # 32 x 5 x 5: las ventanas de dos dejan afuera la undécima fila y
            # la undécima columna
            nn.MaxPool2d(3 if all_pixels else 2, stride=2),
            nn.Flatten(),
            nn.Linear(32 * 5 * 5, n),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.n = n


class Decoder(nn.Sequential):
    """De códigos (M, n) a imágenes (M, 1, 28, 28) con valores entre 0 y 1.

    Con `all_pixels` hay núcleos más grandes, que llegan a las últimas filas y
    columnas, en lugar de output_padding, que deja en ellas solo el sesgo.
    `output_dropout`: si la imagen misma pasa por dropout.
    """

    def __init__(
        self,
        n: int = 64,
        dropout: float = 0.2,
        output_dropout: bool = True,
        all_pixels: bool = False,
    ):
        extra = 0 if all_pixels else 1
        super().__init__(
            nn.Linear(n, 32 * 5 * 5),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Unflatten(1, (32, 5, 5)),
            # 16 x 13 x 13
            nn.ConvTranspose2d(32, 16, 5 - extra, 2, output_padding=extra),
            nn.ReLU(),
            nn.Dropout(dropout),
            # 1 x 28 x 28
            nn.ConvTranspose2d(16, 1, 4 - extra, 2, output_padding=extra),
            nn.Sigmoid(),
            # sobre la salida, como en el artículo
            nn.Dropout(dropout if output_dropout else 0.0),
        )


class Autoencoder(nn.Module):
    """Figura 2 y apéndice A1.

    `encoder` lleva a `n` neuronas y `decoder` vuelve a la imagen.
    """

    def __init__(
        self,
        n: int = 64,
        dropout: float = 0.2,
        output_dropout: bool = True,
        all_pixels: bool = False,
    ):
        super().__init__()
        self.encoder = Encoder(n, dropout, all_pixels)
        self.decoder = Decoder(n, dropout, output_dropout, all_pixels)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class Classifier(nn.Module):
    """Apéndice A2: `encoder`, sin copiarlo, y los puntajes (M, 10).

    Como en el artículo, los puntajes pasan también por ReLU (salvo si
    `output_relu` es falso) y dropout. Para el capítulo 7, `leak` es la
    pendiente de esa ReLU bajo 0, y `bias` se suma a los sesgos iniciales.
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
        activation = nn.LeakyReLU(leak) if leak else nn.ReLU()
        relu = [activation] if output_relu else []
        self.head = nn.Sequential(scores, *relu, nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))


class RevisedEncoder(nn.Sequential):
    """De imágenes (M, 1, 28, 28) a códigos (M, n).

    Usa todos los píxeles. Tiene tres convoluciones o, si `compact` es
    falso, las dos del artículo.
    """

    def __init__(
        self,
        n: int,
        dropout: float,
        normalised: bool = True,
        compact: bool = True,
    ):
        def convolution(inputs: int, outputs: int, *pooling: nn.Module):
            return (
                nn.Conv2d(inputs, outputs, 3),
                *([nn.BatchNorm2d(outputs)] if normalised else []),
                nn.ReLU(),
                *pooling,
                nn.Dropout(dropout),
            )

        first, second, last = (32, 48, 48 * 3 * 3) if compact else (16, 32, 32 * 5 * 5)
        super().__init__(
            *convolution(1, first, nn.MaxPool2d(2)),  # 13 x 13
            *convolution(first, second, nn.MaxPool2d(3, stride=2)),  # 5 x 5
            *(convolution(second, second) if compact else []),  # 3 x 3
            nn.Flatten(),
            nn.Linear(last, n),
            nn.ReLU(),
        )
        self.n = n


class MirroringClassifier(Classifier):
    """Refleja al azar las imágenes al entrenar.

    Al evaluar promedia los puntajes de la imagen y de su reflejo.
    """

    random: torch.Generator | None = None  # PyTorch's own

    def forward(self, x: Tensor) -> Tensor:
        mirrored = x.flip(3)
        if self.training:
            chance = torch.rand(len(x), 1, 1, 1, device=x.device, generator=self.random)
            return super().forward(torch.where(chance < 0.5, mirrored, x))
        return (super().forward(x) + super().forward(mirrored)) / 2


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
