"""Contender (b): the same networks in Keras on TensorFlow, trained with fit()."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from contender import BATCH_SIZE, arguments, measured, serve
from files import training_set
from keras import layers


def encoder() -> list:
    return [
        layers.Conv2D(16, 3, activation="relu"),
        layers.Dropout(0.2),
        layers.MaxPooling2D(2),
        layers.Conv2D(32, 3, activation="relu"),
        layers.Dropout(0.2),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dropout(0.2),
    ]


def decoder() -> list:
    """TensorFlow's output_padding must be below the stride, as here; the result is 28 x 28 as in PyTorch."""
    return [
        layers.Dense(800, activation="relu"),
        layers.Dropout(0.2),
        layers.Reshape((5, 5, 32)),
        layers.Conv2DTranspose(16, 4, strides=2, output_padding=1, activation="relu"),
        layers.Dropout(0.2),
        layers.Conv2DTranspose(1, 3, strides=2, output_padding=1, activation="sigmoid"),
        layers.Dropout(0.2),
    ]


def main() -> None:
    given = arguments()
    images, labels = training_set(given.images)
    if given.model == "autoencoder":
        network, target = encoder() + decoder(), images
        loss = "mean_squared_error"
    else:
        network = [*encoder(), layers.Dense(10, activation="relu"), layers.Dropout(0.2)]
        target = labels.astype(np.int64)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = keras.Sequential([keras.Input((28, 28, 1)), *network])
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)
    size = measured(given.images)

    def turn() -> None:
        model.fit(images, target, batch_size=BATCH_SIZE, epochs=1, shuffle=True, verbose=0)
        model.evaluate(images[:size], target[:size], batch_size=BATCH_SIZE, verbose=0)

    serve(turn)


if __name__ == "__main__":
    main()
