"""The page "Laboratorio": equal to the networks that it shows, and each thing that a reader can do on it.

In Chromium, opened as a file.
"""

import base64
import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image, ImageDraw
from pypdf import PdfReader
from selenium import webdriver
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait
from test_browser import (
    CSS,
    LOOKS,
    TOO_WIDE,
    barriers,
    chrome,
    english,
    look,
    sent,
    served,
    settled,
)

from moda import evaluation
from moda.book import laboratory
from moda.book.notebook import declared
from moda.configurations import PLAIN, AutoencoderRun, ClassifierRun, Frozen
from moda.data import CLASSES, PROJECT, Images
from moda.networks import Autoencoder, Classifier, Encoder
from moda.runs import store

NETWORKS = laboratory.networks(declared(jupytext.read(PROJECT / "notebooks" / "laboratorio.md"))[1])
FIRST = NETWORKS[0]
PAGE = "notebooks/laboratorio.html"
in_browser = pytest.mark.slow


def model_of(run) -> Autoencoder | Classifier:
    return store.find(run, weights=True).model()


# ---- What the package gives the page ----


def test_networks_are_pairs_of_an_autoencoder_and_its_classifier():
    small, mended = AutoencoderRun(n=2), AutoencoderRun(all_pixels=True)
    of_small = ClassifierRun(small)
    networks = laboratory.networks([small, of_small, mended])
    assert networks == [laboratory.Network(small, of_small), laboratory.Network(mended, None)]
    assert [network.name for network in networks] == ["articulo-2", "corregida-64"]


def test_the_page_has_the_paper_s_networks_and_the_mended_one():
    assert [network.name for network in NETWORKS] == [
        "articulo-64",
        "articulo-128",
        "articulo-256",
        "corregida-64",
    ]
    assert all(network.classifier for network in NETWORKS[:3])


def test_layers_are_named_as_in_the_state_dict():
    for model in (Autoencoder(3, all_pixels=True), Classifier(Encoder(3))):
        layers = laboratory.layers(model)
        names = {name.rpartition(".")[0] for name in model.state_dict()}
        assert names <= {layer["name"] for layer in layers}
        assert all(type(model.get_submodule(layer["name"])).__name__ == layer["type"] for layer in layers)


class ByFirstPixel(torch.nn.Module):
    """A score for class 0 that grows with the first pixel."""

    def forward(self, x):
        return torch.nn.functional.pad(9 * x[:, :, 0, 0], (0, 9))


def test_the_chosen_images_are_the_most_confused_of_each_class_and_others_up_to_the_clearest():
    images = torch.zeros(250, 28, 28, dtype=torch.uint8)
    images[:, 0, 0] = torch.arange(250)
    labels = (torch.arange(250) % 10 > 0) * torch.arange(250) % 10
    positions = laboratory.chosen(ByFirstPixel(), Images(images, labels))
    assert len(positions.unique()) == 100
    assert labels[positions].tolist() == [label for label in range(10) for _ in range(10)]
    # For class 0 a light pixel is clear; for the others a dark one is.
    assert positions[:3].tolist() == [0, 10, 20] and positions[9] == 240
    assert positions[10:13].tolist() == [241, 231, 221] and positions[19] == 1


@pytest.mark.parametrize(
    "run",
    [
        AutoencoderRun(),
        AutoencoderRun(n=128, all_pixels=True),
        ClassifierRun(AutoencoderRun(seed=3), seed=4, **PLAIN),
        ClassifierRun(Frozen(AutoencoderRun())),
    ],
)
def test_the_expression_of_a_run_makes_it(run):
    names = {kind.__name__: kind for kind in (AutoencoderRun, ClassifierRun, Frozen)}
    assert eval(laboratory.expression(run), names) == run


def test_the_expression_of_a_run_says_only_what_is_not_the_default():
    assert laboratory.expression(ClassifierRun(seed=4)) == "ClassifierRun(seed=4)"


# ---- The page ----


@pytest.fixture(scope="module")
def browser(needs, book, downloads) -> Iterator[webdriver.Chrome]:
    needs("chromium")
    needs("chromedriver")
    with chrome(downloads) as driver:
        driver.execute_cdp_cmd("Network.enable", {})
        yield driver


