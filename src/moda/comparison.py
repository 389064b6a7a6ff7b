"""The rule by which a difference from the paper's value is within what chance explains, or not.

A margin is two standard errors of the difference between two measurements that have the same error:
the paper's and ours.
"""

import numpy as np
import pandas as pd

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
