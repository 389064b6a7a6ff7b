"""What the live figures show is what the networks give."""

import copy
from io import BytesIO

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from moda import evaluation
from moda.book import live_figures
from moda.configurations import AutoencoderRun, ClassifierRun
from moda.data import CLASSES


@pytest.fixture(scope="module")
def autoencoder():
    torch.manual_seed(0)
    return AutoencoderRun(n=4).network().eval()


def test_every_image_is_counted_in_its_cell_and_every_error_shown(few):
    torch.manual_seed(0)
    model = ClassifierRun(AutoencoderRun(n=4)).network().eval()
    matrix, cells = live_figures.confusion(model, few.test)
    predicted = evaluation.predict(model, few.test)
    assert np.sum(matrix["counts"]) == len(few.test)
    for name, cell in cells.items():
        true, said = map(int, name.split("-"))
        here = ((few.test.labels == true) & (predicted == said)).nonzero()[:, 0].tolist()
        assert matrix["counts"][true][said] == len(here)
        assert cell["positions"] == (here[: live_figures.RECOGNISED] if true == said else here)
        assert cell["images"] == few.test[cell["positions"]].images.numpy().tobytes()


@torch.no_grad()
def test_three_means_give_the_error_of_any_brightness(few, autoencoder):
    images = few.train  # has all classes
    content = live_figures.brightness(autoencoder, images)
    outputs, truth = evaluation.reconstruct(autoencoder, images).double(), images.pixels.squeeze(1).double()
    xx, xy, yy = content["all"]
    for factor in (1, 1.7):
        error = (factor * outputs - truth).square().mean().item()
        assert xx - 2 * factor * xy + factor**2 * yy == pytest.approx(error, rel=1e-9)
    assert [images.labels.tolist().index(label) for label in range(len(CLASSES))] == [
        (images.images == image).flatten(1).all(1).nonzero()[0].item()
        for image in live_figures.firsts(images).images
    ]


def test_the_levels_give_the_error_of_a_batch_at_any_bias(few, autoencoder):
    images = few.train[:50]
    content = live_figures.one_weight(autoencoder, images)
    network, x = copy.deepcopy(autoencoder).double(), images.pixels.double()
    levels, shares, means = torch.tensor(content["levels"]).double().T
    for bias in (0.5, -3.0):
        network.decoder[-3].bias.data.fill_(bias)
        error = F.mse_loss(network(x), x).item()
        answers = (levels + bias).sigmoid()
        assert content["square"] + (shares * answers * (answers - 2 * means)).sum() == pytest.approx(
            error, abs=1e-5
        )
    assert len(content["levels"]) < 100


def test_the_map_has_every_image_in_the_two_directions_of_most_variance(few, autoencoder):
    near, asked = live_figures.latent_map(autoencoder, few.test)
    codes = evaluation.encode(autoencoder.encoder, few.test).double()
    places = np.frombuffer(near["places"], "<u2").reshape(-1, 2)
    assert places.min(0).tolist() == [0, 0] and places.max(0).tolist() == [65535, 65535]
    _, _, directions = torch.linalg.svd(codes - codes.mean(0))
    for axis in (0, 1):
        assert abs(np.corrcoef(places[:, axis], (codes @ directions[axis]).numpy())[0, 1]) > 1 - 1e-6
    shipped = asked["unit"] * np.frombuffer(asked["codes"], np.uint8).reshape(len(few.test), -1)
    assert np.abs(shipped - codes[:, asked["neurons"]].numpy()).max() <= asked["unit"] / 2 + 1e-6
    sheet = np.asarray(Image.open(BytesIO(asked["sheet"])).convert("L"))
    assert np.abs(sheet[:28, 28:56] - few.test.images[1].numpy().astype(float)).mean() < 12