@pytest.fixture
def page(browser, book) -> webdriver.Chrome:
    """The page, just opened from disk."""
    look(browser, *LOOKS[0])
    browser.get_log("browser")
    opened(browser, (book / PAGE).as_uri())
    yield browser
    assert [line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def opened(browser, address: str) -> None:
    browser.get("about:blank")  # or another fragment would not load the page again
    browser.get(address)
    settled(browser)
    wait(browser, lambda _: "%" in verdict(browser))
    # The codes of all images, on which the sliders and the map wait.
    wait(browser, lambda _: browser.find_elements(CSS, ".live-mute"))


def wait(browser, condition) -> None:
    WebDriverWait(browser, 60, 0.05).until(condition)


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


def as_text(values: torch.Tensor) -> str:
    return base64.b64encode(values.numpy().astype("<f4").tobytes()).decode()


# Calls a function of the page's networks on each row of a matrix, and gives the rows of what comes out.
CALL = """
    const [id, name, length, base64, options, done] = arguments;
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const all = new Float32Array(bytes.buffer);
    Models.load(id).then((model) => {
        const rows = [];
        for (let from = 0; from < all.length; from += length) {
            const made = Models[name](model, all.slice(from, from + length), options ?? undefined);
            if (!(made instanceof Float32Array)) throw new Error("no Float32Array");
            rows.push(...made);
        }
        const out = new Uint8Array(Float32Array.from(rows).buffer);
        let text = "";
        for (const byte of out) text += String.fromCharCode(byte);
        done(btoa(text));
    });
"""


def call(browser, network, name: str, rows: torch.Tensor, options: dict | None = None) -> torch.Tensor:
    rows = rows.flatten(1)
    text = browser.execute_async_script(CALL, network.name, name, rows.shape[1], as_text(rows), options)
    values = np.frombuffer(base64.b64decode(text), dtype="<f4").copy()
    return torch.from_numpy(values).view(len(rows), -1)


@pytest.fixture(scope="module")
def images(fashion_mnist) -> Images:
    return fashion_mnist.test[:200]


@in_browser
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
@torch.no_grad()
def test_it_computes_what_the_networks_compute(page, network, images):
    x = images.pixels
    autoencoder = model_of(network.autoencoder)
    codes = 5 * torch.rand(50, network.autoencoder.n, generator=torch.Generator().manual_seed(0))
    pairs = {
        "encode": (call(page, network, "encode", x), autoencoder.encoder(x)),
        "decode": (call(page, network, "decode", codes), autoencoder.decoder(codes).flatten(1)),
    }
    if network.classifier:
        classifier = model_of(network.classifier)
        scores = classifier(x)
        pairs["classify"] = call(page, network, "classify", x), scores.softmax(1)
        assert torch.equal(pairs["classify"][0].argmax(1), scores.argmax(1))
        plain = classifier.head[0](classifier.encoder(x)).softmax(1)
        pairs["sin ReLU"] = call(page, network, "classify", x, {"relu": False}), plain
    for name, (ours, theirs) in pairs.items():
        difference = (ours - theirs).abs().max().item()
        print(f"{network.name} {name}: {difference:.1e}")
        assert difference < 1e-4, name


@in_browser
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
@torch.no_grad()
def test_every_layer_shows_what_the_networks_compute(page, network, images):
    models = {False: network.autoencoder, True: network.classifier}
    for of_classifier, run in models.items():
        if not run:
            continue
        model, outputs = model_of(run), {}
        keep = partial(lambda kept, name, _, __, y: kept.update({name: y[0].clone()}), outputs)
        for name, layer in model.named_modules():
            layer.register_forward_hook(partial(keep, name))
        for index in (0, 1, 2):
            x = images[index : index + 1].pixels
            model(x)
            layers = page.execute_async_script(
                "const [id, pixels, ofClassifier, done] = arguments;"
                "Models.load(id).then(({encoder, decoder, classifier}) =>"
                " done(Models.trace(ofClassifier ? classifier : [...encoder, ...decoder], pixels)"
                ".map(({layer, shape, values}) => ({name: layer.name, shape, values: [...values]}))));",
                network.name,
                x.flatten().tolist(),
                of_classifier,
            )
            assert len(layers) == len([name for name in outputs if re.search(r"\.\d", name)])
            for layer in layers:
                expected = outputs[layer["name"]]
                assert layer["shape"] == list(expected.shape), layer["name"]
                difference = (torch.tensor(layer["values"]) - expected.flatten()).abs().max()
                assert difference < 1e-4, layer["name"]


@in_browser
def test_it_opens_with_a_garment_its_code_its_reconstruction_and_its_probabilities(page, fashion_mnist):
    place = part(page, "taller")
    position = page.execute_script("return garmentData.positions[lab.state.garment]")
    x = fashion_mnist.test[[position]].pixels
    with torch.no_grad():
        output = model_of(FIRST.autoencoder)(x)
        (probabilities,) = model_of(FIRST.classifier)(x).softmax(1)
    assert np.abs(shown(page, picture(place, "Reconstrucción")) - 255 * output.squeeze().numpy()).max() <= 1
    assert f"ECM {(output - x).square().mean():.4f}" in place.text
    rows = [" ".join(row.text.split()) for row in place.find_elements(CSS, ".live-bars tbody tr")]
    assert rows == [f"{name} {100 * value:.1f} %" for name, value in zip(CLASSES, probabilities)]
    label = probabilities.argmax()
    assert verdict(page) == f"La red ve: {CLASSES[label]}, {100 * probabilities[label]:.1f} %"
    bars = place.find_elements(CSS, ".live-code span")
    assert len(bars) == FIRST.autoencoder.n
    assert 0 < len(place.find_elements(CSS, ".live-mute")) < len(bars)
    place.find_element(By.TAG_NAME, "summary").click()
    wait(page, lambda _: len(place.find_elements(CSS, ".live-scroll tbody tr")) == len(bars))


@in_browser
def test_a_garment_is_chosen_from_a_hundred(page):
    place = part(page, "taller")
    shelf = Select(place.find_element(CSS, ".live-choice select"))
    assert [option.text for option in shelf.options] == list(CLASSES)
    shelf.select_by_visible_text("Sandalia")
    drawn(page)
    assert state(page)["garment"] // 10 == CLASSES.index("Sandalia")
    assert "Su etiqueta: Sandalia." in place.text
    pieces = place.find_elements(CSS, ".live-garment")
    assert len(pieces) == 10
    pieces[9].click()
    drawn(page)
    assert pieces[9].get_attribute("aria-pressed") == "true"
    assert verdict(page).startswith("La red ve: Sandalia"), "the clearest of its class"


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


@in_browser
@pytest.mark.parametrize("kind", ["mouse", "touch"])
def test_a_boot_that_is_drawn_is_recognised(page, kind):
    draw(page, BOOT, kind)
    assert verdict(page).startswith("La red ve: Bota")
    assert state(page)["garment"] is None


@in_browser
def test_a_boot_that_points_to_the_right_is_one_when_it_is_mirrored(page):
    draw(page, [(27 - x, y) for x, y in BOOT])
    place = part(page, "taller")
    before = verdict(page)
    press(page, place, "Reflejar")
    assert verdict(page).startswith("La red ve: Bota")
    press(page, place, "Reflejar")
    assert verdict(page) == before


@in_browser
def test_a_drawing_is_rubbed_out_begun_anew_and_made_over_a_garment(page):
    place = part(page, "taller")
    board = place.find_element(CSS, ".live-board")
    garment = shown(page, board)
    draw(page, [(2, 2), (3, 2)])
    assert shown(page, board)[20, 14] == 0, "the first stroke begins a drawing"
    seen = shown(page, picture(place, "Lo que ve la red"))
    assert seen.any(axis=0).all(), "which is fitted to the frame"
    press(page, place, "Goma")
    draw(page, [(2, 2), (3, 2)])
    assert shown(page, board).max() < 60
    press(page, place, "Goma")
    place.find_elements(CSS, ".live-garment")[5].click()
    (over,) = (label for label in place.find_elements(By.TAG_NAME, "label") if "Dibujar sobre" in label.text)
    over.click()
    draw(page, [(2, 2), (3, 2)])
    changed = shown(page, board)
    assert changed[2, 2] > 200 and (changed != garment).mean() < 0.05
    press(page, place, "Borrar todo")
    assert not shown(page, board).any()


@in_browser
@pytest.mark.parametrize("made", ["mirrored", "mirrored, from its address", "a picture"])
def test_over_an_image_the_brush_changes_only_what_it_touches(page, tmp_path, made):
    """However the image came: it is no outline, to be filled and fitted to the frame."""
    place = part(page, "taller")
    if made == "a picture":
        ring = Image.new("L", (100, 100), "white")
        ImageDraw.Draw(ring).ellipse((30, 10, 70, 90), outline="black", width=9)
        ring.save(tmp_path / "anillo.png")
        page.find_element(CSS, "input[type=file]").send_keys(str(tmp_path / "anillo.png"))
        wait(page, lambda _: state(page)["garment"] is None)
    else:
        press(page, place, "Reflejar")
    if "address" in made:
        wait(page, lambda _: "red=" in page.current_url and "prenda=" not in page.current_url)
        opened(page, page.current_url)
        place = part(page, "taller")
    drawn(page)
    before = shown(page, picture(place, "Lo que ve la red"))
    draw(page, [(2, 2), (3, 2)])
    rows, columns = np.nonzero(shown(page, picture(place, "Lo que ve la red")) != before)
    assert len(rows) and rows.max() <= 4 and columns.max() <= 5


@in_browser
def test_a_drawing_goes_on_from_its_address(page):
    place = part(page, "taller")
    draw(page, [(2, 2), (25, 2), (25, 25), (2, 25)])
    wait(page, lambda _: "dibujo=" in page.current_url)
    opened(page, page.current_url)
    place = part(page, "taller")
    assert shown(page, picture(place, "Lo que ve la red"))[14, 14] == 0
    draw(page, [(2, 25), (2, 2)])
    assert shown(page, picture(place, "Lo que ve la red"))[14, 14] > 150, "a closed outline is filled"


@in_browser
def test_a_drawing_is_made_from_the_keyboard(page):
    board = page.find_element(CSS, ".live-board")
    page.execute_script("arguments[0].focus()", board)
    keys = webdriver.ActionChains(page)
    keys.send_keys(Keys.ARROW_UP * 5, " ").key_down(Keys.SHIFT).send_keys(Keys.ARROW_LEFT * 6).key_up(
        Keys.SHIFT
    )
    keys.perform()
    drawn(page)
    image = shown(page, board)
    assert (image[9, 8:15] > 150).all() and image[9, :6].max() == 0 and image[14].max() == 0
    webdriver.ActionChains(page).send_keys(Keys.DELETE).perform()
    drawn(page)
    assert shown(page, board)[9, 8] < 60


@in_browser
def test_a_picture_is_loaded_cut_inverted_and_made_grey(page, fashion_mnist, tmp_path):
    position = page.execute_script("return garmentData.positions[95]")  # a boot
    boot = Image.fromarray(255 - fashion_mnist.test.images[position].numpy()).resize((280, 280))
    photo = Image.new("RGB", (600, 400), "white")
    photo.paste(boot.convert("RGB"), (200, 30))
    photo.save(tmp_path / "bota.png")
    page.find_element(CSS, "input[type=file]").send_keys(str(tmp_path / "bota.png"))
    wait(page, lambda _: verdict(page).startswith("La red ve: Bota"))
    image = shown(page, page.find_element(CSS, ".live-board")) / 255
    assert np.abs(image - fashion_mnist.test[[position]].pixels.squeeze().numpy()).mean() < 0.1
    (tmp_path / "texto.png").write_text("no es una imagen")
    page.find_element(CSS, "input[type=file]").send_keys(str(tmp_path / "texto.png"))
    wait(page, lambda _: "no es una imagen" in page.find_element(CSS, ".live-notice").text)


@in_browser
@torch.no_grad()
def test_a_garment_is_seen_to_pass_and_dropout_draws_anew(page, fashion_mnist):
    place = part(page, "capas")
    captions = [caption.text for caption in place.find_elements(By.TAG_NAME, "figcaption")]
    shapes = ["1 × 28 × 28", "16 × 26 × 26", "16 × 13 × 13", "32 × 11 × 11", "32 × 5 × 5", "800", "64", "800"]
    assert [caption.split(": ")[1] for caption in captions] == [
        *shapes,
        "32 × 5 × 5",
        "16 × 13 × 13",
        "1 × 28 × 28",
    ]

    def last():
        return shown(page, place.find_elements(By.TAG_NAME, "canvas")[-1])

    without = last()
    press(page, place, "Con dropout")
    one = last()
    press(page, place, "Con dropout")
    assert (one != without).any() and (last() != one).any()
    assert "Con dropout, el ECM de este sorteo es" in place.text
    # With nothing dropped, what dropout still does in training: it enlarges what it keeps.
    page.execute_script("Math.random = () => 0.5")
    press(page, place, "Con dropout")
    position = page.execute_script("return garmentData.positions[lab.state.garment]")
    x = y = fashion_mnist.test[[position]].pixels
    model = model_of(FIRST.autoencoder)
    for layer in [*model.encoder, *model.decoder]:
        y = y / (1 - layer.p) if isinstance(layer, torch.nn.Dropout) else layer(y)
    assert f"de este sorteo es {(y - x).square().mean():.4f};" in place.text
    press(page, place, "Sin dropout")
    assert (last() == without).all()


@in_browser
@torch.no_grad()
def test_each_active_neuron_has_a_control_the_most_varied_first(page, fashion_mnist):
    place = part(page, "codigo")
    positions = page.execute_script("return garmentData.positions")
    codes = model_of(FIRST.autoencoder).encoder(fashion_mnist.test[positions].pixels)
    order = [int(neuron) for neuron in codes.var(0).argsort(descending=True) if codes[:, neuron].max() > 0]
    controls = place.find_elements(CSS, "label.live-control")
    assert [int(control.text.split()[1]) for control in controls] == order

    before = state(page)
    slide(page, controls[3].find_element(By.TAG_NAME, "input"), 4.2)
    after = state(page)
    changed = [i for i, (a, b) in enumerate(zip(before["own"], after["code"])) if a != b]
    assert changed == [order[3]] and after["code"][order[3]] == pytest.approx(4.2)
    assert after["output"] != before["output"] and after["probabilities"] == before["probabilities"]

    Select(place.find_element(By.TAG_NAME, "select")).select_by_visible_text("Bolso")
    drawn(page)
    assert state(page)["code"] == pytest.approx(codes[80:90].mean(0).tolist(), abs=1e-4)
    press(page, place, "Al azar")
    drawn(page)
    assert state(page)["code"] != after["code"]
    press(page, place, "Volver")
    assert state(page)["code"] is None and state(page)["output"] == before["output"]


@in_browser
@torch.no_grad()
def test_a_walk_goes_from_one_garment_to_another(page, fashion_mnist):
    place = part(page, "camino")
    Select(place.find_element(By.TAG_NAME, "select")).select_by_visible_text("Zapatilla 3")
    positions = page.execute_script("return [25, 72].map((index) => garmentData.positions[index])")
    x = fashion_mnist.test[positions].pixels
    model = model_of(FIRST.autoencoder)
    ends = model.encoder(x)
    for step in (0, 0.25, 1):
        slide(page, place.find_element(By.TAG_NAME, "input"), step)
        through = model.decoder(torch.lerp(*ends, step)[None]).squeeze().numpy()
        mixed = torch.lerp(*x, step).squeeze().numpy()
        assert np.abs(shown(page, picture(place, "Por el código")) - 255 * through).max() <= 1
        assert np.abs(shown(page, picture(place, "Por los píxeles")) - 255 * mixed).max() <= 1


@in_browser
def test_the_map_shows_garments_takes_them_and_decodes_its_ground(page):
    place = part(page, "mapa")
    points = place.find_elements(CSS, ".live-point")
    assert len(points) == 100
    said = place.find_element(CSS, ".live-with-map .live-note")
    webdriver.ActionChains(page).move_to_element(points[12]).perform()
    assert re.match(r"\w+.* \d+: la prenda y su reconstrucción", said.text)
    page.execute_script("arguments[0].click()", points[12])
    drawn(page)
    assert state(page)["garment"] == 12

    ground = place.find_element(CSS, ".live-map")
    box = ground.rect
    before = shown(page, picture(place, "Lo que el decodificador"))
    corner = (int(box["width"] / 2) - 8, int(box["height"] / 2) - 8)
    webdriver.ActionChains(page).move_to_element_with_offset(ground, *corner).click().perform()
    assert said.text == "Un punto donde no hay ninguna prenda"
    here = shown(page, picture(place, "Lo que el decodificador"))
    assert (here != before).any()
    # The same from the keyboard.
    across, _ = place.find_elements(CSS, "input[type=range]")
    across.send_keys(Keys.ARROW_LEFT)
    assert (shown(page, picture(place, "Lo que el decodificador")) != here).any()
    page.execute_script("arguments[0].focus()", points[12])
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ARROW_UP, Keys.ARROW_DOWN):
        page.switch_to.active_element.send_keys(key)
    focused = points.index(page.switch_to.active_element)
    assert place.find_elements(CSS, '.live-point[tabindex="0"]') == [points[focused]]
    page.switch_to.active_element.send_keys(Keys.ENTER)
    drawn(page)
    assert state(page)["garment"] == focused


