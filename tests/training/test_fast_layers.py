"""The quick layers against PyTorch's own, which are the oracle."""

from math import sqrt

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from moda.networks import Autoencoder, Classifier, Encoder, MirroringClassifier, RevisedEncoder
from moda.training import fast_layers
from moda.training.fast_layers import Block, Chain, Dropout, accelerate, drop_, flatten, reseed

FORMATS = [torch.contiguous_format, torch.channels_last]
# Layers of every kind, with the shape of an input; those of the models, and smaller ones.
KINDS = {
    "linear": (lambda: nn.Linear(12, 7), (12,), False),
    "conv": (lambda: nn.Conv2d(3, 8, 3), (3, 9, 8), False),
    "conv and pool": (lambda: nn.Conv2d(3, 8, 3), (3, 9, 8), True),
    "conv and pool, odd": (lambda: nn.Conv2d(16, 32, 3), (16, 13, 13), True),
    "transposed, kernel 4": (lambda: nn.ConvTranspose2d(5, 4, 4, 2, output_padding=1), (5, 3, 2), False),
    "transposed, to one channel": (
        lambda: nn.ConvTranspose2d(5, 1, 3, 2, output_padding=1),
        (5, 3, 2),
        False,
    ),
}

every_kind = pytest.mark.parametrize("kind", KINDS)
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


def test_revised_classifier_is_the_same_and_keeps_one_normalisation(fashion_mnist):
    torch.manual_seed(0)
    model = MirroringClassifier(RevisedEncoder(8, dropout=0.0), 0.0, output_relu=False)
    twin = accelerate(model)
    x = fashion_mnist.test[:30].pixels
    results = []
    for one in (model, twin):
        averages = model.encoder[1].running_mean.clone()
        torch.manual_seed(1)  # of the mirrored images
        results.append(outputs_and_gradients(one.train(), x))
        assert (model.encoder[1].running_mean != averages).any()
    for one, other in zip(*results, strict=True):
        # A bias before a normalisation has no gradient but that of rounding.
        assert (one - other).abs().max() <= 1e-4 * other.abs().max() + 5e-6


def test_same_parameters():
    for model in networks(0.2):
        twin = accelerate(model)
        assert all(a is b for a, b in zip(twin.parameters(), model.parameters(), strict=True))


def test_model_keeps_its_own_layers():
    """The model itself stays the paper's; only its twin is fused."""
    for model in networks(0.2):
        before = str(model)
        accelerate(model)
        assert str(model) == before


