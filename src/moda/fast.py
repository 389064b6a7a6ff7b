"""The same networks, quicker to train on a CPU.

`accelerate(model)` gives a twin that computes the same function of the very same parameters.
What it does differently (benchmarks/README.md has what each change brought):
- a layer with its ReLU, dropout and max pooling is one operation that stores no mask: the output
  shows where the gradient passes, for it is positive exactly where a positive value was kept;
- dropout comes from raw 16-bit random integers: `bernoulli_`, which nn.Dropout calls, took a third
  of an epoch; and its factor goes to the weights, of which there are fewer than outputs;
- transposed convolutions are plain ones whose channels are the four phases of the output, or one
  matrix product where the output has a single channel;
- channels_last tensors, in which max pooling and convolutions are quicker.
It draws other random numbers than nn.Dropout, with the same distribution (to 1/65536 in the
dropout probability). CUDA and MPS have no need of it.
"""

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

_where_above = torch.ops.aten.threshold_backward  # (x, r, t): x where r > t, else 0; t is a number


def accelerate(model: nn.Module) -> nn.Module:
    """A twin of `model` (Sequentials of the layers in moda.models) that shares its parameters.

    The parameters of `model` are converted to channels_last in place. Submodules keep their names,
    so the twin's state_dict is the model's.
    """
    model.to(memory_format=torch.channels_last)
    return _twin(model)


def flatten(model: nn.Module) -> nn.Parameter:
    """One parameter of which those of `model`, and their gradients, become parts.

    An optimiser has one long operation to do then, instead of many short ones. Gradients are to be
    set to zero, not to None.
    """
    parameters = list(model.parameters())
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
        return _fused(module)
    twin = copy.copy(module)
    twin._modules = {name: _twin(child) for name, child in module.named_children()}
    return twin


def _fused(layers: nn.Sequential) -> nn.Sequential:
    """`layers` with each layer that has ReLU and dropout behind it, and perhaps pooling, as one module."""
    fused = list(layers)
    for i, layer in enumerate(layers):
        follow = [type(after) for after in fused[i + 1 : i + 4]]
        if type(layer) in _MAPS and follow[:2] == [nn.ReLU, nn.Dropout]:
            pool = follow[2:] == [nn.MaxPool2d]
            fused[i] = Block(layer, p=layers[i + 2].p, pool=pool)
            fused[i + 1 : i + 3 + pool] = [nn.Identity()] * (2 + pool)
        elif isinstance(layer, nn.ConvTranspose2d):
            fused[i] = Block(layer, relu=False)
        elif isinstance(fused[i], nn.Dropout):
            fused[i] = Dropout(layer.p)
    return nn.Sequential(*fused)


