"""Every number of the book's short texts once more, by NumPy alone, from the stored files and the data set.

These texts are each chapter's "En breve", the conclusions, the summary, the sheet, the cover, the
introduction and the README's results, which `tests/project/test_readme.py` compares with what notebooks give
to the prose. Nothing here or in `independent` computes with the package: it says only where the data are and
what the paper publishes. What the texts say of a number in words is held against it too.

One number is not computed again, the error that ten lines reach in chapter 2: the notebook itself trains that
network, and is executed again by the tests. How long a text reads, how fast training is and what a download
weighs are no results of runs.
"""

import ast
import math
import re
from functools import cache
from itertools import combinations

import nbformat
import numpy as np
import pytest
from independent import evidence, networks
from independent.stored import (
    AUTOENCODER,
    CLASSIFIER,
    FIVE,
    PLAIN,
    PROJECT,
    TEN,
    Run,
    autoencoders,
    classifiers,
    complete,
    labels,
    lost,
    measured,
    order,
    origin,
    stored,
    to_test,
    to_train,
    to_validate,
)
from independent.student import (
    Difference,
    clear,
    lead,
    mean,
    p_value,
    prediction,
    quantile,
    said,
    welch,
)

from moda import paper

NS = list(paper.ACCURACY)
SETS = {"prueba": "test", "validacion": "validation"}
WORDS = {4: "cuatro", 10: "diez"}


def on_both(difference, *which) -> bool:
    """Whether it is clear on the test set and on the validation set."""
    return clear(*(difference(*which, of_set) for of_set in SETS.values()))


def ecm(n=64, of_set="test") -> np.ndarray:
    return measured(autoencoders(n), of_set=of_set)


def accuracy(n=64, of_set="test") -> np.ndarray:
    """Of the complete networks."""
    return measured(complete(n), "accuracy", of_set)


def plain_accuracy(n=64, of_set="test", seeds=None) -> np.ndarray:
    return measured(classifiers(n, seeds, **PLAIN), "accuracy", of_set)


def cost_of_mean_image(known: np.ndarray, asked: np.ndarray) -> float:
    return np.square(asked - known.mean(0, dtype=float)).mean()


def curve(of_set="validation") -> np.ndarray:
    """The ECM of the ten autoencoders that chapter 3 averages, a row for each, after every epoch."""
    return np.array([run.history[f"{of_set}_loss"] for run in autoencoders()])


def after_the_twentieth() -> Difference:
    """What the validation accuracy of the complete networks gains from epochs 18 to 20 to the last three."""
    curves = np.array([run.history["validation_accuracy"] for run in complete()])
    return mean(100 * (curves[:, 27:30] - curves[:, 17:20]).mean(1))


def jumps(of_set: str) -> np.ndarray:
    return np.diff(curve(of_set)[:, 4:]).ravel()


# Chapter 9

TOGETHER = 3  # how many differences of its table hold at once, for the same scores


def of_ecm(one: int, other: int, of_set: str) -> Difference:
    return welch(ecm(one, of_set), ecm(other, of_set))


def of_complete(one: int, other: int, of_set: str) -> Difference:
    return welch(accuracy(one, of_set), accuracy(other, of_set), together=TOGETHER)


def of_plain(one: int, other: int, of_set: str) -> Difference:
    return welch(plain_accuracy(one, of_set), plain_accuracy(other, of_set), together=TOGETHER)


def of_unseen(one: int, other: int, of_set: str) -> Difference:
    """Of the networks that were added to decide, alone."""
    seeds = {64: range(10, 20), 128: range(10, 20), 256: TEN}
    return welch(*(plain_accuracy(n, of_set, seeds[n]) for n in (one, other)))


def verdict(one: int, other: int) -> str:
    both = [of(one, other, of_set) for of in (of_plain, of_unseen) for of_set in SETS.values()]
    signs = {middle > 0 for middle, _ in both}
    if not clear(*both) or len(signs) > 1:
        return f"entre {one} y {other} no se distingue una diferencia"
    return f"con {other} se acierta {'más' if signs == {True} else 'menos'} que con {one}"


def lead_of_one(one: int, other: int) -> Difference:
    """How much a complete network may lead one of another N, with its prediction interval."""
    middle, error, freedom = lead(accuracy(other), accuracy(one), more=1)
    return middle, quantile(0.975, freedom) * error


