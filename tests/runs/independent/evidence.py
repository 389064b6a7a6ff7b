"""Chapter 7's evidence by NumPy alone: how likely what the paper publishes is with each way to train."""

import math
from functools import cache

import numpy as np
from independent import student
from independent.stored import Run, classifiers, complete, lost, measured, origin

from moda import paper

# What the training of both networks has other than the assignment's.
SETTINGS = {
    "32": {"batch_size": 32},
    "64": {"batch_size": 64},
    "100": {},
    "128": {"batch_size": 128},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.1},
    "momentum": {"optimizer": "momentum", "learning_rate": 0.01},
}
ADAM, SGD = ["32", "64", "100", "128"], ["sgd", "momentum"]
SIZES = list(paper.ACCURACY)


def simulated(setting: str, n=64) -> list[Run]:
    """All there are, whatever the seeds of the classifier and of its autoencoder."""
    changed = SETTINGS[setting]
    return classifiers(n, None, of_start=changed, **changed)


def encoders(setting: str) -> list[Run]:
    return list({one.folder: one for one in map(origin, simulated(setting))}.values())


@cache
def observed() -> tuple[dict, dict]:
    """Of each setting and N a row per classifier, complete, loss, accuracy, no late jump; and the ECMs."""
    rows = {
        (setting, n): np.array(
            [
                (
                    run.complete,
                    run.measures["test"]["loss"],
                    100 * run.measures["test"]["accuracy"],
                    100 * np.diff(run.history["validation_accuracy"])[2:].max() < 5,
                )
                for run in simulated(setting, n)
            ],
            dtype=float,
        ).reshape(-1, 4)
        for setting in SETTINGS
        for n in SIZES
    }
    return rows, {setting: measured(encoders(setting)) for setting in SETTINGS}


def densities(groups: dict, published, widened=True) -> dict:
    """Of one more run of each group, all of which spread alike; of one measure, or of two together."""
    groups = {name: values.reshape(len(values), -1) for name, values in groups.items() if len(values)}
    freedom = sum(map(len, groups.values())) - len(groups) - (np.size(published) - 1)
    apart = np.concatenate([values - values.mean(0) for values in groups.values()])
    if not apart.any():
        return {}
    scale = np.linalg.cholesky(apart.T @ apart / freedom)
    likely = {}
    for name, values in groups.items():
        of_one = scale * math.sqrt(1 + widened / len(values))
        x = np.linalg.solve(of_one, published - values.mean(0))
        likely[name] = student.density(x, freedom) / np.linalg.det(of_one)
    return likely


def on_a_line(groups: dict, published: float) -> dict:
    """The means of Adam's batches on a line against their logarithm."""
    x = np.concatenate([np.full(len(groups[size]), math.log(int(size))) for size in ADAM])
    y = np.concatenate([groups[size] for size in ADAM])
    slope, height = np.polyfit(x, y, 1)
    freedom = len(y) - 2
    deviation = math.sqrt(np.square(y - height - slope * x).sum() / freedom)
    likely = {}
    for size in ADAM:
        at = math.log(int(size))
        scale = deviation * math.sqrt(1 + 1 / len(x) + (at - x.mean()) ** 2 / np.square(x - x.mean()).sum())
        likely[size] = student.density((published - height - slope * at) / scale, freedom) / scale
    return likely


def laplace(happened: np.ndarray) -> float:
    return (happened.sum() + 1) / (len(happened) + 2)


def product(factors: list[dict]) -> np.ndarray:
    """By setting; what was not simulated gets the best of the others."""
    return np.prod(
        [[one.get(setting, max(one.values(), default=1)) for setting in SETTINGS] for one in factors], axis=0
    )


