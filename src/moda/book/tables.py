"""The notebooks' output for the book: numbered tables, and numbers for the prose of any page."""

from collections.abc import Iterable, Sequence
from dataclasses import fields

import numpy as np
import pandas as pd
from IPython.display import display
from myst_nb import glue

from moda import data
from moda.comparison import Difference, interval
from moda.configurations import ClassifierRun, Fresh, Frozen, Revised, Run
from moda.runs.store import RECIPE, Result


def show(table: pd.DataFrame, name: str, caption: str) -> None:
    """Display `table`, its cells already formatted; the book's {numref} refers to it by `name`."""
    _display(table, f"```{{table}} {caption}\n:name: {name}\n\n{_markdown(table)}\n```")


def show_folded(table: pd.DataFrame, title: str) -> None:
    """Display a long, unnumbered table, folded under its `title` in the book."""
    _display(table, f":::{{dropdown}} {title}\n\n{_markdown(table)}\n:::")


def _markdown(table: pd.DataFrame) -> str:
    """`table` in MyST, with columns of numbers right-aligned."""
    numeric = table.astype(str).apply(lambda column: column.str.fullmatch(r"[+±<-]?\u00a0?[\d.]*|—").all())
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
    """A table of the paper's values beside ours.

    Each row: the quantity, the paper's value (None if it has none for these parameters), ours, and the
    format of both.
    """
    lines = []
    for what, reported, ours, form in rows:
        lines.append(
            {
                "Magnitud": what,
                "Artículo": f"{reported:{form}}" if reported is not None else "—",
                "Aquí": f"{ours:{form}}",
                "Diferencia": f"{ours - reported:+{form}}" if reported is not None else "—",
            }
        )
    return pd.DataFrame(lines)


def estimate(values: Sequence[float], form: str) -> str:
    """The mean over seeds ± half its 95 % interval (Student's t); a single value has no interval."""
    half = f"\u00a0±\u00a0{interval(values):{form}}" if len(values) > 1 else ""
    return f"{np.mean(values):{form}}{half}"


def spread(values: Sequence[float], form: str) -> str:
    """The mean over runs (their standard deviation); a single value has none, and no value is a dash."""
    if len(values) == 0:
        return "—"
    deviation = f"\u00a0({np.std(values, ddof=1):{form}})" if len(values) > 1 else ""
    return f"{np.mean(values):{form}}{deviation}"


def difference(result: Difference | None, form: str) -> str:
    """The mean difference of pairs ± half its 95 % interval (Student's t); a dash if there is none."""
    return f"{result.mean:+{form}}\u00a0±\u00a0{result.interval:{form}}" if result else "—"


# The book's names for the parameters of a run.
_PARAMETERS = {
    "n": "N",
    "dropout": "Dropout",
    "epochs": "Épocas",
    "seed": "Semilla",
    "batch_size": "Imágenes por lote",
    "learning_rate": "Tasa de aprendizaje",
    "train_size": "Imágenes de entrenamiento",
}
# Those shown only if a run departs from the paper, and the paper's value.
_CHOICES = {
    "optimizer": ("Optimizador", "adam"),
    "train_block": ("Bloque de imágenes", 0),
    "decay": ("Tasa decreciente", False),
    "warm_up": ("Épocas en que sube la tasa", 0),
    "output_dropout": ("Dropout en la imagen", True),
    "all_pixels": ("Capas que no pierden píxeles", False),
    "score_dropout": ("Dropout en los puntajes", 0.2),
    "output_relu": ("ReLU en los puntajes", True),
    "leak": ("Pendiente bajo 0", 0.0),
    "bias": ("Sesgo agregado al inicial", 0.0),
    "pretrained": ("Codificador preentrenado", True),
    "frozen": ("Codificador congelado", False),
    "revised": ("Red compacta", False),
    "normalised": ("Normalización por lotes", True),
    "mirrored": ("Imágenes reflejadas", True),
}
_WORDS = {True: "sí", False: "no", "adam": "Adam", "sgd": "SGD", "momentum": "SGD con impulso"}