def p_of_published(one: int, other: int) -> float:
    middle, error, freedom = lead(accuracy(other), accuracy(one), more=1)
    return p_value((published_lead(one, other) - middle) / error, freedom)


def leads(one: int, other: int) -> np.ndarray:
    """Of each complete network of one N over each of the other, in images."""
    return np.rint(100 * np.subtract.outer(accuracy(one), accuracy(other)))


def published_lead(one: int, other: int) -> float:
    return 100 * (paper.ACCURACY[one] - paper.ACCURACY[other])


def as_published(one: int, other: int) -> int:
    """In how many pairs of networks the lead is the published one, or more."""
    return (leads(one, other) >= round(100 * published_lead(one, other))).sum()


# Chapter 10


def gains(of_set: str, seeds=None, **changed) -> np.ndarray:
    """What it adds to the accuracy to start from the autoencoder of the same seed."""
    fresh = {"type": "Fresh", "n": 64, "dropout": 0.2}
    of_fresh, of_pretrained = (classifiers(64, seeds, start, **changed, **PLAIN) for start in (fresh, None))
    return measured(of_pretrained, "accuracy", of_set) - measured(of_fresh, "accuracy", of_set)


def new_groups() -> list[int]:
    """Of a hundred images with a label: all but the first five. Each autoencoder that decides has three."""
    return sorted({run.configuration.get("train_block", 0) for run in stored()})[5:]


def with_few_labels(of_set: str) -> Difference:
    few = {"train_size": 100, "batch_size": 20, "epochs": 100}
    of_groups = [gains(of_set, train_block=group, **few).item() for group in new_groups()]
    return mean(np.reshape(of_groups, (-1, 3)).mean(1))


def with_all_labels(of_set: str) -> Difference:
    """One of the eight of a table: two starts with four counts of labels."""
    return mean(gains(of_set, FIVE), together=8)


# Chapter 13


def corrected(**of_start) -> list[Run]:
    """With plain scores, and the seeds of those that have all corrections."""
    every = classifiers(64, None, of_start={"output_dropout": False, "all_pixels": True}, **PLAIN)
    return classifiers(64, [run.seed for run in every], of_start=of_start, **PLAIN)


def ecm_of_corrected(**of_start) -> float:
    return measured([origin(run) for run in corrected(**of_start)]).mean()


def last_ecm() -> float:
    return ecm_of_corrected(output_dropout=False, all_pixels=True)


def compact_accuracy(of_set="test", **changed) -> np.ndarray:
    start = {"type": "Revised", "n": 32, "dropout": 0.1, "normalised": True, "mirrored": True} | changed
    training = {"epochs": 20, "learning_rate": 2e-3, "decay": True}
    return measured(classifiers(64, None, start, **training, **PLAIN), "accuracy", of_set)


def same_training(of_set: str) -> np.ndarray:
    """The paper's layers, trained as the compact network."""
    return compact_accuracy(of_set, type="Modernised", n=64)


def by_training(of_set: str) -> Difference:
    before = measured(corrected(output_dropout=False, all_pixels=True), "accuracy", of_set)
    return welch(before, same_training(of_set), together=2)


def by_layers(of_set: str) -> Difference:
    return welch(same_training(of_set), compact_accuracy(of_set), together=2)


# The paper and this reproduction


def inside(values: np.ndarray, published: float) -> bool:
    return abs(values.mean() - published) <= prediction(values)


def verdicts() -> dict[str, bool]:
    """Which of the paper's values are where one more run would be."""
    accuracies = {f"exactitud_{n}": inside(accuracy(n), 100 * paper.ACCURACY[n]) for n in NS}
    cross_entropy = inside(measured(complete()), paper.CROSS_ENTROPY)
    return {"ecm": inside(ecm(), paper.ECM), "entropia": cross_entropy} | accuracies


def of_the_paper() -> list[Run]:
    return [run for n in NS for run in (*autoencoders(n), *classifiers(n))]


# Every number, by the notebook that gives it to the prose

