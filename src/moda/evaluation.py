"""How good a network is: ECM (Eq. 1), cross entropy (Eq. 2), Exactitud (Eq. 3).

Dropout is off unless asked for, as it turns out to be in the paper's values.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moda.arithmetic import one_thread
from moda.data import CLASSES, Images
from moda.networks import Autoencoder, Classifier, MirroringClassifier

# On a CPU, as many as fill the caches of a core: with 500 it takes up to three times as long.
BATCH_SIZE, ON_GPU = 100, 2000


def autoencoder_metrics(model: nn.Module, images: Images, dropout: bool = False) -> dict[str, float]:
    """{"loss": ECM}, the mean squared error over images and pixels (Eq. 1).

    With `dropout` it is that of training mode, with masks from a fixed seed.
    """

    def loss(batch: Images) -> Tensor:
        x = batch.pixels
        return F.mse_loss(model(x), x) * len(batch)

    return {"loss": _sum(_of_batches(loss, model, images, dropout)) / len(images)}


def classifier_metrics(model: nn.Module, images: Images) -> dict:
    """The cross entropy in nats (Eq. 2) as `loss`, the Exactitud in [0, 1] (Eq. 3) as `accuracy`.

    Also the names of the `dead_classes` as one text, with a comma between them.
    """
    return _with_dead_classes(score(model, images), images.labels)


def _with_dead_classes(given: Tensor, labels: Tensor) -> dict:
    return {**_of_scores(given, labels), "dead_classes": ", ".join(dead_classes(given))}


def _of_scores(given: Tensor, labels: Tensor) -> dict[str, float]:
    given, labels = given.cpu().double(), labels.cpu()
    return {
        "loss": F.cross_entropy(given, labels).item(),
        "accuracy": (given.argmax(1) == labels).double().mean().item(),
    }


def measure(model: nn.Module, images: Images) -> dict:
    """All that is stored of a trained network: its metrics, and as `…_dropout` those of training mode.

    Of a classifier also its `calibration_error`.
    """
    if isinstance(model, Classifier):
        given = score(model, images)
        metrics = _with_dead_classes(given, images.labels)
        metrics["calibration_error"] = calibration_error(given, images.labels)
        with_dropout = _of_scores(score(model, images, dropout=True), images.labels)
    else:
        metrics = autoencoder_metrics(model, images)
        with_dropout = autoencoder_metrics(model, images, dropout=True)
    return metrics | {f"{name}_dropout": value for name, value in with_dropout.items()}


def measure_each(model: nn.Module, sets: Sequence[Images]) -> list[dict]:
    """`measure` of each set; on a CPU side by side, if torch has several threads here."""
    threads = min(torch.get_num_threads(), len(sets))
    if threads == 1 or sets[0].images.device.type != "cpu":
        return [measure(model, images) for images in sets]
    with _threads(threads) as pool:
        # Of a copy, because what drops values is put on the network itself.
        return list(pool.map(lambda images: measure(copy.deepcopy(model), images), sets))


def _sum(values: list[Tensor]) -> float:
    """Their sum in double precision; waits only once for the device that they are on."""
    return torch.stack(values).cpu().double().sum().item()


def reconstruct(model: Autoencoder, images: Images, inner_dropout: bool = False) -> Tensor:
    """What the autoencoder makes of the images: float32 (M, 28, 28) in [0, 1].

    With `inner_dropout` every dropout is on except the image's own, with masks from a fixed seed.
    """
    inner = [layer for layer in _dropouts(model) if layer is not model.decoder[-1]]
    with _mode(model, inner if inner_dropout else []):
        return torch.cat([model(batch.pixels).squeeze(1) for batch in _batches(images)])


def score(model: nn.Module, images: Images, dropout: bool = False) -> Tensor:
    """The classifier's score of each class for each image: float32 (M, 10).

    With the paper's ReLU none is below 0. With `dropout` they are those of training mode, with masks from a
    fixed seed.
    """
    return torch.cat(_of_batches(lambda batch: model(batch.pixels), model, images, dropout))


def encode(encoder: nn.Module, images: Images) -> Tensor:
    """The latent codes that an encoder gives the images: float32 (M, n), none below 0 (ReLU)."""
    return score(encoder, images)


def regression(inputs: Tensor, targets: Tensor, new_inputs: Tensor) -> Tensor:
    """Ridge regression of `targets` (M, k) on `inputs` (M, n): its values for `new_inputs`, cut to [0, 1].

    The penalty is 1, on the intercept too, so that there is a solution whatever the inputs are.
    """
    inputs, new_inputs = (F.pad(part.double(), (0, 1), value=1.0) for part in (inputs, new_inputs))
    moments = inputs.T @ inputs + torch.eye(inputs.shape[1], dtype=torch.float64)
    return (new_inputs @ torch.linalg.solve(moments, inputs.T @ targets.double())).clamp(0, 1)


def predict(model: nn.Module, images: Images) -> Tensor:
    """The class with the highest score for each image, the first of them in a tie: int64 (M,)."""
    return score(model, images).argmax(1)


def dead_classes(scores: Tensor) -> list[str]:
    """The classes whose score (M, 10) is 0 for every image.

    A score that ReLU holds at 0 has no gradient either, so nothing in training pushes it back.
    """
    return [name for name, dead in zip(CLASSES, (scores == 0).all(dim=0)) if dead]


def reliability(scores: Tensor, labels: Tensor, bins: int = 15) -> pd.DataFrame:
    """Predictions in `bins` of equal width by confidence, the softmax of the highest score.

    Index: the middle of the bin. Columns: `images`, and their mean `confidence` and `accuracy` in [0, 1].
    Empty bins are left out.
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


