"""The ``rxrx`` command."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from rxrx_lib.study.profiles import Profile
    from rxrx_lib.study.spec import RunSpec

DONE, FAULT, USAGE, INTERRUPTED = 0, 1, 2, 130
FORMATS = ("md", "csv", "json")
NOTHING_WRITTEN = "Nothing half-written is left."
GOES_ON = (
    "What is done is kept, and what was in training goes on from its last checkpoint: give the "
    "same command again."
)
T = TypeVar("T")
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class UsageError(Exception):
    """The command line asks for something that does not exist."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 done, 1 the data or a run is at fault, 2 wrong usage, 130 stopped by Ctrl-C.
    """
    asked = parser().parse_args(arguments)
    try:
        code: int = asked.command(asked)
    except UsageError as error:
        print(f"rxrx: {error}", file=sys.stderr)
        return USAGE
    except (OSError, ValueError, RuntimeError) as error:
        print(f"rxrx: {error}", file=sys.stderr)
        return FAULT
    except KeyboardInterrupt:
        print(f"rxrx: stopped. {asked.stopped}", file=sys.stderr)
        return INTERRUPTED
    return code


def parser() -> argparse.ArgumentParser:
    """Describe every command."""
    top = argparse.ArgumentParser(
        prog="rxrx", description="Re-execute the RxRx1 batch-correction paper."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _add_screen_commands(commands)
    _add_study_commands(commands)
    return top


def _add_screen_commands(commands: Commands) -> None:
    simulate = _command(commands, "simulate", _simulate, "write a simulated screen")
    simulate.add_argument("dir", type=Path, help="folder to write; absent or empty")
    _profile(simulate)
    simulate.add_argument("--image-size", type=int, metavar="N", help="pixels a side")
    simulate.add_argument("--pixel-size", type=float, metavar="R", help="release pixels a pixel")
    simulate.add_argument("--seed", type=int, default=0, metavar="S", help="seed of all draws")
    simulate.add_argument("--technical", type=float, metavar="F", help="factor on batch effects")
    simulate.add_argument("--phenotype", type=float, metavar="F", help="factor on phenotypes")
    simulate.add_argument("--workers", type=_some, default=1, metavar="N", help="processes")

    check = _command(commands, "check", _check, "list what is wrong with a screen")
    check.add_argument("dir", type=Path)

    pack = _command(commands, "pack", _pack, "pack a screen's pictures into one fast file")
    pack.add_argument("dir", type=Path)

    splits = _command(commands, "splits", _splits, "write a screen's splits as CSV")
    splits.add_argument("dir", type=Path)
    splits.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    splits.add_argument("--seed", type=int, default=0, metavar="S", help="of the drawn ones")


def _add_study_commands(commands: Commands) -> None:
    plan = _command(commands, "plan", _plan, "list the runs that a study needs")
    run = _command(commands, "run", _run, "execute the runs of a study that are not done")
    run.set_defaults(stopped=GOES_ON)
    for study in (plan, run):
        _profile(study)
        study.add_argument("--only", nargs="+", metavar="ITEM", help="items of the catalogue")
        study.add_argument("--methods", nargs="+", metavar="METHOD", help="runs of these only")
        study.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    run.add_argument("--data", type=Path, default=Path("data"), metavar="DIR")
    run.add_argument(
        "--device", default="auto", help="torch device; auto: a GPU where there is one"
    )
    run.add_argument(
        "--loader-workers",
        type=_count,
        default=0,
        metavar="N",
        help="processes a run that read pictures ahead",
    )
    run.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster to run on")
    run.add_argument(
        "--workers", type=_count, metavar="N", help="processes here; 0: in this one; default: cores"
    )

    report = _command(commands, "report", _report, "print every number beside the paper's")
    _profile(report)
    report.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    report.add_argument("--format", choices=FORMATS, default="md")

    book = _command(commands, "book", _book, "run the study and the notebooks, build the book")
    book.set_defaults(stopped=GOES_ON)
    _profile(book)
    book.add_argument("--workers", type=_count, metavar="N", help="processes; default: cores")


def _simulate(asked: argparse.Namespace) -> int:
    from rxrx_lib.data.simulator import simulate

    plain = _known_profile(asked.profile).screen
    if plain is None:
        raise UsageError(f"profile {asked.profile!r} uses the release; choose a simulated one.")
    changes = {
        name: getattr(asked, name)
        for name in ("image_size", "pixel_size", "seed", "technical", "phenotype")
        if getattr(asked, name) is not None
    }
    screen = _usage(lambda: dataclasses.replace(plain, **changes))
    simulate(screen, asked.dir, workers=asked.workers)
    print(asked.dir)
    return DONE


def _check(asked: argparse.Namespace) -> int:
    from rxrx_lib.data.check import check

    faults = check(asked.dir)
    for fault in faults:
        print(fault)
    if not faults:
        print(f"{asked.dir}: no fault found")
    return FAULT if faults else DONE


def _pack(asked: argparse.Namespace) -> int:
    from rxrx_lib.data.images import pack

    print(pack(asked.dir))
    return DONE


def _splits(asked: argparse.Namespace) -> int:
    from rxrx_lib.data import metadata
    from rxrx_lib.data.split_files import write_all

    made = write_all(metadata.load(asked.dir), asked.out, seed=asked.seed)
    for name, path in made.items():
        print(path if isinstance(path, Path) else f"{name} is not written: {path}")
    return DONE


def _plan(asked: argparse.Namespace) -> int:
    from rxrx_lib.study.runs import open_run

    specs = _specs(asked)
    states = [open_run(asked.runs, spec).state for spec in specs]
    for spec, state in zip(specs, states, strict=True):
        print(f"{spec.id}  {state:<9}  {spec}")
    counts = ", ".join(f"{state}: {n}" for state, n in sorted(Counter(states).items()))
    print(f"{len(specs)} runs ({counts})")
    return DONE


def _run(asked: argparse.Namespace) -> int:
    from rxrx_lib.study.execute import usable_cores
    from rxrx_lib.study.require import check_device, require

    specs = _specs(asked)
    if not specs:
        raise UsageError(f"profile {asked.profile!r} has no runs of these items; see rxrx plan.")
    if asked.scheduler is None:  # a cluster has devices of its own
        _usage(lambda: check_device(asked.device))
    workers = usable_cores() if asked.workers is None else asked.workers
    done = require(
        specs,
        data=asked.data,
        store=asked.runs,
        device=asked.device,
        loader_workers=asked.loader_workers,
        workers=workers,
        scheduler=asked.scheduler,
    )
    print(f"{len(done)} runs done in {asked.runs}")
    return DONE


def _report(asked: argparse.Namespace) -> int:
    from rxrx_lib.study.ledger import ledger, written

    print(written(ledger(asked.runs, _known_profile(asked.profile)), asked.format), end="")
    return DONE


def _book(asked: argparse.Namespace) -> int:
    from rxrx_lib.study.book import make_book
    from rxrx_lib.study.execute import usable_cores

    profile = _known_profile(asked.profile)
    if profile.screen is None:
        raise UsageError(
            f"profile {profile.name!r} uses the release, and the book's chapters are written for "
            "simulated screens so far; execute its runs with rxrx run, print them with rxrx report."
        )
    workers = usable_cores() if asked.workers is None else asked.workers
    print(make_book(Path.cwd(), profile, workers=workers))
    return DONE


def _specs(asked: argparse.Namespace) -> list[RunSpec]:
    from rxrx_lib.study.catalogue import CATALOGUE, runs_for

    profile = _known_profile(asked.profile)
    return _usage(lambda: runs_for(asked.only or CATALOGUE, profile, asked.methods))


def _known_profile(name: str) -> Profile:
    from rxrx_lib.study.profiles import profile

    return _usage(lambda: profile(name))


def _usage(look_up: Callable[[], T]) -> T:
    """Turn the ValueError of a wrong name or number into wrong usage."""
    try:
        return look_up()
    except ValueError as error:
        raise UsageError(str(error)) from error


def _command(
    commands: Commands,
    name: str,
    command: Callable[[argparse.Namespace], int],
    summary: str,
) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=summary, description=summary)
    made.set_defaults(command=command, stopped=NOTHING_WRITTEN)
    return made


def _count(text: str) -> int:
    """Read a number of processes."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number >= 0")
    return int(text)


def _some(text: str) -> int:
    """Read a number of processes that do the work."""
    if _count(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number >= 1")
    return int(text)


def _profile(command: argparse.ArgumentParser) -> None:
    command.add_argument("--profile", default="demo", metavar="P", help="size of the study")