@in_browser
@torch.no_grad()
def test_the_inverse_of_the_map_gives_back_a_code_that_lies_in_it(page, fashion_mnist):
    """The directions are those of PCA: they keep as much of the variance as any two can."""
    part(page, "mapa")
    positions = page.execute_script("return garmentData.positions")
    codes = model_of(FIRST.autoencoder).encoder(fashion_mnist.test[positions].pixels).double()
    lefts, bottoms = (
        [
            float(value.strip("%"))
            for value in page.execute_script(
                f"return [...document.querySelectorAll('.live-point')].map((point) => point.style.{side})"
            )
        ]
        for side in ("left", "bottom")
    )
    _, _, directions = torch.linalg.svd(codes - codes.mean(0))
    for places, direction in zip((lefts, bottoms), directions):
        assert abs(np.corrcoef(places, (codes @ direction).numpy())[0, 1]) > 1 - 1e-4


@in_browser
@torch.no_grad()
def test_a_part_is_covered_and_what_counts_is_found(page, fashion_mnist):
    place = part(page, "tapar")
    position = page.execute_script("return garmentData.positions[lab.state.garment]")
    x = fashion_mnist.test[[position]].pixels
    row, column, size = place.find_elements(CSS, "input[type=range]")
    for control, value in ((row, 20), (column, 10), (size, 9)):
        slide(page, control, value)
    classifier = model_of(FIRST.classifier)
    covered = x.clone()
    covered[..., 16:25, 6:15] = 0
    rows = [" ".join(line.text.split()) for line in place.find_elements(CSS, "tbody tr")]
    with_relu = classifier(covered).softmax(1)[0]
    without = classifier.head[0](classifier.encoder(covered)).softmax(1)[0]
    assert rows == [
        f"{name} {100 * a:.1f} % {100 * b:.1f} %" for name, a, b in zip(CLASSES, with_relu, without)
    ]
    # With the mouse.
    webdriver.ActionChains(page).move_to_element(picture(place, "La prenda")).click().perform()
    drawn(page)
    assert {*state(page)["patch"].values()} <= {13, 14, 9}, "the middle is between two pixels"

    press(page, place, "Mapa de sensibilidad")
    wait(page, lambda _: "Donde más cuenta" in place.text)
    drops = []
    label = classifier(x).argmax()
    for at in range(14 * 14):
        r, c = 2 * (at // 14), 2 * (at % 14)
        hidden = x.clone()
        hidden[..., max(0, r - 4) : r + 5, max(0, c - 4) : c + 5] = 0
        drops.append((classifier(x).softmax(1) - classifier(hidden).softmax(1))[0, label])
    assert f"{100 * max(drops):.1f} puntos" in place.text


@in_browser
def test_what_is_lost_is_what_chapter_8_says(page):
    place = part(page, "perder")
    change = picture(place, "Cuánto cambia la reconstrucción")
    assert not change.is_displayed(), "before anything is changed it would be black"
    for text in ("Pintar", "Cambiar"):
        press(page, place, text)
    assert change.is_displayed()
    assert "Lo que más cambia un número del código: 0: nada." in place.text
    assert re.search(r"columnas 25 a 27: 0: nada. De las demás: 0\.\d+", place.text)
    assert shown(page, picture(place, "La prenda"))[26:].any()
    if mended := [network for network in NETWORKS if network.mended]:
        page.execute_async_script("lab.choose(arguments[0]).then(arguments[1])", mended[0].name)
        place = part(page, "perder")
        press(page, place, "Cambiar")
        assert "nada" not in place.text


@in_browser
@torch.no_grad()
def test_networks_are_compared_on_one_garment(page, fashion_mnist):
    place = part(page, "comparar")
    press(page, place, "Comparar")
    wait(page, lambda _: len(place.find_elements(By.TAG_NAME, "figcaption")) == len(NETWORKS) + 1)
    wait(page, lambda _: place.text.count("ECM") == len(NETWORKS))
    position = page.execute_script("return garmentData.positions[lab.state.garment]")
    x = fashion_mnist.test[[position]].pixels
    for caption, network in zip(place.find_elements(By.TAG_NAME, "figcaption")[1:], NETWORKS):
        error = evaluation.autoencoder_metrics(model_of(network.autoencoder), fashion_mnist.test[[position]])
        assert f"ECM {error['loss']:.4f}." in caption.text
        if network.classifier:
            probabilities = model_of(network.classifier)(x).softmax(1)[0]
            assert f"{CLASSES[probabilities.argmax()]}, {100 * probabilities.max():.1f} %" in caption.text
        else:
            assert "Sin clasificador" in caption.text


def choice_of_network(browser) -> Select:
    place = part(browser, "taller")
    (select,) = (
        one
        for one in map(Select, place.find_elements(By.TAG_NAME, "select"))
        if "Del artículo" in one.options[0].text
    )
    return select


@in_browser
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_a_network_is_chosen(page, network):
    choice_of_network(page).select_by_value(network.name)
    place = part(page, "taller")
    wait(page, lambda _: len(place.find_elements(CSS, ".live-code span")) == network.autoencoder.n)
    wait(page, lambda _: state(page)["network"] == network.name)
    drawn(page)
    assert ("solo reconstruye" in verdict(page)) == (network.classifier is None)


@contextmanager
def prepared(browser, script: str) -> Iterator[None]:
    """What is opened meanwhile begins with that script."""
    done = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", done)


# The scripts that the page asks for wait until the test lets each come, or fail to.
HOLD = """
    window.held = [];
    window.append = Element.prototype.append;
    Element.prototype.append = function (...nodes) {
        if (/data\/(articulo|corregida)-/.test(nodes[0]?.src)) held.push(nodes[0]);
        else append.call(this, ...nodes);
    };
"""
ARRIVE = """
    const [id, fails, done] = arguments;
    const script = held.find(({ src }) => src.endsWith(`/${id}.js`));
    for (const event of ["load", "error"]) script.addEventListener(event, () => done());
    if (fails) script.dispatchEvent(new Event("error"));
    else append.call(document.head, script);
"""


def arrives(browser, network, *, fails: bool = False) -> None:
    browser.execute_async_script(ARRIVE, network.name, fails)
    drawn(browser)


@in_browser
def test_the_network_chosen_last_is_shown_whichever_comes_last(page):
    page.execute_script(HOLD)
    choice = choice_of_network(page)
    for network in NETWORKS[1:]:
        choice.select_by_value(network.name)
    for network in reversed(NETWORKS[2:]):
        arrives(page, network)
    assert state(page)["network"] == NETWORKS[-1].name
    choice.select_by_value(FIRST.name)
    arrives(page, NETWORKS[1])
    assert state(page)["network"] == choice.first_selected_option.get_attribute("value") == FIRST.name


@in_browser
@pytest.mark.parametrize("fails_first", [True, False])
def test_a_network_that_fails_to_come_leaves_the_one_chosen_after_it(page, book, fails_first):
    with prepared(page, HOLD):
        page.get("about:blank")
        page.get(f"{(book / PAGE).as_uri()}#red={NETWORKS[1].name}")
        wait(page, lambda _: page.find_elements(CSS, ".live-workshop"))
        choice_of_network(page).select_by_value(NETWORKS[2].name)
        for fails in (fails_first, not fails_first):
            arrives(page, NETWORKS[1] if fails else NETWORKS[2], fails=fails)
    assert state(page)["network"] == NETWORKS[2].name


@in_browser
def test_an_address_that_is_pasted_into_the_open_page_does_the_same(page):
    choice_of_network(page).select_by_value(NETWORKS[1].name)
    wait(page, lambda _: state(page)["network"] == NETWORKS[1].name)
    average = Select(part(page, "codigo").find_element(By.TAG_NAME, "select"))
    average.select_by_visible_text("Bolso")
    wait(page, lambda _: f"red={NETWORKS[1].name}" in page.current_url and "codigo=" in page.current_url)
    (plain, fragment), before = page.current_url.split("#"), state(page)
    assert len(before["code"]) == NETWORKS[1].autoencoder.n

    opened(page, plain)
    page.execute_script("location.hash = arguments[0]", fragment)
    wait(page, lambda _: state(page)["network"] == NETWORKS[1].name)
    drawn(page)
    assert state(page) == before

    # The code is that of its garment, not of one that is taken while the network is on its way.
    opened(page, plain)
    page.execute_script(HOLD)
    page.execute_script("location.hash = arguments[0]", fragment)
    wait(page, lambda _: page.execute_script("return held.length"))
    part(page, "taller").find_elements(CSS, ".live-garment")[0].click()
    arrives(page, NETWORKS[1])
    after = state(page)
    assert (after["network"], after["garment"], after["code"]) == (NETWORKS[1].name, 20, None)


@in_browser
def test_an_address_keeps_what_was_done(page, book):
    draw(page, BOOT)
    place = part(page, "codigo")
    slide(page, place.find_elements(CSS, "label.live-control input")[0], 3)
    slide(page, part(page, "camino").find_element(By.TAG_NAME, "input"), 0.3)
    slide(page, part(page, "tapar").find_elements(CSS, "input[type=range]")[0], 5)
    wait(page, lambda _: "paso=0.3" in page.current_url and "tapa=5" in page.current_url)
    before = state(page)
    opened(page, page.current_url)
    assert state(page) == before
    opened(page, (book / PAGE).as_uri() + "#red=otra&prenda=-1&codigo=%25&dibujo=x&paso=7&tapa=99,a")
    assert state(page)["garment"] == 25, "what makes no sense is ignored"


@in_browser
@pytest.mark.parametrize("drawing", [False, True])
def test_the_python_that_is_copied_computes_the_same(page, tmp_path, drawing):
    if drawing:
        draw(page, BOOT)
        slide(page, part(page, "codigo").find_elements(CSS, "label.live-control input")[0], 3)
    press(page, part(page, "guardar"), "Copiar el Python")
    wait(page, lambda _: page.find_element(CSS, ".live-notice").text == "Python copiado.")
    page.execute_script(
        "document.body.prepend(Object.assign(document.createElement('textarea'), {id: 'pasted'}))"
    )
    page.find_element(By.ID, "pasted").send_keys(Keys.CONTROL, "v")
    code = page.find_element(By.ID, "pasted").get_property("value")
    assert code == part(page, "guardar").find_element(CSS, "pre").get_property("textContent")
    made = "[codigo[0].tolist(), reconstruccion.flatten().tolist(), probabilidades[0].tolist()]"
    code += f"\nimport json\nprint('\\n' + json.dumps({made}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    known = state(page)
    expected = [known["code"] or known["own"], known["output"], known["probabilities"]]
    for ours, theirs in zip(expected, json.loads(done.stdout.splitlines()[-1])):
        assert ours == pytest.approx(theirs, abs=1e-4)


def notice(browser) -> str:
    """What the page says at its lower edge, if anything."""
    return browser.find_element(CSS, ".live-notice").text


@in_browser
def test_a_copy_says_whether_it_was_made(page):
    place = part(page, "guardar")
    press(page, place, "Copiar la dirección")
    wait(page, lambda _: notice(page) == "Dirección copiada.")
    page.execute_script(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true});"
        "document.execCommand = () => false"
    )
    press(page, place, "Copiar la dirección")
    wait(page, lambda _: notice(page).startswith("El navegador no deja copiar"))
    page.execute_script("delete navigator.clipboard; delete document.execCommand")
    press(page, place, "Copiar la dirección")
    wait(page, lambda _: notice(page) == "Dirección copiada.")


