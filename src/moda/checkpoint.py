"""The state of unfinished training, so that an interruption costs at most the current epoch."""

import hashlib
import io
import json
from pathlib import Path

import torch

from moda import disk


class Checkpoint:
    """The training state after the last complete epoch, in one file whose first line is for `standing`.

    `conditions` (versions, device, arithmetic) are what the result depends on besides the run. A state
    saved under others is ignored, so the result is always that of uninterrupted training.
    """

    def __init__(self, path: Path, conditions: dict):
        self.path, self.conditions = path, conditions

    def load(self) -> dict | None:
        """The last saved state; None if there is none to resume from."""
        try:
            content = self.path.read_bytes().partition(b"\n")[2]
        except OSError:
            return None
        digest, saved = content[:_SIZE], content[_SIZE:]
        if digest != _digest(saved):  # torch.load detects truncation, but not a changed byte
            return None
        state = torch.load(io.BytesIO(saved), weights_only=True)
        return state if state["conditions"] == self.conditions else None

    def save(self, state: dict) -> None:
        """Save `state`, which needs at least `history` (one dictionary per epoch) and `seconds`.

        Raises OSError if the disk is full, leaving the previous state intact.
        """
        history = state["history"]
        line = json.dumps([len(history), state["seconds"], history[-1]["validation_loss"]]) + "\n"
        saved = io.BytesIO()
        torch.save({**state, "conditions": self.conditions}, saved)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        disk.write(self.path, line.encode() + _digest(saved.getvalue()) + saved.getvalue())

    def remove(self) -> None:
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink(missing_ok=True)


def standing(path: Path) -> tuple[int, float, float] | None:
    """Epochs done, seconds per epoch and last validation loss, without reading the state.

    None if there is no checkpoint.
    """
    try:
        with path.open("rb") as file:
            epochs, seconds, loss = json.loads(file.readline(100))
            return int(epochs), seconds / epochs, float(loss)
    except (OSError, TypeError, ValueError, ArithmeticError):
        return None


_SIZE = hashlib.sha256().digest_size


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
