"""Done runs answer on a second set of wells of their screen: the predicting.

What is kept of it is one file a run, that of :mod:`rxrx_lib.study.second_wells`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import stages
from rxrx_lib.study.derived import own_prediction, write_derived
from rxrx_lib.study.execute import Runtime
from rxrx_lib.study.executors import executor
from rxrx_lib.study.identity import identity
from rxrx_lib.study.predictions import done_run, trained
from rxrx_lib.study.progress import Progress
from rxrx_lib.study.provenance import provenance, this_attempt
from rxrx_lib.study.screens import prepare_screen
from rxrx_lib.study.second_wells import FILE, packed, second_screen, second_wells
from rxrx_lib.study.spec import PredictSpec, RunSpec
from rxrx_lib.training.attempts import Attempts
from rxrx_lib.training.hardware import Hardware


def require_second_wells(
    specs: Sequence[RunSpec],
    *,
    data: str | Path = "data",
    store: str | Path = "runs",
    device: str = "auto",
    workers: int = 0,
    progress: Progress | None = None,
) -> None:
    """Make sure that done runs have answered on the second set of wells of their screens.

    The screens with these wells are simulated where they are not there. Runs on the release are
    passed over: it has one set.

    Parameters
    ----------
    specs
        Runs that are done.
    data
        Folder of screens.
    store
        The run store.
    device
        Torch device; ``auto`` is a GPU where there is one.
    workers
        Processes to simulate and predict in; 0 does it in this one.
    progress
        Where lines on the progress go; standard error by default.

    Raises
    ------
    RunNotDone
        If a run is not done.
    """
    runtime = Runtime(data=Path(data), runs=Path(store), hardware=Hardware(device=device))
    able = [spec for spec in specs if spec.data.screen is not None]
    lacking = [
        spec for spec in able if second_wells(done_run(spec, runtime.runs), spec.method) is None
    ]
    progress = progress or Progress()
    progress.start(total=len(able), done=len(able) - len(lacking))
    if not lacking:
        return
    screens = {identity(spec.data): second_screen(spec.data) for spec in lacking}
    with executor(min(workers, len(lacking))) as engine:
        # Screens come first, so that no two processes simulate the same one.
        made = [engine.submit(prepare_screen, each, runtime.data) for each in screens.values()]
        for number, screen in enumerate(made, start=1):
            screen.result()
            progress.say(f"second wells rendered: {number} of {len(made)} screens")
        waiting = [engine.submit(predict_second_wells, spec, runtime) for spec in lacking]
        for spec, answered in zip(lacking, waiting, strict=True):
            answered.result()
            progress.finished(f"second wells of {spec}", None)


def predict_second_wells(spec: RunSpec, runtime: Runtime) -> None:
    """Predict every site of the second set with a done run's weights, and keep the answers.

    Nothing is trained. Where the method measures statistics on an experiment, these are the second
    set's, all its sites: no picture that was trained on has a part in them.

    Raises
    ------
    RunNotDone
        If the run has no result.
    ValueError
        If the run's screen is the release, its weights are not those that it wrote, or its sites
        are standardised by pixels of the training side, of which the second set has none.
    """
    run = done_run(spec, runtime.runs)
    other = second_screen(spec.data)
    with trained(spec, runtime, other) as (network, work, digest):
        attempts = Attempts(this_attempt(work.sites.hardware.device))
        own = PredictSpec(statistics=METHODS[spec.method].statistics, embeddings=False)
        answers = stages.predicted(network, work, own)
        source = provenance(attempts.so_far(), work.screen.root, other)
    content = packed(answers, digest, spec.method, source)
    write_derived(own_prediction(run, spec), FILE, content)
