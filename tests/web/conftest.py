"""The page "Laboratorio" and the live figures of chapters in a browser, for the modules that test them."""

from collections.abc import Iterator

import pytest
from lab_page import PAGE, blank, drawn, opened, part, wait
from selenium import webdriver
from test_browser import CSS, LOOKS, chrome, look, settled


@pytest.fixture(scope="module")
def browser(needs, book, downloads) -> Iterator[webdriver.Chrome]:
    with chrome(needs, downloads) as driver:
        yield driver


@pytest.fixture
def page(browser, book) -> webdriver.Chrome:
    """The page, just opened from disk."""
    look(browser, *LOOKS[0])
    browser.get_log("browser")
    opened(browser, (book / PAGE).as_uri())
    # Until then what is above a part may grow and move it.
    wait(browser, lambda _: blank(browser) == [])
    yield browser
    assert [line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


@pytest.fixture
def figure(browser, book):
    """Opens a chapter at a part, which the address may say more of, and returns the part."""

    def come(chapter: str, name: str, said: str = ""):
        browser.get("about:blank")
        browser.get((book / "notebooks" / f"{chapter}.html").as_uri() + said)
        settled(browser)
        place = part(browser, name)
        wait(browser, lambda _: place.find_elements(CSS, ".live-question"))
        drawn(browser)
        return place

    look(browser, *LOOKS[0])
    browser.get_log("browser")
    yield come
    assert [line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
