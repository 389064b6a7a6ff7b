"""The same networks, quicker to train on a CPU.

`accelerate(model)` gives a twin that computes the same function of the very same parameters.
What it does differently (benchmarks/README.md has what each change brought):
- layers in a row are one operation for autograd, which works on channels-last tensors throughout;
- a layer with its ReLU, dropout and max pooling stores no mask: the output shows where the gradient
  passes, for it is positive exactly where a positive value was kept;
- dropout comes from raw 16-bit random integers: `bernoulli_`, which nn.Dropout calls, took a third
  of an epoch; and its factor goes to the weights, of which there are fewer than outputs;
- rows and columns that a later pooling leaves out are not computed;
- pooling takes the maximum of two and of two again, which needs no positions;
- transposed convolutions are plain ones whose channels are the four phases of the output, or one
  matrix product where the output has a single channel.
It draws other random numbers than nn.Dropout, with the same distribution (to 1/65536 in the
dropout probability). CUDA and MPS have no need of it.
"""

import copy
import functools
from collections.abc import Callable
from typing import TypeGuard, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

Mapping = nn.Linear | nn.Conv2d | nn.ConvTranspose2d  # what a Block is made around
_where_above = torch.ops.aten.threshold_backward  # (x, r, t): x where r > t, else 0; t is a number


def accelerate(model: nn.Module) -> nn.Module:
    """A twin of `model` (Sequentials of the layers in moda.models) that shares its parameters.

    The parameters of `model` are converted to channels_last in place.
    """
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return _twin(model)


