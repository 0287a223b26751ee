"""Commands on run stores: export, merge, record, verify."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rxrx_lib.cli.arguments import (
    DONE,
    FAULT,
    Commands,
    UsageError,
    add_command,
    add_hardware,
    add_profile,
    as_usage,
    asked_hardware,
    asked_workers,
    count,
    positive_count,
)
from rxrx_lib.cli.studies import add_items, asked_specs, trained

if TYPE_CHECKING:
    from rxrx_lib.study.verify import Verdict


def add_store_commands(commands: Commands) -> None:
    """Describe the commands."""
    export = add_command(
        commands,
        "export",
        _export,
        "write done runs into a zip file, without weights and embeddings: half a megabyte a run "
        "of the release at most",
    )
    export.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="such as runs.zip; runs.zip.xz is compressed as a whole, and much smaller",
    )
    add_items(export)
    export.set_defaults(profile=None)  # without a study's name: every run of the store

    merge = add_command(commands, "merge", _merge, "add exported runs to a store")
    merge.set_defaults(stopped="Each run is there whole or not at all: give the command again.")
    merge.add_argument("files", type=Path, nargs="+", metavar="FILE", help="of rxrx export")
    merge.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    _add_record(commands)
    _add_verify(commands)


def _add_record(commands: Commands) -> None:
    record = add_command(
        commands,
        "record",
        _record,
        "write a profile's done runs and their numbers into a folder for version control",
    )
    record.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="default: results/PROFILE"
    )
    add_profile(record)
    record.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")


def _add_verify(commands: Commands) -> None:
    verify = add_command(
        commands, "verify", _verify, "train a random sample of done runs again, and compare"
    )
    verify.set_defaults(stopped="The store is as it was.")
    add_items(verify)
    verify.add_argument("--sample", type=positive_count, required=True, metavar="N", help="runs")
    verify.add_argument("--seed", type=count, default=0, metavar="S", help="of the draw")
    verify.add_argument(
        "--tolerance",
        type=float,
        metavar="POINTS",
        help="on another processor than the run's, 5 by default; on the same, bits are compared",
    )
    verify.add_argument("--data", type=Path, default=Path("data"), metavar="DIR")
    verify.add_argument(
        "--scratch",
        type=Path,
        metavar="DIR",
        help="store to train in, which is kept and gone on with; default: one that is removed",
    )
    add_hardware(verify)
    verify.add_argument("--workers", type=count, metavar="N", help="processes; default: cores")


def _record(asked: argparse.Namespace) -> int:
    from rxrx_lib.study.recorded import ARCHIVE, FOLDER, record

    profile = trained(asked.profile)
    folder = asked.folder or FOLDER / profile.name
    exported = record(folder, profile, asked.runs)
    _tell(exported.left_out)
    size = (folder / ARCHIVE).stat().st_size / 1e6
    print(f"{len(exported.sizes)} runs in {folder / ARCHIVE}: {size:.2f} MB, and their numbers")
    return FAULT if exported.left_out else DONE


def _export(asked: argparse.Namespace) -> int:
    from rxrx_lib.study.archive import done_runs, export
    from rxrx_lib.study.runs import Run

    some = done_runs(asked.runs)
    if any((asked.profile, asked.only, asked.methods, asked.ids, asked.weights)):
        asked.profile = asked.profile or "demo"
        some = [Run(asked.runs / spec.id) for spec in asked_specs(asked)]
    exported = export(asked.file, some)
    _tell(exported.left_out)
    total = asked.file.stat().st_size / 1e6
    largest = max(exported.sizes.values(), default=0) / 1e6
    print(
        f"{len(exported.sizes)} runs in {asked.file}: {total:.2f} MB, the largest {largest:.2f} MB"
    )
    return FAULT if exported.left_out else DONE


def _merge(asked: argparse.Namespace) -> int:
    from rxrx_lib.study.merge import merge

    merged = merge(asked.files, asked.runs)
    _tell(merged.conflicts)
    print(
        f"{len(merged.new)} runs are new in {asked.runs}, {len(merged.more)} got more of their "
        f"predictions, {len(merged.same)} were there, {len(merged.conflicts)} conflicts"
    )
    return FAULT if merged.conflicts else DONE


def _verify(asked: argparse.Namespace) -> int:
    from rxrx_lib.study.recorded import readable

    with readable(asked.runs) as store:
        verdicts = _verdicts(asked, store)
    for verdict in verdicts:
        word = "agrees" if verdict.agrees else "DIFFERS"
        print(f"{verdict.spec.id}  {word:<7}  {verdict.spec}: {verdict.words}")
    agreeing = sum(verdict.agrees for verdict in verdicts)
    print(f"{agreeing} of {len(verdicts)} runs agree")
    return DONE if agreeing == len(verdicts) else FAULT


def _verdicts(asked: argparse.Namespace, store: Path) -> list[Verdict]:
    from rxrx_lib.study.execute import Runtime
    from rxrx_lib.study.executors import executor
    from rxrx_lib.study.progress import Progress
    from rxrx_lib.study.verify import TOLERANCE, sampled, verify
    from rxrx_lib.training.hardware import resolve_device

    specs = sampled(asked_specs(asked), store, asked.sample, asked.seed)
    if not specs:
        raise ValueError(
            f"{asked.runs} has no done run of profile {asked.profile!r} and these items; execute "
            "some first (rxrx run)."
        )
    if asked.scratch is not None and asked.scratch.resolve() == asked.runs.resolve():
        raise UsageError(f"--scratch is {asked.scratch}, the store itself; give another folder.")
    tolerance = TOLERANCE if asked.tolerance is None else asked.tolerance
    device = as_usage(lambda: resolve_device(asked.device))
    runtime = Runtime(data=asked.data, hardware=asked_hardware(asked), weights=asked.weights)
    with (
        tempfile.TemporaryDirectory() as temporary,
        executor(asked_workers(asked, device)) as engine,
    ):
        again = dataclasses.replace(runtime, runs=asked.scratch or Path(temporary))
        return verify(specs, store, again, engine, Progress(), tolerance)


def _tell(sentences: list[str]) -> None:
    for sentence in sentences:
        print(f"rxrx: {sentence}", file=sys.stderr)
