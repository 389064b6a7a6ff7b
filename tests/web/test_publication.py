"""The book before others: its address, what links and citations say of it, the workflows, `make serve`."""

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from time import sleep
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener
from xml.etree import ElementTree

import pytest
import yaml
from bs4 import BeautifulSoup
from PIL import Image
from pybtex.database import parse_file

from moda.configurations import CHOSEN
from moda.data import PROJECT
from moda.runs import store

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
CITATION = yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
ADDRESS = "https://usuario.github.io/moda/"


@cache
def pages_of(html: Path) -> dict[str, BeautifulSoup]:
    """The pages that have a source, by their path; not the search page and the like."""
    pages = {
        path.relative_to(html).with_suffix("").as_posix(): BeautifulSoup(path.read_bytes(), "html.parser")
        for path in [*html.glob("*.html"), *html.glob("notebooks/*.html")]
    }
    return {name: page for name, page in pages.items() if name not in ("search", "genindex")}


def test_one_address_gives_every_page_its_own(hosted):
    for name, page in pages_of(hosted).items():
        address = ADDRESS if name in ("index", "portada") else f"{ADDRESS}{name}.html"
        assert page.select_one("link[rel=canonical]")["href"] == address
        properties = {tag["property"]: tag["content"] for tag in page.select("meta[property^=og]")}
        assert properties["og:url"] == address
        title = re.sub(r"^\d+\. ", "", page.h1.get_text().strip().removesuffix("#"))
        assert properties["og:title"] == title
        assert properties["og:description"] == page.select_one("meta[name=description]")["content"]
        assert (hosted / properties["og:image"].removeprefix(ADDRESS)).is_file()


def test_links_to_the_repository_lead_to_files_that_it_has(hosted, repository):
    for name, page in pages_of(hosted).items():
        links = [link["href"] for link in page.select(".bd-header-article a[href^=https]")]
        sources = [link.removeprefix(f"{repository}/edit/main/") for link in links if "/edit/" in link]
        notebooks = [link.split("urlpath=lab/tree/")[1] for link in links if "mybinder.org" in link]
        assert repository in links
        assert len(sources) == 1
        assert len(notebooks) == name.startswith("notebooks/")
        for path in sources + notebooks:
            assert (PROJECT / path).is_file()
            assert not any(parent.is_symlink() for parent in (PROJECT / path).parents), (
                "GitHub follows no link"
            )
            assert path.endswith(".md") or path in notebooks


def test_buttons_to_the_repository_are_in_spanish(hosted):
    page = pages_of(hosted)["notebooks/02-autoencoder"]
    buttons = page.select(".dropdown-source-buttons button, .dropdown-launch-buttons button")
    links = page.select(".dropdown-source-buttons a, .dropdown-launch-buttons a")
    assert [button["aria-label"] for button in buttons] == ["Abrir el cuaderno en línea", "Repositorio"]
    assert [link["title"] for link in links] == ["Abrir en Binder", "Repositorio", "Proponer un cambio"]
    assert [link.get_text().strip() for link in links] == ["Binder", "Repositorio", "Proponer un cambio"]


def test_sitemap_lists_the_pages(hosted):
    locations = [place.text for place in ElementTree.parse(hosted / "sitemap.xml").findall("{*}url/{*}loc")]
    names = set(pages_of(hosted)) - {"index", "portada"}
    assert set(locations) == {ADDRESS, *(f"{ADDRESS}{name}.html" for name in names)}


def test_without_an_address_nothing_pretends_to_have_one(book):
    assert not (book / "sitemap.xml").exists()
    for page in pages_of(book).values():
        assert not page.select("link[rel=canonical], meta[property^=og], .bd-header-article a[href^=http]")
    assert "url" not in pages_of(book)["como-citar"].select_one(".highlight-bibtex").get_text()


def test_the_host_shows_the_cover_first_and_every_file(book):
    assert pages_of(book)["index"].h1.get_text().startswith(pages_of(book)["portada"].h1.get_text())
    # Without it GitHub Pages leaves out what starts with an underscore.
    assert (book / ".nojekyll").exists()


def test_every_page_has_a_description_of_its_own(book):
    pages = {
        name: page for name, page in pages_of(book).items() if name != "index"
    }  # which is the cover again
    descriptions = [
        [tag["content"] for tag in page.select("meta[name=description]")] for page in pages.values()
    ]
    assert {len(tags) for tags in descriptions} == {1}
    assert len({tags[0] for tags in descriptions}) == len(pages)
    assert all(50 < len(tags[0]) <= 160 for tags in descriptions)


def test_card_has_the_size_that_its_tags_say(hosted):
    page = pages_of(hosted)["portada"]
    width, height = (
        int(page.select_one(f"meta[property$={side}]")["content"]) for side in ("width", "height")
    )
    card = PROJECT / "book" / "_assets" / "tarjeta.png"
    assert Image.open(card).size == (width, height) == (1200, 630)
    assert card.stat().st_size < 150_000


