"""The same networks, faster to train on a CPU.

`accelerate(model)` returns a twin that computes the same function of the same parameters.
What it does differently (benchmarks/README.md has the gain of each change):
- consecutive layers are a single autograd operation, on channels-last tensors throughout;
- a layer with its ReLU, dropout and max pooling stores no mask: the output is positive exactly where a
  positive value was kept, and so shows where the gradient passes;
- dropout uses raw 16-bit random integers, because `bernoulli_`, which nn.Dropout calls, took a third of
  an epoch; its scale is applied to the weights, which are fewer than the outputs;
- rows and columns that a later pooling skips are not computed;
- pooling takes the maximum of pairs twice, which needs no indices;
- transposed convolutions are plain ones whose channels are the four phases of the output, or one
  matrix product if the output has a single channel.
It draws other random numbers than nn.Dropout, with the same distribution (to 1/65536 in the dropout
probability). CUDA and MPS do not need it.

Why it can be trusted: only layers with the exact settings that `_suits` knows are replaced; all others stay
PyTorch's own. For every twin, `_check` compares outputs and gradients with the model's, without dropout, and
raises an error if they differ. tests/test_fast.py compares each kind of layer with PyTorch's, with the same
dropout mask and in distribution, and `make bench` trains networks both ways. Where `fault` finds something,
or with MODA_ARITHMETIC=plain in the environment, PyTorch's own layers are trained instead.
"""

import copy
import functools
import os
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from moda.arithmetic import seeded
from moda.networks import Autoencoder, Classifier

Layer = nn.Linear | nn.Conv2d | nn.ConvTranspose2d  # the core of a Block
Kind = TypeVar("Kind", bound=nn.Module)


def _where_above(x: Tensor, r: Tensor, t: float, out: Tensor | None = None) -> Tensor:
    """x where r > t, else 0; in `out`, if given."""
    operator = torch.ops.aten.threshold_backward
    return operator(x, r, t) if out is None else operator.grad_input(x, r, t, grad_input=out)


def usable() -> bool:
    """Whether networks are trained by their twins in this process."""
    return os.environ.get("MODA_ARITHMETIC") != "plain" and fault() is None


@functools.cache
def fault() -> str | None:
    """What is wrong with the twins of the paper's networks under this PyTorch; None if nothing is.

    They use operators that are not in its documentation: another version may lack one, or do something else.
    """
    try:
        with seeded(0, torch.device("cpu")):
            paper, mended = Autoencoder(2), Autoencoder(2, all_pixels=True)
            for model in (paper, mended, Classifier(paper.encoder)):
                twin = accelerate(model)
                # As in training: in single precision, where a rounding may flip a ReLU, and with dropout.
                _check(model, twin, torch.float, 0.05)
                reseed(twin.train())
                twin(torch.rand(2, 1, 28, 28)).sum().backward()
            dropped = drop_(torch.ones(1000), 0.5, np.random.SFC64(0))
            if not 400 < dropped.sum() < 600 or ((dropped != 0) & (dropped != 1)).any():
                raise AssertionError("dropout does not drop one value in two")
    except Exception as error:  # whatever a changed operator raises
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return None


def accelerate(model: nn.Module) -> nn.Module:
    """A twin of `model`, a network for images (M, 1, 28, 28), that shares its parameters.

    The parameters of `model` are converted to channels_last in place. In training, reseed() the twin.
    """
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    twin = _twin(model)
    _check(model, twin)
    return twin


def flatten(model: nn.Module, values: Tensor | None = None) -> nn.Parameter:
    """One parameter of which the trainable ones of `model`, and their gradients, become views.

    The optimiser then does one long operation instead of many short ones. Gradients must be set to zero,
    not to None. `values`: those of a flat parameter of an equal model, to share.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if values is None:
        values = torch.cat([p.detach().new_empty(p.numel()) for p in parameters])
    flat = nn.Parameter(values)
    flat.grad = torch.zeros_like(flat)
    start = 0
    for p in parameters:
        value, grad = (t.detach().as_strided(p.shape, p.stride(), start) for t in (flat, flat.grad))
        p.data, p.grad = value.copy_(p.detach()), grad
        start += p.numel()
    return flat


def reseed(twin: nn.Module) -> None:
    """Give every Dropout of `twin` new random numbers, which follow from torch's."""
    for layer in twin.modules():
        if isinstance(layer, Dropout) and layer.p:
            layer.random = np.random.SFC64(int(torch.randint(2**63 - 1, ())))


