import itertools
import math
import os
from collections import Counter
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace

import pandas as pd
import pytest
import torch
from torch import nn

from moda.configurations import AutoencoderRun, ClassifierRun, Fresh, Frozen, Revised
from moda.data import CLASSES, FashionMNIST, Images
from moda.evaluation import autoencoder_metrics, classifier_metrics
from moda.networks import Autoencoder
from moda.runs.checkpoint import Checkpoint
from moda.training import loop as training
from moda.training.cuda_graph import Recorded
from moda.training.loop import (
    DeviceError,
    Learner,
    check_device,
    classification_loss,
    reconstruction_loss,
    train_autoencoder,
    train_classifier,
)

CPU = torch.device("cpu")
TINY = AutoencoderRun(n=4, epochs=2, train_size=100)
TINY_CLASSIFIER = ClassifierRun(TINY, epochs=2, train_size=100)


def weights(model: torch.nn.Module) -> torch.Tensor:
    """All of them in one vector."""
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def untrained(run: AutoencoderRun) -> Autoencoder:
    torch.manual_seed(run.seed)
    return Autoencoder(run.n, run.dropout)


def test_same_seed_same_training(few):
    model, history, _ = train_autoencoder(TINY, few, CPU)
    torch.manual_seed(77)  # the numbers drawn before make no difference
    again, history_again, _ = train_autoencoder(TINY, few, CPU)
    pd.testing.assert_frame_equal(history, history_again, check_exact=True)
    assert torch.equal(weights(model), weights(again))

    other, history_other, *_ = train_autoencoder(replace(TINY, seed=1), few, CPU)
    assert not torch.equal(weights(model), weights(other))
    assert (history != history_other).all(axis=None)


def test_same_seed_same_classifier(few):
    autoencoder = untrained(TINY)
    model, history, _ = train_classifier(TINY_CLASSIFIER, autoencoder, few, CPU)
    # A stored autoencoder comes in evaluation mode.
    again, history_again, _ = train_classifier(TINY_CLASSIFIER, autoencoder.eval(), few, CPU)
    pd.testing.assert_frame_equal(history, history_again, check_exact=True)
    assert torch.equal(weights(model), weights(again))

    other, *_ = train_classifier(replace(TINY_CLASSIFIER, seed=1), autoencoder, few, CPU)
    assert not torch.equal(weights(model), weights(other))


def test_random_numbers_outside_are_untouched(few):
    autoencoder = untrained(TINY)
    state = torch.get_rng_state()
    train_autoencoder(TINY, few, CPU)
    train_classifier(TINY_CLASSIFIER, autoencoder, few, CPU)
    assert torch.equal(torch.get_rng_state(), state)


def test_autoencoder_history(few):
    """One row an epoch; the last one is that of the model given back, measured with dropout off."""
    model, history, _ = train_autoencoder(TINY, few, CPU)
    assert list(history.columns) == ["running_loss", "train_loss", "validation_loss"]
    assert history.index.name == "epoch" and history.index.tolist() == [1, 2]
    for part, images in {"train": few.train[:100], "validation": few.validation}.items():
        measured = autoencoder_metrics(model, images)["loss"]
        assert history.loc[2, f"{part}_loss"] == pytest.approx(measured, rel=1e-5)


def test_classifier_history(few):
    model, history, _ = train_classifier(TINY_CLASSIFIER, untrained(TINY), few, CPU)
    assert list(history.columns) == [
        "running_loss",
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
        "dead_classes",
    ]
    assert history.index.name == "epoch" and history.index.tolist() == [1, 2]
    for part, images in {"train": few.train[:100], "validation": few.validation}.items():
        measured = classifier_metrics(model, images)
        assert history.loc[2, f"{part}_loss"] == pytest.approx(measured["loss"], rel=1e-5)
        assert history.loc[2, f"{part}_accuracy"] == pytest.approx(measured["accuracy"])
    assert history.loc[2, "dead_classes"] == measured["dead_classes"]


def test_classes_are_dead_on_the_validation_images(few):
    """A last layer so far below 0 that no step brings it back."""
    run = replace(TINY_CLASSIFIER, bias=-1000.0)
    _, history, _ = train_classifier(run, untrained(TINY), few, CPU)
    assert history["dead_classes"].to_list() == [", ".join(CLASSES)] * 2