def flatten(model: nn.Module) -> nn.Parameter:
    """One parameter of which those of `model` that learn, and their gradients, become parts.

    An optimiser has one long operation to do then, instead of many short ones. Gradients are to be
    set to zero, not to None.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    flat = nn.Parameter(torch.cat([p.detach().new_empty(p.numel()) for p in parameters]))
    flat.grad = torch.zeros_like(flat)
    start = 0
    for p in parameters:
        value, grad = (t.detach().as_strided(p.shape, p.stride(), start) for t in (flat, flat.grad))
        p.data, p.grad = value.copy_(p.detach()), grad
        start += p.numel()
    return flat


def _twin(module: nn.Module) -> nn.Module:
    if isinstance(module, nn.Sequential):
        return _fused(list(module))
    twin = copy.copy(module)
    twin._modules = {name: _twin(child) for name, child in module.named_children()}
    return twin


def _fused(layers: list[nn.Module]) -> nn.Sequential:
    """`layers` with those in a row that a Chain can do as one, and other layers for dropout."""
    fused: list[nn.Module] = []
    chain: list[nn.Module] = []
    while layers:
        layer = layers.pop(0)
        if _suits(layer):
            relu = bool(layers) and isinstance(layers[0], nn.ReLU)
            layers[:relu] = []
            dropped = relu and bool(layers) and isinstance(layers[0], nn.Dropout)
            p = cast(nn.Dropout, layers.pop(0)).p if dropped else 0.0
            pool = isinstance(layer, nn.Conv2d) and bool(layers) and _halves(layers[0])
            layers[:pool] = []
            chain.append(Block(layer, relu, p, pool))
        elif isinstance(layer, (nn.Flatten, nn.Unflatten)):
            chain.append(Reshape(layer))
        else:
            fused += [Chain(chain)] * bool(chain)
            fused.append(Dropout(layer.p) if isinstance(layer, nn.Dropout) else layer)
            chain = []
    return nn.Sequential(*fused, *[Chain(chain)] * bool(chain))


def _suits(layer: nn.Module) -> TypeGuard[Mapping]:
    """Whether a Block can do this layer."""
    if getattr(layer, "bias", None) is None:
        return False
    if isinstance(layer, nn.Conv2d):
        return (layer.kernel_size, layer.stride, layer.padding) == ((3, 3), (1, 1), (0, 0))
    if isinstance(layer, nn.ConvTranspose2d):
        kernels = [(4, 4)] if layer.out_channels > 1 else [(3, 3), (4, 4)]
        rest = (layer.stride, layer.padding, layer.output_padding)
        return layer.kernel_size in kernels and rest == ((2, 2), (0, 0), (1, 1))
    return isinstance(layer, nn.Linear)


def _halves(layer: nn.Module) -> bool:
    pooling = isinstance(layer, nn.MaxPool2d) and (layer.kernel_size, layer.stride, layer.padding)
    return pooling in ((2, 2, 0), ((2, 2), (2, 2), (0, 0))) and not layer.ceil_mode


def drop_(x: Tensor, p: float, random: np.random.BitGenerator) -> Tensor:
    """Sets each value of `x` (contiguous) to 0 with probability `p` (to 1/65536); gives it back, unscaled.

    Four values share a 64-bit integer of `random`.
    """
    bits = random.random_raw((x.numel() + 3) // 4)
    r = torch.from_numpy(bits.view(np.int16))[: x.numel()].view(x.shape)
    return _where_above.grad_input(x, r, min(round(p * 65536), 65535) - 32769, grad_input=x)


class Dropout(nn.Module):
    """nn.Dropout(p) for 0 <= p < 1.

    Its random numbers are NumPy's SFC64, which is twice as quick as torch's generator; train(),
    called before every epoch, seeds it anew from torch's, so torch.manual_seed still rules.
    """

    def __init__(self, p: float):
        super().__init__()
        self.p = p
        self.train()

    def train(self, mode: bool = True) -> "Dropout":
        if mode and self.p:
            self.random = np.random.SFC64(int(torch.randint(2**63 - 1, ())))
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.p):
            return x
        return x * drop_(torch.full(x.shape, 1 / (1 - self.p)), self.p, self.random)


class Chain(nn.Module):
    """Blocks and Reshapes in a row. Between them maps are (M, H, W, C), contiguous."""

    def __init__(self, links: list[nn.Module]):
        super().__init__()
        self.links = nn.ModuleList(links)
        self.learnt = list(self.links.parameters())  # looked up once: it takes long
        for link, after in zip(links, links[1:]):
            if isinstance(link, Block) and isinstance(after, Block):
                link.used_of_output = after.used

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 4:
            x = x.permute(0, 2, 3, 1).contiguous()
        y = _Chain.apply(x, self.links, *self.learnt)
        return y.permute(0, 3, 1, 2) if y.dim() == 4 else y


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, links, *_):
        ctx.links, ctx.kept = links, []
        for link in links:
            x, kept = link.compute(x)
            ctx.kept.append(kept)
        return x.detach()  # what is kept must not hold the output, which holds what is kept

    @staticmethod
    def backward(ctx, gradient):
        to_parameters = []
        for place in reversed(range(len(ctx.links))):
            need_x = place > 0 or ctx.needs_input_grad[0]
            gradient, *of_link = ctx.links[place].backward(gradient.contiguous(), ctx.kept[place], need_x)
            to_parameters = of_link + to_parameters
        return gradient, None, *to_parameters


class Reshape(nn.Module):
    """Between maps and vectors, whose order is that of (C, H, W)."""

    def __init__(self, layer: nn.Flatten | nn.Unflatten):
        super().__init__()
        self.shape = getattr(layer, "unflattened_size", None)

    def compute(self, x: Tensor) -> tuple[Tensor, torch.Size]:
        return (self._to_maps(x, self.shape) if self.shape else self._to_vectors(x)), x.shape

    def backward(self, gradient: Tensor, shape: torch.Size, need_x: bool) -> tuple[Tensor]:
        _, h, w, c = shape if self.shape is None else gradient.shape
        return (self._to_vectors(gradient) if self.shape else self._to_maps(gradient, (c, h, w)),)

    @staticmethod
    def _to_maps(x: Tensor, shape: tuple[int, int, int]) -> Tensor:
        return x.view(-1, *shape).permute(0, 2, 3, 1).contiguous()

    @staticmethod
    def _to_vectors(x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2).reshape(len(x), -1)


class Block(Dropout):
    """A layer that _suits; and behind it, each or none, ReLU, dropout after the ReLU, 2x2 max pooling."""

    def __init__(self, layer: Mapping, relu: bool = True, p: float = 0.0, pool: bool = False):
        super().__init__(p)
        self.weight, self.bias = layer.weight, cast(Tensor, layer.bias)  # as _suits has seen
        self.relu, self.pool = relu, pool
        self.used_of_output: Callable[[int], int] = int
        self.map = _MAPS[type(layer)]

    def used(self, size: int) -> int:
        """Of `size` rows, or columns, of the input, those that the chain's output depends on."""
        if not self.pool:
            return size
        return 2 * self.used_of_output((size - 2) // 2) + 2

    def compute(self, x: Tensor) -> tuple[Tensor, tuple]:
        """The output, and what backward needs."""
        p = self.p if self.training else 0.0
        scale = 1 / (1 - p)
        weight, shape = self.weight * scale, x.shape
        if self.pool:
            x = x[:, : self.used(x.shape[1]), : self.used(x.shape[2])]
        y, x = self.map.compute(x, weight, self.bias * scale)
        if p:
            drop_(y, p, self.random)
        kept: tuple[Tensor, ...] = ()
        if self.pool:
            # The maximum of four in two steps, in an order in which the first of equals wins, as in
            # max_pool2d; before ReLU, for the maximum of non-negative products is the same.
            of_four = _windows(y)
            of_two = torch.maximum(of_four[:, 0], of_four[:, 1])
            kept, y = (y, of_two), torch.maximum(of_two[0], of_two[1])
        if self.relu:
            y.relu_()
        return y, (shape, x, weight, scale, y, *kept)

    def backward(self, gradient: Tensor, kept: tuple, need_x: bool) -> tuple[Tensor | None, Tensor, Tensor]:
        shape, x, weight, scale, y, *pooled = kept
        if self.relu:
            gradient = _where_above(gradient, y, 0)
        to_bias = gradient.flatten(0, -2).sum(0)
        if self.pool:
            gradient = self._unpool(gradient, *pooled)
        to_x, to_weight = self.map.backward(gradient, x, weight, need_x)
        if need_x and self.pool:
            (_, h, w, _), (_, used_h, used_w, _) = shape, to_x.shape
            to_x = F.pad(to_x, (0, 0, 0, w - used_w, 0, h - used_h))
        return to_x, to_weight.mul_(scale), to_bias.mul_(scale)

    def _unpool(self, gradient: Tensor, y: Tensor, of_two: Tensor) -> Tensor:
        to_two, to_y = torch.empty_like(of_two), torch.empty_like(y)
        _split(gradient, of_two[0], of_two[1], to_two[0], to_two[1])
        of_four, to_four = _windows(y), _windows(to_y)
        _split(to_two, of_four[:, 0], of_four[:, 1], to_four[:, 0], to_four[:, 1])
        return to_y


def _split(gradient: Tensor, a: Tensor, b: Tensor, to_a: Tensor, to_b: Tensor) -> None:
    """The gradient of maximum(a, b) to its parts; all of it to `a` where they are equal."""
    _where_above.grad_input(gradient, b - a, 0, grad_input=to_b)
    torch.sub(gradient, to_b, out=to_a)


def _windows(y: Tensor) -> Tensor:
    """(M, 2h, 2w, C) as (2, 2, M, h, w, C): row and column within a window of the pooling first."""
    return y.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).permute(2, 4, 0, 1, 3, 5)


