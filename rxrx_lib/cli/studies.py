"""Commands on a study: plan, run, report."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rxrx_lib.cli.arguments import (
    DONE,
    FAULT,
    GOES_ON,
    Commands,
    UsageError,
    add_command,
    add_hardware,
    add_profile,
    as_usage,
    asked_hardware,
    asked_workers,
    count,
    faults_told_below,
    known_profile,
    scheduler_as_usage,
    shard,
    tell_left_out,
)
from rxrx_lib.training.peers import started_by_torchrun

if TYPE_CHECKING:
    from rxrx_lib.study.after_runs import Step
    from rxrx_lib.study.gpus import Gpu
    from rxrx_lib.study.profiles import Profile
    from rxrx_lib.study.spec import RunSpec

FORMATS = ("md", "csv", "json")


def add_study_commands(commands: Commands) -> None:
    """Describe the commands on a study."""
    plan = add_command(commands, "plan", _plan, "list the runs that a study needs")
    run = add_command(commands, "run", _run, "execute the runs of a study that are not done")
    run.set_defaults(stopped=GOES_ON)
    for study in (plan, run):
        add_items(study)
        study.add_argument(
            "--shard",
            type=shard,
            metavar="I/N",
            help="the I-th of N equal parts of the runs, from 1, as for an array job",
        )
    plan.add_argument("--cost", action="store_true", help="say how long they take")
    plan.add_argument("--gpu", metavar="GPU", help="compute --cost for this one, e.g. a100-80")
    run.add_argument("--data", type=Path, default=Path("data"), metavar="DIR")
    add_hardware(run)
    run.add_argument(
        "--evaluate-every",
        type=count,
        metavar="EPOCHS",
        help="measure every run's test accuracy in training; 0: none; default: where pages draw it",
    )
    run.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster to run on")
    run.add_argument(
        "--workers",
        type=count,
        metavar="N",
        help="processes here; 0: in this one; default: cores, 0 on a GPU",
    )

    report = add_command(commands, "report", _report, "print every number beside the paper's")
    add_profile(report)
    report.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    report.add_argument("--format", choices=FORMATS, default="md")
    report.add_argument(
        "--strict", action="store_true", help="exit 1 if anything in the store is no sound run"
    )


def add_items(command: argparse.ArgumentParser) -> None:
    """Add the arguments that name runs and their store; :func:`asked_specs` reads them."""
    add_profile(command)
    command.add_argument("--only", nargs="+", metavar="ITEM", help="items of the catalogue")
    command.add_argument("--methods", nargs="+", metavar="METHOD", help="runs of these only")
    command.add_argument("--ids", nargs="+", metavar="ID", help="these runs, as plan lists them")
    command.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    command.add_argument(
        "--weights", type=Path, metavar="FILE", help="torchvision weights to start from"
    )


def _plan(asked: argparse.Namespace) -> int:
    from rxrx_lib.study.gpus import gpu
    from rxrx_lib.study.recorded import readable

    on = as_usage(lambda: gpu(asked.gpu)) if asked.gpu else None
    if on and not asked.cost:
        raise UsageError(f"--gpu is {asked.gpu} without --cost; give both.")
    with readable(asked.runs) as asked.runs:
        specs = asked_specs(asked)
        states = []
        for spec in specs:
            state, why = _state(asked.runs, spec)
            states.append(state)
            print(f"{spec.id}  {state:<9}  {spec}{why}")
        counts = ", ".join(f"{state}: {n}" for state, n in sorted(Counter(states).items()))
        print(f"{len(specs)} runs ({counts})")
        for line in _derived_lines(asked, specs):
            print(line)
        if asked.cost and specs:
            _print_cost(asked, specs, on)
    return DONE


def _state(store: Path, spec: RunSpec) -> tuple[str, str]:
    """Return the state of a run, and in words why it is no better one."""
    from rxrx_lib.study.runs import Run, failure
    from rxrx_lib.study.soundness import run_fault

    run = Run(store / spec.id)
    fault = run_fault(run) if run.path.is_dir() and any(run.path.iterdir()) else None
    if fault is not None:
        return "unsound", f": {fault}"
    return run.state, f": {failure(run)}" if run.state == "failed" else ""


def _derived_lines(asked: argparse.Namespace, specs: Sequence[RunSpec]) -> Iterator[str]:
    """Say what is computed from the runs when they are done, and what of it the store has."""
    for words, some in groupby(asked_steps(asked, specs), lambda step: step.derivation.words):
        states = Counter(step.state(asked.runs) for step in some)
        counts = ", ".join(f"{state}: {n}" for state, n in sorted(states.items()))
        yield f"{words} of {states.total()} of these runs ({counts})"


def _print_cost(asked: argparse.Namespace, specs: list[RunSpec], on: Gpu | None) -> None:
    from rxrx_lib.study.catalogue import items_of
    from rxrx_lib.study.cost_plan import plan_lines

    profile, wanted = trained(asked.profile), {spec.id for spec in specs}
    items = {}
    for name in asked.only or items_of(profile):
        of_item = asked_specs(
            argparse.Namespace(**(vars(asked) | {"only": [name], "ids": None, "shard": None}))
        )
        items[name] = [spec for spec in of_item if spec.id in wanted]
    done = [spec for spec in specs if _state(asked.runs, spec)[0] == "done"]
    print("\n".join(plan_lines(profile, items, done, asked.runs, on)))


@scheduler_as_usage()
def _run(asked: argparse.Namespace) -> int:
    from rxrx_lib.study.after_runs import require_derived
    from rxrx_lib.study.catalogue import evaluations
    from rxrx_lib.study.require import require
    from rxrx_lib.training.hardware import resolve_device

    specs = asked_specs(asked)
    if not specs and asked.shard is not None and asked_specs(_whole(asked)):
        print(f"no run is left for shard {asked.shard}")
        return DONE
    if not specs:
        raise UsageError(f"profile {asked.profile!r} has no runs of these items; see rxrx plan.")
    # A cluster has devices of its own.
    device = "cpu" if asked.scheduler else as_usage(lambda: resolve_device(asked.device))
    every = evaluations(known_profile(asked.profile))
    if asked.evaluate_every is not None:
        every = {spec.id: asked.evaluate_every for spec in specs}
    if started_by_torchrun():
        return _run_together(asked, specs, every)
    with faults_told_below():
        where: dict[str, Any] = {
            "data": asked.data,
            "store": asked.runs,
            "device": asked.device,
            "hardware": asked_hardware(asked),
            "workers": asked_workers(asked, device),
            "scheduler": asked.scheduler,
        }
        done = require(specs, **where, evaluate_every=every, weights=asked.weights)
        lacking = require_derived(asked_steps(asked, specs), **where)
    print(f"{len(done)} runs done in {asked.runs}")
    states = [_state(asked.runs, spec) for spec in specs]
    faults = [why.removeprefix(": ") for state, why in states if state == "unsound"]
    tell_left_out(faults)
    return FAULT if faults or lacking else DONE


def _run_together(asked: argparse.Namespace, specs: list[RunSpec], every: dict[str, int]) -> int:
    from rxrx_lib.study.after_runs import require_derived
    from rxrx_lib.study.execute import Runtime
    from rxrx_lib.study.progress import Progress
    from rxrx_lib.study.together import run_together

    if asked.workers is not None or asked.scheduler is not None:
        raise UsageError(
            "--workers and --scheduler send runs to several processes, and torchrun has several "
            "work on one; leave them out, or start rxrx run without torchrun."
        )
    runtime = Runtime(
        data=asked.data,
        runs=asked.runs,
        hardware=asked_hardware(asked),
        evaluate_every=every,
        weights=asked.weights,
    )
    run_together(specs, runtime, Progress())
    if os.environ["RANK"] != "0":
        return DONE
    lacking = require_derived(
        asked_steps(asked, specs),
        data=asked.data,
        store=asked.runs,
        device=asked.device,
        hardware=runtime.hardware,
    )
    return FAULT if lacking else DONE


def _report(asked: argparse.Namespace) -> int:
    from rxrx_lib.study.ledger import ledger, written
    from rxrx_lib.study.recorded import readable
    from rxrx_lib.study.soundness import store_faults

    with readable(asked.runs) as store:
        with faults_told_below():
            rows = ledger(store, trained(asked.profile))
        print(written(rows, asked.format), end="")
        faults = store_faults(store)
    tell_left_out(faults)
    return FAULT if faults and asked.strict else DONE


def asked_specs(asked: argparse.Namespace) -> list[RunSpec]:
    """Return the runs that a command's items, methods, weights and ids name."""
    from rxrx_lib.study.catalogue import items_of, runs_for
    from rxrx_lib.study.shards import of_shard

    profile = trained(asked.profile)
    specs = as_usage(lambda: runs_for(asked.only or items_of(profile), profile, asked.methods))
    if asked.weights is not None:
        specs = _starting_from(asked.weights, specs)
    part = getattr(asked, "shard", None)
    if asked.ids is None:
        return specs if part is None else of_shard(specs, part)
    known = {spec.id: spec for spec in specs}
    for each in asked.ids:
        if each not in known:
            raise UsageError(f"--ids has {each}, which is none of the study's runs; see rxrx plan.")
    specs = [known[each] for each in asked.ids]
    return specs if part is None else of_shard(specs, part)


