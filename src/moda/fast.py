"""The same networks, quicker to train on a CPU.

`accelerate(model)` gives a twin that computes the same function of the very same parameters.
What it does differently:
- dropout masks come from raw 16-bit random integers: `bernoulli_`, which nn.Dropout calls, took a
  third of an epoch;
- ReLU, dropout and max pooling are one operation that stores no mask: the output shows where the
  gradient passes, for it is positive exactly where a positive value was kept;
- channels_last tensors, in which max pooling and convolutions are quicker.
It draws other random numbers than nn.Dropout, with the same distribution (to 1/65536 in the
dropout probability). CUDA and MPS have no need of it.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def accelerate(model: nn.Module) -> nn.Module:
    """A twin of `model` (Sequentials of the layers in moda.models) that shares its parameters.

    The parameters of `model` are converted to channels_last in place. Submodules keep their names,
    so the twin's state_dict is the model's.
    """
    model.to(memory_format=torch.channels_last)
    return _twin(model)


def _twin(module: nn.Module) -> nn.Module:
    if isinstance(module, nn.Sequential):
        return _fused(module)
    twin = copy.copy(module)
    twin._modules = {name: _twin(child) for name, child in module.named_children()}
    return twin


def _fused(layers: nn.Sequential) -> nn.Sequential:
    """`layers` with every dropout, and the ReLU before and the pooling behind it, as one module."""
    fused = list(layers)
    for i, layer in enumerate(layers):
        if not isinstance(layer, nn.Dropout):
            continue
        if isinstance(layers[min(i + 1, len(layers) - 1)], nn.MaxPool2d):
            fused[i - 1 : i + 2] = [ReLUDropoutPool(layer.p), nn.Identity(), nn.Identity()]
        elif isinstance(layers[i - 1], nn.ReLU):
            fused[i - 1 : i + 1] = [ReLUDropout(layer.p), nn.Identity()]
        else:
            fused[i] = Dropout(layer.p)
    return nn.Sequential(*fused)


class Dropout(nn.Module):
    """nn.Dropout(p) for 0 <= p < 1."""

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return x * keep_mask(x, self.p) / (1 - self.p) if self.training and self.p else x


class ReLUDropout(Dropout):
    """ReLU, then dropout."""

    def forward(self, x: Tensor) -> Tensor:
        return _ReLUDropout.apply(x, self.p) if self.training and self.p else F.relu(x)


class ReLUDropoutPool(Dropout):
    """ReLU, then dropout, then 2x2 max pooling."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.p:
            return _ReLUDropoutPool.apply(x, self.p)
        return F.relu(F.max_pool2d(x, 2))  # the same, on a quarter of the values


def keep_mask(x: Tensor, p: float) -> Tensor:
    """Booleans of the shape and strides of `x`, each True with probability 1 - p (to 1/65536).

    Drawn from torch's default generator, four per 64-bit number.
    """
    bits = torch.empty((x.numel() + 3) // 4, dtype=torch.int64)
    bits.random_(-(2**63), None)  # without the range, the sign bit would never be set
    keep = bits.view(torch.int16)[: x.numel()] >= min(round(p * 65536) - 32768, 32767)
    if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last):
        m, c, h, w = x.shape
        return keep.view(m, h, w, c).permute(0, 3, 1, 2)
    return keep.view(x.shape)


class _ReLUDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, p):
        y = (x * keep_mask(x, p)).relu_().mul_(1 / (1 - p))
        ctx.save_for_backward(y)
        ctx.scale = 1 / (1 - p)
        return y

    @staticmethod
    def backward(ctx, gradient):
        (y,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, y, 0).mul_(ctx.scale), None


class _ReLUDropoutPool(torch.autograd.Function):
    """Pools before ReLU and scaling: the maximum of non-negative products is the same."""

    @staticmethod
    def forward(ctx, x, p):
        y, positions = F.max_pool2d(x * keep_mask(x, p), 2, return_indices=True)
        y.relu_().mul_(1 / (1 - p))
        ctx.save_for_backward(y, positions)
        ctx.input_like = torch.empty_like(x, device="meta")
        ctx.scale = 1 / (1 - p)
        return y

    @staticmethod
    def backward(ctx, gradient):
        y, positions = ctx.saved_tensors
        gradient = torch.ops.aten.threshold_backward(gradient, y, 0).mul_(ctx.scale)
        # The pooling's backward asks its input only for shape and strides.
        x = torch.empty_like(ctx.input_like, device=gradient.device)
        return torch.ops.aten.max_pool2d_with_indices_backward(
            gradient, x, [2, 2], [2, 2], [0, 0], [1, 1], False, positions
        ), None
