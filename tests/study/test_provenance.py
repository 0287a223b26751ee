"""Which code, machine and tries a result names."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import pytest

import rxrx_lib
from rxrx_lib.study.identity import identity
from rxrx_lib.study.provenance import code_version, provenance, this_attempt
from rxrx_lib.study.screens import prepare_screen
from tests.study.tiny import RELEASE


def git(folder: Path, *words: str) -> str:
    identified = ["-c", "user.name=A. Tester", "-c", "user.email=tester@example.org"]
    done = subprocess.run(
        ["git", *identified, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a library's folder in a checkout of one commit, and take it for rxrx_lib's."""
    folder = tmp_path / "rxrx_lib"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (tmp_path / "README.md").write_text("")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "First")
    monkeypatch.setattr(rxrx_lib, "__file__", str(folder / "__init__.py"))
    return folder


def test_a_clean_checkout_gives_its_commit(library: Path) -> None:
    commit = git(library, "rev-parse", "HEAD")
    expected = {"rxrx_lib": rxrx_lib.__version__, "commit": commit, "modified": False}
    assert code_version() == expected


@pytest.mark.parametrize("name", ["__init__.py", "new.py"])
def test_a_file_of_the_library_that_is_not_as_committed_makes_it_modified(
    library: Path, name: str
) -> None:
    (library / name).write_text("changed = True\n")
    assert code_version()["modified"] is True


def test_what_changes_outside_the_library_does_not_modify_it(library: Path) -> None:
    (library.parent / "README.md").write_text("Other words.\n")
    (library.parent / "notes.txt").write_text("")
    assert code_version()["modified"] is False


def test_a_library_installed_inside_somebodys_checkout_is_not_of_their_commit(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = library.parent / ".venv" / "rxrx_lib"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    monkeypatch.setattr(rxrx_lib, "__file__", str(installed / "__init__.py"))
    assert code_version() == {"rxrx_lib": rxrx_lib.__version__}


def test_outside_a_checkout_there_is_a_version_and_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rxrx_lib, "__file__", str(tmp_path / "__init__.py"))
    assert code_version() == {"rxrx_lib": rxrx_lib.__version__}


def attempt(commit: str, started: str, seconds: float) -> dict[str, object]:
    return {
        "code": {"commit": commit},
        "hardware": f"machine of {commit}",
        "started": started,
        "seconds": seconds,
    }


def test_one_try_is_described_without_a_list_of_tries(release: Path) -> None:
    only = attempt("abc", "2026-01-01T00:00:00+00:00", 3.25)
    source = provenance([only], prepare_screen(RELEASE, release), RELEASE)
    assert list(source) == [
        "code",
        "libraries",
        "hardware",
        "data",
        "started",
        "ended",
        "seconds",
    ]
    assert {name: source[name] for name in only} == only
    assert source["data"]["identity"] == identity(RELEASE)
    ended = datetime.datetime.fromisoformat(source["ended"])
    assert abs(datetime.datetime.now(datetime.UTC) - ended) < datetime.timedelta(minutes=1)


def test_of_several_tries_the_first_begins_the_last_describes_and_all_take_time(
    release: Path,
) -> None:
    tries = [
        attempt("abc", "2026-01-01T00:00:00+00:00", 3.25),
        attempt("def", "2026-01-03T00:00:00+00:00", 1.5),
    ]
    source = provenance(tries, prepare_screen(RELEASE, release), RELEASE)
    assert source["started"] == "2026-01-01T00:00:00+00:00"
    assert source["seconds"] == 4.75
    assert source["code"] == {"commit": "def"}
    assert source["hardware"] == "machine of def"
    assert source["attempts"] == tries
    assert "processor_seconds" not in source
    counted = [{**each, "processor_seconds": 0.5} for each in tries]
    source = provenance(counted, prepare_screen(RELEASE, release), RELEASE)
    assert source["processor_seconds"] == 1.0


def test_a_try_that_begins_names_code_machine_and_time() -> None:
    begun = this_attempt("cpu")
    assert begun["code"] == code_version()
    assert begun["hardware"].endswith(", 1 thread")
    assert datetime.datetime.fromisoformat(begun["started"]).tzinfo is not None
