"""The networks that learn on the pages of chapters 2 and 6 are held to PyTorch."""

import base64
from collections.abc import Iterable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lab_page import FIRST, model_of, part, wait
from test_browser import CSS, settled
from torch import Tensor, nn

from moda.book import laboratory
from moda.data import Images
from moda.networks import Autoencoder, Classifier, Encoder

pytestmark = pytest.mark.slow
PAGES = {"entrenar": "notebooks/02-autoencoder.html", "morir": "notebooks/06-comparacion-de-n.html"}
# Of a tensor's greatest number; and of its greatest gradient, below which the sign may be one of rounding.
CLOSE, TINY = 1e-4, 1e-6


def opened(browser, book, name: str, fragment: str = ""):
    browser.get("about:blank")
    browser.get((book / PAGES[name]).as_uri() + fragment)
    settled(browser)
    place = part(browser, name)
    wait(browser, lambda _: place.find_elements(CSS, ".live-part"))
    return place


def head(bias: float = 0.0, leak: float = 0.0, relu: bool = True, dropout: float = 0.0) -> nn.Sequential:
    return Classifier(Encoder(64), dropout, output_relu=relu, leak=leak, bias=bias).head


def described(network: nn.Module, dropout: bool) -> list[dict]:
    """The layers as the page has them."""
    whole = network if isinstance(network, Autoencoder) else nn.ModuleDict({"head": network})
    layers = laboratory.layers(whole)
    for layer in layers:
        if layer["type"] == "LeakyReLU":
            layer["slope"] = whole.get_submodule(layer["name"]).negative_slope
    return [layer for layer in layers if dropout or layer["type"] != "Dropout"]


def packed(values: Tensor) -> str:
    return base64.b64encode(values.detach().numpy().astype("<f4").tobytes()).decode()


def unpacked(text: str) -> Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").copy())


LEARN = """
    const floats = (text) => new Float32Array(Network.bytes(text).buffer);
    const packed = (arrays) => {
        let text = "";
        for (const array of arrays)
            for (const byte of new Uint8Array(array.slice().buffer)) text += String.fromCharCode(byte);
        return btoa(text);
    };
    const numbers = (network) => network.flatMap(({weight, bias}) => weight ? [weight, bias] : []);
    const rows = (text, shape) => {
        const [values, length] = [floats(text), shape.reduce((a, b) => a * b)];
        return Array.from({length: values.length / length}, (_, i) => {
            return Network.tensor(shape, values.slice(i * length, (i + 1) * length));
        });
    };
    const examples = (text, shape, labels) => rows(text, shape).map((row, i) => {
        return [row, labels ? Training.crossEntropy(labels[i]) : Training.squaredError(row.values)];
    });
"""
STEPS = """
    const [layers, start, shape, batches] = arguments;
    const network = Training.fresh(layers, Random.seeded(0));
    let from = 0;
    for (const {values} of numbers(network)) values.set(floats(start).subarray(from, from += values.length));
    return batches.map(([inputs, labels], i) => {
        const loss = Training.gradient(network, examples(inputs, shape, labels), Math.random);
        const gradients = packed(numbers(network).map(({gradient}) => gradient));
        Training.adam(network, i + 1, 1e-3);
        return [loss, gradients, packed(numbers(network).map(({values}) => values))];
    });
"""
COURSE = """
    const [layers, seed, inputs, shape, labels, steps] = arguments;
    const random = Random.seeded(seed);
    const network = Training.fresh(layers, random);
    const next = Training.course(network, examples(inputs, shape, labels), {size: 50, rate: 1e-3, random});
    return Array.from({length: steps}, next);
"""


def loss_of(network: nn.Module, x: Tensor, labels: Tensor | None) -> Tensor:
    y = network(x)
    return F.mse_loss(y, x) if labels is None else F.cross_entropy(y, labels)


def codes_of(images: Images) -> tuple[Tensor, Tensor]:
    """The codes on which the page trains, and their labels."""
    made = laboratory.codes(model_of(FIRST.autoencoder), images[:4000])
    numbers = torch.frombuffer(bytearray(made["codes"]), dtype=torch.uint8).view(-1, 64).float()
    return numbers * made["unit"], torch.tensor(made["labels"])


def parts_of(values: Tensor, network: nn.Module) -> Iterable[Tensor]:
    return values.split([p.numel() for p in network.parameters()])


HEADS = {"paper": {}, "plain": {"relu": False}, "bias": {"bias": 1.0}, "leak": {"leak": 0.01}}


