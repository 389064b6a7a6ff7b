"""The quick layers against PyTorch's own, which are the oracle."""

from math import sqrt

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from moda.fast import Dropout, ReLUDropout, ReLUDropoutPool, accelerate, keep_mask
from moda.models import Autoencoder, Classifier, Encoder

LAYERS = {
    Dropout: lambda p: nn.Dropout(p),
    ReLUDropout: lambda p: nn.Sequential(nn.ReLU(), nn.Dropout(p)),
    ReLUDropoutPool: lambda p: nn.Sequential(nn.ReLU(), nn.Dropout(p), nn.MaxPool2d(2)),
}
# What each layer does with the values and the mask that it drew, in operations of torch.
WITH_MASK = {
    Dropout: lambda x, scaled: x * scaled,
    ReLUDropout: lambda x, scaled: F.relu(x) * scaled,
    ReLUDropoutPool: lambda x, scaled: F.max_pool2d(F.relu(x) * scaled, 2),
}
FORMATS = [torch.contiguous_format, torch.channels_last]

every_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
every_format = pytest.mark.parametrize("memory_format", FORMATS, ids=["contiguous", "channels_last"])


def networks(dropout: float) -> list[nn.Module]:
    torch.manual_seed(0)
    return [Autoencoder(16, dropout), Classifier(Encoder(16, dropout), dropout)]


def outputs_and_gradients(model: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    model.zero_grad()
    y = model(x)
    y.square().mean().backward()
    return [y.detach(), *(p.grad.clone() for p in model.parameters())]


@pytest.mark.parametrize("training, dropout", [(True, 0.0), (False, 0.2)])
def test_same_function_and_gradients(fashion_mnist, training, dropout):
    x = fashion_mnist.test[:30].pixels
    for model in networks(dropout):
        expected = outputs_and_gradients(model.train(training), x)
        got = outputs_and_gradients(accelerate(model).train(training), x)
        for one, other in zip(got, expected, strict=True):
            assert (one - other).abs().max() <= 1e-5 * other.abs().max()


def test_same_parameters_under_the_same_names():
    for model in networks(0.2):
        twin = accelerate(model)
        assert twin.state_dict().keys() == model.state_dict().keys()
        assert all(a is b for a, b in zip(twin.parameters(), model.parameters(), strict=True))


def test_model_keeps_its_own_layers():
    """The model itself stays the paper's; only its twin is fused."""
    for model in networks(0.2):
        before = str(model)
        accelerate(model)
        assert str(model) == before


def test_no_slow_layer_is_left():
    for model in networks(0.2):
        assert not any(isinstance(layer, (nn.Dropout, nn.MaxPool2d)) for layer in accelerate(model).modules())


@pytest.mark.parametrize("p", [0.1, 0.2, 0.5])
def test_keep_rate(p):
    """Of all numbers, and of each of the four that are cut out of one random integer."""
    torch.manual_seed(0)
    size = 1_000_000
    keep = keep_mask(torch.empty(size), p).float()
    sigma = sqrt(p * (1 - p) / size)
    assert abs(keep.mean() - (1 - p)) < 5 * sigma
    assert ((keep.view(-1, 4).mean(0) - (1 - p)).abs() < 5 * 2 * sigma).all()


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (2, 3, 11, 11), (5, 3, 7, 9)])
def test_mask_has_the_shape(shape):
    x = torch.empty(shape)
    keep = keep_mask(x, 0.2)
    assert keep.dtype == torch.bool and keep.shape == x.shape and keep.stride() == x.stride()


@every_format
def test_mask_has_the_strides(memory_format):
    """Otherwise the product with it is slow."""
    x = torch.empty(2, 3, 11, 5).to(memory_format=memory_format)
    assert keep_mask(x, 0.2).stride() == x.stride()


def test_almost_everything_can_be_dropped():
    """The nearest probability of 16 bits is 1, which no mask can have."""
    assert keep_mask(torch.empty(100_000), 0.999999).float().mean() < 1e-3


def test_mask_repeats_with_the_seed():
    x = torch.empty(1000)
    torch.manual_seed(5)
    first, second = keep_mask(x, 0.5), keep_mask(x, 0.5)
    torch.manual_seed(5)
    assert torch.equal(keep_mask(x, 0.5), first) and not torch.equal(first, second)


@every_layer
@every_format
@pytest.mark.parametrize("p", [0.2, 0.5])
@pytest.mark.parametrize("size", [(26, 26), (11, 11), (2, 3)])
def test_output_and_gradient_with_the_mask_drawn(layer, memory_format, p, size):
    torch.manual_seed(0)
    x = torch.randn(6, 3, *size).to(memory_format=memory_format).requires_grad_()
    torch.manual_seed(1)
    y = layer(p).train()(x)
    torch.manual_seed(1)
    expected = WITH_MASK[layer](x, keep_mask(x, p) / (1 - p))
    torch.testing.assert_close(y, expected, rtol=1e-6, atol=1e-6)

    weights = torch.randn_like(expected)
    got, wanted = (torch.autograd.grad((out * weights).sum(), x)[0] for out in (y, expected))
    torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6)


@every_layer
def test_values_are_dropped_or_scaled(layer):
    torch.manual_seed(0)
    x = torch.rand(4, 3, 10, 10) + 1
    y = layer(0.2).train()(x)
    if layer is ReLUDropoutPool:  # each output is one of the four values of its window
        x = F.unfold(x, 2, stride=2).view(4, 3, 4, 25)
        y = y.view(4, 3, 1, 25)
    assert ((y == 0) | torch.isclose(y, x / 0.8)).view(4, 3, -1, y.shape[-1]).any(2).all()


@every_layer
@pytest.mark.parametrize("p", [0.2, 0.5])
def test_distribution_of_pytorch_s_layers(layer, p):
    """First and second moment of every output, within 5 standard errors of 20000 draws of each."""
    torch.manual_seed(0)
    x = torch.randn(1, 2, 4, 4).expand(20_000, -1, -1, -1)
    ours, theirs = layer(p).train()(x.contiguous()).double(), LAYERS[layer](p)(x).double()
    for power in (1, 2):
        a, b = ours**power, theirs**power
        error = ((a.var(0) + b.var(0)) / len(x)).sqrt()
        assert ((a.mean(0) - b.mean(0)).abs() <= 5 * error).all()


@every_layer
@pytest.mark.parametrize("p, training", [(0.5, False), (0.0, True)])
def test_without_dropout(layer, p, training):
    """In evaluation mode, or with probability 0; then no random number is drawn either."""
    x = torch.randn(2, 3, 11, 11)
    state = torch.get_rng_state()
    y = layer(p).train(training)(x)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(y, LAYERS[layer](p).train(training)(x))


def test_training_mode_repeats_with_the_seed(fashion_mnist):
    x = fashion_mnist.test[:5].pixels
    for model in networks(0.2):
        twin = accelerate(model).train()
        draws = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            draws.append(twin(x))
        assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