def believed(rows: dict, ecms: dict, larger="apart", widened=True, without=()) -> dict:
    """How likely each setting is, in per cent, if the assignment's had one half before.

    `larger`: whether the means with more neurons are those of the setting, on a line, or the same for all.
    `widened`: whether it counts that the means are known from few runs.
    """
    whole = {key: some[some[:, 0] == 1] for key, some in rows.items()}
    pairs = {setting: whole[setting, 64][:, 1:3] for setting in SETTINGS}
    factors = [
        densities(ecms, paper.ECM, widened),
        densities(pairs, [paper.CROSS_ENTROPY, 100 * paper.ACCURACY[64]], widened),
        {setting: laplace(whole[setting, 64][:, 3]) for setting in SETTINGS},
    ]
    for n in (128, 256):
        accuracies = {setting: whole[setting, n][:, 2] for setting in SETTINGS}
        if larger == "apart":
            factors.append(densities(accuracies, 100 * paper.ACCURACY[n], widened))
        elif larger == "line":
            factors.append(on_a_line(accuracies, 100 * paper.ACCURACY[n]))
    kept = [{one: laplace(rows[one, n][:, 0]) for one in SETTINGS if len(rows[one, n])} for n in SIZES]
    prior = np.array([0 if one in without else 1 for one in SETTINGS], dtype=float)
    prior[list(SETTINGS).index("100")] = prior.sum() - 1
    # Once in one attempt, or for sure if repeated.
    weights = prior * product(factors) * (product(kept) + 1)
    return dict(zip(SETTINGS, 100 * weights / weights.sum()))


@cache
def ways() -> list[dict]:
    """Of calculating the evidence."""
    return [
        believed(*observed()),
        believed(*observed(), larger="same"),
        believed(*observed(), larger="line"),
        believed(*observed(), widened=False),
        believed(*observed(), without=SGD),
    ]


def ratios() -> list[float]:
    """In each way, how many times as likely what is published is with 64 as with 100."""
    rivals = [5, 5, 5, 5, 3]  # to one: what the assignment's had before, against 64
    return [before * one["64"] / one["100"] for before, one in zip(rivals, ways())]


def resampled(groups: dict, draw: np.random.Generator) -> dict:
    return {key: drawn_again(some, draw) if len(some) else some for key, some in groups.items()}


def drawn_again(some: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """As many runs, one of them complete if any of these is."""
    while True:
        drawn = draw.choice(some, len(some))
        if some.ndim == 1 or drawn[:, 0].any() or not some[:, 0].any():
            return drawn


@cache
def shares_again(same_seeds=False) -> np.ndarray:
    """Of 64 and of 100, in per cent, in each of 2000 resamples; if asked, of the same seeds in both."""
    draw = np.random.Generator(np.random.MT19937(7))
    rows, ecms = observed()
    shares = []
    for _ in range(2000):
        again = resampled(rows, draw)
        for n in SIZES if same_seeds else []:
            both = drawn_again(np.hstack([rows["64", n], rows["100", n]]), draw)
            again["64", n], again["100", n] = np.hsplit(both, 2)
        one = believed(again, resampled(ecms, draw))
        shares.append((one["64"], one["100"]))
    return np.array(shares)


def ahead(shares: np.ndarray) -> float:
    """In how many per cent of these resamples 64 is more likely than 100."""
    of_64, of_100 = shares.T
    return 100 * np.mean(of_64 > of_100)


@cache
def order() -> str:
    """64 or 100 are more likely if they are so in every way that votes, and in 95 % of resamples."""
    same_mean = 1  # in which the accuracy with more neurons does not count
    votes = {one["64"] > one["100"] for place, one in enumerate(ways()) if place != same_mean}
    if votes == {True} and ahead(shares_again()) >= 95:
        return "Los de 64 son más probables"
    if votes == {False} and ahead(shares_again()) <= 5:
        return "Los de 100 son más probables"
    return "Con estas corridas no se decide entre los dos"


def excluded_by_ecm() -> bool:
    """The two of SGD: a million times less likely than another."""
    likely = densities(observed()[1], paper.ECM)
    return max(likely[one] for one in SGD) < 1e-6 * max(likely.values())


def three_complete(level: float) -> float:
    """A quantile, in per cent, of the product of three shares known by the ten networks of each N."""
    share = np.linspace(0, 1, 20_001)
    of_each = []
    for n in SIZES:
        mass = np.cumsum(share ** len(complete(n)) * (1 - share) ** len(lost(n)))
        of_each.append(np.interp((np.arange(150) + 0.5) / 150, mass / mass[-1], share))
    one, two, three = of_each
    return 100 * np.quantile(np.multiply.outer(np.multiply.outer(one, two), three), level)
