"""The book's pages as they are built: without a warning, numbered as the paper, with its values."""

import re
import unicodedata

import nbformat
import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont

from moda import data, paper
from moda.data import PROJECT
from moda.runs.store import RECIPE

pytestmark = pytest.mark.slow
PAGES = re.findall(r"(?:root|file): (\S+)", (PROJECT / "_toc.yml").read_text(encoding="utf-8"))
OF_PAPER = [
    "notebooks/01-conjunto-de-datos",
    "notebooks/02-autoencoder",
    "notebooks/03-curvas-promediadas",
    "notebooks/04-clasificador",
    "notebooks/05-matriz-de-confusion",
    "notebooks/06-comparacion-de-n",
]


@pytest.fixture(scope="module")
def pages(book) -> dict[str, BeautifulSoup]:
    return {name: BeautifulSoup((book / f"{name}.html").read_bytes(), "html.parser") for name in PAGES}


def text(element) -> str:
    return " ".join(element.get_text(" ").split())


def test_the_contents_follow_the_order_of_the_paper(pages):
    links = [link["href"] for link in pages["portada"].select(".bd-sidebar-primary a.reference.internal")]
    names = [link.removesuffix(".html") for link in links if link != "#"]
    assert names == PAGES[1:]
    assert names[:8] == ["introduccion", *OF_PAPER, "metodo"]


def linked(element) -> list[str]:
    """The pages that an element of the cover links to."""
    return [link["href"].removesuffix(".html") for link in element.select("a:not([href*='#'])")]


def test_the_cover_leads_to_every_page(pages):
    cover = pages["portada"].article
    assert set(linked(cover)) == set(PAGES[1:])
    assert linked(cover.select_one(".cover-buttons")) == [
        "introduccion",
        "notebooks/articulo-y-reproduccion",
        "notebooks/laboratorio",
    ]
    listed = [int(chapters.get("start", 1)) for chapters in cover.select(".sd-card ol")]
    assert listed == [1, len(OF_PAPER) + 1]


def test_the_cover_says_the_finding_with_the_numbers_of_the_chapters(pages):
    said = text(pages["portada"].article)
    row = next(row for row in pages["notebooks/06-comparacion-de-n"].select("table tr") if row.td)
    _, _, complete, _, accuracy, *_ = (text(cell) for cell in row.select("td"))
    whole, every = map(int, complete.split(" de "))
    mean, deviation = accuracy.rstrip(")").split(" (")
    assert f"aciertan en promedio el {mean} % de las imágenes" in said
    assert f"desvío estándar entre semillas, {deviation}" in said
    assert f"al {100 * paper.ACCURACY[64]:.2f} % del artículo" in said
    assert f"pero {every - whole} de {every} pierden clases enteras" in said


def test_the_path_of_20_minutes_leaves_time_for_the_laboratory(pages):
    card = pages["portada"].select(".sd-card")[0]
    *reading, last = linked(card)
    assert "20 minutos" in text(card) and last == "notebooks/laboratorio"
    assert sum(len(text(pages[page].article).split()) for page in reading) / 200 < 13


def test_the_sheet_gives_the_verdicts_of_the_page_that_judges(pages):
    sheet = [text(row.select("td")[1]) for row in pages["ficha"].select("#tabla-ficha tbody tr")]
    judged = pages["notebooks/articulo-y-reproduccion"].select("#tabla-veredictos tbody tr")
    verdicts = [text(row.select("td")[2]) for row in judged]
    assert re.findall("dentro|fuera", " ".join(sheet[:3])) == verdicts


def test_what_is_in_english_says_so(pages):
    (summary,) = pages["summary"].article.select("div[lang=en]")
    assert len(summary.select("p")) == len(pages["summary"].article.select("section p"))
    assert pages["portada"].select_one("article [lang=en] a")["href"] == "summary.html"


def test_no_pdf_is_offered_where_none_was_built(pages):
    assert not [name for name, page in pages.items() if page.select("a.btn-download-book-button")]


