"""A notebook's parameters, checked and compared with the book's, and the runs that it declares."""

import ast
import difflib
import html
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from IPython import get_ipython
from IPython.display import display

from moda.configurations import Run, with_starts
from moda.data import PROJECT
from moda.parameters import (
    ParameterError,
    as_text,
    check_device_name,
    checked,
    choose_device,
    message,
    whole_numbers,
)

if TYPE_CHECKING:
    from nbformat import NotebookNode


def take_parameters(notebook: str, values: dict[str, Any], like: dict[str, str] | None = None) -> None:
    """Check the parameters of `notebook`, such as "04-clasificador", and display which are not the book's.

    `values`: all the notebook's variables, where what may be given in several forms is put in its own, such
    as a list. `like`: the field of a run that a parameter of another name is checked as, or each of its
    values. ParameterError if a value is invalid, or if papermill was given a parameter that the notebook
    lacks. Displays nothing if all are the book's.
    """
    defaults, like = book_parameters(notebook), like or {}
    for name in _injected(defaults):
        if name not in defaults:
            raise ParameterError(_unknown(name, defaults))
    on_cluster = "dask" in defaults and values["dask"] is not None
    used = {
        name: _checked(name, values[name], default, like.get(name, name), on_cluster)
        for name, default in defaults.items()
    }
    values.update(used)
    changed = {name: default for name, default in defaults.items() if used[name] != default}
    if not changed:
        return
    title = "Nueva corrida con otros parámetros"
    said = (
        "Los números, las tablas y las figuras son de esta corrida. El texto que los comenta se escribió "
        "para los parámetros del libro, y lo que afirma puede no valer aquí."
    )

    def listed(form):
        return "; ".join(
            f"{form(f'{name} = {as_text(used[name])}')} (en el libro, {form(as_text(default))})"
            for name, default in changed.items()
        )

    in_html = listed(lambda text: f"<code>{html.escape(text)}</code>")
    forms = {
        "text/markdown": f":::{{admonition}} {title}\n:class: warning\n\n{listed(_code)}.\n\n{said}\n:::",
        "text/html": f"<blockquote><p><b>{title}</b></p><p>{in_html}.</p><p>{said}</p></blockquote>",
        "text/plain": f"{title}: {listed(str)}.\n{said}",
    }
    display(forms, raw=True)


def book_parameters(notebook: str) -> dict[str, Any]:
    """The values in the parameters cell of the notebook's source."""
    text = (PROJECT / "notebooks" / f"{notebook}.md").read_text(encoding="utf-8")
    # As jupytext writes it; importing jupytext takes as long as all the rest that a notebook needs of this.
    (source,) = re.findall(r"^:tags: \[parameters\b.*?\]\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines: list[Any] = ast.parse(source).body
    return {line.targets[0].id: ast.literal_eval(line.value) for line in lines}


def declared(notebook: "NotebookNode") -> tuple[list[Run], list[Run]]:
    """The runs that a notebook shows, and those whose trained network it uses.

    Its cell tagged `runs` lists them as `shown` and `with_weights`; that cell needs only the parameters
    cell, and trains nothing.
    """
    values: dict[str, Any] = {}
    for cell in notebook.cells:
        if {"parameters", "runs"} & set(cell.metadata.get("tags", [])):
            exec(cell.source, values)
    return values.get("shown", []), values.get("with_weights", [])


def needed(notebooks: Iterable["NotebookNode"]) -> list[Run]:
    """The runs of these notebooks, without repeats, each classifier after the autoencoder it starts from."""
    return with_starts(run for one in notebooks for of_kind in declared(one) for run in of_kind)


def _checked(name: str, value, default, like: str, on_cluster: bool):
    """`value` as the notebook uses it; ParameterError if it is invalid."""
    if name == "dask":
        if not (value is None or (isinstance(value, str) and re.fullmatch(r"(\w+://)?\S+:\d{1,5}", value))):
            rule = "la dirección de un planificador de Dask, como tcp://10.0.0.1:8786, o None"
            raise ParameterError(message(name, value, rule))
    elif name == "device":
        # The machines of a cluster may have devices that this one lacks.
        (check_device_name if on_cluster else choose_device)(value)
    elif isinstance(default, list):
        return whole_numbers(name, value, like)
    else:
        return checked(name, value, like)
    return value


def _injected(defaults: Iterable[str]) -> list[str]:
    """The parameters set by papermill's -p, in a cell of its own below the parameters cell.

    Papermill marks that cell in the file, which a kernel does not see; in the history, it is the one that
    begins with this comment. Running the parameters cell again (by hand, in Jupyter) undoes it.
    """
    shell = get_ipython()
    for source in reversed(shell.history_manager.input_hist_raw if shell else []):
        names = re.findall(r"^(\w+) = ", source, re.MULTILINE)
        if source.startswith("# Parameters\n"):
            return names
        if set(names) >= set(defaults):
            return []
    return []


def _unknown(name: str, defaults: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, defaults, n=1)
    guess = f" ¿Será «{nearest[0]}»?" if nearest else ""
    known = ", ".join(f"«{name}»" for name in defaults)
    return f"Este cuaderno no tiene el parámetro «{name}».{guess} Sus parámetros son: {known}."


def _code(text: str) -> str:
    """`text` as Markdown code, between more backticks than it has in a row."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"
