"""Done runs answer on a second set of wells of their screen: the predicting.

What is kept of it is one file a run, that of :mod:`rxrx_lib.study.second_wells`.
"""

from __future__ import annotations

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import stages
from rxrx_lib.study.derived import own_prediction, write_derived
from rxrx_lib.study.execute import Runtime
from rxrx_lib.study.predictions import done_run, trained
from rxrx_lib.study.provenance import provenance, this_attempt
from rxrx_lib.study.second_wells import FILE, packed, second_screen
from rxrx_lib.study.spec import PredictSpec, RunSpec
from rxrx_lib.training.attempts import Attempts


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
