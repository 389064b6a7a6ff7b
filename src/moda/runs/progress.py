"""Progress in the terminal while runs are trained."""

import threading
from pathlib import Path
from typing import Self

from tqdm import tqdm

from moda.runs.checkpoint import progress_of


class Progress:
    """One live line per run in training, and one for all; nothing without a terminal.

    `runs`: the checkpoint file and number of epochs of each run, by name. The files tell how far a run
    has got, whichever process trains it, so that no process has to report to another.
    """

    PERIOD = 1  # second

    def __init__(self, runs: dict[str, tuple[Path, int]]):
        self.runs = runs
        self.lines: dict[str, tqdm] = {}
        self.whole = tqdm(total=len(runs), desc="all runs", unit="run", disable=None)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        if not self.whole.disable:
            self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        if self.thread.is_alive():
            self.thread.join()
        self.whole.close()

    def finished_one(self) -> None:
        self.whole.update()

    def _watch(self) -> None:
        while not self.over.wait(self.PERIOD):
            for name in self.runs:
                self.update(name)
            self.whole.refresh()
        for line in self.lines.values():
            line.close()

    def update(self, name: str) -> None:
        """Look at how far a run is, and put it into its line."""
        path, epochs = self.runs[name]
        found = progress_of(path)
        if not found:  # not started, or finished
            if name in self.lines:
                self.lines.pop(name).close()
            return
        done, seconds, loss = found
        left = tqdm.format_interval(round(seconds * (epochs - done)))
        if name not in self.lines:
            form = "{desc}: epoch {n_fmt}/{total_fmt}{postfix}"
            self.lines[name] = tqdm(total=epochs, desc=name, leave=False, bar_format=form)
        line = self.lines[name]
        line.n = done
        line.set_postfix_str(f"loss {loss:.4f}, {left} left")
