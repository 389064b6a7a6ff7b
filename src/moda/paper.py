"""The values reported in the paper (R. Santamaria, Autoencoder y clasificador convolucional, 2024)."""

import pandas as pd

from moda.data import CLASSES

# Test set, N = 64: sections III A and III B.
ECM = 0.0533
CROSS_ENTROPY = 0.3865
# Exactitud on the test set for each N: section III B.
ACCURACY = {64: 0.9043, 128: 0.9141, 256: 0.907}

# Fig. 7, N = 64, test set: true class (row), predicted class (column), in % of the row.
CONFUSION = pd.DataFrame(
    [
        [83.90, 0.00, 1.60, 2.10, 0.20, 0.10, 11.20, 0.00, 0.90, 0.00],
        [0.20, 97.20, 0.00, 1.80, 0.20, 0.00, 0.30, 0.00, 0.30, 0.00],
        [1.80, 0.00, 86.30, 0.70, 4.70, 0.00, 6.30, 0.00, 0.20, 0.00],
        [1.10, 0.00, 0.90, 89.40, 3.80, 0.00, 4.40, 0.00, 0.30, 0.10],
        [0.10, 0.10, 4.20, 2.50, 85.30, 0.00, 7.70, 0.00, 0.10, 0.00],
        [0.00, 0.00, 0.00, 0.10, 0.00, 97.90, 0.00, 1.80, 0.00, 0.20],
        [10.30, 0.10, 6.90, 2.40, 6.00, 0.00, 73.40, 0.00, 0.90, 0.00],
        [0.00, 0.00, 0.00, 0.00, 0.00, 1.30, 0.00, 97.20, 0.00, 1.50],
        [0.30, 0.00, 0.40, 0.30, 0.20, 0.30, 0.60, 0.40, 97.50, 0.00],
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.60, 0.00, 3.20, 0.00, 96.20],
    ],
    index=CLASSES,
    columns=CLASSES,
)
