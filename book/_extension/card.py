"""Draws the picture that a link to the book shows elsewhere: `python book/_extension/card.py`.

Images of the test set, the sign of the book, and what the reference autoencoder makes of them.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from torch import Tensor

from moda import data, evaluation
from moda.parameters import AutoencoderRun
from moda.runs import obtain

TARGET = Path(__file__).parents[1] / "_assets" / "tarjeta.png"
SHOWN = [0, 2, 13, 18]  # a boot, trousers, a dress, a bag
# As in favicon.svg, whose picture is 32 wide and its y axis downwards.
SIGN = {
    "#c0392b": [(2, 4), (12, 12), (12, 20), (2, 28)],
    "#7f8c8d": [(14, 12), (18, 12), (18, 20), (14, 20)],
    "#2471a3": [(30, 4), (20, 12), (20, 20), (30, 28)],
}


def card() -> Figure:
    images = data.load().test[SHOWN]
    outputs = evaluation.reconstruct(obtain(AutoencoderRun()).model(), images)
    figure = plt.figure(figsize=(12, 6.3), dpi=100, facecolor="white")
    figure.text(0.06, 0.83, "Autoencoder y", size=50, weight="bold", va="center")
    figure.text(0.06, 0.69, "clasificador convolucional", size=50, weight="bold", va="center")
    figure.text(0.06, 0.555, "Una reproducción abierta, sobre Fashion-MNIST", size=25, color="#555555", va="center")
    left, sign, right = (figure.add_axes((x, 0.08, width, 0.36)) for x, width in ((0.06, 0.34), (0.42, 0.16), (0.6, 0.34)))
    _mosaic(left, images.pixels.squeeze(1))
    _mosaic(right, outputs)
    for colour, corners in SIGN.items():
        sign.add_patch(Polygon(corners, color=colour, lw=0))
    sign.set(xlim=(0, 32), ylim=(32, 0), aspect="equal")
    for axis in (left, sign, right):
        axis.axis("off")
    return figure


def _mosaic(axis: Axes, images: Tensor) -> None:
    """Four images, two by two, (4, 28, 28) in [0, 1]."""
    rows = images.reshape(2, 2, 28, 28).permute(0, 2, 1, 3).reshape(56, 56)
    axis.imshow(rows.numpy(), cmap="gray", vmin=0, vmax=1)


if __name__ == "__main__":
    card().savefig(TARGET)