def test_figures_1_to_7_are_the_papers_and_the_others_follow(pages):
    numbers = {}
    for name, page in pages.items():
        for figure in page.select("figure[id]"):
            numbers[text(figure.select_one(".caption-number"))] = (name.split("/")[-1], figure["id"])
    assert list(numbers) == [f"Figura {number}" for number in range(1, len(numbers) + 1)]
    beyond = {page for page, _ in list(numbers.values())[7:]}
    assert beyond <= {
        name.split("/")[1] for name in PAGES if re.match(r"notebooks/(0[7-9]|1\d|laboratorio|articulo)", name)
    }
    assert dict(list(numbers.items())[:7]) == {
        "Figura 1": ("01-conjunto-de-datos", "fig-muestras"),
        "Figura 2": ("02-autoencoder", "fig-arquitectura"),
        "Figura 3": ("02-autoencoder", "fig-sin-entrenar"),
        "Figura 4": ("03-curvas-promediadas", "fig-curvas"),
        "Figura 5": ("03-curvas-promediadas", "fig-entrenado"),
        "Figura 6": ("04-clasificador", "fig-clasificador"),
        "Figura 7": ("05-matriz-de-confusion", "fig-confusion"),
    }


def test_a_figure_leads_to_its_code_and_to_its_runs(pages):
    for name in PAGES:
        for figure in pages[name].select(".cell figure"):
            code, *runs = (link["href"] for link in figure.select(".legend a"))
            assert pages[name].select_one(code) == figure.find_parent(class_="cell"), figure["id"]
            assert runs == ["#procedencia"], figure["id"]
            assert all(pages[name].select(target) for target in runs)


def test_every_image_says_what_it_shows(pages):
    images = [image for page in pages.values() for image in page.select("article img")]
    assert all(len(image["alt"]) > 80 for image in images)


def test_equations_1_to_3_are_the_papers(pages):
    where = {"notebooks/01-conjunto-de-datos": ["(1)"], "metodo": ["(2)", "(3)"]}
    for name, numbers in where.items():
        assert [text(number)[:3] for number in pages[name].select(".eqno")] == numbers, name


def test_one_page_judges_every_value_that_the_paper_reports(pages):
    page = pages["notebooks/articulo-y-reproduccion"]
    values, cells = (
        [[text(cell) for cell in row.select("td")] for row in table.select("tbody tr")]
        for table in page.select("table")[:2]
    )
    assert [row[1] for row in values] == [
        f"{paper.ECM:.4f}",
        f"{paper.CROSS_ENTROPY:.4f}",
        *(f"{100 * accuracy:.2f}" for accuracy in paper.ACCURACY.values()),
    ]
    reported = {(row[0], row[1]): float(row[2]) for row in cells}
    for index, value in paper.CONFUSION.stack().items():
        assert reported.get(index, 0) == pytest.approx(value), "an empty cell is not in the list"
    for _, published, verdict, ours, margin, difference, *_ in values:
        assert judged(published, ours.split("(")[0], difference, margin) == verdict
    for _, _, published, ours, difference, margin, verdict in cells:
        assert judged(published, ours, difference, margin) == verdict


def judged(*said: str) -> str:
    """The verdict on the paper's value: ours, the difference and the margin, as they are written."""
    values = (float(number.replace("\N{MINUS SIGN}", "-").strip("± ")) for number in said)
    published, ours, difference, margin = values
    last_digit = 10 ** -len(said[0].split(".")[1])
    assert ours - published == pytest.approx(difference, abs=1.5 * last_digit)
    return "dentro" if abs(difference) <= margin else "fuera"


def test_tables_are_numbered_through_the_book(pages):
    captions = [text(number) for page in pages.values() for number in page.select("table .caption-number")]
    assert captions == [f"Tabla {number}" for number in range(1, len(captions) + 1)]
    assert len(captions) >= 8


def test_every_notebook_ends_with_its_provenance(pages):
    for name, page in pages.items():
        if name.startswith("notebooks/"):
            section = page.select("article section")[-1]
            assert text(section.h2).startswith("Procedencia"), name
            assert f"Receta: {RECIPE} · Datos: Fashion-MNIST, SHA-256 {data.CHECKSUM[:16]}…" in text(section)
            trains = "obtain" in (PROJECT / f"{name}.md").read_text(encoding="utf-8")
            assert trains == ("Duración (s)" in text(section)), name


def test_every_notebook_page_shows_its_committed_outputs(pages):
    for name, page in pages.items():
        if name.startswith("notebooks/"):
            cells = nbformat.read(PROJECT / f"{name}.ipynb", as_version=4).cells
            images = sum("image/png" in out.get("data", {}) for c in cells for out in c.get("outputs", []))
            assert len(page.select("article img")) == images, name


