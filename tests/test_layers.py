"""Which part of the library may import which, and what importing it may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "rxrx_lib"
MODULES = sorted(PACKAGE.rglob("*.py"))

# A part may import itself, the package's version, and the parts named here.
ALLOWED = {
    "": set(),
    "data": set(),
    "models": set(),
    "evaluation": set(),
    "training": {"data", "models"},
    "study": {"data", "models", "evaluation", "training"},
    "cli": {"data", "models", "evaluation", "training", "study"},
}


def part_of(module: str) -> str:
    """Return the part of a dotted name: rxrx_lib.study.runs -> study."""
    return [*module.split("."), ""][1]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[str]:
    """Give the names that a module imports anywhere, in functions and for types too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            # `from rxrx_lib import study` imports a part by its name
            if node.module == "rxrx_lib":
                yield from (f"rxrx_lib.{alias.name}" for alias in node.names)


def test_every_part_has_its_rules() -> None:
    assert {part_of(module_name(path)) for path in MODULES} == ALLOWED.keys()


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_only_go_down(path: Path) -> None:
    # `python -m rxrx_lib.training` is a command, which only lies there
    here = "cli" if path.name == "__main__.py" else part_of(module_name(path))
    parts = {part_of(name) for name in imported(path) if name.split(".")[0] == "rxrx_lib"}
    assert parts - {"", here} <= ALLOWED[here]


@pytest.mark.parametrize(
    "path", [p for p in MODULES if part_of(module_name(p)) == "evaluation"], ids=module_name
)
def test_evaluation_imports_no_torch(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & {"torch", "torchvision"}


def test_reading_results_loads_no_torch_no_plotting_and_no_scheduler() -> None:
    heavy = ("torch", "torchvision", "matplotlib", "distributed", "dask", "sklearn")
    program = (
        "import sys, rxrx_lib, rxrx_lib.study\n"
        "from rxrx_lib.study import ledger, claims, tables, catalogue\n"
        "import rxrx_lib.cli\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
