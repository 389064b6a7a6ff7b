"""What a notebook says at its top when its parameters are not the book's."""

import ast
from typing import Any

import jupytext
from IPython.display import display

from moda.data import PROJECT


def notice(notebook: str, values: dict[str, Any]) -> None:
    """Displays which `values` differ from the book's parameters of `notebook`, such as "04-clasificador".

    Where none does, it displays nothing.
    """
    changed = {
        name: (values[name], default)
        for name, default in book_parameters(notebook).items()
        if values[name] != default
    }
    if not changed:
        return
    title = "Nueva corrida con otros parámetros"
    listed = "; ".join(
        f"{name} = {value} (en el libro, {default})" for name, (value, default) in changed.items()
    )
    said = (
        "Los números, las tablas y las figuras son de esta corrida. El texto que los comenta se escribió "
        "para los parámetros del libro, y lo que afirma puede no valer aquí."
    )
    forms = {
        "text/markdown": f":::{{admonition}} {title}\n:class: warning\n\n{listed}.\n\n{said}\n:::",
        "text/html": f"<blockquote><p><strong>{title}</strong></p><p>{listed}.</p><p>{said}</p></blockquote>",
        "text/plain": f"{title}: {listed}.\n{said}",
    }
    display(forms, raw=True)


def book_parameters(notebook: str) -> dict[str, Any]:
    """The values in the cell of parameters of the notebook's source."""
    cells = jupytext.read(PROJECT / "notebooks" / f"{notebook}.md").cells
    source = next(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))
    return {line.targets[0].id: ast.literal_eval(line.value) for line in ast.parse(source).body}