# What the page would do after more than a second waits in `later`, by number, until the test does it.
CLOCK = """
    window.later = new Map();
    const [wait, forget] = [setTimeout, clearTimeout];
    window.setTimeout = (action, time = 0, ...rest) => {
        const number = wait(action, time > 1000 ? 2 ** 31 - 1 : time, ...rest);
        if (time > 1000) later.set(number, action);
        return number;
    };
    window.clearTimeout = (number) => (later.delete(number), forget(number));
"""


@in_browser
def test_a_notice_is_not_hidden_in_the_time_of_the_one_before(page):
    page.execute_script(CLOCK)
    place = part(page, "guardar")
    press(page, place, "Copiar la dirección")
    wait(page, lambda _: notice(page) == "Dirección copiada.")
    first = page.execute_script("return [...later.keys()]")
    press(page, place, "Copiar el Python")
    wait(page, lambda _: notice(page) == "Python copiado.")
    page.execute_script("for (const number of arguments[0]) later.get(number)?.()", first)
    assert notice(page) == "Python copiado."
    page.execute_script("for (const action of later.values()) action()")
    assert notice(page) == ""


@in_browser
def test_the_picture_is_saved(page, downloads):
    press(page, part(page, "guardar"), "Guardar la imagen")
    file = downloads / "laboratorio.png"
    wait(page, lambda _: file.exists())
    with Image.open(file) as saved:
        assert saved.size == (920, 340)
        assert len(saved.convert("L").getcolors()) > 50


