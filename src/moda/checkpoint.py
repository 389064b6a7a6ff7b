"""Where an unfinished training stands, so that an interruption costs at most the current epoch."""

import hashlib
import io
from pathlib import Path

import torch

from moda import disk


class Checkpoint:
    """The state of a training after its last whole epoch, in one file.

    `conditions` (versions, device, arithmetic) are what the result depends on beside the run itself: a
    state that was left under other ones is not taken up, so the finished result is always what an
    uninterrupted training gives.
    """

    def __init__(self, path: Path, conditions: dict):
        self.path, self.conditions = path, conditions

    def load(self) -> dict | None:
        """What save was given last; None where there is nothing, or nothing that can be gone on from."""
        state = read(self.path)
        return state if state and state["conditions"] == self.conditions else None

    def save(self, state: dict) -> None:
        """Raises OSError where there is no room, and leaves the last state as it was."""
        content = io.BytesIO()
        torch.save({**state, "conditions": self.conditions}, content)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        disk.write(self.path, _digest(content.getvalue()) + content.getvalue())

    def remove(self) -> None:
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink(missing_ok=True)


def read(path: Path) -> dict | None:
    """What the file of a checkpoint holds, under whatever conditions; None where no whole one is there."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, state = content[:_SIZE], content[_SIZE:]
    # torch.load notices a missing end, but not a changed byte.
    return torch.load(io.BytesIO(state), weights_only=True) if digest == _digest(state) else None


_SIZE = hashlib.sha256().digest_size


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
