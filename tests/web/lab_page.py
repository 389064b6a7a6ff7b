"""What the tests of the page "Laboratorio" do on it."""

from collections.abc import Iterator
from contextlib import contextmanager

import jupytext
import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait
from test_browser import CSS, settled

from moda.book import laboratory
from moda.book.notebook import declared
from moda.data import PROJECT
from moda.networks import Autoencoder, Classifier
from moda.runs import store

NETWORKS = laboratory.networks(declared(jupytext.read(PROJECT / "notebooks" / "laboratorio.md"))[1])
FIRST = NETWORKS[0]
PAGE = "notebooks/laboratorio.html"
in_browser = pytest.mark.slow


def model_of(run) -> Autoencoder | Classifier:
    return store.find(run, weights=True).model()


def opened(browser, address: str) -> None:
    browser.get("about:blank")  # or another fragment would not load the page again
    browser.get(address)
    settled(browser)
    wait(browser, lambda _: "%" in verdict(browser))
    wait(browser, lambda _: browser.find_elements(CSS, ".live-mute"))


def wait(browser, condition) -> None:
    WebDriverWait(browser, 60, 0.05).until(condition)


def take(place, garment: str):
    """The button of a garment, pressed."""
    piece = place.find_element(CSS, f'.live-garment[aria-label="{garment}"]')
    piece.click()
    return piece


def verdict(browser) -> str:
    return browser.find_element(CSS, ".live-verdict").text


def drawn(browser) -> None:
    """Waits until everything that was changed is on the screen."""
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(() => arguments[0]()))")


def part(browser, name: str):
    """A part of the page, brought into sight: until then it is not kept up to date."""
    place = browser.find_element(CSS, f'[data-part="{name}"]')
    browser.execute_script("arguments[0].scrollIntoView({block: 'start', behavior: 'instant'})", place)
    # The observer tells what is in sight between two frames.
    for _ in range(3):
        drawn(browser)
    return place


def button(place, text: str):
    (found,) = (one for one in place.find_elements(By.TAG_NAME, "button") if one.text.startswith(text))
    return found


def press(browser, place, text: str) -> None:
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button(place, text))
    button(place, text).click()
    drawn(browser)


def slide(browser, control, value: float) -> None:
    browser.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))",
        control,
        value,
    )
    drawn(browser)


def shown(browser, picture) -> np.ndarray:
    """The grey values of a canvas."""
    values = browser.execute_script(
        "const [canvas] = arguments;"
        "const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);"
        "return [canvas.width, [...data].filter((_, i) => i % 4 == 0)]",
        picture,
    )
    return np.reshape(values[1], (-1, values[0]))


def picture(place, label: str):
    return place.find_element(CSS, f'canvas[aria-label^="{label}"]')


def state(browser) -> dict:
    return browser.execute_script(
        "const {garment, code, step, patch, network} = lab.state;"
        "const list = (values) => values && [...values];"
        "return {garment, step, patch, network, code: list(code), own: list(lab.now?.own),"
        " output: list(lab.now?.output), probabilities: list(lab.now?.probabilities)}"
    )


# In pixels of the image, from its upper left corner.
BOOT = [(12, 2), (21, 2), (21, 12), (22, 25), (17, 25), (16, 22), (4, 25), (3, 21), (11, 16), (12, 2)]


def draw(browser, points: list[tuple[int, int]], kind: str = "mouse") -> None:
    board = browser.find_element(CSS, ".live-board")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", board)
    side = board.rect["width"] / 28
    pointer = PointerInput(kind, kind)
    actions = webdriver.ActionChains(browser, duration=0, devices=[pointer])
    places = [(int((x - 14) * side), int((y - 14) * side)) for x, y in points]
    actions.move_to_element_with_offset(board, *places[0]).click_and_hold()
    for place in places[1:]:
        actions.move_to_element_with_offset(board, *place)
    actions.release().perform()
    drawn(browser)


def choice_of_network(browser) -> Select:
    place = part(browser, "taller")
    (select,) = (
        one
        for one in map(Select, place.find_elements(By.TAG_NAME, "select"))
        if "Del artículo" in one.options[0].text
    )
    return select


@contextmanager
def prepared(browser, script: str) -> Iterator[None]:
    """What is opened meanwhile begins with that script."""
    done = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", done)


BLANK = """
    const empty = (canvas) => {
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.every((value) => value == 0);
    };
    return ["taller", "capas", "codigo", "camino", "tapar", "perder"].filter((name) => {
        const pictures = [...document.querySelectorAll(`[data-part=${name}] canvas`)];
        return !pictures.length || pictures.some(empty);
    });
"""


def blank(browser) -> list[str]:
    """The parts with a picture on which nothing was painted: it looks black."""
    return browser.execute_script(BLANK)