def divisible(twin: nn.Module) -> bool:
    """Whether parts of a batch can be computed apart, at the same time.

    They cannot if the network normalises a batch, or draws from torch's random numbers, of which there is
    one stream; the paper's networks do neither.
    """
    whole = ("torch.nn.modules.batchnorm", "torch.nn.modules.dropout")
    return type(twin) in (Autoencoder, Classifier) and not any(
        kind.__module__ in whole for layer in twin.modules() for kind in type(layer).__mro__
    )


def _check(
    model: nn.Module, twin: nn.Module, dtype: torch.dtype = torch.double, tolerance: float = 1e-6
) -> None:
    """AssertionError unless both give the same outputs and gradients for four images of noise.

    In evaluation mode, hence without dropout, and in double precision, where rounding flips no ReLU or
    pooling; `tolerance` is a part of each tensor's largest value. Uses copies and its own random numbers, so
    that training is unaffected.
    """
    images = torch.rand(4, 1, 28, 28, dtype=dtype, generator=torch.Generator().manual_seed(0))
    results = []
    for network in copy.deepcopy((model, twin)):  # one call, so that the copies share their parameters too
        network.to(dtype).eval()
        inputs = [images.clone().requires_grad_(), *(p for p in network.parameters() if p.requires_grad)]
        output = network(inputs[0])
        results.append([output, *torch.autograd.grad(output.square().sum(), inputs)])
    # Not by torch.testing, whose import takes longer than all the rest.
    for expected, actual in zip(*results, strict=True):
        limit = tolerance * expected.abs().max().item() + 1e-9
        if actual.shape != expected.shape or not torch.allclose(actual, expected, rtol=0, atol=limit):
            raise AssertionError(f"The twin of {type(model).__name__} differs by more than {limit:.1e}.")


def _twin(module: nn.Module) -> nn.Module:
    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        return _fused(module)
    twin = copy.copy(module)
    twin._modules = {name: _twin(child) for name, child in module.named_children()}
    return twin


def _fused(layers: Iterable[nn.Module]) -> nn.Sequential:
    """`layers` with consecutive ones joined into Chains, and dropout replaced."""
    rows: list[list[nn.Module]] = []
    for layer in _replaced(layers):
        if rows and _follows(rows[-1][-1], layer):
            rows[-1].append(layer)
        else:
            rows.append([layer])
    return nn.Sequential(*(Chain(row) if isinstance(row[0], Block | Reshape) else row[0] for row in rows))


def _follows(before: nn.Module, layer: nn.Module) -> bool:
    """Whether `layer` can come next after `before` in a Chain."""
    links = isinstance(before, Block | Reshape) and isinstance(layer, Block | Reshape)
    return links and before.gives_maps == layer.takes_maps


