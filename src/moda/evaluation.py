"""How good a network is: ECM (Eq. 1), cross entropy (Eq. 2), Exactitud (Eq. 3), confusion matrix (Fig. 7).

Everything is measured with dropout off, as the paper's values turn out to be, unless asked otherwise.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moda.arithmetic import one_thread
from moda.data import CLASSES, Images
from moda.models import Classifier

# Enough to fill a processor's caches, and small beside the memory of any machine.
BATCH_SIZE = 500


def autoencoder_metrics(model: nn.Module, images: Images, dropout: bool = False) -> dict[str, float]:
    """{"loss": ECM}, the mean over images and pixels of the squared error (Eq. 1).

    With `dropout` the error of training mode, its masks drawn from a fixed seed.
    """
    losses = []
    with _mode(model, dropout):
        for batch in _batches(images):
            x = batch.pixels
            losses.append(F.mse_loss(model(x), x) * len(batch))
    return {"loss": _sum(losses) / len(images)}


def classifier_metrics(model: nn.Module, images: Images, dropout: bool = False) -> dict[str, float]:
    """{"loss": cross entropy in nats (Eq. 2), "accuracy": Exactitud in [0, 1] (Eq. 3)}.

    With `dropout` those of training mode, the masks drawn from a fixed seed.
    """
    losses, hits = [], []
    with _mode(model, dropout):
        for batch in _batches(images):
            scores = model(batch.pixels)
            losses.append(F.cross_entropy(scores, batch.labels) * len(batch))
            hits.append((scores.argmax(1) == batch.labels).sum())
    return {"loss": _sum(losses) / len(images), "accuracy": _sum(hits) / len(images)}


def measure_on_test(model: nn.Module, images: Images) -> dict[str, float]:
    """All that is stored of a trained network: both modes' metrics, the second under `…_dropout`.

    Of a classifier also `calibration_error`, and how many `dead_classes` it has.
    """
    measure = classifier_metrics if isinstance(model, Classifier) else autoencoder_metrics
    metrics = measure(model, images)
    metrics |= {f"{name}_dropout": value for name, value in measure(model, images, dropout=True).items()}
    if isinstance(model, Classifier):
        given = scores(model, images)
        metrics["calibration_error"] = calibration_error(given, images.labels)
        metrics["dead_classes"] = len(dead_classes(given))
    return metrics


def _sum(values: list[Tensor]) -> float:
    """In double precision, and waiting only once for the device that they are on."""
    return torch.stack(values).cpu().double().sum().item()


def reconstruct(model: nn.Module, images: Images) -> Tensor:
    """What the autoencoder makes of the images: float32 (M, 28, 28) in [0, 1]."""
    with _mode(model):
        return torch.cat([model(batch.pixels).squeeze(1) for batch in _batches(images)])


def scores(model: nn.Module, images: Images) -> Tensor:
    """The classifier's score of each class for each image: float32 (M, 10), none below 0 (ReLU)."""
    with _mode(model):
        return torch.cat([model(batch.pixels) for batch in _batches(images)])


def codes(encoder: nn.Module, images: Images) -> Tensor:
    """The latent codes that an encoder gives the images: float32 (M, n), none below 0 (ReLU)."""
    return scores(encoder, images)


def regression(inputs: Tensor, targets: Tensor, new_inputs: Tensor) -> Tensor:
    """What a linear regression of `targets` (M, k) on `inputs` (M, n) gives for `new_inputs`, cut to [0, 1].

    A slight penalty makes it exist whatever the inputs are.
    """
    inputs, new_inputs = (F.pad(part.double(), (0, 1), value=1.0) for part in (inputs, new_inputs))
    moments = inputs.T @ inputs + torch.eye(inputs.shape[1], dtype=torch.float64)
    return (new_inputs @ torch.linalg.solve(moments, inputs.T @ targets.double())).clamp(0, 1)


def predict(model: nn.Module, images: Images) -> Tensor:
    """The class of the highest score for each image, the first of them where several tie: int64 (M,)."""
    return scores(model, images).argmax(1)


def dead_classes(scores: Tensor) -> list[str]:
    """The classes whose score (M, 10) is 0 for every image.

    A score that ReLU holds at 0 has no gradient either, so nothing in training pushes it back.
    """
    return [name for name, dead in zip(CLASSES, (scores == 0).all(dim=0)) if dead]


def reliability(scores: Tensor, labels: Tensor, bins: int = 15) -> pd.DataFrame:
    """Predictions grouped by confidence, the softmax of the highest score, in `bins` of equal width.

    Index: the middle of the bin. Columns: `images`, and their mean `confidence` and `accuracy` in [0, 1].
    Bins without images are left out.
    """
    confidence, predictions = scores.double().softmax(1).max(1)
    table = pd.DataFrame({"confidence": confidence.numpy(), "accuracy": (predictions == labels).numpy()})
    middle = ((bins * table["confidence"]).astype(int).clip(upper=bins - 1) + 0.5) / bins
    groups = table.groupby(middle.rename("bin"))
    return groups.size().to_frame("images").join(groups.mean())


def calibration_error(scores: Tensor, labels: Tensor) -> float:
    """Expected calibration error (Guo et al., 2017): mean of a bin's |accuracy - confidence| over images."""
    table = reliability(scores, labels)
    gap = (table["accuracy"] - table["confidence"]).abs()
    return float((gap * table["images"]).sum() / table["images"].sum())


def confusion_matrix(labels: Tensor, predictions: Tensor) -> pd.DataFrame:
    """Number of images of each true class (row) that are predicted as each class (column)."""
    pairs = labels.cpu() * len(CLASSES) + predictions.cpu()
    counts = pairs.bincount(minlength=len(CLASSES) ** 2).view(len(CLASSES), -1)
    return pd.DataFrame(counts.numpy(), index=CLASSES, columns=CLASSES)


def row_percentages(confusion: pd.DataFrame) -> pd.DataFrame:
    """A confusion matrix in % of its rows, as the paper's Fig. 7."""
    return 100 * confusion.div(confusion.sum(axis=1), axis=0)


def precision_recall(confusion: pd.DataFrame) -> pd.DataFrame:
    """Columns `precision` and `recall` in [0, 1], one row a class.

    The precision of a class that is never predicted is not a number.
    """
    hits = pd.Series(confusion.to_numpy().diagonal(), index=confusion.index)
    return pd.DataFrame({"precision": hits / confusion.sum(axis=0), "recall": hits / confusion.sum(axis=1)})


def _batches(images: Images) -> Iterator[Images]:
    return (images[i : i + BATCH_SIZE] for i in range(0, len(images), BATCH_SIZE))


@contextmanager
def _mode(model: nn.Module, dropout: bool = False):
    """Without gradients; in evaluation mode, or in training mode with random numbers of its own."""
    training = model.training
    try:
        with torch.no_grad(), one_thread(), torch.random.fork_rng(enabled=dropout):
            if dropout:
                torch.manual_seed(0)
            model.train(dropout)
            for layer in model.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()  # or its averages would go on with the images that are measured
            yield
    finally:
        model.train(training)