class Linear:
    """Of each kind of layer: compute gives its output, and x as backward takes it."""

    @staticmethod
    def compute(x, weight, bias):
        return F.linear(x, weight, bias), x

    @staticmethod
    def backward(gradient, x, weight, need_x):
        return gradient @ weight if need_x else None, gradient.t() @ x


class Convolution:
    @staticmethod
    def compute(x, weight, bias):
        x = x.permute(0, 3, 1, 2)
        return F.conv2d(x, weight, bias).permute(0, 2, 3, 1).contiguous(), x

    @staticmethod
    def backward(gradient, x, weight, need_x):
        return _convolution_backward(gradient, x, weight, need_x, transposed=False)


class TransposedConvolution:
    @staticmethod
    def compute(x, weight, bias):
        (m, h, w, inputs), (_, outputs, size, _) = x.shape, weight.shape
        y = bias.expand(m, 2 * h + size - 1, 2 * w + size - 1, -1).contiguous()
        if outputs == 1:
            # What each of the kernel's positions gives, in one product, goes to its place in the output.
            parts = weight.reshape(inputs, -1).t() @ x.reshape(-1, inputs).t()
            for position, part in enumerate(parts.view(-1, m, h, w, 1)):
                i, j = divmod(position, size)
                y[:, i : i + 2 * h : 2, j : j + 2 * w : 2] += part
        else:
            kernel = weight.permute(0, 2, 3, 1).reshape(-1)[_phases(inputs, outputs, size)]
            phases = F.conv2d(x.permute(0, 3, 1, 2), kernel, bias.repeat(4), padding=1).permute(0, 2, 3, 1)
            phases = phases.unflatten(3, (2, 2, outputs)).transpose(2, 3)
            # With a kernel of 4 the padding of the output is beyond the phases, and only bias.
            y[:, : 2 * h + 2, : 2 * w + 2].unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).copy_(phases)
        return y, x

    @staticmethod
    def backward(gradient, x, weight, need_x):
        if weight.shape[1] > 1:
            return _convolution_backward(gradient, x.permute(0, 3, 1, 2), weight, need_x, transposed=True)
        inputs, _, size, _ = weight.shape
        # Where each of the kernel's positions takes the inputs to, in a row.
        reached = gradient.squeeze(3).unfold(1, size, 2).unfold(2, size, 2)
        reached = reached.permute(3, 4, 0, 1, 2).reshape(size * size, -1)
        to_weight = (reached @ x.view(-1, inputs)).t().reshape(weight.shape)
        return (reached.t() @ weight.reshape(inputs, -1).t()).view(x.shape) if need_x else None, to_weight


