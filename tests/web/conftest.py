"""The page "Laboratorio" in a browser, for the modules that test it."""

from collections.abc import Iterator

import pytest
from lab_page import PAGE, blank, opened, wait
from selenium import webdriver
from test_browser import LOOKS, chrome, look


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
