"""How much of a difference chance explains: from the paper's values, and between our own runs.

Every interval is of 95 %; each function says by which distribution.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from moda import paper

ONE_IMAGE = 0.1  # of the 1000 that a class has in the test set, in %


def within(difference, margin):
    """Whether a difference is explained by its margin; cell by cell for arrays."""
    return abs(difference) <= margin


def margin_of_runs(values: pd.Series) -> float:
    """Between two runs, from the `values` of runs that differ only in their seed."""
    return 2 * (2 * np.var(values, ddof=1)) ** 0.5


def cells(matrices: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The cells of several confusion matrices (N = 64) beside the paper's (Fig. 7), in % of a class.

    Index: true class, predicted class. Columns: `paper`, `ours` (the mean), `difference`, `margin` (half the
    95 % prediction interval of one more network, at least one image) and whether the difference is `within`.
    """
    values = pd.concat([matrix.stack() for matrix in matrices], axis=1)
    table = pd.DataFrame({"paper": paper.CONFUSION.stack(), "ours": values.mean(axis=1)})
    table["difference"] = table["ours"] - table["paper"]
    margins = values.apply(lambda cell: Prediction([cell]).margin(len(cell)), axis=1)
    table["margin"] = margins.clip(lower=ONE_IMAGE)
    table["within"] = within(table["difference"], table["margin"])
    return table


def interval(values: Sequence[float] | np.ndarray) -> float:
    """Half the width of the 95 % confidence interval of the mean of `values`, by Student's t."""
    return stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """The 95 % interval, in [0, 1], of a share observed as `count` of `total`, by Wilson (1927)."""
    limits = stats.binomtest(count, total).proportion_ci(method="wilson")
    return limits.low, limits.high


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

    def density(self, values: pd.Series, value: float, widened: bool = True) -> float:
        """The density at `value` of one more run beside these; NaN if there are none, or no deviation.

        Without being `widened`, as if the mean of the runs were that of all.
        """
        if not len(values) or not self.deviation > 0:
            return math.nan
        scale = self.deviation * (1 + widened / len(values)) ** 0.5
        return float(stats.t.pdf((value - values.mean()) / scale, self.freedom) / scale)

    def allows(self, values: pd.Series, value: float) -> bool:
        """Whether `value` is in the interval around the mean of `values`; never if there are none."""
        return len(values) > 0 and within(values.mean() - value, self.margin(len(values)))


class Difference(NamedTuple):
    """The `mean` difference of two groups of runs, and half its 95 % `interval` (Student's t)."""

    mean: float
    interval: float

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0."""
        return abs(self.mean) > self.interval


def paired(ones: Sequence[float], others: Sequence[float], together: int = 1) -> Difference | None:
    """`others` minus `ones`, pair by pair: runs that share their autoencoder, say.

    `together`: how many differences a table shows of one set; their intervals then hold at once (Bonferroni).
    None if the differences have no spread: fewer than two pairs, or the same difference in all.
    """
    differences = np.subtract(others, ones)
    if len(differences) < 2 or np.ptp(differences) <= 1e-9:
        return None
    quantile = stats.t.ppf(1 - 0.025 / together, len(differences) - 1)
    return Difference(differences.mean(), quantile * stats.sem(differences))


def unpaired(ones: Sequence[float], others: Sequence[float], together: int = 1) -> Difference | None:
    """The mean of `others` minus that of `ones`, whose runs share nothing, by Welch's interval.

    `together` as in paired(). None if a group has fewer than two runs, or neither has a spread.
    """
    if min(len(ones), len(others)) < 2 or max(np.ptp(ones), np.ptp(others)) <= 1e-9:
        return None
    interval = stats.ttest_ind(others, ones, equal_var=False).confidence_interval(1 - 0.05 / together)
    return Difference(float(np.mean(others) - np.mean(ones)), (interval.high - interval.low) / 2)


def size_reaching(accuracy: float, sizes: Sequence[int], accuracies: Sequence[float]) -> float:
    """The training size at which a learning curve reaches an `accuracy`: 0 below the curve, inf above it.

    Between the `sizes`, accuracy is taken as linear in their logarithm. Where more images gave less, the
    curve stays at its highest so far.
    """
    curve = np.maximum.accumulate(accuracies)
    return 10.0 ** np.interp(accuracy, curve, np.log10(sizes), left=-np.inf, right=np.inf)
