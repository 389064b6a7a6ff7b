"""Draw the picture of the cover, and the card for links to the book: `python book/_extension/card.py`.

Both show a test image, its code and its reconstruction by the network that stands for the paper's. The files
record the weights that they were drawn with, so that a test can tell when they are stale.
"""

import hashlib
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from safetensors.torch import load_file

from moda import data, evaluation
from moda.configurations import CHOSEN
from moda.runs import store

ASSETS = Path(__file__).parents[1] / "_assets"
NETWORK = CHOSEN[64].autoencoder
BOOT = 39
# As on the cover of the PDF.
INK, ENCODER, DECODER, PALE = "#14213D", "#CC3311", "#0077BB", "#9AA5B1"
# In pixels of the image: the side of the image, the narrow end of the network, its length, the code, a gap.
SIDE, NARROW, LENGTH, CODE, GAP = 28, 16, 9, 40, 2.5
WIDTH = 2 * SIDE + 2 * LENGTH + CODE + 4 * GAP
# The room for what is written below, its middle, and the margin around all.
BELOW, TEXT, MARGIN = 8, -5.5, 4
LABEL = {"color": "white", "ha": "center", "va": "center"}


def weights() -> Path:
    found = store.find(NETWORK, weights=True)
    assert found, f"The weights of {store.folder_name(NETWORK)} are missing"
    return found.folder / store.WEIGHTS


def cover() -> Figure:
    width, height = WIDTH + 2 * MARGIN, BELOW + SIDE + 2 * MARGIN
    figure = plt.figure(figsize=(width / 10, height / 10), dpi=120, facecolor=INK)
    place = (MARGIN / width, MARGIN / height, WIDTH / width, (BELOW + SIDE) / height)
    scheme(figure.add_axes(place), size=32)
    return figure


def card() -> Figure:
    figure = plt.figure(figsize=(12, 6.3), dpi=100, facecolor=INK)
    title = {"x": 0.06, "size": 50, "weight": "bold", "color": "white", "va": "center"}
    figure.text(y=0.84, s="Autoencoder y", **title)
    figure.text(y=0.7, s="clasificador convolucional", **title)
    subtitle = "Una reproducción abierta, sobre Fashion-MNIST"
    figure.text(0.06, 0.57, subtitle, size=25, color=PALE, va="center")
    scheme(figure.add_axes((0.06, 0.06, 0.88, 0.41), anchor="W"), size=24)
    return figure


def scheme(axis: Axes, size: float) -> None:
    """An image, the encoder, its code, the decoder and the reconstruction, with letters of that size."""
    images = data.load().test[BOOT : BOOT + 1]
    model = NETWORK.network()
    model.load_state_dict(load_file(weights()))
    code = evaluation.encode(model.eval().encoder, images)[0]
    output = evaluation.reconstruct(model, images)[0]

    right = WIDTH - SIDE
    grey = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
    for left, image in ((0, images.pixels[0, 0]), (right, output)):
        axis.imshow(image.numpy(), extent=(left, left + SIDE, 0, SIDE), **grey)
        axis.text(left + SIDE / 2, TEXT, f"{image.numel()} píxeles", size=size, **LABEL)
    low, high = (SIDE - NARROW) / 2, (SIDE + NARROW) / 2
    for wide, inwards, colour in ((SIDE + GAP, LENGTH, ENCODER), (right - GAP, -LENGTH, DECODER)):
        corners = [(wide, 0), (wide + inwards, low), (wide + inwards, high), (wide, SIDE)]
        axis.add_patch(Polygon(corners, color=colour, lw=0))
    step = CODE / len(code)
    places = [(WIDTH - CODE) / 2 + (number + 0.5) * step for number in range(len(code))]
    # A 0 is a dash.
    heights = (code / code.max()).clip(min=0.02).numpy()
    axis.bar(places, NARROW * heights, width=0.75 * step, bottom=low, color="white")
    axis.text(WIDTH / 2, TEXT, f"{len(code)} números", size=size, **LABEL)
    axis.set(xlim=(0, WIDTH), ylim=(-BELOW, SIDE), aspect="equal")
    axis.axis("off")


if __name__ == "__main__":
    source = {"Source": hashlib.sha256(weights().read_bytes()).hexdigest()}
    cover().savefig(ASSETS / "portada.png", metadata=source)
    card().savefig(ASSETS / "tarjeta.png", metadata=source)
