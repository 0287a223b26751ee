"""Where runs are sent: this process, this machine's cores, or a Dask cluster."""

from __future__ import annotations

import importlib
import logging
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


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


@contextmanager
def executor(workers: int, scheduler: str | None = None) -> Iterator[Executor]:
    """Open an executor, and close it and its processes at the end.

    Parameters
    ----------
    workers
        Processes on this machine; 0 executes in this process. Ignored with ``scheduler``.
    scheduler
        Address of a running Dask scheduler, whose workers are used instead.

    Raises
    ------
    ValueError
        If ``workers`` is negative.
    """
    if workers < 0:
        raise ValueError(f"workers is {workers}; give 0 (in this process) or more.")
    if scheduler is None and workers == 0:
        yield SerialExecutor()
        return
    with _client(workers, scheduler) as client:
        # pure=False: a run is executed because of what it leaves on disk, not for its value
        yield client.get_executor(pure=False)


@contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Any]:
    import dask
    import distributed

    settings = {
        "distributed.worker.daemon": False,  # else a loader with worker processes cannot start
        "distributed.scheduler.worker-ttl": "1 hour",  # a step may hold the interpreter for long
        "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
    }
    # Its warnings on workers that are stopped in the middle of a run would bury our own lines.
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with dask.config.set(settings):
        if scheduler is not None:
            with distributed.Client(scheduler) as client:
                yield client
            return
        with (
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


def _prepare_worker() -> None:
    """Leave Ctrl-C, which reaches every process of a terminal, to the parent: it stops workers.

    torch is loaded here, so that its seconds do not count as a worker's first run's.
    """
    importlib.import_module("torch")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A worker that is being stopped reports lost connections as errors; a run's own error travels
    # in its future.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
