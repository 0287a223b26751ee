"""The run store: one folder a run, named by the hash of what was asked.

    runs/<id>/spec.json            what was asked; written first
              checkpoint.pt        while training
              failure.json         why the last try failed; removed by success
              predictions/<hash>/  predictions.npz and metrics.json, one folder a PredictSpec;
                                   provenance.json too, if made after the run was done;
                                   derived/NAME.npz or NAME.json, small things computed from it
              result/              metrics.json, history.csv, provenance.json, weights.pt

A run that was merged from an archive has neither weights.pt nor predictions.npz; see
``rxrx_lib.study.reduction`` for what it has instead.

``result`` appears last, by one rename: a run is done if it exists. Running twice is harmless, one
after the other and at once: the first to finish gives the result, and the others end quietly.
"""

from __future__ import annotations

import csv
import dataclasses
import errno
import hashlib
import json
import os
import shutil
import time
import traceback
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rxrx_lib.data.atomic import write_text
from rxrx_lib.study.identity import canonical, identity
from rxrx_lib.study.spec import PredictSpec, RunSpec
from rxrx_lib.training import checkpoint

OLD_ATTEMPT = 24 * 3600.0
"""Seconds after which a folder that is being filled was left by a kill: more than filling takes."""


class SpecMismatch(RuntimeError):
    """A run's folder holds another spec than its name says."""


@dataclass(frozen=True)
class Run:
    """One run's folder."""

    path: Path

    @property
    def id(self) -> str:
        """The run's identity."""
        return self.path.name

    @property
    def checkpoint(self) -> Path:
        """Where training saves itself."""
        return self.path / "checkpoint.pt"

    @property
    def result(self) -> Path:
        """The folder that makes the run done."""
        return self.path / "result"

    @property
    def done(self) -> bool:
        """Whether there is a result."""
        return self.result.is_dir()

    @property
    def state(self) -> str:
        """One of absent, started, resumable, failed, done."""
        if self.done:
            return "done"
        if (self.path / "failure.json").exists():
            return "failed"
        if checkpoint.exists(self.checkpoint):
            return "resumable"
        return "started" if (self.path / "spec.json").exists() else "absent"

    def metrics(self) -> dict[str, Any]:
        """Read the metrics of the method's own way of predicting."""
        return read_json(self.result / "metrics.json")

    def history(self) -> dict[str, list[float]]:
        """Read the training history: each column of history.csv, one value an epoch.

        Empty where the result holds none.
        """
        path = self.result / "history.csv"
        if not path.exists():
            return {}
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {name: [float(row[name]) for row in rows] for name in rows[0]} if rows else {}

    def provenance(self) -> dict[str, Any]:
        """Read where the result came from."""
        return read_json(self.result / "provenance.json")

    @property
    def predictions(self) -> Path:
        """The folder of all ways of predicting with this run's weights."""
        return self.path / "predictions"

    def prediction(self, asked: PredictSpec) -> Path:
        """Return the folder of one way of predicting."""
        return self.predictions / identity(asked)

    def stored_prediction(self, asked: PredictSpec) -> Path | None:
        """Return the folder that answers what is asked, if there is one.

        One with embeddings answers as well, except for ``minibatch``: there the training sites,
        which are predicted with the others, change what these are normalised by.
        """
        whole = dataclasses.replace(asked, embeddings=True)
        ways = (asked,) if asked.statistics == "minibatch" else (asked, whole)
        return next((self.prediction(way) for way in ways if self.prediction(way).is_dir()), None)


def open_run(root: Path, spec: RunSpec) -> Run:
    """Return the run's folder, whether it exists or not.

    Raises
    ------
    SpecMismatch
        If the folder exists and holds another spec.
    """
    run = Run(root / spec.id)
    stored = run.path / "spec.json"
    if stored.exists() and read_json(stored) != canonical(spec):
        raise SpecMismatch(
            f"{stored} holds another spec than the run's name says; move {run.path} away."
        )
    return run


def start(run: Run, spec: RunSpec) -> None:
    """Write the spec, and forget an earlier failure."""
    run.path.mkdir(parents=True, exist_ok=True)
    write_text(run.path / "spec.json", json_text(canonical(spec)))
    (run.path / "failure.json").unlink(missing_ok=True)


def fail(run: Run, error: BaseException) -> None:
    """Write down why a try failed."""
    report = {
        "error": f"{type(error).__name__}: {error}",
        "traceback": "".join(traceback.format_exception(error)),
    }
    write_text(run.path / "failure.json", json_text(report))


def failure(run: Run) -> str:
    """Return in one line why the last try failed; empty where none has, or nobody could say."""
    path = run.path / "failure.json"
    try:
        lines = str(read_json(path)["error"]).splitlines() if path.exists() else []
    except (ValueError, KeyError):
        return f"{path} cannot be read"
    return lines[0] if lines else ""


def tidy(run: Run) -> None:
    """Remove what kills have left: old unfinished folders, and of a done run what led to it.

    A checkpoint that another process is still writing beside a result is removed as well; that
    process finds the run done.
    """
    for attempt in (*run.path.glob(".attempt-*"), *run.predictions.glob(".attempt-*")):
        with suppress(FileNotFoundError):
            if time.time() - attempt.stat().st_mtime > OLD_ATTEMPT:
                shutil.rmtree(attempt, ignore_errors=True)
    checkpoint.remove_unfinished(run.checkpoint, OLD_ATTEMPT)
    if run.done:
        checkpoint.remove(run.checkpoint)
        (run.path / "failure.json").unlink(missing_ok=True)


def commit_folder(
    target: Path,
    write: Callable[[Path], None],
    *,
    replaces: Callable[[], bool] = lambda: False,
    durable: bool = True,
) -> bool:
    """Fill a folder and make it appear whole, or not at all.

    Parameters
    ----------
    target
        The folder to appear.
    write
        Fills the folder that it is given.
    replaces
        Asked when the folder is filled: whether an earlier ``target`` is to make room.
    durable
        Whether to wait until all of it is on the disk, so that a power cut leaves nothing half
        written under a name that says it is whole.

    Returns
    -------
    bool
        False if somebody else's ``target`` was there first; it is kept.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    attempt = target.parent / f".attempt-{uuid.uuid4().hex}"
    replaced = attempt.with_name(f"{attempt.name}-replaced")
    attempt.mkdir()
    try:
        write(attempt)
        for path in attempt.rglob("*") if durable else ():
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        if replaces():
            with suppress(FileNotFoundError):
                os.rename(target, replaced)
        return _renamed(attempt, target)
    finally:
        shutil.rmtree(attempt, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def _renamed(folder: Path, target: Path) -> bool:
    """Rename a folder, unless the target is there and not empty."""
    try:
        os.rename(folder, target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write readable JSON; keys keep their order."""
    path.write_text(json_text(content), encoding="utf-8")


def file_sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_text(content: dict[str, Any]) -> str:
    """Return readable JSON; keys keep their order, and no number may be infinite or nan."""
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no JSON ({error}); move it away and run again.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no JSON object; move it away and run again.")
    return content