def test_training_set_is_measured_on_its_first_images(few, monkeypatch):
    monkeypatch.setattr(training, "EVALUATED", 30)
    model, history, _ = train_autoencoder(TINY, few, CPU)
    measured = autoencoder_metrics(model, few.train[:30])["loss"]
    assert history.loc[2, "train_loss"] == pytest.approx(measured, rel=1e-5)


def test_loss_falls(few):
    run = replace(TINY, n=16, epochs=8, dropout=0, batch_size=16, learning_rate=3e-3)
    _, history, _ = train_autoencoder(run, few, CPU)
    for column in history:
        assert history[column].iloc[-1] < 0.8 * history[column].iloc[0]


def test_running_loss_has_dropout(few):
    """Which alone costs the output a fifth of the squares of the image."""
    _, history, _ = train_autoencoder(TINY, few, CPU)
    assert (history["running_loss"] > history["train_loss"] + 0.02).all()


@pytest.mark.parametrize("batch_size", [64, 1000], ids=["incomplete last", "larger than the set"])
def test_every_image_counts(few, batch_size):
    """With steps that change nothing, the epoch's mean loss is that of all the images."""
    run = replace(TINY, epochs=1, dropout=0, batch_size=batch_size, learning_rate=1e-12)
    _, history, _ = train_autoencoder(run, few, CPU)
    expected = autoencoder_metrics(untrained(run), few.train[:100])["loss"]
    assert history.loc[1, "running_loss"] == pytest.approx(expected, rel=1e-6)


def test_incomplete_batch_makes_a_step(few):
    run = replace(TINY, epochs=1, train_size=10)
    assert not torch.equal(weights(train_autoencoder(run, few, CPU)[0]), weights(untrained(run)))


def test_only_the_first_images_are_trained_on(few):
    model, history, _ = train_autoencoder(TINY, few, CPU)
    rest = few.train[100:]
    altered = Images(torch.cat([few.train[:100].images, 255 - rest.images]), few.train.labels)
    same, history_same, _ = train_autoencoder(TINY, FashionMNIST(altered, few.validation, few.test), CPU)
    assert torch.equal(weights(model), weights(same))
    pd.testing.assert_frame_equal(history, history_same, check_exact=True)


def test_classifier_starts_from_the_encoder_and_leaves_it(few):
    """Each weight takes a step of the learning rate at most, so tiny steps stay at the start."""
    autoencoder = untrained(TINY)
    before = weights(autoencoder)
    run = replace(TINY_CLASSIFIER, epochs=1, learning_rate=1e-6)
    model, *_ = train_classifier(run, autoencoder, few, CPU)
    assert torch.equal(weights(autoencoder), before)
    start, end = weights(autoencoder.encoder), weights(model.encoder)
    assert torch.allclose(start, end, rtol=0, atol=1e-5)
    assert not torch.equal(start, end)  # the encoder is trained too


def test_classifier_learns_by_heart(few):
    """64 images without dropout, of the classes that can be learnt.

    The ReLU on the scores leaves classes dead: with a score of 0 for every image, no gradient passes.
    """
    torch.manual_seed(109)
    run = ClassifierRun(dropout=0, epochs=80, seed=9, train_size=64)
    model, history, _ = train_classifier(run, Autoencoder(dropout=0), few, CPU)
    images = few.train[:64]
    with torch.no_grad():
        scores = model.eval()(images.pixels)
    alive = (scores > 0).any(0)
    assert alive.sum() >= 3
    learnable = alive[images.labels]
    right = scores.argmax(1) == images.labels
    assert right[learnable].float().mean() > 0.9
    assert history["train_accuracy"].iloc[-1] == pytest.approx(right.float().mean().item())


class Interrupted(Exception):
    pass


class Interrupting(Checkpoint):
    """Breaks the training off once the first epoch is saved."""

    def save(self, state):
        super().save(state)
        raise Interrupted


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(tmp_path / "state.pt", {"arithmetic": "portable"})


