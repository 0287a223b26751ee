"""Finished runs as one zip file, small enough to be mailed: written by export.

    rxrx-runs.json                               what the file is
    <id>/spec.json
    <id>/result/                                 metrics.json, history.csv, provenance.json
    <id>/sites.npz                               see rxrx_lib.study.reduction
    <id>/predictions/<hash>/                     metrics.json, reduced.npz, and provenance.json if
                                                 it was made after the run
    <id>/predictions/<hash>/derived/             NAME.json and NAME.npz, see rxrx_lib.study.derived

Equal runs give equal bytes. Weights, logits and embeddings stay behind.

An archive whose name ends in .xz is compressed as a whole instead of file by file. What many runs
have in common is then kept once: a study takes a sixth of the room.
"""

from __future__ import annotations

import io
import json
import lzma
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.data.atomic import replacing
from rxrx_lib.evaluation.predictions import COLUMNS, SCALARS
from rxrx_lib.study import runs, soundness
from rxrx_lib.study.derived import DERIVED_NAME
from rxrx_lib.study.kept import arrays_of
from rxrx_lib.study.reduction import REDUCED_FILE, SITES_FILE, packed_answers, packed_sites

MANIFEST = "rxrx-runs.json"
FORMAT = 1
HASH = r"[0-9a-f]{16}"
MEMBER = re.compile(
    rf"{HASH}/(spec\.json|{re.escape(SITES_FILE)}"
    rf"|result/({'|'.join(map(re.escape, soundness.KEPT_OF_RESULT))})"
    rf"|predictions/{HASH}/(metrics\.json|provenance\.json|{re.escape(REDUCED_FILE)}"
    rf"|derived/{DERIVED_NAME.pattern}))"
)
"""Names that an archive may hold, beside its manifest."""
UNPACKED_LIMIT = 2**30
"""Bytes that an archive compressed as a whole may have, unpacked: more than the paper's runs."""


class Exported(NamedTuple):
    """What an export wrote, and what it left out."""

    sizes: dict[str, int]
    """Run to the bytes that it takes in the archive, before it is compressed as a whole."""
    left_out: list[str]
    """Why other runs are not in it, one sentence each."""


def export(file: Path, some: Sequence[runs.Run]) -> Exported:
    """Write done runs into an archive; what is not sound is left out.

    Parameters
    ----------
    file
        The archive; it appears whole or not at all. An earlier archive of runs is replaced. With
        the ending .xz it is compressed as a whole.
    some
        The runs; those that are not done are passed over.

    Raises
    ------
    FileExistsError
        If the file is there and no archive of runs.
    """
    if file.exists() and not is_archive(file):
        raise FileExistsError(
            f"{file} exists and is no archive of runs; give another name, or remove it."
        )
    exported = Exported({}, [])
    whole = file.suffix == ".xz"
    with replacing(file) as temporary, _created(temporary, whole) as archive:
        _add(archive, MANIFEST, json.dumps({"format": FORMAT}).encode(), whole)
        for run in some:
            if not run.done:
                continue
            fault = soundness.run_fault(run)
            if fault is not None:
                exported.left_out.append(f"{fault}; {soundness.AWAY}")
                continue
            exported.sizes[run.id] = sum(
                _add(archive, f"{run.id}/{name}", content, whole)
                for name, content in _members(run, whole, exported.left_out)
            )
    return exported


def is_archive(file: Path) -> bool:
    """Tell whether a file is an archive of runs."""
    try:
        with opened(file) as archive:
            return MANIFEST in archive.namelist()
    except (zipfile.BadZipFile, lzma.LZMAError, EOFError, OSError, ValueError):
        return False


@contextmanager
def opened(file: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive for reading, however it is compressed.

    Raises
    ------
    zipfile.BadZipFile, lzma.LZMAError, EOFError
        If it is none, or damaged.
    """
    with ExitStack() as stack:
        source: Path | IO[bytes] = file
        if file.suffix == ".xz":
            source = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(_Limited(stack.enter_context(lzma.open(file))), source)
        yield stack.enter_context(zipfile.ZipFile(source))


class _Limited:
    """Reads a file of no more than :data:`UNPACKED_LIMIT` bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.left = file, UNPACKED_LIMIT

    def read(self, size: int = -1, /) -> bytes:
        content = self.file.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise zipfile.BadZipFile(f"it unpacks to more than {UNPACKED_LIMIT} bytes")
        return content


@contextmanager
def _created(file: Path, whole: bool) -> Iterator[zipfile.ZipFile]:
    if not whole:
        with zipfile.ZipFile(file, "w") as archive:
            yield archive
        return
    with (
        lzma.open(file, "wb", preset=9) as packed,
        zipfile.ZipFile(cast(IO[bytes], packed), "w") as archive,
    ):
        yield archive


def done_runs(store: Path) -> list[runs.Run]:
    """Return every done run of a store, whatever its study, in order of name."""
    names = sorted(store.iterdir()) if store.is_dir() else ()
    return [
        runs.Run(path) for path in names if re.fullmatch(HASH, path.name) and runs.Run(path).done
    ]


def _members(run: runs.Run, whole: bool, left_out: list[str]) -> Iterator[tuple[str, bytes]]:
    """Give names and contents of what is kept of a run."""
    for name in ("spec.json", *(f"result/{each}" for each in soundness.KEPT_OF_RESULT)):
        yield name, (run.path / name).read_bytes()
    ways = {}
    for prediction in soundness.predictions_of(run):
        fault = soundness.prediction_fault(run, prediction)
        if fault is None:
            ways[prediction] = arrays_of(prediction, (*SCALARS, *COLUMNS, "top_sirna_id"))
        else:
            left_out.append(f"{fault}; {soundness.AWAY}")
    if not ways:
        return
    sites = packed_sites(list(ways.values()))
    yield SITES_FILE, _npz(sites, whole)
    for prediction, arrays in ways.items():
        there = f"predictions/{prediction.name}"
        for name in ("metrics.json", "provenance.json"):
            if (prediction / name).exists():
                yield f"{there}/{name}", (prediction / name).read_bytes()
        yield f"{there}/{REDUCED_FILE}", _npz(packed_answers(arrays, sites), whole)
        fault = soundness.derived_fault(prediction)
        if fault is not None:
            left_out.append(f"{fault}; {soundness.AWAY}")
            continue
        for path in sorted((prediction / "derived").glob("[!.]*")):
            yield f"{there}/derived/{path.name}", path.read_bytes()


def _add(archive: zipfile.ZipFile, name: str, content: bytes, whole: bool) -> int:
    """Write one member, the same bytes whatever the time; return how many."""
    member = zipfile.ZipInfo(name)  # its date is fixed
    member.external_attr = 0o644 << 16
    packed = whole or name.endswith(".npz")
    member.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
    archive.writestr(member, content)
    return archive.getinfo(name).compress_size


def _npz(arrays: dict[str, NDArray[Any]], whole: bool) -> bytes:
    content = io.BytesIO()
    write = np.savez if whole else np.savez_compressed
    write(content, allow_pickle=False, **arrays)
    return content.getvalue()
