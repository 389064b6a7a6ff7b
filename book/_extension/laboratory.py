"""The networks and the test images of the laboratory, brought into the site as it is built.

As base64 in classic scripts, because a page that is opened as a file may not fetch. The weights are the bytes
of the runs' own files; with them come the codes of the page's images.
"""

import base64
import json
from functools import cache
from pathlib import Path

import jupytext
import torch
from sphinx.errors import ExtensionError

from moda import data, evaluation
from moda.book import laboratory, live_figures
from moda.book.notebook import declared
from moda.runs import store

PAGE = "notebooks/laboratorio"
# On how many training images the page trains chapter 2's autoencoder, and chapter 6's last layers.
IMAGES, CODES = 2000, 4000


@cache
def write(app, folder: Path) -> None:
    """Write the scripts with what live parts compute on: once in a build, if a page has one that does."""
    folder.mkdir(parents=True, exist_ok=True)
    networks = laboratory.networks(declared(jupytext.read(Path(app.srcdir) / f"{PAGE}.md"))[1])
    _script(folder / "networks.js", "globalThis.networkData", [_described(network) for network in networks])

    images = data.load()
    shown = images.train[:IMAGES].images.numpy().tobytes()
    _script(folder / "training.js", "globalThis.trainingData", shown)
    codes = laboratory.codes(_stored(networks[0].autoencoder).model(), images.train[:CODES])
    _script(folder / "codes.js", "globalThis.codeData", codes)

    test = images.test
    _script(folder / "firsts.js", "globalThis.firstData", _firsts(networks[0], test))
    positions = laboratory.chosen(_stored(networks[0].classifier).model(), test)
    chosen = test[positions]
    content = {
        "classes": data.CLASSES,
        "images": chosen.images.numpy().tobytes(),
        "labels": chosen.labels.tolist(),
        "positions": positions.tolist(),
    }
    _script(folder / "garments.js", "globalThis.garmentData", content)
    for network in networks:
        paths = {name: _stored(run).folder / store.WEIGHTS for name, run in network.runs.items()}
        files = {name: path.read_bytes() for name, path in paths.items()}
        codes = evaluation.encode(_stored(network.autoencoder).model().encoder, chosen)
        files["codes"] = codes.numpy().tobytes()
        _script(folder / f"{network.name}.js", f'Models.files["{network.name}"]', files)
    _write_figures(Path(app.srcdir) / "notebooks", folder, networks[0], images)


def _write_figures(
    notebooks: Path, folder: Path, network: laboratory.Network, images: data.FashionMNIST
) -> None:
    """What the live figures of the chapters show, each on the runs of its notebook."""
    test = images.test
    model = _stored(network.autoencoder).model()
    matrix, cells = live_figures.confusion(_stored(network.classifier).model(), test)
    _script(folder / "confusion.js", "globalThis.confusionData", matrix)
    for name, cell in cells.items():
        _script(folder / f"confusion-{name}.js", f'confusionData.cells["{name}"]', cell)

    _, (run,) = declared(jupytext.read(notebooks / "02-autoencoder.md"))
    torch.manual_seed(run.seed)
    batch = images.train[: run.batch_size]
    _script(
        folder / "gradient.js",
        "globalThis.gradientData",
        live_figures.one_weight(run.network().eval(), batch),
    )

    averaged, _ = declared(jupytext.read(notebooks / "03-curvas-promediadas.md"))
    _script(
        folder / "curves.js",
        "globalThis.curveData",
        live_figures.curves([_stored(run, False) for run in averaged]),
    )
    _script(folder / "brightness.js", "globalThis.brightnessData", live_figures.brightness(model, test))

    shown, first = declared(jupytext.read(notebooks / "09-importa-n.md"))
    of_size = {
        one.n: [_stored(run, False) for run in shown if run.kind == one.kind and run.n == one.n]
        for one in first
    }
    models = {run.n: _stored(run).model() for run in first}
    _script(
        folder / "sizes.js", "globalThis.sizeData", live_figures.by_size(of_size, models, test[[0, 1, 2, 8]])
    )

    places, codes = live_figures.latent_map(model, test)
    _script(folder / "map.js", "globalThis.mapData", places)
    _script(folder / "map-codes.js", "mapData.codes", codes)


def _described(network: laboratory.Network) -> dict:
    runs = network.runs
    return {
        "id": network.name,
        "title": network.title,
        "n": network.autoencoder.n,
        "layers": {name: laboratory.layers(run.network().eval()) for name, run in runs.items()},
        "python": {name: laboratory.expression(run) for name, run in runs.items()},
        # Four letters of base64 for three bytes.
        "kB": round(sum((_stored(run).folder / store.WEIGHTS).stat().st_size for run in runs.values()) / 750),
    }


def _firsts(network: laboratory.Network, test: data.Images) -> dict:
    """The first test image of each class, its scores before the ReLU, and the first filters."""
    firsts = live_figures.firsts(test)
    model, classifier = (_stored(run).model().eval() for run in network.runs.values())
    with torch.no_grad():
        scores = classifier.head[0](classifier.encoder(firsts.pixels))
    filters = [tensor.detach().flatten() for tensor in (model.encoder[0].weight, model.encoder[0].bias)]
    return {
        "classes": data.CLASSES,
        "images": firsts.images.numpy().tobytes(),
        "scores": scores.numpy().tobytes(),
        "filters": torch.cat(filters).numpy().tobytes(),
    }


def _stored(run, weights: bool = True) -> store.Result:
    found = store.find(run, weights=weights)
    if not found:
        raise ExtensionError(
            f"The live parts need {store.folder_name(run)}" + (", with its weights" if weights else "")
        )
    return found


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _script(path: Path, name: str, value) -> None:
    path.write_text(f"{name} = {json.dumps(value, ensure_ascii=False, default=_base64)};\n", encoding="utf-8")
