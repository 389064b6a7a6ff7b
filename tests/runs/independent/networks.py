"""The paper's two networks by NumPy alone, from the stored weights, and what they make of the images."""

from functools import cache

import numpy as np
from independent.stored import Run, autoencoders, complete, labels, order, to_test, to_train, to_validate
from threadpoolctl import threadpool_limits


def convolved(x: np.ndarray, weights: dict, name: str) -> np.ndarray:
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    return np.einsum("mchwij,ocij->mohw", windows, weight, optimize=True) + bias[:, None, None]


def transposed(x: np.ndarray, weights: dict, name: str) -> np.ndarray:
    """Stride 2, output padding 1: every input adds its kernel to the output."""
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    size, side = x.shape[2], 2 * x.shape[2] - 1 + weight.shape[2]
    kernels = np.einsum("mchw,coij->ijmohw", x, weight, optimize=True)
    y = np.zeros((len(x), weight.shape[1], side, side), np.float32) + bias[:, None, None]
    for i, j in np.ndindex(weight.shape[2:]):
        y[:, :, i : i + 2 * size : 2, j : j + 2 * size : 2] += kernels[i, j]
    return y


def pooled(x: np.ndarray) -> np.ndarray:
    half = 2 * (x.shape[2] // 2)
    rows = np.maximum(x[:, :, :half:2, :half], x[:, :, 1:half:2, :half])
    return np.maximum(rows[..., ::2], rows[..., 1::2])


def linear(x: np.ndarray, weights: dict, name: str) -> np.ndarray:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


@threadpool_limits.wrap(limits=1)  # on busy cores the threads of a small product wait for one another
def by_parts(function, x: np.ndarray) -> np.ndarray:
    """A layer of all images at once would take much memory."""
    return np.concatenate([function(part) for part in np.array_split(x, len(x) // 200)])


def encoded(run: Run, pixels: np.ndarray) -> np.ndarray:
    weights = run.weights

    def code(x):
        x = pooled(relu(convolved(x.reshape(-1, 1, 28, 28), weights, "encoder.0")))
        x = pooled(relu(convolved(x, weights, "encoder.4")))
        return relu(linear(x.reshape(len(x), -1), weights, "encoder.9"))

    return by_parts(code, pixels)


def decoded(run: Run, codes: np.ndarray) -> np.ndarray:
    weights = run.weights

    def image(code):
        x = relu(linear(code, weights, "decoder.0")).reshape(-1, 32, 5, 5)
        x = transposed(relu(transposed(x, weights, "decoder.4")), weights, "decoder.7")
        with np.errstate(over="ignore"):  # where the sigmoid is 0
            return 1 / (1 + np.exp(-x.reshape(-1, 784)))

    return by_parts(image, codes)


# The autoencoders


@cache
def code(seed: int) -> np.ndarray:
    return encoded(*autoencoders(seeds=[seed]), to_test())


@cache
def rebuilt(seed: int) -> np.ndarray:
    return decoded(*autoencoders(seeds=[seed]), code(seed))


def silent(seed: int) -> int:
    """How many neurons are 0 for every test image."""
    return (code(seed) == 0).all(0).sum()


def in_frame(seed: int) -> float:
    """What part of the ECM is in the last three rows and columns, in per cent."""
    squares = np.square(rebuilt(seed) - to_test()).sum(0, dtype=float).reshape(28, 28)
    return 100 * (1 - squares[:25, :25].sum() / squares.sum())


def depending(seed: int) -> np.ndarray:
    """Which pixels of the output depend on the image."""
    return (np.ptp(rebuilt(seed), axis=0) > 1e-6).reshape(28, 28)


@cache
def brightened(seed: int) -> np.ndarray:
    """The ECM as it is, and with the output times what is best for some of the images to validate with."""
    (run,), true = autoencoders(seeds=[seed]), to_validate()[:2000]
    some = decoded(run, encoded(run, true))
    factor = (some * true).sum(dtype=float) / np.square(some).sum(dtype=float)
    return np.array([np.square(f * rebuilt(seed) - to_test()).mean(dtype=float) for f in (1, factor)])


# The classifiers


@cache
def scores(place: int) -> np.ndarray:
    """Those that one of the complete networks gives to the test images."""
    run = complete()[place]
    return relu(linear(encoded(run, to_test()), run.weights, "head.0"))


def entropy(place: int) -> float:
    given = scores(place).astype(float)
    largest = given.max(1)
    own = given[np.arange(len(given)), labels("t10k")]
    return (np.log(np.exp(given - largest[:, None]).sum(1)) + largest - own).mean()


@cache
def confusion(place: int) -> np.ndarray:
    """In per cent of each class, of which there are a thousand images."""
    counts = np.zeros((10, 10))
    np.add.at(counts, (labels("t10k"), scores(place).argmax(1)), 1)
    return counts / 10


@cache
def confusions() -> np.ndarray:
    return np.array([confusion(place) for place in range(len(complete()))])


def recognised(known: np.ndarray, asked: np.ndarray) -> float:
    """How many of the test images get their class from the five nearest of 5000, in per cent."""
    near_to = labels("train")[order()[:5000]]

    def given(some):
        far = np.square(known).sum(1) - 2 * some @ known.T
        classes = near_to[np.argpartition(far, 5)[:, :5]]
        return (classes[:, :, None] == np.arange(10)).sum(1).argmax(1)

    return 100 * (by_parts(given, asked) == labels("t10k")).mean()


def recognised_by_code(run: Run) -> float:
    return recognised(encoded(run, to_train(5000)), encoded(run, to_test()))
