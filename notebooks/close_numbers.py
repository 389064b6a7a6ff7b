"""Compare a notebook's new outputs with the stored ones: numbers as numbers, the rest as text.

Processors and library versions add in different orders, so the last digits of a result differ, and 0.60305
may round either way. A new number counts as equal if it is close to the stored one:

- An integer (N, epochs, a year) must be identical.
- A decimal, as a reader sees it, may differ by one unit in its last digit.
- A number that is a whole output, as the prose gets it, has all its digits and may differ by 1e-4 of itself.
- A cell tagged `near-ties` counts images that may lie on an edge: hits, neighbours, where a neuron is not 0.
  Its numbers may differ by one image, which is 1 in a count and 0.1 % of a class.

The text between the numbers must be the same, except for the blanks and dashes that pad the columns of a
table. Images are not compared.
"""

import re
from decimal import Decimal

# No sign right after a word or number, as in 2026-11; no numbers inside words, digests or versions.
NUMBER = re.compile(r"((?:(?<![\w.)])[+−-])?(?<![\w.])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\w|\.\d))")
RELATIVE = Decimal("1e-4")
ONE_IMAGE = Decimal("0.1")


def take_stored_numbers(new: list[dict], stored: list[dict], near_ties: bool) -> None:
    """Replace each number in a cell's new outputs with the stored one if they are close."""
    for ours, theirs in zip(new, stored):
        for one, other in [(ours, theirs), (ours.get("data", {}), theirs.get("data", {}))]:
            for form in one.keys() & other.keys():
                if isinstance(one[form], str):
                    one[form] = with_stored_numbers(one[form], other[form], near_ties)


def with_stored_numbers(new: str, stored: str, near_ties: bool = False) -> str:
    """The new text with stored numbers in place of those close to them: the stored text, if all are."""
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
