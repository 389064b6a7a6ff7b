"""Helpers of the book: data, models, training, runs and figures of the reproduced paper."""

from moda import arithmetic

arithmetic.settle()
