"""The page "Laboratorio": what its parts share, which network is shown, its address, what nobody sees yet."""

import base64
import json
import subprocess
import sys
from io import BytesIO

import pytest
from lab_page import (
    BOOT,
    FIRST,
    NETWORKS,
    PAGE,
    blank,
    choice_of_network,
    draw,
    drawn,
    in_browser,
    opened,
    part,
    prepared,
    press,
    shown,
    slide,
    state,
    take,
    verdict,
    wait,
)
from PIL import Image
from pypdf import PdfReader
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from test_browser import CSS


@in_browser
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_a_network_is_chosen(page, network):
    choice_of_network(page).select_by_value(network.name)
    place = part(page, "taller")
    wait(page, lambda _: len(place.find_elements(CSS, ".live-code span")) == network.autoencoder.n)
    wait(page, lambda _: state(page)["network"] == network.name)
    drawn(page)
    assert verdict(page).startswith("La red ve: ")


# The scripts that the page asks for wait until the test lets each come, or fail to.
HOLD = r"""
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
    take(part(page, "taller"), "Bota 1")
    arrives(page, NETWORKS[1])
    after = state(page)
    assert (after["network"], after["garment"], after["code"]) == (NETWORKS[1].name, 90, None)


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
    assert state(page)["garment"] == 96, "what makes no sense is ignored"


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


# When the page has nothing else to do is when the test says so.
IDLE = "window.idle = []; window.requestIdleCallback = (action) => idle.push(action)"


@in_browser
def test_what_is_out_of_sight_is_drawn_one_part_at_a_time_when_there_is_nothing_else_to_do(page):
    with prepared(page, IDLE):
        opened(page, page.current_url)
    drawn(page)
    left = blank(page)
    assert {"camino", "perder"} <= set(left) and "taller" not in left
    while left:
        assert page.execute_script("return idle.length") == 1
        page.execute_script("idle.shift()()")
        before, left = left, blank(page)
        assert len(before) - len(left) <= 1


@in_browser
@pytest.mark.parametrize("script", ["", "delete window.requestIdleCallback"], ids=["as it is", "Safari"])
def test_a_page_that_was_only_opened_has_no_black_picture_for_long(page, script):
    with prepared(page, script):
        opened(page, page.current_url)
    wait(page, lambda _: blank(page) == [])


@in_browser
def test_on_paper_every_part_is_as_it_is_now(page):
    with prepared(page, IDLE):
        opened(page, page.current_url)
    draw(page, BOOT)
    assert "camino" in blank(page)
    paper = PdfReader(BytesIO(base64.b64decode(page.print_page())))
    assert blank(page) == []
    source = page.find_element(CSS, "[data-part=camino] canvas[aria-label=Desde]")
    board = page.find_element(CSS, "[data-part=taller] canvas[aria-label='Lo que ve la red']")
    assert (shown(page, source) == shown(page, board)).all()
    assert sum(len(sheet.images) for sheet in paper.pages) > 30, "the small garments too"
