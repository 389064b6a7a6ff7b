"""The faults of tests/mutants can still be made, so that the tests can be tried on them."""

import runpy

from moda.data import PROJECT

TESTS = PROJECT / "tests"


def test_every_fault_has_one_place_and_its_tests():
    """If not, the code has changed: change the fault too."""
    faults = runpy.run_path(str(TESTS / "mutants" / "run.py"))["mutants"]()
    places = {
        mutant["fault"]: (PROJECT / mutant["file"]).read_text(encoding="utf-8").count(mutant["old"])
        for mutant in faults
    }
    assert {fault: count for fault, count in places.items() if count != 1} == {}
    names = {name for mutant in faults for name in mutant["tests"].split()}
    assert names <= {path.stem.removeprefix("test_") for path in TESTS.rglob("test_*.py")}