class Doubling(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Twice(nn.Sequential):
    def forward(self, x):
        return super().forward(x) + super().forward(x)


relu = nn.ReLU()  # one layer in two places


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(1, 4, 3, dilation=2), nn.ReLU()],
        [nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=2), nn.ReLU()],
        [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2, dilation=2)],
        [nn.Conv2d(1, 4, 4), nn.Conv2d(4, 4, 3), nn.MaxPool2d(2, ceil_mode=True)],
        [nn.Conv2d(1, 4, 4), nn.ConvTranspose2d(4, 2, 4, 2, output_padding=1, dilation=2)],
        [nn.Conv2d(1, 4, 4), nn.ConvTranspose2d(4, 2, 4, 2, output_padding=1, groups=2)],
        [nn.Conv2d(1, 4, 4), nn.ConvTranspose2d(4, 2, 4, 2, output_padding=1, padding=1)],
        [nn.Conv2d(1, 4, 4), nn.ConvTranspose2d(4, 2, 4, 2, output_padding=1, bias=False)],
        [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(2), nn.Linear(676, 5), nn.ReLU()],
        [nn.Conv2d(1, 26, 3), nn.ReLU(), nn.Linear(26, 5)],
        [nn.Linear(28, 9), nn.ReLU(), nn.Linear(9, 3), nn.Flatten(), nn.Linear(84, 2)],
        [nn.Flatten(), nn.Linear(784, 12), nn.Sigmoid(), nn.Flatten(), nn.Linear(12, 2, bias=False)],
        [nn.Flatten(), nn.Linear(784, 8), nn.Unflatten(1, (2, 4)), nn.Linear(4, 3), nn.Flatten()],
        [nn.Flatten(), nn.Linear(784, 8), nn.Unflatten(1, (2, -1, 2)), nn.Flatten(), nn.Linear(8, 3)],
        [nn.Flatten(), nn.Linear(784, 9), relu, nn.Linear(9, 9), relu],
        [nn.Flatten(), Doubling(784, 5), nn.ReLU()],
        [Twice(nn.Flatten(), nn.Linear(784, 5))],
        [nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Dropout(0.0), nn.MaxPool2d(2)],
        [nn.Conv2d(1, 4, 5), nn.ReLU()],
        [nn.Conv2d(1, 4, 3, bias=False), nn.ReLU()],
        [nn.Conv2d(1, 4, 3), nn.MaxPool2d(3)],
        [nn.Conv2d(1, 4, 3), nn.Dropout(0.0), nn.ReLU(), nn.MaxPool2d(2)],
        [
            nn.Conv2d(1, 4, 3),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 4, 3),
            nn.ConvTranspose2d(4, 3, 3, 2),
            nn.Sigmoid(),
        ],
        [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(144, 2)],
    ],
    ids=str,
)
def test_other_layers_stay_right(layers, fashion_mnist):
    """What no Block can do is done by PyTorch's own layer."""
    torch.manual_seed(0)
    model = nn.Sequential(*layers).train()
    x = fashion_mnist.test[:5].pixels
    expected = outputs_and_gradients(model, x)
    for one, other in zip(outputs_and_gradients(accelerate(model), x), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("part", range(3))
def test_twin_with_another_output_or_gradient_is_an_error(monkeypatch, part):
    right = fast_layers.LinearOperation

    class Wrong:
        @staticmethod
        def compute(x, weight, bias):
            y, x = right.compute(x, weight, bias)
            return (1.001 * y if part == 0 else y), x

        @staticmethod
        def backward(*of):
            to_x, to_weight = right.backward(*of)
            return (1.001 * to_x if part == 1 else to_x), (1.001 * to_weight if part == 2 else to_weight)

    monkeypatch.setitem(fast_layers._OPERATIONS, nn.Linear, Wrong)
    for model in networks(0.2):
        with pytest.raises(AssertionError, match="The twin of"):
            accelerate(model)


@pytest.fixture
def fresh_fault():
    """Asked again, before and after."""
    fast_layers.fault.cache_clear()
    yield
    fast_layers.fault.cache_clear()


def test_nothing_is_wrong_with_the_twins_here_and_finding_that_leaves_no_trace(fresh_fault):
    state = torch.get_rng_state()
    assert fast_layers.fault() is None and fast_layers.usable()
    assert torch.equal(torch.get_rng_state(), state)


class Lacking:
    """A namespace of operators without some of them."""

    def __init__(self, namespace, *names):
        self.namespace, self.names = namespace, names

    def __getattr__(self, name):
        if name in self.names:
            raise AttributeError(f"no operator {name}")
        return getattr(self.namespace, name)


@pytest.mark.parametrize("lost", ["aten.threshold_backward", "mkldnn._linear_pointwise"])
def test_operator_that_this_pytorch_lacks_is_named(fresh_fault, monkeypatch, lost):
    namespace, name = lost.split(".")
    if namespace == "mkldnn" and not torch.backends.mkldnn.is_available():
        pytest.skip("this PyTorch has no oneDNN")
    monkeypatch.setattr(torch.ops, namespace, Lacking(getattr(torch.ops, namespace), name))
    assert fast_layers.fault() == f"AttributeError: no operator {name}"
    assert not fast_layers.usable()


@pytest.mark.parametrize("lost", ["result", "dropout"])
def test_operator_that_does_something_else_is_noticed(fresh_fault, monkeypatch, lost):
    if lost == "result":
        linear = fast_layers._linear
        # In single precision alone, as oneDNN's is used.
        wrong = {torch.float: 1.2, torch.double: 1.0}
        monkeypatch.setattr(fast_layers, "_linear", lambda x, *of: wrong[x.dtype] * linear(x, *of))
    else:
        monkeypatch.setattr(fast_layers, "drop_", lambda x, p, random: x)
    assert fast_layers.fault().startswith("AssertionError: ")


def test_the_environment_asks_for_pytorch_s_own_layers(monkeypatch):
    monkeypatch.setenv("MODA_ARITHMETIC", "plain")
    assert not fast_layers.usable()


def test_check_of_the_twin_leaves_no_trace():
    """No random number, average, gradient, mode or type is another one than without it."""
    made = []
    for make in (fast_layers._twin, accelerate):
        torch.manual_seed(0)
        model = MirroringClassifier(RevisedEncoder(8, dropout=0.2), 0.2)
        model.head.eval()
        twin = make(model)
        masks = [layer.random.state for layer in twin.modules() if isinstance(layer, Dropout) and layer.p]
        made.append((model, twin, torch.get_rng_state(), str(masks)))
    (model, twin, random, masks), (checked, checked_twin, random_after, masks_after) = made
    assert torch.equal(random, random_after) and masks == masks_after
    torch.testing.assert_close(checked.state_dict(), model.state_dict(), rtol=0, atol=0)
    assert all(p.grad is None for p in checked.parameters())
    for before, after in ((model, checked), (twin, checked_twin)):
        assert [layer.training for layer in before.modules()] == [layer.training for layer in after.modules()]


def test_second_derivative_is_an_error():
    """Only the first one is here."""
    x = torch.rand(2, 1, 28, 28, requires_grad=True)
    (gradient,) = torch.autograd.grad(accelerate(Autoencoder(4, 0.0))(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_no_slow_layer_is_left():
    slow = (nn.Dropout, nn.MaxPool2d, nn.ReLU, nn.ConvTranspose2d)
    for model in networks(0.2):
        assert not any(isinstance(layer, slow) for layer in accelerate(model).modules())


def test_flattened_model_learns_the_same():
    """A step on the one long parameter is a step on every parameter."""
    x = torch.rand(20, 1, 28, 28)
    one, other = Autoencoder(5, 0.0), Autoencoder(5, 0.0)
    other.load_state_dict(one.state_dict())
    one.to(memory_format=torch.channels_last)
    flat = flatten(one)
    assert flat.numel() == sum(p.numel() for p in other.parameters())
    optimizers = [torch.optim.SGD(p, lr=1, momentum=0.5) for p in ([flat], other.parameters())]
    for _ in range(3):
        for model, optimizer in zip((one, other), optimizers):
            optimizer.zero_grad(set_to_none=False)
            (model(x) - x).square().mean().backward()
            optimizer.step()
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("p", [0.1, 0.2, 0.5])
def test_keep_rate(p):
    """Of all numbers, and of each of the four that are cut out of one random integer."""
    size = 1_000_000
    keep = drop_(torch.ones(size), p, np.random.SFC64(0))
    sigma = sqrt(p * (1 - p) / size)
    assert abs(keep.mean() - (1 - p)) < 5 * sigma
    assert ((keep.view(-1, 4).mean(0) - (1 - p)).abs() < 5 * 2 * sigma).all()


def test_neighbours_are_independent():
    keep = drop_(torch.ones(1_000_000), 0.2, np.random.SFC64(0)) - 0.8
    for distance in (1, 2, 3, 4, 64):
        assert abs((keep[distance:] * keep[:-distance]).mean()) < 5 * 0.16 / 1000


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (2, 11, 11, 3)])
def test_dropping_keeps_the_other_values(shape):
    x = torch.rand(shape) + 1
    y = drop_(x.clone(), 0.2, np.random.SFC64(0))
    assert ((y == 0) | (y == x)).all()


def test_almost_everything_can_be_dropped():
    """The nearest probability of 16 bits is 1, which no mask can have."""
    assert drop_(torch.ones(100_000), 0.999999, np.random.SFC64(0)).mean() < 1e-3


def test_seeds_follow_from_torch_and_not_from_a_change_of_mode():
    x = torch.rand(1000)
    layer, draws = Dropout(0.5), []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        reseed(layer)
        state = torch.get_rng_state()
        draws.append((layer(x), layer.eval().train()(x)))
        assert torch.equal(torch.get_rng_state(), state)
    (a, b), (c, d), (e, _) = draws
    assert torch.equal(a, c) and torch.equal(b, d)
    assert not torch.equal(a, b) and not torch.equal(a, e)


@every_kind
@every_format
@pytest.mark.parametrize("p", [0.2, 0.5])
def test_output_and_gradients_with_the_mask_drawn(kind, memory_format, p):
    make, shape, pool = KINDS[kind]
    torch.manual_seed(0)
    layer = make()
    x = torch.randn(6, *shape)
    if len(shape) == 3:
        x = x.to(memory_format=memory_format)
        layer.to(memory_format=memory_format)
    x.requires_grad_()
    block = Block(layer, p=p, pool=pool).train()
    state = block.random.state
    y = Chain([block])(x)

    plain = layer(x)
    block.random.state = state
    # Drawn for (M, H, W, C), without the odd row and column that pooling leaves out.
    used = plain[..., : 2 * (plain.shape[2] // 2), : 2 * (plain.shape[3] // 2)] if pool else plain
    ones = torch.ones_like(used.movedim(1, -1), memory_format=torch.contiguous_format)
    mask = drop_(ones, p, block.random).movedim(-1, 1) / (1 - p)
    expected = F.relu(used) * mask
    expected = F.max_pool2d(expected, 2) if pool else expected
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)

    weights = torch.randn_like(expected)
    inputs = [x, layer.weight, layer.bias]
    got, wanted = (torch.autograd.grad((out * weights).sum(), inputs) for out in (y, expected))
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_of_equal_values_the_first_has_the_gradient(fashion_mnist):
    """As in max_pool2d. The weights are whole numbers, so that equal windows give equal values."""
    layer = nn.Conv2d(1, 3, 3)
    nn.init.constant_(layer.bias, 1.0)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(27.0).view(3, 1, 3, 3))
    x = torch.ones(2, 1, 8, 8, requires_grad=True)
    weights = torch.arange(54.0).view(2, 3, 3, 3)
    results = (Chain([Block(layer, pool=True)])(x), F.max_pool2d(F.relu(layer(x)), 2))
    ours, theirs = (torch.autograd.grad((y * weights).sum(), x)[0] for y in results)
    assert torch.equal(ours, theirs)


@every_kind
@pytest.mark.parametrize("p", [0.2, 0.5])
def test_distribution_of_pytorch_s_layers(kind, p):
    """First and second moment of every output, within 5 standard errors of 20000 draws of each."""
    make, shape, pool = KINDS[kind]
    torch.manual_seed(0)
    layer = make()
    x = torch.randn(1, *shape).expand(20_000, *shape).contiguous()
    plain = nn.Sequential(layer, nn.ReLU(), nn.Dropout(p), *([nn.MaxPool2d(2)] if pool else []))
    with torch.no_grad():
        ours, theirs = Chain([Block(layer, p=p, pool=pool)])(x).double(), plain(x).double()
    for power in (1, 2):
        a, b = ours**power, theirs**power
        error = ((a.var(0) + b.var(0)) / len(x)).sqrt()
        assert ((a.mean(0) - b.mean(0)).abs() <= 5 * error + 1e-6).all()


def test_dropout_drops_or_scales():
    x = torch.rand(1000) + 1
    y = Dropout(0.2).train()(x)
    assert ((y == 0) | torch.isclose(y, x / 0.8)).all() and (y == 0).any() and (y > 0).any()


@pytest.mark.parametrize("p, training", [(0.5, False), (0.0, True)])
def test_without_dropout(p, training):
    """In evaluation mode, or with probability 0; then no random number is drawn either."""
    x = torch.randn(2, 3, 11, 11)
    layer = nn.Conv2d(3, 4, 3)
    dropout, chain = Dropout(p), Chain([Block(layer, p=p, pool=True)])
    state = torch.get_rng_state()
    assert torch.equal(dropout.train(training)(x), x)
    expected = F.relu(F.max_pool2d(layer(x), 2))
    torch.testing.assert_close(chain.train(training)(x), expected)
    assert torch.equal(torch.get_rng_state(), state)


def test_training_mode_repeats_with_the_seed(fashion_mnist):
    x = fashion_mnist.test[:5].pixels
    for model in networks(0.2):
        twin = accelerate(model)
        draws = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            reseed(twin)
            draws.append(twin(x))
        assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
