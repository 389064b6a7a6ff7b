"""Draw the preview card for links to the book: `python book/_extension/card.py`.

It shows test images, the book's logo and the images as the reference autoencoder reconstructs them.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from torch import Tensor
from torch.nn.functional import pad

from moda import data, evaluation
from moda.experiments import AutoencoderRun
from moda.schedule import obtain

TARGET = Path(__file__).parents[1] / "_assets" / "tarjeta.png"
SHOWN = [0, 13, 18]  # a boot, a dress, a bag
# As in favicon.svg, which is 32 wide with its y axis pointing down.
SIGN = {
    "#c0392b": [(2, 4), (12, 12), (12, 20), (2, 28)],
    "#7f8c8d": [(14, 12), (18, 12), (18, 20), (14, 20)],
    "#2471a3": [(30, 4), (20, 12), (20, 20), (30, 28)],
}


def card() -> Figure:
    images = data.load().test[SHOWN]
    outputs = evaluation.reconstruct(obtain(AutoencoderRun()).model(), images)
    figure = plt.figure(figsize=(12, 6.3), dpi=100, facecolor="white")
    title = {"x": 0.06, "size": 50, "weight": "bold", "color": "#222222", "va": "center"}
    figure.text(y=0.83, s="Autoencoder y", **title)
    figure.text(y=0.69, s="clasificador convolucional", **title)
    subtitle = "Una reproducción abierta, sobre Fashion-MNIST"
    figure.text(0.06, 0.55, subtitle, size=25, color="#555555", va="center")
    _row(figure.add_axes((0.06, 0.1, 0.36, 0.3)), images.pixels.squeeze(1))
    _row(figure.add_axes((0.58, 0.1, 0.36, 0.3)), outputs)
    sign = figure.add_axes((0.44, 0.1, 0.12, 0.3))
    sign.set(xlim=(0, 32), ylim=(32, 0), aspect="equal")
    sign.axis("off")
    for colour, corners in SIGN.items():
        sign.add_patch(Polygon(corners, color=colour, lw=0))
    return figure


def _row(axis: Axes, images: Tensor) -> None:
    """Images (M, 28, 28) in [0, 1] side by side, separated by white."""
    apart = pad(images, (0, 2), value=1).permute(1, 0, 2).flatten(1)[:, :-2]
    axis.imshow(apart.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.axis("off")


if __name__ == "__main__":
    card().savefig(TARGET)
