"""The statistics on which verdicts rest, against SciPy and worked examples."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from moda import paper
from moda.comparison import (
    Prediction,
    cells,
    deviation_interval,
    interval,
    least_mcnemar,
    margin_of_means,
    margin_of_runs,
    margin_of_shares,
    mcnemar,
    normal_interval,
    paired,
    pairs_needed,
    ratio_interval,
    size_reaching,
    wilson_interval,
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


def test_normal_interval_of_a_share():
    """Of 10000 images 90 %: 1.96 standard errors of 0.3 points."""
    assert normal_interval(0.9, 10_000) == pytest.approx(1.96 * 0.003)


def test_wilson_interval_of_a_share():
    """The roots p of (share - p)² = z² p (1 - p) / total."""
    z, share, total = 1.959964, 0.7, 10
    roots = np.roots([1 + z**2 / total, -2 * share - z**2 / total, share**2])
    assert wilson_interval(7, total) == pytest.approx(sorted(roots), rel=1e-6)
    assert wilson_interval(0, total)[0] == 0


def test_ratio_interval_holds_95_of_100_ratios():
    """Of the sums of 300 pairs, whose true ratio is 1/3; and it is 0 where all pairs have one ratio."""
    random = np.random.default_rng(0)
    wholes = torch.from_numpy(random.gamma(2, 1, (2000, 300)))
    parts = wholes * torch.from_numpy(random.beta(1, 2, (2000, 300)))
    inside = [
        within(part.sum() / whole.sum() - 1 / 3, ratio_interval(part, whole))
        for part, whole in zip(parts, wholes)
    ]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)
    assert ratio_interval(wholes[0] / 3, wholes[0]) == pytest.approx(0)


def test_deviation_interval_holds_95_of_100_deviations():
    assert deviation_interval(4) == pytest.approx((0.599, 2.874), abs=1e-3)  # of the tables: 11.14 and 0.484
    deviations = np.random.default_rng(0).normal(0, 1, (20_000, 5)).std(axis=1, ddof=1)
    low, high = (factor * deviations for factor in deviation_interval(4))
    assert ((low < 1) & (high > 1)).mean() == pytest.approx(0.95, abs=0.005)


def test_prediction_from_one_group_is_the_t_test_of_one_more_value():
    runs = pd.Series([5.0, 6.0, 8.0, 6.5])
    prediction = Prediction([runs])
    for value in (2.0, 3.0, 4.0, 9.0, 9.5, 10.0):
        likely = stats.ttest_ind(runs, [value]).pvalue >= 0.05
        assert prediction.allows(runs, value) == likely
    limit = runs.mean() + prediction.margin(4)
    assert stats.ttest_ind(runs, [limit]).pvalue == pytest.approx(0.05)


def test_prediction_pools_the_deviation_of_all_groups():
    """Squares of 2 and 8 around the means of two groups, in 2 + 1 degrees of freedom; t of 3 is 3.182."""
    groups = [pd.Series(values) for values in ([1.0, 2.0, 3.0], [10.0, 14.0], [50.0], [])]
    prediction = Prediction(groups)
    assert (prediction.freedom, prediction.deviation) == (3, pytest.approx((10 / 3) ** 0.5))
    assert prediction.margin(3) == pytest.approx(3.182 * (10 / 3 * 4 / 3) ** 0.5, rel=1e-3)
    assert [prediction.allows(groups[2], value) for value in (42.0, 58.0, 41.0)] == [True, True, False]
    assert not prediction.allows(groups[3], 2.0), "there is no mean"


def test_prediction_without_a_second_run_allows_the_value_itself():
    prediction = Prediction([pd.Series([3.0]), pd.Series([4.0])])
    assert math.isnan(prediction.deviation) and prediction.margin(1) == 0
    assert prediction.allows(pd.Series([3.0]), 3.0) and not prediction.allows(pd.Series([3.0]), 3.1)


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


def test_least_mcnemar_is_about_where_the_exact_test_begins_to_tell():
    disputed = 2000
    for factor, told in ((0.97, False), (1.06, True)):
        more = round((disputed + factor * least_mcnemar(disputed)) / 2)
        ones, others = np.arange(disputed) < more, np.arange(disputed) >= more
        assert (mcnemar(ones, others)[2] < 0.05) == told


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


@pytest.mark.parametrize(
    "accuracy, size",
    [(70, 100), (75, 10**2.5), (80, 1000), (85, 10**3.5), (90, 10_000), (69, 0), (91, math.inf)],
)
def test_size_reaching_an_accuracy_is_read_between_the_points_of_the_curve(accuracy, size):
    assert size_reaching(accuracy, [100, 1000, 10_000], [70, 80, 90]) == pytest.approx(size)


def test_size_reaching_passes_over_a_dent_in_the_curve():
    assert size_reaching(85, [100, 1000, 10_000, 100_000], [70, 80, 75, 90]) == pytest.approx(10**4.5)