# ---- Out of sight ----


# When the page has nothing else to do is when the test says so.
IDLE = "window.idle = []; window.requestIdleCallback = (action) => idle.push(action)"

BLANK = """
    const empty = (canvas) => {
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.every((value) => value == 0);
    };
    return ["taller", "capas", "codigo", "camino", "mapa", "tapar", "perder"].filter((name) => {
        const pictures = [...document.querySelectorAll(`[data-part=${name}] canvas`)];
        return !pictures.length || pictures.some(empty);
    });
"""


def blank(browser) -> list[str]:
    """The parts with a picture on which nothing was painted: it looks black."""
    return browser.execute_script(BLANK)


@in_browser
def test_what_is_out_of_sight_is_drawn_one_part_at_a_time_when_there_is_nothing_else_to_do(page):
    with prepared(page, IDLE):
        opened(page, page.current_url)
    drawn(page)
    left = blank(page)
    assert {"mapa", "perder"} <= set(left) and "taller" not in left
    while left:
        assert page.execute_script("return idle.length") == 1
        page.execute_script("idle.shift()()")
        before, left = left, blank(page)
        assert len(before) - len(left) <= 1
    assert part(page, "mapa").find_elements(CSS, ".live-point[style*=left]"), "with the codes of all images"


@in_browser
@pytest.mark.parametrize("script", ["", "delete window.requestIdleCallback"], ids=["as it is", "Safari"])
def test_a_page_that_was_only_opened_has_no_black_picture_for_long(page, script):
    with prepared(page, script):
        opened(page, page.current_url)
    wait(page, lambda _: blank(page) == [])


