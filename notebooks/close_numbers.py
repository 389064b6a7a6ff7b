"""Compare a notebook's new outputs with the stored ones: numbers as numbers, the rest as text.

Processors and library versions add in different orders, so the last digits of a result differ, and 0.60305
may round either way. A new number counts as equal if it is close to the stored one:

- An integer (N, epochs, a year) must be identical.
- A decimal, as a reader sees it, must have as many decimals and may differ by one unit in the last of them.
- A number that is a whole output, as the prose gets it, has all its digits and may differ by 1e-4 of itself.

Tags of a cell let more through, where an image may lie on an edge or a network is trained again:

- `near-ties`: integers count images or neurons (hits, neighbours, where one is not 0) and may differ by 1.
- `percent-of-1000`: percentages of so many images, which are whole outputs and numbers with one or two
  decimals, may differ by one image more, here 0.1. Losses have more decimals, and no loss is a whole output
  of such a cell.
- `trains`: whole outputs are losses of small networks that the notebook itself trains. Other processors
  train others, as good: means over three of them differ by some 0.01, and may by 0.05.

The text between the numbers must be the same, except for the blanks and dashes that pad the columns of a
table. Images are not compared.
"""

import re
from collections.abc import Sequence
from decimal import Decimal

# No sign right after a word or number, as in 2026-11; no numbers inside words, digests or versions.
NUMBER = re.compile(
    r"((?:(?<![\w.)])[+−-])?(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\w|\.\d))"
)
INTEGER = re.compile(r"[+−-]?[\d,]+")
RELATIVE = Decimal("1e-4")
TRAINED_AGAIN = Decimal("0.05")


def take_stored_numbers(new: list[dict], stored: list[dict], tags: Sequence[str]) -> None:
    """In the new outputs of a cell with these tags, replace each number with the stored one if close."""
    for ours, theirs in zip(new, stored):
        for one, other in [(ours, theirs), (ours.get("data", {}), theirs.get("data", {}))]:
            for form in one.keys() & other.keys():
                if isinstance(one[form], str):
                    one[form] = with_stored_numbers(one[form], other[form], tags)


def with_stored_numbers(new: str, stored: str, tags: Sequence[str] = ()) -> str:
    """The new text with stored numbers in place of those close to them: the stored text, if all are."""
    ours, theirs = NUMBER.split(new), NUMBER.split(stored)
    if [plain(text) for text in ours[::2]] != [plain(text) for text in theirs[::2]]:
        return new
    whole_output = theirs[::2] == ["", ""]
    for place in range(1, len(theirs), 2):
        if not close(ours[place], theirs[place], whole_output, tags):
            theirs[place] = ours[place]
    return "".join(theirs)


def plain(text: str) -> str:
    return re.sub(r"\s+|-{2,}", " ", text)


def close(new: str, stored: str, whole_output: bool, tags: Sequence[str]) -> bool:
    one, other = (Decimal(number.replace("−", "-").replace(",", "")) for number in (new, stored))
    integer = INTEGER.fullmatch(stored)
    if bool(integer) != bool(INTEGER.fullmatch(new)):
        return False
    if integer:
        allowed = Decimal("near-ties" in tags)
    elif whole_output:
        allowed = RELATIVE * abs(other) + one_image(tags) + TRAINED_AGAIN * ("trains" in tags)
    elif decimals(new) != decimals(stored):
        return False
    else:
        allowed = Decimal(1).scaleb(other.as_tuple().exponent)
        if decimals(stored) <= 2:
            allowed += one_image(tags)
    return abs(one - other) <= allowed


def decimals(number: str) -> int:
    """How many digits follow the point; an exponent does not count."""
    return len(re.split("[eE]", number)[0].partition(".")[2])


def one_image(tags: Sequence[str]) -> Decimal:
    """One image in per cent of those that a tag names."""
    shares = (Decimal(100) / int(tag.rpartition("-")[2]) for tag in tags if tag.startswith("percent-of-"))
    return sum(shares, Decimal(0))
