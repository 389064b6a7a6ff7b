import pytest
import torch
from torch import nn

from moda.configurations import AutoencoderRun, ClassifierRun, Fresh, Revised
from moda.networks import Autoencoder, Classifier, Encoder, trace


def reference_layers(n: int, p: float) -> list[nn.Module]:
    """The autoencoder, written out from the paper's appendix A1 as one list."""

    def activated(layer: nn.Module) -> list[nn.Module]:
        return [layer, nn.ReLU(), nn.Dropout(p)]

    return [
        *activated(nn.Conv2d(1, 16, 3)),
        nn.MaxPool2d(2, 2),
        *activated(nn.Conv2d(16, 32, 3)),
        nn.MaxPool2d(2, 2),
        nn.Flatten(),
        *activated(nn.Linear(800, n)),
        *activated(nn.Linear(n, 800)),
        nn.Unflatten(1, (32, 5, 5)),
        *activated(nn.ConvTranspose2d(32, 16, (4, 4), stride=(2, 2), output_padding=(1, 1))),
        nn.ConvTranspose2d(16, 1, (3, 3), stride=(2, 2), output_padding=(1, 1)),
        nn.Sigmoid(),
        nn.Dropout(p),
    ]


ENCODER_LAYERS = 12


def with_weights_of(model: nn.Module, layers: list[nn.Module]) -> nn.Sequential:
    reference = nn.Sequential(*layers)
    names = reference.state_dict().keys()
    weights = model.state_dict().values()
    reference.load_state_dict(dict(zip(names, weights, strict=True)))
    return reference


@pytest.fixture
def images(fashion_mnist):
    return fashion_mnist.test[:20].pixels


@pytest.mark.parametrize(
    "n, autoencoder, classifier", [(64, 116417, 56714), (128, 218881, 108618), (256, 423809, 212426)]
)
def test_number_of_parameters(n, autoencoder, classifier):
    model = Autoencoder(n)
    assert sum(p.numel() for p in model.parameters()) == autoencoder
    assert sum(p.numel() for p in Classifier(model.encoder).parameters()) == classifier


@pytest.mark.parametrize("n", [1, 64])
def test_shapes(images, n):
    model = Autoencoder(n)
    assert model.encoder(images).shape == (20, n)
    assert model(images).shape == (20, 1, 28, 28)
    assert Classifier(model.encoder)(images).shape == (20, 10)


def test_trace_gives_the_shapes_of_the_appendix():
    """Those after each layer that changes the shape."""
    shapes = [(part, shape) for part, _, shape in trace(Autoencoder(64))]
    assert list(dict.fromkeys(shapes)) == [
        ("encoder", (16, 26, 26)),
        ("encoder", (16, 13, 13)),
        ("encoder", (32, 11, 11)),
        ("encoder", (32, 5, 5)),
        ("encoder", (800,)),
        ("encoder", (64,)),
        ("decoder", (800,)),
        ("decoder", (32, 5, 5)),
        ("decoder", (16, 13, 13)),
        ("decoder", (1, 28, 28)),
    ]


@pytest.mark.parametrize("training", [False, True])
def test_autoencoder_is_the_paper_s(images, training):
    """In training mode too: from one seed, equal masks fall on equal values."""
    model = Autoencoder(64, dropout=0.3).train(training)
    reference = with_weights_of(model, reference_layers(64, 0.3)).train(training)
    torch.manual_seed(1)
    expected = reference(images)
    torch.manual_seed(1)
    assert torch.equal(model(images), expected)


@pytest.mark.parametrize("training", [False, True])
def test_classifier_is_the_paper_s(images, training):
    model = Classifier(Encoder(64, dropout=0.3), dropout=0.1).train(training)
    layers = reference_layers(64, 0.3)[:ENCODER_LAYERS] + [nn.Linear(64, 10), nn.ReLU(), nn.Dropout(0.1)]
    reference = with_weights_of(model, layers).train(training)
    torch.manual_seed(1)
    expected = reference(images)
    torch.manual_seed(1)
    assert torch.equal(model(images), expected)


def test_classifier_does_not_copy_the_encoder():
    encoder = Encoder()
    assert Classifier(encoder).encoder is encoder


def test_output_is_a_probability_of_white(images):
    output = Autoencoder().eval()(images)
    assert output.min() >= 0 and output.max() <= 1


def test_decoder_cannot_reach_the_right_and_bottom_edges():
    """Rows and columns 25 to 27 are the last bias alone: what the paper sees as a loss of pixels."""
    decoder = Autoencoder().decoder.eval()
    torch.manual_seed(0)
    one, other = decoder(torch.rand(2, 64) * 10)
    differs = one[0] != other[0]
    assert differs[:25, :25].float().mean() > 0.9
    assert not differs[25:].any() and not differs[:, 25:].any()


