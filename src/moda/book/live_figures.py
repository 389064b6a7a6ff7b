"""What the live figures of the chapters show: as JSON, with bytes where the page has base64."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from moda import evaluation, paper
from moda.data import CLASSES, Images
from moda.networks import Autoencoder, Classifier
from moda.runs.store import Result

# Of those that are recognised, how many of each class are shown; of the others, all.
RECOGNISED = 24
# How a WebP of all test images keeps a megabyte: garments are still told from each other.
QUALITY = 10
ACROSS = 100


def firsts(images: Images) -> Images:
    """The first image of each class."""
    return images[[images.labels.tolist().index(label) for label in range(len(CLASSES))]]


def confusion(model: Classifier, images: Images) -> tuple[dict[str, Any], dict[str, Any]]:
    """How many images are in each cell of the confusion matrix, and, by cell, some of them."""
    scores = evaluation.score(model, images)
    predicted, probabilities = scores.argmax(1), scores.double().softmax(1)
    counts, cells = [], {}
    for true in range(len(CLASSES)):
        of_row = [
            ((images.labels == true) & (predicted == said)).nonzero()[:, 0] for said in range(len(CLASSES))
        ]
        counts.append([len(places) for places in of_row])
        for said, places in enumerate(of_row):
            if len(places):
                some = places[: RECOGNISED if said == true else None]
                cells[f"{true}-{said}"] = {
                    "positions": some.tolist(),
                    "images": images[some].images.numpy().tobytes(),
                    "probabilities": [[round(p, 5) for p in row] for row in probabilities[some].tolist()],
                }
    return {"classes": CLASSES, "counts": counts, "cells": {}}, cells


def curves(results: Sequence[Result]) -> dict[str, Any]:
    """The errors of several runs after each epoch."""
    return {
        "seeds": [result.run.seed for result in results],
        "training": [_rounded(result.history["train_loss"]) for result in results],
        "validation": [_rounded(result.history["validation_loss"]) for result in results],
        "paper": paper.ECM,
    }


def brightness(model: Autoencoder, images: Images) -> dict[str, Any]:
    """The first image of each class, its reconstruction, and what gives its error if that is multiplied.

    The mean of (f y − x)² is x² − 2 f xy + f² y²: three means for each image, and as many for all of them.
    """
    shown = firsts(images)
    outputs = evaluation.reconstruct(model, shown)
    every = _terms(images, evaluation.reconstruct(model, images)).mean(0)
    return {"all": every.tolist(), "each": _terms(shown, outputs).tolist(), "outputs": as_bytes(outputs)}


def _terms(images: Images, outputs: Tensor) -> Tensor:
    x, y = (part.double().flatten(1) for part in (images.pixels, outputs))
    return torch.stack([(x * x).mean(1), (x * y).mean(1), (y * y).mean(1)], dim=1)


def one_weight(model: Autoencoder, images: Images) -> dict[str, Any]:
    """What gives the error of a batch, and its slope, whatever the bias of the last layer is.

    In a network without training all pixels get about the same before that bias. Of those that get the
    same to 0.005: what they get, their share, and the mean of what they should be.
    """
    outputs = torch.logit(evaluation.reconstruct(model, images).double())
    before = outputs.flatten() - [*model.parameters()][-1].item()
    _, level, count = (200 * before).round().unique(return_inverse=True, return_counts=True)
    pixels = images.pixels.double().flatten()
    means = [torch.bincount(level, values) / count for values in (before, pixels)]
    rows = torch.stack([means[0], count / len(pixels), means[1]], dim=1)
    return {
        "images": len(images),
        "levels": [[round(value, 9) for value in row] for row in rows.tolist()],
        "square": pixels.square().mean().item(),
    }


def by_size(
    runs: Mapping[int, Sequence[Result]], models: Mapping[int, Autoencoder], shown: Images
) -> dict[str, Any]:
    """For each N: the test error of its autoencoders, and what one of them makes of `shown`."""
    outputs = {n: evaluation.reconstruct(model, shown) for n, model in models.items()}
    truth = shown.pixels.squeeze(1)
    return {
        "ns": list(models),
        "errors": [_rounded(result.metrics["loss"] for result in runs[n]) for n in models],
        "images": shown.images.numpy().tobytes(),
        "names": [CLASSES[label] for label in shown.labels],
        "outputs": as_bytes(torch.stack(list(outputs.values()))),
        "each": [_rounded((made - truth).square().mean((1, 2)).tolist()) for made in outputs.values()],
    }


def latent_map(model: Autoencoder, images: Images) -> tuple[dict[str, Any], dict[str, Any]]:
    """Where each image is in the two directions in which the codes vary most; and, for who asks, their codes.

    The codes are those of the neurons that are not always 0, in units of `unit`; the images are one picture,
    ACROSS in a row.
    """
    codes = evaluation.encode(model.encoder, images)
    centred = (codes - codes.mean(0)).double()
    directions = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, :2]
    directions *= directions[directions.abs().argmax(0), torch.arange(2)].sign()
    places = centred @ directions
    low, high = places.min(0).values, places.max(0).values
    scaled = ((places - low) / (high - low).clamp(min=1e-12) * 65535).round().numpy().astype("<u2")

    used = (codes > 0).any(0).nonzero()[:, 0]
    unit = max(codes.max().item(), 1e-12) / 255
    content = {
        "neurons": used.tolist(),
        "unit": unit,
        "codes": (codes[:, used] / unit).round().byte().numpy().tobytes(),
        "sheet": sheet(images),
    }
    return {
        "classes": CLASSES,
        "labels": images.labels.byte().numpy().tobytes(),
        "places": scaled.tobytes(),
    }, content


def sheet(images: Images) -> bytes:
    """All images in one small WebP."""
    rows = -(-len(images) // ACROSS)
    tiles = np.zeros((rows * ACROSS, 28, 28), np.uint8)
    tiles[: len(images)] = images.images.numpy()
    picture = tiles.reshape(rows, ACROSS, 28, 28).swapaxes(1, 2).reshape(rows * 28, ACROSS * 28)
    file = BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=QUALITY, method=6)
    return file.getvalue()


def as_bytes(outputs: Tensor) -> bytes:
    """Pixels from 0 to 1 as bytes."""
    return (255 * outputs).round().byte().numpy().tobytes()


def _rounded(values) -> list[float]:
    return [round(float(value), 6) for value in values]
