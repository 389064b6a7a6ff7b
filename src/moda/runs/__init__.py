"""Runs: which there are, and their results, stored or trained; all that a notebook needs of them."""

from moda.configurations import (
    BASE,
    CHOSEN,
    PLAIN,
    AutoencoderRun,
    ClassifierRun,
    Fresh,
    Frozen,
    Modernised,
    Revised,
    repeated,
)
from moda.runs.schedule import obtain, obtain_all
from moda.runs.store import table

__all__ = [
    "BASE",
    "CHOSEN",
    "PLAIN",
    "AutoencoderRun",
    "ClassifierRun",
    "Fresh",
    "Frozen",
    "Modernised",
    "Revised",
    "obtain",
    "obtain_all",
    "repeated",
    "table",
]
