"""What chance explains: of a difference from the paper's value, and of one between our own runs.

A margin is two standard errors of the difference between two measurements that have the same error:
the paper's and ours. Between runs of our own: means over seeds with intervals of 95 %, and tests.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from moda import paper


def within(difference, margin):
    """Whether a difference is explained by its margin; cell by cell for arrays."""
    return abs(difference) <= margin


def margin_of_runs(values: pd.Series) -> float:
    """Between two runs, from the `values` that runs gave which differ in the seed only."""
    return 2 * (2 * np.var(values, ddof=1)) ** 0.5


def margin_of_means(values: np.ndarray) -> float:
    """Between two means over as many images, from the `values` that the images gave in one of them."""
    return 2 * (2 * np.var(values, ddof=1) / len(values)) ** 0.5


def margin_of_shares(one, other, images: int):
    """Between two shares in [0, 1] of as many images; cell by cell for arrays.

    Each has an image more that counts and one more that does not (Agresti and Caffo, 2000), or two
    shares near 0 or 1 would seem more certain than they are.
    """
    shares = [(share * images + 1) / (images + 2) for share in (one, other)]
    return 2 * sum(share * (1 - share) / (images + 2) for share in shares) ** 0.5


def cells(percentages: pd.DataFrame, images: int) -> pd.DataFrame:
    """The cells of a confusion matrix for N = 64 beside the paper's, a row each, in % of a class.

    `images`: how many a class has. Index: true class, predicted class. Columns: `paper`, `ours`,
    `difference` and `margin`, and whether the one is `within` the other.
    """
    table = pd.DataFrame({"paper": paper.CONFUSION.stack(), "ours": percentages.stack()})
    table["difference"] = table["ours"] - table["paper"]
    table["margin"] = 100 * margin_of_shares(table["paper"] / 100, table["ours"] / 100, images)
    table["within"] = within(table["difference"], table["margin"])
    return table


def interval(values: Sequence[float] | np.ndarray) -> float:
    """Half the width of the 95 % confidence interval of the mean of `values`, by Student's t."""
    return stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)


class Difference(NamedTuple):
    """`mean` of the differences between pairs, half of its 95 % `interval`, `p` of no difference."""

    mean: float
    interval: float
    p: float


def paired(ones: Sequence[float], others: Sequence[float]) -> Difference | None:
    """`others` less `ones`, pair by pair (such as the seeds that two configurations share): paired t test.

    None where the pairs show no spread: fewer than two of them, or all with the same difference.
    """
    differences = np.subtract(others, ones)
    if len(differences) < 2 or np.ptp(differences) <= 1e-9:
        return None
    return Difference(differences.mean(), interval(differences), stats.ttest_rel(others, ones).pvalue)


def mcnemar(ones: np.ndarray, others: np.ndarray) -> tuple[int, int, float]:
    """Of two classifiers' hits on the same images: those of one only, of the other only, and p (exact)."""
    first, second = int((ones & ~others).sum()), int((others & ~ones).sum())
    return first, second, stats.binomtest(first, max(first + second, 1)).pvalue


def pairs_needed(difference: float, deviation: float, power: float = 0.8) -> float:
    """With how many pairs a paired t test (5 %) finds a mean `difference` with probability `power`.

    `deviation`: the standard deviation of the differences between pairs; where it is 0, two pairs will do.
    To find 0: infinitely many.
    """
    if not difference:
        return math.inf
    if not deviation:
        return 2
    effect = abs(difference) / deviation
    # The normal distribution asks for fewer, and nearly as many.
    pairs = max(2, math.floor(((stats.norm.ppf(0.975) + stats.norm.ppf(power)) / effect) ** 2))
    while True:
        limit, shift = stats.t.ppf(0.975, pairs - 1), effect * pairs**0.5
        if stats.nct.sf(limit, pairs - 1, shift) >= power:  # the other tail is nothing by then
            return pairs
        pairs += 1