@pytest.mark.parametrize("kind", ["autoencoder", *HEADS])
def test_gradients_and_steps_are_pytorch_s(browser, book, fashion_mnist, kind):
    opened(browser, book, "entrenar")
    torch.manual_seed(1)
    if kind == "autoencoder":
        network, x, labels = Autoencoder(64, dropout=0.0), fashion_mnist.train[:60].pixels, None
    else:
        network, (x, labels) = head(**HEADS[kind]), codes_of(fashion_mnist.train)
    start = nn.utils.parameters_to_vector(network.parameters())
    batches = [
        [packed(x[at]), None if labels is None else labels[at].tolist()] for at in torch.arange(60).split(20)
    ]
    answers = browser.execute_script(
        LEARN + STEPS, described(network, False), packed(start), list(x[0].shape), batches
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    doubtful = torch.zeros(len(start), dtype=torch.bool)
    for at, (loss, gradients, _) in zip(torch.arange(60).split(20), answers):
        expected = loss_of(network, x[at], None if labels is None else labels[at])
        assert loss == pytest.approx(expected.item(), rel=CLOSE)
        optimizer.zero_grad()
        expected.backward()
        optimizer.step()
        tiny = []
        for ours, theirs in zip(parts_of(unpacked(gradients), network), network.parameters()):
            size = theirs.grad.abs().max()
            assert (ours - theirs.grad.flatten()).abs().max() <= CLOSE * size
            tiny.append((theirs.grad.flatten().abs() < TINY * size) & (theirs.grad.flatten() != 0))
        doubtful |= torch.cat(tiny)
    compared = parts_of(~doubtful, network)
    for ours, theirs, sure in zip(
        parts_of(unpacked(answers[-1][2]), network), network.parameters(), compared
    ):
        assert (ours - theirs.flatten())[sure].abs().max() <= CLOSE * theirs.abs().max()
    print(f"{kind}: {doubtful.sum()} of {len(start)} weights not compared")
    assert doubtful.float().mean() < 0.01


def test_a_seed_gives_pytorch_s_weights_and_order(browser, book):
    opened(browser, book, "entrenar")
    torch.manual_seed(7)
    network, order = Autoencoder(), torch.randperm(2000)
    weights, drawn_order = browser.execute_script(
        LEARN + "const random = Random.seeded(7); const network = Training.fresh(arguments[0], random);"
        "return [packed(numbers(network).map(({values}) => values)), random.order(2000)]",
        described(network, True),
    )
    expected = nn.utils.parameters_to_vector(network.parameters())
    assert (unpacked(weights) - expected).abs().max() < 1e-8
    assert drawn_order == order.tolist()


def curve(network: nn.Module, x: Tensor, labels: Tensor | None, steps: int, size: int = 100) -> list[float]:
    """The losses of the ten lines of chapter 2, whose seed has drawn the network."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses: list[float] = []
    while len(losses) < steps:
        for batch in torch.randperm(len(x)).split(size)[: steps - len(losses)]:
            loss = loss_of(network, x[batch], None if labels is None else labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


@pytest.mark.parametrize("kind", ["autoencoder", "paper"])
def test_with_dropout_the_curves_lie_within_pytorch_s(browser, book, fashion_mnist, kind):
    """Means of ten batches: that of three seeds here, and three seeds of PyTorch."""
    opened(browser, book, "entrenar")
    steps = 40 if kind == "autoencoder" else 200
    train = fashion_mnist.train
    x, labels = (train[:2000].pixels, None) if kind == "autoencoder" else codes_of(train)
    ours, theirs = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        network = Autoencoder() if kind == "autoencoder" else drawn_head()
        given = None if labels is None else labels.tolist()
        layers = described(network, True)
        ours += [
            browser.execute_script(LEARN + COURSE, layers, seed, packed(x), list(x[0].shape), given, steps)
        ]
        theirs += [curve(network, x, labels, steps, size=50)]
    mine, others = (torch.tensor(losses).view(3, -1, 10).mean(2) for losses in (ours, theirs))
    spread = others.std(0)
    print(kind, mine.mean(0), others.mean(0), spread)
    assert (mine.mean(0) <= others.max(0).values + spread).all()
    assert (mine.mean(0) >= others.min(0).values - spread).all()


def drawn_head() -> nn.Sequential:
    """Whose weights are the first that the seed draws."""
    return nn.Sequential(nn.Linear(64, 10), nn.ReLU(), nn.Dropout(0.2))
