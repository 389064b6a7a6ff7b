"""README's numbers are those of the executed notebooks and of the reference runs that they show."""

import ast
import importlib
import re
from types import SimpleNamespace

import nbformat
import pytest

from moda import paper
from moda.book.notebook import book_parameters
from moda.configurations import BASE, PLAIN, repeated
from moda.data import PROJECT
from moda.runs.store import REFERENCE_FOLDER, read

README = (PROJECT / "README.md").read_text(encoding="utf-8")
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
    c3, c6 = chapter(3), chapter(6)
    names = {64: "Exactitud (accuracy), N = 64", 128: "Exactitud, N = 128", 256: "Exactitud, N = 256"}
    ecm = f"{c3.ecm_media:.4f} ({c3.ecm_desvio:.4f})"
    entropy = f"{c6.entropia_64:.4f} ({c6.entropia_desvio_64:.4f})"
    whole = {n: f"{getattr(c6, f'completas_{n}')} of {c6.semillas}" for n in names}
    runs = (read(run, REFERENCE_FOLDER) for of_n in BASE.values() for run in of_n)
    lost = [100 * run.metrics["accuracy"] for run in runs if not run.complete]
    accuracies = {
        n: f"{getattr(c6, f'exactitud_{n}'):.2f} ({getattr(c6, f'exactitud_desvio_{n}'):.2f})" for n in names
    }
    return [
        f"{c6.semillas} runs each",
        f"ECM (mean squared error), N = 64 | {paper.ECM:.4f} | {ecm} | {c3.corridas} |",
        f"cross entropy, N = 64 | {paper.CROSS_ENTROPY:.4f} | {entropy} | {whole[64]} |",
        *(
            f"{name} | {100 * paper.ACCURACY[n]:.2f} % | {accuracies[n]} % | {whole[n]} |"
            for n, name in names.items()
        ),
        f"accuracy of {min(lost):.2f} to {max(lost):.2f} %",
        f"N = 64: seed {c6.elegida_64}",
    ]


def beyond() -> list[str]:
    """What "Beyond the paper" says, as the runs say it."""
    c7, c8, c9, c10, c11, c12, c13, c14 = map(chapter, range(7, 15))
    few, *_, most = LABELS
    return [
        "± is half of a 95 % interval; in rows 9 and 13",
        f"for {most} labels, in row 10",
        f"{c7.razon_menor:.1f} to {c7.razon_mayor:.0f} times as likely with batches of 64 "
        "as with the assignment's 100",
        f"a tenth to 64, {c7.modelos_64_menor:.0f} to {c7.modelos_64_mayor:.0f} % for 64",
        f"and {c7.remuestreos_64_menor:.0f} to {c7.remuestreos_64_mayor:.0f} % in 95 % of resamples",
        f"by chance {c7.tres_desde:.0f} to {c7.tres_hasta:.0f} % of the time (95 % credible interval)",
        # The rest is a square.
        f"rows and columns {c8.pixeles_resto**0.5:.0f} to 27 of the output do not depend on the code",
        f"they make {c8.marco_parte_menor:.1f} to {c8.marco_parte_mayor:.1f} % of the ECM",
        f"{c9.exactitud_simple_16:.1f}, {c9.exactitud_simple_64:.1f}, {c9.exactitud_simple_128:.1f} and "
        f"{c9.exactitud_simple_256:.1f} % for N = 16, 64, 128 and 256",
        f"128 against 64 is {plain(c9.simple_64_128_prueba)} points on the test set and "
        f"{plain(c9.simple_64_128_validacion)} on the validation set",
        f"256 against 64, {plain(c9.simple_64_256_prueba)} and {plain(c9.simple_64_256_validacion)}",
        "256 against 128 is not told apart",
        f"with {few}, over {c10.semillas_nuevas} other autoencoders, added to decide it, "
        f"{plain(c10.decide_prueba)} points on the test set and "
        f"{plain(c10.decide_validacion)} on the validation set",
        f"with {most}, {plain(c10.ayuda_muchas)} and {plain(c10.ayuda_muchas_validacion)}",
        f"{c11.perdidas} of {c11.corridas_del_articulo} networks lost a class;",
        f"plain scores cannot lose any and reach {c11.exactitud_sin_nada:.2f} %",
        f"{c12.mudas_menos} to {c12.mudas_mas} of the {c12.neuronas} neurons are 0 for every test image",
        f"ECM {c13.ecm_articulo:.4f} to {c13.ecm_corregido:.4f};",
        f"of {c13.parametros_revisados} parameters (the paper's has {c13.parametros_articulo})",
        f"reaches {plain(c13.revisada_pm)} %: against the paper's network mended, on the test set, "
        f"{plain(c13.entrenamiento)} points from its training, normalisation included, and "
        f"{plain(c13.reparto)} from how its parameters are spread; on the validation set, "
        f"{plain(c13.entrenamiento_validacion)} and {plain(c13.reparto_validacion)}",
        f"{c14.parte_oscura:.0f} % of the ECM is darkness",
        *(f"| {number}. " for number in range(7, 15)),
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


def test_benchmark_writes_its_table_to_its_place(monkeypatch):
    """Of each device one."""
    monkeypatch.syspath_prepend(str(PROJECT / "benchmarks"))
    with_table = importlib.import_module("bench").with_table
    for device, other in (("cpu", "cuda"), ("cuda", "cpu")):
        written = with_table(README, device, "| a table |")
        mark = f"<!-- benchmark {device} -->"
        assert f"{mark}\n| a table |\n{mark}" in written
        assert (
            written.split(f"<!-- benchmark {other} -->")[1] == README.split(f"<!-- benchmark {other} -->")[1]
        )
        assert with_table(written, device, README.split(mark)[1].strip()) == README


def test_what_the_answers_say_in_words_holds():
    # "Plain scores cannot lose any".
    assert all(read(run, REFERENCE_FOLDER).complete for run in repeated(range(10), **PLAIN))
    # "Undecided", "a little", "no difference seen".
    c7, c10 = chapter(7), chapter(10)
    assert c7.orden == "Con estas corridas no se decide entre los dos"
    assert c10.decide == "preentrenar ayuda" and c10.ayudas == "ninguna"