@pytest.mark.parametrize("kind", ["autoencoder", "classifier"])
def test_interrupted_training_ends_as_the_uninterrupted_one(few, checkpoint, kind):
    def train(checkpoint=None):
        if kind == "autoencoder":
            return train_autoencoder(replace(TINY, epochs=3), few, CPU, checkpoint)
        run = replace(TINY_CLASSIFIER, epochs=3)
        return train_classifier(run, untrained(TINY), few, CPU, checkpoint)

    model, history, _ = train()
    for _ in range(3):
        with pytest.raises(Interrupted):
            train(Interrupting(checkpoint.path, checkpoint.conditions))
    again, history_again, seconds = train(checkpoint)
    pd.testing.assert_frame_equal(history, history_again, check_exact=True)
    assert torch.equal(weights(model), weights(again))
    assert seconds > 0


def test_checkpoint_of_other_conditions_is_left_alone(few, checkpoint):
    """Another processor may add in another order: the result would be neither's."""
    with pytest.raises(Interrupted):
        train_autoencoder(TINY, few, CPU, Interrupting(checkpoint.path, {"arithmetic": "native AVX512"}))
    assert checkpoint.load() is None


STATE = {"history": [{"validation_loss": 0.5}], "seconds": 2.0}


@pytest.mark.parametrize("fault", ["empty", "half", "one byte"])
def test_checkpoint_that_is_not_whole(few, checkpoint, fault):
    with pytest.raises(Interrupted):
        train_autoencoder(TINY, few, CPU, Interrupting(checkpoint.path, checkpoint.conditions))
    content = checkpoint.path.read_bytes()
    middle = len(content) // 2
    damaged = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    checkpoint.path.write_bytes({"empty": b"", "half": content[:middle], "one byte": damaged}[fault])
    assert checkpoint.load() is None
    checkpoint.save(STATE)
    assert checkpoint.load() == STATE
    checkpoint.remove()
    assert checkpoint.load() is None and not list(checkpoint.path.parent.iterdir())


def test_checkpoint_of_other_conditions_is_not_even_unpacked(checkpoint, monkeypatch):
    """Such as that of a GPU, on a machine without one."""
    checkpoint.save(STATE)
    monkeypatch.setattr(torch, "load", None)
    assert Checkpoint(checkpoint.path, {"device": "NVIDIA H200"}).load() is None
    assert Checkpoint(checkpoint.path.with_name("none.pt"), {}).load() is None


def test_state_of_a_gpu_is_read_onto_the_cpu(checkpoint, monkeypatch):
    """Where it must be for random numbers, and the rest is copied from there."""
    places = []
    load = torch.load
    monkeypatch.setattr(
        torch, "load", lambda *of, **how: places.append(how["map_location"]) or load(*of, **how)
    )
    checkpoint.save(STATE)
    assert checkpoint.load() == STATE and places == ["cpu"]


def test_rate_that_a_graph_reads_is_the_same_tensor_after_resuming(few):
    learner = Learner(Autoencoder(4), reconstruction_loss, TINY, CPU)
    rate = torch.tensor(0.5)
    learner.optimizer.param_groups[0]["lr"] = rate
    learner.resume(deepcopy(learner.state()))
    assert learner.optimizer.param_groups[0]["lr"] is rate
    learner.set_learning_rate(0.25)
    assert rate == 0.25


def test_checkpoint_is_on_the_disk_before_its_name(checkpoint, monkeypatch):
    """Or a power cut could leave the name, and nothing behind it."""
    steps = []
    for name in ("fsync", "replace"):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *of, name=name, call=call: steps.append(name) or call(*of))
    checkpoint.save(STATE)
    assert steps[:2] == ["fsync", "replace"] and steps[2:] in ([], ["fsync"])


@pytest.fixture
def no_cuda_needed(monkeypatch):
    """Everything of the CUDA path but the graph itself, which here is the step again; counts both."""
    counts = Counter()

    def aside(step):
        counts["aside"] += 1
        step()

    def record(step):  # does not do it
        counts["recorded"] += 1
        return step

    monkeypatch.setattr(Recorded, "_aside", staticmethod(aside))
    monkeypatch.setattr(Recorded, "_record", staticmethod(record))
    monkeypatch.setattr(Recorded, "_stream", staticmethod(lambda: None))
    monkeypatch.setattr(Recorded, "_leave_capture", staticmethod(lambda _: counts.update(["left"])))
    return counts


