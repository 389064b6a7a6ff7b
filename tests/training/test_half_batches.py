import gc
import threading
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from moda import evaluation
from moda.configurations import AutoencoderRun, ClassifierRun, Revised
from moda.networks import Autoencoder, Classifier
from moda.training.half_batches import SMALLEST, HalfBatches
from moda.training.loop import Learner, classification_loss, reconstruction_loss, train_autoencoder

CPU = torch.device("cpu")


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def flat_gradient(halves: HalfBatches, train, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss and gradient of the first `count` images."""
    return halves.gradient(train, torch.arange(count)), halves.parameters[0].grad.clone()


@pytest.mark.parametrize("count", [100, 65, 2, 1])
def test_gradient_is_that_of_the_whole_batch(few, count):
    """Without dropout; also of a last batch that is smaller, or odd."""
    torch.manual_seed(0)
    model = Classifier(Autoencoder(4, 0.0).encoder, dropout=0.0)
    loss = classification_loss(model, few.train[:count])
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    halves = HalfBatches(model, classification_loss, 100)
    with halves.epoch(threads=1):
        given, _ = flat_gradient(halves, few.train, count)
    torch.testing.assert_close(given, loss.detach())
    for parameter, expected in zip(model.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-5)


def test_both_threads_give_what_one_gives(few):
    results = []
    for threads in (1, 2):
        torch.manual_seed(0)
        halves = HalfBatches(Autoencoder(4), reconstruction_loss, 100)
        with halves.epoch(threads):
            results.append([flat_gradient(halves, few.train, 100) for _ in range(3)])
    for one, other in zip(*results):
        assert all(map(torch.equal, one, other))


def test_run_is_the_same_on_one_thread_and_two(few, two_threads):
    run = AutoencoderRun(n=4, epochs=2, train_size=150)
    several = train_autoencoder(run, few, CPU)
    torch.set_num_threads(1)
    single = train_autoencoder(run, few, CPU)
    assert several.history.equals(single.history)
    for one, other in zip(several.model.parameters(), single.model.parameters()):
        assert torch.equal(one, other)


def test_no_thread_and_no_memory_outlive_a_training(few, two_threads):
    """Without the garbage collector, which comes when it likes."""
    gc.collect()
    gc.disable()
    try:
        before = threading.enumerate()
        learner = Learner(Autoencoder(4), reconstruction_loss, AutoencoderRun(n=4), CPU)
        learner.epoch(few.train)
        assert threading.enumerate() == before
        left = [weakref.ref(of) for of in (learner, learner.model, learner.batch, learner.optimizer)]
        del learner
        assert [of() for of in left] == [None] * 4
    finally:
        gc.enable()


def test_halves_have_masks_of_their_own(few):
    """The loss of an image repeated twice differs between both halves."""
    torch.manual_seed(0)
    halves = HalfBatches(Autoencoder(4), reconstruction_loss, 100)
    with halves.epoch(threads=1):
        outputs = [network(few.train[:1].pixels) for network, _ in halves.parts]
    assert not torch.equal(*outputs)


def test_small_batches_and_networks_that_need_them_whole_are_not_split():
    whole = [
        HalfBatches(Autoencoder(4), reconstruction_loss, SMALLEST - 1),
        *(
            HalfBatches(ClassifierRun(Revised(n=4, **parts)).network(), classification_loss, 100)
            for parts in ({}, {"mirrored": False}, {"normalised": False})
        ),
    ]
    assert [len(halves.parts) for halves in whole] == [1, 1, 1, 1]
    odd = Classifier(Autoencoder(4).encoder)
    odd.head.append(nn.AlphaDropout(0.1))  # that the twin leaves to PyTorch
    assert len(HalfBatches(odd, classification_loss, 100).parts) == 1
    assert len(HalfBatches(Autoencoder(4), reconstruction_loss, SMALLEST).parts) == 2


def test_measuring_in_between_changes_no_training(few):
    weights = []
    for measured in (0, 2):
        torch.manual_seed(0)
        learner = Learner(Autoencoder(4), reconstruction_loss, AutoencoderRun(n=4), CPU)
        for _ in range(3):
            learner.epoch(few.train[:200])
            for dropout in [False, True][:measured]:
                evaluation.autoencoder_metrics(learner.network, few.validation, dropout)
        weights.append(learner.batch.parameters[0].detach())
    assert torch.equal(*weights)


def test_momentum_and_plain_steps_are_those_of_sgd(few):
    """Two steps on the same batch without dropout, against the rule written out."""
    for optimizer, momentum in (("sgd", 0.0), ("momentum", 0.9)):
        run = AutoencoderRun(n=4, dropout=0, batch_size=20, optimizer=optimizer, learning_rate=0.1)
        torch.manual_seed(0)
        learner = Learner(Autoencoder(4, 0.0), reconstruction_loss, run, CPU)
        flat, x = learner.batch.parameters[0], few.train[:20].pixels
        expected, velocity = flat.detach().clone(), 0.0
        for _ in range(2):
            velocity = momentum * velocity + _gradient(learner, x)
            expected -= 0.1 * velocity
            learner.epoch(few.train[:20])
            torch.testing.assert_close(flat.detach(), expected, rtol=1e-4, atol=1e-6)


def _gradient(learner: Learner, x: torch.Tensor) -> torch.Tensor:
    learner.batch.parameters[0].grad.zero_()
    F.mse_loss(learner.network(x), x).backward()
    return learner.batch.parameters[0].grad.clone()