def drop(x: Tensor, p: float, random: np.random.BitGenerator) -> Tensor:
    """`x` with each value set to 0 with probability `p` (to 1/65536), in the strides of `x`; unscaled.

    Four values share a 64-bit integer of `random`.
    """
    bits = random.random_raw((x.numel() + 3) // 4)
    r = torch.from_numpy(bits.view(np.int16))[: x.numel()]
    if _layout(x) == torch.channels_last:
        m, c, h, w = x.shape
        r = r.view(m, h, w, c).permute(0, 3, 1, 2)
    return _where_above(x, r.view(x.shape), min(round(p * 65536), 65535) - 32769)


def _layout(x: Tensor) -> torch.memory_format:
    last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


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
            self.random = np.random.SFC64(torch.randint(2**63 - 1, ()).item())
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        return drop(x, self.p, self.random) / (1 - self.p) if self.training and self.p else x


class Block(Dropout):
    """A convolution, transposed convolution or linear layer; ReLU; dropout; 2x2 max pooling.

    Transposed convolutions must have stride 2, a kernel of 3 or 4, and padding at most of the output.
    """

    def __init__(self, layer: nn.Module, p: float = 0.0, relu: bool = True, pool: bool = False):
        super().__init__(p)
        self.weight, self.bias = layer.weight, layer.bias
        self.relu, self.pool = relu, pool
        self.map, self.map_backward = _MAPS[type(layer)]

    def forward(self, x: Tensor) -> Tensor:
        return _Block.apply(x, self.weight, self.bias, self)


class _Block(torch.autograd.Function):
    """Pools before ReLU: the maximum of non-negative products is the same."""

    @staticmethod
    def forward(ctx, x, weight, bias, block):
        p = block.p if block.training else 0
        scale = 1 / (1 - p)
        weight = weight * scale
        y = block.map(x, weight, bias * scale)
        if p:
            y = drop(y, p, block.random)
        ctx.shape, ctx.layout, positions = y.shape, _layout(y), None
        if block.pool:
            y, positions = F.max_pool2d(y, 2, return_indices=True)
        if block.relu:
            y.relu_()
        ctx.save_for_backward(x, weight, y, positions)
        ctx.block, ctx.scale = block, scale
        return y

    @staticmethod
    def backward(ctx, gradient):
        x, weight, y, positions = ctx.saved_tensors
        if ctx.block.relu:
            gradient = _where_above(gradient, y, 0)
        if ctx.block.pool:
            # The pooling's backward asks its input only for shape and strides.
            like = torch.empty(ctx.shape, dtype=y.dtype, memory_format=ctx.layout)
            gradient = torch.ops.aten.max_pool2d_with_indices_backward(
                gradient, like, [2, 2], [2, 2], [0, 0], [1, 1], False, positions
            )
        need_x = ctx.needs_input_grad[0]
        to_x, to_weight, to_bias = ctx.block.map_backward(gradient, x, weight, need_x)
        return to_x, to_weight.mul_(ctx.scale), to_bias.mul_(ctx.scale), None


def _linear_backward(gradient: Tensor, x: Tensor, weight: Tensor, need_x: bool) -> tuple:
    return gradient @ weight if need_x else None, gradient.t() @ x, gradient.sum(0)


def _conv_backward(gradient: Tensor, x: Tensor, weight: Tensor, need_x: bool) -> tuple:
    return torch.ops.aten.convolution_backward(
        gradient, x, weight, [len(weight)], [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [need_x, True, True]
    )


def _conv_transpose(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    (m, inputs, h, w), (_, outputs, size, _) = x.shape, weight.shape
    y = bias.repeat(m, 2 * h + size - 1, 2 * w + size - 1, 1)
    if outputs == 1:
        # What each of the kernel's positions gives, in one product, goes to its place in the output.
        parts = weight.reshape(inputs, -1).t() @ x.permute(0, 2, 3, 1).reshape(-1, inputs).t()
        for position, part in enumerate(parts.view(-1, m, h, w, 1)):
            i, j = divmod(position, size)
            y[:, i : i + 2 * h : 2, j : j + 2 * w : 2] += part
    else:
        # Output 2m + a takes the kernel's positions a and 2 + a, of inputs m and m - 1. So each of the
        # four phases a (two down, two across) is a convolution with a 2x2 kernel, and all are one.
        kernel = F.pad(weight, (0, 4 - size, 0, 4 - size)).view(inputs, outputs, 2, 2, 2, 2)
        # From (in, out, tap, phase, tap, phase) to (phase, phase, out, in, tap, tap), last tap first.
        kernel = kernel.permute(3, 5, 1, 0, 2, 4).flip(4, 5).reshape(4 * outputs, inputs, 2, 2)
        phases = F.conv2d(x, kernel, bias.repeat(4), padding=1).permute(0, 2, 3, 1)
        phases = phases.unflatten(3, (2, 2, outputs)).transpose(2, 3)
        # With a kernel of 4 the padding of the output is beyond the phases, and only bias.
        y[:, : 2 * h + 2, : 2 * w + 2].unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).copy_(phases)
    return y.permute(0, 3, 1, 2)


def _conv_transpose_backward(gradient: Tensor, x: Tensor, weight: Tensor, need_x: bool) -> tuple:
    outputs = weight.shape[1]
    return torch.ops.aten.convolution_backward(
        gradient, x, weight, [outputs], [2, 2], [0, 0], [1, 1], True, [1, 1], 1, [need_x, True, True]
    )


_MAPS = {
    nn.Linear: (F.linear, _linear_backward),
    nn.Conv2d: (F.conv2d, _conv_backward),
    nn.ConvTranspose2d: (_conv_transpose, _conv_transpose_backward),
}
