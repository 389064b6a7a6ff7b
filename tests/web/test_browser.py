"""The book as its readers get it: in Debian's Chromium, wide and narrow, light and dark."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread

import numpy as np
import papermill
import pytest
from bs4 import BeautifulSoup
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import visibility_of_element_located
from selenium.webdriver.support.ui import WebDriverWait
from selenium_axe_python import Axe

from moda.data import PROJECT

pytestmark = pytest.mark.slow
CSS = By.CSS_SELECTOR
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# When all scripts that come after the text are there, they are told what the browser has said before.
COMPLETE = "addEventListener('load', ({isTrusted}) => (window.complete ||= !isTrusted))"
# And what scrolls can be reached from the keyboard.
READY = """
    const scrolls = ":is(pre, .pst-scrollable-table-container)";
    return window.complete && !document.querySelector(`${scrolls}:not([tabindex])`);
"""
# Each width and each theme once.
LOOKS = [(1280, "light"), (375, "dark")]

# What the theme, the extensions and their scripts say where nobody has translated it.
ENGLISH = re.compile(
    r"\b(and|the|of|with|this|by|to|search\w*|show|hide|click|toggle|previous|next|contents?|skip|back|top|"
    r"downloads?|fullscreen|light|dark|color|system|settings|cop(y|ied)|fig|figure|table|listing|section|"
    r"equation|code|cell|output|permalink|link|note|warning|tip|important|print|source|version|page|heading|"
    r"references|bibliography|index|home|main|navigation|sidebar|close|edit|built|created|updated|"
    r"repository|issue|launch|matches|footnotes?)\b",
    re.IGNORECASE,
)
IMAGE = re.compile(r"\bim[aá]gen(es)?\b", re.IGNORECASE)
SPOKEN = ["title", "aria-label", "alt", "placeholder", "value", "data-tooltip", "data-bs-title"]
SPOKEN += ["data-bs-original-title", "data-toggle-hint"]


@pytest.fixture(scope="module")
def site(book) -> Iterator[str]:
    """The address of the book, served."""
    with served(book) as address:
        yield address


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder on a host of this machine."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(needs, site, downloads) -> Iterator[webdriver.Chrome]:
    with chrome(needs, downloads) as driver:
        # Every page is weighed as the first that is opened.
        driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
        grant = {"origin": site, "permissions": ["clipboardReadWrite"]}
        driver.execute_cdp_cmd("Browser.grantPermissions", grant)
        look(driver, *LOOKS[0])
        yield driver


def chrome(needs, downloads: Path) -> webdriver.Chrome:
    """A browser without a window, to be closed, that keeps what it downloads in that folder."""
    needs("chromium")
    needs("chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": COMPLETE})
    driver.execute_cdp_cmd("Network.enable", {})
    driver.set_script_timeout(120)  # for a machine that does much else
    return driver


def look(browser, width: int, theme: str) -> None:
    """The page as on a screen of that width, of a reader who prefers that theme."""
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    wishes = {"prefers-color-scheme": theme, "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in wishes.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def settled(browser) -> None:
    """Waits until the scripts are there, the formulas set and the fonts loaded."""
    WebDriverWait(browser, 60, 0.05).until(lambda _: browser.execute_script(READY))
    browser.execute_async_script(
        "Promise.all([window.MathJax?.startup.promise, document.fonts.ready]).then(arguments[0])"
    )


@dataclass
class Visit:
    """What happened while a page was open."""

    rendered: BeautifulSoup
    sent: dict[str, int]  # bytes from each address
    errors: list[str]  # of the console
    too_wide: list[str]  # what sticks out of the page
    barriers: list[str]  # what axe-core finds


@pytest.fixture(scope="module")
def visits(book, site, browser) -> dict[tuple, Visit]:
    """All pages in all looks."""
    pages = [file.relative_to(book).with_suffix("").as_posix() for file in sorted(book.rglob("*.html"))]
    pages = [page for page in pages if page != "index" and not page.startswith("_static/")]
    return {(page, *on): visit(browser, f"{site}/{page}.html", *on) for page in pages for on in LOOKS}


def visit(browser, address: str, width: int, theme: str) -> Visit:
    for log in ("browser", "performance"):
        browser.get_log(log)  # what came before
    look(browser, width, theme)
    browser.get(address)
    settled(browser)
    assert browser.find_elements(CSS, f"html[data-theme={theme}]")
    return Visit(
        rendered=BeautifulSoup(browser.page_source, "html.parser"),
        sent=sent(browser),
        errors=[line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"],
        too_wide=browser.execute_script(TOO_WIDE),
        barriers=barriers(browser),
    )


# A scroller of its own may hold what is wider than the page.
TOO_WIDE = """
    const scrolls = (element) =>
        element && (getComputedStyle(element).overflowX != "visible" || scrolls(element.parentElement));
    const width = document.documentElement.clientWidth;
    return [...document.querySelectorAll("main *")]
        .filter((element) => !element.closest(".bd-sidebar-secondary"))  // off the page until it is called
        .filter((element) => element.getBoundingClientRect().right > width + 1)
        .filter((element) => !scrolls(element.parentElement))
        .map((element) => element.outerHTML.slice(0, 200))
        .concat(document.documentElement.scrollWidth > width ? ["the page"] : []);
