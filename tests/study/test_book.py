"""Which chapters a book gets, and what stands where one is left out; nothing is executed here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rxrx_lib.study import book, notebooks
from rxrx_lib.study.profiles import PROFILES, Profile

PROFILE = PROFILES["embeddings"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two notebooks, of which one needs no picture; executing is writing its name."""
    for name in ("notebooks", "book"):
        (tmp_path / name).mkdir()
    for stem in ("embeddings", "screen"):
        text = f"---\nkernelspec: x\n---\n\n# The {stem}\n\nText.\n"
        (tmp_path / "notebooks" / f"{stem}.md").write_text(text)

    def execute(source: Path, target: Path, profile: Profile, *_: object) -> None:
        timing = {"papermill": {"start_time": "2026-01-02T03:04:05", "duration": 1.0}}
        target.write_text(json.dumps({"cells": [], "metadata": timing, "by": profile.name}))

    monkeypatch.setattr(book, "execute_notebook", execute)
    monkeypatch.setattr(book, "build", lambda root: root / "index.html")
    return tmp_path


def chapter(root: Path, name: str) -> str:
    return (root / "book" / "chapters" / name).read_text()


def test_a_book_of_some_chapters_executes_them_and_says_of_the_others_why_they_are_not_there(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert book.make_book(root, PROFILE, workers=0) == root / "index.html"
    assert json.loads(chapter(root, "embeddings.ipynb"))["by"] == "embeddings"
    (cell,) = json.loads(chapter(root, "screen.ipynb"))["cells"]
    assert cell["source"].startswith("# The screen\n\n:::{admonition} Not in this book\n")
    assert f"profile `{PROFILE.name}`" in cell["source"]
    assert "rxrx download" in capsys.readouterr().err


def test_what_is_recorded_is_unpacked_once_and_before_any_notebook_asks_for_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    write = book.execute_notebook

    def execute(source: Path, *words: Any) -> None:
        happened.append(source.stem)
        write(source, *words)

    monkeypatch.setattr(book, "execute_notebook", execute)
    monkeypatch.setattr(book.recorded, "recorded_store", lambda of, root: happened.append(of.name))
    book.make_book(root, PROFILE, workers=0)
    assert happened == ["study", "embeddings"]


def test_the_status_of_a_book_without_runs_says_that_nothing_was_trained(root: Path) -> None:
    book.make_book(root, PROFILE, workers=0)
    status = chapter(root, "status.md")
    assert "- **Runs:** none; no network was trained for this book." in status
    assert "| {doc}`embeddings` | 2026-01-02 03:04 |" in status
    assert "| screen |" not in status
    assert chapter(root, "headline.md").startswith("**0 of the 72** {doc}`numbers")


def test_a_stand_in_is_made_anew_into_the_chapter_by_a_profile_that_has_it(root: Path) -> None:
    target = root / "screen.ipynb"
    book.write_stand_in(root / "notebooks" / "screen.md", target, PROFILE)
    assert "rxrx_digest" not in notebooks.read_notebook(target)["metadata"]
    assert notebooks.first_error(notebooks.read_notebook(target)) is None


@pytest.mark.parametrize(
    ("name", "badge"), [("demo", "SIMULATED"), ("paper", "RxRx1"), ("controls", "RxRx1 CONTROLS")]
)
def test_captions_say_what_their_figures_were_measured_on(name: str, badge: str) -> None:
    text = (
        "    caption: >-\n      {badge}. Every replicate.\n\n    f'{badge}. Code is left alone'\n"
    )
    assert book.badged(text, PROFILES[name]) == text.replace("      {badge}.", f"      {badge}.")
