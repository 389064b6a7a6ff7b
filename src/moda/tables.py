"""What the notebooks hand to the book: numbered tables, and numbers for the prose of any page."""

from collections.abc import Iterable

import pandas as pd
from IPython.display import display
from myst_nb import glue

from moda import data
from moda.comparison import within
from moda.store import RECIPE, Result


def show(table: pd.DataFrame, name: str, caption: str) -> None:
    """Displays `table`, whose cells are ready to print; `name` is what {numref} calls it in the book."""
    _display(table, f"```{{table}} {caption}\n:name: {name}\n\n{_markdown(table)}\n```")


def show_folded(table: pd.DataFrame, title: str) -> None:
    """Displays a long table without a number, which in the book opens when its `title` is pressed."""
    _display(table, f":::{{dropdown}} {title}\n\n{_markdown(table)}\n:::")


def _markdown(table: pd.DataFrame) -> str:
    """As a table of MyST, its columns of numbers to the right."""
    numeric = table.astype(str).apply(lambda column: column.str.fullmatch(r"[+±-]?[\d.]*|—").all())
    align = ["right" if right else "left" for right in numeric]
    return table.to_markdown(index=False, colalign=align, disable_numparse=True)


def _display(table: pd.DataFrame, markdown: str) -> None:
    with pd.option_context("display.max_colwidth", None):
        forms = {
            "text/markdown": markdown,
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


def verdicts(rows: list[tuple[str, float, float, str, float]]) -> pd.DataFrame:
    """As `against_paper`, with the margin of the difference as each row's last item, and the verdict."""
    table = against_paper([row[:4] for row in rows])
    table["Margen"] = [f"±{margin:{form}}" for *_, form, margin in rows]
    table["Veredicto"] = [
        "dentro" if within(ours - reported, margin) else "fuera" for _, reported, ours, _, margin in rows
    ]
    return table


# How the book calls the parameters of a run.
_PARAMETERS = {
    "n": "N",
    "dropout": "Dropout",
    "epochs": "Épocas",
    "seed": "Semilla",
    "batch_size": "Imágenes por lote",
    "learning_rate": "Tasa de aprendizaje",
    "train_size": "Imágenes de entrenamiento",
}


def provenance(groups: dict[str, list[Result]]) -> None:
    """Displays where the results of a notebook come from, as the records of its runs tell it.

    `groups`: the runs that belong together, by what the reader calls them; none where nothing was
    trained. A table has a column for each, a line below what all have in common.
    """
    records = [result.record for results in groups.values() for result in results]
    common = []
    if records:
        devices = (f"{r['device']} ({r['machine']}), hilos: {r['threads']}" for r in records)
        versions = (f"Python {r['versions']['python']}, PyTorch {r['versions']['torch']}" for r in records)
        dates = (record["date"] for record in records)
        common += [f"Dispositivo: {_together(devices)}", _together(versions), f"Fecha: {_together(dates)}"]
    recipe = _together(record["recipe"] for record in records) or RECIPE
    common += [f"Receta: {recipe}", f"Datos: Fashion-MNIST, SHA-256 {data.CHECKSUM[:16]}…"]
    line = " · ".join(common)
    table = pd.DataFrame({name: _training(results) for name, results in groups.items()})
    table = table.rename_axis("Entrenamiento").reset_index()
    forms = {
        "text/markdown": f"{table.to_markdown(index=False, disable_numparse=True)}\n\n{line}",
        "text/html": f"{table.to_html(index=False, border=0)}<p>{line}</p>",
        "text/plain": f"{table.to_string(index=False)}\n{line}",
    }
    display(forms if records else {form: line for form in forms}, raw=True)


def _training(results: list[Result]) -> dict[str, str]:
    """The parameters of some runs and the seconds that each took."""
    # In front, what a classifier has of its encoder.
    configurations = [
        {"n": configuration.get("autoencoder", configuration)["n"]} | configuration
        for configuration in (result.record["configuration"] for result in results)
    ]
    rows = {
        label: _together(configuration[name] for configuration in configurations)
        for name, label in _PARAMETERS.items()
    }
    seconds = [round(result.record["seconds"]) for result in results]
    return rows | {"Duración (s)": _together({min(seconds), max(seconds)}, " a ")}


def _together(values: Iterable, between: str = ", ") -> str:
    """The different ones among `values`, in order; of whole numbers in a row only the first and the last."""
    values = sorted(set(values))
    if len(values) > 2 and values == list(range(values[0], values[0] + len(values))):
        values, between = [values[0], values[-1]], " a "
    return between.join(map(str, values))


def to_prose(**values) -> None:
    """Makes each value available to the prose as {glue:text}`name:format`."""
    for name, value in values.items():
        # NumPy's numbers write themselves as np.float64(…), which no format takes.
        glue(name, value.item() if hasattr(value, "item") else value, display=False)
