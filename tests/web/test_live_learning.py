"""The parts of chapters 2 and 6 in which a network learns, driven as a reader does."""

import gzip
import re
from collections.abc import Iterator
from time import sleep

import numpy as np
import pytest
import torch
from lab_page import press, shown, wait
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from test_browser import CSS, LOOKS, TOO_WIDE, barriers, look
from test_live_training import PAGES, codes_of, curve, opened
from torch import nn

from moda import evaluation
from moda.networks import Autoencoder

pytestmark = pytest.mark.slow


@pytest.fixture(params=LOOKS)
def looks(request, browser) -> Iterator[tuple]:
    look(browser, *request.param)
    yield request.param
    look(browser, *LOOKS[0])


def told(place) -> str:
    return place.find_element(CSS, ".live-note").text


def steps_taken(place) -> int:
    return int(re.search(r"\d+", told(place)).group())


def test_a_boot_comes_out_of_the_grey(browser, book, fashion_mnist):
    """Without dropout it is the very curve of PyTorch, and its picture."""
    place = opened(browser, book, "entrenar", "#parte=entrenar&lote=100&semilla=3&dropout=0&prendas=9,5")
    torch.manual_seed(3)
    network = Autoencoder(dropout=0.0)
    boot = fashion_mnist.test[:1]
    wait(browser, lambda _: shown(browser, output(place)).any())
    assert np.abs(shown(browser, output(place)) - grey(network, boot)).max() <= 1
    press(browser, place, "Un paso")
    wait(browser, lambda _: steps_taken(place) == 1)
    press(browser, place, "Seguir")
    wait(browser, lambda _: steps_taken(place) > 3)
    press(browser, place, "Pausa")
    taken = at_rest(place)
    losses = curve(network, fashion_mnist.train[:2000].pixels, None, taken)
    assert f"ECM del último: {losses[-1]:.4f}" in told(place)
    assert f"{losses[-1]:.3f}" in place.find_element(CSS, ".live-chart").get_attribute("aria-label")
    assert np.abs(shown(browser, output(place)) - grey(network, boot)).max() <= 1


def at_rest(place) -> int:
    """The batches taken when the one under way has come."""
    taken = -1
    while taken != (taken := steps_taken(place)):
        sleep(2)
    return taken


def output(place):
    return place.find_element(CSS, 'canvas[aria-label="Lo que la red devuelve"]')


def grey(network, images) -> np.ndarray:
    return 255 * evaluation.reconstruct(network.eval(), images)[0].numpy()


def test_another_garment_another_choice_and_the_curve_before(browser, book, fashion_mnist):
    place = opened(browser, book, "entrenar")
    press(browser, place, "Un paso")
    wait(browser, lambda _: steps_taken(place) == 1)
    Select(place.find_element(CSS, ".live-learner select")).select_by_visible_text("Bolso")
    wait(browser, lambda _: "prendas=8,2" in browser.current_url)
    assert steps_taken(place) == 1, "another garment does not begin anew"
    bag = fashion_mnist.test[[fashion_mnist.test.labels.tolist().index(8)]]
    garment = place.find_element(CSS, 'canvas[aria-label="La prenda"]')
    assert (shown(browser, garment) == bag.images[0].numpy()).all()
    wait(browser, lambda _: len(place.find_elements(CSS, ".live-film")[0].text.split()) == 1)
    place.find_element(CSS, "summary").click()
    for changed, value, said in [("0.03", "0.01", "tasa=0.01&"), ("500", "500", "lote=500&")]:
        curve = place.find_element(CSS, ".live-line:not(.live-other)").get_attribute("d")
        assert curve.startswith("M")
        (select,) = (Select(one) for one in place.find_elements(CSS, "details select") if changed in one.text)
        select.select_by_visible_text(value)
        wait(browser, lambda _, said=said: said in browser.current_url)
        assert steps_taken(place) == 0
        before = place.find_element(CSS, ".live-other").get_attribute("d")
        assert before == curve, "the curve before is there to compare with"
        press(browser, place, "Un paso")
        wait(browser, lambda _: steps_taken(place) == 1)


def shares(place) -> list[list[str]]:
    rows = place.find_elements(CSS, "tbody tr")
    return [[cell.text for cell in row.find_elements(CSS, "td")] for row in rows]


