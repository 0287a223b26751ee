"""pyproject.toml, constraints.txt and environment.yml describe one environment."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def required(project: dict) -> dict[str, SpecifierSet]:
    """Return the ranges of the library's dependencies and of its tests'."""
    lines = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): each.specifier for each in requirements}


@pytest.fixture(scope="module")
def pins() -> dict[str, Version]:
    """Return constraints.txt: one `name==version` a line."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {}
    for line in lines:
        wanted = line.partition("#")[0].strip()
        if wanted:
            name, equals, version = wanted.partition("==")
            assert equals, f"{line!r} is no name==version"
            pinned[canonicalize_name(name)] = Version(version)
    return pinned


@pytest.fixture(scope="module")
def environment() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def described(environment: dict) -> dict[str, SpecifierSet]:
    """Return environment.yml's packages, conda's and pip's."""
    found = {}
    for entry in environment["dependencies"]:
        for line in entry["pip"] if isinstance(entry, dict) else [entry]:
            if line.startswith("-"):  # an option of pip, or this project itself
                continue
            match = re.fullmatch(r"([A-Za-z0-9._-]+)\s*(.*)", line)
            assert match, line
            exact = re.sub(r"^=(?!=)", "==", match[2].strip())  # conda's single =
            found[canonicalize_name(match[1])] = SpecifierSet(exact)
    return found


def test_every_requirement_is_pinned_inside_its_range(
    required: dict[str, SpecifierSet], pins: dict[str, Version]
) -> None:
    assert required.keys() - pins.keys() == set()
    outside = {
        name: str(pins[name])
        for name, range_ in required.items()
        if not range_.contains(pins[name], prereleases=True)
    }
    assert outside == {}


def test_every_requirement_is_bounded_from_below(required: dict[str, SpecifierSet]) -> None:
    unbounded = {n for n, range_ in required.items() if not any(s.operator == ">=" for s in range_)}
    assert unbounded == set()


def test_conda_users_get_the_same_packages_in_the_same_ranges(
    required: dict[str, SpecifierSet],
    pins: dict[str, Version],
    described: dict[str, SpecifierSet],
) -> None:
    tools = {"python", "pip", "make", "git"}
    assert described.keys() - tools == required.keys()
    for name, range_ in required.items():
        exact = SpecifierSet(f"=={pins[name]}")
        assert described[name] in (range_, exact), name


def test_conda_users_get_a_python_that_the_library_accepts(
    project: dict, described: dict[str, SpecifierSet]
) -> None:
    accepted = SpecifierSet(project["requires-python"])
    lowest = min(Version(s.version.removesuffix(".*")) for s in described["python"])
    assert accepted.contains(lowest)


def test_conda_packages_come_from_conda_forge_alone(environment: dict) -> None:
    assert environment["channels"] == ["conda-forge"]
