"""Training on an NVIDIA GPU: `pytest -n 0 -m cuda`, in two minutes. Skipped where there is none."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from test_loop import Interrupted, Interrupting
from torch import nn

from moda.arithmetic import exact
from moda.configurations import AutoencoderRun, ClassifierRun, Frozen, Revised
from moda.data import PROJECT
from moda.networks import Autoencoder
from moda.runs.checkpoint import Checkpoint
from moda.runs.schedule import obtain
from moda.training import loop as training
from moda.training.loop import (
    Learner,
    Training,
    check_device,
    classification_loss,
    reconstruction_loss,
    train_autoencoder,
    train_classifier,
)

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]
CUDA = torch.device("cuda")
# Ten batches and a rest; enough steps for the first ones, the recording and many replays.
AUTOENCODER = AutoencoderRun(n=16, epochs=3, train_size=1030)
CLASSIFIER = ClassifierRun(AUTOENCODER, epochs=3, train_size=1030)
RUNS = {
    "autoencoder": AUTOENCODER,
    "without dropout": replace(AUTOENCODER, dropout=0.0),
    "momentum": replace(AUTOENCODER, optimizer="momentum", learning_rate=0.1),
    "classifier": CLASSIFIER,
    "SGD": replace(CLASSIFIER, optimizer="sgd", learning_rate=0.1),
    "warm-up and decay": replace(CLASSIFIER, warm_up=1, decay=True),
    "frozen": replace(CLASSIFIER, start=Frozen(AUTOENCODER)),
    "revised": replace(CLASSIFIER, start=Revised(8)),
}
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


def trained(run, data, checkpoint=None) -> Training:
    if isinstance(run, AutoencoderRun):
        return train_autoencoder(run, data, CUDA, checkpoint)
    torch.manual_seed(0)
    start = Autoencoder(run.n) if run.autoencoder else None
    return train_classifier(run, start, data, CUDA, checkpoint)


def assert_same(one: Training, other: Training) -> None:
    for name in one.history.select_dtypes("number"):
        expected = torch.tensor(other.history[name].to_numpy())
        torch.testing.assert_close(torch.tensor(one.history[name].to_numpy()), expected, rtol=1e-4, atol=1e-6)
    states = one.model.state_dict(), other.model.state_dict()
    torch.testing.assert_close(*states, rtol=1e-3, atol=1e-5)


@every_run
def test_recorded_steps_are_those_done_one_by_one(fashion_mnist, monkeypatch, capsys, run):
    recorded = trained(run, fashion_mnist)
    assert capsys.readouterr().err == "", "the steps were recorded"
    monkeypatch.setattr(training, "Recorded", lambda size, device: None)
    assert_same(recorded, trained(run, fashion_mnist))


@pytest.mark.parametrize("run", [AUTOENCODER, CLASSIFIER], ids=["autoencoder", "classifier"])
def test_resumed_training_ends_as_the_uninterrupted_one(fashion_mnist, tmp_path, run):
    path = tmp_path / "state.pt"
    for _ in range(2):
        with pytest.raises(Interrupted):
            trained(run, fashion_mnist, Interrupting(path, {}))
    assert_same(trained(run, fashion_mnist, Checkpoint(path, {})), trained(run, fashion_mnist))


@pytest.mark.parametrize("run", [AUTOENCODER, CLASSIFIER], ids=["autoencoder", "classifier"])
def test_same_seed_same_digits(fashion_mnist, run):
    one, other = trained(run, fashion_mnist), trained(run, fashion_mnist)
    assert one.history.equals(other.history)
    assert all(map(torch.equal, one.model.parameters(), other.model.parameters()))


def test_steps_that_cannot_be_recorded_are_done_one_by_one(fashion_mnist, monkeypatch, capsys):
    """A loss that is waited for cannot be in a graph."""

    def waiting(network: nn.Module, batch) -> torch.Tensor:
        loss = reconstruction_loss(network, batch)
        loss.item()
        return loss

    recorded = trained(AUTOENCODER, fashion_mnist)
    monkeypatch.setattr(training, "reconstruction_loss", waiting)
    assert_same(trained(AUTOENCODER, fashion_mnist), recorded)
    (line,) = capsys.readouterr().err.splitlines()
    assert "paso a paso" in line


@every_run
def test_the_gpu_gives_the_gradient_of_the_cpu(fashion_mnist, run):
    torch.manual_seed(0)
    loss = reconstruction_loss if isinstance(run, AutoencoderRun) else classification_loss
    with exact(CUDA):
        check_device(Learner(run.network(), loss, run, CUDA), fashion_mnist.train)


def test_the_record_says_where_and_how_it_was_computed(monkeypatch, tmp_path):
    monkeypatch.setenv("MODA_RUNS", str(tmp_path))
    result = obtain(replace(CLASSIFIER, epochs=1), device="cuda")
    assert result.record["device"] == torch.cuda.get_device_name()
    assert result.record["arithmetic"] == "float32, deterministic"
    assert next(result.model().parameters()).device.type == "cpu"


def test_training_on_the_cpu_does_not_use_the_gpu():
    """Which would cost each process its memory there."""
    script = """
import torch
from moda.evaluation import measure
from moda.configurations import AutoencoderRun
from moda.training.loop import train_autoencoder
trained = train_autoencoder(AutoencoderRun(n=4, epochs=1, train_size=200), FEW, torch.device("cpu"))
measure(trained.model, FEW.test)
assert not torch.cuda.is_initialized()
"""
    few = (PROJECT / "tests" / "few_images.py").read_text(encoding="utf-8")
    command = [sys.executable, "-c", f"{few}\nFEW = data.load()\n{script}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
