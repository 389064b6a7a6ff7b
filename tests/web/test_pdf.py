"""The book on paper: one A4 PDF that says what the HTML says, with its numbers, and that the HTML offers."""

import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from pypdf import PdfReader
from pypdf.generic import Destination

from moda.data import PROJECT

pytestmark = pytest.mark.slow
PARTS = re.findall(r"caption: (.+)", (PROJECT / "_toc.yml").read_text(encoding="utf-8"))
# What LaTeX, Sphinx and the bibliography say where nobody has translated them.
ENGLISH = re.compile(
    r"\b(Contents|Chapter|Part|Figure|Table|Listing|Bibliography|References|Index|Release"
    r"|[Cc]ontinue[sd] (on|from)|on page|[Pp]age \d|In Proceedings|January|February|March|April|June|July"
    r"|August|September|October|November|December|Jan|Feb|Mar|Apr|Aug|Sept|Dec)\b"
)


@pytest.fixture(scope="module")
def built(needs, hosted) -> Path:
    """The folder of a fresh build, of the PDF first and then of the HTML, with warnings as errors."""
    needs("the TeX that `make tex` asks for", any((hosted.parent / "latex").glob("*.pdf")))
    return hosted.parent


@pytest.fixture(scope="module")
def pdf(built) -> PdfReader:
    (file,) = (built / "latex").glob("*.pdf")
    return PdfReader(file)


@pytest.fixture(scope="module")
def text(pdf) -> str:
    return "\n".join(page.extract_text() for page in pdf.pages)


@pytest.fixture(scope="module")
def html(built) -> dict[str, BeautifulSoup]:
    """The pages of the book, by their path."""
    pages, sources = built / "html", built / "html" / "_sources"
    names = [str(file.relative_to(sources).with_suffix(".html")) for file in sources.rglob("*.*")]
    return {name: BeautifulSoup((pages / name).read_bytes(), "html.parser") for name in names}


@pytest.fixture(scope="module")
def chapters(html) -> list[str]:
    """The titles of the HTML's contents, with their numbers; what its first page says is the preface."""
    links = html["portada.html"].select(".bd-sidebar-primary a.reference.internal")
    titles = [" ".join(link.get_text().split()) for link in links if link["href"] != "#"]
    return ["Prefacio", *(re.sub(r"^(\d+)\.", r"\1", title) for title in titles)]


def letters(text: str) -> str:
    """What is said, whatever the lines, the hyphenation and the kind of letters."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text))


def test_in_place_of_a_live_part_is_what_stands_in_for_it(text):
    assert re.search(r"En papel o sin JavaScript: la Figura \d+\.", " ".join(text.split()))


def test_it_is_a_book_on_a4_with_its_title_author_and_language(pdf):
    assert {tuple(round(side) for side in page.mediabox[2:]) for page in pdf.pages} == {(595, 842)}
    assert 25 <= len(pdf.pages) <= 160
    assert pdf.metadata.title == "Autoencoder y clasificador convolucional"
    assert pdf.metadata.author == "Los autores del proyecto moda"
    assert pdf.root_object["/Lang"] == "es"


def test_it_begins_with_a_cover_and_the_contents(pdf, chapters):
    cover, *contents = (letters(page.extract_text()) for page in pdf.pages[:8])
    contents = "".join(contents)
    assert letters("Autoencoder y clasificador convolucional Una reproducción abierta") in cover
    assert contents.startswith("Índice")
    for title in (*PARTS, *chapters):
        assert letters(title) in contents


def test_bookmarks_lead_to_the_chapters(pdf, chapters):
    bookmarks = [item for item in pdf.outline if isinstance(item, Destination)]
    assert [bookmark.title for bookmark in bookmarks] == [*chapters, "Soluciones"]
    for bookmark in bookmarks:
        page = pdf.pages[pdf.get_destination_page_number(bookmark)]
        assert letters(bookmark.title) in letters(page.extract_text())


def test_figures_and_tables_have_the_numbers_and_captions_of_the_html(text, html):
    said = letters(text)
    captions = [
        letters(caption.parent.select_one(".caption-number").get_text() + caption.get_text())
        for page in html.values()
        for caption in page.select("figcaption .caption-text, table caption .caption-text")
    ]
    assert len(captions) >= 15
    assert [caption for caption in captions if caption not in said] == []


def test_equations_have_the_numbers_of_the_html(text, html):
    for page in html.values():
        for number in page.select(".eqno"):
            assert number.get_text()[:3] in text


def test_every_reference_is_resolved(pdf, text, built):
    assert "??" not in text
    destinations = pdf.named_destinations
    links = [
        link.get_object()["/A"]["/D"]
        for page in pdf.pages
        for link in page.get("/Annots", [])
        if link.get_object().get("/A", {}).get("/S") == "/GoTo"
    ]
    assert len(links) > 100
    assert set(links) <= set(destinations)


def test_folded_code_is_left_out_and_the_rest_shown(text):
    said = letters(text)
    files = (PROJECT / "notebooks").glob("*.ipynb")
    cells = [cell for file in files for cell in nbformat.read(file, as_version=4).cells]
    hidden = {"hide-input", "parameters", "remove-cell"}
    folded = [cell.source for cell in cells if hidden & set(cell.metadata.get("tags", []))]
    code = [cell.source for cell in cells if cell.cell_type == "code" and cell.source not in folded]
    # Line by line: a page may end within the cell.
    assert [line for source in code for line in source.splitlines() if letters(line) not in said] == []
    # The prose shows some of it, in a solution.
    shown = letters(" ".join(cell.source for cell in cells if cell.source not in folded))
    for source in folded:
        beginning = letters(source)[:50]
        assert beginning in shown or beginning not in said, source


def test_solutions_come_at_the_end(text, html):
    said = letters(text)
    chapter = said.rindex(letters("Soluciones 1. El conjunto de datos"))
    for page in html.values():
        for solution in page.select("details"):
            if solution.summary.get_text(strip=True) == "Solución":
                # Up to the first formula, which the page has as TeX.
                beginning = letters(solution.select_one("p").get_text().split("\\(")[0])[:40]
                assert said.rindex(beginning) > chapter, beginning


def test_nothing_is_left_in_english(text):
    assert [match.group() for match in ENGLISH.finditer(text)] == []


def test_nothing_leaves_the_page_and_no_letter_is_missing(built):
    (file,) = (built / "latex").glob("*.log")
    log = file.read_text(encoding="utf-8", errors="replace")
    overfull = re.findall(r"Overfull \\[hv]box \((.*?)pt too", log)
    assert [points for points in overfull if float(points) > 20] == []
    assert re.findall(r"Missing character.*|.*undefined.*|.*multiply.defined.*", log) == []


def test_every_page_of_the_html_offers_it(built, html, pdf):
    for name, page in html.items():
        link = page.select_one("a.btn-download-book-button")
        assert link["title"] == "Descargar el libro en PDF"
        offered = PdfReader(built / "html" / Path(name).parent / link["href"])
        assert len(offered.pages) == len(pdf.pages), name


def test_without_tex_the_command_says_what_to_install(tmp_path):
    for tool in ("make", "cat"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    path = {"PATH": str(tmp_path)}
    done = subprocess.run(["make", "pdf"], cwd=PROJECT, env=path, capture_output=True, text=True)
    assert done.returncode != 0
    assert "sudo apt-get install --no-install-recommends texlive-xetex" in done.stderr
