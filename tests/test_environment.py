"""The same environment, whichever way it is made: pyproject.toml, constraints.txt, environment.yml."""

import sys
import tomllib

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from moda.data import PROJECT

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = {
    pin.name.lower().replace("_", "-"): str(pin.specifier).removeprefix("==")
    for line in (PROJECT / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
    for pin in [Requirement(line)]
}


def test_every_dependency_is_pinned_within_its_range():
    extras = PYPROJECT["optional-dependencies"]
    for requirement in map(Requirement, PYPROJECT["dependencies"] + extras["dask"] + extras["test"]):
        if requirement.name == "moda":
            continue
        assert requirement.specifier.contains(CONSTRAINTS[requirement.name]), requirement


def test_torch_and_torchvision_are_the_tested_ones():
    assert (CONSTRAINTS["torch"], CONSTRAINTS["torchvision"]) == ("2.13.0", "0.28.0")


def test_conda_installs_the_project_with_the_same_pins():
    conda, pip = {}, []
    for item in yaml.safe_load((PROJECT / "environment.yml").read_text())["dependencies"]:
        if isinstance(item, dict):
            pip = item["pip"]
        else:
            name, _, version = item.partition("=")
            conda[name] = version
    assert pip == ["--constraint constraints.txt", "--editable .[test]"]
    assert "pip" in conda
    assert SpecifierSet(PYPROJECT["requires-python"]).contains(conda["python"])


def test_this_interpreter_is_supported():
    version = ".".join(map(str, sys.version_info[:3]))
    assert SpecifierSet(PYPROJECT["requires-python"]).contains(version)
