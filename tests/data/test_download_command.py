"""`rxrx download` as a user gives it, against a server on this machine."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path

import pytest

from rxrx_lib import cli
from tests.data.range_server import RangeServer, serving, write_release


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RangeServer]:
    folder = tmp_path_factory.mktemp("release")
    write_release(folder)
    with serving(folder) as running:
        yield running


@pytest.fixture
def words(server: RangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.reset()
    return ("download", str(tmp_path / "rxrx1"), "--base-url", server.url)


def test_the_licence_is_stated_and_nothing_is_fetched_without_consent(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(builtins, "input", lambda prompt: "no")
    assert cli.main([*words, "--what", "metadata"]) == 1
    assert "CC BY-NC-SA 4.0" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_dry_run_says_how_much_it_is_and_fetches_no_picture(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [*words, "--what", "controls", "--accept-licence", "--dry-run"]
    assert cli.main(asked) == 0
    assert "kB" in capsys.readouterr().out
    assert not list(tmp_path.rglob("*.png"))


def test_what_was_asked_for_is_fetched_and_only_that(
    words: tuple[str, ...], tmp_path: Path, server: RangeServer
) -> None:
    asked = [*words, "--what", "images", "--accept-licence"]
    assert cli.main([*asked, "--plates", "1", "--channels", "2", "--connections", "2"]) == 0
    fetched = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")}
    there = {
        str(path.relative_to(server.folder))
        for path in server.folder.glob("rxrx1/images/*/Plate1/*_w2.png")
    }
    assert fetched == there
    assert there


def test_an_unknown_plate_is_wrong_usage(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [*words, "--what", "images", "--accept-licence"]
    assert cli.main([*asked, "--plates", "5"]) == 2
    assert "plates" in capsys.readouterr().err
