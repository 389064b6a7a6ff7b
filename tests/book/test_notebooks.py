"""The notebooks: pairs in step and clean, parameters explained and checked, reruns that really train."""

import base64
import copy
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jupytext
import nbformat
import papermill
import psutil
import pytest
from bs4 import BeautifulSoup
from matplotlib import rc_context
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from papermill.exceptions import PapermillExecutionError

from moda.book.notebook import book_parameters
from moda.configurations import BASE, CHOSEN, AutoencoderRun
from moda.data import PROJECT
from moda.parameters import ParameterError
from moda.runs import store

NOTEBOOKS = PROJECT / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("*.md"))
sys.path.insert(0, str(NOTEBOOKS))
from execute import at_once, execute, is_same, stamp  # noqa: E402

# What a machine or a moment leaves in an output: a folder of its own, the time of the day.
TRACE = re.compile(
    r"(?<![\w.])/(?:home|root|Users|tmp|var|usr|opt|mnt)/|\b[A-Za-z]:\\\w"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:|\b\d?\d:\d\d:\d\d\b"
)


@pytest.fixture(scope="module", autouse=True)
def one_thread_in_a_kernel():
    """For there is a worker for each core, and threads that wait for one take it from another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


def names(path: Path) -> str:
    return path.stem


def test_every_notebook_is_a_pair():
    assert [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))] == [path.stem for path in SOURCES]


def test_every_notebook_is_in_the_contents():
    contents = re.findall(r"file: notebooks/(\S+)", (PROJECT / "_toc.yml").read_text(encoding="utf-8"))
    assert sorted(contents) == [path.stem for path in SOURCES]


def test_one_network_stands_for_the_paper_s_in_every_notebook():
    """The first of each N that keeps every class on the validation set (chapter 6)."""
    for n, runs in BASE.items():
        kept = [run for run in runs if store.read(run, store.REFERENCE_FOLDER).complete]
        assert CHOSEN[n] == kept[0]
    for source in SOURCES:
        parameters = book_parameters(source.stem)
        if "n" in parameters:
            assert parameters.get("seed", CHOSEN[64].seed) == CHOSEN[64].seed, source.stem


@pytest.mark.parametrize("source", SOURCES, ids=names)
def test_pair_holds_the_same_cells(source):
    notebook = jupytext.read(source.with_suffix(".ipynb"))
    assert jupytext.writes(notebook, "md:myst") == source.read_text(encoding="utf-8")


PAGES = [*SOURCES, *sorted((PROJECT / "book").glob("*.md"))]


@pytest.mark.parametrize("source", PAGES, ids=names)
def test_no_line_of_prose_begins_with_a_sign_that_myst_takes_for_something_else(source):
    """A line that begins with % is a comment, and one with + begins a list."""
    lines = source.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if re.match(r"%|\+ ", line)] == []


@pytest.mark.parametrize("source", SOURCES, ids=names)
def test_code_in_sight_fits_beside_the_side_bars(source):
    hidden = {"hide-input", "parameters", "remove-cell"}
    cells = code_of(source.with_suffix(".ipynb"))
    in_sight = [cell.source for cell in cells if not hidden & set(cell.metadata.get("tags", []))]
    assert [line for line in "\n".join(in_sight).splitlines() if len(line) > 78] == []


CHAPTERS = [source for source in SOURCES if source.stem[:2].isdigit()]


@pytest.mark.parametrize("source", CHAPTERS[:6], ids=names)
def test_a_cell_that_draws_exports_no_numbers(source):
    """A reader who opens the code of a figure finds what draws it, and no more."""
    for cell in code_of(source.with_suffix(".ipynb")):
        assert not ("plt.show()" in cell.source and "to_prose(" in cell.source), cell.source


@pytest.mark.parametrize("source", CHAPTERS, ids=names)
def test_chapter_says_its_answer_first_and_ends_in_exercises(source):
    text = source.read_text(encoding="utf-8")
    first = re.search(r"\n# .*\n\n(:::\{admonition\} En breve\n(?:.*\n)*?:::\n)", text)[1]
    assert re.findall(r"\n\*\*(.+?)[.:]\*\*", first) == [
        "Pregunta",
        "Respuesta",
        "Antes conviene saber",
        "Lectura",
    ]
    exercises = re.split(r"\n## ", text)[-2]
    assert exercises.startswith("Para probar\n")
    assert len(re.findall(r"\n\d\. ", exercises)) == exercises.count(":::{dropdown}") >= 2
    # A command to try is one that runs: the notebook has what it sets.
    commands = re.findall(r"papermill (\S+ .*)", exercises.replace("\\\n", ""))
    for notebook, _, *options in map(shlex.split, commands):
        assert notebook == f"notebooks/{source.stem}.ipynb"
        assert set(options[1::3]) <= set(book_parameters(source.stem)), options
    assert commands


@pytest.mark.parametrize("source", SOURCES, ids=names)
def test_committed_notebook_is_executed_in_order_and_clean(source):
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for output in (output for cell in code for output in cell.outputs):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text
    assert set(notebook.metadata) == {"jupytext", "kernelspec", "moda", "myst"}
    for text in strings(notebook):
        assert not TRACE.search(text) and str(PROJECT) not in text


@pytest.mark.parametrize(
    "text",
    [
        "/home/ana/libro/src/moda/schedule.py:12: UserWarning",
        "see '/tmp/ipykernel_12/3.py'",
        r"C:\Users\ana\libro",
        "2026-11-24T05:58:52",
        "ended at 5:58:52",
    ],
)
def test_trace_of_a_machine_or_a_moment_is_found(text):
    assert TRACE.search(text)


@pytest.mark.parametrize("text", ["2026-11-24", "../tmp/x", "https://pytorch.org/home/", "n:\n64", "3:10"])
def test_what_is_no_trace_is_let_through(text):
    assert not TRACE.search(text)


def strings(part) -> Iterator[str]:
    """All that a part of a notebook says; its images apart, for in their letters any word may stand."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for name, value in part.items():
            if name != "image/png":
                yield from strings(value)
    elif isinstance(part, list):
        for value in part:
            yield from strings(value)


