"""From the run store to the HTML book: execute the notebooks, write the generated pages, build.

A notebook that fails leaves no chapter behind, and without its chapter no book is built.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from rxrx_lib.study import after_runs, embeddings, notebooks, recorded, recorded_pages, status
from rxrx_lib.study.catalogue import evaluations, items_of, runs_for
from rxrx_lib.study.executors import executor
from rxrx_lib.study.ledger import ledger
from rxrx_lib.study.notebooks import read_notebook
from rxrx_lib.study.pages import data_badge
from rxrx_lib.study.profiles import PROFILES, Profile
from rxrx_lib.study.progress import Progress, to_stderr
from rxrx_lib.study.provenance import library_versions
from rxrx_lib.study.require import require

BADGE = "{badge}."
"""Begins a figure's caption, which no code of its notebook can write: what it was measured on."""


def make_book(root: Path, profile: Profile, *, workers: int) -> Path:
    """Do whatever is missing between the sources and the built book.

    Parameters
    ----------
    root
        The project's root, with ``notebooks`` and ``book``; screens and runs are kept in its
        ``data`` and ``runs``.
    profile
        The size of the study. Where its book has only some chapters, the others say so.
    workers
        Processes to train in.

    Returns
    -------
    Path
        The page to open.

    Raises
    ------
    NotebookFailed
        If a notebook failed.
    RuntimeError
        If a run failed, or the book could not be built without a warning.
    """
    specs = runs_for(items_of(profile), profile)
    with executor(workers) as engine:
        require(
            specs,
            data=root / "data",
            store=root / "runs",
            evaluate_every=evaluations(profile),
            engine=engine,
            progress=Progress(),
        )
        after_runs.require_derived(
            after_runs.steps(items_of(profile), profile),
            data=root / "data",
            store=root / "runs",
            engine=engine,
        )
        chapters = root / "book" / "chapters"
        chapters.mkdir(exist_ok=True)
        inputs = [profile.name, *(spec.id for spec in specs), code_digest()]
        inputs += [str(library_versions()), embeddings.fingerprint(root / "data")]
        inputs += [recorded.fingerprint(root)]
        if profile.chapters is not None:
            to_stderr(embeddings.origin(root / "data"))
        executed = _make_chapters(root, profile, inputs, engine)
    rows = ledger(root / "runs", profile)
    (chapters / "headline.md").write_text(status.headline(rows), encoding="utf-8")
    (chapters / "status.md").write_text(
        status.status_page(profile, specs, root / "runs", executed), encoding="utf-8"
    )
    rows.to_csv(chapters / "ledger.csv", index=False)
    return build(root)


def _make_chapters(
    root: Path, profile: Profile, inputs: Sequence[str], engine: Executor
) -> dict[str, dict[str, Any]]:
    """Execute the notebooks of the profile's book, several at a time, and return them by name."""
    sources = sorted((root / "notebooks").glob("*.md"))
    wanted = [each for each in sources if each.stem in (profile.chapters or {each.stem})]
    targets = {each: root / "book" / "chapters" / f"{each.stem}.ipynb" for each in sources}
    for source in sources:
        if source not in wanted:
            write_stand_in(source, targets[source], profile)
    stale = [each for each in wanted if not _is_current(each, targets[each], inputs)]
    # In processes, since papermill changes the folder of its own. What is recorded is unpacked by
    # one of them, before the first notebooks would do that each for itself.
    waiting: list[Future[Any]] = []
    if stale:
        study = PROFILES[recorded_pages.NAME]
        waiting.append(engine.submit(recorded.recorded_store, study, root))
    waiting += [
        engine.submit(execute_notebook, source, targets[source], profile, root, inputs)
        for source in stale
    ]
    for each in waiting:
        each.result()
    return {source.stem: read_notebook(targets[source]) for source in wanted}