def _replaced(layers: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """Blocks, Reshapes and Dropouts in place of the layers that suit; the others unchanged."""
    left = deque(layers)

    def take(kind: type[Kind]) -> Kind | None:
        """The next layer, if it is of this kind and suits."""
        suits = left and isinstance(left[0], kind) and _suits(left[0])
        return cast(Kind, left.popleft()) if suits else None

    while left:
        if layer := take(nn.Linear) or take(nn.Conv2d) or take(nn.ConvTranspose2d):
            relu = take(nn.ReLU)
            dropout = take(nn.Dropout) if relu else None
            pooling = take(nn.MaxPool2d) if isinstance(layer, nn.Conv2d) else None
            yield Block(layer, bool(relu), dropout.p if dropout else 0.0, bool(pooling))
        elif reshaping := take(nn.Flatten) or take(nn.Unflatten):
            yield Reshape(reshaping)
        elif dropout := take(nn.Dropout):
            yield Dropout(dropout.p)
        else:
            yield left.popleft()


# The layers that are replaced, with their required settings; linear ones and convolutions also need a bias.
_PLAIN = {"padding": (0, 0), "dilation": (1, 1), "groups": 1}
_SETTINGS: dict[type[nn.Module], dict[str, Any]] = {
    nn.Linear: {},
    nn.Conv2d: {"kernel_size": (3, 3), "stride": (1, 1), **_PLAIN},
    nn.ConvTranspose2d: {"stride": (2, 2), "output_padding": (1, 1), **_PLAIN},
    nn.ReLU: {},
    nn.Dropout: {},
    nn.MaxPool2d: {"kernel_size": 2, "stride": 2, "padding": 0, "dilation": 1}
    | {"ceil_mode": False, "return_indices": False},
    nn.Flatten: {"start_dim": 1, "end_dim": -1},
    nn.Unflatten: {"dim": 1},
}


def _suits(layer: nn.Module) -> bool:
    """Whether this module can do what `layer` does; a subclass of PyTorch's layers may do anything."""
    if type(layer) not in _SETTINGS or getattr(layer, "bias", True) is None:
        return False
    if isinstance(layer, nn.ConvTranspose2d):
        kernels = [(3, 3), (4, 4)] if layer.out_channels == 1 else [(4, 4)]
        if layer.kernel_size not in kernels:
            return False
    if isinstance(layer, nn.Unflatten) and len(layer.unflattened_size) != 3:
        return False
    return all(getattr(layer, name) == value for name, value in _SETTINGS[type(layer)].items())


def drop_(x: Tensor, p: float, random: np.random.BitGenerator) -> Tensor:
    """Set each value of `x` (contiguous) to 0 with probability `p` (to 1/65536); return `x`, unscaled.

    Four values share a 64-bit integer of `random`.
    """
    bits = random.random_raw((x.numel() + 3) // 4)
    r = torch.from_numpy(bits.view(np.int16))[: x.numel()].view(x.shape)
    return _where_above(x, r, min(round(p * 65536), 65535) - 32769, out=x)


class Dropout(nn.Module):
    """nn.Dropout(p) for 0 <= p < 1.

    Its random numbers come from NumPy's SFC64, twice as fast as torch's generator, seeded by reseed().
    """

    def __init__(self, p: float):
        super().__init__()
        self.p = p
        self.random = np.random.SFC64(0)

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.p):
            return x
        return x * drop_(torch.full(x.shape, 1 / (1 - self.p)), self.p, self.random)


class Chain(nn.Module):
    """Consecutive Blocks and Reshapes, each taking the output of the one before.

    Between them, maps are (M, H, W, C), contiguous.
    """

    def __init__(self, links: list):
        super().__init__()
        self.links = nn.ModuleList(links)
        self.learned = [p for link in links for p in link.parameters()]  # looked up once: it is slow
        for link, after in reversed(list(zip(links, links[1:]))):
            if isinstance(link, Block) and isinstance(after, Block) and link.poolings:
                link.poolings += after.poolings

    def forward(self, x: Tensor) -> Tensor:
        if self.links[0].takes_maps and x.dim() == 4:
            x = x.permute(0, 2, 3, 1).contiguous()
        y = _Chain.apply(x, self.links, *self.learned)
        return y.permute(0, 3, 1, 2) if self.links[-1].gives_maps else y


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, links, *_):
        ctx.links, ctx.saved = links, []
        for link in links:
            x, saved = link.compute(x)
            ctx.saved.append(saved)
        return x.detach()  # avoids a reference cycle between the output and what is saved

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        of_parameters = []
        for place in reversed(range(len(ctx.links))):
            need_x = place > 0 or ctx.needs_input_grad[0]
            gradient, *of_link = ctx.links[place].backward(gradient.contiguous(), ctx.saved[place], need_x)
            of_parameters = of_link + of_parameters
        return gradient, None, *of_parameters


class Reshape(nn.Module):
    """Flatten() and Unflatten(1, (C, H, W)); vectors are in (C, H, W) order."""

    def __init__(self, layer: nn.Flatten | nn.Unflatten):
        super().__init__()
        self.shape = getattr(layer, "unflattened_size", None)
        self.gives_maps = isinstance(layer, nn.Unflatten)
        self.takes_maps = not self.gives_maps

    def compute(self, x: Tensor) -> tuple[Tensor, torch.Size]:
        return (self._to_maps(x, self.shape) if self.shape else self._to_vectors(x)), x.shape

    def backward(self, gradient: Tensor, shape: torch.Size, need_x: bool) -> tuple[Tensor]:
        if self.shape:
            return (self._to_vectors(gradient),)
        if len(shape) != 4:
            return (gradient.view(shape),)
        _, h, w, c = shape
        return (self._to_maps(gradient, (c, h, w)),)

    @staticmethod
    def _to_maps(x: Tensor, shape: tuple[int, int, int]) -> Tensor:
        return x.view(len(x), *shape).permute(0, 2, 3, 1).contiguous()

    @staticmethod
    def _to_vectors(x: Tensor) -> Tensor:
        """(M, H, W, C) to (M, C * H * W); anything but maps is just flattened."""
        return (x.permute(0, 3, 1, 2) if x.dim() == 4 else x).reshape(len(x), -1)


