"""What a classifier's scores and predictions tell beyond its metrics, such as the confusion matrix (Fig. 7).

Separate from moda.evaluation, which every training imports, because scikit-learn and SciPy load slowly.
"""

import numpy as np
import pandas as pd
import sklearn.metrics
import torch.nn.functional as F
from scipy import optimize, stats
from torch import Tensor

from moda.configurations import ClassifierRun
from moda.data import CLASSES


def cross_entropy_bound(run: ClassifierRun, dead: int = 0) -> float:
    """The least training cross entropy (nats) that dropout on the scores allows, with `dead` classes.

    With ReLU no score is below 0: an image whose own score is dropped costs at least ln 10, and so does
    every image of a dead class. Without it, K of the other nine scores dropped along with its own (a
    binomial number) make it cost at least ln(1 + K).
    """
    p, classes = run.dropout, len(CLASSES)
    if run.output_relu:
        return (dead / classes + (1 - dead / classes) * p) * np.log(classes)
    dropped = np.arange(classes)
    return p * (stats.binom(classes - 1, p).pmf(dropped) * np.log1p(dropped)).sum()


def temperature(scores: Tensor, labels: Tensor) -> float:
    """The divisor of scores (M, 10), in [0.1, 10], that minimises the cross entropy (Guo et al., 2017)."""
    # In float32 the minimum, which is very flat, depends on the order of the sums.
    scores = scores.double()

    def entropy(exponent: float) -> float:
        return F.cross_entropy(scores / 10**exponent, labels).item()

    return 10 ** optimize.minimize_scalar(entropy, bounds=(-1, 1), method="bounded").x


def confusion_matrix(labels: Tensor, predictions: Tensor) -> pd.DataFrame:
    """How many images of each true class (row) are predicted as each class (column)."""
    counts = sklearn.metrics.confusion_matrix(labels, predictions, labels=range(len(CLASSES)))
    return pd.DataFrame(counts, index=CLASSES, columns=CLASSES)


def row_percentages(confusion: pd.DataFrame) -> pd.DataFrame:
    """A confusion matrix in % of its rows, as in the paper's Fig. 7."""
    return 100 * confusion.div(confusion.sum(axis=1), axis=0)


def most_confused(confusion: pd.DataFrame, count: int) -> pd.Series:
    """The `count` largest cells off the diagonal; index: true class, predicted class."""
    cells = confusion.stack()
    true, predicted = (cells.index.get_level_values(level) for level in (0, 1))
    return cells[true != predicted].nlargest(count)