@pytest.mark.parametrize("source", SOURCES, ids=names)
def test_committed_outputs_belong_to_code_recipe_and_reference(source):
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    assert notebook.metadata["moda"] == stamp(notebook), "stale: python notebooks/execute.py " + source.stem


def test_stamp_changes_with_code_recipe_and_the_notebook_s_own_runs(monkeypatch, tmp_path):
    notebook = nbformat.read(NOTEBOOKS / "04-clasificador.ipynb", as_version=4)
    before = stamp(notebook)
    next(cell for cell in notebook.cells if cell.cell_type == "markdown").source += "More prose."
    assert stamp(notebook) == before
    next(cell for cell in notebook.cells if cell.cell_type == "code").source += "\n"
    assert changed(before, stamp(notebook)) == {"code"}
    shutil.copytree(store.REFERENCE_FOLDER, tmp_path / "runs")
    monkeypatch.setattr(store, "REFERENCE_FOLDER", tmp_path / "runs")
    for run, parts in [(BASE[64][0], {"code"}), (CHOSEN[64], {"code", "runs"})]:
        (tmp_path / "runs" / store.folder_name(run) / "metrics.json").write_text("{}")
        assert changed(before, stamp(notebook)) == parts
    monkeypatch.setattr(store, "RECIPE", -1)
    assert changed(before, stamp(notebook)) == {"code", "recipe", "runs"}


def test_stamp_changes_with_swapped_files(monkeypatch, tmp_path):
    notebook = nbformat.read(NOTEBOOKS / "04-clasificador.ipynb", as_version=4)
    stamps = set()
    for number, names in enumerate([("a", "b"), ("b", "a"), ("a", "c")]):
        folder = tmp_path / str(number) / store.folder_name(CHOSEN[64])
        folder.mkdir(parents=True)
        for name, content in zip(names, ("first", "second")):
            (folder / name).write_text(content)
        monkeypatch.setattr(store, "REFERENCE_FOLDER", folder.parent)
        stamps.add(stamp(notebook)["runs"])
    assert len(stamps) == 3


def changed(before: dict, after: dict) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_picture_of_the_readme_is_the_notebooks():
    outputs = outputs_of(NOTEBOOKS / "03-curvas-promediadas.ipynb")
    drawn = next(output.data["image/png"] for output in outputs if "image/png" in output.get("data", {}))
    shown = (PROJECT / "book" / "_assets" / "figura-4.png").read_bytes()
    assert base64.b64decode(drawn) == shown, "save the notebook's figure 4 there again"


