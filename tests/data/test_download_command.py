"""`rxrx download` as a user gives it, against a server on this machine."""

from __future__ import annotations

import builtins
import errno
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--plates", "5", "plates names 5; expected some of 1, 2, 3, 4."),
        ("--channels", "9", "channels names 9; expected some of 1, 2, 3, 4, 5, 6."),
        ("--sites", "3", "sites names 3; expected some of 1, 2."),
        (
            "--cell-types",
            "HELA",
            "cell_types names 'HELA'; expected some of HUVEC, RPE, HEPG2, U2OS.",
        ),
        ("--well-types", "control", "well_types names 'control'; expected some of treatment, "),
        (
            "--experiments",
            "HUVEC-1",
            "experiments names 'HUVEC-1'; expected some of HUVEC-01, RPE-01.",
        ),
        ("--sirnas", "s9", "sirnas names 's9'; expected some of EMPTY, s1108, s0000"),
    ],
)
def test_what_the_release_does_not_have_is_wrong_usage(
    words: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    value: str,
    says: str,
) -> None:
    asked = [*words, "--what", "images", "--accept-licence", option, value]
    assert cli.main(asked) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"rxrx: {says}")
    assert error.count("\n") == 1
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize("when", ["written", "synced", "renamed"])
def test_a_disk_that_fills_up_is_one_sentence_and_the_same_command_goes_on(
    words: tuple[str, ...],
    tmp_path: Path,
    server: RangeServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    when: str,
) -> None:
    asked = [*words, "--what", "images", "--accept-licence", "--connections", "2"]
    calls = 0

    def until_full(usual: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal calls
            calls += "wb" in arguments if when == "written" else 1
            if calls > 20:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return usual(*arguments, **more)

        return call

    with monkeypatch.context() as patch:
        module, name = {
            "written": (Path, "open"),
            "synced": (os, "fsync"),
            "renamed": (os, "replace"),
        }[when]
        patch.setattr(module, name, until_full(getattr(module, name)))
        assert cli.main(asked) == 1
    error = capsys.readouterr().err
    assert re.fullmatch(
        r"rxrx: .*\.png cannot be written \(No space left on device\): make room and give the same "
        r"command again; the files that are there are whole\.\n",
        error,
    )
    released = contents(server.folder / "rxrx1")
    came = contents(tmp_path / "rxrx1")
    assert 10 < len(came) <= 20
    assert came.items() <= released.items()
    assert cli.main(asked) == 0
    assert contents(tmp_path / "rxrx1").keys() == released.keys() - {"embeddings.csv"}


def test_a_limit_that_the_system_sets_leaves_nothing_that_looks_whole(
    words: tuple[str, ...], tmp_path: Path, server: RangeServer
) -> None:
    """As above, with the system in earnest: no file of this process may grow beyond 1,000 bytes."""
    program = "import sys; from rxrx_lib import cli; sys.exit(cli.main(sys.argv[1:]))"
    asked = [*words, "--what", "metadata", "--accept-licence"]
    done = subprocess.run(
        [sys.executable, "-c", program, *asked],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"rxrx: {tmp_path / 'rxrx1' / 'metadata.csv'} cannot be written (File too large): choose a "
        "folder in which files can be written.\n"
    )
    assert contents(tmp_path) == {}
    assert cli.main(asked) == 0
    assert (tmp_path / "rxrx1" / "metadata.csv").is_file()


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