_RECIPE = (
    "La receta es el número de versión de lo que decide el resultado de un entrenamiento: los modelos, el "
    "reparto de las imágenes, los números al azar y el optimizador."
)


def provenance(groups: dict[str, list[Result]]) -> None:
    """Display, folded, where the results of a notebook come from, according to the records of its runs.

    `groups`: runs that belong together, by Spanish name; empty if nothing was trained. The table has a
    column per group that has runs, and the line below it what all have in common.
    """
    groups = {name: results for name, results in groups.items() if results}
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
    runs = {name: [_parameters(result.run) for result in results] for name, results in groups.items()}
    every = [run for of_group in runs.values() for run in of_group]
    labels = _PARAMETERS | {
        name: label
        for name, (label, of_paper) in _CHOICES.items()
        if any(run.get(name, of_paper) != of_paper for run in every)
    }
    table = pd.DataFrame({name: _training(groups[name], runs[name], labels) for name in groups})
    table = table.rename_axis("Entrenamiento").reset_index()
    table_in = {
        "text/markdown": f"{table.to_markdown(index=False, disable_numparse=True)}\n\n",
        "text/html": table.to_html(index=False, border=0),
        "text/plain": f"{table.to_string(index=False)}\n",
    }
    forms = {form: f"{rows if records else ''}{line}\n\n{_RECIPE}" for form, rows in table_in.items()}
    forms["text/markdown"] = f":::{{dropdown}} Con qué se entrenó\n\n{forms['text/markdown']}\n:::"
    display(forms, raw=True)


def _parameters(run: Run) -> dict:
    """The fields of a run; for a classifier, also what its start decides."""
    told = {item.name: getattr(run, item.name) for item in fields(run)}
    if isinstance(run, ClassifierRun):
        start = told.pop("start")
        told |= {
            "n": run.n,
            "dropout": (run.autoencoder or start).dropout,
            "score_dropout": run.dropout,
            "pretrained": not isinstance(start, Fresh),
            "frozen": isinstance(start, Frozen),
            "revised": type(start) is Revised,
        }
        if isinstance(start, Revised):
            told |= {"normalised": start.normalised, "mirrored": start.mirrored}
        else:
            told["all_pixels"] = run.autoencoder is not None and run.autoencoder.all_pixels
    return told


def _training(results: list[Result], runs: list[dict], labels: dict[str, str]) -> dict[str, str]:
    """How many runs, their parameters, the seconds of each and the minutes of all."""
    rows = {}
    for name, label in labels.items():
        values = [run[name] for run in runs if name in run]
        if values and isinstance(values[0], bool | str):
            values = [_WORDS[value] for value in values]
        rows[label] = _together(values) or "—"
    seconds = [round(result.record["seconds"]) for result in results]
    return {
        "Corridas": str(len(results)),
        **rows,
        "Duración (s)": _together({min(seconds), max(seconds)}, " a "),
        "Duración total (min)": f"{sum(seconds) / 60:.0f}",
    }


def _together(values: Iterable, between: str = ", ") -> str:
    """The distinct `values` in order; for consecutive integers, only the first and the last."""
    values = sorted(set(values))
    whole = all(isinstance(value, int) for value in values)
    if len(values) > 2 and whole and values == list(range(values[0], values[0] + len(values))):
        values, between = [values[0], values[-1]], " a "
    return between.join(map(str, values))


# Feminine, as networks, epochs, classes and images are.
_SMALL = ("ninguna", "una", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez")


def in_words(count: int) -> str:
    """A count as prose has it: in words up to ten."""
    return _SMALL[count] if count < len(_SMALL) else str(count)


def to_prose(**values) -> None:
    """Make each value available to the prose as {glue:text}`name:format`."""
    for name, value in values.items():
        # A NumPy number is stored as np.float64(…), which no format accepts.
        glue(name, value.item() if hasattr(value, "item") else value, display=False)
