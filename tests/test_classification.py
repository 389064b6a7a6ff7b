import math

import pytest
import torch
import torch.nn.functional as F

from moda.classification import (
    confusion_matrix,
    cross_entropy_bound,
    most_confused,
    row_percentages,
    temperature,
)
from moda.configurations import AutoencoderRun, ClassifierRun
from moda.data import CLASSES


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("p", [0.2, 0.5])
def test_cross_entropy_bound_is_what_a_perfect_network_costs(p, relu):
    """Its scores, of 100000 images, are very large for the class and as low as they can be for the others."""
    torch.manual_seed(0)
    perfect = torch.full((100_000, 10), 0.0 if relu else -1000.0)
    perfect[:, 0] = 1000
    cost = F.cross_entropy(F.dropout(perfect, p), torch.zeros(len(perfect), dtype=torch.long))
    bound = cross_entropy_bound(ClassifierRun(AutoencoderRun(), dropout=p, output_relu=relu))
    assert bound == pytest.approx(cost.item(), rel=0.02)


def test_cross_entropy_bound_with_dead_classes():
    """The images of a dead class cost ln 10 whether their score is dropped or not."""
    run = ClassifierRun(AutoencoderRun(), dropout=0.2)
    assert cross_entropy_bound(run) == pytest.approx(0.2 * math.log(10))
    assert cross_entropy_bound(run, dead=3) == pytest.approx((0.3 + 0.7 * 0.2) * math.log(10))
    assert cross_entropy_bound(run, dead=10) == pytest.approx(math.log(10))


def test_confusion_matrix_has_the_true_class_in_rows():
    confusion = confusion_matrix(torch.tensor([0, 0, 0, 9]), torch.tensor([0, 1, 1, 8]))
    assert tuple(confusion.index) == tuple(confusion.columns) == CLASSES
    assert confusion.loc["Manga corta", "Manga corta"] == 1
    assert confusion.loc["Manga corta", "Pantalón"] == 2
    assert confusion.loc["Bota", "Bolso"] == 1
    assert confusion.to_numpy().sum() == 4


def test_row_percentages():
    confusion = confusion_matrix(torch.tensor([0, 0, 0, 0, 1]), torch.tensor([0, 0, 0, 1, 1]))
    percentages = row_percentages(confusion)
    assert percentages.loc["Manga corta", ["Manga corta", "Pantalón"]].tolist() == [75, 25]
    assert percentages.loc["Pantalón", "Pantalón"] == 100


def test_most_confused_are_off_the_diagonal():
    confusion = confusion_matrix(torch.tensor([0, 0, 0, 0, 9, 9, 9]), torch.tensor([0, 0, 0, 1, 8, 8, 0]))
    largest = most_confused(confusion, 2)
    assert list(largest.items()) == [(("Bota", "Bolso"), 2), (("Manga corta", "Pantalón"), 1)]


def test_temperature_of_a_worked_example():
    """Right in 8 of 10 with a score of 5 against 0: e^(5/T) / (e^(5/T) + 9) = 0.8, so T = 5 / ln 36."""
    given, labels = torch.zeros(10, 10), torch.tensor([0] * 8 + [1, 2])
    given[:, 0] = 5
    assert temperature(given, labels) == pytest.approx(5 / math.log(36), rel=1e-4)
    assert temperature(2 * given, labels) == pytest.approx(10 / math.log(36), rel=1e-4)
