"""Train the runs of the book from scratch, and compare them with the reference (`make reproduce`).

`python -m moda.reproduce` trains what is missing in the folder MODA_RUNS, on `--device cpu` or another, or
with `--dask ADDRESS` on that scheduler's cluster; `--compare FOLDER` prints the table paper / reference /
yours; `--adopt FOLDER` makes its runs the reference. `--chapters 9 11` limits the first two to the runs of
those notebooks.
"""

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import jupytext
import pandas as pd

from moda import paper
from moda.book.notebook import declared, needed
from moda.comparison import margin_of_runs
from moda.configurations import CHOSEN, AutoencoderRun, ClassifierRun, Frozen, Run, with_starts
from moda.data import PROJECT
from moda.errors import ModaError
from moda.runs import safe_files
from moda.runs.schedule import obtain_all
from moda.runs.store import REFERENCE_FOLDER, WEIGHTS, Result, StoreError, folder_name, read

NOTEBOOKS = {path.stem: jupytext.read(path) for path in sorted((PROJECT / "notebooks").glob("*.md"))}
# Those of the chapters, by number.
CHAPTERS = {int(name[:2]): notebook for name, notebook in NOTEBOOKS.items() if name[:2].isdigit()}
# Retrained by the tests, to detect a change in what a configuration means.
TINY = ClassifierRun(AutoencoderRun(n=16, epochs=2, train_size=2000), epochs=2, train_size=2000)


def every() -> list[Run]:
    """The runs of the reference."""
    return with_starts([TINY, *needed(NOTEBOOKS.values())])


def kept() -> set[Run]:
    """The runs whose weights the reference keeps."""
    return {run for notebook in NOTEBOOKS.values() for run in declared(notebook)[1]}


def compare(folder: Path, runs: list[Run]) -> str:
    """The values of the paper, the reference and `folder` side by side, as text."""
    rows = [
        ("ECM, N = 64", paper.ECM, CHOSEN[64].autoencoder, "loss"),
        ("cross entropy, N = 64", paper.CROSS_ENTROPY, CHOSEN[64], "loss"),
        *((f"Exactitud, N = {n}", paper.ACCURACY[n], run, "accuracy") for n, run in CHOSEN.items()),
    ]
    table = pd.DataFrame(
        {
            "test set": what,
            "paper": reported,
            "reference": read(run, REFERENCE_FOLDER).metrics[metric],
            "yours": read(run, folder).metrics[metric],
        }
        for what, reported, run, metric in rows
        if run in runs
    ).round(4)
    verdict = "\n".join(judge(folder, runs))
    return verdict if table.empty else f"{table.to_string(index=False)}\n{verdict}"


def judge(folder: Path, runs: list[Run]) -> list[str]:
    """How close the runs in `folder` are to the reference: to the last digit, or as close as other seeds.

    Compares the ECM (autoencoder) or the Exactitud (classifier) on the test set, in units of the margin
    between two runs that differ only in their seeds (moda.comparison.margin_of_runs).
    """
    stored = [run for run in every() if (REFERENCE_FOLDER / folder_name(run)).exists()]
    reference = {run: read(run, REFERENCE_FOLDER) for run in stored}
    yours = {run: read(run, folder) for run in runs}
    new = [run for run in runs if run not in reference]
    others = [run for run in runs if run in reference and _digits(yours[run]) != _digits(reference[run])]
    same = len(runs) - len(new) - len(others)
    lines = [f"{same} of {len(runs)} runs equal the reference to the last digit."]
    if new:
        lines.append(f"The reference has none of these yet: {', '.join(map(folder_name, new))}.")
    if not others:
        return lines
    here, there = (sorted({_arithmetic(of[run]) for run in others}) for of in (yours, reference))
    lines.append(f"The others were computed with: {', '.join(here)}; in the reference: {', '.join(there)}.")
    if not here == there == ["portable"]:
        lines.append("The same digits on other machines can only be expected of portable arithmetic.")

    seeds: dict[Run, list[float]] = {}
    for run, result in reference.items():
        seeds.setdefault(_without_seeds(run), []).append(_quality(result))
    distance = {
        run: abs(_quality(yours[run]) - _quality(reference[run])) / margin_of_runs(seeds[_without_seeds(run)])
        for run in others
        if len(seeds[_without_seeds(run)]) > 1
    }
    if distance:
        far = max(distance, key=lambda run: distance[run])
        near = sum(value <= 1 for value in distance.values())
        lines += [
            f"{near} of the {len(distance)} that have runs with other seeds are as near as those are.",
            f"The farthest, at {distance[far]:.2f} of that margin: {folder_name(far)}, "
            f"{_quality(yours[far]):.4f}, in the reference {_quality(reference[far]):.4f}.",
        ]
    return lines


def _digits(result: Result) -> list[bytes]:
    """All that was measured of a run, as it is stored."""
    return [(result.folder / name).read_bytes() for name in ("history.csv", "metrics.json")]


def _arithmetic(result: Result) -> str:
    """How a run was computed; CPU runs stored before there was a choice are native."""
    record = result.record
    return record.get("arithmetic", "native") if record["device"] == "cpu" else record["device"]


def _quality(result: Result) -> float:
    return result.metrics.get("accuracy", result.metrics["loss"])


def _without_seeds(run: Run) -> Run:
    """The same for all runs that differ only in their seeds."""
    if isinstance(run, ClassifierRun) and run.autoencoder:
        autoencoder = replace(run.autoencoder, seed=0)
        start = Frozen(autoencoder) if isinstance(run.start, Frozen) else autoencoder
        return replace(run, seed=0, start=start)
    return replace(run, seed=0)


def adopt(folder: Path) -> None:
    """Replace the reference runs with those of `folder`, keeping only the weights that the book needs.

    StoreError, and the reference stays, if `folder` is the reference or lacks a run or weights.
    """
    safe_files.undo_replace(REFERENCE_FOLDER)
    new = REFERENCE_FOLDER.with_name(".reference.partial")
    if folder.resolve() in [
        place.resolve() for place in (REFERENCE_FOLDER, safe_files.aside_of(REFERENCE_FOLDER), new)
    ]:
        raise StoreError(
            f"{folder} is the reference itself. Name the folder of the runs that are to replace it."
        )
    weights = kept()
    for run in every():
        read(run, folder)
        if run in weights and not (folder / folder_name(run) / WEIGHTS).exists():
            raise StoreError(
                f"{folder / folder_name(run)} has no {WEIGHTS}, which the book needs. Delete that folder "
                "and train the run again: make reproduce OUT=…"
            )
    shutil.rmtree(new, ignore_errors=True)
    for run in every():
        unused = None if run in weights else shutil.ignore_patterns(WEIGHTS)
        shutil.copytree(folder / folder_name(run), new / folder_name(run), ignore=unused)
    safe_files.replace(new, REFERENCE_FOLDER)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dask", metavar="ADDRESS")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--chapters", type=int, nargs="+", choices=CHAPTERS, metavar="NUMBER")
    for done in "--compare", "--adopt":
        parser.add_argument(done, type=lambda text: Path(text).expanduser(), metavar="FOLDER")
    arguments = parser.parse_args()
    runs = needed(CHAPTERS[number] for number in arguments.chapters) if arguments.chapters else every()
    if arguments.compare:
        print(compare(arguments.compare, runs))
    elif arguments.adopt:
        adopt(arguments.adopt)
    else:
        obtain_all(runs, arguments.device, weights=False, dask=arguments.dask)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The same command goes on from the last epoch of each run.")
    except ModaError as error:
        sys.exit(str(error))
