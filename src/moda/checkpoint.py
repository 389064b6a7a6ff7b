"""Where an unfinished training stands, so that an interruption costs at most the current epoch."""

import os
import pickle
from pathlib import Path

import torch


class Checkpoint:
    """The state of a training after its last whole epoch, in one file.

    `conditions` (versions, device, threads) are what the result depends on beside the run itself: a
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
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        torch.save({**state, "conditions": self.conditions}, partial)
        partial.replace(self.path)

    def remove(self) -> None:
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink(missing_ok=True)


def read(path: Path) -> dict | None:
    """What the file of a checkpoint holds, under whatever conditions; None where there is none."""
    try:
        return torch.load(path, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        return None  # not there, or left half written by a power cut
