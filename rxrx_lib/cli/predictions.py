"""The command that predicts with trained runs: predict."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rxrx_lib.cli.arguments import (
    DONE,
    FAULT,
    Commands,
    UsageError,
    add_command,
    add_hardware,
    as_usage,
    asked_hardware,
)
from rxrx_lib.cli.studies import add_items, asked_specs
from rxrx_lib.models.architectures import AS_TRAINED, PARTS
from rxrx_lib.training.pools import STATISTICS


def add_predict_command(commands: Commands) -> None:
    """Describe the command."""
    predict = add_command(
        commands, "predict", _predict, "predict with the weights of done runs; train nothing"
    )
    predict.set_defaults(stopped="What is done is kept: give the same command again.")
    add_items(predict)
    predict.add_argument("--data", type=Path, default=Path("data"), metavar="DIR")
    predict.add_argument(
        "--statistics",
        nargs="+",
        required=True,
        metavar="WORD",
        help=f"what to normalise by: {', '.join(STATISTICS)}",
    )
    predict.add_argument(
        "--embeddings",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep embeddings, and predict the training sites as well",
    )
    predict.add_argument(
        "--adapts",
        default=AS_TRAINED,
        metavar="PART",
        help=f"what to normalise so: {', '.join(PARTS)}; the rest by its running statistics "
        f"(default: what adapted in training)",
    )
    add_hardware(predict)


def _predict(asked: argparse.Namespace) -> int:
    from rxrx_lib.study.execute import Runtime
    from rxrx_lib.study.predictions import predict_done
    from rxrx_lib.study.runs import open_run
    from rxrx_lib.study.spec import PredictSpec
    from rxrx_lib.training.hardware import resolve_device

    words = list(dict.fromkeys(asked.statistics))
    shared = {"embeddings": asked.embeddings, "adapts": asked.adapts}
    ways = as_usage(lambda: [PredictSpec(statistics=word, **shared) for word in words])
    specs = asked_specs(asked)
    if not specs:
        raise UsageError(f"profile {asked.profile!r} has no runs of these items; see rxrx plan.")
    as_usage(lambda: resolve_device(asked.device))
    runtime = Runtime(data=asked.data, runs=asked.runs, hardware=asked_hardware(asked))
    skipped = 0
    for spec in specs:
        run = open_run(asked.runs, spec)
        if run.done:
            made = [way.statistics for way in predict_done(spec, ways, runtime)]
            print(f"{spec.id}  {', '.join(made) or 'was there':<9}  {spec}", flush=True)
        else:
            skipped += 1
            print(f"{spec.id}  skipped: {run.state}  {spec}", file=sys.stderr)
    if skipped:
        print(
            f"rxrx: {skipped} of {len(specs)} runs are not done and were skipped; execute them "
            "first (rxrx run).",
            file=sys.stderr,
        )
    return FAULT if skipped else DONE