class Block(Dropout):
    """A layer that _suits, optionally followed by ReLU, dropout (only after ReLU) and 2x2 max pooling."""

    def __init__(self, layer: Layer, relu: bool = True, p: float = 0.0, pool: bool = False):
        super().__init__(p)
        self.weight, self.bias = layer.weight, cast(Tensor, layer.bias)  # _suits has checked it
        self.relu = relu
        # With its own pooling: 1, plus those of the Blocks right after it, up to the first without one.
        self.poolings = int(pool)
        self.takes_maps = self.gives_maps = not isinstance(layer, nn.Linear)
        self.operation = _OPERATIONS[type(layer)]

    def compute(self, x: Tensor) -> tuple[Tensor, tuple]:
        """The output, and what backward needs."""
        p = self.p if self.training else 0.0
        scale = 1 / (1 - p)
        weight, shape = self.weight * scale, x.shape
        if self.poolings:
            x = x[:, : _needed(x.shape[1], self.poolings), : _needed(x.shape[2], self.poolings)]
        y, x = self.operation.compute(x, weight, self.bias * scale)
        if p:
            drop_(y, p, self.random)
        before_pooling: tuple[Tensor, ...] = ()
        if self.poolings:
            # The maximum of four in two steps, in an order in which the first of equals wins, as in
            # max_pool2d. Pooling before ReLU gives the same maximum.
            of_four = _windows(y)
            of_two = torch.maximum(of_four[:, 0], of_four[:, 1])
            before_pooling, y = (y, of_two), torch.maximum(of_two[0], of_two[1])
        if self.relu:
            y.relu_()
        return y, (shape, x, weight, scale, y, *before_pooling)

    def backward(self, gradient: Tensor, saved: tuple, need_x: bool) -> tuple[Tensor | None, Tensor, Tensor]:
        shape, x, weight, scale, y, *before_pooling = saved
        if self.relu:
            gradient = _where_above(gradient, y, 0)
        grad_bias = gradient.flatten(0, -2).sum(0)
        if self.poolings:
            gradient = self._unpool(gradient, *before_pooling)
        grad_x, grad_weight = self.operation.backward(gradient, x, weight, need_x)
        if need_x and self.poolings:
            (_, h, w, _), (_, needed_h, needed_w, _) = shape, grad_x.shape
            grad_x = F.pad(grad_x, (0, 0, 0, w - needed_w, 0, h - needed_h))
        return grad_x, grad_weight.mul_(scale), grad_bias.mul_(scale)

    def _unpool(self, gradient: Tensor, y: Tensor, of_two: Tensor) -> Tensor:
        to_two, to_y = torch.empty_like(of_two), torch.empty_like(y)
        _split(gradient, of_two[0], of_two[1], to_two[0], to_two[1])
        of_four, to_four = _windows(y), _windows(to_y)
        _split(to_two, of_four[:, 0], of_four[:, 1], to_four[:, 0], to_four[:, 1])
        return to_y


def _needed(size: int, poolings: int) -> int:
    """How many of `size` rows (or columns) `poolings` successive 3x3 convolutions with 2x2 pooling use."""
    return 2 * _needed((size - 2) // 2, poolings - 1) + 2 if poolings else size


def _split(gradient: Tensor, a: Tensor, b: Tensor, to_a: Tensor, to_b: Tensor) -> None:
    """Split the gradient of maximum(a, b) between both; all of it goes to `a` if they are equal."""
    _where_above(gradient, b - a, 0, out=to_b)
    torch.sub(gradient, to_b, out=to_a)


def _windows(y: Tensor) -> Tensor:
    """(M, 2h, 2w, C) as (2, 2, M, h, w, C): row and column within a pooling window first."""
    return y.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).permute(2, 4, 0, 1, 3, 5)


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """F.linear by oneDNN, if there: within AVX2 (moda.arithmetic), MKL takes 2.5 times as long."""
    if x.dtype == torch.float and torch.backends.mkldnn.is_available():
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return F.linear(x, weight, bias)


