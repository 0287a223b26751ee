"""What the paper finds about the methods' accuracy and batch classification: table 1."""

from __future__ import annotations

from rxrx_lib.study.effects import Effect, above_chance, difference
from rxrx_lib.study.finding import Finding
from rxrx_lib.study.ledger import Place
from rxrx_lib.study.paper import METHODS

TASK = "The task"
UNSEEN = "Accuracy on unseen experiments"
EXPERIMENT = "What embeddings tell of the experiment"

REVERSAL, BOTH = "gradient_reversal", "adabn_gradient_reversal"
PICTURES = "it is a person's judgement of RxRx1's pictures, and the simulator's are drawn"
TIMES = "how many times chance an accuracy is depends on the number of experiments"


def _table1(method: str, column: str) -> Place:
    return ("table1", method, column)


def _against(column: str, method: str, other: str = "baseline") -> Effect:
    """Return a method's number minus another's."""
    return difference(_table1(method, column), _table1(other, column), METHODS[method])


def _generalization(method: str, other: str | None = None) -> Effect:
    """Return a method's generalization minus another's, or minus 100 %."""
    columns = ("accuracy_separated", "accuracy_stratified")
    places = [_table1(method, column) for column in columns]
    if other is None:
        return Effect(label="", places=tuple(places), of=lambda a, b: 100 * a / b - 100)
    places += [_table1(other, column) for column in columns]
    return Effect(label="", places=tuple(places), of=lambda a, b, c, d: 100 * a / b - 100 * c / d)


def _times_chance(method: str, times: float) -> Effect:
    places = above_chance(_table1(method, "batch_classification")).places
    return Effect(label="", places=places, of=lambda a, chance: a / chance - times)


_TASK = (
    Finding(
        id="visible_batch_effects",
        topic=TASK,
        where="abstract, figure 1c",
        statement="Batch effects can be seen in the pictures by eye.",
        metric="none",
        kind="increase",
        effects=(),
        untestable=PICTURES,
    ),
    Finding(
        id="subtle_phenotypes",
        topic=TASK,
        where="section 2, figures 3 and 4",
        statement="Most siRNAs change the cells too little to be told apart by eye.",
        metric="none",
        kind="increase",
        effects=(),
        untestable=PICTURES,
    ),
    Finding(
        id="seen_above_unseen",
        topic=TASK,
        where="section 3.1, table 1",
        statement="Every method is more accurate on experiments that it has trained on.",
        metric="accuracy stratified by site minus separated, for each method",
        kind="increase",
        effects=tuple(
            difference(
                _table1(method, "accuracy_stratified"),
                _table1(method, "accuracy_separated"),
                label,
            )
            for method, label in METHODS.items()
        ),
    ),
)

_UNSEEN = (
    Finding(
        id="baseline_loses",
        topic=UNSEEN,
        where="section 5.1, table 1",
        statement="The baseline generalizes poorly to unseen experiments.",
        metric="baseline's generalization minus 100 %",
        kind="decrease",
        effects=(_generalization("baseline"),),
    ),
    Finding(
        id="adabn_raises_separated",
        topic=UNSEEN,
        where="section 5.1, table 1",
        statement="AdaBN raises accuracy on unseen experiments.",
        metric="separated accuracy, AdaBN minus baseline",
        kind="increase",
        effects=(_against("accuracy_separated", "adabn"),),
    ),
    Finding(
        id="adabn_keeps_stratified",
        topic=UNSEEN,
        where="table 1",
        statement="AdaBN does not cost accuracy on seen experiments.",
        metric="accuracy stratified by site, AdaBN minus baseline",
        kind="no_decrease",
        effects=(_against("accuracy_stratified", "adabn"),),
    ),
    Finding(
        id="methods_alike_on_seen",
        topic=UNSEEN,
        where="caption of table 1",
        statement="On seen experiments all methods are about as accurate.",
        metric="accuracy stratified by site, each method minus baseline",
        kind="unchanged",
        effects=tuple(
            _against("accuracy_stratified", method) for method in METHODS if method != "baseline"
        ),
    ),
    Finding(
        id="adabn_raises_generalization",
        topic=UNSEEN,
        where="section 5.1, table 1",
        statement="AdaBN raises generalization.",
        metric="generalization (by site), AdaBN minus baseline",
        kind="increase",
        effects=(_generalization("adabn", "baseline"),),
    ),
    Finding(
        id="reversal_no_generalization",
        topic=UNSEEN,
        where="section 5.1, table 1",
        statement="Gradient reversal does not raise generalization.",
        metric="generalization (by site), gradient reversal minus baseline",
        kind="no_increase",
        effects=(_generalization(REVERSAL, "baseline"),),
    ),
    Finding(
        id="both_keep_generalization",
        topic=UNSEEN,
        where="section 5.1, table 1",
        statement="AdaBN with gradient reversal generalizes as well as AdaBN alone.",
        metric="generalization (by site), both minus AdaBN",
        kind="no_decrease",
        effects=(_generalization(BOTH, "adabn"),),
    ),
    Finding(
        id="adabn_by_own_statistics",
        topic=UNSEEN,
        where="sections 5.2 and 6",
        statement="AdaBN owes its gain to the statistics of the experiment at hand.",
        metric="separated accuracy of AdaBN's weights, normalised by the experiment minus by "
        "training statistics",
        kind="increase",
        effects=(
            difference(
                ("test_time_statistics", "adabn by experiment", "all_sites"),
                ("test_time_statistics", "adabn by training", "all_sites"),
            ),
        ),
    ),
)

