"""One trained network on every subset of its channels, the others set to zero: the predicting.

What is kept of it is one file a run, that of :mod:`rxrx_lib.study.masked_accuracy`.
"""

from __future__ import annotations

from rxrx_lib.data.images import CHANNELS
from rxrx_lib.evaluation.reference_lines import commonest_training_line
from rxrx_lib.evaluation.shapley import SUBSETS
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import stages
from rxrx_lib.study.derived import own_prediction, write_derived
from rxrx_lib.study.execute import Runtime
from rxrx_lib.study.masked_accuracy import (
    FILE,
    subset_word,
)
from rxrx_lib.study.predictions import done_run, trained
from rxrx_lib.study.provenance import provenance, this_attempt
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.training.attempts import Attempts


def mask_done(spec: RunSpec, runtime: Runtime) -> None:
    """Predict with a done run's weights under all masks, and keep the accuracies.

    Nothing is trained. The sites have the same pixels as in the run's own prediction, standardised
    in the same way; then the channels outside the subset are set to 0. Where the method measures
    statistics on test experiments, they are measured under the same mask.
    """
    run = done_run(spec, runtime.runs)
    with trained(spec, runtime) as (network, work, digest):
        attempts = Attempts(this_attempt(work.sites.hardware.device))
        accuracy = {
            subset_word(subset): stages.test_accuracy(network, work, masked=_others(subset))
            for subset in SUBSETS
        }
        sirna = work.screen.table["sirna_id"].to_numpy()
        none = commonest_training_line(sirna[work.split.train], sirna[work.split.test])
        content = {
            "weights_sha256": digest,
            "statistics": METHODS[spec.method].statistics,
            "none": none,
            "accuracy": accuracy,
            "provenance": provenance(attempts.so_far(), work.screen.root, spec.data),
        }
    write_derived(own_prediction(run, spec), FILE, content)


def _others(subset: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(channel for channel in CHANNELS if channel not in subset)
