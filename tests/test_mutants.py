"""The faults of tests/mutants can still be made, so that the tests can be tried on them."""

import runpy

import pytest

from moda.data import PROJECT

FAULTS = runpy.run_path(str(PROJECT / "tests" / "mutants" / "run.py"))["mutants"]()


@pytest.mark.parametrize("mutant", FAULTS, ids=lambda mutant: mutant["fault"])
def test_fault_has_one_place(mutant):
    text = (PROJECT / mutant["file"]).read_text(encoding="utf-8")
    assert text.count(mutant["old"]) == 1, "the code has changed: change the fault too"
    assert all((PROJECT / "tests" / f"test_{name}.py").exists() for name in mutant["tests"].split())
