"""The reference runs: complete, their own, and what the present code would train again."""

from dataclasses import asdict

import numpy as np
import pytest

from moda import evaluation, runs
from moda.parameters import origin
from moda.reproduce import AVERAGED, CHAPTERS, COMPARED, EVERY, TINY, WITH_WEIGHTS, adopt, compare, needed
from moda.store import RECIPE, REFERENCE_FOLDER, folder_name, read


def test_the_reference_holds_every_run_of_the_book_and_no_other():
    assert {folder.name for folder in REFERENCE_FOLDER.iterdir()} == {folder_name(run) for run in EVERY}
    kept = {path.parent.name for path in REFERENCE_FOLDER.glob("*/weights.safetensors")}
    assert kept == {folder_name(run) for run in WITH_WEIGHTS}


@pytest.mark.parametrize("run", EVERY, ids=folder_name)
def test_stored_run_is_whole_and_of_the_present_recipe(run):
    result = read(run, REFERENCE_FOLDER)
    assert list(result.history.index) == list(range(1, run.epochs + 1))
    assert np.isfinite(result.history).all().all()
    assert result.record["configuration"] == asdict(run)
    assert result.record["recipe"] == RECIPE


def test_reference_is_light():
    assert sum(path.stat().st_size for path in REFERENCE_FOLDER.rglob("*") if path.is_file()) < 10e6


@pytest.mark.parametrize("run", WITH_WEIGHTS, ids=folder_name)
def test_weights_give_the_stored_test_metrics(run, fashion_mnist):
    result = read(run, REFERENCE_FOLDER)
    for name, value in evaluation.measure_on_test(result.model(), fashion_mnist.test).items():
        assert value == pytest.approx(result.metrics[name], rel=1e-4), name


def test_fifteen_epochs_are_the_beginning_of_twenty():
    final, longer = (read(run, REFERENCE_FOLDER).history for run in (COMPARED[0].autoencoder, AVERAGED[0]))
    np.testing.assert_allclose(final, longer[: len(final)], rtol=1e-6)


def test_the_tiny_run_trained_again_gives_its_stored_history(tmp_path, monkeypatch):
    monkeypatch.setenv("MODA_RUNS", str(tmp_path))
    for run in (TINY.autoencoder, TINY):
        again = runs.obtain(run, device="cpu").history
        # Other processors add in another order; another recipe differs in the first digits.
        np.testing.assert_allclose(again, read(run, REFERENCE_FOLDER).history, rtol=1e-3)


def test_compare_prints_paper_reference_and_yours():
    text = compare(REFERENCE_FOLDER)
    assert "0.0533" in text and "0.9141" in text
    assert f"{len(EVERY)} of {len(EVERY)} runs equal" in text


def test_chapters_need_their_runs_only_and_before_a_classifier_its_autoencoder():
    runs = needed([4, 12])
    assert runs == [COMPARED[0].autoencoder, COMPARED[0]]
    for run in needed(CHAPTERS):
        assert origin(run) is None or origin(run) in EVERY
    text = compare(REFERENCE_FOLDER, needed([3]))
    assert "0.0533" in text and "0.9141" not in text and "11 of 11 runs equal" in text


def test_adopt_copies_all_but_the_weights_that_no_page_needs(tmp_path, monkeypatch):
    monkeypatch.setattr("moda.reproduce.REFERENCE_FOLDER", tmp_path / "reference")
    adopt(REFERENCE_FOLDER)
    copied = {path.relative_to(tmp_path / "reference") for path in (tmp_path / "reference").rglob("*")}
    assert copied == {path.relative_to(REFERENCE_FOLDER) for path in REFERENCE_FOLDER.rglob("*")}
