"""Archives of runs into a store: checked as a whole before the first file is placed."""

from __future__ import annotations

import json
import lzma
import shutil
import time
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from rxrx_lib.data.atomic import replacing, write_text
from rxrx_lib.study import runs, soundness
from rxrx_lib.study.archive import FORMAT, MANIFEST, MEMBER, opened
from rxrx_lib.study.kept import read_npz
from rxrx_lib.study.reduction import SITES_FILE

MEMBER_LIMIT = 16 * 2**20
"""Bytes that a file in an archive may have, unpacked: many times more than any needs."""


class Refused(ValueError):
    """A file is no archive of sound runs; nothing of it is merged."""


class Merged(NamedTuple):
    """What a merge did, run by run."""

    new: list[str]
    """Runs that were not done in the store and now are."""
    more: list[str]
    """Runs that were there, and got predictions or derived files that they lacked."""
    same: list[str]
    """Runs that were there with all that the archive has of them."""
    conflicts: list[str]
    """Sentences on runs that are there with other results; what was there is kept."""


def merge(files: Sequence[Path], store: Path) -> Merged:
    """Put the runs of archives into a store, one archive after the other.

    Parameters
    ----------
    files
        As :func:`rxrx_lib.study.archive.export` writes them.
    store
        The run store; created where it is missing.

    Raises
    ------
    Refused
        If one of them is no archive, is damaged, holds files that none holds or a run that is not
        sound; nothing of any is merged then.
    """
    merged = Merged([], [], [], [])
    with _staging(store) as staging:
        folders = [unpacked(file, staging / str(n)) for n, file in enumerate(files)]
        for file, folder in zip(files, folders, strict=True):
            for path in sorted(folder.iterdir()):
                _place(runs.Run(path), runs.Run(store / path.name), file, merged)
    return merged


@contextmanager
def _staging(store: Path) -> Iterator[Path]:
    """Lend a folder inside the store, so that what it holds can be moved by a rename."""
    there = store.is_dir()
    for old in store.glob(".merge-*"):
        with suppress(FileNotFoundError):
            if time.time() - old.stat().st_mtime > runs.OLD_ATTEMPT:
                shutil.rmtree(old, ignore_errors=True)
    staging = store / f".merge-{uuid.uuid4().hex}"
    staging.mkdir(parents=True)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if not there:
            with suppress(OSError):
                store.rmdir()  # only if nothing was merged


def unpacked(file: Path, into: Path) -> Path:
    """Unpack an archive into a folder that is not there yet, and check every run in it.

    Raises
    ------
    Refused
        As :func:`merge`.
    """
    into.mkdir()
    try:
        with opened(file) as archive:
            members = _members(file, archive)
            for member in members:
                path = into / member.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(member))
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        NotImplementedError,
    ) as error:
        kind = "xz file of a zip file" if file.suffix == ".xz" else "zip file"
        raise Refused(
            f"{file} is no whole {kind} ({error}); copy it again from where it was exported."
        ) from error
    for path in sorted(into.iterdir()):
        fault = _fault(runs.Run(path))
        if fault is not None:
            raise Refused(
                f"{file} holds a run that is not sound: {fault.replace(f'{into}/', '')}; nothing "
                "was merged: export it again, or merge without this file."
            )
    return into


