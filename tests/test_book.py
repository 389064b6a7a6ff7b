"""The book as a reader gets it: it builds without a warning, in Spanish, numbered as the paper."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from moda import paper
from moda.data import PROJECT

PAGES = [
    "portada",
    "introduccion",
    "metodo",
    "notebooks/01-conjunto-de-datos",
    "notebooks/02-autoencoder",
    "notebooks/03-curvas-promediadas",
    "notebooks/04-clasificador",
    "notebooks/05-matriz-de-confusion",
    "notebooks/06-comparacion-de-n",
    "conclusiones",
    "como-reproducir",
    "apendice-modelos",
    "referencias",
]
# What the theme and the extensions say where nobody has translated them.
ENGLISH = [
    "Link to this",
    "Permalink",
    "Search",
    "Show code",
    "Hide code",
    "Toggle",
    "Previous",
    "Next",
    "Contents",
    "Skip to",
    "Back to top",
    "By ",
    "Download",
    "Fullscreen",
    "Light/dark",
    "Copy to clipboard",
    "Fig.",
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, BeautifulSoup]:
    """Every page of the book, freshly built with warnings as errors."""
    out = tmp_path_factory.mktemp("book")
    command = [Path(sys.executable).with_name("jupyter-book"), "build", "book", "--path-output", out]
    strict = ["-n", "-W", "--keep-going"]
    done = subprocess.run([*command, *strict], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return {
        name: BeautifulSoup((out / "_build" / "html" / f"{name}.html").read_bytes(), "html.parser")
        for name in PAGES
    }


def text(element) -> str:
    return " ".join(element.get_text(" ").split())


def test_the_contents_follow_the_order_of_the_paper(pages):
    links = [link["href"] for link in pages["portada"].select(".bd-sidebar-primary a.reference.internal")]
    assert [link.removesuffix(".html") for link in links if link != "#"] == PAGES[1:]


def test_no_pdf_is_offered_where_none_was_built(pages):
    assert not [name for name, page in pages.items() if page.select("a.btn-download-book-button")]


def test_figures_1_to_7_are_the_papers(pages):
    numbers = {}
    for name, page in pages.items():
        for figure in page.select("figure[id]"):
            numbers[text(figure.select_one(".caption-number"))] = (name.split("/")[-1], figure["id"])
    assert numbers == {
        "Figura 1": ("01-conjunto-de-datos", "fig-muestras"),
        "Figura 2": ("02-autoencoder", "fig-arquitectura"),
        "Figura 3": ("02-autoencoder", "fig-sin-entrenar"),
        "Figura 4": ("03-curvas-promediadas", "fig-curvas"),
        "Figura 5": ("03-curvas-promediadas", "fig-entrenado"),
        "Figura 6": ("04-clasificador", "fig-clasificador"),
        "Figura 7": ("05-matriz-de-confusion", "fig-confusion"),
    }


def test_every_image_says_what_it_shows(pages):
    images = [image for page in pages.values() for image in page.select("article img")]
    assert len(images) == 9
    assert all(len(image["alt"]) > 80 for image in images)


def test_equations_1_to_3_are_in_the_method(pages):
    assert [text(number)[:3] for number in pages["metodo"].select(".eqno")] == ["(1)", "(2)", "(3)"]


def test_the_conclusions_show_the_papers_values_and_the_notebooks(pages):
    rows = [[text(cell) for cell in row.select("td")] for row in pages["conclusiones"].select("tbody tr")]
    reported = [row[1] for row in rows]
    assert reported == [
        f"{paper.ECM:.4f}",
        f"{paper.CROSS_ENTROPY:.4f}",
        *(f"{100 * accuracy:.2f}" for accuracy in paper.ACCURACY.values()),
    ]
    for _, reported, ours, difference in rows:
        assert float(ours) - float(reported) == pytest.approx(float(difference), abs=0.011)


def test_tables_are_numbered_through_the_book(pages):
    captions = [text(number) for page in pages.values() for number in page.select("table .caption-number")]
    assert captions == [f"Tabla {number}" for number in range(1, len(captions) + 1)]
    assert len(captions) >= 8


def test_the_interface_is_in_spanish(pages):
    for name, page in pages.items():
        assert page.html["lang"] == "es"
        for element in page.select("article pre, article code, article cite, script, style"):
            element.extract()
        said = [text(page)]
        said += [
            element[attribute]
            for attribute in ("title", "aria-label", "placeholder", "data-bs-original-title")
            for element in page.select(f"[{attribute}]")
        ]
        found = [(english, words) for english in ENGLISH for words in said if english in words]
        assert [english for english, _ in found] == [], name


def test_pages_load_nothing_from_other_hosts(pages):
    for name, page in pages.items():
        loaded = [
            tag.get("src") or tag.get("href") for tag in page.select("script[src], img, link[rel=stylesheet]")
        ]
        assert not [address for address in loaded if address.startswith(("http", "//"))], name


def test_every_notebook_page_shows_its_committed_outputs(pages):
    for name, page in pages.items():
        if name.startswith("notebooks/"):
            cells = nbformat.read(PROJECT / f"{name}.ipynb", as_version=4).cells
            images = sum("image/png" in out.get("data", {}) for c in cells for out in c.get("outputs", []))
            assert len(page.select("article img")) == images, name
