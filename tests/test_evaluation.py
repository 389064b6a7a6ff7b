import math

import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import Ridge

from moda.configurations import ClassifierRun, Fresh, Revised
from moda.evaluation import (
    BATCH_SIZE,
    ON_GPU,
    autoencoder_metrics,
    calibration_error,
    classifier_metrics,
    dead_classes,
    encode,
    measure,
    measure_each,
    predict,
    reconstruct,
    regression,
    reliability,
    score,
)
from moda.networks import Autoencoder, Classifier
from moda.training.fast_layers import accelerate


@pytest.fixture(scope="module")
def images(fashion_mnist):
    """More than one batch, the last of them incomplete."""
    return fashion_mnist.test[:701]


@pytest.fixture
def autoencoder():
    torch.manual_seed(0)
    return Autoencoder(8)


@pytest.fixture
def classifier(autoencoder):
    return Classifier(autoencoder.encoder)


def test_autoencoder_metrics(autoencoder, images):
    with torch.no_grad():
        output = autoencoder.eval()(images.pixels)
    expected = ((output - images.pixels) ** 2).mean().item()
    assert autoencoder_metrics(autoencoder, images) == {"loss": pytest.approx(expected, rel=1e-5)}


def test_measuring_is_the_same_on_one_thread_and_two(autoencoder, classifier, images):
    twins = accelerate(autoencoder), accelerate(classifier)
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        try:
            losses = [autoencoder_metrics(model, images) for model in (autoencoder, twins[0])]
            given = [score(model, images) for model in (classifier, twins[1])]
            results.append((losses, torch.stack(given), measure(classifier, images)))
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(1)
    (losses, given, measured), (losses_of_two, given_of_two, measured_of_two) = results
    assert losses == losses_of_two and measured == measured_of_two
    assert torch.equal(given, given_of_two) and not given_of_two.requires_grad


def test_cpu_measures_in_batches_that_fit_its_caches_and_another_device_in_large_ones(
    classifier, fashion_mnist, monkeypatch
):
    """PyTorch's device "meta", which computes shapes alone, stands for a GPU."""
    sizes = []
    forward = classifier.forward
    monkeypatch.setattr(classifier, "forward", lambda x: sizes.append(len(x)) or forward(x))
    score(classifier, fashion_mnist.test[:301])
    assert sizes == [BATCH_SIZE] * 3 + [1]
    sizes.clear()
    assert score(classifier.to("meta"), fashion_mnist.test[:4001].to("meta")).shape == (4001, 10)
    assert sizes == [ON_GPU] * 2 + [1]


def test_classifier_metrics(classifier, images):
    with torch.no_grad():
        scores = classifier.eval()(images.pixels)
    likelihood = scores.exp() / scores.exp().sum(1, keepdim=True)
    loss = -likelihood[range(len(images)), images.labels].log().mean().item()
    accuracy = (scores.argmax(1) == images.labels).float().mean().item()
    assert classifier_metrics(classifier, images) == {
        "loss": pytest.approx(loss, rel=1e-5),
        "accuracy": pytest.approx(accuracy),
        "dead_classes": ", ".join(dead_classes(scores)),
    }


def test_dead_classes_have_no_score_for_any_image():
    scores = torch.rand(5, 10) + 0.1
    scores[:, [1, 8]] = 0
    scores[1:, 3] = 0
    assert dead_classes(scores) == ["Pantalón", "Bolso"]


def test_reconstruct_and_predict(autoencoder, classifier, images):
    with torch.no_grad():
        output, scores = autoencoder.eval()(images.pixels), classifier.eval()(images.pixels)
    autoencoder.train()
    classifier.train()
    torch.testing.assert_close(reconstruct(autoencoder, images), output[:, 0])
    assert torch.equal(predict(classifier, images), scores.argmax(1))


def test_reconstruct_with_inner_dropout_leaves_the_image_whole(autoencoder, images):
    given = reconstruct(autoencoder, images, inner_dropout=True)
    torch.manual_seed(0)
    autoencoder.train().decoder[-1].p = 0.0
    with torch.no_grad():
        expected = torch.cat([autoencoder(pixels)[:, 0] for pixels in images.pixels.split(BATCH_SIZE)])
    torch.testing.assert_close(given, expected)
    assert given.min() > 0 and not given.allclose(reconstruct(autoencoder, images), atol=1e-3)
    assert autoencoder.decoder[-1].training, "as it was"


@pytest.mark.parametrize("kind", ["autoencoder", "classifier"])
def test_measures_with_dropout_repeat(autoencoder, classifier, images, kind):
    model = autoencoder if kind == "autoencoder" else classifier
    measured = measure(model, images)
    assert measured["loss_dropout"] != measured["loss"]
    torch.manual_seed(99)
    assert measure(model, images) == measured


@pytest.mark.parametrize("start", [Fresh(n=4), Revised(n=4)])
def test_dropout_when_measuring_is_that_of_pytorch_in_training(start, images):
    """And so is the mirroring of images; but no batch is normalised by itself."""
    model = ClassifierRun(start).network()
    given = score(model, images, dropout=True)
    torch.manual_seed(0)
    model.train()
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.eval()
    with torch.no_grad():
        expected = torch.cat([model(pixels) for pixels in images.pixels.split(BATCH_SIZE)])
    assert torch.equal(given, expected)


