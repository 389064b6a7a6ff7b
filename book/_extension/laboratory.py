"""The networks and the test images of the laboratory, brought into the site as it is built.

As base64 in classic scripts, because a page that is opened as a file may not fetch. The weights are the bytes
of the runs' own files.
"""

import base64
import json
from functools import cache
from pathlib import Path

import jupytext
from sphinx.errors import ExtensionError

from moda import data
from moda.book import laboratory
from moda.book.notebook import declared
from moda.runs import store

PAGE = "notebooks/laboratorio"


@cache
def write(app, folder: Path) -> None:
    """Write the scripts with what live parts compute on: once in a build, if a page has one that does."""
    folder.mkdir(parents=True, exist_ok=True)
    networks = laboratory.networks(declared(jupytext.read(Path(app.srcdir) / f"{PAGE}.md"))[1])
    for network in networks:
        runs = [run for run in (network.autoencoder, network.classifier) if run]
        weights = [_base64((_stored(run).folder / store.WEIGHTS).read_bytes()) for run in runs]
        _script(folder / f"{network.name}.js", f'Models.weights["{network.name}"]', weights)
    _script(folder / "networks.js", "globalThis.networkData", [_described(network) for network in networks])

    test = data.load().test
    positions = laboratory.chosen(_stored(networks[0].classifier).model(), test)
    chosen = test[positions]
    content = {
        "classes": data.CLASSES,
        "images": _base64(chosen.images.numpy().tobytes()),
        "labels": chosen.labels.tolist(),
        "positions": positions.tolist(),
    }
    _script(folder / "garments.js", "globalThis.garmentData", content)


def _described(network: laboratory.Network) -> dict:
    runs = {"autoencoder": network.autoencoder, "classifier": network.classifier}
    return {
        "id": network.name,
        "title": network.title,
        "n": network.autoencoder.n,
        "layers": {name: laboratory.layers(run.network().eval()) for name, run in runs.items() if run},
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


def _script(path: Path, name: str, value) -> None:
    path.write_text(f"{name} = {json.dumps(value, ensure_ascii=False)};\n", encoding="utf-8")