NUMBERS = {
    "01": {
        "imagenes": lambda: len(labels("train")) + len(labels("t10k")),
        "imagenes_entrenamiento": lambda: CLASSIFIER["train_size"],
        "imagenes_validacion": lambda: len(order()) - CLASSIFIER["train_size"],
        "imagenes_prueba": lambda: len(labels("t10k")),
        "ecm_imagen_media": lambda: cost_of_mean_image(to_train(), to_test()),
    },
    "02": {
        "pixeles": lambda: to_test().shape[1],
        "neuronas": lambda: AUTOENCODER["n"],
        "pocas_imagenes": lambda: 2000,
        "ecm_imagen_media_pocas": lambda: cost_of_mean_image(to_train(2000), to_validate()),
    },
    "03": {
        "corridas": lambda: len(autoencoders()),
        "ecm_media": lambda: ecm().mean(),
        "ecm_desvio": lambda: ecm().std(ddof=1),
        "ecm_articulo": lambda: paper.ECM,
    },
    "04": {
        "exactitud": lambda: accuracy()[0],
        "entropia": lambda: measured(complete())[0],
        "exactitud_articulo": lambda: 100 * paper.ACCURACY[64],
        "entropia_articulo": lambda: paper.CROSS_ENTROPY,
    },
    "06": {
        "semillas": lambda: len(classifiers()),
        "semillas_palabra": lambda: WORDS[len(classifiers())],
        "perdidas": lambda: len(lost()),
        "perdidas_palabra": lambda: WORDS[len(lost())],
        "perdidas_maxima": lambda: measured(lost(), "accuracy").max(),
        "despues_de_20": lambda: said(after_the_twentieth()),
        "ecm_64": lambda: ecm(64).mean(),
        "ecm_256": lambda: ecm(256).mean(),
        "entropia_64": lambda: measured(complete()).mean(),
        "entropia_desvio_64": lambda: measured(complete()).std(ddof=1),
        **{f"completas_{n}": lambda n=n: len(complete(n)) for n in NS},
        **{f"elegida_{n}": lambda n=n: complete(n)[0].seed for n in NS},
        **{f"exactitud_{n}": lambda n=n: accuracy(n).mean() for n in NS},
        **{f"exactitud_desvio_{n}": lambda n=n: accuracy(n).std(ddof=1) for n in NS},
    },
    "07": {
        "ecm_menor_dropout": lambda: min(
            measured(evidence.encoders(setting), "loss_dropout").min() for setting in evidence.SETTINGS
        ),
        "exactitud_mayor_dropout": lambda: max(
            measured(evidence.simulated(setting), "accuracy_dropout").max() for setting in evidence.SETTINGS
        ),
        "modelos_64_menor": lambda: min(way["64"] for way in evidence.ways()),
        "modelos_64_mayor": lambda: max(way["64"] for way in evidence.ways()),
        "modelos_64_o_100": lambda: min(int(way["64"] + way["100"]) for way in evidence.ways()),
        "razon_menor": lambda: min(evidence.ratios()),
        "razon_mayor": lambda: max(evidence.ratios()),
        "orden": evidence.order,
        "orden_minuscula": lambda: evidence.order()[0].lower() + evidence.order()[1:],
        # The notebook draws 20000 times.
        "tres_desde": lambda: pytest.approx(evidence.three_complete(0.025), abs=0.4),
        "tres_hasta": lambda: pytest.approx(evidence.three_complete(0.975), abs=0.4),
    },
    "08": {
        "redes": lambda: len(autoencoders(seeds=FIVE)),
        "marco_area": lambda: 100 * (1 - 25**2 / 28**2),
        "pixeles_resto": lambda: 25**2,
    },
    "09": {
        **{f"publicado_{n}": lambda n=n: 100 * paper.ACCURACY[n] for n in NS},
        "publicada_128": lambda: published_lead(128, 64),
        "publicada_128_256": lambda: published_lead(128, 256),
        "ecm_64": lambda: ecm(64).mean(),
        "ecm_256": lambda: ecm(256).mean(),
        **{f"exactitud_simple_{n}": lambda n=n: plain_accuracy(n).mean() for n in (16, 64, 128, 256)},
        **{
            f"{scores}_{one}_{other}_{name}": lambda of=of, case=(one, other, of_set): said(of(*case))
            for scores, of, one, other in (
                ("simple", of_plain, 64, 128),
                ("simple", of_plain, 64, 256),
            )
            for name, of_set in SETS.items()
        },
        "parejas": lambda: leads(128, 64).size,
        "parejas_como_la_publicada": lambda: as_published(128, 64),
        "parejas_al_reves": lambda: (leads(128, 64) < 0).sum(),
        "parejas_128_256": lambda: leads(128, 256).size,
        "parejas_128_256_publicada": lambda: as_published(128, 256),
        "una_128_256": lambda: said(lead_of_one(256, 128)),
        "una_128_256_p": lambda: p_of_published(256, 128),
        "veredicto": lambda: "; ".join(verdict(one, other) for one, other in combinations(NS, 2)),
    },
    "10": {
        "menos_etiquetas": lambda: min(run.configuration["train_size"] for run in stored()),
        "mas_etiquetas": lambda: CLASSIFIER["train_size"],
        "semillas": lambda: len(FIVE),
        "semillas_nuevas": lambda: len(new_groups()) // 3,
        "decide_prueba": lambda: said(with_few_labels("test")),
        "decide_validacion": lambda: said(with_few_labels("validation")),
        "ayuda_muchas": lambda: said(with_all_labels("test")),
        "ayuda_muchas_validacion": lambda: said(with_all_labels("validation")),
    },
    "11": {
        "perdidas": lambda: len(lost()),
        "corridas_del_articulo": lambda: len(classifiers()),
        "cota": lambda: CLASSIFIER["dropout"] * math.log(10),
        "entropia_completas": lambda: measured(complete()).mean(),
        "entropia_sin_nada": lambda: measured(classifiers(**PLAIN)).mean(),
        "exactitud_sin_nada": lambda: plain_accuracy(seeds=TEN).mean(),
    },
    "12": {"neuronas": lambda: AUTOENCODER["n"]},
    "13": {
        "exactitud_sin_relu": lambda: measured(corrected(), "accuracy").mean(),
        "ecm_articulo": ecm_of_corrected,
        "ecm_corregido": last_ecm,
        "ecm_ahorro": lambda: 100 * (1 - last_ecm() / ecm_of_corrected()),
        # Each filter and neuron has its weights and a bias; a normalised channel has two more.
        "parametros_articulo": lambda: 16 * (9 + 1) + 32 * (16 * 9 + 1) + 64 * (800 + 1) + 10 * (64 + 1),
        "parametros_revisados": lambda: (
            32 * (9 + 3) + 48 * (32 * 9 + 3) + 48 * (48 * 9 + 3) + 32 * (48 * 9 + 1) + 10 * (32 + 1)
        ),
        "revisada": lambda: compact_accuracy().mean(),
        "revisada_pm": lambda: said(mean(compact_accuracy())).removeprefix("+"),
        "entrenamiento": lambda: said(by_training("test")),
        "reparto": lambda: said(by_layers("test")),
        "entrenamiento_validacion": lambda: said(by_training("validation")),
        "reparto_validacion": lambda: said(by_layers("validation")),
    },
    "14": {
        "parte_de_la_cota": lambda: np.mean(
            100
            * AUTOENCODER["dropout"]
            * np.square(to_test(), dtype=float).mean()
            / measured(autoencoders(), "loss_dropout")
        ),
    },
    "articulo": {
        "magnitudes_dentro": lambda: sum(verdicts().values()),
        **{
            f"veredicto_{name}": lambda name=name: "dentro" if verdicts()[name] else "fuera"
            for name in ("ecm", "entropia", *(f"exactitud_{n}" for n in NS))
        },
        "redes": lambda: len(of_the_paper()),
        "horas": lambda: sum(run.seconds for run in of_the_paper()) / 3600,
    },
}