@pytest.mark.parametrize("picture", ["portada", "tarjeta"])
def test_pictures_are_drawn_with_the_network_of_the_reference(picture):
    """If not: `python book/_extension/card.py`."""
    network = store.find(CHOSEN[64].autoencoder, weights=True)
    weights = (network.folder / store.WEIGHTS).read_bytes()
    drawn = Image.open(PROJECT / "book" / "_assets" / f"{picture}.png")
    assert drawn.text["Source"] == hashlib.sha256(weights).hexdigest()


def test_the_cover_leads_to_the_code_and_to_binder_where_there_is_an_address(hosted, book, repository):
    def leads(html: Path) -> list[str]:
        return [link["href"] for link in pages_of(html)["portada"].select("article a[href^=https]")]

    binder = "https://mybinder.org/v2/gh/Usuario/moda/main?urlpath=lab/tree/notebooks"
    assert (leads(hosted), leads(book)) == ([repository, binder], [])


def test_citation_is_the_packages(hosted):
    package = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert (CITATION["version"], CITATION["license"]) == (package["version"], package["license"])
    changes = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {CITATION['version']} - {CITATION['date-released']}\n" in changes
    article = pages_of(hosted)["como-citar"].article
    book, paper = (block.get_text() for block in article.select(".highlight-bibtex"))
    for part in (CITATION["title"], CITATION["version"], CITATION["authors"][0]["name"], ADDRESS):
        assert part in article.blockquote.get_text()
        assert part in book
    entry = parse_file(PROJECT / "book" / "references.bib").entries["santamaria2024"]
    assert f"{{{entry.fields['title']}}}" in paper
    assert str(entry.persons["author"][0]) in paper
    assert entry.fields["year"] in paper


@pytest.mark.parametrize(
    ("schema", "files"),
    [("github-workflows", ".github/workflows/*.yml"), ("citation-file-format", "CITATION.cff")],
)
def test_files_that_github_reads_are_valid(schema, files):
    found = list(PROJECT.glob(files))
    assert found
    options = ["--builtin-schema", f"vendor.{schema}", "--default-filetype", "yaml"]
    done = subprocess.run([BIN / "check-jsonschema", *options, *found], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_workflows_take_actions_by_their_commit_and_grant_each_job_its_own_permissions():
    workflows = list(PROJECT.glob(".github/workflows/*.yml"))
    assert workflows
    for file in workflows:
        text = file.read_text(encoding="utf-8")
        for used in re.findall(r"uses: (.*)", text):
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", used), f"{file.name}: {used}"
        workflow = yaml.safe_load(text)
        assert workflow["permissions"] == {}, file.name
        assert all("permissions" in job for job in workflow["jobs"].values()), file.name


def make(*arguments: str) -> list[str]:
    """A command of the Makefile in this environment, which is complete."""
    # Under `make test` it would say first which folder it enters.
    quiet = "--no-print-directory"
    # Relative, as the Makefile has it: a folder above may have a blank in its name.
    programs = f"BIN={os.path.relpath(BIN, PROJECT)}"
    return ["make", quiet, *arguments, "--old-file=.venv/.installed", programs]


def test_reproduce_takes_a_folder_with_any_name(tmp_path):
    """All of it, for a chapter without trainings."""
    folder = tmp_path / "mis corridas de mañana"
    command = make("reproduce", "CHAPTERS=1", f"OUT={folder}")
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == [folder]
    assert list((folder / "notebooks").iterdir()) == [folder / "notebooks" / "01-conjunto-de-datos.ipynb"]
    assert "0 of 0 runs equal the reference" in done.stdout


def test_serve_builds_the_book_only_where_there_is_none(tmp_path):
    def announced(html: Path) -> str:
        command = make("--dry-run", "serve", f"HTML={html}")
        return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout

    (tmp_path / "index.html").touch()
    assert "jupyter-book build" not in announced(tmp_path)
    assert "jupyter-book build" in announced(tmp_path / "missing")


def test_serve_shows_the_book_or_says_that_the_port_is_taken(tmp_path):
    (tmp_path / "index.html").write_text("El libro")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = make("serve", f"HTML={tmp_path}", f"PORT={port}")
        refused = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert refused.returncode != 0
    assert f"Port {port} cannot be had" in refused.stderr
    assert "Traceback" not in refused.stderr
    options = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.DEVNULL,
        "text": True,
        "start_new_session": True,
    }
    with subprocess.Popen(command, cwd=PROJECT, **options) as server:
        try:
            address = next(word for word in server.stdout.readline().split() if word.startswith("http"))
            assert answer(address) == "El libro"
        finally:
            os.killpg(server.pid, signal.SIGINT)  # what Ctrl-C does


def answer(address: str, tries: int = 100) -> str:
    """What the server says, once it is there."""
    for left in reversed(range(tries)):
        try:
            return build_opener(ProxyHandler({})).open(address).read().decode()
        except URLError:
            if not left:
                raise
            sleep(0.1)
