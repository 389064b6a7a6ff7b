"""Make close numbers equal before nbval compares a notebook's new outputs with the stored ones."""

from functools import partial

import pytest
from close_numbers import take_stored_numbers
from nbval.plugin import IPyNbCell


def pytest_itemcollected(item):
    if isinstance(item, IPyNbCell):
        tags = item.cell.metadata.get("tags", [])
        item.compare_outputs = partial(compare_outputs, item.compare_outputs, tags)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup():
    """Give the kernel, which a notebook's first cell starts, one thread, as each core has a worker.

    And forbid training: what a page shows must be in the reference.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODA_TRAIN", "never")
        patch.setenv("OMP_NUM_THREADS", "1")
        return (yield)


def compare_outputs(as_text, tags: list[str], new: list[dict], stored: list[dict]) -> bool:
    take_stored_numbers(new, stored, tags)
    return as_text(new, stored)
