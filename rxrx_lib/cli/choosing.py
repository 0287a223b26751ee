"""The command that chooses what the paper leaves unsaid."""

from __future__ import annotations

import argparse
from pathlib import Path

from rxrx_lib.cli.arguments import (
    DONE,
    GOES_ON,
    Commands,
    add_command,
    add_hardware,
    add_profile,
    as_usage,
    asked_hardware,
    asked_workers,
    count,
    scheduler_as_usage,
)
from rxrx_lib.cli.studies import trained


def add_choose_command(commands: Commands) -> None:
    """Describe the command."""
    choose = add_command(
        commands,
        "choose",
        _choose,
        "try what the paper leaves unsaid on held-out training experiments, and name the best",
    )
    choose.set_defaults(stopped=GOES_ON)
    add_profile(choose)
    choose.add_argument("--methods", nargs="+", metavar="METHOD", help="these only")
    choose.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    choose.add_argument("--data", type=Path, default=Path("data"), metavar="DIR")
    add_hardware(choose)
    choose.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster to run on")
    choose.add_argument(
        "--workers",
        type=count,
        metavar="N",
        help="processes here; 0: in this one; default: cores, 0 on a GPU",
    )


@scheduler_as_usage()
def _choose(asked: argparse.Namespace) -> int:
    from rxrx_lib.study.choice_tables import choice_report
    from rxrx_lib.study.choosing import candidates, choices
    from rxrx_lib.study.require import require
    from rxrx_lib.training.hardware import resolve_device

    profile = trained(asked.profile)
    tried = as_usage(lambda: candidates(profile, asked.methods))
    # A cluster has devices of its own.
    device = "cpu" if asked.scheduler else as_usage(lambda: resolve_device(asked.device))
    results = require(
        [spec for each in tried for spec in each.specs],
        data=asked.data,
        store=asked.runs,
        device=asked.device,
        hardware=asked_hardware(asked),
        workers=asked_workers(asked, device),
        scheduler=asked.scheduler,
    )
    print(choice_report(profile, choices(tried, results), results), end="")
    return DONE