# The codes of all images, which are computed after the first answer with a pause after each part, never come.
UNREADY = """
    const wait = setTimeout;
    const answered = () => performance.getEntriesByName("laboratorio").length;
    window.setTimeout = (action, ...rest) => (rest.length || !answered() ? wait(action, ...rest) : 0);
"""


@in_browser
@pytest.mark.parametrize("script", [IDLE, IDLE + UNREADY], ids=["later", "at once"])
def test_on_paper_every_part_is_as_it_is_now(page, script):
    address = page.current_url
    with prepared(page, script):
        page.get("about:blank")
        page.get(address)
    wait(page, lambda _: "%" in verdict(page))
    if UNREADY not in script:
        wait(page, lambda _: page.find_elements(CSS, ".live-mute"))
    draw(page, BOOT)
    assert "mapa" in blank(page)
    paper = PdfReader(BytesIO(base64.b64decode(page.print_page())))
    assert blank(page) == []
    source = page.find_element(CSS, "[data-part=camino] canvas[aria-label=Desde]")
    board = page.find_element(CSS, "[data-part=taller] canvas[aria-label='Lo que ve la red']")
    assert (shown(page, source) == shown(page, board)).all()
    assert len(page.find_elements(CSS, ".live-point[style*=left]")) == 100
    assert sum(len(sheet.images) for sheet in paper.pages) > 100, "the small garments too, which are grounds"