def test_a_chapter_s_parameters_are_folded_under_their_values(pages):
    for name in OF_PAPER:
        cell = pages[name].select_one(".tag_parameters")
        shown = {text(span) for span in cell.select("summary span")}
        assert len(shown) == 1 and cell.details.pre, name
        assert re.match(r"Parámetros: .*\btrain_size = 50000", *shown), name
        assert not re.search("device|dask|#", *shown), name


def test_a_chapter_tells_its_number_and_how_long_it_takes(pages):
    for number, name in enumerate(OF_PAPER, 1):
        page = pages[name]
        assert page.title.text.startswith(f"{number}. "), name
        assert page.select_one(".onlyprint h1").text == page.title.text.split(" — ")[0]
        minutes = re.search(r"Lectura: (\d+) minutos, sin los ejercicios", text(page.article))
        words = sum(len(text(part).split()) for part in page.select("article p"))
        assert 0.4 * words / 200 < int(minutes[1]) < 2 * words / 200, name


def test_terms_are_in_order_and_have_an_english_name_and_a_definition(pages):
    terms = pages["terminos"].select("article dl dt")
    plain = [unicodedata.normalize("NFD", text(term)).encode("ascii", "ignore").lower() for term in terms]
    assert plain == sorted(plain)
    assert len(plain) >= 40
    for term in terms:
        definition = term.find_next_sibling("dd")
        assert definition.select_one("p > em:first-child"), text(term)
        assert text(definition).endswith("."), text(term)


def test_numbers_have_a_minus_sign_and_keep_their_unit(pages):
    for name, page in pages.items():
        for code in page.select("article code, article pre, article script, article .math"):
            code.decompose()
        # One number and its unit may be two elements.
        for block in page.select("article p, article li, article td, article figcaption"):
            assert not re.search(r"\d %|\d ± |(?:^|\s)-\d", block.get_text()), (name, block.get_text())


def test_the_text_waits_for_no_script(pages):
    for name, page in pages.items():
        assert not page.select("script[src]:not([type='text/later'])"), name
        assert not page.select("article span.math:not([style*='--ancho'])"), "formulas have their place"
    cover = " ".join(script["src"] for script in pages["portada"].select("script[src]"))
    assert not re.search("mathjax|tippy|searchindex", cover), "it has no use for them"


def test_a_page_has_one_style_sheet_and_an_icon_is_in_its_font(pages, book):
    for name, page in pages.items():
        sheets = [link["href"].split("_static/")[1] for link in page.select("link[rel=stylesheet]")]
        assert sheets[0].startswith("libro.css?v="), name
        assert len(sheets) == 1 + bool(page.select(".live")), name
    style = (book / "_static" / "libro.css").read_text(encoding="utf-8")
    drawn: set[int] = set()
    for file in (book / "_static" / "iconos").glob("*.ttf"):
        with TTFont(file) as font:
            drawn |= font.getBestCmap().keys()
    named = {ord(icon) for icon in re.findall("[\ue000-\uf8ff]", style)}
    classes = {one for page in pages.values() for icon in page.select("i.fa-solid") for one in icon["class"]}
    for icon in (one for one in classes - {"fa-solid", "fa-lg"} if one.startswith("fa-")):
        named.add(int(re.search(rf'\.{icon}:before{{content:"\\(\w+)"', style)[1], 16))
    assert len(named) > 15 and named <= drawn


def test_figures_come_when_they_are_looked_at_and_keep_their_place(pages, book):
    figures = [image for name in OF_PAPER for image in pages[name].select(".cell_output img")]
    assert len(figures) > 10
    for image in figures:
        assert image["loading"] == "lazy" and "aspect-ratio" in image["style"], image["alt"]
        assert (book / "notebooks" / image["src"]).is_file()
    assert sum(image["src"].endswith(".webp") for image in figures) > len(figures) / 2


def test_a_summary_holds_no_paragraph(pages):
    """The one kind of error that the Nu validator had found."""
    assert not [name for name, page in pages.items() if page.select("summary p")]


def test_the_whole_book_is_small(book):
    assert sum(file.stat().st_size for file in book.rglob("*") if file.is_file()) < 40e6
