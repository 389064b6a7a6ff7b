"""A training step's gradient on the CPU, from the two halves of its batch.

Each half is computed on one thread, and their gradients are added: at the same time if there is a thread to
spare, else one after the other, with the same result.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn

from moda.data import Images
from moda.fast import accelerate, divisible, flatten, reseed

# Smaller batches stay whole: halves would take longer, even at the same time.
SMALLEST = 64


class Halves:
    """`network`, the twin of `model` that is trained, and `flat`, all its parameters as one."""

    def __init__(self, model: nn.Module, loss: Callable[[nn.Module, Images], Tensor], batch_size: int):
        torch.set_flush_denormal(True)
        self.network, self.loss = accelerate(model), loss
        self.flat = flatten(model)
        # Of each half: the network, and where its gradient goes.
        self.parts = [(self.network, cast(Tensor, self.flat.grad))]
        if batch_size >= SMALLEST and divisible(self.network):
            other = deepcopy(model)
            twin, flat = accelerate(other), flatten(other, self.flat.detach())
            self.parts.append((twin, cast(Tensor, flat.grad)))
        self.helper = ThreadPoolExecutor(1, initializer=_settle)

    def start_epoch(self) -> None:
        """Training mode, and new random numbers for dropout that follow from torch's."""
        for network, _ in self.parts:
            reseed(network.train())

    def gradient(self, train: Images, index: Tensor, threads: int) -> Tensor:
        """The mean loss of the batch `train[index]`; its gradient goes to `flat.grad`."""
        shares = index.chunk(len(self.parts))

        def compute(part: int) -> Tensor:
            (network, gradient), share = self.parts[part], shares[part]
            gradient.zero_()
            loss = self.loss(network, train[share]) * (len(share) / len(index))
            loss.backward()
            return loss.detach()

        if len(shares) == 1:
            return compute(0)
        second = self.helper.submit(compute, 1) if threads > 1 else None
        loss = compute(0)
        loss += second.result() if second else compute(1)
        self.parts[0][1].add_(self.parts[1][1])
        return loss


def _settle() -> None:
    """What torch keeps for each thread: how many others it uses, and that tiny numbers are 0."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