# ---- Reach ----


# What has moved, by how much of the screen.
SHIFTS = """
    window.shift = 0;
    new PerformanceObserver((list) => list.getEntries().forEach(({value}) => (shift += value)))
        .observe({type: "layout-shift", buffered: true});
"""


@in_browser
@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_it_keeps_the_place_of_what_comes_late(page, width, theme):
    look(page, width, theme)
    with prepared(page, SHIFTS):
        opened(page, page.current_url)
    settled(page)
    wait(page, lambda _: blank(page) == [])
    drawn(page)
    assert page.execute_script("return shift") < 0.05


@in_browser
@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_everybody_can_use_it(page, width, theme):
    """With everything open that can be; axe finds nothing at all, however slight."""
    look(page, width, theme)
    settled(page)
    press(page, part(page, "comparar"), "Comparar")
    for name in ("capas", "codigo", "camino", "mapa", "tapar", "perder", "comparar", "guardar"):
        part(page, name)
    page.execute_script(
        "document.querySelectorAll('.live details').forEach((one) => (one.open = true))"
    )
    wait(page, lambda _: page.find_elements(CSS, ".live-networks canvas"))
    drawn(page)
    assert page.execute_script(TOO_WIDE) == []
    assert barriers(page) == []
    sliders = page.find_elements(CSS, ".live input[type=range]")
    assert len(sliders) > 10 and min(slider.rect["height"] for slider in sliders) >= 24
    assert english(BeautifulSoup(page.page_source, "html.parser")) == []


