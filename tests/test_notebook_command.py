"""`rxrx notebook`: which notebook, which parameters, and what is refused before execution."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rxrx_lib import cli
from rxrx_lib.study import notebooks
from rxrx_lib.study.profiles import PROFILES

ROOT = Path(__file__).parents[1]


@pytest.fixture
def executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Stand in a copy of the project's notebooks, and write down what would be executed."""
    (tmp_path / "notebooks").mkdir()
    for name in ("table1", "figure7"):
        shutil.copy(ROOT / "notebooks" / f"{name}.md", tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)
    calls: list[tuple[Any, ...]] = []

    def execute(
        source: Path,
        target: Path,
        parameters: Mapping[str, Any],
        root: Path,
        *,
        edit: Callable[[str], str],
        stamp: dict[str, Any],
        live: bool,
    ) -> None:
        assert live
        assert edit("    {badge}. A caption") == "    SIMULATED. A caption"
        calls.append((str(source), str(target), dict(parameters), root))
        target.write_text(json.dumps({"cells": [], "metadata": stamp}))

    monkeypatch.setattr(notebooks, "execute", execute)
    return calls


def test_one_notebook_is_executed_here_with_the_parameters_that_are_given(
    executed: list[tuple[Any, ...]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["notebook", "table1", "-p", "profile", "smoke", "-p", "runs", "my runs"]) == 0
    assert capsys.readouterr().out == "table1.ipynb\n"
    assert cli.main(["notebook", "notebooks/figure7.md", "--output", "new/mine.ipynb"]) == 0
    given = {"profile": "smoke", "runs": "my runs"}
    assert executed == [
        ("notebooks/table1.md", "table1.ipynb", given, tmp_path),
        ("notebooks/figure7.md", "new/mine.ipynb", {}, tmp_path),
    ]
    assert (tmp_path / "new").is_dir()


def test_what_the_command_wrote_is_replaced_and_a_notebook_of_yours_is_not(
    executed: list[tuple[Any, ...]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["notebook", "table1"]) == 0
    assert cli.main(["notebook", "table1"]) == 0
    mine = json.dumps({"cells": [], "metadata": {}})
    (tmp_path / "table1.ipynb").write_text(mine)
    assert cli.main(["notebook", "table1"]) == 2
    assert capsys.readouterr().err == (
        "rxrx: table1.ipynb is there and was not written by rxrx notebook; give another name with "
        "--output.\n"
    )
    assert (tmp_path / "table1.ipynb").read_text() == mine
    assert len(executed) == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["table9"], "notebook is 'table9'; choose one of figure7, table1."),
        (["no/table1.md"], "notebook is 'no/table1.md'; choose one of figure7, table1."),
        (
            ["table1", "-p", "profil", "smoke"],
            "notebook 'table1' has no parameter 'profil'; choose among those it has: profile, "
            "data, runs, device.",
        ),
        (
            ["table1", "-p", "profile", "huge"],
            f"profile is 'huge'; choose one of {', '.join(PROFILES)}.",
        ),
        (
            ["table1", "--output", "notebooks/table1.md"],
            "--output is notebooks/table1.md; expected a name that ends in .ipynb.",
        ),
    ],
)
def test_what_a_notebook_does_not_have_is_wrong_usage_and_nothing_is_executed(
    words: list[str],
    sentence: str,
    executed: list[tuple[Any, ...]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["notebook", *words]) == 2
    assert capsys.readouterr().err == f"rxrx: {sentence}\n"
    assert executed == []
    assert [path.name for path in tmp_path.iterdir()] == ["notebooks"]


def test_outside_the_project_the_command_says_where_to_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["notebook", "table1"]) == 2
    assert "go to the project's root" in capsys.readouterr().err


def test_a_notebook_that_fails_is_at_fault(
    executed: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def execute(*_: Any, **__: Any) -> None:
        raise notebooks.NotebookFailed("table1.md: KeyError: 'x'")

    monkeypatch.setattr(notebooks, "execute", execute)
    assert cli.main(["notebook", "table1"]) == 1
    assert capsys.readouterr().err == "rxrx: table1.md: KeyError: 'x'\n"
