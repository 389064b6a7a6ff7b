"""The statistics on which verdicts rest, against SciPy and worked examples."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from moda import paper
from moda.comparison import (
    Prediction,
    cells,
    interval,
    margin_of_runs,
    paired,
    size_reaching,
    unpaired,
    wilson_interval,
    within,
)


@pytest.mark.parametrize(
    "difference, inside",
    [(0.5, True), (-0.5, True), (0.51, False), (-0.51, False), (0, True), (np.nan, False)],
)
def test_both_signs_count_and_the_margin_itself_is_inside(difference, inside):
    assert within(difference, 0.5) == inside


def test_margin_of_runs_holds_95_of_100_differences_between_equals():
    runs = np.random.default_rng(0).normal(0.05, 0.001, (2, 2000))
    assert within(runs[0] - runs[1], margin_of_runs(runs[0])).mean() == pytest.approx(0.95, abs=0.02)
    # The variance of 1 to 5 is 2.5.
    assert margin_of_runs(pd.Series([1, 2, 3, 4, 5])) == pytest.approx(2 * 5**0.5)


def near_the_paper(*changes: float) -> list[pd.DataFrame]:
    """The paper's matrix, once for each change to one of its cells."""
    matrices = []
    for change in changes:
        matrices.append(paper.CONFUSION.copy())
        matrices[-1].loc["Abrigo", "Buzo"] += change
    return matrices


def test_cells_differ_if_the_paper_s_is_not_where_one_more_network_would_be():
    table = cells(near_the_paper(4.0, 5.0, 6.0))
    (outside,) = table.index[~table["within"]]
    assert outside == ("Abrigo", "Buzo") and isinstance(table.index, pd.MultiIndex) and len(table) == 100
    assert table.loc[outside, ["paper", "ours", "difference"]].tolist() == pytest.approx([4.2, 9.2, 5])
    # Student's t for two degrees of freedom is 4.303.
    assert table.loc[outside, "margin"] == pytest.approx(4.303 * (4 / 3) ** 0.5, rel=1e-3)
    assert cells(near_the_paper(-3.0, 5.0, 6.0))["within"].all()


def test_cells_in_which_all_networks_agree_may_be_an_image_away():
    assert cells(near_the_paper(0.1, 0.1))["within"].all()
    assert (~cells(near_the_paper(0.2, 0.2))["within"]).sum() == 1


def test_interval_of_a_mean():
    # Student's t for four degrees of freedom is 2.776.
    assert interval([1, 2, 3, 4, 5]) == pytest.approx(2.776 * (2.5 / 5) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("together", [1, 4])
def test_differences_have_the_intervals_of_scipy(together):
    """Each as wide as it takes for all to hold at once."""
    ones, others = np.random.default_rng(0).normal(size=(2, 7))
    for function, expected in (
        (paired, stats.ttest_rel(others, ones)),
        (unpaired, stats.ttest_ind(others, ones, equal_var=False)),
    ):
        limits = expected.confidence_interval(1 - 0.05 / together)
        assert function(ones, others, together) == pytest.approx(
            ((others - ones).mean(), (limits.high - limits.low) / 2)
        )
    limits = stats.t.interval(0.95, 6, ones.mean(), stats.sem(ones))
    assert interval(ones) == pytest.approx((limits[1] - limits[0]) / 2)


def test_wilson_interval_of_a_share():
    """The roots p of (share - p)² = z² p (1 - p) / total."""
    z, share, total = 1.959964, 0.7, 10
    roots = np.roots([1 + z**2 / total, -2 * share - z**2 / total, share**2])
    assert wilson_interval(7, total) == pytest.approx(sorted(roots), rel=1e-6)
    assert wilson_interval(0, total)[0] == 0


def test_prediction_from_one_group_is_the_t_test_of_one_more_value():
    runs = pd.Series([5.0, 6.0, 8.0, 6.5])
    prediction = Prediction([runs])
    for value in (2.0, 3.0, 4.0, 9.0, 9.5, 10.0):
        likely = stats.ttest_ind(runs, [value]).pvalue >= 0.05
        assert prediction.allows(runs, value) == likely
    limit = runs.mean() + prediction.margin(4)
    assert stats.ttest_ind(runs, [limit]).pvalue == pytest.approx(0.05)


def test_density_of_one_more_run_is_highest_at_the_mean_and_has_an_area_of_one():
    runs = pd.Series([5.0, 6.0, 8.0, 6.5])
    prediction, places = Prediction([runs]), np.linspace(-60, 75, 20_001)
    densities = np.array([prediction.density(runs, place) for place in places])
    assert places[densities.argmax()] == pytest.approx(runs.mean(), abs=0.01)
    assert np.trapezoid(densities, places) == pytest.approx(1, abs=1e-3)
    outside = abs(places - runs.mean()) > prediction.margin(len(runs))
    assert np.trapezoid(np.where(outside, densities, 0), places) == pytest.approx(0.05, abs=2e-3)
    # As if the mean were known, the same values are less spread.
    assert prediction.density(runs, runs.mean(), widened=False) > densities.max()
    assert math.isnan(prediction.density(runs[:0], 1.0))
    assert math.isnan(Prediction([runs[:1]]).density(runs[:1], 1.0))


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
    difference = paired(ones, others)
    assert difference.mean == pytest.approx(1.0) and difference.interval < 0.3 and difference.clear
    apart = unpaired(ones, others)
    assert apart.mean == pytest.approx(1.0) and apart.interval > 5 and not apart.clear
    assert paired(others, ones).mean == pytest.approx(-1.0) and paired(others, ones).clear


@pytest.mark.parametrize("ones, others", [([1.0], [1.0, 2.0]), ([1.0, 1.0], [2.0, 2.0]), ([], [1.0, 2.0])])
def test_groups_without_a_spread_tell_no_difference(ones, others):
    assert unpaired(ones, others) is None


@pytest.mark.parametrize("ones, others", [([], []), ([1.0], [2.0]), ([1.0, 2.0], [2.0, 3.0])])
def test_pairs_without_a_spread_tell_no_difference(ones, others):
    assert paired(ones, others) is None


@pytest.mark.parametrize(
    "accuracy, size",
    [(70, 100), (75, 10**2.5), (80, 1000), (85, 10**3.5), (90, 10_000), (69, 0), (91, math.inf)],
)
def test_size_reaching_an_accuracy_is_read_between_the_points_of_the_curve(accuracy, size):
    assert size_reaching(accuracy, [100, 1000, 10_000], [70, 80, 90]) == pytest.approx(size)


def test_size_reaching_passes_over_a_dent_in_the_curve():
    assert size_reaching(85, [100, 1000, 10_000, 100_000], [70, 80, 75, 90]) == pytest.approx(10**4.5)