def asked_steps(asked: argparse.Namespace, specs: Sequence[RunSpec]) -> list[Step]:
    """Return what is computed from runs for a command's items, of some of their runs."""
    from rxrx_lib.study.after_runs import steps
    from rxrx_lib.study.catalogue import items_of

    profile = trained(asked.profile)
    found = steps(asked.only or items_of(profile), profile)
    if asked.weights is not None:
        renamed = _starting_from(asked.weights, [step.spec for step in found])
        found = [step._replace(spec=spec) for step, spec in zip(found, renamed, strict=True)]
    wanted = {spec.id for spec in specs}
    return [step for step in found if step.spec.id in wanted]


def _whole(asked: argparse.Namespace) -> argparse.Namespace:
    """Return what was asked, but of all shards."""
    return argparse.Namespace(**(vars(asked) | {"shard": None}))


def _starting_from(weights: Path, specs: list[RunSpec]) -> list[RunSpec]:
    """Return the same runs, but with a backbone that starts from the file of weights."""
    from rxrx_lib.study.runs import file_sha256

    if not weights.is_file():
        raise UsageError(
            f"--weights is {weights}, which is no file; give a torchvision state_dict as "
            "torch.save writes it."
        )
    sha256 = file_sha256(weights)
    return [
        dataclasses.replace(spec, network=dataclasses.replace(spec.network, weights_sha256=sha256))
        for spec in specs
    ]


def trained(name: str) -> Profile:
    """Return the profile of that name; one that has no runs is wrong usage."""
    profile = known_profile(name)
    if not profile.replicates:
        raise UsageError(
            f"profile {name!r} has no runs, since it trains nothing; "
            f"build its book with rxrx book --profile {name}."
        )
    return profile
