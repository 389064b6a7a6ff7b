"""The networks and the test images of the page "Laboratorio", brought into the site as it is built.

As base64 in classic scripts, because a page that is opened as a file may not fetch. The weights are the bytes
of the runs' own files.
"""

import base64
import json
from pathlib import Path

import jupytext
from sphinx.errors import ExtensionError

from moda import data
from moda.book import laboratory
from moda.book.notebook import declared
from moda.runs import store

PAGE = "notebooks/laboratorio"


def equip(app, page, template, context, doctree):
    """Give the page its scripts; the networks after the first come when a reader asks for them."""
    if page != PAGE or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "_static" / "laboratorio"
    first = write(Path(app.srcdir) / f"{PAGE}.md", folder)
    for script in ("red.js", "datos.js", "laboratorio.js", f"{first}.js"):
        app.add_js_file(f"laboratorio/{script}", loading_method="defer")
    app.add_css_file("laboratorio/laboratorio.css")


def write(notebook: Path, folder: Path) -> str:
    """Write the scripts with what is computed on; returns the name of the first network."""
    folder.mkdir(parents=True, exist_ok=True)
    networks = laboratory.networks(declared(jupytext.read(notebook))[1])
    for network in networks:
        runs = [run for run in (network.autoencoder, network.classifier) if run]
        weights = [_base64((_stored(run).folder / store.WEIGHTS).read_bytes()) for run in runs]
        _script(folder / f"{network.name}.js", f"laboratorio.recibir({json.dumps([network.name, *weights])})")

    test = data.load().test
    positions = laboratory.chosen(_stored(networks[0].classifier).model(), test)
    chosen = test[positions]
    content = {
        "clases": data.CLASSES,
        "imagenes": _base64(chosen.images.numpy().tobytes()),
        "etiquetas": chosen.labels.tolist(),
        "posiciones": positions.tolist(),
        "redes": [_described(network) for network in networks],
    }
    _script(folder / "datos.js", f"laboratorioDatos = {json.dumps(content, ensure_ascii=False)}")
    return networks[0].name


def _described(network: laboratory.Network) -> dict:
    runs = {"autoencoder": network.autoencoder, "clasificador": network.classifier}
    return {
        "id": network.name,
        "titulo": network.title,
        "n": network.autoencoder.n,
        "corregida": network.mended,
        "capas": {name: laboratory.layers(run.network().eval()) for name, run in runs.items() if run},
        "python": {name: laboratory.expression(run) for name, run in runs.items() if run},
        "kB": round(
            sum((_stored(run).folder / store.WEIGHTS).stat().st_size for run in runs.values() if run) / 1e3
        ),
    }


def _stored(run) -> store.Result:
    found = store.find(run, weights=True)
    if not found:
        raise ExtensionError(f"The page {PAGE} needs the weights of {store.folder_name(run)}")
    return found


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _script(path: Path, content: str) -> None:
    path.write_text(f"globalThis.{content};\n", encoding="utf-8")


def setup(app):
    app.connect("html-page-context", equip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
