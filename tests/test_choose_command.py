"""`rxrx choose`: tries, prints, and takes what is done from the store."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from rxrx_lib import cli
from rxrx_lib.study import execute
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.training.recipe import Recipe
from tests.study.tiny import PROFILE, RECIPE


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch, release: Path, tmp_path: Path) -> list[str]:
    """Return the command on a profile of two epochs, on the tiny screen in the release's place."""
    recipe = Recipe(**RECIPE | {"epochs": 2})
    tiny = dataclasses.replace(PROFILE, recipe=recipe)
    monkeypatch.setattr("rxrx_lib.study.profiles.PROFILES", PROFILES | {"tiny": tiny})
    folders = ["--data", str(release), "--runs", str(tmp_path / "runs")]
    return ["choose", "--profile", "tiny", "--workers", "0", *folders]


def test_every_candidate_is_tried_printed_and_taken_from_the_store_the_next_time(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main([*words, "--methods", "adabn_gradient_reversal"]) == 0
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith("| AdaBN + gradient rev")]
    assert len(rows) == 6 == len(list((tmp_path / "runs").iterdir()))
    assert sum("best" in row for row in rows) == 1
    assert [row for row in rows if "recipe |" in row] == [
        row for row in rows if "reversal_coefficient = 1, weight_decay = 0.0001" in row
    ]
    assert "- AdaBN + gradient reversal: the " in printed

    monkeypatch.setattr(execute, "run_many", None)
    assert cli.main([*words, "--methods", "adabn_gradient_reversal"]) == 0
    assert capsys.readouterr().out == printed


def test_an_unknown_method_is_wrong_usage(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--methods", "magic"]) == 2
    assert capsys.readouterr().err.startswith("rxrx: method is 'magic'; choose one of baseline")
    assert not list(tmp_path.iterdir())


def test_a_device_that_is_not_there_is_wrong_usage(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--device", "banana"]) == 2
    assert "rxrx: device is 'banana'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
