"""Training steps recorded as a CUDA graph."""

from collections.abc import Callable

import torch
from torch import Tensor

from moda.data import Images


class Recorded:
    """`step(train, index)` as a CUDA graph, so that its many small kernels launch together.

    The first steps run eagerly on a side stream, as PyTorch requires before capture. Batches of another
    size, such as an epoch's last, always run eagerly.
    """

    WARM_UP = 3

    def __init__(self, step: Callable[[Images, Tensor], None], size: int, device: torch.device):
        self.step, self.index = step, torch.zeros(size, dtype=torch.int64, device=device)
        self.calls = 0
        self.train: Images | None = None
        self.replay: Callable[[], None] = lambda: None

    def __call__(self, train: Images, index: Tensor) -> None:
        if len(index) != len(self.index):
            self.step(train, index)
        elif self.calls < self.WARM_UP:
            self.calls += 1
            self._aside(lambda: self.step(train, index))
        else:
            if self.train is not train:  # a graph reads the tensors it was captured with
                self.train, self.replay = train, self._record(lambda: self.step(train, self.index))
            self.index.copy_(index)
            self.replay()

    @staticmethod
    def _aside(step: Callable[[], None]) -> None:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            step()
        torch.cuda.current_stream().wait_stream(stream)

    @staticmethod
    def _record(step: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        return graph.replay
