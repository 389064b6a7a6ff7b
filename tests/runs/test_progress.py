"""What is shown of runs in training: how far each is, whatever its file holds."""

import pytest
import torch

from moda.runs.checkpoint import Checkpoint, progress_of
from moda.runs.progress import Progress

HISTORY = [{"validation_loss": 0.25}, {"validation_loss": 0.125}]


@pytest.fixture
def path(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state.pt", {})
    checkpoint.save({"history": HISTORY, "seconds": 6.0, "model": torch.zeros(1000)})
    return checkpoint.path


def shown(path) -> str | None:
    progress = Progress({"a run": (path, 22)})
    progress.update("a run")
    return str(progress.lines["a run"]) if progress.lines else None


def test_line_of_a_run_comes_from_the_file_without_the_state(path, monkeypatch):
    monkeypatch.setattr(torch, "load", None)
    assert progress_of(path) == (2, 3.0, 0.125)
    assert shown(path) == "a run: epoch 2/22, loss 0.1250, 01:00 left"


def test_line_goes_when_the_run_is_finished(path):
    progress = Progress({"a run": (path, 22)})
    progress.update("a run")
    path.unlink()
    progress.update("a run")
    assert not progress.lines


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\x00\n", b"x" * 1000, b"null\n", b"7\n", b"[0, 0, 0]\n", b'["a", 1, 2]\n', b"[1, 2]\n"],
)
def test_file_that_is_no_checkpoint_shows_nothing(path, content):
    path.write_bytes(content)
    assert shown(path) is None


def test_torn_file_shows_nothing(path):
    whole = path.read_bytes()
    for size in range(whole.index(b"\n")):
        path.write_bytes(whole[:size])
        assert progress_of(path) is None
