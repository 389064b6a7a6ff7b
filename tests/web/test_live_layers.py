"""The live figures of chapter 2, driven in Chromium as a reader would and compared with PyTorch's layers."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lab_page import FIRST, drawn, model_of, press, shown, slide, wait
from live_page import AUTOENCODER, choose, first_of, numbers, pointer, said
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_browser import CSS

from moda.networks import Autoencoder

pytestmark = pytest.mark.slow


@torch.no_grad()
def test_a_filter_in_each_place(browser, figure, fashion_mnist):
    place = figure(AUTOENCODER, "convolucion")
    boot = first_of(fashion_mnist, "Bota").float()
    picture, map_ = place.find_elements(By.TAG_NAME, "canvas")
    assert "suman 239" in said(place), "as in the static figure"

    def agrees(kernel: torch.Tensor, bias: float = 0.0) -> None:
        row, column = map(int, re.match(r"Fila (\d+), columna (\d+)", said(place)).groups())
        piece = boot[row : row + 3, column : column + 3]
        assert numbers(place, "Los píxeles") == piece.flatten().tolist()
        assert numbers(place, "× el filtro") == pytest.approx(kernel.flatten().tolist(), abs=6e-4)
        products = (piece * kernel).flatten().tolist()
        assert numbers(place, "= los productos") == pytest.approx(products, abs=6e-3)
        total = re.search(r"suman (-?\d+(?:\.\d+)?)", said(place))
        assert float(total[1]) == pytest.approx(sum(products), abs=6e-3)
        sums = F.conv2d(boot[None, None], kernel[None, None])[0, 0] + 255 * bias
        for after, output in [
            ("ReLU", sums.relu()),
            ("ReLU y max pooling", F.max_pool2d(sums.relu()[None], 2)[0]),
        ]:
            choose(browser, place, "Después", after)
            scaled = 255 * output / (output.max() or 1)
            assert np.abs(shown(browser, map_) - scaled.numpy()).max() <= 1
        choose(browser, place, "Después", "nada")

    edge = torch.tensor([[-1.0, 0, 1]]).repeat(3, 1)
    agrees(edge)
    choose(browser, place, "Filtro", "Borde horizontal (el traspuesto)")
    pointer(browser, picture, 20, 5).click_and_hold().perform()
    pointer(browser, picture, 8, 21).perform()
    webdriver.ActionChains(browser).release().perform()
    assert said(place).startswith("Fila 7, columna 20")
    agrees(edge.T)
    choose(browser, place, "Filtro", "Desenfoque")
    map_.send_keys(Keys.ARROW_UP * 30, Keys.ARROW_LEFT)
    assert said(place).startswith("Fila 0, columna 19")
    agrees(torch.full((3, 3), 1 / 9))
    first = model_of(FIRST.autoencoder).encoder[0]
    for k in (0, 11):
        choose(browser, place, "Filtro", f"Entrenado {k + 1}")
        agrees(first.weight[k, 0], first.bias[k].item())
    choose(browser, place, "Filtro", "Borde vertical")
    edited = place.find_elements(CSS, ".live-numbers input")[4]
    edited.clear()
    edited.send_keys("2.5")
    edge[1, 1] = 2.5
    agrees(edge)
    wait(browser, lambda _: "filtro=19&pesos=-1,0,1,-1,2.5,1,-1,0,1" in browser.current_url)


@torch.no_grad()
def test_what_each_stage_delivers_and_from_where(browser, figure, fashion_mnist):
    place = figure(AUTOENCODER, "arquitectura")
    model = model_of(FIRST.autoencoder)
    x = first_of(fashion_mnist, "Bota")[None, None] / 255
    outputs = [x]
    for layer in [*model.encoder, *model.decoder]:
        y = layer(outputs[-1])
        if isinstance(layer, torch.nn.ReLU | torch.nn.Sigmoid | torch.nn.Dropout):
            outputs[-1] = y
        else:
            outputs.append(y)
    stages = place.find_elements(CSS, ".live-stages button")
    shapes = [" × ".join(map(str, output.shape[1:])) for output in outputs]
    assert [stage.text.split("\n")[1] for stage in stages] == shapes
    _, maps = place.find_elements(By.TAG_NAME, "canvas")
    address = "script[src*='articulo-64.js']"
    assert not browser.find_elements(CSS, address), "the network waits until it is asked for"
    for k in (1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10):
        stages[k].click()
        wait(browser, lambda _, k=k: stages[k].get_attribute("aria-pressed") == "true")
        drawn(browser)
        output = outputs[k][0]
        rows = output.view(1, -1, 40 if len(output) > 100 else 16) if output.dim() == 1 else output
        count, height, width = rows.shape
        across = max(1, count // 4)
        painted = shown(browser, maps)
        assert painted.shape == (-(-count // across) * (height + 1) - 1, across * (width + 1) - 1)
        for c in range(count):
            top, left = c // across * (height + 1), c % across * (width + 1)
            one = painted[top : top + height, left : left + width]
            assert np.abs(one - 255 * (rows[c] / rows.max()).numpy()).max() <= 1
        maps.send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT * 2)
        assert f": {rows[0, 1, 2]:.2f}".rstrip("0").rstrip(".") in said(place)

    # The pixels that reach a number are those by which it changes.
    stages[4].click()
    maps.send_keys(Keys.ARROW_DOWN * 3, Keys.ARROW_RIGHT * 7)  # over a line
    assert said(place).startswith("Mapa 1, fila 3, columna 2: ")
    x = torch.rand_like(x).requires_grad_()
    with torch.enable_grad():
        torch.nn.Sequential(*list(model.encoder)[:8])(x)[0, :, 3, 2].sum().backward()
    _, _, touched_rows, touched_columns = x.grad.nonzero(as_tuple=True)
    reached = [
        int(number)
        for number in re.findall(r"filas (\d+) a (\d+) y las columnas (\d+) a (\d+)", said(place))[0]
    ]
    top, bottom, left, right = reached
    assert top <= touched_rows.min() and touched_rows.max() <= bottom
    assert left <= touched_columns.min() and touched_columns.max() <= right
    assert reached == [12, 21, 8, 17]

    # The address may say a line between two maps.
    place = figure(AUTOENCODER, "arquitectura", "#parte=arquitectura&etapa=1&fila=26&columna=53")
    assert said(place).startswith("Mapa 1, fila 25, columna 25: ")

    # And where none reaches, on the picture too.
    reconstruction = model(x.detach())[0, 0]
    same = (model(torch.rand_like(x))[0, 0] == reconstruction).nonzero()
    for row, column, reaches in [(24, 24, True), (25, 3, False), (3, 27, False)]:
        address = f"#parte=arquitectura&etapa=10&fila={row}&columna={column}"
        place = figure(AUTOENCODER, "arquitectura", address)
        begins = f"Mapa 0, fila {row}, columna {column}: "
        wait(browser, lambda _, place=place, begins=begins: said(place).startswith(begins))
        assert ([row, column] not in same.tolist()) == reaches
        assert said(place).endswith("Ningún píxel de la prenda llega a él: es igual con todas.") != reaches
        cursor, _ = place.find_elements(CSS, ".live-cursor")
        assert cursor.is_displayed() == reaches


def test_the_stamps_and_their_sum(browser, figure):
    place = figure(AUTOENCODER, "sellos")
    stamp = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    small = torch.tensor([[1.0, 2], [3, 4]])

    def agrees(stride: int) -> None:
        for k, value in enumerate(small.flatten().tolist()):
            alone = torch.zeros(4).index_fill(0, torch.tensor(k), value).view(1, 1, 2, 2)
            output = F.conv_transpose2d(alone, stamp[None, None], stride=stride)
            title = f"El sello del {value:g}".replace("-", "−")
            assert numbers(place, title) == output.flatten().tolist()
        together = F.conv_transpose2d(small[None, None], stamp[None, None], stride=stride)
        assert numbers(place, "La salida: la suma") == together.flatten().tolist()

    agrees(2)
    assert ": 9 de 25" in said(place)
    choose(browser, place, "Paso", "1")
    agrees(1)
    assert ": 12 de 16" in said(place)
    for index, value in [(1, -7), (4, 0.5)]:  # of the input and of the stamp
        cell = place.find_elements(CSS, ".live-numbers input")[index]
        cell.clear()
        cell.send_keys(str(value))
    small[0, 1], stamp[0, 0] = -7, 0.5
    agrees(1)
    address = "#parte=sellos&entrada=1,-7,3,4&sello=0.5,2,1,2,4,2,1,2,1&paso=1"
    wait(browser, lambda _: browser.current_url.endswith(address))
    place = figure(AUTOENCODER, "sellos", address)
    agrees(1)
    press(browser, place, "Volver al comienzo")
    small[0, 1], stamp[0, 0] = 2, 1
    agrees(2)


def test_a_weight_goes_down_by_its_slope_or_past_the_bottom(browser, figure, fashion_mnist):
    torch.manual_seed(4)
    network = Autoencoder(64).eval().double()
    x = fashion_mnist.train[:100].pixels.double()
    with torch.no_grad():
        network.decoder[-3].bias.zero_()
        before = torch.logit(network(x))

    def at(weight: float) -> tuple[float, float, float]:
        """The error, its slope, and the slope of that."""
        bias = torch.tensor(weight, dtype=torch.double, requires_grad=True)
        loss = F.mse_loss((before + bias).sigmoid(), x)
        (slope,) = torch.autograd.grad(loss, bias, create_graph=True)
        return loss.item(), slope.item(), torch.autograd.grad(slope, bias)[0].item()

    def agrees(weight: float, rate: float, steps: int) -> None:
        error, slope, _ = at(weight)
        errors = [error]
        told = f"El ECM es {error:.4f}; la pendiente, {short(slope, 4)}."
        for step in range(1, steps + 1):
            number = short(slope, 4)
            product = f"{rate} × " + (f"({number})" if slope < 0 else number)
            told = f"Paso {step}: {short(weight, 2)} - {product} = {short(weight - rate * slope, 2)}. "
            weight -= rate * slope
            error, slope, _ = at(weight)
            told += f"El ECM {'sube' if error > errors[-1] else 'baja'} a {error:.4f}; "
            told += f"la pendiente es {short(slope, 4)}."
            errors.append(error)
        assert said(place) == told
        dots = [stop.get_attribute("d").split(",") for stop in place.find_elements(CSS, ".live-stop")]
        assert [float(dot[-1]) for dot in dots] == pytest.approx(
            [164 - 568 * (error - 0.1) for error in errors], abs=0.06
        )

    place = figure(AUTOENCODER, "gradiente")
    start, rate = place.find_elements(CSS, "input")
    text = browser.find_element(By.TAG_NAME, "main").text
    (printed,) = re.findall(r"Gradiente de PyTorch:\s+(0\.\d+)", text)
    assert printed == f"{at(0.5)[1]:.7f}", "the same weight as in the text"
    agrees(0.5, 5, 0)
    press(browser, place, "Un paso")
    agrees(0.5, 5, 1)
    slide(browser, rate, 25)
    agrees(0.5, 25, 1)
    press(browser, place, "Diez pasos")
    agrees(0.5, 25, 11)
    assert "baja" in said(place)
    press(browser, place, "Un paso")
    agrees(0.5, 25, 12)
    assert "sube" in said(place), "it does not stop at the bottom"
    wait(browser, lambda _: browser.current_url.endswith("#parte=gradiente&valor=0.5&tasa=25&pasos=12"))
    start.send_keys(Keys.HOME)
    agrees(-4, 25, 0)

    weight = 0.0
    for _ in range(100):
        weight -= 10 * at(weight)[1]
    assert f"con una tasa menor que {2 / at(weight)[2]:.1f} cada paso" in place.text


def short(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")
