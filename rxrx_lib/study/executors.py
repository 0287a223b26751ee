"""Where runs are sent: this process, this machine's cores, or a Dask cluster."""

from __future__ import annotations

import importlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, ParamSpec, TypeVar

from rxrx_lib.study.cluster import joined
from rxrx_lib.study.progress import to_stderr

P = ParamSpec("P")
T = TypeVar("T")

DASK_SETTINGS = {
    "distributed.worker.daemon": False,  # else a loader with worker processes cannot start
    "distributed.scheduler.worker-ttl": "1 hour",  # a step may hold the interpreter for long
    # It looks into every worker a hundred times a second, for a dashboard that is not there; with
    # the two that follow, a run took a tenth longer.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
}
# Dask's own default returns freed memory to the system at once. A training step allocates the same
# few megabytes again and again, and spent more time on page faults than on arithmetic.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": 1,
    "MKL_NUM_THREADS": 1,
    "OPENBLAS_NUM_THREADS": 1,
    "MALLOC_MMAP_THRESHOLD_": 32 * 2**20,
    "MALLOC_TRIM_THRESHOLD_": 2**30,
    "MALLOC_TOP_PAD_": 64 * 2**20,
}

GIVEN_UP = "the same command goes on with it, from its last checkpoint"
ONE_AT_A_TIME = threading.Lock()


class GivenUp(RuntimeError):
    """The cluster does not finish a run; the message says why, and how to go on."""


class SerialExecutor(Executor):
    """Execute in this process, at the moment of ``submit``: for debuggers and notebooks."""

    def submit(
        self, function: Callable[P, T], /, *arguments: P.args, **keywords: P.kwargs
    ) -> Future[T]:
        """Call the function now, and return a future that is done."""
        future: Future[T] = Future()
        try:
            future.set_result(function(*arguments, **keywords))
        except Exception as error:  # noqa: BLE001 - a future carries whatever was raised
            future.set_exception(error)
        return future


class DaskExecutor(Executor):
    """Send calls to a Dask cluster, and say in the study's words what becomes of them.

    Parameters
    ----------
    client
        Returns a Dask client; called once, when there is something to send.
    """

    def __init__(self, client: Callable[[], Any]) -> None:
        # pure=False: a run is executed because of what it leaves on disk, not for its value
        self._calls = cache(lambda: client().get_executor(pure=False))

    def submit(
        self, function: Callable[P, T], /, *arguments: P.args, **keywords: P.kwargs
    ) -> Future[T]:
        """Have the function called on a worker that calls no other meanwhile.

        The future's exception is :class:`GivenUp` where the cluster, and not the function, failed.
        """
        called = self._calls().submit(one_at_a_time, function, *arguments, **keywords)
        told: Future[T] = Future()
        called.add_done_callback(lambda call: _tell(call, told))
        return told


def one_at_a_time(function: Callable[P, T], /, *arguments: P.args, **keywords: P.kwargs) -> T:
    """Call the function when no other thread of this worker trains.

    Two trainings in a process would draw their first weights from one random generator.
    """
    with ONE_AT_A_TIME:
        return function(*arguments, **keywords)


def _tell(call: Future[T], told: Future[T]) -> None:
    """Pass on how a call has ended."""
    from distributed.scheduler import KilledWorker

    try:
        told.set_result(call.result())
    except KilledWorker as error:
        times = error.allowed_failures + 1
        told.set_exception(GivenUp(f"{times} workers in a row died of it or with it; {GIVEN_UP}"))
    except CancelledError:
        told.set_exception(GivenUp(f"the scheduler was lost or gave it up; {GIVEN_UP}"))
    except Exception as error:  # noqa: BLE001 - a future carries whatever was raised
        told.set_exception(error)


@contextmanager
def executor(
    workers: int, scheduler: str | None = None, say: Callable[[str], None] = to_stderr
) -> Iterator[Executor]:
    """Open an executor, and close it and its processes at the end.

    Parameters
    ----------
    workers
        Processes on this machine, started when there is something to send; 0 executes in this
        process. Ignored with ``scheduler``.
    scheduler
        Address of a running Dask scheduler, whose workers are used instead.
    say
        Takes a line whenever that scheduler's workers change.

    Raises
    ------
    ValueError
        If ``workers`` is negative.
    NoScheduler
        If no scheduler answers at the address.
    """
    if workers < 0:
        raise ValueError(f"workers is {workers}; give 0 (in this process) or more.")
    if scheduler is None and workers == 0:
        yield SerialExecutor()
        return
    with ExitStack() as opened:
        if scheduler is None:
            yield DaskExecutor(lambda: opened.enter_context(_started(workers)))
        else:
            _hush_dask()
            client = opened.enter_context(joined(scheduler, say))
            yield DaskExecutor(lambda: client)


@contextmanager
def _started(workers: int) -> Iterator[Any]:
    """Give a Dask client of worker processes on this machine."""
    import dask
    import distributed

    _hush_dask()
    settings = DASK_SETTINGS | {"distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0,  # the limit would count memory-mapped files and kill workers
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(_prepare_worker)
        yield client


def _hush_dask() -> None:
    """Let warnings on workers that are stopped in the middle of a run not bury our own lines."""
    importlib.import_module("distributed")  # which sets levels of its own
    logging.getLogger("distributed").setLevel(logging.ERROR)


def _prepare_worker() -> None:
    """Leave Ctrl-C, which reaches every process of a terminal, to the parent: it stops workers.

    torch is loaded here, so that its seconds do not count as a worker's first run's.
    """
    importlib.import_module("torch")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A worker that is being stopped reports lost connections as errors; a run's own error travels
    # in its future.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