def trained(browser, place) -> None:
    wait(browser, lambda _: len(shares(place)) == 10)
    press(browser, place, "Entrenar")
    wait(browser, lambda _: steps_taken(place) == 400)


@torch.no_grad()
def test_ten_heads_begin_as_pytorch_draws_them(browser, book, fashion_mnist):
    codes, labels = codes_of(fashion_mnist.train)
    place = opened(browser, book, "morir")
    wait(browser, lambda _: len(shares(place)) == 10)
    for seed, row in enumerate(shares(place)):
        torch.manual_seed(seed)
        scores = nn.Linear(64, 10)(codes)
        positive, hits = (scores > 0).double().mean(0), (scores.relu().argmax(1) == labels).double().mean()
        percentages = torch.tensor([float(text.replace("<1", "0.25")) for text in row[:-1]])
        assert (percentages - 100 * positive).abs().max() <= 0.5
        assert row[-1] == f"{100 * hits:.1f} %"


def test_with_the_paper_s_output_a_class_dies_and_with_another_none(browser, book):
    place = opened(browser, book, "morir")
    trained(browser, place)
    dead = [row for row in shares(place) if "0" in row[:-1]]
    assert 1 <= len(dead) <= 7
    assert f"en {len(dead)} de las 10 redes" in told(place)
    assert len(place.find_elements(CSS, ".live-dead")) == sum(row[:-1].count("0") for row in dead)
    slider = place.find_element(CSS, "input[type=range]")
    slider.send_keys(Keys.HOME)
    assert "Después de 0 pasos, en 0 de las 10" in told(place)
    slider.send_keys(Keys.ARROW_RIGHT)
    assert "Después de 10 pasos" in told(place)
    Select(place.find_element(CSS, "select")).select_by_visible_text("sin ReLU")
    wait(browser, lambda _: "salida=1" in browser.current_url)
    trained(browser, place)
    assert "en 0 de las 10 redes" in told(place)
    assert all(float(row[-1].split()[0]) > 70 for row in shares(place))
    press(browser, place, "Sortear otras diez")
    wait(browser, lambda _: "semillas=10" in browser.current_url and len(shares(place)) == 10)
    assert place.find_element(CSS, "tbody th").text == "10"


@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_use_it(browser, book, looks, name):
    place = opened(browser, book, name)
    height = place.rect["height"]
    press(browser, place, "Un paso" if name == "entrenar" else "Entrenar")
    wait(browser, lambda _: steps_taken(place) > 0)
    assert place.rect["height"] == height == reserved(browser, place), "the text below does not move"
    for summary in place.find_elements(CSS, "summary"):
        summary.click()
    assert browser.execute_script(TOO_WIDE) == []
    assert barriers(browser, f"[data-part={name}]") == []
    for control in place.find_elements(CSS, "button, input, select"):
        assert control.accessible_name


def reserved(browser, place) -> float:
    """The height that the page keeps for a part."""
    return browser.execute_script("return parseFloat(getComputedStyle(arguments[0]).minHeight)", place)


# The longest of the times between two frames, but for a few, in two seconds.
FRAMES = """
    const [done] = arguments;
    const times = [];
    let last = performance.now();
    const frame = (now) => {
        times.push(now - last);
        last = now;
        if (times.reduce((a, b) => a + b) < 2000) requestAnimationFrame(frame);
        else done(times.sort((a, b) => a - b)[Math.floor(0.9 * times.length)]);
    };
    requestAnimationFrame(frame);
"""


def test_the_page_answers_while_it_learns_and_gets_the_images_when_it_begins(browser, book):
    place = opened(browser, book, "entrenar")
    assert "data/training.js" not in " ".join(browser.execute_script(SOURCES))
    press(browser, place, "Entrenar")
    wait(browser, lambda _: steps_taken(place) > 2)
    assert "data/training.js" in " ".join(browser.execute_script(SOURCES))
    slow = browser.execute_async_script(FRAMES)
    print(f"nine frames of ten within {slow:.0f} ms")
    assert slow < 60, "on a machine that does much else; 17 at rest"
    press(browser, place, "Pausa")


SOURCES = "return [...document.scripts].map(({src}) => src)"


def test_what_it_loads_is_light(book):
    data = book / "_static" / "live" / "data"
    sizes = {name: len(gzip.compress((data / f"{name}.js").read_bytes())) for name in ("training", "codes")}
    assert sizes["training"] < 1.2e6 and sizes["codes"] < 1.5e5
