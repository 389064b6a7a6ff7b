"""The paper's figures, one function each, with Spanish labels, and what the others have in common.

A colour means the same in all of them: red (solid) the training set, blue (dashed) the validation set,
green the test set, grey what the paper reports.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from torch import Tensor, nn

from moda import paper
from moda.data import CLASSES, Images
from moda.networks import Autoencoder, trace

# Tol's vibrant scheme: apart for colour-blind readers too. The grey is for small print on a dark page too.
TRAINING, VALIDATION, TEST, PAPER = "#CC3311", "#0077BB", "#009988", "#595959"


def use_style() -> None:
    """The book's look, and images of double density in notebooks."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    plt.style.use(Path(__file__).with_name("moda.mplstyle"))
    set_matplotlib_formats("retina")


def grid(rows: Sequence[Tensor | Sequence[Tensor]], size: tuple[float, float], vmax: float = 1):
    """Rows of images (28, 28) with values from 0 to `vmax`: the figure, `size` inches large, and its axes.

    No row may be longer than the first.
    """
    figure, axes = plt.subplots(len(rows), len(rows[0]), figsize=size, squeeze=False)
    for row, images in zip(axes, rows):
        for axis, image in zip(row, images):
            axis.imshow(image.numpy(), vmin=0, vmax=vmax)
        for axis in row:
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
    return figure, axes


def numbers(axis: Axes, values: Tensor, size: float = 11, **scale) -> None:
    """`values` (H, W) as pixels with the number written in each; `scale` is imshow's: vmin, vmax, cmap."""
    image = axis.imshow(values.numpy(), **scale)
    for (row, column), value in np.ndenumerate(values.double().numpy()):
        dark = np.mean(image.cmap(image.norm(value))[:3]) < 0.46  # where both read as well
        text = str(round(value)).replace("-", "−")
        colour = "white" if dark else "black"
        axis.text(column, row, text, ha="center", va="center", size=size, color=colour)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def samples(images: Images, per_class: int = 3) -> Figure:
    """Fig. 1: the first `per_class` images of each class, five classes side by side."""
    classes = [images.images[images.labels == label][:per_class] for label in range(len(CLASSES))]
    rows = [row for half in (classes[:5], classes[5:]) for row in zip(*half)]
    figure, axes = grid(rows, (6.4, 1.45 * len(rows)), vmax=255)
    for axis, name in zip(axes[::per_class].flat, CLASSES):
        axis.set_title(name)
    return figure


# How Fig. 2 draws the output of a layer: its name, and a pale colour by kind of operation.
_CONVOLUTION, _POOLING, _LINEAR, _CODE = "#BBCCEE", "#CCDDAA", "#EEEEBB", "#FFCCCC"
_OPERATIONS = {
    nn.Conv2d: ("convolución\n{0.kernel_size[0]}×{0.kernel_size[1]}", _CONVOLUTION),
    nn.MaxPool2d: ("max pooling\n{0.kernel_size}×{0.kernel_size}", _POOLING),
    nn.Flatten: ("aplanado", _LINEAR),
    nn.Linear: ("lineal", _LINEAR),
    nn.Unflatten: ("reordenado", _LINEAR),
    nn.ConvTranspose2d: (
        "conv. transp.\n{0.kernel_size[0]}×{0.kernel_size[1]}, paso {0.stride[0]}",
        _CONVOLUTION,
    ),
}
# Layers that leave the shape as it is: a mark on the way out of the stage before them.
_MARKS = {
    nn.ReLU: {"label": "ReLU", "marker": "o", "mfc": "#444444"},
    nn.Sigmoid: {"label": "sigmoide", "marker": "^", "mfc": "#444444"},
    nn.Dropout: {"label": "dropout", "marker": "o", "mfc": "white"},
}