def _of_batches(
    compute: Callable[[Images], Tensor], model: nn.Module, images: Images, dropout: bool
) -> list[Tensor]:
    """What `compute` gives of each batch, in order, with or without `dropout`.

    On a CPU on as many threads as torch has here, each batch on one: so it does not depend on their number.
    With dropout on one, because there is one stream of random numbers.
    """
    threads = torch.get_num_threads()
    with _mode(model, _dropouts(model) if dropout else []):
        if threads == 1 or dropout or images.images.device.type != "cpu":
            return [compute(batch) for batch in _batches(images)]
        with _threads(threads) as pool:
            return list(pool.map(torch.no_grad()(compute), _batches(images)))  # no_grad is of each thread


def _threads(number: int) -> ThreadPoolExecutor:
    """So many threads, each of which computes alone."""
    return ThreadPoolExecutor(number, initializer=torch.set_num_threads, initargs=(1,))


def _batches(images: Images) -> Iterator[Images]:
    size = BATCH_SIZE if images.images.device.type == "cpu" else ON_GPU
    return (images[i : i + size] for i in range(0, len(images), size))


def _dropouts(model: nn.Module) -> list[nn.Dropout]:
    return [layer for layer in model.modules() if isinstance(layer, nn.Dropout) and layer.p]


@contextmanager
def _mode(model: nn.Module, dropping: Sequence[nn.Dropout]) -> Iterator[None]:
    """No gradients, and evaluation mode; but the layers `dropping` do, by random numbers of their own.

    A network that mirrors images then does that too.
    """
    training, hooks = model.training, []
    model.eval()
    if dropping:
        random = torch.Generator(next(model.parameters()).device).manual_seed(0)
        hooks = [layer.register_forward_hook(partial(_drop, random)) for layer in dropping]
        if isinstance(model, MirroringClassifier):
            model.training, model.random = True, random
    try:
        with torch.no_grad(), one_thread():
            yield
    finally:
        for hook in hooks:
            hook.remove()
        model.train(training)
        if isinstance(model, MirroringClassifier):
            model.random = None


def _drop(random: torch.Generator, layer: nn.Dropout, _: tuple[Tensor], x: Tensor) -> Tensor:
    """What nn.Dropout does in training, in its arithmetic."""
    kept = 1 - layer.p
    return x * torch.empty_like(x).bernoulli_(kept, generator=random).div_(kept)
