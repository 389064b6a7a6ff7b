"""README's numbers are those of the executed notebooks and of the reference runs that they show."""

import ast
import re
from types import SimpleNamespace

import nbformat
import pytest

from moda import paper, tables
from moda.data import PROJECT
from moda.experiments import PASSED_OVER, PLAIN, repeated
from moda.notebook import book_parameters
from moda.store import REFERENCE_FOLDER, read

README = (PROJECT / "README.md").read_text(encoding="utf-8")
WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
LABELS = book_parameters("10-sirve-preentrenar")["sizes"]
GLUED = "application/papermill.record/text/plain"


def chapter(number: int) -> SimpleNamespace:
    """What a notebook hands to the prose."""
    (file,) = PROJECT.glob(f"notebooks/{number:02}-*.ipynb")
    outputs = [out for cell in nbformat.read(file, as_version=4).cells for out in cell.get("outputs", [])]
    values = {
        output.metadata.scrapbook.name: ast.literal_eval(output.data[GLUED])
        for output in outputs
        if GLUED in output.get("data", {})
    }
    return SimpleNamespace(**values)


def plain(text: str) -> str:
    """The text in one line, with the signs that a format gives."""
    return " ".join(text.replace("\N{MINUS SIGN}", "-").split())


def section(title: str) -> str:
    (_, text) = README.split(f"## {title}\n")
    return plain(text.split("\n## ")[0])


def results() -> list[str]:
    """What "Results against the paper" says, as the runs say it."""
    c3, c4, c6 = chapter(3), chapter(4), chapter(6)

    def row(what: str, reported: float, ours: float, form: str, unit: str = "") -> str:
        return f"{what} | {reported:{form}}{unit} | {ours:{form}}{unit} | {ours - reported:+{form}} |"

    names = {64: "Exactitud (accuracy), N = 64", 128: "Exactitud, N = 128", 256: "Exactitud, N = 256"}
    accuracies = {64: c4.exactitud, 128: c6.exactitud_128, 256: c6.exactitud_256}
    lost = {int(read(run, REFERENCE_FOLDER).metrics["dead_classes"]) for run in PASSED_OVER}
    return [
        row("ECM (mean squared error), N = 64", paper.ECM, c3.ecm, ".4f"),
        row("cross entropy, N = 64", paper.CROSS_ENTROPY, c4.entropia, ".4f"),
        *(row(names[n], 100 * paper.ACCURACY[n], accuracies[n], ".2f", " %") for n in names),
        f"The {WORDS[c3.corridas]} averaged runs end at a validation ECM of {c3.ecm_epoca_final:.4f} (",
        f"standard deviation {c3.dispersion:.4f})",
        f"With N = {PASSED_OVER[0].n} and the classifier's seeds ",
        f"{PASSED_OVER[0].seed} to {PASSED_OVER[-1].seed}, the ReLU",
        f"left {WORDS[min(lost)]} or {WORDS[max(lost)]} classes without a score",
        f"at an accuracy of {c6.perdidas_minima:.2f} to {c6.perdidas_maxima:.2f} %.",
        f"those of seed {c6.semilla_elegida}, the first that lacks none",
    ]


def beyond() -> list[str]:
    """What "Beyond the paper" says, as the runs say it."""
    c7, c8, c9, c10, c11, c12, c13 = map(chapter, range(7, 14))
    (seeds,) = {c.semillas for c in (c9, c10, c11, c13)}
    few, more, *_, most = LABELS
    p = float(c10.ayuda_pocas_p.removeprefix("p = "))
    simple = [f"{getattr(c9, f'exactitud_simple_{n}'):.1f}" for n in (4, 16, 64, 128)]
    accuracies = [
        100 * read(run, REFERENCE_FOLDER).metrics["accuracy"] for run in repeated(range(5), **PLAIN)
    ]
    return [
        f"(± is half of a 95 % interval over seeds, {WORDS[seeds]} of them unless",
        f"(ECM with it on: {c7.ecm_menor_dropout:.4f} at least)",
        # The rest is a square.
        f"rows and columns {c8.pixeles_resto**0.5:.0f} to 27 of the output do not depend on the code",
        f"they make {c8.marco_parte:.1f} % of the ECM",
        f"{', '.join(simple[:-1])} and {simple[-1]} % for N = 4, 16, 64 and 128;",
        f"128 against 64 is {c9.simple_64_128:+.2f} ± {c9.simple_64_128_mas_menos:.2f} points",
        f"{c9.pares_articulo} pairs of runs would be needed to see its {c9.publicada_128:.2f} |",
        f"with {few} labels by {c10.ayuda_pocas.removeprefix('+')} points (p = {p:.3f});",
        f"with {more} or more no difference was seen ({most}: {c10.ayuda_muchas})",
        f"{c11.perdidas} of {c11.corridas_del_articulo} runs lost a class;",
        f"plain scores lose none and reach {tables.estimate(accuracies, '.2f')} %",
        f"{c12.mudas} of the {c12.neuronas} neurons are 0 for every test image",
        f"ECM {c13.ecm_articulo:.4f} to {c13.ecm_corregido:.4f};",
        f"of {c13.parametros_revisados} parameters (the paper's has {c13.parametros_articulo}), "
        "picked on seed 0",
        f"reaches {c13.revisada_pm} % ({c13.revisada_sin_elegida:.2f} % without that seed)",
        *(f"| {number}. " for number in range(7, 14)),
    ]


@pytest.mark.parametrize(
    ("title", "said"), [("Results against the paper", results), ("Beyond the paper", beyond)]
)
def test_every_number_is_found_again_in_the_runs(title, said):
    text = section(title)
    for sentence in map(plain, said()):
        assert sentence in text, f"README does not say what the runs say: {sentence}"
        text = text.replace(sentence, " ", 1)
    assert not re.findall(r"\d", text), f"numbers that nothing is compared with: {text}"


def test_what_the_answers_say_in_words_holds():
    c7, c10 = chapter(7), chapter(10)
    # "Only come out with dropout off".
    assert c7.ecm_compatibles_dropout == c7.compatibles_dropout == 0 < min(c7.ecm_compatibles, c7.compatibles)
    # "With 1000 or more no difference was seen".
    assert (c10.ayudas_significativas, c10.ayuda_mayor_etiquetas) == (1, min(LABELS))
    # "Plain scores lose none".
    of_plain = [read(run, REFERENCE_FOLDER).metrics for run in repeated(range(5), **PLAIN)]
    assert not any(metrics["dead_classes"] for metrics in of_plain)
