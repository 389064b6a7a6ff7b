"""A training step's gradient on the CPU, from the two halves of its batch.

Each half is computed on one thread, and their gradients are added: at the same time if there is a thread to
spare, else one after the other, with the same result.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn

from moda.data import Images
from moda.training.fast_layers import accelerate, divisible, flatten, reseed

# Smaller batches stay whole: halves would take longer, even at the same time.
SMALLEST = 64


class HalfBatches:
    """`network`, the twin of `model` that is trained, and all its `parameters` as one."""

    def __init__(self, model: nn.Module, loss: Callable[[nn.Module, Images], Tensor], batch_size: int):
        self.network, self.loss = accelerate(model), loss
        flat = flatten(model)
        self.parameters = [flat]
        # Of each half: the network, and where its gradient goes.
        self.parts = [(self.network, cast(Tensor, flat.grad))]
        if batch_size >= SMALLEST and divisible(self.network):
            other = deepcopy(model)
            twin, shared = accelerate(other), flatten(other, flat.detach())
            self.parts.append((twin, cast(Tensor, shared.grad)))
        self.helper: ThreadPoolExecutor | None = None

    @contextmanager
    def epoch(self, threads: int) -> Iterator[None]:
        """Training mode, new random numbers for dropout that follow from torch's, and a thread for a half."""
        for network, _ in self.parts:
            reseed(network.train())
        if threads == 1 or len(self.parts) == 1:
            yield
            return
        try:
            with ThreadPoolExecutor(1, initializer=_set_up_thread) as self.helper:
                yield
        finally:
            self.helper = None

    def gradient(self, train: Images, index: Tensor) -> Tensor:
        """The mean loss of the batch `train[index]`; its gradient goes to that of the parameters."""
        shares = index.chunk(len(self.parts))

        def compute(part: int) -> Tensor:
            (network, gradient), share = self.parts[part], shares[part]
            gradient.zero_()
            loss = self.loss(network, train[share]) * (len(share) / len(index))
            loss.backward()
            return loss.detach()

        if len(shares) == 1:
            return compute(0)
        second = self.helper.submit(compute, 1) if self.helper else None
        loss = compute(0)
        loss += second.result() if second else compute(1)
        self.parts[0][1].add_(self.parts[1][1])
        return loss


def _set_up_thread() -> None:
    """What torch keeps for each thread: how many others it uses, and that tiny numbers are 0."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
