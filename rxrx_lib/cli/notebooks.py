"""Commands that execute notebooks: notebook, book."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rxrx_lib.cli.arguments import (
    DONE,
    GOES_ON,
    Commands,
    UsageError,
    add_command,
    add_profile,
    as_usage,
    count,
    known_profile,
)

FOLDER = Path("notebooks")
STAMP = "rxrx_notebook"
"""In the metadata of what the command writes: which notebook it is."""


def add_notebook_commands(commands: Commands) -> None:
    """Describe the commands."""
    notebook = add_command(
        commands, "notebook", _notebook, "execute one notebook, with parameters of your own"
    )
    notebook.set_defaults(stopped=GOES_ON)
    notebook.add_argument("name", metavar="NAME", help="such as table1, or a path that ends in .md")
    notebook.add_argument(
        "-p",
        nargs=2,
        action="append",
        default=[],
        dest="parameters",
        metavar=("PARAMETER", "VALUE"),
        help="such as -p profile smoke; once for each",
    )
    notebook.add_argument(
        "--output", type=Path, metavar="FILE", help="executed notebook; default: NAME.ipynb here"
    )

    book = add_command(commands, "book", _book, "run the study and the notebooks, build the book")
    book.set_defaults(stopped=GOES_ON)
    add_profile(book)
    book.add_argument("--workers", type=count, metavar="N", help="processes; default: cores")


def _notebook(asked: argparse.Namespace) -> int:
    from rxrx_lib.study import notebooks
    from rxrx_lib.study.book import badged

    source = _source(asked.name)
    target = asked.output or Path(f"{source.stem}.ipynb")
    if target.suffix != ".ipynb":
        raise UsageError(f"--output is {target}; expected a name that ends in .ipynb.")
    words = dict(asked.parameters)
    parameters: dict[str, Any] = as_usage(lambda: notebooks.read_parameters(source, words))
    profile = known_profile(parameters.get("profile", "demo"))
    if target.exists() and not _ours(target):
        raise UsageError(
            f"{target} is there and was not written by rxrx notebook; give another name with "
            "--output."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    notebooks.execute(
        source,
        target,
        parameters,
        Path.cwd(),
        edit=lambda text: badged(text, profile),
        stamp={STAMP: source.stem},
        live=True,
    )
    print(target)
    return DONE


def _ours(target: Path) -> bool:
    """Tell whether this command wrote a file, so that it may be replaced."""
    from rxrx_lib.study.notebooks import read_notebook

    try:
        return STAMP in read_notebook(target)["metadata"]
    except (ValueError, KeyError, TypeError):
        return False


def _source(name: str) -> Path:
    """Return the notebook of a name or a path."""
    source = Path(name) if name.endswith(".md") else FOLDER / f"{name}.md"
    if source.is_file():
        return source
    known = ", ".join(sorted(path.stem for path in FOLDER.glob("*.md")))
    if not known:
        raise UsageError(
            f"{source} is not there, and neither is a folder {FOLDER}; go to the project's root, "
            "or give the path of a notebook that ends in .md."
        )
    raise UsageError(f"notebook is {name!r}; choose one of {known}.")


def _book(asked: argparse.Namespace) -> int:
    from rxrx_lib.data.in_order import usable_cores
    from rxrx_lib.study.book import make_book

    profile = known_profile(asked.profile)
    workers = usable_cores() if asked.workers is None else asked.workers
    print(make_book(Path.cwd(), profile, workers=workers))
    return DONE
