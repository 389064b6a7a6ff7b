"""Student's t and what is said with it, by NumPy alone."""

import math

import numpy as np

ANGLES = np.linspace(0, math.pi / 2, 200_001)

Difference = tuple[float, float]  # its mean, and half its interval


def within(freedom: float) -> np.ndarray:
    """Of |t| below sqrt(freedom) tan(a) for each angle a, whose density goes as cos(a) ** (freedom - 1)."""
    density = np.cos(ANGLES) ** (freedom - 1)
    mass = np.concatenate([[0], np.cumsum(density[1:] + density[:-1])])
    return mass / mass[-1]


def quantile(level: float, freedom: float) -> float:
    return math.sqrt(freedom) * math.tan(np.interp(2 * level - 1, within(freedom), ANGLES))


def p_value(t: float, freedom: float) -> float:
    return 1 - np.interp(math.atan(abs(t) / math.sqrt(freedom)), ANGLES, within(freedom))


def density(x: np.ndarray, freedom: float) -> float:
    """At a point in as many dimensions as it has numbers, each with the same unit of scale."""
    size = np.size(x)
    gammas = math.lgamma((freedom + size) / 2) - math.lgamma(freedom / 2)
    power = (freedom + size) / 2 * math.log1p(np.square(x).sum() / freedom)
    return math.exp(gammas - power - size / 2 * math.log(math.pi * freedom))


def mean(values: np.ndarray, together: int = 1) -> Difference:
    """The interval is one of so many that hold together."""
    error = values.std(ddof=1) / math.sqrt(len(values))
    return values.mean(), quantile(1 - 0.025 / together, len(values) - 1) * error


def lead(ones: np.ndarray, others: np.ndarray, more: int = 0) -> tuple[float, float, float]:
    """How much the others lead on average, in groups that share nothing: mean, standard error and freedom.

    With `more` of 1, how much one more of the others leads one more of these.
    """
    parts = [values.var(ddof=1) * (more + 1 / len(values)) for values in (ones, others)]
    freedom = sum(parts) ** 2 / sum(part**2 / (len(v) - 1) for part, v in zip(parts, (ones, others)))
    return others.mean() - ones.mean(), math.sqrt(sum(parts)), freedom


def welch(ones: np.ndarray, others: np.ndarray, together: int = 1) -> Difference:
    """How much more the others are on average, in groups that share nothing."""
    middle, error, freedom = lead(ones, others)
    return middle, quantile(1 - 0.025 / together, freedom) * error


def prediction(values: np.ndarray) -> np.ndarray:
    """Half the interval of one more value around the mean of these; in a matrix, of each column."""
    k = len(values)
    return quantile(0.975, k - 1) * values.std(axis=0, ddof=1) * math.sqrt(1 + 1 / k)


def clear(*differences: Difference) -> bool:
    """Whether each interval excludes 0."""
    return all(abs(middle) > half for middle, half in differences)


def said(difference: Difference) -> str:
    return "{:+.2f} ± {:.2f}".format(*difference)
