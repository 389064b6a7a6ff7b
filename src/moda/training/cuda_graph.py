"""Training steps recorded as a CUDA graph."""

import sys
from collections.abc import Callable

import torch
from torch import Tensor

from moda.data import Images

Step = Callable[[Images, Tensor], None]


class Recorded:
    """Calls `step(train, index)` as a CUDA graph, so that its many small kernels launch together.

    The first steps run eagerly on a side stream, as PyTorch requires before capture. Batches of another
    size, such as an epoch's last, always run eagerly; so do all where the capture fails.
    """

    WARM_UP = 3

    def __init__(self, size: int, device: torch.device):
        self.index = torch.zeros(size, dtype=torch.int64, device=device)
        self.calls = 0
        self.train: Images | None = None
        self.replay: Callable[[], None] | None = None

    def __call__(self, step: Step, train: Images, index: Tensor) -> None:
        if len(index) != len(self.index):
            step(train, index)
        elif self.calls < self.WARM_UP:
            self.calls += 1
            self._aside(lambda: step(train, index))
        else:
            if self.train is not train:  # a graph reads the tensors it was captured with
                self.train, self.replay = train, self._recorded(lambda: step(train, self.index))
            if self.replay:
                self.index.copy_(index)
                self.replay()
            else:
                step(train, index)

    def _recorded(self, step: Callable[[], None]) -> Callable[[], None] | None:
        """What replays the step; None if it cannot be captured."""
        stream = self._stream()
        try:
            return self._record(step)
        except RuntimeError as error:
            self._leave_capture(stream)
            reason = str(error).partition("\n")[0]
            print(
                f"Los pasos no se pudieron grabar como un grafo de CUDA ({reason}): se entrena paso a paso, "
                "más despacio.",
                file=sys.stderr,
            )
            return None

    @staticmethod
    def _aside(step: Callable[[], None]) -> None:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            step()
        torch.cuda.current_stream().wait_stream(stream)

    @staticmethod
    def _stream() -> torch.cuda.Stream:
        return torch.cuda.current_stream()

    @staticmethod
    def _leave_capture(stream: torch.cuda.Stream) -> None:
        """What a capture that fails may leave: its stream, and random numbers that wait for its end."""
        torch.cuda.set_stream(stream)
        generator = torch.cuda.default_generators[torch.cuda.current_device()]
        generator.graphsafe_set_state(generator.clone_state())

    @staticmethod
    def _record(step: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        return graph.replay
