"""The live figures of chapters 3, 5, 9, 12 and 14, driven in Chromium and compared with PyTorch."""

import re

import jupytext
import numpy as np
import pandas as pd
import pytest
import torch
from lab_page import FIRST, drawn, model_of, opened, part, press, shown, slide, verdict, wait
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from test_browser import CSS, LOOKS, barriers, look, settled

from moda import evaluation
from moda.book.notebook import declared
from moda.data import CLASSES, PROJECT
from moda.runs import store

pytestmark = pytest.mark.slow
CURVES, MATRIX, SIZES, MAP, BRIGHTNESS = (
    "03-curvas-promediadas",
    "05-matriz-de-confusion",
    "09-importa-n",
    "12-espacio-latente",
    "14-que-mide-el-ecm",
)


def runs_of(chapter: str) -> tuple[list, list]:
    return declared(jupytext.read(PROJECT / "notebooks" / f"{chapter}.md"))


def notes(place) -> str:
    return " ".join(note.text for note in place.find_elements(CSS, ".live-note"))


def canvases(place) -> list:
    return place.find_elements(By.TAG_NAME, "canvas")


def cell(place, true: str, said: str):
    return place.find_element(CSS, f'.live-matrix button[aria-label^="{true} → {said}"]')


@pytest.fixture(scope="module")
def scores(fashion_mnist) -> torch.Tensor:
    return evaluation.score(model_of(FIRST.classifier), fashion_mnist.test)


def test_the_matrix_opens_at_its_most_frequent_confusion(browser, figure, fashion_mnist, scores):
    place = figure(MATRIX, "matriz")
    wait(browser, lambda _: place.find_elements(CSS, ".live-found button"))
    labels, predicted = fashion_mnist.test.labels, scores.argmax(1)
    counts = torch.zeros(10, 10, dtype=torch.int64)
    counts.index_put_((labels, predicted), torch.tensor(1), accumulate=True)
    cells = [button.text for button in place.find_elements(CSS, ".live-matrix button")]
    assert cells == [f"{count / 10:.1f}" if count else "" for count in counts.flatten().tolist()]
    most = counts.clone().fill_diagonal_(0).argmax().item()
    assert f"{CLASSES[most // 10]} → {CLASSES[most % 10]}: {counts.flatten()[most]} (" in place.text


def test_a_cell_shows_its_garments_and_takes_one_to_the_laboratory(
    browser, book, figure, fashion_mnist, scores
):
    place = figure(MATRIX, "matriz")
    cell(place, "Buzo", "Abrigo").click()
    true, said = CLASSES.index("Buzo"), CLASSES.index("Abrigo")
    here = ((fashion_mnist.test.labels == true) & (scores.argmax(1) == said)).nonzero()[:, 0]
    wait(browser, lambda _: len(place.find_elements(CSS, ".live-found button")) == len(here))
    probabilities = scores[here].softmax(1)
    garments = place.find_elements(CSS, ".live-found button")
    assert [one.get_attribute("aria-label") for one in garments] == [
        f"Imagen {position}: Buzo, {100 * p[true]:.0f} %; Abrigo, {100 * p[said]:.0f} %"
        for position, p in zip(here.tolist(), probabilities)
    ]
    garments[3].click()
    drawn(browser)
    bars = [
        row.text.split("\n")[-1].rsplit(" ", 2)[-2:]
        for row in place.find_elements(CSS, ".live-bars tbody tr")
    ]
    assert [float(number[0]) for number in bars] == pytest.approx(
        (100 * probabilities[3]).tolist(), abs=0.051
    )
    image = fashion_mnist.test.images[here[3]].numpy()
    assert (shown(browser, place.find_element(CSS, ".live-with-bars canvas")) == image).all()
    wait(browser, lambda _: f"fila={true}&columna={said}&prenda=3" in browser.current_url)

    opened(browser, place.find_element(By.LINK_TEXT, "Al laboratorio").get_attribute("href"))
    assert verdict(browser) == f"La red ve: Abrigo, {100 * probabilities[3, said]:.1f} %"
    assert (shown(browser, browser.find_element(CSS, ".live-board")) == image).all()


