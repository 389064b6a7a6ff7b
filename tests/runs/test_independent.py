"""The headline numbers again, without the package: NumPy, the stored files and the data set alone."""

import ast
import json
import statistics
from pathlib import Path

import nbformat
import numpy as np
import pytest
from safetensors.numpy import load_file

from moda.data import locate  # only to find the files

PROJECT = Path(__file__).resolve().parents[2]
REFERENCE = PROJECT / "runs" / "reference"
AUTOENCODER = {
    "type": "AutoencoderRun",
    "dropout": 0.2,
    "epochs": 15,
    "batch_size": 100,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "train_size": 50_000,
    "output_dropout": True,
    "all_pixels": False,
}
CLASSIFIER = {
    "type": "ClassifierRun",
    "dropout": 0.2,
    "epochs": 30,
    "batch_size": 100,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "train_size": 50_000,
    "train_block": 0,
    "decay": False,
    "warm_up": 0,
    "output_relu": True,
    "leak": 0.0,
    "bias": 0.0,
}


def folders(n: int) -> dict[int, tuple[Path, Path]]:
    """The autoencoder and the classifier of each seed from 0 to 9."""
    found: dict[tuple[str, int], Path] = {}
    for path in REFERENCE.glob(f"*-n{n}-*/run.json"):
        configuration = json.loads(path.read_text())["configuration"]
        seed = configuration["seed"]
        start = AUTOENCODER | {"n": n, "seed": seed}
        if configuration == start:
            found["autoencoder", seed] = path.parent
        if configuration == CLASSIFIER | {"seed": seed, "start": start}:
            found["classifier", seed] = path.parent
    return {seed: (found["autoencoder", seed], found["classifier", seed]) for seed in range(10)}


def metrics(folder: Path, of_set: str = "test") -> dict:
    return json.loads((folder / "metrics.json").read_text())[of_set]


def complete(n: int) -> dict[int, Path]:
    """The classifiers that keep every class on the validation images, by seed."""
    return {
        seed: classifier
        for seed, (_, classifier) in folders(n).items()
        if not metrics(classifier, "validation")["dead_classes"]
    }


def glued(notebook: str) -> dict:
    """What a notebook gives to the prose."""
    (path,) = (PROJECT / "notebooks").glob(f"{notebook}*.ipynb")
    key, values = "application/papermill.record/text/plain", {}
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            if key in output.get("data", {}):
                values[output.metadata.scrapbook.name] = ast.literal_eval(output.data[key])
    return values


def images_of_the_test() -> tuple[np.ndarray, np.ndarray]:
    folder = locate(None)
    images = np.frombuffer((folder / "t10k-images-idx3-ubyte").read_bytes(), np.uint8, offset=16)
    labels = np.frombuffer((folder / "t10k-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8)
    return images.reshape(-1, 1, 28, 28) / np.float32(255), labels


def convolved(x: np.ndarray, weights: dict, name: str) -> np.ndarray:
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    return np.einsum("mchwij,ocij->mohw", windows, weight, optimize=True) + bias[:, None, None]


def transposed(x: np.ndarray, weights: dict, name: str) -> np.ndarray:
    """Stride 2, output padding 1: every input adds its kernel to the output."""
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    m, _, size, _ = x.shape
    side = 2 * (size - 1) + weight.shape[2] + 1
    y = np.zeros((m, weight.shape[1], side, side), np.float32) + bias[:, None, None]
    for i, j in np.ndindex(weight.shape[2:]):
        part = np.einsum("mchw,co->mohw", x, weight[:, :, i, j], optimize=True)
        y[:, :, i : i + 2 * size : 2, j : j + 2 * size : 2] += part
    return y


def pooled(x: np.ndarray) -> np.ndarray:
    half = 2 * (x.shape[2] // 2)
    rows = np.maximum(x[:, :, :half:2, :half], x[:, :, 1:half:2, :half])
    return np.maximum(rows[..., ::2], rows[..., 1::2])


def linear(x: np.ndarray, weights: dict, name: str) -> np.ndarray:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def encoded(x: np.ndarray, weights: dict) -> np.ndarray:
    x = pooled(relu(convolved(x, weights, "encoder.0")))
    x = pooled(relu(convolved(x, weights, "encoder.4")))
    return relu(linear(x.reshape(len(x), -1), weights, "encoder.9"))


def decoded(code: np.ndarray, weights: dict) -> np.ndarray:
    x = relu(linear(code, weights, "decoder.0")).reshape(-1, 32, 5, 5)
    x = relu(transposed(x, weights, "decoder.4"))
    with np.errstate(over="ignore"):  # where the sigmoid is 0
        return 1 / (1 + np.exp(-transposed(x, weights, "decoder.7")))


@pytest.mark.slow
def test_networks_that_stand_for_the_paper_s_give_the_numbers_shown():
    images, labels = images_of_the_test()
    seed, classifier = next(iter(complete(64).items()))
    weights = [load_file(folder / "weights.safetensors") for folder in (folders(64)[seed][0], classifier)]
    squares, scores = [], []
    for x in np.split(images, 50):
        squares.append(np.square(decoded(encoded(x, weights[0]), weights[0]) - x).mean(dtype=float))
        scores.append(relu(linear(encoded(x, weights[1]), weights[1], "head.0")))
    given = np.concatenate(scores).astype(float)
    largest = given.max(1)
    entropies = np.log(np.exp(given - largest[:, None]).sum(1)) + largest - given[np.arange(10_000), labels]
    assert glued("03")["ecm"] == pytest.approx(np.mean(squares), rel=1e-4)
    assert glued("04")["entropia"] == pytest.approx(entropies.mean(), rel=1e-4)
    # Two images may lie on an edge.
    assert glued("04")["exactitud"] == pytest.approx(100 * (given.argmax(1) == labels).mean(), abs=0.02)
    assert (given > 0).any(0).all(), "every class has a score"


def test_means_over_the_seeds_are_those_shown():
    c3, c6 = glued("03"), glued("06")
    ecms = [metrics(autoencoder)["loss"] for autoencoder, _ in folders(64).values()]
    assert c3["ecm_media"] == pytest.approx(statistics.mean(ecms))
    assert c3["ecm_desvio"] == pytest.approx(statistics.stdev(ecms))
    for n in (64, 128, 256):
        whole = complete(n)
        accuracies = [100 * metrics(folder)["accuracy"] for folder in whole.values()]
        assert c6[f"completas_{n}"] == len(whole)
        assert c6[f"elegida_{n}"] == min(whole)
        assert c6[f"exactitud_{n}"] == pytest.approx(statistics.mean(accuracies))
        assert c6[f"exactitud_desvio_{n}"] == pytest.approx(statistics.stdev(accuracies))
        assert c6[f"entropia_{n}"] == pytest.approx(
            statistics.mean(metrics(folder)["loss"] for folder in whole.values())
        )
