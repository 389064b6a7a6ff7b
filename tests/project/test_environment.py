"""The same environment, whichever way it is made: pyproject.toml, constraints.txt, environment.yml."""

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from itertools import chain

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from moda.data import PROJECT

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
EXTRAS = PYPROJECT["optional-dependencies"]
PINS = [
    Requirement(line)
    for line in (PROJECT / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
]
SUPPORTED = [
    version
    for version in (f"3.{minor}.{patch}" for minor in range(11, 15) for patch in range(20))
    if SpecifierSet(PYPROJECT["requires-python"]).contains(version)
]
LOWEST = SUPPORTED[0]


def holds(pin: Requirement, python: str) -> bool:
    """Whether `pin` counts under that Python, here as far as anything else goes."""
    versions = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    return pin.marker is None or pin.marker.evaluate(versions)


def pinned(name: str, python: str) -> list[str]:
    """The versions that the constraints leave for the package called `name`; one, if all is well."""
    pins = [pin for pin in PINS if canonicalize_name(pin.name) == canonicalize_name(name)]
    return [str(pin.specifier).removeprefix("==") for pin in pins if holds(pin, python)]


def excluded(pin: Requirement, requires_python: str | None) -> list[str]:
    """The supported Pythons where `pin` counts and its package, which says so of itself, won't install."""
    allowed = SpecifierSet(requires_python or "")
    return [version for version in SUPPORTED if holds(pin, version) and not allowed.contains(version)]


@pytest.mark.parametrize("python", [LOWEST, "3.12.0", "3.13.0", "3.14.0"])
def test_every_dependency_is_pinned_within_its_range(python):
    for requirement in map(Requirement, chain(PYPROJECT["dependencies"], *EXTRAS.values())):
        if requirement.name == "moda":
            continue
        [version] = pinned(requirement.name, python)
        assert requirement.specifier.contains(version), requirement


def test_torch_and_torchvision_are_the_tested_ones():
    assert pinned("torch", LOWEST) == ["2.13.0"]
    assert pinned("torchvision", LOWEST) == ["0.28.0"]


def test_no_pin_excludes_a_supported_python():
    """As far as it can be told without a network: of the pins that are installed here."""
    found = {}
    for pin in PINS:
        try:
            package = metadata(pin.name)
        except PackageNotFoundError:
            continue
        if pin.specifier.contains(package["Version"]):
            found[str(pin)] = excluded(pin, package.get("Requires-Python"))
    assert {pin: pythons for pin, pythons in found.items() if pythons} == {}


def test_a_pin_that_excludes_a_supported_python_is_noticed():
    needs = ">=3.11.5"
    assert excluded(Requirement("soupsieve==4.1.2"), needs)[0] == LOWEST
    assert excluded(Requirement("soupsieve==4.1.2; python_full_version >= '3.11.5'"), needs) == []
    assert excluded(Requirement("soupsieve==4.1.2; python_version >= '3.11'"), needs)[-1] == "3.11.4"


def test_conda_installs_the_project_with_the_same_pins():
    conda, pip = {}, []
    for item in yaml.safe_load((PROJECT / "environment.yml").read_text())["dependencies"]:
        if isinstance(item, dict):
            pip = item["pip"]
        else:
            name, _, version = item.partition("=")
            conda[name] = version
    index = re.search(r'"(https://.*)"\)', (PROJECT / "install.py").read_text())[1]
    assert pip == [f"--extra-index-url {index}", "--constraint constraints.txt", "--editable .[test]"]
    assert "pip" in conda
    assert any(version.startswith(f"{conda['python']}.") for version in SUPPORTED)


def test_this_interpreter_is_supported():
    version = ".".join(map(str, sys.version_info[:3]))
    assert SpecifierSet(PYPROJECT["requires-python"]).contains(version)