def test_the_matrix_is_walked_with_the_arrows_and_begins_where_its_address_says(browser, figure):
    place = figure(MATRIX, "matriz", "#parte=matriz&fila=9&columna=9&prenda=2")
    wait(browser, lambda _: place.find_elements(CSS, ".live-found button"))
    assert "Bota, bien reconocida" in place.text and "las primeras 24" in place.text
    assert place.find_elements(CSS, ".live-found button")[2].get_attribute("aria-pressed") == "true"
    browser.execute_script(
        "arguments[0].focus()", place.find_element(CSS, '.live-matrix [aria-pressed="true"]')
    )
    for key in (Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ENTER):
        browser.switch_to.active_element.send_keys(key)
    drawn(browser)
    assert "Bota → Zapatilla" in place.text
    assert len(place.find_elements(CSS, '.live-matrix [tabindex="0"]')) == 1
    cell(place, "Sandalia", "Vestido").click()
    drawn(browser)
    assert "Sandalia → Vestido: 0" in place.text and not place.find_elements(CSS, ".live-found button")


def test_the_mean_of_some_seeds_is_that_of_their_runs(browser, figure):
    place = figure(CURVES, "curvas")
    histories = [store.find(run, weights=False).history for run in runs_of(CURVES)[0]]

    def told(seeds: list[int]) -> str:
        validation = pd.DataFrame([histories[seed]["validation_loss"] for seed in seeds])
        last, jumps = validation.iloc[:, -1], validation.diff(axis=1).abs().mean(axis=1).mean()
        spread = last.std() if len(seeds) > 1 else 0
        mean_jumps = validation.mean().diff().abs().mean()
        return (
            f"Promedio de {len(seeds)}: ECM de validación final {last.mean():.4f} (desvío {spread:.4f}). De "
            f"una época a la siguiente, una corrida cambia {jumps:.5f}; el promedio, {mean_jumps:.5f}."
        )

    assert told([*range(10)]) in notes(place)
    boxes = place.find_elements(CSS, "input[type=checkbox]")
    for box in boxes[3:]:
        box.click()
    assert told([0, 1, 2]) in notes(place)
    for box in boxes[1:3]:
        box.click()
    assert told([0]) in notes(place)
    boxes[0].click()
    assert "Ninguna semilla elegida." in notes(place)
    press(browser, place, "Todas")
    assert told([*range(10)]) in notes(place)


def test_the_point_under_the_cursor_says_its_seed(browser, figure):
    place = figure(CURVES, "curvas")
    validation = np.array(
        [store.find(run, weights=False).history["validation_loss"] for run in runs_of(CURVES)[0]]
    )
    chart = place.find_elements(CSS, ".live-chart")[1]
    seed, epoch = int(validation[:, 9].argmax()), 10
    # As charts.js places them: the axes go from 0.04 to 0.07 and from 1 to 15.
    x = 44 + (epoch - 1) / 14 * (340 - 44 - 14)
    y = 200 - 36 - (validation[seed, epoch - 1] - 0.04) / 0.03 * (200 - 36 - 22)
    size = chart.rect
    offset = (x / 340 - 0.5) * size["width"], (y / 200 - 0.5) * size["height"]
    webdriver.ActionChains(browser).move_to_element_with_offset(chart, *map(int, offset)).perform()
    assert f"Semilla {seed}, época {epoch}:" in notes(place)
    assert f"de validación {validation[seed, epoch - 1]:.4f}." in notes(place)
    browser.execute_script("arguments[0].focus()", chart)
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_DOWN):
        browser.switch_to.active_element.send_keys(key)
    assert f"Semilla {(seed + 1) % 10}, época 11:" in notes(place)


@torch.no_grad()
def test_more_neurons_are_what_their_networks_make(browser, figure, fashion_mnist):
    place = figure(SIZES, "neuronas")
    runs, first = runs_of(SIZES)
    images = fashion_mnist.test[[0, 1, 2, 8]]
    for at in (5, 0, 7):
        slide(browser, place.find_element(CSS, "input[type=range]"), at)
        outputs = evaluation.reconstruct(store.find(first[at], weights=True).model(), images)
        for picture, output in zip(canvases(place)[1::2], outputs):
            assert np.abs(shown(browser, picture) - 255 * output.numpy()).max() <= 0.51
        errors = (outputs - images.pixels.squeeze(1)).square().mean((1, 2))
        assert re.findall(r"ECM (0\.\d+)", place.text)[:4] == [f"{error:.4f}" for error in errors]
        same = [run for run in runs if run.kind == "autoencoder" and run.n == first[at].n]
        of_n = [store.find(run, weights=False).metrics["loss"] for run in same]
        assert f"de {len(of_n)} redes va de {min(of_n):.4f} a {max(of_n):.4f};" in notes(place)


