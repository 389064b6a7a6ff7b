"""The figures say in Spanish what they show, with the paper's colours and lines."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from moda import comparison, paper
from moda.book import figures
from moda.data import CLASSES
from moda.networks import Autoencoder


@pytest.fixture(autouse=True)
def no_window():
    plt.switch_backend("agg")
    yield
    plt.close("all")


def history(offset: float = 0.0) -> pd.DataFrame:
    columns = ["train_loss", "validation_loss", "train_accuracy", "validation_accuracy"]
    values = np.linspace(0.9, 0.1, 12).reshape(3, 4) + offset
    return pd.DataFrame(values, columns=columns, index=pd.RangeIndex(1, 4, name="epoch"))


def test_samples_shows_every_class_by_name(fashion_mnist):
    figure = figures.samples(fashion_mnist.train[:500], per_class=2)
    assert len(figure.axes) == 20
    assert [axis.get_title() for axis in figure.axes if axis.get_title()] == list(CLASSES)


def test_samples_are_the_first_of_the_class_above_them(fashion_mnist):
    images = fashion_mnist.train[:500]
    axes = figures.samples(images, per_class=2).axes
    for place, axis in enumerate(axes):
        if axis.get_title():
            of_class = images.images[images.labels == CLASSES.index(axis.get_title())]
            for image, drawn in zip(of_class, (axis, axes[place + 5])):
                np.testing.assert_array_equal(drawn.images[0].get_array(), image)


@pytest.mark.parametrize("n", [64, 5])
def test_architecture_is_drawn_from_the_model(n):
    figure = figures.architecture(Autoencoder(n))
    texts = [[text.get_text() for text in axis.texts] for axis in figure.axes]
    assert [shape for shape in texts[0] if shape[:1].isdigit()] == [
        "1×28×28", "16×26×26", "16×13×13", "32×11×11", "32×5×5", "800", str(n),
    ]  # fmt: skip
    assert [shape for shape in texts[1] if shape[:1].isdigit()] == [
        str(n),
        "800",
        "32×5×5",
        "16×13×13",
        "1×28×28",
    ]


def test_architecture_marks_what_follows_each_layer_and_explains_marks_and_colours():
    figure = figures.architecture(Autoencoder())
    relu, sigmoid, dropout = (("o", "#444444"), ("^", "#444444"), ("o", "white"))
    encoder, decoder = (
        [(line.get_marker(), line.get_markerfacecolor()) for line in axis.lines] for axis in figure.axes
    )
    assert encoder == 3 * [relu, dropout]
    assert decoder == [*2 * [relu, dropout], sigmoid, dropout]
    (legend,) = figure.legends
    explained = {text.get_text(): handle for text, handle in zip(legend.texts, legend.legend_handles)}
    for name, mark in {"ReLU": relu, "sigmoide": sigmoid, "dropout": dropout}.items():
        assert (explained[name].get_marker(), explained[name].get_markerfacecolor()) == mark
    colours = {handle.get_facecolor() for handle in list(explained.values())[:4]}
    drawn = {patch.get_facecolor() for axis in figure.axes for patch in axis.patches}
    assert drawn - colours == {(1, 1, 1, 1)}, "only the image is white"


def test_numbers_are_written_in_their_pixels_and_can_be_read():
    _, axis = plt.subplots()
    figures.numbers(axis, torch.tensor([[0, 200], [-3, 130]]), cmap="gray", vmin=0, vmax=255)
    assert [text.get_text() for text in axis.texts] == ["0", "200", "−3", "130"]
    assert [text.get_position() for text in axis.texts] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert [text.get_color() for text in axis.texts] == ["white", "black", "white", "black"]


def test_numbers_have_no_negative_zero():
    _, axis = plt.subplots()
    figures.numbers(axis, torch.tensor([[-0.0, -0.2]]))
    assert [text.get_text() for text in axis.texts] == ["0", "0"]


def test_reconstructions_have_one_scale_above_and_below():
    images = torch.rand(2, 28, 28)
    figure = figures.reconstructions(images, images / 2, torch.tensor([9, 2]))
    assert [axis.get_title() for axis in figure.axes[:2]] == ["Bota", "Buzo"]
    assert {axis.images[0].get_clim() for axis in figure.axes} == {(0, 1)}
    drawn = [axis.images[0].get_array() for axis in figure.axes]
    np.testing.assert_array_equal(drawn, torch.cat([images, images / 2]))
    assert [figure.axes[0].get_ylabel(), figure.axes[2].get_ylabel()] == ["Entrada", "Salida"]


def test_grid_has_the_images_of_each_row_and_no_axes_where_there_are_none():
    images = torch.rand(3, 28, 28)
    figure, axes = figures.grid([images[:2], images[2:]], (4, 4))
    assert axes.shape == (2, 2) and tuple(figure.get_size_inches()) == (4, 4)
    drawn = [axis.images[0].get_array() for axis in axes.flat[:3]]
    np.testing.assert_array_equal(drawn, images)
    assert not axes[1, 1].images
    assert not any(len(axis.get_xticks()) or axis.spines["left"].get_visible() for axis in axes.flat)


@pytest.mark.parametrize("dead, hollow, full", [([False, True, False], [8], [7, 9]), (True, [7, 8, 9], [])])
def test_strip_has_a_dot_for_each_seed_hollow_where_a_class_died(dead, hollow, full):
    _, axis = plt.subplots()
    figures.strip(axis, [7, 8, 9], 4, dead, "s")
    for line, values, face in zip(axis.lines, (hollow, full), ("none", figures.TEST)):
        assert list(line.get_xdata()) == values and list(line.get_ydata()) == [4] * len(values)
        assert (line.get_marker(), line.get_markerfacecolor(), line.get_linestyle()) == ("s", face, "None")


def test_autoencoder_curves_show_one_run_and_the_mean_of_all():
    left, right = figures.autoencoder_curves([history(), history(0.2)]).axes
    training, validation = left.lines
    assert (training.get_color(), training.get_linestyle()) == (figures.TRAINING, "-")
    assert (validation.get_color(), validation.get_linestyle()) == (figures.VALIDATION, "--")
    np.testing.assert_allclose(training.get_ydata(), history()["train_loss"])
    np.testing.assert_allclose(right.lines[1].get_ydata(), history(0.1)["validation_loss"])
    assert right.get_title() == "Promedio de 2 corridas"
    # One standard deviation to each side; that of two values is their distance over the root of two.
    below, above = (history(0.1)["train_loss"][1] + side * 0.2 / 2**0.5 for side in (-1, 1))
    assert len(right.collections) == 2, "a band for each curve"
    first = [y for x, y in right.collections[0].get_paths()[0].vertices if x == 1]
    assert (min(first), max(first)) == pytest.approx((below, above))
    assert (left.get_xlabel(), left.get_ylabel()) == ("Época", "ECM")


def test_autoencoder_curves_mark_the_papers_value():
    left, right = figures.autoencoder_curves([history(), history()], 0.25).axes
    assert list(right.lines[-1].get_ydata()) == [0.25, 0.25]
    assert right.lines[-1].get_color() == figures.PAPER
    assert [text.get_text() for text in right.texts] == ["Artículo (prueba)"] and not left.texts


def test_classifier_curves_show_exactitud_in_percent_and_error():
    left, right = figures.classifier_curves(history().assign(dead_classes="")).axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), 100 * history()["train_accuracy"])
    np.testing.assert_allclose(right.lines[1].get_ydata(), history()["validation_loss"])
    assert [axis.get_ylabel() for axis in (left, right)] == ["Exactitud (%)", "Entropía cruzada"]
    assert [len(axis.lines) + len(axis.patches) for axis in (left, right)] == [2, 2], "only the curves"


def test_classifier_curves_mark_the_papers_values_and_the_epochs_with_a_dead_class():
    dead = history().assign(dead_classes=["Buzo, Bota", "", "Bota"])
    for axis, value in zip(figures.classifier_curves(dead, 90.43, 0.3865).axes, (90.43, 0.3865)):
        assert list(axis.lines[2].get_ydata()) == [value, value]
        assert [text.get_text() for text in axis.texts] == ["Artículo (prueba)"]
        assert [(span.get_x(), span.get_width()) for span in axis.patches] == [(0.5, 1), (2.5, 1)]
    said = [text.get_text() for text in axis.get_legend().get_texts()]
    assert said == ["Entrenamiento", "Validación", "Con clases perdidas"]


def test_confusion_prints_what_is_not_zero_with_one_decimal():
    (axis,) = figures.confusion(paper.CONFUSION).axes
    assert [text.get_text() for text in axis.texts[:4]] == ["83.9", "", "1.6", "2.1"]
    assert len(axis.texts) == 100
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("Predicciones del modelo", "Etiquetas verdaderas")


def test_confusion_has_the_papers_above_ours_in_the_same_colours():
    above, below = figures.confusion(paper.CONFUSION / 2, paper.CONFUSION).axes
    assert [axis.get_title(loc="left") for axis in (above, below)] == ["Artículo", "Aquí"]
    assert [axis.texts[0].get_text() for axis in (above, below)] == ["83.9", "42.0"]
    assert {axis.collections[0].get_clim() for axis in (above, below)} == {(0, 100)}
    assert (above.get_xlabel(), below.get_xlabel()) == ("", "Predicciones del modelo")


def test_confusion_difference_is_ours_less_the_papers_and_frames_what_is_outside():
    ours = [paper.CONFUSION + change * np.eye(10) for change in (0.2, 0.8)]
    for one in ours:
        one.loc["Abrigo", "Buzo"] -= 4
    axis = figures.confusion_difference(comparison.cells(ours)).axes[0]
    written = {text.get_position(): text.get_text() for text in axis.texts if text.get_text()}
    assert written == {(i + 0.5, i + 0.5): "+0.5" for i in range(10)} | {(2.5, 4.5): "-4.0"}
    assert [frame.get_xy() for frame in axis.patches] == [(2, 4)]
    assert axis.collections[0].get_clim() == pytest.approx((-4, 4)), "white is no difference"


def test_comparison_marks_the_papers_values_of_the_same_n():
    results = pd.DataFrame({"n": [64, 64, 32], "accuracy": [90, 80, 70], "complete": [True, False, False]})
    (axis,) = figures.comparison(results).axes
    reported = next(line for line in axis.lines if line.get_label() == "Artículo")
    assert list(reported.get_xdata()) == [64]
    np.testing.assert_allclose(reported.get_ydata(), [90.43])
    hollow = [line for line in axis.lines if line.get_mfc() == "none" and line is not reported]
    assert sorted(y for line in hollow for y in line.get_ydata()) == [70, 80]


def test_papers_matrix_has_its_mean_accuracy_on_the_diagonal():
    assert paper.CONFUSION.sum(axis=1).sub(100).abs().max() < 0.11, "rounded rows"
    assert np.diag(paper.CONFUSION).mean() == pytest.approx(100 * paper.ACCURACY[64])
