"""What the tests of live figures do on a chapter."""

import torch
from lab_page import drawn
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select
from test_browser import CSS

from moda.data import CLASSES

DATA, AUTOENCODER, CLASSIFIER = "01-conjunto-de-datos", "02-autoencoder", "04-clasificador"


def choose(browser, place, label: str, text: str) -> None:
    Select(
        place.find_element(By.XPATH, f".//label[starts-with(., '{label}')]/select")
    ).select_by_visible_text(text)
    drawn(browser)


def numbers(place, title: str) -> list[float]:
    """Those of a table, shown or to be edited."""
    (table,) = (
        one
        for one in place.find_elements(CSS, ".live-numbers")
        if one.find_element(By.TAG_NAME, "caption").text == title
    )
    cells = table.find_elements(By.TAG_NAME, "input") or table.find_elements(By.TAG_NAME, "td")
    return [float((cell.get_attribute("value") or cell.text).replace("−", "-")) for cell in cells]


def said(place) -> str:
    return place.find_element(CSS, ".live-note").text.replace("−", "-")


def first_of(fashion_mnist, name: str) -> torch.Tensor:
    """The first test image of a class, as bytes."""
    test = fashion_mnist.test
    return test.images[test.labels.tolist().index(CLASSES.index(name))]


def pointer(browser, picture, row: float, column: float, count: int = 28) -> webdriver.ActionChains:
    """The mouse over a pixel of a picture."""
    side = picture.rect["width"] / count
    down, across = (int((at + 0.5 - count / 2) * side) for at in (row, column))
    return webdriver.ActionChains(browser, duration=0).move_to_element_with_offset(picture, across, down)