@torch.no_grad()
def test_brightness_changes_the_errors_as_it_does_in_pytorch(browser, figure, fashion_mnist):
    place = figure(BRIGHTNESS, "brillo")
    test = fashion_mnist.test
    outputs = evaluation.reconstruct(model_of(FIRST.autoencoder), test).double()
    truth = test.pixels.squeeze(1).double()
    bag = test.labels.tolist().index(CLASSES.index("Bolso"))
    Select(place.find_element(By.TAG_NAME, "select")).select_by_visible_text("Bolso")
    for factor in (1, 1.4):
        slide(browser, place.find_element(CSS, "input[type=range]"), factor)
        errors = (factor * outputs - truth).square().mean((1, 2))
        assert (
            f"ECM de esta prenda: {errors[bag]:.4f}; de las 10000 de prueba, en promedio: "
            f"{errors.mean():.4f}." in notes(place)
        )
        picture = shown(browser, canvases(place)[1])
        assert (
            np.abs(picture - 255 * (factor * outputs[bag]).clamp(max=1).numpy()).max() <= 0.51 * factor + 0.51
        )
    press(browser, place, "El mejor factor")
    best = ((outputs * truth).mean() / outputs.square().mean()).item()
    assert place.find_element(By.TAG_NAME, "output").text == f"{best:.2f}"
    gain = 1 - (best * outputs - truth).square().mean() / (outputs - truth).square().mean()
    assert f"desaparece el {100 * gain:.0f} % del ECM." in notes(place)


@torch.no_grad()
def test_a_point_of_the_map_shows_its_garment_its_code_and_its_neighbours(browser, figure, fashion_mnist):
    place = figure(MAP, "vecinas", "#parte=vecinas&imagen=23")
    test = fashion_mnist.test
    assert "imagen de prueba 23." in place.text
    press(browser, place, "Traer")
    wait(browser, lambda _: "De las cinco vecinas" in place.text)
    codes = evaluation.encode(model_of(FIRST.autoencoder).encoder, test)
    for key in (None, Keys.ARROW_UP):
        if key:
            place.find_element(CSS, ".live-plane canvas").send_keys(key)
        drawn(browser)
        (chosen,) = map(int, re.findall(r"imagen de prueba (\d+)\.", place.text))
        distances = (codes - codes[chosen]).norm(dim=1)
        distances[chosen] = torch.inf
        near = [int(index) for index in re.findall(r"^[A-Z][a-zó ]+, (\d+)$", place.text, re.MULTILINE)]
        assert len({*near}) == 5
        # The codes have 8 bits here.
        assert (distances[near] <= 1.03 * distances.sort().values[4]).all()
        own = (test.labels[near] == test.labels[chosen]).sum()
        assert (
            f"{CLASSES[test.labels[chosen]]}, imagen de prueba {chosen}. De las cinco vecinas, {own} de su "
            "clase." in place.text
        )
        image = shown(browser, canvases(place)[1])
        assert np.abs(image - test.images[chosen].numpy()).mean() < 12, "a small WebP"
        bars = [bar.get_attribute("title") for bar in place.find_elements(CSS, ".live-code span")]
        used = codes[chosen, (codes > 0).any(0)]
        assert [float(bar.split(": ")[1]) for bar in bars] == pytest.approx(used.tolist(), abs=0.03)
    assert chosen != 23


@pytest.mark.parametrize("width, theme", LOOKS)
def test_the_map_has_its_place_is_pointed_at_and_bars_nobody(browser, figure, width, theme):
    look(browser, width, theme)
    place = figure(MAP, "vecinas")
    height = place.rect["height"]
    ground = place.find_element(CSS, ".live-plane canvas")
    side = ground.rect
    webdriver.ActionChains(browser).move_to_element_with_offset(
        ground, int(side["width"] / 3), 0
    ).click().perform()
    drawn(browser)
    assert "imagen de prueba 0." not in place.text
    press(browser, place, "Sandalia")
    press(browser, place, "Traer")
    wait(browser, lambda _: "De las cinco vecinas" in place.text)
    assert place.rect["height"] == height
    part(browser, "vecinas")
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert barriers(browser, '[data-part="vecinas"]') == []
    browser.refresh()
    settled(browser)
    chosen = part(browser, "vecinas")
    wait(browser, lambda _: chosen.find_elements(CSS, '[aria-pressed="true"]'))
