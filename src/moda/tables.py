"""What the notebooks hand to the book: numbered tables, and numbers for the prose of any page."""

import pandas as pd
from IPython.display import display
from myst_nb import glue


def show(table: pd.DataFrame, name: str, caption: str) -> None:
    """Displays `table`, whose cells are ready to print; `name` is what {numref} calls it in the book."""
    numeric = table.astype(str).apply(lambda column: column.str.fullmatch(r"[+-]?[\d.]*|—").all())
    align = ["right" if right else "left" for right in numeric]
    markdown = table.to_markdown(index=False, colalign=align, disable_numparse=True)
    forms = {
        "text/markdown": f"```{{table}} {caption}\n:name: {name}\n\n{markdown}\n```",
        "text/html": table.to_html(index=False, border=0),
        "text/plain": table.to_string(index=False),
    }
    display(forms, raw=True)


def against_paper(rows: list[tuple[str, float | None, float, str]]) -> pd.DataFrame:
    """A table of what the paper reports beside what came out here.

    A row: what it is, the paper's value (None where it has none for these parameters), ours, and
    the format of both.
    """
    lines = []
    for what, reported, ours, form in rows:
        known = reported is not None
        lines.append(
            {
                "Magnitud": what,
                "Artículo": f"{reported:{form}}" if known else "—",
                "Aquí": f"{ours:{form}}",
                "Diferencia": f"{ours - reported:+{form}}" if known else "—",
            }
        )
    return pd.DataFrame(lines)


def to_prose(**values) -> None:
    """Makes each value available to the prose as {glue:text}`name:format`."""
    for name, value in values.items():
        # NumPy's numbers write themselves as np.float64(…), which no format takes.
        glue(name, value.item() if hasattr(value, "item") else value, display=False)