def _members(file: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the members of runs, after a look at every name and size."""
    members = archive.infolist()
    if members and min(member.header_offset for member in members) > 0:
        # What was found at the end is the directory of an npz file inside, a zip file as well.
        raise zipfile.BadZipFile("its end is missing")
    names = [member.filename for member in members]
    if MANIFEST not in names:
        raise Refused(f"{file} holds no {MANIFEST}; give files that rxrx export wrote.")
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in member.filename:
            raise Refused(
                f"{file} holds {member.filename!r}, which leads out of the store; nothing was "
                "merged: do not trust this file."
            )
        known = member.filename == MANIFEST or MEMBER.fullmatch(member.filename)
        if not known or names.count(member.filename) > 1 or member.flag_bits & 1:
            what = "is no file of a run" if not known else "stands there twice or is encrypted"
            raise Refused(
                f"{file} holds {member.filename!r}, which {what}; nothing was merged: give files "
                "as rxrx export wrote them."
            )
        if member.file_size > MEMBER_LIMIT:
            raise Refused(
                f"{file} holds {member.filename} of {member.file_size} bytes; expected at most "
                f"{MEMBER_LIMIT}: give files as rxrx export wrote them."
            )
    try:
        form = json.loads(archive.read(MANIFEST))["format"]
    except (ValueError, TypeError, KeyError):
        form = None
    if form != FORMAT:
        raise Refused(
            f"{file} has format {form} in {MANIFEST}; expected {FORMAT}: use the rxrx_lib that "
            "wrote it, or export again with this one."
        )
    return [member for member in members if member.filename != MANIFEST]


def _fault(run: runs.Run) -> str | None:
    """Say what is wrong with an unpacked run, if something is."""
    fault = soundness.run_fault(run)
    if fault is None and not run.done:
        fault = f"{run.result} is not there"
    for prediction in soundness.predictions_of(run) if fault is None else ():
        fault = soundness.prediction_fault(run, prediction) or soundness.derived_fault(prediction)
        if fault is not None:
            break
    return fault


def _place(found: runs.Run, here: runs.Run, file: Path, merged: Merged) -> None:
    """Put one run in its place, unless a result is there; then only what that one lacks."""
    if here.done or (here.path / "spec.json").exists():
        fault = soundness.run_fault(here)
        if fault is not None:
            merged.conflicts.append(f"{found.id} of {file} is kept out: {fault}; {soundness.AWAY}")
            return
    if not here.done:
        _place_whole(found, here)
        merged.new.append(found.id)
    elif here.metrics() != found.metrics():
        merged.conflicts.append(
            f"{found.id} of {file} is kept out: its accuracy is "
            f"{found.metrics().get('accuracy')}, and that of {here.path} is "
            f"{here.metrics().get('accuracy')} (or another metric differs)."
        )
    elif _trained(found) != _trained(here):
        merged.same.append(found.id)  # the same numbers of other weights: nothing to add
    else:
        (merged.more if _add_lacking(found, here, file, merged) else merged.same).append(found.id)


def _trained(run: runs.Run) -> object:
    return run.provenance()["sha256"].get("weights.pt")


def _place_whole(found: runs.Run, here: runs.Run) -> None:
    """Let a run appear; its result comes last, so that it is done only when all is there."""
    here.path.mkdir(parents=True, exist_ok=True)
    write_text(here.path / "spec.json", (found.path / "spec.json").read_text(encoding="utf-8"))
    if found.predictions.is_dir():
        runs.commit_folder(
            here.predictions, _copier(found.predictions), replaces=lambda: not here.done
        )
        _copy(found.path / SITES_FILE, here.path / SITES_FILE)
    runs.commit_folder(here.result, _copier(found.result))
    runs.tidy(here)


def _add_lacking(found: runs.Run, here: runs.Run, file: Path, merged: Merged) -> bool:
    """Add ways of predicting and derived files that a done run lacks; tell whether there were."""
    added = False
    for prediction in soundness.predictions_of(found):
        there = here.predictions / prediction.name
        if there.is_dir():
            for path in sorted((prediction / "derived").glob("*")):
                if not (there / "derived" / path.name).exists():
                    _copy(path, there / "derived" / path.name)
                    added = True
        elif _same_sites(found.path / SITES_FILE, here.path / SITES_FILE):
            runs.commit_folder(there, _copier(prediction))
            added = True
        else:
            merged.conflicts.append(
                f"{prediction.name} of {found.id} of {file} is kept out: its sites are others "
                f"than those of {here.path / SITES_FILE}."
            )
    return added


def _same_sites(found: Path, here: Path) -> bool:
    """Tell whether the sites agree with those that are here; if none are, they are now."""
    if not here.exists():
        _copy(found, here)
        return True
    one, other = read_npz(found), read_npz(here)
    return one.keys() == other.keys() and all(np.array_equal(one[n], other[n]) for n in one)


def _copier(source: Path) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        shutil.copytree(source, folder, dirs_exist_ok=True)

    return write


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
