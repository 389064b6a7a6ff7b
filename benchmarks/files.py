"""The training images for contenders whose environment has no PyTorch."""

import os
from pathlib import Path

import numpy as np


def training_set(size: int) -> tuple[np.ndarray, np.ndarray]:
    """float32 (size, 28, 28, 1) in [0, 1] and the labels, int32 (size,)."""
    folder = Path(os.environ["FASHION_MNIST_DIR"])
    images = np.frombuffer((folder / "train-images-idx3-ubyte").read_bytes(), np.uint8, offset=16)
    labels = np.frombuffer((folder / "train-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8)
    images = images.reshape(-1, 28, 28, 1)[:size].astype(np.float32) / 255
    return images, labels[:size].astype(np.int32)