# And those that need the networks themselves

PUBLISHED, NAMES = paper.CONFUSION.to_numpy(), list(paper.CONFUSION.index)
TORSO = [NAMES.index(name) for name in ("Manga corta", "Buzo", "Vestido", "Abrigo", "Manga larga")]


def among_torso(confusion: np.ndarray) -> float:
    wrong = confusion * (1 - np.eye(10))
    return 100 * wrong[np.ix_(TORSO, TORSO)].sum() / wrong.sum()


def hardest() -> int:
    return networks.confusion(0).diagonal().argmin()


def apart(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The mean difference of the cells, between each of these matrices and each of those."""
    return np.abs(ones[:, None] - others).mean((2, 3))


def apart_from_each_other() -> float:
    between = apart(networks.confusions(), networks.confusions())
    return between[np.triu_indices(len(between), 1)].mean()


def cells_inside() -> int:
    """Where the paper's cell is within the interval, or one image."""
    margins = np.maximum(prediction(networks.confusions()), 0.1)
    return (np.abs(networks.confusions().mean(0) - PUBLISHED) <= margins + 1e-9).sum()


def but_for(images: int, value: float):
    """Of 10000, so many may lie on an edge."""
    return pytest.approx(value, abs=images / 100)


OF_NETWORKS = {
    "03": {"ecm": lambda: networks.brightened(complete()[0].seed)[0]},
    "04": {
        "exactitud": lambda: but_for(2, networks.confusion(0).diagonal().mean()),
        "entropia": lambda: networks.entropy(0),
    },
    # One of the thousand images of a class is a tenth.
    "05": {
        "clase_dificil": lambda: NAMES[hardest()],
        "clase_dificil_acierto": lambda: but_for(10, networks.confusion(0)[hardest(), hardest()]),
        "clase_dificil_articulo": lambda: PUBLISHED[hardest(), hardest()],
        "diagonal_distancia": lambda: but_for(10, np.abs(networks.confusion(0) - PUBLISHED).diagonal().max()),
        "errores_torso": lambda: but_for(20, among_torso(networks.confusion(0))),
        "errores_torso_articulo": lambda: among_torso(PUBLISHED),
    },
    "08": {
        "marco_parte_menor": lambda: min(map(networks.in_frame, FIVE)),
        "marco_parte_mayor": lambda: max(map(networks.in_frame, FIVE)),
        "pixeles_resto": lambda: networks.depending(0).sum(),
    },
    "12": {
        "mudas_menos": lambda: min(map(networks.silent, FIVE)),
        "mudas_mas": lambda: max(map(networks.silent, FIVE)),
        "vecinos_exactitud_pixeles": lambda: but_for(2, networks.recognised(to_train(5000), to_test())),
        "vecinos_exactitud_codigo": lambda: but_for(2, networks.recognised_by_code(origin(complete()[0]))),
        "vecinos_exactitud_ajuste": lambda: but_for(2, networks.recognised_by_code(complete()[0])),
    },
    "14": {
        "parte_oscura": lambda: 100 * (1 - np.divide(*sum(map(networks.brightened, FIVE))[::-1])),
    },
    "articulo": {
        "articulo_media": lambda: but_for(2, apart(PUBLISHED[None], networks.confusions()).mean()),
        "nuestras_media": lambda: but_for(2, apart_from_each_other()),
        "celdas_dentro": cells_inside,
    },
}

# What the texts say of numbers in words, and whether it is so


# Drawn by chance, by each its own.
RESAMPLED = {
    "07": {
        "remuestreos_64_menor": lambda: np.quantile(evidence.shares_again()[:, 0], 0.025),
        "remuestreos_64_mayor": lambda: np.quantile(evidence.shares_again()[:, 0], 0.975),
        "remuestreos_64_delante": lambda: evidence.ahead(evidence.shares_again()),
        "semillas_64_delante": lambda: evidence.ahead(evidence.shares_again(same_seeds=True)),
    }
}


FROM_64 = (
    "con 128 y con 256 neuronas se acierta más que con 64, y entre 128 y 256 no se distingue una diferencia"
)


def more_neurons_help() -> bool:
    better = all("se acierta más" in verdict(64, n) for n in (128, 256))
    return better and "no se distingue" in verdict(128, 256)


def none_lost() -> bool:
    """Without ReLU no score is 0 for every image; nor does a plain network fail to recognise a class."""
    least = min(plain_accuracy(n).min() for n in NS)
    every = [run for n in NS for run in classifiers(n, None, **PLAIN)]
    return all(run.complete for run in every) and least > max(measured(lost(n), "accuracy").max() for n in NS)


def lost_are_below_the_published() -> bool:
    return all(measured(lost(n), "accuracy").max() < 100 * paper.ACCURACY[n] for n in NS if lost(n))


def grows(values) -> bool:
    return all(np.diff([values(n).mean() for n in sorted(NS)]) > 0)


def undecided() -> bool:
    return evidence.order() == "Con estas corridas no se decide entre los dos"


SENTENCES = [
    ("03", "baja hasta cerca de la época 10", lambda: (curve().mean(0)[:9] > curve().mean(0)[9]).all()),
    ("03", "y después cambia poco", lambda: not clear(mean(curve()[:, -1] - curve()[:, 9]))),
    ("03", "cae entre los de esas corridas", lambda: ecm().min() < paper.ECM < ecm().max()),
    ("06", "Con más neuronas el autoencoder reconstruye mejor", lambda: grows(lambda n: -ecm(n))),
    ("06", "el clasificador acierta algo más", lambda: grows(accuracy)),
    (
        "06",
        "eso cuesta más exactitud que la que se gana de 64 a 256 neuronas",
        lambda: accuracy(64).mean() - measured(lost(), "accuracy").max() > of_complete(64, 256, "test")[0],
    ),
    ("07", "Las dos configuraciones de SGD que se probaron quedan excluidas", evidence.excluded_by_ecm),
    ("09", "Para reconstruir, $N$ importa", lambda: on_both(of_ecm, 64, 256)),
    ("10", "más de lo que explica el azar", lambda: on_both(with_few_labels)),
    ("10", "no se distingue de él", lambda: not on_both(with_all_labels)),
    (
        "10",
        "podría no verse",
        lambda: all(sum(with_all_labels(of_set)) > with_few_labels(of_set)[0] for of_set in SETS.values()),
    ),
    ("11", "Sin la ReLU no puede perderse ninguna", none_lost),
    (
        "12",
        "la clase, no mejor que los píxeles",
        lambda: glued("12")["vecinos_exactitud_codigo"] <= glued("12")["vecinos_exactitud_pixeles"],
    ),
    ("13", "sin ReLU ni *dropout* en ellos no puede perderse ninguna clase", none_lost),
    ("13", "vienen de cómo se entrena", lambda: on_both(by_training) and on_both(by_layers)),
    (
        "14",
        "Los picos no salen de la muestra con la que se mide",
        lambda: np.corrcoef(jumps("train"), jumps("validation"))[0, 1] > 0.99,
    ),
    ("conclusiones", "dentro de lo que explican las semillas", lambda: all(verdicts().values())),
    (
        "conclusiones",
        "no está más lejos de las nuestras que estas entre sí",
        lambda: glued("articulo")["articulo_media"] <= glued("articulo")["nuestras_media"],
    ),
    (
        "conclusiones",
        "bastante menor que la publicada",
        lambda: measured(classifiers(**PLAIN)).max() < 0.9 * paper.CROSS_ENTROPY,
    ),
    (
        "conclusiones",
        "después de la época 20 la validación sigue mejorando",
        lambda: clear(after_the_twentieth()) and after_the_twentieth()[0] > 0,
    ),
    ("conclusiones", "no puede perderse ninguna clase", none_lost),
    ("conclusiones", "es el contrario", lambda: accuracy(256).mean() > accuracy(128).mean()),
    ("conclusiones", "en cinco semillas", lambda: len(corrected()) == 5),
    ("conclusiones", "no se distinguen del azar", lambda: not on_both(with_all_labels)),
    ("conclusiones", "quedan excluidas por el ECM", evidence.excluded_by_ecm),
    ("README", "undecided", undecided),
    ("ficha", "Con qué lotes entrenó el autor", undecided),
    ("README", "no difference seen", lambda: not on_both(with_all_labels)),
    ("README", "plain scores cannot lose any", none_lost),
    ("README", "yes, a little: with plain scores", more_neurons_help),
    ("README", "256 against 128 is not told apart", more_neurons_help),
    (
        "summary",
        "In twenty networks of each",
        lambda: len(plain_accuracy(64)) == len(plain_accuracy(128)) == 20,
    ),
    ("summary", "that cannot lose a class it is", more_neurons_help),
    ("summary", "128 and 256 are not told apart", more_neurons_help),
    *((page, FROM_64, more_neurons_help) for page in ("09", "conclusiones", "ficha")),
    ("README", "are above that of any of ours that lost one", lost_are_below_the_published),
]


NUMBER = re.compile(r"\d+(?:\.\d+)?")


def keys_of(table: dict) -> list[tuple[str, str]]:
    return [(notebook, key) for notebook in table for key in table[notebook]]


@cache
def glued(notebook: str) -> dict:
    """What a notebook gives to the prose."""
    (path,) = (PROJECT / "notebooks").glob(f"{notebook}*.ipynb")
    key, values = "application/papermill.record/text/plain", {}
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            if key in output.get("data", {}):
                value = ast.literal_eval(output.data[key])
                values[output.metadata.scrapbook.name] = (
                    in_one_line(value) if isinstance(value, str) else value
                )
    return values


def in_one_line(text: str) -> str:
    return " ".join(text.replace("\N{MINUS SIGN}", "-").split())


@cache
def short_texts() -> dict[str, str]:
    texts = {}
    for path in sorted((PROJECT / "notebooks").glob("*.md")):
        if box := re.search(r"\{admonition\} En breve\n(.*?)\n:::", path.read_text(encoding="utf-8"), re.S):
            texts[prefix(path.stem)] = box[1]
    for name in ("conclusiones", "ficha", "introduccion", "portada", "summary"):
        texts[name] = (PROJECT / "book" / f"{name}.md").read_text(encoding="utf-8")
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    texts["README"] = readme.split("## Results against the paper")[1].split("The page *Laboratorio*")[0]
    return {name: in_one_line(text) for name, text in texts.items()}


def prefix(notebook: str) -> str:
    """By which the tables above name it."""
    return re.match(r"\d\d|[a-z]+", notebook)[0]


def close_to(value, rel: float):
    return pytest.approx(value, rel=rel) if isinstance(value, (int, float, np.number)) else value


@pytest.mark.parametrize(("notebook", "key"), keys_of(NUMBERS))
def test_number_is_found_again_in_what_the_runs_recorded(notebook, key):
    assert glued(notebook)[key] == close_to(NUMBERS[notebook][key](), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("notebook", "key"), keys_of(OF_NETWORKS))
def test_number_is_found_again_with_the_networks(notebook, key):
    assert glued(notebook)[key] == close_to(OF_NETWORKS[notebook][key](), rel=1e-4)


@pytest.mark.parametrize(("notebook", "key"), keys_of(RESAMPLED))
def test_number_is_found_again_by_another_draw(notebook, key):
    assert glued(notebook)[key] == pytest.approx(RESAMPLED[notebook][key](), abs=5)


@pytest.mark.parametrize(("page", "sentence", "holds"), SENTENCES)
def test_words_say_no_more_than_the_numbers(page, sentence, holds):
    assert sentence in short_texts()[page]
    assert holds()


def test_no_number_is_left_out():
    glue = re.compile(r"\{glue:text\}`(?:(?:notebooks/)?([\w-]+)\.ipynb::)?(\w+)[:`]")
    stated = {
        (prefix(notebook or here), key)
        for here, text in short_texts().items()
        for notebook, key in glue.findall(text)
    }
    found_again = {*keys_of(NUMBERS), *keys_of(OF_NETWORKS), *keys_of(RESAMPLED)}
    assert stated - found_again == {("02", "ecm_diez_lineas")}


def test_no_number_of_the_readme_is_left_out():
    """It types them."""
    text = short_texts()["README"]
    of_lost = np.concatenate([measured(lost(n), "accuracy") for n in NS])
    of_lost = f"accuracy of {of_lost.min():.2f} to {of_lost.max():.2f} %"
    assert of_lost in text
    again = set()
    for notebook, key in keys_of(NUMBERS) + keys_of(OF_NETWORKS) + keys_of(RESAMPLED):
        value = glued(notebook)[key]
        forms = [value] if isinstance(value, str) else [f"{value:.{places}f}" for places in range(5)]
        again.update(*map(NUMBER.findall, forms))
    # Chapters, N, rows and columns, the intervals' level.
    names = {*map(str, range(7, 15)), "16", "64", "128", "256", "25", "27", "95"}
    assert {*NUMBER.findall(text.replace(of_lost, ""))} <= again | names
