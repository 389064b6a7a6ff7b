"""How a notebook's new outputs are compared with the stored ones: numbers as numbers, the rest as text.

Processors add in another order, and so do versions of the libraries: the last digits of a result differ, and
0.60305 falls to either side of a rounding. A new number that is close to the stored one counts as equal:

- A whole number is close to itself only: N, epochs, a year.
- One with decimals, as a reader sees it, may differ by one unit of its last digit.
- One that is a whole output, as the prose gets it, has all its digits and may differ by 1e-4 of its size.
- A cell with the tag `near-ties` counts images that may lie on an edge: hits, neighbours, where a neuron is
  not 0. One of them is 1 where they are counted and 0.1 % of a class: by so much they may differ.

What stands between the numbers is compared as text, but for the blanks and dashes that fill the columns of a
table. Images are not compared.
"""

import re
from decimal import Decimal
from functools import partial

import pytest
from nbval.plugin import IPyNbCell

# A sign only where nothing ends before it, as the 2026 does in 2026-11; none in words, digests, versions.
NUMBER = re.compile(r"((?:(?<![\w.)])[+−-])?(?<![\w.])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\w|\.\d))")
RELATIVE = Decimal("1e-4")
ONE_IMAGE = Decimal("0.1")


def pytest_itemcollected(item):
    if isinstance(item, IPyNbCell):
        near_ties = "near-ties" in item.cell.metadata.get("tags", [])
        item.compare_outputs = partial(compare_outputs, item.compare_outputs, near_ties)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup():
    """The kernel, which a notebook's first cell starts, has one thread: there is a worker for each core."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        return (yield)


def compare_outputs(as_text, near_ties: bool, new: list[dict], stored: list[dict]) -> bool:
    """nbval's comparison `as_text`, once the numbers that are close have been made equal."""
    for ours, theirs in zip(new, stored):
        for one, other in [(ours, theirs), (ours.get("data", {}), theirs.get("data", {}))]:
            for form in one.keys() & other.keys():
                if isinstance(one[form], str):
                    one[form] = with_stored_numbers(one[form], other[form], near_ties)
    return as_text(new, stored)


def with_stored_numbers(new: str, stored: str, near_ties: bool = False) -> str:
    """The new text with the stored number for each that is close to it: the stored text, if all are."""
    ours, theirs = NUMBER.split(new), NUMBER.split(stored)
    if [plain(text) for text in ours[::2]] != [plain(text) for text in theirs[::2]]:
        return new
    whole_output = theirs[::2] == ["", ""]
    for place in range(1, len(theirs), 2):
        if not close(ours[place], theirs[place], whole_output, near_ties):
            theirs[place] = ours[place]
    return "".join(theirs)


def plain(text: str) -> str:
    return re.sub(r"\s+|-{2,}", " ", text)


def close(new: str, stored: str, whole_output: bool, near_ties: bool) -> bool:
    one, other = (Decimal(number.replace("−", "-")) for number in (new, stored))
    last_digit = max(one.as_tuple().exponent, other.as_tuple().exponent)
    if last_digit >= 0:
        allowed = Decimal(near_ties)
    else:
        allowed = RELATIVE * abs(other) if whole_output else Decimal(1).scaleb(last_digit)
        allowed = max(allowed, ONE_IMAGE * near_ties)
    return abs(one - other) <= allowed
