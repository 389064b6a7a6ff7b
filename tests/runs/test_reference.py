"""The reference runs: complete, their own, and what the present code would train again."""

import ast
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from moda import data, evaluation, networks
from moda.book.notebook import needed
from moda.configurations import CHOSEN, AutoencoderRun, described
from moda.reproduce import CHAPTERS, NOTEBOOKS, TINY, adopt, compare, every, kept
from moda.runs import schedule
from moda.runs.store import (
    RECIPE,
    RECIPE_CODE,
    REFERENCE_FOLDER,
    SUMS,
    StoreError,
    folder_name,
    read,
    read_files,
    write_files,
)
from moda.training import cuda_graph, fast_layers, half_batches, loop

EVERY, WITH_WEIGHTS = every(), sorted(kept(), key=folder_name)


def test_the_reference_holds_every_run_of_the_book_and_no_other():
    assert {folder.name for folder in REFERENCE_FOLDER.iterdir()} == {folder_name(run) for run in EVERY}
    kept = {path.parent.name for path in REFERENCE_FOLDER.glob("*/weights.safetensors")}
    assert kept == {folder_name(run) for run in WITH_WEIGHTS}


@pytest.mark.parametrize("run", EVERY, ids=folder_name)
def test_stored_run_is_whole_and_of_the_present_recipe(run):
    result = read(run, REFERENCE_FOLDER)
    assert list(result.history.index) == list(range(1, run.epochs + 1))
    assert np.isfinite(result.history.drop(columns="dead_classes", errors="ignore")).all().all()
    assert result.record["configuration"] == described(run)
    assert result.record["recipe"] == RECIPE


def test_reference_is_light():
    assert sum(path.stat().st_size for path in REFERENCE_FOLDER.rglob("*") if path.is_file()) < 14e6


@pytest.mark.slow
@pytest.mark.parametrize("run", WITH_WEIGHTS, ids=folder_name)
def test_weights_give_the_stored_metrics(run, fashion_mnist):
    result = read(run, REFERENCE_FOLDER)
    measured = evaluation.measure(result.model(), fashion_mnist.test)
    assert measured.pop("dead_classes", None) == result.metrics.get("dead_classes")
    for name, value in measured.items():
        assert value == pytest.approx(result.metrics[name], rel=1e-4), name
    # Dead classes were measured with the last epoch, on the validation images.
    if "dead_classes" in result.history:
        assert result.validation["dead_classes"] == result.history["dead_classes"].iloc[-1]


@pytest.mark.slow
def test_the_tiny_run_trained_again_begins_as_it_is_stored(tmp_path, monkeypatch):
    """In what does not amplify the order of sums, another on another processor: the first epoch's losses."""
    monkeypatch.setenv("MODA_RUNS", str(tmp_path))
    for run in (TINY.autoencoder, TINY):
        again, stored = (
            history.filter(like="loss").loc[1]
            for history in (schedule.obtain(run, device="cpu").history, read(run, REFERENCE_FOLDER).history)
        )
        # Another recipe differs in the first digits.
        np.testing.assert_allclose(again, stored, rtol=1e-3)


def test_code_that_decides_results_has_changed_only_with_the_recipe():
    parts = (
        part
        for module in (networks, fast_layers, loop, half_batches, cuda_graph)
        for part in syntax(ast.parse(Path(module.__file__).read_text()))
    )
    digest = hashlib.sha256(repr(list(parts)).encode()).hexdigest()[:16]
    assert digest == RECIPE_CODE, (
        "networks or training have changed. If any result does, raise RECIPE in moda.runs.store and train "
        f"the reference again; in both cases RECIPE_CODE there becomes {digest}"
    )


def syntax(node: ast.AST) -> Iterator[object]:
    """What a module does, whatever its comments, docstrings and layout; the same in every Python."""
    yield type(node).__name__
    for name, value in ast.iter_fields(node):
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
                continue
            if isinstance(part, ast.AST):
                yield from syntax(part)
            elif part is not None:
                yield name, part


def test_compare_prints_paper_reference_and_yours():
    text = compare(REFERENCE_FOLDER, EVERY)
    assert "0.0533" in text and "0.9141" in text
    assert f"{len(EVERY)} of {len(EVERY)} runs equal" in text


def test_compare_tells_how_far_runs_are_that_are_not_equal(tmp_path):
    near, far = CHOSEN[64], CHOSEN[64].autoencoder
    shutil.copytree(REFERENCE_FOLDER, tmp_path, dirs_exist_ok=True)
    change(near, tmp_path, lambda metrics: metrics["accuracy"] - 1e-4)
    change(far, tmp_path, lambda metrics: 2 * metrics["loss"])
    text = compare(tmp_path, EVERY)
    assert f"{len(EVERY) - 2} of {len(EVERY)} runs equal the reference to the last digit." in text
    assert "1 of the 2 that have runs with other seeds are as near as those are." in text
    ecm = read(far, REFERENCE_FOLDER).metrics["loss"]
    assert f"{folder_name(far)}, {2 * ecm:.4f}, in the reference {ecm:.4f}." in text
    assert "computed with: native AVX512; in the reference: portable" in text