def learnt(few, recorded: bool) -> tuple[list[float], torch.Tensor]:
    """The losses of two epochs with a rest, and the weights after them."""
    run = replace(TINY, batch_size=16)
    torch.manual_seed(0)
    learner = Learner(Autoencoder(4), reconstruction_loss, run, CPU)
    if recorded:
        learner.recorded = Recorded(run.batch_size, CPU)
    train = few.train[:100]
    return [learner.epoch(train), learner.epoch(train)], weights(learner.model)


def test_recorded_steps_are_those_of_the_plain_loop(few, no_cuda_needed):
    plain, recorded = learnt(few, False), learnt(few, True)
    assert plain[0] == recorded[0] and torch.equal(plain[1], recorded[1])
    assert no_cuda_needed == {"aside": 3, "recorded": 1}


def test_steps_that_cannot_be_recorded_are_done_one_by_one(few, no_cuda_needed, monkeypatch, capsys):
    def fails(step):
        raise RuntimeError("operation not permitted when stream is capturing\nCUDA kernel errors might be…")

    monkeypatch.setattr(Recorded, "_record", staticmethod(fails))
    plain, recorded = learnt(few, False), learnt(few, True)
    assert plain[0] == recorded[0] and torch.equal(plain[1], recorded[1])
    assert no_cuda_needed["left"] == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "(operation not permitted when stream is capturing)" in line and "paso a paso" in line


@pytest.mark.parametrize("kind", ["autoencoder", "classifier", "frozen", "revised"])
def test_device_is_compared_with_the_cpu(few, monkeypatch, kind):
    """The CPU passes for itself; a device whose products are off by half a per cent does not."""
    run = {
        "autoencoder": TINY,
        "classifier": TINY_CLASSIFIER,
        "frozen": replace(TINY_CLASSIFIER, start=Frozen(TINY)),
        "revised": replace(TINY_CLASSIFIER, start=Revised(4)),
    }[kind]
    torch.manual_seed(0)
    model = run.network()
    if kind == "frozen":
        model.encoder.requires_grad_(False)
    loss = reconstruction_loss if kind == "autoencoder" else classification_loss
    learner = Learner(model, loss, run, CPU)
    before = weights(learner.model).clone()
    check_device(learner, few.train)
    assert torch.equal(weights(learner.model), before)

    of_devices = itertools.cycle([1.0, 1.005])
    right, loss = nn.Linear.forward, learner.loss

    def loss_of_either_device(network, images):
        factor = next(of_devices)
        monkeypatch.setattr(nn.Linear, "forward", lambda self, x: factor * right(self, x))
        return loss(network, images)

    learner.loss = loss_of_either_device
    with pytest.raises(
        DeviceError, match="«cpu» no da el gradiente que da la CPU.*-p device cpu.*DEVICE=cpu"
    ):
        check_device(learner, few.train)


@pytest.mark.parametrize("factors", [[1.0, 1.1, 1.0, 1.0], [1.0, 1.1, 1.0, 1.1]], ids=["one", "all"])
def test_device_may_differ_in_one_batch(few, factors):
    """Where a score is so near to 0 that a rounding decides whether it counts."""
    learner = Learner(Autoencoder(4), reconstruction_loss, TINY, CPU)
    factor = iter(factors)
    learner.loss = lambda network, images: next(factor) * reconstruction_loss(network, images)
    with pytest.raises(DeviceError) if factors[-1] > 1 else nullcontext():
        check_device(learner, few.train)


def test_device_that_gives_no_numbers_is_no_device(few):
    learner = Learner(Autoencoder(4), reconstruction_loss, TINY, CPU)
    losses = itertools.cycle([1.0, math.nan])
    learner.loss = lambda network, images: next(losses) * reconstruction_loss(network, images)
    with pytest.raises(DeviceError):
        check_device(learner, few.train)