def execute_notebook(
    source: Path, target: Path, profile: Profile, root: Path, inputs: Iterable[str]
) -> None:
    """Execute a text notebook for the book, unless ``target`` comes from the same inputs.

    Raises
    ------
    WrongParameter
        If it lacks one of the parameters that every chapter has.
    NotebookFailed
        If a cell failed; ``target`` is then absent.
    """
    if _is_current(source, target, inputs):
        return
    to_stderr(f"notebook: {source.stem}")
    digest = _digest(source.read_text(encoding="utf-8"), inputs)
    parameters = {"profile": profile.name, "data": "data", "runs": "runs", "device": "auto"}
    notebooks.execute(
        source,
        target,
        parameters,
        root,
        edit=lambda text: badged(text, profile),
        stamp={"rxrx_digest": digest},
    )


def badged(text: str, profile: Profile) -> str:
    """Return a notebook's text with captions that say what its figures were measured on."""
    begins = re.compile(rf"^( +){re.escape(BADGE)}", re.MULTILINE)
    return begins.sub(rf"\g<1>{data_badge(profile)}.", text)


def _is_current(source: Path, target: Path, inputs: Iterable[str]) -> bool:
    """Tell whether an executed notebook comes from this source and these inputs."""
    if not target.exists():
        return False
    made_from = read_notebook(target)["metadata"].get("rxrx_digest")
    return bool(made_from == _digest(source.read_text(encoding="utf-8"), inputs))


def _digest(text: str, inputs: Iterable[str]) -> str:
    return hashlib.sha256("\n".join([text, *inputs]).encode()).hexdigest()


def write_stand_in(source: Path, target: Path, profile: Profile) -> None:
    """Write a page that says why a chapter is not in this book, for other pages to link to."""
    title = next(
        line for line in source.read_text(encoding="utf-8").splitlines() if line[:2] == "# "
    )
    text = (
        f"{title}\n\n:::{{admonition}} Not in this book\n:class: notice\n\nThis book was built "
        f"with profile `{profile.name}` ({profile.purpose}), which has no such chapter. "
        "`make book` builds the whole one.\n:::\n"
    )
    cell = {"cell_type": "markdown", "metadata": {}, "source": text}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    target.write_text(json.dumps(notebook, indent=1) + "\n", encoding="utf-8")


def build(root: Path) -> Path:
    """Build the HTML book, warnings being errors, unless nothing has changed since the last time.

    Returns
    -------
    Path
        The page to open.
    """
    html = root / "_build" / "html"
    page, stamp = html / "index.html", root / "_build" / "sources.sha256"
    digest = folder_digest([root / "_config.yml", root / "book"])
    if page.exists() and stamp.exists() and stamp.read_text() == digest:
        return page
    for stale in ("html", ".doctrees"):  # pages that left the book would stay in it
        shutil.rmtree(root / "_build" / stale, ignore_errors=True)
    to_stderr("building the book")
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    done = subprocess.run(
        [jupyter_book, "build", "book", "-W", "-n", "--keep-going", "--quiet"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        shutil.rmtree(html, ignore_errors=True)
        raise RuntimeError(f"the book was not built:\n{done.stdout}\n{done.stderr}")
    stamp.write_text(digest)
    return page


def code_digest() -> str:
    """Return a hash of the library's files: a changed library executes the notebooks anew."""
    return folder_digest(
        [Path(__file__).parents[1]], lambda path: path.is_file() and path.suffix != ".pyc"
    )


def folder_digest(paths: Iterable[Path], wanted: Callable[[Path], bool] = Path.is_file) -> str:
    """Return a hash of the names and contents of files and of folders' files."""
    total = hashlib.sha256()
    for top in paths:
        files = [top] if top.is_file() else sorted(path for path in top.rglob("*") if wanted(path))
        for path in files:
            total.update(f"{path.relative_to(top.parent)}\n".encode())
            total.update(path.read_bytes())
    return total.hexdigest()
