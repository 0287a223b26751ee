"""A study's done runs kept in version control: results/<profile>/, written by ``rxrx record``.

    runs.zip.xz    the runs, as rxrx export writes them
    runs.csv       a line a run: its accuracy, and when, where and by which code it was made
    numbers.csv    a line a number of the ledger, with its spread over replicates

The archive is what pages and commands read, through a run store that is unpacked from it; the
tables are for people, and for seeing in a diff what changed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from rxrx_lib.data.atomic import write_text
from rxrx_lib.study import runs
from rxrx_lib.study.archive import Exported, export
from rxrx_lib.study.catalogue import CATALOGUE, runs_for
from rxrx_lib.study.ledger import measured
from rxrx_lib.study.merge import unpacked
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.results import gather

FOLDER = Path("results")
"""In the project's root: a folder a profile."""
UNPACKED = Path("_build") / "recorded"
"""Where the root keeps the stores that were unpacked."""
ARCHIVE, RUNS, NUMBERS = "runs.zip.xz", "runs.csv", "numbers.csv"
OF_A_RUN = ["id", "run", "accuracy", "seconds", "processor_seconds", "date", "hardware", "code"]
"""Columns of runs.csv."""


def record(folder: Path, profile: Profile, store: Path) -> Exported:
    """Write a profile's done runs and their numbers into a folder, in the place of what was there.

    Parameters
    ----------
    folder
        Such as results/study.
    profile
        Whose runs.
    store
        The run store that has them; those that are not sound are left out.

    Raises
    ------
    ValueError
        If none is done.
    """
    specs = runs_for(CATALOGUE, profile)
    done = [run for run in (runs.Run(store / spec.id) for spec in specs) if run.done]
    if not done:
        raise ValueError(
            f"{store} has no done run of profile {profile.name!r}; execute some first (rxrx run "
            f"--profile {profile.name})."
        )
    exported = export(folder / ARCHIVE, done)
    results = gather(specs, store)
    results["run"] = results["id"].map({spec.id: str(spec) for spec in specs})
    for name, frame in ((RUNS, results[OF_A_RUN]), (NUMBERS, numbers(store, profile))):
        text = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        write_text(folder / name, text)
    return exported


def numbers(store: Path, profile: Profile) -> pd.DataFrame:
    """Return what a profile's runs give, by place: mean, standard deviation, replicates."""
    rows = [
        (*place, cell.value, cell.sd, cell.n or None)
        for place, cell in measured(store, profile).items()
    ]
    return pd.DataFrame(rows, columns=["item", "row", "column", "mean", "sd", "n"])


def recorded_store(profile: Profile, root: Path = Path()) -> Path | None:
    """Return a run store with what version control keeps of a profile, None where it keeps none.

    It is unpacked and checked once for each archive; later calls find it.

    Parameters
    ----------
    profile
        Whose runs.
    root
        The project's root.

    Raises
    ------
    Refused
        If the archive is damaged, or holds a run that is not sound.
    """
    archive = root / FOLDER / profile.name / ARCHIVE
    if not archive.is_file():
        return None
    store = root / UNPACKED / f"{profile.name}-{runs.file_sha256(archive)[:16]}"
    if not store.is_dir():
        attempt = store.with_name(f".{uuid.uuid4().hex}")
        attempt.parent.mkdir(parents=True, exist_ok=True)
        try:
            unpacked(archive, attempt)
            _rename(attempt, store)
        finally:
            shutil.rmtree(attempt, ignore_errors=True)
    return store


def fingerprint(root: Path) -> str:
    """Return what changes whenever something else is recorded."""
    archives = sorted((root / FOLDER).glob(f"*/{ARCHIVE}"))
    return " ".join(f"{each.parent.name}:{runs.file_sha256(each)}" for each in archives)


@contextmanager
def readable(store: Path) -> Iterator[Path]:
    """Lend a run store to read: the folder itself, or what is recorded in it, unpacked."""
    if not (store / ARCHIVE).is_file():
        yield store
        return
    with tempfile.TemporaryDirectory() as folder:
        yield unpacked(store / ARCHIVE, Path(folder) / store.name)


def _rename(attempt: Path, store: Path) -> None:
    """Let the store appear, unless another process was faster."""
    try:
        os.rename(attempt, store)
    except OSError:
        if not store.is_dir():
            raise
