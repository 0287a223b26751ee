"""Runs on the processes that torchrun started: one run after the other, all processes on each."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.study.progress import Progress
from rxrx_lib.study.runs import open_run
from rxrx_lib.study.screens import prepare_screen
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.training.distributed import joined, lost_peers_explained
from rxrx_lib.training.hardware import resolve_device

TERMINATED = 128 + signal.SIGTERM


def run_together(specs: Sequence[RunSpec], runtime: Runtime, progress: Progress) -> None:
    """Execute runs that are not done; each of torchrun's processes calls this.

    Parameters
    ----------
    specs
        The runs, the same in every process.
    runtime
        Where; of ``cuda``, each process of a machine takes a GPU of its own.
    progress
        What the first process reports.

    Raises
    ------
    ValueError
        If the processes are more than a minibatch's groups, or do not divide them, or a machine
        has fewer GPUs than processes.
    PeerLost
        If another process has ended. What was in training can be gone on with.
    """
    device = resolve_device(runtime.hardware.device)
    with _termination_explained(), joined(device) as (peers, own):
        hardware = dataclasses.replace(runtime.hardware, device=own)
        runtime = dataclasses.replace(runtime, hardware=hardware)
        waiting = [spec for spec in specs if not peers.agreed(open_run(runtime.runs, spec).done)]
        if peers.first:
            progress.start(total=len(specs), done=len(specs) - len(waiting))
        for spec in waiting:
            with lost_peers_explained(peers):
                if peers.first:
                    prepare_screen(spec.data, runtime.data)
                peers.agreed(True)  # the others wait here for the screen
                run_one(spec, runtime, peers)
            if peers.first:
                progress.finished(str(spec), None)


@contextmanager
def _termination_explained() -> Iterator[None]:
    """Say what happened where torchrun ends this process because of another one."""

    def stop(number: int, frame: FrameType | None) -> None:
        print(
            f"rxrx: process {os.environ['RANK']} of {os.environ['WORLD_SIZE']} was ended, as "
            "torchrun does when another one has failed or the machine stops it; the same command "
            "goes on from the last checkpoint.",
            file=sys.stderr,
            flush=True,
        )
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
