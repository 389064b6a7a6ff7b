"""What the page "Laboratorio" takes from the project: its networks, layer by layer, and its test images."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from moda import evaluation
from moda.configurations import AutoencoderRun, ClassifierRun, Run
from moda.data import CLASSES, Images
from moda.networks import Autoencoder, Classifier

# Of the images of each class: how many, and how many of them are those that the network confuses most.
PER_CLASS, CONFUSED = 10, 3


@dataclass(frozen=True)
class Network:
    """One network of the page: an autoencoder, and the classifier that starts from it."""

    autoencoder: AutoencoderRun
    classifier: ClassifierRun

    @property
    def runs(self) -> dict[str, Run]:
        """By their names on the page."""
        return {"autoencoder": self.autoencoder, "classifier": self.classifier}

    @property
    def mended(self) -> bool:
        return self.autoencoder.all_pixels

    @property
    def name(self) -> str:
        """In addresses and names of files."""
        return f"{'corregida' if self.mended else 'articulo'}-{self.autoencoder.n}"

    @property
    def title(self) -> str:
        return f"{'Corregida' if self.mended else 'Del artículo'}, N = {self.autoencoder.n}"


def networks(runs: Iterable[Run]) -> list[Network]:
    """The networks that these runs make up, in the order of their classifiers."""
    classifiers = (run for run in runs if isinstance(run, ClassifierRun))
    return [Network(run.autoencoder, run) for run in classifiers if run.autoencoder]


def layers(model: Autoencoder | Classifier) -> list[dict[str, Any]]:
    """The layers of a network in order, as book/_assets/live/network.js computes them.

    Each has the `name` that its weights have in the state dict, the `type` and what else decides its output;
    one with weights has their `size`, for who trains it anew.
    """
    described = []
    for part, sequence in model.named_children():
        for number, layer in sequence.named_children():
            layer_of: dict[str, Any] = {"name": f"{part}.{number}", "type": type(layer).__name__}
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                layer_of["size"] = list(layer.weight.shape)
            match layer:
                case nn.MaxPool2d():
                    layer_of |= {"kernel": layer.kernel_size, "stride": layer.stride}
                case nn.ConvTranspose2d():
                    layer_of |= {"stride": layer.stride[0], "padding": layer.output_padding[0]}
                case nn.Dropout():
                    layer_of |= {"p": layer.p}
                case nn.Unflatten():
                    layer_of |= {"shape": list(layer.unflattened_size)}
            described.append(layer_of)
    return described


def chosen(model: Classifier, images: Images) -> Tensor:
    """The positions of PER_CLASS images of each class, class by class.

    With the images of a class in the order of the probability that `model` gives to their class: the CONFUSED
    with the least, and others at equal distances from there to the greatest.
    """
    probability = evaluation.score(model, images).double().softmax(1)
    positions = []
    for label in range(len(CLASSES)):
        of_class = (images.labels == label).nonzero().squeeze(1)
        order = of_class[probability[of_class, label].argsort(stable=True)]
        spread = torch.linspace(CONFUSED, len(order) - 1, PER_CLASS - CONFUSED + 1).long()[1:]
        positions.append(order[torch.cat([torch.arange(CONFUSED), spread])])
    return torch.cat(positions)


def codes(model: Autoencoder, images: Images) -> dict[str, Any]:
    """The codes of images as bytes, in units of `unit`, with their labels and the names of the classes."""
    numbers = evaluation.encode(model.encoder, images)
    unit = numbers.max().item() / 255
    return {
        "codes": (numbers / unit).round().byte().numpy().tobytes(),
        "unit": unit,
        "labels": images.labels.tolist(),
        "classes": CLASSES,
    }


def expression(run: Any) -> str:
    """Python that makes this run, saying only what differs from the defaults."""
    said = [
        f"{item.name}={expression(value) if is_dataclass(value) else repr(value)}"
        for item in fields(run)
        if (value := getattr(run, item.name)) != item.default
    ]
    return f"{type(run).__name__}({', '.join(said)})"