_EXPERIMENT = (
    Finding(
        id="baseline_tells_experiment",
        topic=EXPERIMENT,
        where="section 5.1, table 1",
        statement="The baseline's embedding tells the experiment.",
        metric="batch classification accuracy of the head trained along, baseline minus chance",
        kind="increase",
        effects=(above_chance(_table1("baseline", "batch_classification")),),
    ),
    Finding(
        id="baseline_thirty_times",
        topic=EXPERIMENT,
        where="section 5.1",
        statement="The baseline names the experiment about 30 times as often as chance.",
        metric="batch classification accuracy over chance, minus 30",
        kind="unchanged",
        effects=(_times_chance("baseline", 30),),
        margin=1.0,
        unit="× chance",
        untestable=TIMES,
    ),
    Finding(
        id="reversal_to_chance",
        topic=EXPERIMENT,
        where="section 5.1, table 1",
        statement="Gradient reversal brings batch classification to chance.",
        metric="batch classification accuracy of the head trained along, minus chance",
        kind="to_chance",
        effects=(above_chance(_table1(REVERSAL, "batch_classification")),),
    ),
    Finding(
        id="adabn_lowers_batch_classification",
        topic=EXPERIMENT,
        where="section 5.1, table 1",
        statement="AdaBN lowers batch classification accuracy.",
        metric="batch classification accuracy of the head trained along, AdaBN minus baseline",
        kind="decrease",
        effects=(_against("batch_classification", "adabn"),),
    ),
    Finding(
        id="adabn_not_to_chance",
        topic=EXPERIMENT,
        where="section 5.1, table 1",
        statement="AdaBN does not bring batch classification to chance.",
        metric="batch classification accuracy of the head trained along, AdaBN minus chance",
        kind="increase",
        effects=(above_chance(_table1("adabn", "batch_classification")),),
    ),
    Finding(
        id="adabn_eight_times",
        topic=EXPERIMENT,
        where="section 5.1",
        statement="AdaBN leaves batch classification at about 8 times chance.",
        metric="batch classification accuracy over chance, minus 8",
        kind="unchanged",
        effects=(_times_chance("adabn", 8),),
        margin=1.0,
        unit="× chance",
        untestable=TIMES,
    ),
    Finding(
        id="both_near_chance",
        topic=EXPERIMENT,
        where="section 5.1, table 1",
        statement="AdaBN with gradient reversal brings batch classification near chance.",
        metric="batch classification accuracy of the head trained along, both minus chance",
        kind="to_chance",
        effects=(above_chance(_table1(BOTH, "batch_classification")),),
    ),
    Finding(
        id="both_methods_remove",
        topic=EXPERIMENT,
        where="section 6",
        statement="AdaBN and gradient reversal both remove information on the experiment.",
        metric="what a fresh linear probe reads, each minus baseline",
        kind="decrease",
        effects=tuple(_against("batch_probe_linear", method) for method in ("adabn", REVERSAL)),
    ),
)

OF_ACCURACY: tuple[Finding, ...] = (*_TASK, *_UNSEEN, *_EXPERIMENT)