def test_encoder_ignores_the_right_and_bottom_edges(images):
    encoder = Encoder().eval()
    codes = encoder(images)
    edges = images.clone()
    edges[:, :, 26:] = 1 - edges[:, :, 26:]
    edges[:, :, :, 26:] = 1 - edges[:, :, :, 26:]
    assert torch.equal(encoder(edges), codes)
    edges[:, :, 25] = 1 - edges[:, :, 25]
    assert not torch.equal(encoder(edges), codes)


def test_corrected_layers_have_the_paper_s_shapes():
    shapes, corrected = (
        [shape for *_, shape in trace(Autoencoder(8, all_pixels=all_pixels))] for all_pixels in (False, True)
    )
    assert shapes == corrected


@pytest.mark.parametrize("all_pixels, unseen, independent", [(False, 2, 3), (True, 0, 0)])
def test_rows_and_columns_that_the_layers_leave_out(all_pixels, unseen, independent):
    """At the right and at the bottom: the code depends on none of the input's, none of the output's on it."""
    torch.manual_seed(0)
    model = Autoencoder(8, dropout=0, all_pixels=all_pixels)
    x = torch.rand(200, 1, 28, 28, requires_grad=True)
    code = model.encoder(x)
    (to_x,) = torch.autograd.grad(code.sum(), x)
    spread = model.decoder(code).std(0).squeeze()
    for used, left_out in ((to_x.abs().sum((0, 1)) > 0, unseen), (spread > 0, independent)):
        expected = torch.zeros(28, 28, dtype=torch.bool)
        expected[: 28 - left_out, : 28 - left_out] = True
        assert torch.equal(used, expected)


def test_plain_scores_can_be_negative_and_are_not_dropped():
    torch.manual_seed(0)
    model = Classifier(Encoder(8, dropout=0), dropout=0, output_relu=False)
    scores = model(torch.rand(50, 1, 28, 28))
    assert (scores < 0).any() and (scores != 0).all()


def test_image_without_output_dropout_is_whole():
    x = torch.rand(5, 1, 28, 28)
    assert (Autoencoder(8)(x) == 0).any()
    assert (Autoencoder(8, output_dropout=False)(x) > 0).all()


@pytest.mark.parametrize(
    "run",
    [
        AutoencoderRun(n=3, dropout=0.1, output_dropout=False, all_pixels=True),
        ClassifierRun(AutoencoderRun(n=3, all_pixels=True), dropout=0.0, output_relu=False),
    ],
)
def test_network_is_as_its_run_describes(run):
    model = run.network()
    encoder = model.encoder
    assert encoder.n == 3 and encoder[7].kernel_size == 3
    if isinstance(run, AutoencoderRun):
        assert encoder[2].p == 0.1 and model.decoder[-1].p == 0
    else:
        assert [type(layer) for layer in model.head] == [nn.Linear, nn.Dropout] and model.head[-1].p == 0


def test_revised_classifier_has_fewer_parameters_and_uses_every_pixel():
    torch.manual_seed(0)
    revised, paper = ClassifierRun(Revised()).network().eval(), ClassifierRun().network()
    count, most = (sum(p.numel() for p in model.parameters()) for model in (revised, paper))
    assert count <= most
    x = torch.rand(200, 1, 28, 28, requires_grad=True)
    revised(x).square().sum().backward()
    assert (x.grad.abs().sum((0, 1)) > 0).all()


@pytest.mark.parametrize("start", [AutoencoderRun, Fresh, Revised])
def test_encoder_of_a_classifier_keeps_its_own_dropout(start):
    model = ClassifierRun(start(n=4, dropout=0.1), dropout=0.3).network()
    rates = [
        {layer.p for layer in part.modules() if isinstance(layer, nn.Dropout)} for part in model.children()
    ]
    assert rates == [{0.1}, {0.3}]


def test_revised_classifier_mirrors_by_chance_only_while_it_learns(images):
    torch.manual_seed(0)
    model = ClassifierRun(Revised(n=4, dropout=0), 0.0, output_relu=False).network()
    many = images[:1].expand(40, -1, -1, -1)
    assert len(model(many).unique(dim=0)) == 2
    model.eval()
    torch.testing.assert_close(model(images), model(images.flip(3)))
    assert len(model(images).unique(dim=0)) == 20


def test_revised_classifier_takes_the_mean_of_an_image_and_its_mirror(images):
    torch.manual_seed(0)
    model = ClassifierRun(Revised(n=4, dropout=0), 0.0, output_relu=False).network().eval()
    one, other = (model.head(model.encoder(x)) for x in (images, images.flip(3)))
    torch.testing.assert_close(model(images), (one + other) / 2)
    model.train().encoder.eval()  # or a normalisation would mix the images
    mirrored = (model(images[:1].expand(400, -1, -1, -1)) - other[0]).abs().sum(1) < 1e-5
    assert 150 < mirrored.sum() < 250
