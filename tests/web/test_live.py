"""A live part is one file and one directive, on any page: in Chromium, on chapter 8 of a copy of the book."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from lab_page import shown, wait
from selenium.webdriver.common.by import By
from test_browser import CSS, LOOKS, look, served, settled

pytestmark = pytest.mark.slow
CHAPTER = "notebooks/08-pixeles-que-faltan"
PART = """
// needs: pictures.js
// A dark picture that a click makes light.
live.part("prueba", (element) => {
  const picture = Pictures.canvas("Una prueba", 2, 1);
  const paint = (value) => Pictures.paint(picture, [value, value]);
  picture.addEventListener("click", () => paint(1));
  paint(0);
  element.append(picture);
});
"""
PLACE = """
```{live} prueba

:::{figure} /_assets/figura-4.png
:name: fig-prueba
:width: 400px
:height: 200px

Una figura que cobra vida.
:::
```
"""
# Of the cell before it.
EMPTY = """
```{live} prueba
:height: 60 50
```
"""
IN_FIGURE, IN_CELL = ".live:has(#fig-prueba)", ".cell_output .live"


def add_part(project: Path) -> None:
    (project / "book" / "_assets" / "live" / "parts" / "prueba.js").write_text(PART)
    chapter = project / f"{CHAPTER}.ipynb"
    notebook = nbformat.read(chapter, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("## Procedencia", f"{PLACE}\n## Procedencia")
    shows = ["image/png" in str(cell.get("outputs")) for cell in notebook.cells]
    notebook.cells.insert(shows.index(True) + 1, nbformat.v4.new_markdown_cell(EMPTY))
    nbformat.write(notebook, chapter)


@pytest.fixture(scope="module")
def site(needs, build_book, tmp_path_factory) -> Path:
    needs("chromium")
    return build_book(tmp_path_factory.mktemp("live"), change=add_part)


@pytest.fixture(params=["file", "host"])
def address(request, site) -> Iterator[str]:
    """The chapter's, as a file and in a subfolder of a host."""
    if request.param == "file":
        yield (site / f"{CHAPTER}.html").as_uri()
    else:
        with served(site.parent) as host:
            yield f"{host}/{site.name}/{CHAPTER}.html"


def opened(browser, address: str) -> None:
    look(browser, *LOOKS[0])
    browser.get_log("browser")
    browser.get(address)
    settled(browser)


# Of those that wait until the text has been shown there is a copy that runs.
SCRIPTS = """
    const running = [...document.scripts].filter(({type}) => type != "text/later");
    return running.map(({src}) => src.split("/live/")[1]?.split("?")[0]).filter(Boolean);
"""


def scripts(browser) -> list[str]:
    return browser.execute_script(SCRIPTS)


def scroll_to_part(browser, place=IN_FIGURE) -> None:
    browser.execute_script(
        f"document.querySelector('{place}').scrollIntoView({{block: 'center', behavior: 'instant'}})"
    )


# What is at rest below the part, and how large the picture in its place is.
LAYOUT = """
    const below = document.querySelector("#procedencia").getBoundingClientRect().top + scrollY;
    const place = document.querySelector(".live:has(#fig-prueba) :is(.live-part, img)");
    const {width, height} = place.getBoundingClientRect();
    return [below, width, height].map(Math.round);
"""


def test_a_part_takes_the_place_of_its_picture_when_it_comes_near(browser, address):
    opened(browser, address)
    assert scripts(browser) == ["live.js"]
    before = browser.execute_script(LAYOUT)
    assert before[1:] == [400, 200]
    scroll_to_part(browser)
    wait(browser, lambda _: browser.find_elements(CSS, f"{IN_FIGURE} canvas"))
    assert scripts(browser) == ["live.js", "elements.js", "pictures.js", "parts/prueba.js"]
    assert browser.execute_script(LAYOUT) == before
    assert not browser.find_elements(CSS, f"{IN_FIGURE} img")
    assert "Una figura que cobra vida." in browser.find_element(CSS, "figure#fig-prueba figcaption").text
    picture = browser.find_element(CSS, f"{IN_FIGURE} canvas")
    assert not shown(browser, picture).any()
    picture.click()
    assert (shown(browser, picture) == 255).all()
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


@pytest.mark.parametrize("width, rem", [(1280, 60), (375, 50)])
def test_an_empty_part_takes_the_place_of_the_picture_before_it(browser, site, width, rem):
    """And has as much of it as it says, before it comes as after."""
    look(browser, width, "light")
    browser.get("about:blank")
    browser.get((site / f"{CHAPTER}.html").as_uri())
    settled(browser)
    place = browser.find_element(CSS, IN_CELL)
    caption = place.find_element(By.TAG_NAME, "figcaption").text
    assert len(place.find_elements(By.TAG_NAME, "img")) == 1
    assert place.rect["height"] == rem * 16
    scroll_to_part(browser, IN_CELL)
    wait(browser, lambda _: place.find_elements(By.TAG_NAME, "canvas"))
    assert place.rect["height"] == rem * 16
    assert place.find_elements(By.TAG_NAME, "img") == []
    assert place.find_element(By.TAG_NAME, "figcaption").text == caption


def test_on_the_page_of_a_rerun_its_own_picture_stays(site):
    project = site.parents[2]
    shutil.copy(project / f"{CHAPTER}.ipynb", project / "book" / "out.ipynb")
    command = Path(sys.executable).with_name("jupyter-book")
    subprocess.run([command, "build", "book/out.ipynb"], cwd=project, check=True, capture_output=True)
    (page,) = project.glob("book/_build/**/out.html")
    soup = BeautifulSoup(page.read_bytes(), "html.parser")
    assert soup.select(".cell_output img") and not soup.select(IN_CELL)


def test_the_picture_stays_if_the_part_fails(browser, site):
    script = site / "_static" / "live" / "parts" / "prueba.js"
    whole = script.read_text()
    try:
        script.write_text(whole.replace("paint(0)", "paint(missing)"))
        opened(browser, (site / f"{CHAPTER}.html").as_uri())
        scroll_to_part(browser)
        wait(browser, lambda _: "missing is not defined" in str(browser.get_log("browser")))
        assert browser.find_element(CSS, "figure#fig-prueba img").is_displayed()
    finally:
        script.write_text(whole)


def test_without_javascript_there_is_the_picture(site):
    page = BeautifulSoup((site / f"{CHAPTER}.html").read_bytes(), "html.parser")
    assert page.select(".live figure#fig-prueba img[loading=lazy]")


def test_only_pages_with_parts_have_their_scripts(site):
    pages = {page.stem: page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    with_scripts, with_parts = (
        {name for name, page in pages.items() if sign in page} for sign in ("live.js", "data-part=")
    )
    assert {Path(CHAPTER).name, "laboratorio"} < with_scripts == with_parts < set(pages)
