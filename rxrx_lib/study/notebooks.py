"""One text notebook: its parameters, and its execution by papermill."""

from __future__ import annotations

import ast
import json
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

KERNEL = "python3"


class NotebookFailed(RuntimeError):
    """A notebook did not run to its end; the message names it and its error."""


class WrongParameter(ValueError):
    """A notebook has no such parameter, or the parameter takes other values."""


def execute(
    source: Path,
    target: Path,
    parameters: Mapping[str, Any],
    root: Path,
    *,
    edit: Callable[[str], str] = str,
    stamp: Mapping[str, Any] | None = None,
    live: bool = False,
) -> None:
    """Execute a text notebook from top to bottom in a process of its own.

    Parameters
    ----------
    source
        The notebook in MyST Markdown.
    target
        The executed .ipynb file; it appears whole, or not at all where a cell failed. An earlier
        one is removed first.
    parameters
        Values that take the place of those in its cell ``parameters``.
    root
        The folder to execute it in, which relative paths among the parameters start from.
    edit
        Takes the notebook's text and returns what is to be executed.
    stamp
        Is added to the metadata of ``target``.
    live
        Whether what cells write to standard error, such as progress, is passed on at once.

    Raises
    ------
    WrongParameter
        Before anything is executed: if the notebook has no parameter of such a name.
    NotebookFailed
        If a cell failed.
    """
    import jupytext

    notebook = _opened(source, edit)
    _require_known(source, parameters, _defaults(notebook))
    target.unlink(missing_ok=True)
    attempt = target.with_name(f".{source.stem}-{uuid.uuid4().hex}.ipynb")
    try:
        jupytext.write(notebook, attempt, fmt="ipynb")
        _papermill(source, attempt, parameters, root, live)
        executed = read_notebook(attempt)
        fault = first_error(executed)
        if fault is not None:
            raise NotebookFailed(f"{source}: {fault}")
        executed["metadata"] |= stamp or {}
        attempt.write_text(json.dumps(executed, indent=1) + "\n", encoding="utf-8")
        attempt.replace(target)
    finally:
        attempt.unlink(missing_ok=True)


def parameters_of(source: Path) -> dict[str, str]:
    """Return the parameters of a text notebook: name to its default, as Python writes it."""
    return _defaults(_opened(source))


def read_parameters(source: Path, words: Mapping[str, str]) -> dict[str, Any]:
    """Turn words of a command line into values of a notebook's parameters.

    Each gets the type of the parameter's default; where that is no number, truth value or text, the
    word is read as Python writes values.

    Raises
    ------
    WrongParameter
        If the notebook has no such parameter, or the word cannot be read as its type.
    """
    defaults = parameters_of(source)
    _require_known(source, words, defaults)
    return {name: _read(source, name, word, defaults[name]) for name, word in words.items()}


def first_error(notebook: dict[str, Any]) -> str | None:
    """Return the first error that an executed notebook holds, or None."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                return f"{output['ename']}: {output['evalue']}"
    if notebook["metadata"].get("papermill", {}).get("exception"):
        return "papermill reports an exception"
    return None


def read_notebook(path: Path) -> dict[str, Any]:
    """Read an .ipynb file as plain JSON."""
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def _opened(source: Path, edit: Callable[[str], str] = str) -> Any:
    """Return a text notebook as papermill takes it."""
    import jupytext

    return jupytext.reads(edit(source.read_text(encoding="utf-8")), fmt="md:myst")


def _defaults(notebook: Any) -> dict[str, str]:
    from papermill.inspection import inspect_notebook

    return {name: each["default"] for name, each in inspect_notebook(notebook).items()}


def _require_known(source: Path, asked: Mapping[str, Any], defaults: Mapping[str, str]) -> None:
    for name in asked:
        if name not in defaults:
            raise WrongParameter(
                f"notebook {source.stem!r} has no parameter {name!r}; choose among those it has: "
                f"{', '.join(defaults) or 'none'}."
            )


def _read(source: Path, name: str, word: str, default: str) -> Any:
    """Read a word as a value of the type that the default has."""
    usual = _literal(default)
    readers: dict[type, Callable[[str], Any]] = {str: str, bool: _truth, int: int, float: float}
    try:
        value = readers.get(type(usual), ast.literal_eval)(word)
        if usual is None or isinstance(value, type(usual)):
            return value
    except (ValueError, SyntaxError):
        pass
    kind = "a Python literal" if usual is None else type(usual).__name__
    raise WrongParameter(
        f"parameter {name!r} of notebook {source.stem!r} is {word!r}; expected {kind}, such as "
        f"its default {default}."
    )


def _truth(word: str) -> bool:
    return bool(["false", "true"].index(word.lower()))


def _literal(default: str) -> Any:
    """Return a default's value; None, which has no type, where the default is computed."""
    try:
        return ast.literal_eval(default)
    except (ValueError, SyntaxError):
        return None


def _papermill(
    source: Path, attempt: Path, parameters: Mapping[str, Any], root: Path, live: bool
) -> None:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            attempt,
            attempt,
            dict(parameters),
            kernel_name=KERNEL,
            cwd=root,
            progress_bar=False,
            stderr_file=sys.stderr if live else None,
            extra_arguments=["--log-level=ERROR"],  # the kernel warns of its own local socket
        )
    except PapermillExecutionError as error:
        raise NotebookFailed(f"{source}: {error.ename}: {error.evalue}") from error
