import errno
import json
import math
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import joblib
import pandas as pd
import pytest
import torch

from moda import data, evaluation
from moda.configurations import AutoencoderRun, ClassifierRun, Fresh, Frozen, Revised, described
from moda.data import FashionMNIST
from moda.networks import Autoencoder, Classifier
from moda.runs import safe_files, schedule, store
from moda.runs.schedule import obtain, obtain_all
from moda.runs.store import Result, StoreError, folder_name
from moda.training import fast_layers, loop

ENCODER = AutoencoderRun(n=2, epochs=1, train_size=100)
OTHER = replace(ENCODER, seed=1)
SHARING = [ClassifierRun(ENCODER, epochs=1, train_size=100, seed=seed) for seed in (0, 1)]


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Where runs are stored in this test, empty."""
    monkeypatch.setenv("MODA_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def few_images(monkeypatch, few):
    """Runs are trained and measured on few images. Processes that are started know nothing of it."""
    monkeypatch.setattr(data, "load", lambda: few)


@pytest.fixture
def no_training(monkeypatch):
    """Once called, training is an error."""
    return lambda: monkeypatch.setenv("MODA_TRAIN", "never")


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def assert_same(one: Result, other: Result):
    assert one.run == other.run and one.metrics == other.metrics
    pd.testing.assert_frame_equal(one.history, other.history, check_exact=True)
    weights = zip(one.model().state_dict().values(), other.model().state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)


def test_trained_once_then_read(folder, few_images, no_training):
    first = obtain(OTHER, device="cpu")
    no_training()
    second = obtain(OTHER, device="cpu")
    assert_same(first, second)
    assert first.record == second.record
    assert_same(first, obtain_all([OTHER], device="cpu")[0])


def test_what_is_stored(folder, few, few_images):
    result = obtain(OTHER, device="cpu")
    assert names(folder) == {folder_name(OTHER)}
    assert names(result.folder) == {*store.FILES, store.SUMS}
    record = json.loads((result.folder / "run.json").read_text())
    assert record == result.record
    assert record["configuration"] == described(OTHER)
    assert record["configuration"]["type"] == "AutoencoderRun" and record["device"] == "cpu"
    assert record["data_sha256"] == data.CHECKSUM and record["recipe"] == store.RECIPE
    assert record["threads"] == 1 and record["arithmetic"] == loop.arithmetic_of("cpu")
    assert record["commit"] is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", record["commit"])
    _, history, _ = loop.train_autoencoder(OTHER, few, torch.device("cpu"))
    pd.testing.assert_frame_equal(result.history, history, check_exact=True)


def test_model_gives_the_stored_metrics_of_both_sets(folder, few, few_images):
    for run, kind in ((ENCODER, Autoencoder), (SHARING[0], Classifier)):
        result = obtain(run, device="cpu")
        model = result.model()
        assert type(model) is kind and not model.training
        for stored, images in ((result.metrics, few.test), (result.validation, few.validation)):
            measured = evaluation.measure(model, images)
            assert stored.get("dead_classes") == measured.pop("dead_classes", None)
            numbers = {name: value for name, value in stored.items() if name != "dead_classes"}
            assert numbers == pytest.approx(measured, rel=1e-5)
        assert result.metrics["loss"] != result.validation["loss"]


def test_where_nothing_may_be_trained_what_is_missing_is_named(folder, few_images, monkeypatch):
    monkeypatch.setenv("MODA_TRAIN", "never")
    with pytest.raises(StoreError, match=folder_name(ENCODER)):
        obtain(SHARING[0], device="cpu")
    assert not folder.exists()


def test_classifier_with_a_random_encoder_trains_no_autoencoder(folder, few, few_images):
    run = replace(SHARING[0], start=Fresh(2))
    obtain(run, device="cpu")
    assert names(folder) == {folder_name(run)}


def test_classifier_trains_its_autoencoder(folder, few, few_images):
    """And starts from it: a training by hand from the stored autoencoder gives the same."""
    result = obtain(SHARING[0], device="cpu")
    assert names(folder) == {folder_name(ENCODER), folder_name(SHARING[0])}
    autoencoder = obtain(ENCODER, device="cpu").model()
    _, history, _ = loop.train_classifier(SHARING[0], autoencoder, few, torch.device("cpu"))
    pd.testing.assert_frame_equal(result.history, history, check_exact=True)


@pytest.mark.slow
def test_processes_give_what_one_thread_gives(monkeypatch, tmp_path):
    """With all training images, which are so many that the processes share them."""
    whole = data.load()
    few = FashionMNIST(whole.train, whole.validation[:200], whole.test[:200])
    monkeypatch.setattr(data, "load", lambda: few)
    alone, together = tmp_path / "alone", tmp_path / "together"
    monkeypatch.setenv("MODA_RUNS", str(alone))
    expected = obtain(SHARING[0], device="cpu")
    shutil.copytree(alone / folder_name(ENCODER), together / folder_name(ENCODER))

    # joblib keeps its processes, which know the environment of their start only. On more cores it would give
    # each several threads.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    joblib.Parallel(2)(joblib.delayed(str)(i) for i in range(2))
    monkeypatch.setenv("MODA_RUNS", str(together))
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    here = trainings(monkeypatch)
    results = obtain_all(SHARING, device="cpu")
    assert here == []
    assert [result.run for result in results] == SHARING
    assert all(result.record["threads"] == 1 for result in results)
    assert_same(results[0], expected)
    assert names(together) == {folder_name(run) for run in (ENCODER, *SHARING)}

    # Nor that they are to train PyTorch's own layers now.
    monkeypatch.setenv("MODA_ARITHMETIC", "plain")
    monkeypatch.setenv("MODA_RUNS", str(tmp_path / "plain"))
    shutil.copytree(alone / folder_name(ENCODER), tmp_path / "plain" / folder_name(ENCODER))
    plain = obtain_all(SHARING, device="cpu")
    assert all(result.record["arithmetic"] == loop.arithmetic_of("cpu") for result in plain)
    assert loop.arithmetic_of("cpu").startswith("plain ")


def test_shared_autoencoder_is_trained_once(folder, few_images, monkeypatch):
    """Before the classifiers; and no run twice."""
    trained = trainings(monkeypatch)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)
    results = obtain_all([*SHARING, ENCODER, OTHER, SHARING[0]], device="cpu")
    assert [result.run for result in results] == [*SHARING, ENCODER, OTHER, SHARING[0]]
    assert trained == [ENCODER, OTHER, *SHARING]


def trainings(monkeypatch) -> list:
    """Every run that this process begins to train from now on."""
    begun = []
    for name in ("train_autoencoder", "train_classifier"):
        train = getattr(loop, name)
        monkeypatch.setattr(loop, name, lambda run, *of, train=train: begun.append(run) or train(run, *of))
    return begun


def test_run_whose_weights_were_not_kept(folder, few_images, monkeypatch):
    """It will do where only its curves are wanted; where its weights are, it is trained again."""
    first = obtain(OTHER, device="cpu")
    (first.folder / "weights.safetensors").unlink()
    with monkeypatch.context() as patch:
        patch.setenv("MODA_TRAIN", "never")
        assert obtain(OTHER, device="cpu", weights=False).metrics == first.metrics
        assert obtain_all([OTHER], device="cpu", weights=False)[0].metrics == first.metrics
    again = obtain(OTHER, device="cpu")
    assert again.metrics == pytest.approx(first.metrics, rel=1e-4)
    assert isinstance(again.model(), Autoencoder)
    assert names(folder) == {folder_name(OTHER)}


def test_another_process_was_quicker(folder, few, monkeypatch):
    def load():
        """While this training loads its data, another one of the same run begins and ends."""
        monkeypatch.setattr(data, "load", lambda: few)
        obtain(OTHER, device="cpu")
        return few

    monkeypatch.setattr(data, "load", load)
    result = obtain(OTHER, device="cpu")
    assert isinstance(result.model(), Autoencoder)
    assert names(folder) == {folder_name(OTHER)}


@pytest.mark.parametrize("where", ["training.loop.autoencoder_metrics", "runs.store.as_safetensors"])
def test_interrupted_training_leaves_no_run(folder, few_images, monkeypatch, where):
    """In the middle of training; in the middle of storing."""

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"moda.{where}", interrupt)
        with pytest.raises(KeyboardInterrupt):
            obtain(OTHER, device="cpu")
    assert not folder.exists() or names(folder) <= {f".{folder_name(OTHER)}.pt"}
    obtain(OTHER, device="cpu")
    assert names(folder) == {folder_name(OTHER)}


@pytest.mark.parametrize("file", [*store.FILES, store.SUMS])
@pytest.mark.parametrize("fault", ["changed", "shorter", "empty", "gone"])
def test_any_change_of_a_stored_run_is_named(folder, few_images, file, fault):
    path = obtain(OTHER, device="cpu").folder / file
    content = path.read_bytes()
    middle = len(content) // 2
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.write_bytes({"changed": changed, "shorter": content[:middle], "empty": b"", "gone": b""}[fault])
    if fault == "gone":
        path.unlink()
        if file == store.WEIGHTS:  # which need not be kept
            assert obtain(OTHER, device="cpu", weights=False).folder == path.parent
            return
    with pytest.raises(StoreError, match="damaged") as error:
        obtain(OTHER, device="cpu", weights=False)
    assert str(path.parent) in str(error.value) and "Delete the folder" in str(error.value)
    assert file in str(error.value) or file == store.SUMS
    with pytest.raises(StoreError, match="damaged"):
        store.table()


def test_run_of_another_folder_is_not_accepted(folder, few_images):
    obtain(OTHER, device="cpu").folder.rename(folder / folder_name(ENCODER))
    with pytest.raises(StoreError, match="another configuration"):
        obtain(ENCODER, device="cpu")


def test_history_of_another_length_is_not_accepted(folder, few_images):
    result = obtain(OTHER, device="cpu")
    files = store.read_files(result.folder)
    store.write_files(result.folder, {**files, "history.csv": result.history.iloc[:0].to_csv().encode()})
    with pytest.raises(StoreError, match="0 epochs of 1"):
        obtain(OTHER, device="cpu")


def test_training_that_diverges_names_run_and_epoch_and_leaves_nothing(folder, few_images, monkeypatch):
    losses = iter([0.5, math.nan])
    monkeypatch.setattr(loop.Learner, "epoch", lambda *_: next(losses))
    run = replace(OTHER, epochs=3)
    with pytest.raises(loop.DivergenceError) as error:
        obtain(run, device="cpu")
    assert f"{run}" in str(error.value) and "en la época 2, running_loss no es" in str(error.value)
    assert names(folder) == set()


def test_storing_leaves_what_was_there_where_it_fails(folder, few_images, monkeypatch):
    """It completes a run whose weights were not kept, and finds no room for its last file."""
    result = obtain(OTHER, device="cpu")
    files = store.read_files(result.folder)
    (result.folder / store.WEIGHTS).unlink()
    write = safe_files.write

    def write_while_there_is_room(path, content):
        if path.name == store.SUMS:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(safe_files, "write", write_while_there_is_room)
        with pytest.raises(OSError, match="No space left"):
            store.write_files(result.folder, {**files, "metrics.json": b"{}"})
    assert names(folder) == {folder_name(OTHER)}
    assert obtain(OTHER, device="cpu", weights=False).metrics == result.metrics
    store.write_files(result.folder, files)
    assert_same(result, obtain(OTHER, device="cpu"))


@pytest.mark.parametrize("where", ["checkpoint", "storing"])
def test_full_disk_is_said_and_costs_nothing_that_was_done(folder, few_images, monkeypatch, where):
    """The disk is full for the second epoch's checkpoint; for one of the run's files."""
    run, write, written = replace(OTHER, epochs=2), safe_files.write, []

    def write_while_there_is_room(path, content):
        written.append(path.name)
        if len(written) == {"checkpoint": 2, "storing": 5}[where]:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(safe_files, "write", write_while_there_is_room)
        with pytest.raises(StoreError, match="No space left on device") as error:
            obtain(run, device="cpu")
    assert folder_name(run) in str(error.value) and "MODA_RUNS" in str(error.value)
    assert names(folder) == {f".{folder_name(run)}.pt"}
    again = obtain(run, device="cpu")
    assert names(folder) == {folder_name(run)}
    monkeypatch.setenv("MODA_RUNS", str(folder.with_name("elsewhere")))
    assert_same(again, obtain(run, device="cpu"))


def test_what_a_killed_process_left_of_storing_is_cleared(folder, few_images):
    left_behind = folder / f".{folder_name(OTHER)}.partial"
    left_behind.mkdir(parents=True)
    (left_behind / "run.json").write_text("{")
    obtain(OTHER, device="cpu")
    assert names(folder) == {folder_name(OTHER)}


def test_run_that_was_being_replaced_when_its_process_was_killed_is_there(folder, few_images, no_training):
    """Between the renames of store.write_files: the old folder is aside, the new one not yet in its place."""
    result = obtain(OTHER, device="cpu")
    result.folder.rename(folder / f".{folder_name(OTHER)}.replaced")
    shutil.copytree(folder / f".{folder_name(OTHER)}.replaced", folder / f".{folder_name(OTHER)}.partial")
    no_training()
    assert_same(result, obtain(OTHER, device="cpu"))


def test_run_without_weights_that_was_being_replaced_is_not_lost_either(folder, few_images, monkeypatch):
    """It is trained again for its weights, which fails: what there was is there again."""
    result = obtain(OTHER, device="cpu")
    (result.folder / store.WEIGHTS).unlink()
    result.folder.rename(folder / f".{folder_name(OTHER)}.replaced")
    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_autoencoder", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            obtain(OTHER, device="cpu")
    assert names(folder) == {folder_name(OTHER)}
    assert obtain(OTHER, device="cpu", weights=False).metrics == result.metrics


def test_where_the_quick_way_does_not_work_one_line_says_so_and_the_record_too(
    folder, few_images, monkeypatch, capsys
):
    monkeypatch.setattr(fast_layers, "fault", lambda: "AttributeError: no operator x")
    monkeypatch.setattr(schedule, "_say_if_slow", schedule._say_if_slow.__wrapped__)
    result = obtain(OTHER, device="cpu")
    (line,) = capsys.readouterr().err.splitlines()
    assert "no operator x" in line and "capas de PyTorch" in line
    assert result.record["arithmetic"] == loop.arithmetic_of("cpu")
    assert loop.arithmetic_of("cpu").startswith("plain ")


def test_what_a_gpu_s_record_says():
    """As does a checkpoint of its, which no CPU resumes from."""
    assert loop.arithmetic_of("cuda") == "float32, deterministic"
    assert loop.arithmetic_of("mps") == "float32"


def test_several_that_obtain_the_same_run_train_it_once(folder, few_images, monkeypatch):
    trained = trainings(monkeypatch)
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: obtain(OTHER, device="cpu"), range(3)))
    assert trained == [OTHER]
    assert_same(results[0], results[2])
    assert names(folder) == {folder_name(OTHER)}


def test_reading_what_is_not_there(tmp_path):
    with pytest.raises(StoreError, match="missing") as error:
        store.read(OTHER, tmp_path)
    assert str(tmp_path / folder_name(OTHER)) in str(error.value)


@pytest.fixture
def two_folders(folder, few_images, monkeypatch, tmp_path):
    """OTHER stored in the reference folder and in the local one, without MODA_RUNS."""
    stored = obtain(OTHER, device="cpu").folder
    reference, local = tmp_path / "reference", tmp_path / "local"
    for place in (reference, local):
        shutil.copytree(stored, place / stored.name)
    monkeypatch.delenv("MODA_RUNS")
    monkeypatch.setattr(store, "REFERENCE_FOLDER", reference)
    monkeypatch.setattr(store, "LOCAL_FOLDER", local)
    return reference, local


def test_reference_goes_first(two_folders, no_training):
    reference, local = two_folders
    no_training()
    assert obtain(OTHER, device="cpu").folder.parent == reference
    (reference / folder_name(OTHER) / "weights.safetensors").unlink()
    assert obtain(OTHER, device="cpu", weights=False).folder.parent == reference
    assert obtain(OTHER, device="cpu").folder.parent == local


def test_training_never_writes_to_the_reference(two_folders):
    reference, local = two_folders
    assert obtain(ENCODER, device="cpu").folder.parent == local
    shutil.rmtree(local)
    (reference / folder_name(OTHER) / "weights.safetensors").unlink()
    assert obtain(OTHER, device="cpu").folder.parent == local
    assert "weights.safetensors" not in names(reference / folder_name(OTHER))


def test_chosen_folder_replaces_both(two_folders, folder, monkeypatch):
    shutil.rmtree(folder)
    monkeypatch.setenv("MODA_RUNS", str(folder))
    assert obtain(OTHER, device="cpu").folder.parent == folder


def test_table_lists_parameters_results_and_provenance(folder, few_images):
    classifier = ClassifierRun(replace(ENCODER, seed=3), epochs=2, train_size=50, seed=4)
    result = obtain(classifier, device="cpu")
    (folder / f".{folder_name(OTHER)}.pt").write_bytes(b"of an unfinished training")
    table = store.table()
    assert list(table.index) == [folder_name(classifier.autoencoder), folder_name(classifier)]
    autoencoder, row = (table.loc[name] for name in table.index)
    assert (autoencoder["kind"], autoencoder["n"], autoencoder["seed"]) == ("autoencoder", 2, 3)
    assert (row["kind"], row["n"], row["seed"], row["epochs"]) == ("classifier", 2, 4, 2)
    assert (row["start_type"], row["start_seed"], row["start_epochs"]) == ("AutoencoderRun", 3, 1)
    for name, value in result.metrics.items():
        assert row[name] == value
    assert row["torch"] == torch.__version__ and row["recipe"] == store.RECIPE and row["seconds"] >= 0


def test_table_of_no_runs_is_empty(folder):
    assert store.table().empty


def test_table_has_the_reference_runs_when_asked(two_folders):
    _, local = two_folders
    (local / folder_name(OTHER)).rename(local / folder_name(ENCODER))
    assert list(store.table().index) == [folder_name(ENCODER)]
    assert list(store.table(reference=True).index) == [folder_name(OTHER), folder_name(ENCODER)]


def test_folder_name_is_stable():
    """Another name would make every stored run useless."""
    assert folder_name(AutoencoderRun()) == "autoencoder-n64-s0-b88ebc0a97"


def test_folder_name_depends_on_every_field():
    others = {"n": 65, "dropout": 0.3, "epochs": 31, "seed": 1, "batch_size": 65, "learning_rate": 0.1}
    others |= {"train_size": 49_999, "train_block": 1, "start": AutoencoderRun(all_pixels=True)}
    others |= {"optimizer": "sgd", "warm_up": 1, "leak": 0.1, "bias": 1.0}
    for run in (AutoencoderRun(), ClassifierRun(train_size=1000)):
        changed = [
            replace(run, **{name: not value if isinstance(value, bool) else others[name]})
            for name, value in vars(run).items()
        ]
        assert len({folder_name(r) for r in (run, *changed)}) == len(changed) + 1


def test_folder_name_depends_on_the_kind_of_start():
    """Also where two have the same sizes."""
    starts = [AutoencoderRun(), Frozen(AutoencoderRun()), Fresh(64, 0.2), Revised(64, 0.2)]
    assert len({folder_name(ClassifierRun(start)) for start in starts}) == len(starts)


@pytest.mark.parametrize("where", ["moda.runs.store.RECIPE", "moda.data.CHECKSUM"])
def test_folder_name_depends_on_recipe_and_data(monkeypatch, where):
    before = folder_name(AutoencoderRun())
    monkeypatch.setattr(where, "another")
    assert folder_name(AutoencoderRun()) != before


def test_equal_runs_have_one_folder():
    assert folder_name(AutoencoderRun(dropout=0)) == folder_name(AutoencoderRun(dropout=0.0))
