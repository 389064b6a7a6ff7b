"""The live figures of chapters 1 and 4, driven in Chromium as a reader would and compared with PyTorch.

And what those of chapter 2 have in common with them.
"""

import base64
import re
from urllib.parse import quote

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lab_page import FIRST, drawn, model_of, part, press, shown, slide, wait
from live_page import AUTOENCODER, CLASSIFIER, DATA, choose, first_of, numbers, pointer, said
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_browser import CSS, LOOKS, barriers, look, settled

from moda.data import CLASSES

pytestmark = pytest.mark.slow
PARTS = [
    (DATA, "pixel"),
    (DATA, "prendas"),
    (AUTOENCODER, "arquitectura"),
    (AUTOENCODER, "convolucion"),
    (AUTOENCODER, "sellos"),
    (AUTOENCODER, "gradiente"),
    (CLASSIFIER, "puntajes"),
    ("03-curvas-promediadas", "curvas"),
    ("05-matriz-de-confusion", "matriz"),
    ("09-importa-n", "neuronas"),
    ("14-que-mide-el-ecm", "brillo"),
]


@pytest.mark.parametrize("chapter, name", PARTS)
@pytest.mark.parametrize("width, theme", [*LOOKS, (768, "light")])
def test_a_figure_has_its_place_before_it_comes_and_bars_nobody(browser, book, chapter, name, width, theme):
    look(browser, width, theme)
    browser.get("about:blank")
    browser.get((book / "notebooks" / f"{chapter}.html").as_uri())
    settled(browser)
    place = browser.find_element(CSS, f'[data-part="{name}"]')
    assert not browser.find_elements(CSS, "script[src*='cases.js']"), "nothing comes before it is near"
    height = place.rect["height"]
    part(browser, name)
    wait(browser, lambda _: place.find_elements(CSS, ".live-question"))
    drawn(browser)
    assert place.rect["height"] == height
    assert not place.find_elements(By.TAG_NAME, "img")
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert barriers(browser, f'[data-part="{name}"]') == []


@pytest.mark.parametrize(
    "chapter, name",
    [
        *((DATA, name) for name in ("pixel", "prendas")),
        *((AUTOENCODER, name) for name in ("arquitectura", "convolucion")),
        ("14-que-mide-el-ecm", "brillo"),
    ],
)
def test_the_garment_of_a_figure_is_taken_to_the_laboratory(browser, figure, fashion_mnist, chapter, name):
    place = figure(chapter, name)
    for garment in ("Bota", "Sandalia"):
        choose(browser, place, "Prenda", garment)
        opens = place.find_element(By.LINK_TEXT, "Al laboratorio").get_attribute("href")
        page, image = opens.split("#imagen=")
        assert page.endswith("/notebooks/laboratorio.html")
        pixels = first_of(fashion_mnist, garment).numpy().tobytes()
        assert base64.urlsafe_b64decode(image + "=" * (-len(image) % 4)) == pixels


def test_the_number_of_a_pixel(browser, figure, fashion_mnist):
    place = figure(DATA, "pixel")
    boot = first_of(fashion_mnist, "Bota")
    assert numbers(place, "El recuadro") == boot[7:15, 11:19].flatten().tolist(), "as in the static figure"
    picture = place.find_element(CSS, "canvas")
    assert (shown(browser, picture) == boot.numpy()).all()
    for row, column in [(3, 20), (27, 0), (16, 9)]:
        pointer(browser, picture, row, column).perform()
        assert said(place).startswith(f"Fila {row}, columna {column}: {boot[row, column]}. ")
    picture.send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert said(place).startswith(f"Fila 17, columna 11: {boot[17, 11]}. ")
    wait(browser, lambda _: browser.current_url.endswith("#parte=pixel&prenda=9&fila=17&columna=11"))
    choose(browser, place, "Prenda", "Abrigo")
    coat = first_of(fashion_mnist, "Abrigo")
    assert said(place).endswith(f"{coat[17, 11]} / 255 = {coat[17, 11] / 255:.3f}.")


def test_the_cost_of_another_answer(browser, figure, fashion_mnist):
    place = figure(DATA, "prendas")
    boot, shirt = (first_of(fashion_mnist, name) / 255 for name in ("Bota", "Manga larga"))
    pictures, control = (
        place.find_elements(By.TAG_NAME, "canvas"),
        place.find_element(CSS, "input[type=range]"),
    )

    def agrees(answer: torch.Tensor) -> None:
        squares = (answer - boot) ** 2
        assert said(place).endswith(f"el ECM: {squares.mean():.4f}.")
        for picture, values in zip(pictures, (boot, answer, (4 * squares).clamp(max=1))):
            assert np.abs(shown(browser, picture) - 255 * values.numpy()).max() <= 1

    agrees(F.pad(boot, (1, 0))[:, :28])
    slide(browser, control, -2)
    agrees(F.pad(boot, (0, 2))[:, 2:])
    choose(browser, place, "Respuesta", "La misma, con otro brillo")
    agrees(boot / 2)
    slide(browser, control, 1.5)
    agrees((1.5 * boot).clamp(max=1))
    choose(browser, place, "Respuesta", "Una mezcla con: Manga larga")
    agrees(torch.lerp(boot, shirt, 0.5))
    slide(browser, control, 100)
    agrees(shirt)
    curve = place.find_element(CSS, ".live-chart")
    assert curve.get_attribute("aria-label") == f"El ECM: {(shirt - boot).square().mean():.4f}"