"""


def barriers(browser, within: str = "html") -> list[str]:
    """What axe-core finds, however slight, by the rules of WCAG 2.2 AA and by its own of good practice."""
    Axe(browser).inject()
    found = browser.execute_async_script(AXE, within, RULES)
    return [f"{one['help']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# A page opened as a file may not read its style sheets anew.
AXE = """
    const [within, runOnly, done] = arguments;
    const preload = location.protocol != "file:";
    axe.run(within, {runOnly, preload}).then(({violations}) => done(violations));
"""


def sent(browser) -> dict[str, int]:
    """Every address that was asked for since the last look at this log, with the bytes that came."""
    addresses, sizes = {}, {}
    for entry in browser.get_log("performance"):
        event = json.loads(entry["message"])["message"]
        of = event["params"]
        if event["method"] == "Network.requestWillBeSent":
            addresses[of["requestId"]] = of["request"]["url"]
        elif event["method"] == "Network.loadingFinished":
            sizes[of["requestId"]] = of["encodedDataLength"]
    return {address: sizes.get(request, 0) for request, address in addresses.items()}


def test_a_page_asks_for_nothing_but_its_own_host(visits, site):
    for where, visit in visits.items():
        assert [address for address in visit.sent if not address.startswith((site, "data:"))] == [], where


@pytest.mark.parametrize("trouble", ["errors", "too_wide", "barriers"])
def test_no_page_has_trouble(visits, trouble):
    found = {where: getattr(visit, trouble) for where, visit in visits.items()}
    assert {where: troubles for where, troubles in found.items() if troubles} == {}


def test_a_page_with_its_figures_is_light(visits):
    """Without what typesets formulas, and the networks of the laboratory, which test_laboratory.py weighs."""
    for where, visit in visits.items():
        sizes = (
            size for address, size in visit.sent.items() if not re.search("/(mathjax|live/data)/", address)
        )
        assert sum(sizes) < 1.5e6, where


def test_on_a_dark_page_plots_are_dark_and_images_as_they_are(browser, site):
    look(browser, 1280, "dark")
    browser.get(f"{site}/notebooks/03-curvas-promediadas.html")
    plot, images = browser.execute_script(
        "return ['curvas', 'entrenado'].map("
        "(name) => getComputedStyle(document.querySelector(`#fig-${name} img`)).filter)"
    )
    look(browser, *LOOKS[0])
    assert plot.startswith("invert") and images == "none"


def test_formulas_are_typeset(visits):
    method = visits["metodo", 1280, "light"].rendered
    assert len(method.select("mjx-container")) == len(method.select(".math")) > 10
    assert not method.select("mjx-merror")


def test_the_interface_is_in_spanish(visits):
    for where, visit in visits.items():
        assert visit.rendered.html["lang"] == "es"
        assert english(visit.rendered) == [], where


def english(page: BeautifulSoup) -> list[str]:
    """What the page says in English, outside code, names in italics, the titles of works and excerpts.

    Nor is it meant where the page says that it is English.
    """
    quoted = "pre, code, em, .citation, .bibtex-citation"
    page = copy(page)
    for element in page.select(f"script, style, article :is({quoted}), p.context, [lang=en]"):
        element.extract()
    said = list(page.stripped_strings)
    said += [element[name] for name in SPOKEN for element in page.select(f"[{name}]")]
    return [words for words in said if ENGLISH.search(words)]


def test_the_buttons_of_the_cover_are_on_the_first_screen_of_a_phone(site, browser):
    look(browser, 375, "light")
    browser.get(f"{site}/index.html")
    places = [button.rect for button in browser.find_elements(CSS, ".cover-buttons a")]
    assert len(places) == 3
    assert len({(place["y"], place["height"]) for place in places}) == 1, "in one row, in one line each"
    assert places[0]["y"] + places[0]["height"] < 900


def test_the_search_finds_singular_and_plural_with_accents_or_without(visits, site, browser):
    saying = {
        page
        for (page, *_), visit in visits.items()
        if page != "search" and IMAGE.search(visit.rendered.article.get_text())
    }
    assert len(saying) > 5
    for typed in ("imagen", "imágenes", "imagenes", "Imagen"):
        assert saying <= search(browser, site, typed), typed
        excerpts = [excerpt.text for excerpt in browser.find_elements(CSS, "p.context")]
        assert [excerpt for excerpt in excerpts if not IMAGE.search(excerpt)] == [], typed
        assert english(BeautifulSoup(browser.page_source, "html.parser")) == []


@pytest.mark.parametrize("one, several", [("clase", "clases"), ("neurona", "neuronas")])
def test_the_search_gives_the_same_for_one_and_for_several(site, browser, one, several):
    assert search(browser, site, one) == search(browser, site, several) != set()


def test_a_search_without_results_says_so_in_spanish(site, browser):
    assert search(browser, site, "xyzzy") == set()
    assert "Ninguna página" in browser.find_element(By.ID, "search-results").text
    assert english(BeautifulSoup(browser.page_source, "html.parser")) == []


def search(browser, site: str, words: str) -> set[str]:
    """The pages that the search page names for what is typed there."""
    look(browser, *LOOKS[0])
    browser.get(f"{site}/search.html")
    settled(browser)
    browser.find_element(CSS, "main input[type=search]").send_keys(f"{words}\n")
    WebDriverWait(browser, 10).until(
        lambda browser: any(line.text for line in browser.find_elements(CSS, ".search-summary"))
    )
    links = browser.find_elements(CSS, "ul.search li > a")
    WebDriverWait(browser, 10).until(lambda _: len(browser.find_elements(CSS, "p.context")) == len(links))
    return {link.get_attribute("href").removeprefix(f"{site}/").split(".html")[0] for link in links}


@pytest.mark.parametrize(
    "word, page",
    [("clasificación", "notebooks/04-clasificador"), ("codificación", "notebooks/02-autoencoder")],
)
def test_the_search_finds_a_chapter_by_what_is_done_in_it(site, browser, word, page):
    assert page in search(browser, site, word)
    excerpts = [excerpt.text for excerpt in browser.find_elements(CSS, "p.context")]
    assert not [excerpt for excerpt in excerpts if "\\(" in excerpt]


def test_a_link_shows_what_it_leads_to(site, browser):
    """From the keyboard too; Escape takes it away."""
    browser.get(f"{site}/notebooks/08-pixeles-que-faltan.html")
    settled(browser)
    for kind, shown in {"fig": "img", "tabla": "td", "equation": "mjx-container", "term": "dd"}.items():
        link = browser.find_element(CSS, f"article p a.reference[href*='#{kind}-']")
        browser.execute_script("arguments[0].focus()", link)
        WebDriverWait(browser, 10).until(visibility_of_element_located((CSS, f".tippy-box {shown}")), kind)
        link.send_keys(Keys.ESCAPE)
        WebDriverWait(browser, 10).until(lambda browser: not browser.find_elements(CSS, ".tippy-box"), kind)


def test_the_button_copies_the_code(site, browser):
    look(browser, *LOOKS[0])
    browser.get(f"{site}/como-reproducir.html")
    settled(browser)
    block = browser.find_element(CSS, "article div.highlight")
    webdriver.ActionChains(browser).move_to_element(block).perform()
    block.find_element(CSS, "button.copybtn").click()
    copied = browser.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied.strip() == block.find_element(By.TAG_NAME, "pre").text.strip()
    assert copied.startswith("make book")


def test_folded_code_opens_and_closes(site, browser):
    look(browser, *LOOKS[0])
    browser.get(f"{site}/notebooks/02-autoencoder.html")
    fold = browser.find_element(CSS, "article .cell:not(.tag_parameters) details")
    prompt, code = fold.find_element(By.TAG_NAME, "summary"), fold.find_element(By.TAG_NAME, "pre")
    for name, shown in [("Mostrar", False), ("Ocultar", True), ("Mostrar", False)]:
        assert prompt.text == f"{name} el código"
        WebDriverWait(browser, 5).until(lambda _, shown=shown: code.is_displayed() == shown)
        prompt.click()


def test_a_page_gives_its_notebook_and_it_runs(site, browser, downloads, tmp_path):
    look(browser, *LOOKS[0])
    browser.get(f"{site}/notebooks/05-matriz-de-confusion.html")
    settled(browser)
    browser.find_element(CSS, ".dropdown-download-buttons > button").click()
    browser.find_element(CSS, ".btn-download-source-button").click()
    notebook = downloads / "05-matriz-de-confusion.ipynb"
    WebDriverWait(browser, 10).until(lambda _: notebook.exists())
    assert notebook.read_bytes() == (PROJECT / "notebooks" / notebook.name).read_bytes()
    papermill.execute_notebook(notebook, tmp_path / "out.ipynb", cwd=tmp_path, progress_bar=False)


def test_a_plot_on_a_dark_page_is_light_on_dark(site, browser):
    look(browser, 1280, "dark")
    browser.get(f"{site}/notebooks/04-clasificador.html")
    settled(browser)
    figure = browser.find_element(CSS, "#fig-clasificador img")
    browser.execute_async_script(
        "arguments[0].loading = 'eager'; arguments[0].decode().then(arguments[1])", figure
    )
    pixels = np.asarray(Image.open(BytesIO(figure.screenshot_as_png)).convert("L")) / 255
    look(browser, *LOOKS[0])
    ground, ink = np.quantile(pixels, [0.5, 0.999])
    assert ground < 0.25 and ink > 0.75