def test_sets_measured_side_by_side_are_each_measured_alone(classifier, fashion_mnist, monkeypatch):
    sets = fashion_mnist.test[:3000], fashion_mnist.validation[:3000]
    expected = [measure(classifier, images) for images in sets]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert measure_each(classifier, sets) == expected


def test_dropout_on_the_output_costs_what_it_must(autoencoder, images):
    """A dropped output is 0, so its error is the image's own square."""
    least = 0.2 * images.pixels.square().mean().item()
    assert autoencoder_metrics(autoencoder, images, dropout=True)["loss"] > least


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_measuring_leaves_no_trace(autoencoder, images, dropout, training):
    autoencoder.train(training)
    state = torch.get_rng_state()
    autoencoder_metrics(autoencoder, images, dropout=dropout)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training is training for module in autoencoder.modules())
    assert torch.is_grad_enabled()


def test_measuring_with_dropout_teaches_a_normalisation_nothing(images):
    model = ClassifierRun(Revised(n=4)).network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure(model, images)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_reliability_groups_predictions_by_confidence():
    # Confidence 0.9, 0.9, 0.6 and 0.6; three of the predictions are right.
    probabilities = torch.full((4, 10), 0.0)
    for row, confidence in enumerate((0.9, 0.9, 0.6, 0.6)):
        probabilities[row] = (1 - confidence) / 9
        probabilities[row, row] = confidence
    table = reliability(probabilities.log(), torch.tensor([0, 1, 2, 9]), bins=10)
    assert table.index.to_list() == pytest.approx([0.65, 0.95])
    assert table["images"].to_list() == [2, 2]
    assert table["confidence"].to_list() == pytest.approx([0.6, 0.9], abs=1e-6)
    assert table["accuracy"].to_list() == [0.5, 1.0]


def test_calibration_error_is_the_mean_gap():
    sure = torch.eye(10)[[0, 1, 2, 3]] * 1000
    assert calibration_error(sure, torch.tensor([0, 1, 2, 3])) == pytest.approx(0)
    assert calibration_error(sure, torch.tensor([0, 1, 2, 9])) == pytest.approx(0.25)
    # Without an opinion it is sure of a tenth.
    assert calibration_error(torch.zeros(4, 10), torch.tensor([0, 0, 0, 9])) == pytest.approx(0.65)


def test_bins_weigh_by_their_images_and_the_last_has_the_certain_ones():
    """Three certain predictions and a nearly certain one, all right, and one without an opinion, wrong."""
    given = torch.eye(10)[[0, 1, 2, 3, 4]] * torch.tensor([[1000.0], [1000.0], [1000.0], [7.0], [0.0]])
    labels = torch.tensor([0, 1, 2, 3, 9])
    table = reliability(given, labels)
    assert table["images"].to_list() == [1, 4] and table.index.to_list() == pytest.approx(
        [1.5 / 15, 14.5 / 15]
    )
    nearly = math.exp(7) / (math.exp(7) + 9)
    assert calibration_error(given, labels) == pytest.approx((0.1 + 1 - nearly) / 5)


def test_what_is_stored_of_a_classifier(classifier, images):
    classifier.head[0].bias.data += 10 * (torch.arange(10) != 2)
    classifier.head[0].bias.data[2] = -1000
    measured = measure(classifier, images)
    given = score(classifier, images)
    assert measured["calibration_error"] == calibration_error(given, images.labels)
    assert measured["dead_classes"] == "Buzo"
    dropped = score(classifier, images, dropout=True).double()
    assert measured["loss_dropout"] == F.cross_entropy(dropped, images.labels).item()
    hits = dropped.argmax(1) == images.labels
    assert measured["accuracy_dropout"] == pytest.approx(hits.double().mean().item())


def test_regression_finds_a_linear_map_also_where_inputs_repeat_each_other():
    inputs = torch.rand(5000, 3)
    inputs = torch.cat([inputs, inputs[:, :1], torch.zeros(5000, 1)], 1)
    targets = inputs[:, :2] @ torch.tensor([[0.3], [0.2]]) + 0.1
    assert torch.allclose(regression(inputs, targets, inputs[:9]).float(), targets[:9], atol=2e-3)
    assert regression(inputs, targets * 10 - 4, inputs).aminmax() == (0.0, 1.0)


def test_regression_is_that_of_scikit_learn():
    inputs, targets, new_inputs = torch.rand(200, 4), torch.rand(200, 3), torch.rand(50, 4)
    one, new_one = torch.ones(200, 1), torch.ones(50, 1)
    ridge = Ridge(fit_intercept=False).fit(torch.cat([inputs, one], 1), targets)
    expected = torch.tensor(ridge.predict(torch.cat([new_inputs, new_one], 1))).double()
    torch.testing.assert_close(regression(inputs, targets, new_inputs), expected, atol=1e-5, rtol=0)


def test_codes_are_those_of_the_evaluation_mode(autoencoder, images):
    encoder = autoencoder.encoder.train()
    given = encode(encoder, images)
    assert torch.allclose(given, encoder.eval()(images.pixels), atol=1e-6)
