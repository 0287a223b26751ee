"""Runs of the study on jobs of a Slurm cluster, one GPU each.

On a machine that may submit jobs and that the nodes can reach:

    python slurm_cluster.py run --profile paper --only table1 \
        --data /shared/data --runs /shared/runs
"""

import sys

import dask
from dask_jobqueue import SLURMCluster

from rxrx_lib.cli import main
from rxrx_lib.study.executors import (
    DASK_SETTINGS,
    WORKER_ENVIRONMENT,
)

JOBS = 8
JOB = {
    "queue": "gpu",  # the partition
    "job_extra_directives": ["--gres=gpu:1"],
    "job_cpu": 8,  # cores of a job
    "memory": "64GiB",
    "walltime": "24:00:00",
    "worker_extra_args": [
        "--lifetime=23h",  # it leaves before Slurm ends it,
        "--lifetime-stagger=30m",  # and not all at once
        "--memory-limit=0",  # else memory-mapped pictures count
    ],
}
# A run outlives many jobs: each goes on from the last one's checkpoint.
PATIENT = {"distributed.scheduler.allowed-failures": 100}


def slurm_cluster(**scheduler):
    """Return a cluster without a job yet, of one run a job."""
    dask.config.set(DASK_SETTINGS | PATIENT)
    exports = [f"export {k}={v}" for k, v in WORKER_ENVIRONMENT.items()]
    return SLURMCluster(
        cores=1,
        processes=1,
        job_script_prologue=exports,
        scheduler_options=scheduler,
        **JOB,
    )


if __name__ == "__main__":
    with slurm_cluster() as cluster:
        print(cluster.job_script())
        # A job that Slurm has ended is replaced.
        cluster.adapt(minimum_jobs=JOBS, maximum_jobs=JOBS)
        where = ["--scheduler", cluster.scheduler_address]
        sys.exit(main([*sys.argv[1:], *where]))
