"""The page "Laboratorio": each thing that a reader can do on it."""

import re

import numpy as np
import pytest
import torch
from lab_page import (
    BOOT,
    FIRST,
    NETWORKS,
    draw,
    drawn,
    in_browser,
    model_of,
    opened,
    part,
    picture,
    press,
    shown,
    slide,
    state,
    take,
    verdict,
    wait,
)
from PIL import Image, ImageDraw
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from test_browser import CSS

from moda import evaluation
from moda.data import CLASSES


@in_browser
def test_a_garment_is_chosen_from_a_hundred(page):
    place = part(page, "taller")
    shelf = Select(place.find_element(CSS, ".live-choice select"))
    assert [option.text for option in shelf.options] == list(CLASSES)
    shelf.select_by_visible_text("Sandalia")
    drawn(page)
    assert state(page)["garment"] // 10 == CLASSES.index("Sandalia")
    assert "Su etiqueta: Sandalia." in place.text
    assert len(place.find_elements(CSS, ".live-garment")) == 10
    piece = take(place, "Sandalia 10")
    drawn(page)
    assert piece.get_attribute("aria-pressed") == "true"
    assert verdict(page).startswith("La red ve: Sandalia"), "the clearest of its class"


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
    take(place, "Bota 7")
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
    positions = page.execute_script("return [96, 72].map((index) => garmentData.positions[index])")
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
        probabilities = model_of(network.classifier)(x).softmax(1)[0]
        assert f"{CLASSES[probabilities.argmax()]}, {100 * probabilities.max():.1f} %" in caption.text
