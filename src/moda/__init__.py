"""Helpers of the book: data, networks, training, runs and figures of the reproduced paper."""

from moda import arithmetic

arithmetic.use_portable_instructions()