def test_compare_names_the_runs_that_a_new_chapter_brings(tmp_path, few, monkeypatch):
    """Before they join the reference."""
    new = AutoencoderRun(n=2, epochs=1, train_size=100)
    monkeypatch.setattr(data, "load", lambda: few)
    monkeypatch.setenv("MODA_RUNS", str(tmp_path))
    schedule.obtain_all([new], "cpu")
    text = compare(tmp_path, [new])
    assert text.splitlines() == [
        "0 of 1 runs equal the reference to the last digit.",
        f"The reference has none of these yet: {folder_name(new)}.",
    ]


def change(run, root: Path, quality) -> None:
    """Stores `run` again with another history, another quality, and another arithmetic."""
    result = read(run, root)
    name = "accuracy" if "accuracy" in result.metrics else "loss"
    test = result.metrics | {name: quality(result.metrics)}
    files = {
        "run.json": json.dumps(result.record | {"arithmetic": "native AVX512"}),
        "history.csv": result.history.assign(running_loss=0.0).to_csv(),
        "metrics.json": json.dumps({"test": test, "validation": result.validation}),
    }
    write_files(result.folder, {name: content.encode() for name, content in files.items()})


def test_compare_sees_a_number_that_only_the_metrics_have(tmp_path):
    run = CHOSEN[64]
    shutil.copytree(REFERENCE_FOLDER, tmp_path, dirs_exist_ok=True)
    folder = tmp_path / folder_name(run)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["validation"]["accuracy"] += 1e-4
    write_files(folder, {**read_files(folder), "metrics.json": json.dumps(metrics, indent=2).encode()})
    assert f"{len(EVERY) - 1} of {len(EVERY)} runs equal the reference" in compare(tmp_path, EVERY)


def test_chapters_need_their_runs_only_and_before_a_classifier_its_autoencoder():
    assert needed([CHAPTERS[4], CHAPTERS[5]]) == [CHOSEN[64].autoencoder, CHOSEN[64]]
    runs = needed(NOTEBOOKS.values())
    assert all(run.autoencoder in [None, *runs[:place]] for place, run in enumerate(runs))
    text = compare(REFERENCE_FOLDER, needed([CHAPTERS[3]]))
    assert "0.0533" in text and "0.9141" not in text and "10 of 10 runs equal" in text


@pytest.fixture
def adoption(tmp_path, monkeypatch):
    """A folder of runs, and the reference that they are to replace."""
    source, target = tmp_path / "source", tmp_path / "reference"
    for folder in (source, target):
        shutil.copytree(REFERENCE_FOLDER, folder)
    monkeypatch.setattr("moda.reproduce.REFERENCE_FOLDER", target)
    return source, target


def files(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_adopt_copies_all_but_the_weights_that_no_page_needs(adoption):
    source, target = adoption
    folder = source / folder_name(next(run for run in EVERY if run not in WITH_WEIGHTS))
    write_files(folder, {**read_files(folder), "weights.safetensors": b"of a network that no page uses"})
    shutil.rmtree(target)
    adopt(source)
    assert all((folder / SUMS).exists() for folder in target.iterdir())
    copied = {path.relative_to(target) for path in target.rglob("*")}
    assert copied == {path.relative_to(REFERENCE_FOLDER) for path in REFERENCE_FOLDER.rglob("*")}


def test_adopt_replaces_what_was_there(adoption):
    source, target = adoption
    change(next(run for run in EVERY if run not in WITH_WEIGHTS), source, lambda metrics: 0.5)
    (target / "old").mkdir()
    adopt(source)
    assert files(target) == files(source) and not (target / "old").exists()
    assert set(target.parent.iterdir()) == {source, target}


@pytest.mark.parametrize("fault", ["itself", "no weights", "no run"])
def test_adopt_touches_nothing_where_it_cannot_be_done(adoption, fault):
    source, target = adoption
    before = files(target)
    if fault == "itself":
        source = target.parent / "source" / ".." / "reference"
    elif fault == "no weights":
        (source / folder_name(WITH_WEIGHTS[-1]) / "weights.safetensors").unlink()
    else:
        shutil.rmtree(source / folder_name(EVERY[-1]))
    said = {
        "itself": "is the reference itself",
        "no weights": "has no weights",
        "no run": "damaged or missing",
    }
    with pytest.raises(StoreError, match=said[fault]):
        adopt(source)
    assert files(target) == before


def test_adopt_that_was_killed_between_its_renames_is_undone(adoption):
    """Also where the next one fails."""
    source, target = adoption
    before = files(target)
    target.rename(target.parent / ".reference.replaced")
    shutil.rmtree(source / folder_name(EVERY[-1]))
    with pytest.raises(StoreError):
        adopt(source)
    assert files(target) == before
    with pytest.raises(StoreError, match="is the reference itself"):
        adopt(target.parent / ".reference.replaced")


def test_adopt_that_breaks_off_leaves_the_reference_whole(adoption, monkeypatch):
    source, target = adoption
    before, copies = files(target), iter(range(5))

    def copy_some(*of, copy=shutil.copytree, **how):
        if next(copies, None) is None:
            raise OSError("No space left on device")
        return copy(*of, **how)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", copy_some)
        with pytest.raises(OSError, match="No space left"):
            adopt(source)
    assert files(target) == before
    adopt(source)
    assert files(target) == files(source)
