"""The rule that judges a difference from the paper."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from moda import paper
from moda.comparison import (
    cells,
    interval,
    margin_of_means,
    margin_of_runs,
    margin_of_shares,
    mcnemar,
    paired,
    pairs_needed,
    within,
)


@pytest.mark.parametrize(
    "difference, inside",
    [(0.5, True), (-0.5, True), (0.51, False), (-0.51, False), (0, True), (np.nan, False)],
)
def test_both_signs_count_and_the_margin_itself_is_inside(difference, inside):
    assert within(difference, 0.5) == inside


def test_margins_hold_95_of_100_differences_between_equals():
    """Two measurements of the same thing: runs of one kind, means over 500 images, shares of 500."""
    random = np.random.default_rng(0)
    runs = random.normal(0.05, 0.001, (2, 2000))
    images = random.exponential(1, (2, 2000, 500))
    shares = random.binomial(500, 0.1, (2, 2000)) / 500
    inside = [
        within(runs[0] - runs[1], margin_of_runs(runs[0])),
        within(images[0].mean(1) - images[1].mean(1), margin_of_means(images[0, 0])),
        within(shares[0] - shares[1], margin_of_shares(shares[0], shares[1], 500)),
    ]
    assert np.mean(inside, axis=1) == pytest.approx(0.95, abs=0.02)


def test_margins_of_worked_examples():
    """Two standard errors of a difference; the variance of 1 to 5 is 2.5, of 0 and 2 it is 2."""
    assert margin_of_runs(pd.Series([1, 2, 3, 4, 5])) == pytest.approx(2 * 5**0.5)
    assert margin_of_means(np.array([0, 2])) == pytest.approx(2 * 2**0.5)
    # Of 8 images none and 4, with one more of each kind: 1 and 5 of 10.
    assert margin_of_shares(0.0, 0.5, 8) == pytest.approx(2 * (0.1 * 0.9 / 10 + 0.5 * 0.5 / 10) ** 0.5)


def test_margin_of_the_exactitud():
    """Of 10000 images 90 %: the standard error is 0.3 points, that of a difference 1.41 times it."""
    assert margin_of_shares(0.9, 0.9, 10_000) == pytest.approx(2 * 2**0.5 * 0.003, rel=1e-3)


def test_an_empty_cell_is_not_certain():
    """None and three of 1000 can be the same; none and ten cannot."""
    assert within(0.003, margin_of_shares(0.0, 0.003, 1000))
    assert not within(0.010, margin_of_shares(0.0, 0.010, 1000))


def test_cells_of_the_papers_own_matrix_are_within():
    table = cells(paper.CONFUSION, 1000)
    assert len(table) == 100 and table["within"].all() and not table["difference"].any()


def test_cells_tell_ours_from_the_papers():
    ours = paper.CONFUSION.copy()
    ours.loc["Abrigo", "Buzo"] += 5
    ours.loc["Bota", "Bota"] -= 0.5
    table = cells(ours, 1000)
    (outside,) = table.index[~table["within"]]
    assert outside == ("Abrigo", "Buzo")
    assert table.loc[outside, ["paper", "ours", "difference"]].tolist() == pytest.approx([4.2, 9.2, 5])
    assert table.loc[("Bota", "Bota"), "difference"] == pytest.approx(-0.5)
    assert isinstance(table.index, pd.MultiIndex)
    assert table.loc[outside, "margin"] == pytest.approx(100 * margin_of_shares(0.042, 0.092, 1000))


def test_interval_of_a_mean():
    # Student's t for four degrees of freedom is 2.776.
    assert interval([1, 2, 3, 4, 5]) == pytest.approx(2.776 * (2.5 / 5) ** 0.5, rel=1e-3)


def test_interval_and_paired_test_are_those_of_scipy():
    ones, others = np.random.default_rng(0).normal(size=(2, 7))
    expected = stats.ttest_rel(others, ones)
    limits = expected.confidence_interval(0.95)
    assert paired(ones, others) == pytest.approx(
        ((others - ones).mean(), (limits.high - limits.low) / 2, expected.pvalue)
    )
    limits = stats.t.interval(0.95, 6, ones.mean(), stats.sem(ones))
    assert interval(ones) == pytest.approx((limits[1] - limits[0]) / 2)


def test_paired_difference_takes_out_what_the_pairs_share():
    ones, others = [1.0, 5.0, 9.0], [2.0, 6.1, 9.9]
    mean, half, p = paired(ones, others)
    assert mean == pytest.approx(1.0)
    assert half < 0.3 and p < 0.01
    assert paired(others, ones).mean == pytest.approx(-1.0)


@pytest.mark.parametrize("ones, others", [([], []), ([1.0], [2.0]), ([1.0, 2.0], [2.0, 3.0])])
def test_pairs_without_a_spread_tell_no_difference(ones, others):
    assert paired(ones, others) is None


def test_mcnemar_counts_the_images_that_one_gets_right_and_the_other_does_not():
    ones = np.array([True] * 10 + [False] * 2 + [True] * 50)
    others = np.array([False] * 10 + [True] * 2 + [True] * 50)
    assert mcnemar(ones, others) == (10, 2, pytest.approx(2 * 79 / 4096))
    assert mcnemar(ones, ones) == (0, 0, 1.0)


@pytest.mark.parametrize("effect, pairs", [(0.5, 34), (1.0, 10)])
def test_pairs_needed_are_those_of_the_tables(effect, pairs):
    """Cohen (1988): a paired t test at 5 %, power 80 %."""
    assert pairs_needed(effect, 1.0) == pairs_needed(-2 * effect, 2.0) == pairs


def test_more_power_needs_more_pairs():
    assert [pairs_needed(0.5, 1.0, power) for power in (0.5, 0.8, 0.9, 0.95)] == [18, 34, 44, 54]


def test_pairs_needed_are_the_fewest_that_find_it():
    """In trials of the test itself."""
    pairs, random = pairs_needed(0.8, 1.0), np.random.default_rng(0)
    found = [
        np.mean(stats.ttest_1samp(random.normal(0.8, 1, (20_000, count)), 0, axis=1).pvalue < 0.05)
        for count in (pairs - 1, pairs)
    ]
    assert found[0] < 0.8 <= found[1]


def test_no_number_of_pairs_finds_nothing():
    assert pairs_needed(0.0, 1.0) == np.inf
    assert pairs_needed(5.0, 1.0) == pairs_needed(8.96, 1.0) == 3


def test_two_pairs_find_what_always_comes_out():
    assert pairs_needed(0.5, np.float64(0)) == pairs_needed(0.5, 1e-9) == 2
