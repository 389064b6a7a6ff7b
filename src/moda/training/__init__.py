"""Training as the method section has it (`loop`), and what makes it quick on each device."""

from moda.training.loop import EVALUATED, train_autoencoder, train_classifier

__all__ = ["EVALUATED", "train_autoencoder", "train_classifier"]
