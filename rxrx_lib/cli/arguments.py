"""What the commands share: exit codes, wrong usage, arguments that several have."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from rxrx_lib.study.profiles import Profile

DONE, FAULT, USAGE, INTERRUPTED = 0, 1, 2, 130
NOTHING_WRITTEN = "Nothing half-written is left."
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


def known_profile(name: str) -> Profile:
    """Return the profile of that name; an unknown one is wrong usage."""
    from rxrx_lib.study.profiles import profile

    return as_usage(lambda: profile(name))


def count(text: str) -> int:
    """Read a number of processes."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number >= 0")
    return int(text)


def positive_count(text: str) -> int:
    """Read a number of processes that do the work."""
    if count(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number >= 1")
    return int(text)


def add_profile(command: argparse.ArgumentParser) -> None:
    """Add the argument ``--profile``."""
    command.add_argument("--profile", default="demo", metavar="P", help="size of the study")