def architecture(model: Autoencoder) -> Figure:
    """Fig. 2: the stages of the autoencoder to scale, encoder above and decoder below.

    A map is drawn as a stack of sheets, one for every four channels; a vector as a bar.
    """
    stages: dict[str, list[tuple]] = {"encoder": [((1, 28, 28), "imagen", "white", [])], "decoder": []}
    for part, layer, shape in trace(model):
        if type(layer) in _OPERATIONS:
            name, colour = _OPERATIONS[type(layer)]
            stages[part].append((shape, name.format(layer), colour, []))
        else:
            stages[part][-1][3].append(_MARKS[type(layer)])
    code, name, _, marks = stages["encoder"].pop()
    stages["encoder"].append((code, name, _CODE, marks))
    stages["decoder"].insert(0, (code, "código", _CODE, []))
    figure, axes = plt.subplots(2, 1, figsize=(7.6, 5.2))
    columns = max(len(row) for row in stages.values())
    for axis, title, row in zip(axes, ("Codificador", "Decodificador"), stages.values()):
        before = 0.0
        for column, (shape, name, colour, marks) in enumerate(row):
            half = _draw_stage(axis, column, shape, colour)
            axis.text(column, -0.62, "×".join(map(str, shape)), ha="center", va="top")
            axis.text(column, -0.86, name, ha="center", va="top", size=9.5, color="#444444")
            if column:
                arrow = {"arrowstyle": "->", "color": "#444444", "shrinkA": 0, "shrinkB": 0}
                axis.annotate(
                    "", (column - half - 0.04, 0), (column - 1 + before + 0.04, 0), arrowprops=arrow
                )
            for place, mark in enumerate(marks):
                axis.plot(column + half + 0.11 + 0.1 * place, 0, mec="#444444", ms=5.5, zorder=4, **mark)
            before = half
        axis.set(xlim=(-0.5, columns - 0.5), ylim=(-1.25, 0.6), aspect="equal")
        axis.set_title(title, loc="left")
        axis.axis("off")
    kinds = {
        "convolución, también transpuesta": _CONVOLUTION,
        "max pooling": _POOLING,
        "lineal, o solo otro orden": _LINEAR,
        "código": _CODE,
    }
    legend: list[Artist] = [
        Patch(fc=colour, ec="#444444", lw=0.7, label=label) for label, colour in kinds.items()
    ]
    legend += [Line2D([], [], ls="none", mec="#444444", ms=5.5, **mark) for mark in _MARKS.values()]
    figure.legend(handles=legend, loc="outside lower center", ncols=3)
    return figure


