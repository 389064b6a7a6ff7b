"""How much of a difference chance explains: from the paper's values, and between our own runs.

A margin is two standard errors of the difference between two measurements with the same error, the
paper's and ours. An interval is of 95 %; each function says by which distribution.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from torch import Tensor

from moda import paper


def within(difference, margin):
    """Whether a difference is explained by its margin; cell by cell for arrays."""
    return abs(difference) <= margin


def margin_of_runs(values: pd.Series) -> float:
    """Between two runs, from the `values` of runs that differ only in their seed."""
    return 2 * (2 * np.var(values, ddof=1)) ** 0.5


def margin_of_means(values: np.ndarray) -> float:
    """Between two means over equally many images, from the `values` of the images in one of them."""
    return 2 * (2 * np.var(values, ddof=1) / len(values)) ** 0.5


def margin_of_shares(one, other, images: int):
    """Between two shares in [0, 1], each of `images` images; cell by cell for arrays.

    Each sample gets one success and one failure more (Agresti and Caffo, 2000): otherwise shares near
    0 or 1 would look more certain than they are.
    """
    shares = [(share * images + 1) / (images + 2) for share in (one, other)]
    return 2 * sum(share * (1 - share) / (images + 2) for share in shares) ** 0.5


def cells(percentages: pd.DataFrame, images: int) -> pd.DataFrame:
    """The cells of a confusion matrix (N = 64) beside the paper's (Fig. 7), one a row, in % of a class.

    `images`: how many a class has. Index: true class, predicted class. Columns: `paper`, `ours`,
    `difference`, `margin`, and whether the difference is `within` the margin.
    """
    table = pd.DataFrame({"paper": paper.CONFUSION.stack(), "ours": percentages.stack()})
    table["difference"] = table["ours"] - table["paper"]
    table["margin"] = 100 * margin_of_shares(table["paper"] / 100, table["ours"] / 100, images)
    table["within"] = within(table["difference"], table["margin"])
    return table


def interval(values: Sequence[float] | np.ndarray) -> float:
    """Half the width of the 95 % confidence interval of the mean of `values`, by Student's t."""
    return stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)


def normal_interval(share: float, images: int) -> float:
    """Half the 95 % interval of a share in [0, 1] of `images` images, by the normal distribution (Wald)."""
    return 1.96 * (share * (1 - share) / images) ** 0.5


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """The 95 % interval, in [0, 1], of a share observed as `count` of `total`, by Wilson (1927)."""
    limits = stats.binomtest(count, total).proportion_ci(method="wilson")
    return limits.low, limits.high


def ratio_interval(parts: Tensor, wholes: Tensor) -> float:
    """Half the 95 % interval of the ratio of two sums over the same images, by the normal distribution."""
    residuals = parts - parts.sum() / wholes.sum() * wholes
    return (1.96 * residuals.std() / len(parts) ** 0.5 / wholes.mean()).item()


def deviation_interval(freedom: int) -> tuple[float, float]:
    """The 95 % interval of a standard deviation, as multiples of its estimate (chi-squared)."""
    low, high = (freedom / stats.chi2.ppf([0.975, 0.025], freedom)) ** 0.5
    return low, high


class Prediction:
    """The 95 % prediction interval of one more run, by Student's t, for runs in several `groups`.

    The groups share the standard deviation of a run, `deviation`: it is pooled over them, each value
    around the mean of its group, with `freedom` degrees of freedom.
    """

    def __init__(self, groups: Iterable[pd.Series]):
        groups = [values for values in groups if len(values)]
        self.freedom = sum(len(values) - 1 for values in groups)
        squares = sum(((values - values.mean()) ** 2).sum() for values in groups)
        self.deviation = (squares / self.freedom) ** 0.5 if self.freedom else math.nan

    def margin(self, runs: int) -> float:
        """Half the interval around the mean of so many runs; 0 if no group has two."""
        if not self.freedom:
            return 0
        return stats.t.ppf(0.975, self.freedom) * self.deviation * (1 + 1 / runs) ** 0.5

    def allows(self, values: pd.Series, value: float) -> bool:
        """Whether `value` is in the interval around the mean of `values`; never if there are none."""
        return len(values) > 0 and within(values.mean() - value, self.margin(len(values)))


class Difference(NamedTuple):
    """The `mean` difference between pairs, half its 95 % `interval` (Student's t), and the test's `p`."""

    mean: float
    interval: float
    p: float


def paired(ones: Sequence[float], others: Sequence[float]) -> Difference | None:
    """The paired t test of `others` minus `ones`, pair by pair (the seeds of two configurations, say).

    None if the differences have no spread: fewer than two pairs, or the same difference in all.
    """
    differences = np.subtract(others, ones)
    if len(differences) < 2 or np.ptp(differences) <= 1e-9:
        return None
    return Difference(differences.mean(), interval(differences), stats.ttest_rel(others, ones).pvalue)


def mcnemar(ones: np.ndarray, others: np.ndarray) -> tuple[int, int, float]:
    """McNemar's exact test of two classifiers' hits on the same images (bool).

    Gives the hits of the first alone, of the second alone, and p.
    """
    first, second = int((ones & ~others).sum()), int((others & ~ones).sum())
    return first, second, stats.binomtest(first, max(first + second, 1)).pvalue


def least_mcnemar(disputed: int) -> float:
    """From what difference in hits McNemar's test is significant (5 %), by the normal distribution.

    `disputed`: the images that only one of the two classifiers gets right.
    """
    return 1.96 * disputed**0.5


def pairs_needed(difference: float, deviation: float, power: float = 0.8) -> float:
    """How many pairs a paired t test (5 %) needs to find a mean `difference` with probability `power`.

    `deviation`: the standard deviation of the differences; if it is 0, two pairs will do. A difference
    of 0 needs infinitely many.
    """
    if not difference:
        return math.inf
    if not deviation:
        return 2
    effect = abs(difference) / deviation
    # The normal distribution asks for slightly fewer: start there.
    pairs = max(2, math.floor(((stats.norm.ppf(0.975) + stats.norm.ppf(power)) / effect) ** 2))
    while True:
        limit, shift = stats.t.ppf(0.975, pairs - 1), effect * pairs**0.5
        if stats.nct.sf(limit, pairs - 1, shift) >= power:  # the other tail is nothing by then
            return pairs
        pairs += 1


def size_reaching(accuracy: float, sizes: Sequence[int], accuracies: Sequence[float]) -> float:
    """The training size at which a learning curve reaches an `accuracy`: 0 below the curve, inf above it.

    Between the `sizes`, accuracy is taken as linear in their logarithm. Where more images gave less, the
    curve stays at its highest so far.
    """
    curve = np.maximum.accumulate(accuracies)
    return 10.0 ** np.interp(accuracy, curve, np.log10(sizes), left=-np.inf, right=np.inf)