def test_the_environment_has_pytorch_s_own_layers_trained(few, monkeypatch):
    """The same without dropout, but for rounding at most. Its record says so."""
    run = replace(TINY, dropout=0, batch_size=20)
    quick = train_autoencoder(run, few, CPU)
    monkeypatch.setenv("MODA_ARITHMETIC", "plain")
    assert training.arithmetic_of("cpu").startswith("plain ")
    plain = train_autoencoder(run, few, CPU)
    assert type(Learner(Autoencoder(4), reconstruction_loss, run, CPU).batch) is training.WholeBatches
    pd.testing.assert_frame_equal(quick.history, plain.history, rtol=1e-4)
    again = train_autoencoder(run, few, CPU)
    assert plain.history.equals(again.history)


def test_dead_classes_of_an_epoch_are_those_of_the_validation_images(few, monkeypatch):
    """And not those of the training images, which may be others."""
    part = {50: "of training", 100: "of validation"}
    measured = classifier_metrics

    def metrics(network, images):
        return measured(network, images) | {"dead_classes": part[len(images)]}

    monkeypatch.setattr(training, "classifier_metrics", metrics)
    run = replace(TINY_CLASSIFIER, train_size=50)
    _, history, _ = train_classifier(run, untrained(TINY), few, CPU)
    assert history["dead_classes"].to_list() == ["of validation"] * 2


def test_frozen_encoder_stays_as_it_was_and_the_last_layer_learns(few):
    autoencoder = untrained(TINY)
    before = weights(autoencoder.encoder).clone()
    run = replace(TINY_CLASSIFIER, start=Frozen(TINY))
    model, *_ = train_classifier(run, autoencoder, few, CPU)
    assert torch.equal(weights(model.encoder), before)
    assert torch.equal(weights(autoencoder.encoder), before)
    tuned, *_ = train_classifier(TINY_CLASSIFIER, autoencoder, few, CPU)
    assert not torch.equal(weights(tuned.encoder), before)
    torch.manual_seed(run.seed)
    assert not torch.equal(model.head[0].weight, torch.nn.Linear(4, 10).weight)


def test_random_encoder_is_drawn_from_the_seed(few):
    """Steps as tiny as these stay at the start."""
    run = replace(TINY_CLASSIFIER, start=Fresh(4), epochs=1, learning_rate=1e-9)
    model, *_ = train_classifier(run, None, few, CPU)
    torch.manual_seed(run.seed)
    torch.testing.assert_close(weights(model.encoder), weights(Autoencoder(4).encoder), rtol=0, atol=1e-7)


def test_learning_rate_decays_along_a_cosine_also_after_an_interruption(few, tmp_path, monkeypatch):
    run = ClassifierRun(Fresh(4), epochs=4, train_size=100, decay=True)
    rates = []
    monkeypatch.setattr(
        Learner, "epoch", lambda self, _: rates.append(self.optimizer.param_groups[0]["lr"]) or 0.0
    )
    train_classifier(run, None, few, CPU)
    assert rates == pytest.approx([1e-3, 1e-3 * (2 + 2**0.5) / 4, 5e-4, 1e-3 * (2 - 2**0.5) / 4])

    rates.clear()
    checkpoint = Checkpoint(tmp_path / "state.pt", {})
    train_classifier(replace(run, epochs=2), None, few, CPU, checkpoint)
    train_classifier(run, None, few, CPU, checkpoint)
    assert rates[2:] == pytest.approx([5e-4, 1e-3 * (2 - 2**0.5) / 4])

    rates.clear()
    train_classifier(replace(run, decay=False, warm_up=2), None, few, CPU)
    assert rates == pytest.approx([1e-3 / 3, 2e-3 / 3, 1e-3, 1e-3])


def test_another_block_of_images_is_trained_on(few):
    first, second = few.train[:100], few.train[100:200]
    swapped = FashionMNIST(
        Images(torch.cat([second.images, first.images]), torch.cat([second.labels, first.labels])),
        few.validation,
        few.test,
    )
    run = ClassifierRun(Fresh(4), epochs=1, train_size=100)
    histories = [
        train_classifier(replace(run, train_block=block), None, of, CPU).history
        for block, of in ((0, few), (1, swapped), (1, few))
    ]
    assert histories[0].equals(histories[1]) and not histories[0].equals(histories[2])
