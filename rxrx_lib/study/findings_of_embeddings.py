"""What the paper finds about the methods' embeddings and training: figures 6, 7 and 10."""

from __future__ import annotations

from rxrx_lib.study.effects import SD, Effect, difference, value
from rxrx_lib.study.finding import Finding
from rxrx_lib.study.findings_of_accuracy import BOTH, REVERSAL
from rxrx_lib.study.paper import METHODS

SPACE = "Embeddings of unseen experiments"
SIMILARITY = "Similarities within and across experiments"
TRAINING = "Training"

KS = 0.1
"""A difference of Kolmogorov-Smirnov statistics, 0 to 1, that matters."""


def _purity(method: str, other: str, column: str = "purity", label: str = "") -> Effect:
    return difference(("figure6", method, column), ("figure6", other, column), label)


def _ks(method: str) -> tuple[Effect, Effect]:
    names = {"same": "same siRNA", "different": "different siRNAs"}
    of_same, of_different = (
        value(("figure7", method, f"ks_{name}"), label) for name, label in names.items()
    )
    return of_same, of_different


_SPACE = (
    Finding(
        id="reversal_does_not_mix",
        topic=SPACE,
        where="section 5.2, figure 6",
        statement="Gradient reversal leaves unseen experiments apart.",
        metric="share of nearest neighbours of the same experiment, gradient reversal minus chance",
        kind="increase",
        effects=(difference(("figure6", REVERSAL, "purity"), ("figure6", REVERSAL, "chance")),),
    ),
    Finding(
        id="adabn_mixes",
        topic=SPACE,
        where="section 5.2, figure 6",
        statement="AdaBN mixes unseen experiments far better than the baseline and than "
        "gradient reversal.",
        metric="share of nearest neighbours of the same experiment, AdaBN minus each",
        kind="decrease",
        effects=tuple(
            _purity("adabn", other, label=f"against {METHODS[other]}")
            for other in ("baseline", REVERSAL)
        ),
    ),
    Finding(
        id="both_mix_like_adabn",
        topic=SPACE,
        where="section 5.2, caption of figure 6",
        statement="AdaBN with gradient reversal mixes them as AdaBN does.",
        metric="share of nearest neighbours of the same experiment, both minus AdaBN",
        kind="unchanged",
        effects=(_purity(BOTH, "adabn"),),
        margin=5.0,
    ),
    Finding(
        id="other_cell_types_mix_alike",
        topic=SPACE,
        where="caption of figure 6",
        statement="In the other cell types, too, AdaBN mixes better than gradient reversal.",
        metric="share of nearest neighbours of the same experiment, AdaBN minus gradient "
        "reversal, in each",
        kind="decrease",
        effects=tuple(
            _purity("adabn", REVERSAL, f"purity_{cell_type}", label)
            for cell_type, label in (("RPE", "RPE"), ("HEPG2", "HepG2"), ("U2OS", "U2OS"))
        ),
    ),
)

_SIMILARITY = (
    Finding(
        id="baseline_similarities_differ",
        topic=SIMILARITY,
        where="section 5.4, figure 7",
        statement="The baseline's cosine similarities are distributed differently within and "
        "across experiments.",
        metric="KS statistic between within and across, baseline",
        kind="increase",
        effects=_ks("baseline"),
        margin=KS,
        unit="(KS)",
    ),
    Finding(
        id="adabn_similarities_alike",
        topic=SIMILARITY,
        where="section 5.4, figure 7",
        statement="AdaBN's cosine similarities are distributed almost alike.",
        metric="KS statistic between within and across, AdaBN",
        kind="unchanged",
        effects=_ks("adabn"),
        margin=KS,
        unit="(KS)",
    ),
    Finding(
        id="baseline_contrast_lost",
        topic=SIMILARITY,
        where="section 5.4, figure 7",
        statement="The baseline tells same from different siRNAs less well across experiments.",
        metric="KS statistic between same and different, within minus across, baseline",
        kind="increase",
        effects=(
            difference(("figure7", "baseline", "ks_within"), ("figure7", "baseline", "ks_across")),
        ),
        margin=KS,
        unit="(KS)",
    ),
    Finding(
        id="adabn_contrast_kept",
        topic=SIMILARITY,
        where="section 5.4, figure 7",
        statement="AdaBN tells same from different siRNAs as well across experiments as within.",
        metric="KS statistic between same and different, within minus across, AdaBN",
        kind="unchanged",
        effects=(difference(("figure7", "adabn", "ks_within"), ("figure7", "adabn", "ks_across")),),
        margin=KS,
        unit="(KS)",
    ),
)

_TRAINING = (
    Finding(
        id="adabn_converges_faster",
        topic=TRAINING,
        where="section 5.8, figure 10",
        statement="AdaBN converges faster.",
        metric="epochs to 90 % of the last accuracy, AdaBN minus baseline, in percent of the "
        "baseline's",
        kind="decrease",
        effects=(
            Effect(
                label="",
                places=(
                    ("figure10", "adabn", "epochs_to_90_percent"),
                    ("figure10", "baseline", "epochs_to_90_percent"),
                ),
                of=lambda a, b: 100 * (a - b) / b,
            ),
        ),
        margin=10.0,
        unit="% of the epochs",
    ),
    Finding(
        id="adabn_varies_less",
        topic=TRAINING,
        where="section 5.8, figure 10",
        statement="AdaBN's runs differ less from one another.",
        metric="standard deviation of separated accuracy between runs, AdaBN minus baseline",
        kind="decrease",
        effects=(),
        margin=0.1,
        printed=(
            difference(
                ("table1", "adabn", f"accuracy_separated{SD}"),
                ("table1", "baseline", f"accuracy_separated{SD}"),
            ),
        ),
        untestable="replicates differ in the screen as well as in the training; it takes several "
        "trainings on one screen",
    ),
)

OF_EMBEDDINGS: tuple[Finding, ...] = (*_SPACE, *_SIMILARITY, *_TRAINING)