def _draw_stage(axis: Axes, x: float, shape: tuple[int, ...], colour: str) -> float:
    """Draws a map (C, H, W) or a vector (n,) centred at (`x`, 0); returns half its width."""
    if len(shape) == 1:
        width, height, sheets = 0.1, min(1.2, 0.75 * (shape[0] / 800) ** 0.5), 1
    else:
        width, height, sheets = 0.75 * shape[2] / 28, 0.75 * shape[1] / 28, max(1, shape[0] // 4)
    step = 0.025
    depth = step * (sheets - 1)
    for sheet in reversed(range(sheets)):
        corner = (x - (width + depth) / 2 + sheet * step, -(height + depth) / 2 + sheet * step)
        axis.add_patch(Rectangle(corner, width, height, facecolor=colour, edgecolor="#444444", lw=0.7))
    return (width + depth) / 2


def reconstructions(originals: Tensor, outputs: Tensor, labels: Tensor) -> Figure:
    """Figs. 3 and 5: images above, what the autoencoder makes of them below; both (M, 28, 28) in [0, 1]."""
    figure, axes = grid([originals, outputs], (2.7 * len(labels), 5.2))
    for axis, label in zip(axes[0], labels):
        axis.set_title(CLASSES[label])
    axes[0, 0].set_ylabel("Entrada")
    axes[1, 0].set_ylabel("Salida")
    return figure


def autoencoder_curves(histories: Sequence[pd.DataFrame], reported: float | None = None) -> Figure:
    """Fig. 4: ECM per epoch; left the first run, right the mean of all, ± one standard deviation.

    `reported`: the paper's ECM on the test set, a line on the right.
    """
    figure, (left, right) = plt.subplots(1, 2, sharey=True)
    _curves(left, histories[0], "loss")
    left.set(title="Una corrida", ylabel="ECM")
    runs = pd.concat(histories).groupby("epoch")
    mean, spread = runs.mean(), runs.std(ddof=1).fillna(0)
    _curves(right, mean, "loss", spread)
    right.set_title(f"Promedio de {len(histories)} corridas" if len(histories) > 1 else "Promedio")
    if reported is not None:
        _mark(right, reported)
    right.legend()
    return figure


def classifier_curves(
    history: pd.DataFrame, accuracy: float | None = None, cross_entropy: float | None = None
) -> Figure:
    """Fig. 6: Exactitud per epoch on the left, cross entropy on the right; grey where a class was dead.

    `accuracy` (%) and `cross_entropy`: the paper's values on the test set.
    """
    figure, (left, right) = plt.subplots(1, 2)
    _curves(left, 100 * history.filter(like="accuracy"), "accuracy")
    left.set(ylabel="Exactitud (%)")
    _curves(right, history, "loss")
    right.set(ylabel="Entropía cruzada")
    for axis, value in ((left, accuracy), (right, cross_entropy)):
        for place, epoch in enumerate(history.index[history["dead_classes"] != ""]):
            label = None if place else "Con clases perdidas"
            axis.axvspan(epoch - 0.5, epoch + 0.5, color="#E8E8E8", lw=0, zorder=0, label=label)
        if value is not None:
            _mark(axis, value)
    right.legend()
    return figure


def _mark(axis: Axes, reported: float) -> None:
    """A line at the paper's value on the test set."""
    axis.axhline(reported, color=PAPER, lw=1, zorder=1)
    place = {"xy": (0.02, reported), "xycoords": axis.get_yaxis_transform()}
    offset = {"xytext": (0, 3), "textcoords": "offset points"}
    halo = [withStroke(linewidth=3, foreground="white")]  # for it may lie on a band
    axis.annotate("Artículo (prueba)", **place, **offset, color=PAPER, size=11, path_effects=halo)


def _curves(axis: Axes, history: pd.DataFrame, metric: str, spread: pd.DataFrame | None = None) -> None:
    """The training and validation curves of `metric`, in a band of ± `spread`."""
    for part, label, colour, line in (
        ("train", "Entrenamiento", TRAINING, "-"),
        ("validation", "Validación", VALIDATION, "--"),
    ):
        values = history[f"{part}_{metric}"]
        axis.plot(values.index, values, line, color=colour, label=label)
        if spread is not None:
            band = spread[f"{part}_{metric}"]
            axis.fill_between(values.index, values - band, values + band, color=colour, alpha=0.2, lw=0)
    axis.set_xlabel("Época")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def confusion(percentages: pd.DataFrame, reported: pd.DataFrame | None = None) -> Figure:
    """Fig. 7: the confusion matrix in % of its rows, below the one that the paper reports, if given.

    One decimal says all, as a class has 1000 test images; a cell that would say 0.0 is left empty.
    """
    matrices = {"Aquí": percentages}
    if reported is not None:
        matrices = {"Artículo": reported, **matrices}
    size = (6.4, 1.1 + 3.7 * len(matrices))
    figure, axes = plt.subplots(len(matrices), 1, figsize=size, sharex=True, squeeze=False)
    for axis, (title, matrix) in zip(axes.flat, matrices.items()):
        texts = matrix.map(lambda value: f"{value:.1f}" if value >= 0.05 else "")
        _heatmap(axis, matrix, cmap="Blues", vmin=0, vmax=100, annot=texts, fmt="", size=13, square=False)
        axis.set_title(title, loc="left")
        axis.label_outer()
    return figure


def confusion_difference(cells: pd.DataFrame) -> Figure:
    """A confusion matrix minus the paper's (Fig. 7), in percentage points, from `comparison.cells`.

    A frame marks each cell outside its margin.
    """
    figure, axis = plt.subplots(figsize=(7.6, 6.6))
    difference, within = (
        cells[name].unstack().reindex(index=CLASSES, columns=CLASSES) for name in ("difference", "within")
    )
    limit = max(difference.abs().to_numpy().max(), 1)
    texts = difference.map(lambda value: f"{value:+.1f}" if abs(value) >= 0.05 else "")
    _heatmap(axis, difference, cmap="PuOr", vmin=-limit, vmax=limit, annot=texts, fmt="", size=11)
    for row, column in np.argwhere(~within.to_numpy()):
        axis.add_patch(Rectangle((column, row), 1, 1, fill=False, lw=1.6, clip_on=False))
    return figure


def _heatmap(axis: Axes, matrix: pd.DataFrame, size: int, square: bool = True, **options) -> None:
    sns.heatmap(matrix, annot_kws={"size": size}, square=square, cbar=False, ax=axis, **options)
    axis.set(xlabel="Predicciones del modelo", ylabel="Etiquetas verdaderas")
    axis.tick_params(length=0)
    axis.set_xticks(axis.get_xticks(), axis.get_xticklabels(), rotation=45, ha="right")


def comparison(results: pd.DataFrame) -> Figure:
    """Exactitud (%) for each N; `results` has the columns `n`, `accuracy` and `complete`, one row a run."""
    figure, axis = plt.subplots(figsize=(6.4, 3.8))
    for n, runs in results.groupby("n"):
        places = n * 2 ** np.linspace(-0.15, 0.15, len(runs))
        strip(axis, places, runs["accuracy"], ~runs["complete"])
    reported = {n: value for n, value in paper.ACCURACY.items() if n in set(results["n"])}
    if reported:
        values = [100 * value for value in reported.values()]
        axis.plot(list(reported), values, "D", mfc="none", color=PAPER, ms=8, label="Artículo")
    axis.plot([], [], "o", color=TEST, label="Completas")
    axis.plot([], [], "o", color=TEST, mfc="none", label="Con clases perdidas")
    axis.set_xscale("log", base=2)
    ticks = sorted(set(results["n"]))
    axis.set_xticks(ticks, [str(n) for n in ticks])
    axis.set(xlabel="N, neuronas de la capa oculta", ylabel="Exactitud de prueba (%)")
    axis.legend()
    return figure


def strip(axis: Axes, x, y, dead, symbol: str = "o") -> None:
    """One dot a seed at `x` and `y`, hollow where a class died: `dead`, for each dot or for all."""
    x, y, dead = np.broadcast_arrays(x, y, dead)
    for dots, face in ((dead, "none"), (~dead, TEST)):
        axis.plot(x[dots], y[dots], symbol, color=TEST, mfc=face, alpha=0.8, ms=5)
