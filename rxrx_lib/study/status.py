"""The book's generated pages: what made this build, and how much of the paper is re-measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rxrx_lib.study import runs
from rxrx_lib.study.ledger import remeasured
from rxrx_lib.study.pages import screen_description
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.progress import duration
from rxrx_lib.study.provenance import code_version, hardware, library_versions
from rxrx_lib.study.results import code_words
from rxrx_lib.study.spec import RunSpec


def headline(rows: pd.DataFrame) -> str:
    """Return the home page's sentence on how many of the paper's numbers are re-measured.

    Parameters
    ----------
    rows
        The ledger.
    """
    here, all_of_them = remeasured(rows)
    return (
        f"**{here} of the {all_of_them}** numbers in the paper's tables have been re-measured on "
        "RxRx1 with this code so far.\n"
    )


def status_page(
    profile: Profile,
    specs: Sequence[RunSpec],
    store: Path,
    notebooks: Mapping[str, dict[str, Any]],
) -> str:
    """Return the page on what made this build, as MyST Markdown.

    Parameters
    ----------
    profile
        The profile of the build.
    specs
        The runs that the book rests on.
    store
        The run store.
    notebooks
        Chapter to its executed notebook.
    """
    lines = [
        "# Status of this build",
        "",
        "{.page-facts}",
        "This page is written by the build itself.",
        "",
        f"- **Profile:** `{profile.name}`: {profile.purpose}.",
        f"- **Data:** {_data(profile)}",
        f"- **Code of the pages:** {code_words(code_version())}.",
        f"- **Hardware of the notebooks:** {hardware('cpu')}.",
        *_runs(specs, store),
        "- **Every number**, those beside the tables too: {download}`ledger.csv`.",
        "",
        "## Notebooks",
        "",
        *_table(
            ("notebook", "executed, UTC", "seconds", "cells"),
            [_notebook_row(name, notebook) for name, notebook in notebooks.items()],
        ),
        "",
        "## Versions",
        "",
        *_table(("library", "version"), list(library_versions().items())),
        "",
    ]
    return "\n".join(lines)


def _runs(specs: Sequence[RunSpec], store: Path) -> list[str]:
    """Say what trained the networks that the book rests on, where it rests on any."""
    if not specs:
        return ["- **Runs:** none; no network was trained for this book."]
    sources = [runs.open_run(store, spec).provenance() for spec in specs]
    seconds = [source["seconds"] for source in sources]
    code = sorted({code_words(source["code"]) for source in sources})
    return [
        f"- **Code of the runs:** {'; '.join(code)}.",
        f"- **Hardware of the runs:** {'; '.join(sorted({s['hardware'] for s in sources}))}.",
        f"- **Runs:** {len(specs)}, {duration(sum(seconds))} in all, {min(seconds):.0f} to "
        f"{max(seconds):.0f} s each, made between {_minute(min(s['started'] for s in sources))} "
        f"and {_minute(max(s['ended'] for s in sources))} UTC.",
    ]


def _data(profile: Profile) -> str:
    if profile.chapters is not None:
        return "what the line at the top of each chapter names; no picture is in this book."
    if profile.screen is None:
        return f"the {screen_description(profile)}."
    seeds = ", ".join(str(replicate.screen_seed) for replicate in profile.replicates)
    screen = profile.screen
    return (
        f"simulated screens (seeds {seeds}) of {screen.classes} classes, "
        f"{screen.image_size} × {screen.image_size} pixels; no picture of RxRx1 is in this book."
    )


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _notebook_row(name: str, notebook: dict[str, Any]) -> tuple[str, str, str, str]:
    made = notebook["metadata"]["papermill"]
    code = sum(cell["cell_type"] == "code" for cell in notebook["cells"])
    return f"{{doc}}`{name}`", _minute(made["start_time"]), f"{made['duration']:.1f}", str(code)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
