"""What the commands share: exit codes, wrong usage, arguments that several have."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from rxrx_lib.training.hardware import Hardware

if TYPE_CHECKING:
    from rxrx_lib.study.profiles import Profile
    from rxrx_lib.study.shards import Shard

DONE, FAULT, USAGE, INTERRUPTED = 0, 1, 2, 130
NOTHING_WRITTEN = "Nothing half-written is left."
GOES_ON = (
    "What is done is kept, and what was in training goes on from its last checkpoint: give the "
    "same command again."
)
T = TypeVar("T")
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class UsageError(Exception):
    """The command line asks for something that does not exist."""


def add_command(
    commands: Commands,
    name: str,
    command: Callable[[argparse.Namespace], int],
    summary: str,
) -> argparse.ArgumentParser:
    """Add a command that calls ``command`` with what was asked."""
    made = commands.add_parser(name, help=summary, description=summary)
    made.set_defaults(command=command, stopped=NOTHING_WRITTEN)
    return made


def as_usage(look_up: Callable[[], T]) -> T:
    """Turn the ValueError of a wrong name or number into wrong usage."""
    try:
        return look_up()
    except ValueError as error:
        raise UsageError(str(error)) from error


@contextmanager
def scheduler_as_usage() -> Iterator[None]:
    """Turn a scheduler that does not answer into wrong usage."""
    from rxrx_lib.study.cluster import NoScheduler

    try:
        yield
    except NoScheduler as error:
        raise UsageError(str(error)) from error


def known_profile(name: str) -> Profile:
    """Return the profile of that name; an unknown one is wrong usage."""
    from rxrx_lib.study.profiles import profile

    return as_usage(lambda: profile(name))


@contextmanager
def faults_told_below() -> Iterator[None]:
    """Silence the warnings on runs that are not sound where the command names them itself."""
    from rxrx_lib.study.soundness import LeftOut

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOut)
        yield


def tell_left_out(faults: Sequence[str]) -> None:
    """Name on standard error what was not counted."""
    for fault in faults:
        print(f"rxrx: left out: {fault}", file=sys.stderr)


def count(text: str) -> int:
    """Read a number of processes."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number >= 0")
    return int(text)


def asked_workers(asked: argparse.Namespace, device: str) -> int:
    """Return how many processes are to train; by default one a core, and on a GPU this one alone.

    Two trainings would share one GPU's memory.
    """
    from rxrx_lib.data.in_order import usable_cores

    if asked.workers is not None:
        return int(asked.workers)
    return usable_cores() if device.startswith("cpu") else 0


def positive_count(text: str) -> int:
    """Read a number of processes that do the work."""
    if count(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number >= 1")
    return int(text)


def shard(text: str) -> Shard:
    """Read a part of a study."""
    from rxrx_lib.study.shards import read_shard

    try:
        return read_shard(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_profile(command: argparse.ArgumentParser) -> None:
    """Add the argument ``--profile``."""
    command.add_argument("--profile", default="demo", metavar="P", help="size of the study")


NUMBERS: dict[str, tuple[Callable[[str], Any], str, str]] = {
    "loader_workers": (count, "N", "threads a run that read pictures ahead"),
    "memory_for_sites": (
        count,
        "BYTES",
        "in which a run keeps its standardised sites, if all fit",
    ),
    "groups_at_once": (
        count,
        "N",
        "groups of a minibatch in the network at once; fewer take less memory; 0: all",
    ),
    "sites_a_pass": (positive_count, "N", "sites in the network at once in prediction"),
    "checkpoint_seconds": (float, "S", "least time between two checkpoints"),
}
SWITCHES = {
    "pinned": "read into page-locked memory, for a GPU",
    "channels_last": "keep a pixel's channels together in memory",
    "fused": "take the optimiser's step in one kernel",
    "flush_denormals": "take numbers below 1e-38 as zero on a CPU",
}


def add_hardware(command: argparse.ArgumentParser) -> None:
    """Add an argument for each field of ``Hardware``, its default the field's."""
    group = command.add_argument_group(
        "hardware", "speed and memory; results differ by rounding at most"
    )
    default = Hardware()
    group.add_argument(
        "--device", default=default.device, help="torch device; auto: a GPU where there is one"
    )
    for name, (kind, metavar, text) in NUMBERS.items():
        group.add_argument(
            f"--{name.replace('_', '-')}",
            type=kind,
            default=getattr(default, name),
            metavar=metavar,
            help=f"{text} (default: %(default)s)",
        )
    for name, text in SWITCHES.items():
        group.add_argument(
            f"--{name.replace('_', '-')}",
            action=argparse.BooleanOptionalAction,
            default=getattr(default, name),
            help=text,
        )


def asked_hardware(asked: argparse.Namespace) -> Hardware:
    """Return the hardware that a command line asks for."""
    names = [field.name for field in dataclasses.fields(Hardware)]
    return as_usage(lambda: Hardware(**{name: getattr(asked, name) for name in names}))
