"""The state of unfinished training, so that an interruption costs at most the current epoch."""

import hashlib
import io
import json
from pathlib import Path

import torch

from moda.runs import safe_files


class Checkpoint:
    """The training state after the last complete epoch, in one file whose first line can be read alone.

    `conditions` (versions, device, arithmetic) are what the result depends on besides the run. A state
    saved under others is ignored, so that on a CPU the result is always that of uninterrupted training.
    """

    def __init__(self, path: Path, conditions: dict):
        self.path, self.conditions = path, conditions

    def load(self) -> dict | None:
        """The last saved state, its tensors on the CPU; None if there is none to resume from."""
        try:
            line, _, rest = self.path.read_bytes().partition(b"\n")
        except OSError:
            return None
        digest, state = rest[:_SIZE], rest[_SIZE:]
        if digest != _digest(line, state):  # torch.load detects truncation, but not a changed byte
            return None
        if json.loads(line)[-1] != self.conditions:
            return None
        # Also that of a GPU which is not on this machine; load_state_dict copies to where the network is.
        return torch.load(io.BytesIO(state), weights_only=True, map_location="cpu")

    def save(self, state: dict) -> None:
        """Save `state`, which needs at least `history` (one dictionary per epoch) and `seconds`.

        Raises OSError if the disk is full, leaving the previous state intact.
        """
        history = state["history"]
        head = [len(history), state["seconds"], history[-1]["validation_loss"], self.conditions]
        line = json.dumps(head).encode()
        saved = io.BytesIO()
        torch.save(state, saved)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        safe_files.write(self.path, line + b"\n" + _digest(line, saved.getvalue()) + saved.getvalue())

    def remove(self) -> None:
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink(missing_ok=True)


def progress_of(path: Path) -> tuple[int, float, float] | None:
    """Epochs done, seconds per epoch and last validation loss, without reading the state.

    None if there is no checkpoint.
    """
    try:
        with path.open("rb") as file:
            epochs, seconds, loss, _ = json.loads(file.readline(1000))
            return int(epochs), seconds / epochs, float(loss)
    except (OSError, TypeError, ValueError, ArithmeticError):
        return None


_SIZE = hashlib.sha256().digest_size


def _digest(line: bytes, state: bytes) -> bytes:
    return hashlib.sha256(line + state).digest()
