"""The page "Laboratorio": equal to the networks that it shows, light, and open to everybody.

In Chromium, opened as a file.
"""

import base64
import gzip
import re
from functools import partial

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from lab_page import (
    FIRST,
    NETWORKS,
    PAGE,
    blank,
    drawn,
    in_browser,
    model_of,
    opened,
    part,
    picture,
    prepared,
    press,
    shown,
    verdict,
    wait,
)
from selenium.webdriver.common.by import By
from test_browser import CSS, LOOKS, TOO_WIDE, barriers, english, look, sent, served, settled

from moda.book import laboratory
from moda.configurations import PLAIN, AutoencoderRun, ClassifierRun, Frozen
from moda.data import CLASSES, Images
from moda.networks import Autoencoder, Classifier, Encoder


def test_networks_are_pairs_of_an_autoencoder_and_its_classifier():
    small, mended = AutoencoderRun(n=2), AutoencoderRun(all_pixels=True)
    of_small = ClassifierRun(small)
    of_mended = ClassifierRun(mended)
    networks = laboratory.networks([small, of_small, of_mended])
    assert networks == [laboratory.Network(small, of_small), laboratory.Network(mended, of_mended)]
    assert [network.name for network in networks] == ["articulo-2", "corregida-64"]


def test_the_page_has_the_paper_s_networks_and_the_mended_one():
    assert [network.name for network in NETWORKS] == [
        "articulo-64",
        "articulo-128",
        "articulo-256",
        "corregida-64",
    ]


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
    for name in ("capas", "codigo", "camino", "tapar", "perder", "comparar", "guardar"):
        part(page, name)
    page.execute_script("document.querySelectorAll('.live details').forEach((one) => (one.open = true))")
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
            assert control.get_attribute("tabindex") != "-1"


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
def test_its_scripts_are_light(book):
    places = BeautifulSoup((book / PAGE).read_bytes(), "html.parser").select(".live")
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