@in_browser
def test_every_control_has_a_name_and_is_reached_from_the_keyboard(page):
    for place in page.find_elements(CSS, ".live"):
        for control in place.find_elements(CSS, "button, input, select, canvas[tabindex]"):
            assert control.accessible_name, control.get_attribute("outerHTML")
            # The points of the map are one stop, with arrows between them.
            assert control.get_attribute("tabindex") != "-1" or "live-point" in control.get_attribute("class")


@in_browser
def test_it_works_in_a_subfolder_of_a_host_and_asks_no_other(browser, book):
    with served(book.parent) as host:
        browser.get_log("performance")
        look(browser, *LOOKS[0])
        opened(browser, f"{host}/{book.name}/{PAGE}")
        press(browser, part(browser, "comparar"), "Comparar")
        wait(browser, lambda _: browser.find_elements(CSS, ".live-networks canvas"))
        asked = [
            address
            for address in sent(browser)
            if not address.startswith(("data:", "about:", "blob:", "chrome:"))
        ]
        assert asked and all(address.startswith(f"{host}/") for address in asked)
        browser.get("about:blank")


@in_browser
def test_without_javascript_it_says_so_and_shows_figures(browser, book):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get((book / PAGE).as_uri())
        assert "Esta página necesita JavaScript" in browser.find_element(CSS, "article").text
        assert len(browser.find_elements(CSS, "article figure img")) >= 4
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@in_browser
def test_only_this_page_has_its_scripts_and_they_are_light(book):
    pages = {page: page.read_text(encoding="utf-8") for page in book.rglob("*.html")}
    assert [page for page, text in pages.items() if "live/" in text] == [book / PAGE]
    places = BeautifulSoup(pages[book / PAGE], "html.parser").select(".live")
    scripts = {script.split("?")[0] for place in places for script in place["data-scripts"].split()}
    assert {"data/garments.js", "network.js", "lab.js", "parts/taller.js"} <= scripts
    loaded = ["live.js", "live.css", *scripts, f"data/{FIRST.name}.js"]
    sizes = [len(gzip.compress((book / "_static" / "live" / file).read_bytes())) for file in loaded]
    assert sum(sizes) < 1.5e6


@in_browser
def test_it_is_linked_from_the_cover_and_from_the_chapters_that_it_brings_to_life(book):
    for name in (
        "portada",
        "notebooks/02-autoencoder",
        "notebooks/08-pixeles-que-faltan",
        "notebooks/12-espacio-latente",
        "notebooks/13-corrigiendo-el-modelo",
    ):
        page = BeautifulSoup((book / f"{name}.html").read_bytes(), "html.parser")
        assert page.select('article a[href*="laboratorio.html"]'), name