@pytest.mark.parametrize("source", SOURCES, ids=names)
def test_every_parameter_is_explained(source):
    parameters = papermill.inspect_notebook(str(source.with_suffix(".ipynb")))
    assert parameters
    assert [name for name, parameter in parameters.items() if not parameter["help"]] == []


@pytest.mark.slow
def test_executing_twice_gives_the_same_file(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second.ipynb"
    name = "05-matriz-de-confusion"
    subprocess.run([sys.executable, NOTEBOOKS / "execute.py", "--to", first, name], check=True)
    execute(NOTEBOOKS / f"{name}.md", second)
    assert (first / f"{name}.ipynb").read_bytes() == second.read_bytes()


CHANGES = {
    "nothing": (True, lambda notebook: None),
    "last digit": (True, lambda notebook: notebook.cells[1].outputs[0].update(text="ECM 0.0556, N 64\n")),
    "image": (True, lambda notebook: notebook.cells[1].outputs[1].data.update({"image/png": "Yg=="})),
    "tie": (True, lambda notebook: notebook.cells[2].outputs[0].update(text="29 imágenes\n")),
    "number": (False, lambda notebook: notebook.cells[1].outputs[0].update(text="ECM 0.0555, N 65\n")),
    "no image": (False, lambda notebook: notebook.cells[1].outputs[1].data.pop("image/png")),
    "one output less": (False, lambda notebook: notebook.cells[1].outputs.pop()),
    "prose": (False, lambda notebook: notebook.cells[0].update(source="Otra prosa.")),
    "stamp": (False, lambda notebook: notebook.metadata.update(moda={"code": "b"})),
    "one cell more": (False, lambda notebook: notebook.cells.append(new_markdown_cell("Fin."))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_notebook_is_the_same_but_for_images_and_close_numbers(tmp_path, change):
    stream, display = partial(new_output, "stream"), partial(new_output, "display_data")
    outputs = [stream(text="ECM 0.0555, N 64\n"), display({"image/png": "YQ==", "text/plain": "figura"})]
    counted = new_code_cell("count", metadata={"tags": ["near-ties"]}, outputs=[stream(text="28 imágenes\n")])
    cells = [new_markdown_cell("Prosa."), new_code_cell("draw", outputs=outputs), counted]
    notebook = new_notebook(cells=cells, metadata={"moda": {"code": "a"}})
    assert not is_same(notebook, tmp_path / "missing.ipynb")
    target = tmp_path / "there.ipynb"
    nbformat.write(notebook, target)
    same, make = CHANGES[change]
    make(notebook)
    before = copy.deepcopy(notebook)
    assert is_same(notebook, target) == same
    assert notebook == before
    target.write_text("<<<<<<< HEAD\n" + target.read_text())
    assert not is_same(notebook, target)


@pytest.mark.slow
def test_executed_again_a_file_that_is_as_good_is_kept_where_that_is_asked_for(tmp_path):
    source, target = tmp_path / "little.md", tmp_path / "little.ipynb"
    # Which arrives in two messages.
    said = "import time\nprint('ECM', 555e-4, end=' ', flush=True)\ntime.sleep(0.5)\nprint('N', 8 * 8)"
    add(source, new_code_cell(said))
    execute(source, target)
    written = target.read_text()
    assert "ECM 0.0555 N 64" in written
    for other, keep, kept in (
        ("0.0554 N 64", True, True),
        ("0.0555 N 65", True, False),
        ("0.0554 N 64", False, False),
    ):
        there = written.replace("0.0555 N 64", other)
        target.write_text(there)
        execute(source, target, keep)
        assert target.read_text() == (there if kept else written)


@pytest.fixture
def apart(tmp_path) -> Path:
    """A folder of notebooks with one that is quick to execute, and what executes it."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    for name in ("execute.py", "close_numbers.py"):
        shutil.copy(NOTEBOOKS / name, notebooks)
    add(notebooks / "little.md", new_code_cell("print('ECM', 555e-4)"))
    return notebooks


def add(source: Path, *cells: nbformat.NotebookNode) -> None:
    notebook = new_notebook(cells=list(cells))
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    source.write_text(jupytext.writes(notebook, "md:myst"))


@pytest.mark.slow
@pytest.mark.parametrize("to", ["notebooks", "link/../notebooks"])
def test_the_notebooks_own_folder_is_known_by_any_of_its_paths(apart, to):
    """So the ipynb that is as good is kept there, and the md is as a later sync writes it."""
    (apart.parent / "link").symlink_to(apart)
    source, target = apart / "little.md", apart / "little.ipynb"
    execute(source, target)
    kept = target.read_text().replace("ECM 0.0555", "ECM 0.0554")
    target.write_text(kept)
    source.write_text(f"{source.read_text()}\n\n")
    subprocess.run([sys.executable, apart / "execute.py", "--to", to], cwd=apart.parent, check=True)
    assert "ECM 0.0554" in kept and target.read_text() == kept
    assert source.read_text() == jupytext.writes(jupytext.read(target), "md:myst")


# Runs execute.py where from the end of one of its functions on no file grows beyond 100 bytes.
FULL_DISK = """
import resource, sys
import execute

whole = getattr(execute, sys.argv[1])

def fills_the_disk(*arguments, **named):
    result = whole(*arguments, **named)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    return result

setattr(execute, sys.argv.pop(1), fills_the_disk)
execute.main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("after", "old"), [("stamp", {"ipynb", "md"}), ("execute", {"md"})])
def test_a_full_disk_leaves_the_old_files(apart, after, old):
    pytest.importorskip("resource")
    (apart / "little.ipynb").write_text("the old ipynb")
    before = {path: path.read_bytes() for path in apart.glob("little.*")}
    command = [sys.executable, "-c", FULL_DISK, after]
    done = subprocess.run(command, cwd=apart, capture_output=True, text=True)
    assert "File too large" in done.stderr
    assert sorted(apart.glob("little.*")) == sorted(before), "and nothing besides"
    same = {path.suffix[1:] for path, content in before.items() if path.read_bytes() == content}
    assert same == old


@pytest.mark.parametrize(
    ("cores", "gigabytes", "expected"), [(2, 64, 2), (16, 4, 2), (16, 0.5, 1), (16, None, 16)]
)
def test_notebooks_at_once_are_one_a_core_as_far_as_memory_goes(monkeypatch, cores, gigabytes, expected):
    def memory():
        if gigabytes is None:
            raise FileNotFoundError("/proc/meminfo")
        return SimpleNamespace(available=gigabytes * 1e9)

    monkeypatch.setattr("execute.joblib.cpu_count", lambda: cores)
    monkeypatch.setattr("execute.psutil.virtual_memory", memory)
    assert at_once() == expected


# Runs execute.py as on a machine of two cores.
TWO_AT_ONCE = """
import execute

execute.at_once = lambda: 2
execute.main()
"""


@pytest.fixture
def two_at_once(apart, monkeypatch) -> Iterator[subprocess.Popen]:
    """What executes `apart`, two at once; started by a test that says what there is, and leaves nothing."""
    litter = apart.parent / "litter"
    for name in ("TMPDIR", "JUPYTER_RUNTIME_DIR"):
        (litter / name).mkdir(parents=True)
        monkeypatch.setenv(name, str(litter / name))

    def start(*arguments) -> subprocess.Popen:
        command = [sys.executable, "-c", TWO_AT_ONCE, *arguments]
        return subprocess.Popen(command, cwd=apart, stderr=subprocess.PIPE, text=True)

    yield start
    assert [path for path in litter.rglob("*") if path.is_file()] == []
    kernels = [int(path.read_text()) for path in apart.parent.glob("*.pid")]
    assert not any(map(psutil.pid_exists, kernels))


# Cells that tell the process of their kernel, and wait until another notebook has begun.
BEGIN = """
import os, time
from pathlib import Path
def begin(name):
    Path(f"../{name}.new").write_text(str(os.getpid()))
    Path(f"../{name}.new").rename(f"../{name}.pid")
def wait_for(name):
    end = time.monotonic() + 60
    while not Path(f"../{name}.pid").exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert Path(f"../{name}.pid").exists()
"""
ENDLESS = "time.sleep(600)"


@pytest.mark.slow
def test_notebooks_executed_at_once_give_the_files_of_one_after_the_other(apart, two_at_once):
    """The first two wait for each other, so they are at work at the same time."""
    for name, other in ("a", "b"), ("b", "a"), ("c", "b"):
        drawn = "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);"
        both = f"begin('{name}'); wait_for('{other}'); print('{name}', os.environ['OMP_NUM_THREADS'])"
        add(apart / f"{name}.md", *map(new_code_cell, (BEGIN, both, drawn)))
    executing = two_at_once()
    assert "100%" in executing.communicate()[1] and executing.returncode == 0
    for source in apart.glob("*.md"):
        alone = apart.parent / f"{source.stem}.ipynb"
        notebook = execute(source, alone)
        assert source.with_suffix(".ipynb").read_bytes() == alone.read_bytes()
        assert source.read_text() == jupytext.writes(notebook, "md:myst")


@pytest.mark.slow
def test_a_notebook_that_fails_ends_all(apart, two_at_once):
    """Those with the longest outputs begin, and the last is never executed to its end."""
    add(apart / "little.md", new_code_cell("import time"), new_code_cell(ENDLESS))
    add(apart / "z-long.md", *map(new_code_cell, (BEGIN, "begin('long')", ENDLESS)))
    fails = ("begin('fails'); wait_for('long')", "raise RuntimeError('no network')")
    add(apart / "y-fails.md", *map(new_code_cell, (BEGIN, *fails)))
    for number, name in enumerate(("little", "y-fails", "z-long")):
        (apart / f"{name}.ipynb").write_text("old" * (1 + number))
    before = {path: path.read_bytes() for path in apart.iterdir() if path.is_file()}
    executing = two_at_once()
    said = executing.communicate()[1]
    assert executing.returncode == 1
    # Before it, a kernel that is stopped in the middle of a message may have said so itself.
    message = said.partition("\ny-fails.md failed:")[2]
    assert message.count("Traceback") == 1 and message.endswith("RuntimeError: no network\n\n")
    assert "z-long" not in said and "died" not in said
    assert {path: path.read_bytes() for path in apart.iterdir() if path.is_file()} == before


@pytest.mark.slow
def test_an_interruption_ends_all_kernels(apart, two_at_once):
    for name in ("a", "b"):
        add(apart / f"{name}.md", *map(new_code_cell, (BEGIN, f"begin('{name}')", ENDLESS)))
        (apart / f"{name}.ipynb").write_text("old")
    before = {path: path.read_bytes() for path in apart.iterdir() if path.is_file()}
    executing = two_at_once()
    while len(list(apart.parent.glob("*.pid"))) < 2:
        assert executing.poll() is None
        time.sleep(0.01)
    executing.send_signal(signal.SIGINT)
    assert executing.communicate()[1].endswith("\nKeyboardInterrupt\n")
    assert executing.returncode
    assert {path: path.read_bytes() for path in apart.iterdir() if path.is_file()} == before


@pytest.mark.slow
def test_missing_runs_are_trained_before_any_notebook_begins(apart, two_at_once, monkeypatch, tmp_path):
    """Here training is forbidden, so what would be trained is named."""
    run = AutoencoderRun(n=1, epochs=1)
    runs = f"from moda.configurations import *\nshown = [{run}]"
    cells = [new_code_cell(BEGIN), new_code_cell(runs, metadata={"tags": ["runs"]})]
    add(apart / "a.md", *cells, new_code_cell("begin('a')"))
    monkeypatch.setenv("MODA_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("MODA_TRAIN", "never")
    said = two_at_once().communicate()[1]
    assert said.endswith(f"MODA_TRAIN=never forbids training: {store.folder_name(run)}.\n")
    assert not list(apart.glob("*.ipynb")) and not (tmp_path / "a.pid").exists()


@pytest.mark.parametrize(
    ("name", "parameter", "value", "expected"),
    [
        ("01-conjunto-de-datos", "train_size", 50_001, "un entero de 1 a 50000"),
        ("02-autoencoder", "dropout", 1.5, "un número mayor o igual que 0 y menor que 1"),
        ("03-curvas-promediadas", "seeds", "[0, 0]", "una lista de valores distintos"),
        ("04-clasificador", "epochs", -1, "un entero mayor o igual que 1"),
        ("05-matriz-de-confusion", "device", "tpu", "«auto», «cpu», «cuda» o «mps»"),
        ("06-comparacion-de-n", "ns", "[0]", "un entero mayor o igual que 1"),
        ("07-que-corrio-el-autor", "prior_repetir", 1.0, "un número mayor o igual que 0 y menor que 1"),
        ("08-pixeles-que-faltan", "n", 0, "un entero mayor o igual que 1"),
        ("09-importa-n", "plain_ns", "[64, 64]", "una lista de valores distintos"),
        ("10-sirve-preentrenar", "sizes", "[100, 50001]", "cada uno un entero de 1 a 50000"),
        ("10-sirve-preentrenar", "sizes", [1000, 2000, 3000, 4000], "no alcanzan las imágenes"),
        ("11-relu-y-dropout-en-la-salida", "seeds", "[]", "una lista de valores distintos"),
        ("12-espacio-latente", "learning_rate", 0, "un número mayor que 0"),
        ("13-corrigiendo-el-modelo", "seeds", "0.5", "una lista de valores distintos"),
        ("14-que-mide-el-ecm", "train_size", 0, "un entero de 1 a 50000"),
        ("articulo-y-reproduccion", "device", 0, "«auto», «cpu», «cuda» o «mps»"),
        ("laboratorio", "device", 0, "«auto», «cpu», «cuda» o «mps»"),
    ],
)
def test_senseless_parameter_ends_at_once_in_spanish(monkeypatch, tmp_path, name, parameter, value, expected):
    """As the first cells say it, here without a kernel; one notebook that is really run follows."""
    monkeypatch.setenv("MODA_RUNS", str(tmp_path))
    parameters, *first = code_of(NOTEBOOKS / f"{name}.ipynb")[:3]
    values = {}
    exec(parameters.source, values)
    values[parameter] = value
    with rc_context(), pytest.raises(ParameterError) as error:
        for cell in first:
            exec(cell.source, values)
    assert f"«{parameter}» vale {value!r}" in str(error.value)
    assert expected in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_senseless_parameter_ends_a_notebook_with_its_message(tmp_path):
    with pytest.raises(PapermillExecutionError) as error:
        rerun("04-clasificador", tmp_path / "out.ipynb", {"epochs": -1})
    assert error.value.ename == "ParameterError"
    assert "«epochs» vale -1" in error.value.evalue


@pytest.fixture(scope="module")
def empty_runs(tmp_path_factory):
    """A machine where nothing is trained yet."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODA_RUNS", str(folder))
        yield folder


@pytest.fixture
def few_images_in_a_kernel(monkeypatch, tmp_path):
    startup = tmp_path / "profile_default" / "startup"
    startup.mkdir(parents=True)
    shutil.copy(PROJECT / "tests" / "few_images.py", startup)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))


@pytest.mark.slow
def test_papermill_command_of_the_readme_trains_what_it_needs(empty_runs, few_images_in_a_kernel, tmp_path):
    command = "papermill notebooks/04-clasificador.ipynb OUT -p n 32"
    command += " -p autoencoder_epochs 2 -p epochs 2 -p train_size 2000"
    words = [word.replace("OUT", str(tmp_path / "out.ipynb")) for word in command.split()]
    subprocess.run([sys.executable, "-m", *words, "--no-progress-bar"], cwd=PROJECT, check=True)
    trained = sorted(empty_runs.iterdir())
    assert [folder.name.split("-s")[0] for folder in trained] == ["autoencoder-n32", "classifier-n32"]
    accuracy = json.loads((trained[1] / "metrics.json").read_text())["test"]["accuracy"]
    assert f"{100 * accuracy:.2f}" in text_of(tmp_path / "out.ipynb")
    assert accuracy > 0.2, "even two epochs on 2000 images are better than chance"
    notice = outputs_of(tmp_path / "out.ipynb")[0]
    assert notice.data["text/plain"].startswith(
        "Nueva corrida con otros parámetros: n = 32 (en el libro, 64); autoencoder_epochs = 2 (en el libro, "
        "15); epochs = 2 (en el libro, 30); "
        "train_size = 2000 (en el libro, 50000)."
    )
    page = page_of(tmp_path / "out.ipynb")
    titles = [title.text for title in page.select(".admonition-title")]
    assert "Nueva corrida con otros parámetros" in titles
    said = " ".join(page.text.split())
    assert f"La red de este capítulo acierta el {100 * accuracy:.2f} % de las imágenes" in said


@pytest.mark.parametrize("source", SOURCES, ids=names)
def test_the_book_s_own_notebooks_ask_for_the_notice_and_show_none(source):
    path = source.with_suffix(".ipynb")
    code = code_of(path)
    # In the cell after the parameters.
    asked = rf'notebook\.take_parameters\(\s*"{source.stem}",\s*globals\(\)'
    assert re.search(asked, code[1].source)
    assert code[1].outputs == []
    inferred = papermill.inspect_notebook(str(path))
    assert list(book_parameters(source.stem)) == list(inferred)


@pytest.mark.slow
def test_reruns_of_the_other_notebooks_train_and_finish(
    empty_runs, few_images_in_a_kernel, tmp_path, monkeypatch
):
    small = {"train_size": 300}
    short = {**small, "autoencoder_epochs": 1, "epochs": 1}
    rerun("06-comparacion-de-n", tmp_path / "06.ipynb", {**short, "ns": "[2, 3]", "seeds": "[0, 1]"})
    # That one has trained in two processes, which take long to start; the others train one run after another.
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    rerun("01-conjunto-de-datos", tmp_path / "01.ipynb", small)
    assert "300" in text_of(tmp_path / "01.ipynb")
    rerun("02-autoencoder", tmp_path / "02.ipynb", {**small, "n": 1, "dropout": 0, "epochs": 1})
    rerun(
        "03-curvas-promediadas",
        tmp_path / "03.ipynb",
        {**small, "n": 3, "seeds": "[4, 5]", "seed": 6, "epochs": 2},
    )
    rerun("05-matriz-de-confusion", tmp_path / "05.ipynb", {**short, "n": 2, "seed": 0})
    few = {"autoencoder_epochs": 1, "train_size": 300, "seeds": "[0, 1]"}
    rerun(
        "07-que-corrio-el-autor", tmp_path / "07.ipynb", {**few, "epochs": 3, "short_epochs": 2, "seeds": 0}
    )
    rerun("08-pixeles-que-faltan", tmp_path / "08.ipynb", {**small, "n": 2, "epochs": 1, "other_seeds": 0})
    rerun("09-importa-n", tmp_path / "09.ipynb", {**few, "ns": "[5, 6]", "plain_ns": "[6, 7]", "epochs": 1})
    rerun(
        "10-sirve-preentrenar",
        tmp_path / "10.ipynb",
        {**few, "sizes": "[20, 40]", "new_seeds": 5, "epochs": 1, "n": 4},
    )
    rerun("11-relu-y-dropout-en-la-salida", tmp_path / "11.ipynb", {**few, "epochs": 1})
    rerun("12-espacio-latente", tmp_path / "12.ipynb", {**short, "n": 2, "seed": 0, "other_seeds": 1})
    rerun(
        "13-corrigiendo-el-modelo",
        tmp_path / "13.ipynb",
        {**few, "epochs": 1, "compact_epochs": 1, "seeds": 3},
    )
    rerun("14-que-mide-el-ecm", tmp_path / "14.ipynb", {**small, "epochs": 7, "seeds": 0})
    # Two averaged and one final autoencoder; then 2 x 2 pairs, of which notebook 05 finds one.
    trained = [folder.name for folder in empty_runs.iterdir() if not folder.name.startswith(".")]
    assert (
        sum(
            name.startswith(("autoencoder-n3-s4", "autoencoder-n3-s5", "autoencoder-n3-s6"))
            for name in trained
        )
        == 3
    )
    assert sum(name.startswith(("classifier-n2-", "classifier-n3-")) for name in trained) == 4


def rerun(name: str, target: Path, parameters: dict) -> None:
    papermill.execute_notebook(
        NOTEBOOKS / f"{name}.ipynb", target, parameters, cwd=NOTEBOOKS, progress_bar=False
    )


def text_of(notebook: Path) -> str:
    """Everything the notebook's cells print or show as text."""
    return "\n".join(
        str(output.get("text") or output.get("data", {}).get("text/plain")) for output in outputs_of(notebook)
    )


def page_of(notebook: Path) -> BeautifulSoup:
    """The notebook as a page of its own, beside a copy of the book."""
    book = notebook.parent / "book"
    shutil.copytree(PROJECT / "book", book, ignore=shutil.ignore_patterns("_build", "notebooks", "*.ipynb"))
    shutil.copy(notebook, book)
    shutil.copy(PROJECT / "CITATION.cff", book.parent)
    command = [Path(sys.executable).with_name("jupyter-book"), "build", book / notebook.name]
    subprocess.run(command, check=True, capture_output=True)
    page = book / "_build" / "_page" / notebook.stem / "html" / f"{notebook.stem}.html"
    return BeautifulSoup(page.read_bytes(), "html.parser")


def code_of(notebook: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]


def outputs_of(notebook: Path) -> list[nbformat.NotebookNode]:
    cells = nbformat.read(notebook, as_version=4).cells
    return [output for cell in cells for output in cell.get("outputs", [])]
