"""Parameters of notebooks, and one execution of a small one."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import papermill
import pytest

from rxrx_lib.study import notebooks
from rxrx_lib.study.notebooks import NotebookFailed, WrongParameter, parameters_of, read_parameters

CHAPTERS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.md"))
HEAD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A small one

```{code-cell} ipython3
:tags: [parameters]

"""
PARAMETERS = """data = "data"  # a folder
sites = 3
rate = 0.5
deep = True
channels = [1, 2]
seed = None
twice = 2 * 3
"""
BODY = """
import sys
from pathlib import Path

print("half way", file=sys.stderr)
(Path(data) / "sites.txt").write_text(repr((sites, rate, deep)))
1 / sites
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    cell = "```{code-cell} ipython3"
    path = tmp_path / "small.md"
    path.write_text(f"{HEAD}{PARAMETERS}```\n\n{cell}{BODY}```\n")
    (tmp_path / "data").mkdir()
    return path


@pytest.fixture
def unexecuted(monkeypatch: pytest.MonkeyPatch) -> None:
    def execute(*_: Any, **__: Any) -> None:
        raise AssertionError("it was executed")

    monkeypatch.setattr(papermill, "execute_notebook", execute)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter_has_the_four_parameters_that_all_have(chapter: Path) -> None:
    found = parameters_of(chapter)
    assert list(found)[:4] == ["profile", "data", "runs", "device"]
    values = {name: ast.literal_eval(default) for name, default in found.items()}
    everywhere = {"profile": "demo", "data": "data", "runs": "runs", "device": "auto"}
    assert values.items() >= everywhere.items()


def test_a_parameter_that_a_notebook_lacks_is_refused_before_execution(
    source: Path, unexecuted: None
) -> None:
    sentence = (
        r"^notebook 'small' has no parameter 'rnus'; choose among those it has: data, sites, rate, "
        r"deep, channels, seed, twice\.$"
    )
    target = source.with_suffix(".ipynb")
    target.write_text("an earlier one")
    with pytest.raises(WrongParameter, match=sentence):
        notebooks.execute(source, target, {"rnus": "runs"}, source.parent)
    with pytest.raises(WrongParameter, match=sentence):
        read_parameters(source, {"data": "d", "rnus": "runs"})
    assert target.read_text() == "an earlier one"


@pytest.mark.parametrize(
    ("name", "word", "value"),
    [
        ("data", "3", "3"),
        ("sites", "-7", -7),
        ("rate", "2", 2.0),
        ("deep", "false", False),
        ("deep", "True", True),
        ("channels", "[6]", [6]),
        ("seed", "5", 5),
        ("seed", "'five'", "five"),
        ("twice", "7", 7),
    ],
)
def test_a_word_is_read_as_the_type_that_the_default_has(
    source: Path, name: str, word: str, value: object
) -> None:
    read = read_parameters(source, {name: word})[name]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "word", "kind", "default"),
    [
        ("sites", "many", "int", "3"),
        ("sites", "3.5", "int", "3"),
        ("rate", "fast", "float", "0.5"),
        ("deep", "1", "bool", "True"),
        ("channels", "6", "list", r"\[1, 2\]"),
        ("channels", "[6", "list", r"\[1, 2\]"),
        ("seed", "five", "a Python literal", "None"),
    ],
)
def test_a_word_of_another_type_is_refused_by_name(
    source: Path, name: str, word: str, kind: str, default: str
) -> None:
    sentence = (
        rf"parameter '{name}' of notebook 'small' is '{word}'".replace("[", r"\[")
        + rf"; expected {kind}, such as its default {default}\.$"
    )
    with pytest.raises(WrongParameter, match=sentence):
        read_parameters(source, {name: word})


def test_a_notebook_is_executed_in_a_folder_that_its_paths_start_from(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = source.with_name("done.ipynb")
    values = {"sites": 4, "rate": 0.25}
    notebooks.execute(source, target, values, source.parent, stamp={"of": "x"}, live=True)
    assert (source.parent / "data" / "sites.txt").read_text() == "(4, 0.25, True)"
    executed = notebooks.read_notebook(target)
    assert executed["metadata"]["of"] == "x"
    assert executed["cells"][-1]["outputs"][-1]["data"]["text/plain"] in ("0.25", ["0.25"])
    assert "half way" in capsys.readouterr().err
    with pytest.raises(NotebookFailed, match=r"small\.md: ZeroDivisionError: division by zero"):
        notebooks.execute(source, target, {"sites": 0}, source.parent)
    assert {path.name for path in source.parent.iterdir()} == {"data", "small.md"}