@pytest.mark.parametrize(
    "answer, amount, shown",
    [(1, 0.3, "0.3"), (1, 1.7, "1.7"), (1, 50, "2"), (0, 2.5, "3"), (0, -40, "1")],
    ids=["a tenth", "another", "too much", "between pixels", "out of all limits"],
)
def test_an_address_may_say_any_amount(browser, figure, answer, amount, shown):
    place = figure(DATA, "prendas", f"#parte=prendas&prenda=9&respuesta={answer}&cuanto={amount}")
    assert place.find_element(By.TAG_NAME, "output").text == shown
    assert place.find_element(CSS, "input[type=range]").get_attribute("value") == shown
    assert "NaN" not in place.get_attribute("innerHTML")


def scores_shown(place) -> list[tuple[str, float, str, float]]:
    """Of each class its name, the probability in percent, the arrow and ŷ − y."""
    rows = [row.text.replace("−", "-").split("\n") for row in place.find_elements(CSS, "tbody tr")]
    found = [re.match(r"(\D+?) (-?[\d.]+) ([\d.]+) % (\S) ?(-?[\d.]+)$", " ".join(row)) for row in rows]
    return [
        (name, float(percent), arrow, float(push))
        for name, _, percent, arrow, push in (f.groups() for f in found)
    ]


def test_the_error_and_where_it_pushes_the_scores(browser, figure, fashion_mnist):
    place = figure(CLASSIFIER, "puntajes")
    classifier = model_of(FIRST.classifier)
    with torch.no_grad():
        raw = classifier.head[0](classifier.encoder(fashion_mnist.test[4:5].pixels))[0]
    sliders = place.find_elements(CSS, "tbody input")

    def agrees(label: int, relu: bool) -> None:
        scores = raw.clone().requires_grad_()
        after = scores.relu() if relu else scores
        after.retain_grad()
        error = F.cross_entropy(after, torch.tensor(label))
        error.backward()
        rows = scores_shown(place)
        assert [name for name, *_ in rows] == list(CLASSES)
        assert [percent for _, percent, *_ in rows] == pytest.approx(
            (100 * after.softmax(0)).tolist(), abs=0.051
        )
        assert [push for *_, push in rows] == pytest.approx(after.grad.tolist(), abs=6e-4)
        arrows = ["✕" if one == 0 else "→" if one < 0 else "←" for one in scores.grad.tolist()]
        assert [arrow for _, _, arrow, _ in rows] == arrows
        curve = place.find_element(CSS, ".live-chart").get_attribute("aria-label")
        assert curve.endswith(f" %: {error:.2f}")

    agrees(6, relu=True)
    place.find_element(CSS, "input[type=checkbox]").click()
    drawn(browser)
    agrees(6, relu=False)
    choose(browser, place, "Clase verdadera", "Bota")
    agrees(9, relu=False)
    slide(browser, sliders[9], 5.5)
    raw[9] = 5.5
    agrees(9, relu=False)
    sliders[0].send_keys(Keys.ARROW_RIGHT)
    drawn(browser)
    raw[0] = (10 * raw[0]).round() / 10 + 0.1  # from the slider's nearest step
    agrees(9, relu=False)
    press(browser, place, "Todos en 0")
    raw[:] = 0
    agrees(9, relu=False)
    assert {percent for _, percent, *_ in scores_shown(place)} == {10.0}
    curve = place.find_element(CSS, ".live-chart").get_attribute("aria-label")
    assert curve == f"El error: 10 %: {np.log(10):.2f}"
    for label, score in (9, -4), (0, 6):
        slide(browser, sliders[label], score)
        raw[label] = score
    agrees(9, relu=False)
    assert float(place.find_element(CSS, ".live-dot").get_attribute("cy")) > 0, "in the picture"


def test_a_case_is_in_the_address_and_nonsense_is_not(browser, figure):
    place = figure(
        AUTOENCODER, "convolucion", "#parte=convolucion&prenda=1&fila=5&columna=6&filtro=2&luego=2"
    )
    assert said(place).startswith("Fila 5, columna 6: ") and "queda el mayor" in said(place)
    browser.execute_script(
        f"location.hash = '{quote('parte=convolucion&fila=99&pesos=a,b&luego=-3', safe='=&')}'"
    )
    drawn(browser)
    assert said(place).startswith("Fila 5, columna 6: ") and "queda el mayor" in said(place)
