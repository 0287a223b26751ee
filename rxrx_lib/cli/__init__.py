"""The ``rxrx`` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rxrx_lib.cli.arguments import FAULT, INTERRUPTED, USAGE, UsageError
from rxrx_lib.cli.choosing import add_choose_command
from rxrx_lib.cli.notebooks import add_notebook_commands
from rxrx_lib.cli.predictions import add_predict_command
from rxrx_lib.cli.screens import add_screen_commands
from rxrx_lib.cli.stores import add_store_commands
from rxrx_lib.cli.studies import add_study_commands


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
    add_screen_commands(commands)
    add_study_commands(commands)
    add_notebook_commands(commands)
    add_predict_command(commands)
    add_choose_command(commands)
    add_store_commands(commands)
    return top