class LinearOperation:
    """For each kind of layer, `compute` returns the output, and x as `backward` takes it."""

    @staticmethod
    def compute(x, weight, bias):
        return _linear(x, weight, bias), x

    @staticmethod
    def backward(gradient, x, weight, need_x):
        grad_weight = _linear(gradient.flatten(0, -2).t(), x.flatten(0, -2).t())
        return _linear(gradient, weight.t()) if need_x else None, grad_weight


class ConvolutionOperation:
    @staticmethod
    def compute(x, weight, bias):
        x = x.permute(0, 3, 1, 2)
        return F.conv2d(x, weight, bias).permute(0, 2, 3, 1).contiguous(), x

    @staticmethod
    def backward(gradient, x, weight, need_x):
        return _convolution_backward(gradient, x, weight, need_x, transposed=False)


class TransposedConvolutionOperation:
    @staticmethod
    def compute(x, weight, bias):
        (m, h, w, inputs), (_, outputs, size, _) = x.shape, weight.shape
        y = bias.expand(m, 2 * h + size - 1, 2 * w + size - 1, -1).contiguous()
        if outputs == 1:
            # One product gives the parts of all kernel positions, which are added in their places.
            parts = _linear(x, weight.reshape(inputs, -1).t())
            for position, part in enumerate(parts.split(1, -1)):
                i, j = divmod(position, size)
                y[:, i : i + 2 * h : 2, j : j + 2 * w : 2] += part
        else:
            kernel = weight.permute(0, 2, 3, 1).reshape(-1)[_phases(inputs, outputs, size)]
            phases = F.conv2d(x.permute(0, 3, 1, 2), kernel, bias.repeat(4), padding=1).permute(0, 2, 3, 1)
            phases = phases.unflatten(3, (2, 2, outputs)).transpose(2, 3)
            # With a kernel of 4, the output padding lies beyond the phases, and is only bias.
            y[:, : 2 * h + 2, : 2 * w + 2].unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).copy_(phases)
        return y, x

    @staticmethod
    def backward(gradient, x, weight, need_x):
        if weight.shape[1] > 1:
            return _convolution_backward(gradient, x.permute(0, 3, 1, 2), weight, need_x, transposed=True)
        inputs, _, size, _ = weight.shape
        # One column for each kernel position: the outputs that it takes the inputs to.
        reached = gradient.squeeze(3).unfold(1, size, 2).unfold(2, size, 2)
        reached = reached.reshape(-1, size * size)
        grad_weight = _linear(x.view(-1, inputs).t(), reached.t()).reshape(weight.shape)
        return _linear(reached, weight.reshape(inputs, -1)).view(x.shape) if need_x else None, grad_weight


@functools.cache
def _phases(inputs: int, outputs: int, size: int) -> Tensor:
    """Indices of the weights, in channels-last order, in the phase kernel (4 * outputs, inputs, 2, 2).

    Output 2m + a uses the kernel positions a and 2 + a, of inputs m and m - 1. So each of the four phases
    a (two down, two across) is a convolution with a 2x2 kernel, and all four are a single one.
    """
    place = torch.arange(inputs * size * size * outputs).view(inputs, size, size, outputs)
    # From (in, tap, phase, tap, phase, out) to (phase, phase, out, in, tap, tap), last tap first.
    place = place.view(inputs, 2, 2, 2, 2, outputs).permute(2, 4, 5, 0, 1, 3).flip(4, 5)
    return place.reshape(4 * outputs, inputs, 2, 2)


def _convolution_backward(gradient, x, weight, need_x, transposed):
    """PyTorch's own, for the strides and paddings that _suits accepts; `x` is (M, C, H, W)."""
    stride, output_padding = ([2, 2], [1, 1]) if transposed else ([1, 1], [0, 0])
    shape = [stride, [0, 0], [1, 1], transposed, output_padding, 1]
    grad_x, grad_weight, _ = torch.ops.aten.convolution_backward(
        gradient.permute(0, 3, 1, 2), x, weight, None, *shape, [need_x, True, False]
    )
    return grad_x.permute(0, 2, 3, 1) if need_x else None, grad_weight


_OPERATIONS: dict[
    type[nn.Module], type[LinearOperation | ConvolutionOperation | TransposedConvolutionOperation]
] = {
    nn.Linear: LinearOperation,
    nn.Conv2d: ConvolutionOperation,
    nn.ConvTranspose2d: TransposedConvolutionOperation,
}
