"""Contenders (d) and (e): this project, as `moda.training.loop` trains."""

import torch
from contender import arguments, measured, serve

from moda import data, evaluation
from moda.arithmetic import exact
from moda.configurations import AutoencoderRun
from moda.networks import Autoencoder, Classifier
from moda.training.loop import Learner, classification_loss, reconstruction_loss


def learner(model: str, device: str) -> Learner:
    network, loss = Autoencoder(), reconstruction_loss
    if model == "classifier":
        network, loss = Classifier(network.encoder), classification_loss
    return Learner(network, loss, AutoencoderRun(), torch.device(device))


if __name__ == "__main__":
    given = arguments()
    if given.threads:
        torch.set_num_threads(given.threads)
    train = data.load().train[: given.images].to(given.device)
    project = learner(given.model, given.device)
    measure = evaluation.classifier_metrics if given.model == "classifier" else evaluation.autoencoder_metrics

    def turn() -> None:
        project.epoch(train)
        measure(project.network, train[: measured(given.images)])

    with exact(torch.device(given.device)):
        serve(turn)
