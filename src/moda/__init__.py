"""Helpers of the book: data, models, training, runs and figures of the reproduced paper."""