@functools.cache
def _phases(inputs: int, outputs: int, size: int) -> Tensor:
    """Which weights, in channels-last order, make the kernel of the phases: (4 * outputs, inputs, 2, 2).

    Output 2m + a takes the kernel's positions a and 2 + a, of inputs m and m - 1. So each of the four
    phases a (two down, two across) is a convolution with a 2x2 kernel, and all are one.
    """
    place = torch.arange(inputs * size * size * outputs).view(inputs, size, size, outputs)
    # From (in, tap, phase, tap, phase, out) to (phase, phase, out, in, tap, tap), last tap first.
    place = place.view(inputs, 2, 2, 2, 2, outputs).permute(2, 4, 5, 0, 1, 3).flip(4, 5)
    return place.reshape(4 * outputs, inputs, 2, 2)


def _convolution_backward(gradient, x, weight, need_x, transposed):
    """PyTorch's own, for the strides and paddings that _suits; `x` is (M, C, H, W)."""
    stride, output_padding = ([2, 2], [1, 1]) if transposed else ([1, 1], [0, 0])
    shape = [stride, [0, 0], [1, 1], transposed, output_padding, 1]
    to_x, to_weight, _ = torch.ops.aten.convolution_backward(
        gradient.permute(0, 3, 1, 2), x, weight, None, *shape, [need_x, True, False]
    )
    return to_x.permute(0, 2, 3, 1) if need_x else None, to_weight


_MAPS: dict[type[nn.Module], type[Linear | Convolution | TransposedConvolution]] = {
    nn.Linear: Linear,
    nn.Conv2d: Convolution,
    nn.ConvTranspose2d: TransposedConvolution,
}
