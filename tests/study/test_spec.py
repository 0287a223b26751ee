"""Equal settings have one identity, other settings another, and old identities stay."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from rxrx_lib.data.simulator import ScreenSpec, TechnicalEffects
from rxrx_lib.models.architectures import PARTS
from rxrx_lib.study.execute import Runtime
from rxrx_lib.study.identity import canonical, identity
from rxrx_lib.study.profiles import COMPONENTS
from rxrx_lib.study.spec import (
    DataSpec,
    NetworkSpec,
    PredictSpec,
    RunSpec,
    SplitSpec,
)
from rxrx_lib.training.recipe import Recipe
from tests.study.tiny import BY_SITE, RELEASE, SEPARATED, run_spec

SIMULATED = RunSpec(
    data=DataSpec(name="simulated", screen=ScreenSpec(seed=10), simulator_version=1),
    split=BY_SITE,
    method="adabn",
)

# Stores on other people's disks are found by these. They change if a field is added without
# `metadata={"absent": …}`, or if a default changes: do either only on purpose, and if the same
# fields come to give other weights, count RunSpec.version up.
GOLDEN = {
    "release, all defaults": (
        RunSpec(data=RELEASE, split=SEPARATED, method="baseline"),
        "222512251334a99f",
    ),
    "small network, shuffled labels": (
        run_spec("gradient_reversal", seed=3, labels="shuffled", learning_rate=1),
        "5de19159cdac75ee",
    ),
    "simulated": (SIMULATED, "b29b3b3cfe353e8d"),
    "all channels by name": (
        dataclasses.replace(SIMULATED, channels=(1, 2, 3, 4, 5, 6)),
        "b29b3b3cfe353e8d",
    ),
}
CANONICAL_RELEASE = (
    '{"data":{"name":"rxrx1","screen":null,"simulator_version":0},"labels":"true",'
    '"method":"baseline","network":{"backbone":"densenet161","embedding":1024},'
    '"recipe":{"epochs":100,"experiment_loss_weight":1.0,"flips":true,"group_size":64,"groups":8,'
    '"learning_rate":0.1024,"mixing":"cutmix","mixing_alpha":1.0,"momentum":0.9,'
    '"precision":"fp32","reversal_coefficient":1.0,"reversal_schedule":"ganin",'
    '"warmup_epochs":5,"weight_decay":0.0001},"seed":0,'
    '"split":{"name":"separated","seed":0,"unit":"experiment"},"version":1}'
)


@dataclass(frozen=True, kw_only=True)
class Toy:
    number: float = 1.0
    count: int = 1
    flag: bool = True
    word: str = "a"


@dataclass(frozen=True, kw_only=True)
class GrownToy(Toy):
    added: int = field(default=7, metadata={"absent": 7})


@dataclass(frozen=True, kw_only=True)
class ChangedToy(Toy):
    added: int = field(default=8, metadata={"absent": 7})


def leaves(settings: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for each in dataclasses.fields(settings):
        value = getattr(settings, each.name)
        yield (*path, each.name)
        if dataclasses.is_dataclass(value):
            yield from leaves(value, (*path, each.name))


def altered(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, tuple):
        return (*value[:-1], altered(value[-1]))
    if dataclasses.is_dataclass(value):
        first = dataclasses.fields(value)[0].name
        return with_altered(value, (first,))
    raise AssertionError(value)


def with_altered(settings: Any, path: tuple[str, ...]) -> Any:
    """Return a copy with one field changed, past all checks."""
    other = copy.deepcopy(settings)
    place = other
    for name in path[:-1]:
        place = getattr(place, name)
    object.__setattr__(place, path[-1], altered(getattr(place, path[-1])))
    return other


@pytest.mark.parametrize("path", list(leaves(SIMULATED)), ids=".".join)
def test_every_field_however_deep_changes_the_identity(path: tuple[str, ...]) -> None:
    assert with_altered(SIMULATED, path).id != SIMULATED.id


@pytest.mark.parametrize("name", GOLDEN)
def test_identities_that_stores_are_built_on_stay(name: str) -> None:
    spec, golden = GOLDEN[name]
    assert spec.id == golden


def test_identity_is_the_hash_of_sorted_json_of_all_fields() -> None:
    assert (
        hashlib.sha256(CANONICAL_RELEASE.encode()).hexdigest()[:16]
        == GOLDEN["release, all defaults"][0].id
    )


def test_equal_numbers_have_one_identity() -> None:
    assert run_spec(learning_rate=1).id == run_spec(learning_rate=1.0).id
    assert identity(Toy(number=-0.0)) == identity(Toy(number=0.0)) == identity(Toy(number=0))


def test_an_identity_survives_a_trip_through_json() -> None:
    stored = json.loads(json.dumps(canonical(SIMULATED)))
    assert stored == canonical(SIMULATED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", True),
        ("count", 1.0),
        ("count", "1"),
        ("flag", 1),
        ("number", True),
        ("number", "1"),
        ("number", None),
        ("word", b"a"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"^{name} is {value!r}; give a value of type"):
        identity(Toy(**{name: value}))


def test_a_run_whose_seed_is_a_bool_is_refused() -> None:
    with pytest.raises(TypeError, match="seed is True"):
        _ = run_spec(seed=True).id


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_by_name(number: float) -> None:
    with pytest.raises(ValueError, match=f"number is {number}; give a finite number"):
        identity(Toy(number=number))
    with pytest.raises(ValueError, match="learning_rate is inf"):
        _ = run_spec(learning_rate=math.inf).id


def test_a_field_that_was_added_later_keeps_old_identities_at_its_old_value_only() -> None:
    assert identity(GrownToy()) == identity(Toy())
    assert identity(GrownToy(added=8)) != identity(Toy())
    assert identity(ChangedToy()) == identity(GrownToy(added=8))


def values(settings: Any) -> Iterator[Any]:
    for each in dataclasses.fields(settings):
        value = getattr(settings, each.name)
        if dataclasses.is_dataclass(value):
            yield from values(value)
        else:
            yield value


def test_nothing_of_the_runtime_is_part_of_a_run() -> None:
    runtime = {each.name for each in dataclasses.fields(Runtime)} - {"data"}
    run = {name for path in leaves(SIMULATED) for name in path}
    assert not runtime & run
    assert isinstance(SIMULATED.data, DataSpec)  # and not the Runtime's folder of screens
    plain = (str, int, float, tuple)
    assert [value for value in values(SIMULATED) if not isinstance(value, plain)] == []


def test_ways_of_predicting_have_identities_of_their_own() -> None:
    ways = [
        PredictSpec(statistics=statistics, embeddings=embeddings)
        for statistics in ("training", "experiment", "experiment_exact")
        for embeddings in (True, False)
    ]
    ways += [PredictSpec(statistics="training", masked=masked) for masked in ((1,), (2,), (1, 2))]
    ways += [PredictSpec(statistics="experiment", adapts=part) for part in PARTS]
    assert len({identity(way) for way in ways}) == 12


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DataSpec(name="wilds"), "name is 'wilds'; choose one of simulated, rxrx1"),
        (lambda: DataSpec(name="simulated"), "screen is None for name 'simulated'"),
        (lambda: DataSpec(name="rxrx1", screen=ScreenSpec()), "screen is ScreenSpec"),
        (
            lambda: SplitSpec(name="random"),
            "name is 'random'; choose one of separated, stratified, .*, few_experiments",
        ),
        (
            lambda: SplitSpec(name="wilds_official"),
            "unit is 'experiment' in a wilds_official split; choose site",
        ),
        (
            lambda: SplitSpec(name="few_experiments", n=3),
            "cell_type is '' in a few_experiments split; give a cell type of the screen",
        ),
        (
            lambda: SplitSpec(name="few_experiments", cell_type="RPE"),
            "n is 0 in a few_experiments split; give a whole number >= 1",
        ),
        (
            lambda: SplitSpec(name="few_experiments", cell_type="RPE", n=-1),
            "n is -1 in a few_experiments split",
        ),
        (
            lambda: SplitSpec(name="separated", cell_type="RPE"),
            "cell_type is 'RPE' in a separated split; only few_experiments takes one",
        ),
        (
            lambda: SplitSpec(name="stratified", unit="site", n=2),
            "n is 2 in a stratified split; only few_experiments takes one",
        ),
        (lambda: SplitSpec(name="stratified"), "unit is 'experiment' in a stratified split"),
        (lambda: SplitSpec(name="separated", unit="well"), "unit is 'well' in a separated split"),
        (lambda: run_spec("combat"), "method is 'combat'; choose one of baseline"),
        (lambda: run_spec(labels="none"), "labels is 'none'; choose one of true, shuffled"),
        (
            lambda: run_spec(normalization="plate"),
            "normalization is 'plate'; choose one of training_all, .*, self",
        ),
        *(
            (
                lambda channels=channels: dataclasses.replace(SIMULATED, channels=channels),
                r"channels is .*; give one or more of 1, 2, 3, 4, 5, 6 as a tuple, each once",
            )
            for channels in ((), (0, 1), (1, 7), (2, 1), (1, 1), [1, 2])
        ),
        (
            lambda: PredictSpec(statistics="training", masked=(6, 5)),
            r"masked is \(6, 5\); give some or none of 1, 2, 3, 4, 5, 6 as a tuple",
        ),
        (
            lambda: PredictSpec(statistics="experiment", adapts="head"),
            "adapts is 'head'; choose one of as_trained, all, neck, trunk",
        ),
        (
            lambda: PredictSpec(statistics="training", adapts="neck"),
            "adapts is 'neck' with statistics 'training', by which nothing adapts; give as_trained",
        ),
        (lambda: NetworkSpec(adapts="head"), "adapts is 'head'; choose one of all, neck, trunk"),
        (
            lambda: run_spec(network=NetworkSpec(adapts="neck")),
            "adapts is 'neck' for method 'baseline', whose groups are of no one experiment",
        ),
        (lambda: Recipe(epochs=0), "epochs is 0"),
        (
            lambda: NetworkSpec(backbone="vgg"),
            r"backbone is 'vgg'; choose one of densenet161, densenet121, .*, resnet_small_deep",
        ),
        (lambda: NetworkSpec(embedding=0), "embedding is 0; give a whole number >= 1"),
        (lambda: NetworkSpec(embedding="8"), "embedding is '8'; give a whole number >= 1"),
        (lambda: NetworkSpec(embedding=True), "embedding is True; give a whole number >= 1"),
        (lambda: NetworkSpec(head_layers=-1), "head_layers is -1; give a whole number >= 0"),
        (
            lambda: DataSpec(name="rxrx1", downsample=2),
            "downsample is 2 for name 'rxrx1'; expected 1",
        ),
        (
            lambda: DataSpec(name="rxrx1_controls", downsample=3),
            "downsample is 3 for name 'rxrx1_controls'; expected 1 or 2 or 4",
        ),
        (lambda: NetworkSpec(head_width=1.5), "head_width is 1.5; give a whole number >= 0"),
        (
            lambda: NetworkSpec(head_layers=0, head_width=8),
            "head_width is 8 with head_layers 0; a head without hidden layers has no width: give 0",
        ),
        (
            lambda: NetworkSpec(weights_sha256="A" * 64),
            f"weights_sha256 is '{'A' * 64}'; give the 64 hexadecimal digits that sha256sum",
        ),
        (lambda: NetworkSpec(weights_sha256="0" * 63), "weights_sha256 is '0*'; give the 64"),
        (lambda: NetworkSpec(weights_sha256=None), "weights_sha256 is None; give the 64"),
        (
            lambda: dataclasses.replace(
                SIMULATED, data=DataSpec(name="simulated", screen=ScreenSpec(image_size=31))
            ),
            "one feature of 32 × 32 pixels, and the pictures have 31 × 31; choose larger pictures",
        ),
    ],
)
def test_a_wrong_field_is_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_run_is_named_in_words_that_tell_it_from_the_others() -> None:
    assert str(SIMULATED) == "adabn · by site · screen 10 · seed 0"
    assert (
        str(run_spec(labels="shuffled"))
        == "baseline · separated · rxrx1 · seed 0 · shuffled labels"
    )
    assert (
        str(run_spec(normalization="plate_controls"))
        == "baseline · separated · rxrx1 · seed 0 · normalization plate_controls"
    )
    assert str(run_spec(mixing="mixup")) == "baseline · separated · rxrx1 · seed 0 · mixing mixup"
    assert str(dataclasses.replace(SIMULATED, channels=(1, 2, 6))) == (
        "adabn · by site · screen 10 · seed 0 · channels 1, 2, 6"
    )
    split = SplitSpec(name="wilds_mixed_to_test", unit="site")
    assert str(run_spec(split=split)) == "baseline · wilds_mixed_to_test · rxrx1 · seed 0"
    split = SplitSpec(name="few_experiments", cell_type="RPE", n=3)
    assert str(run_spec(split=split)) == "baseline · 3 of RPE · rxrx1 · seed 0"
    split = SplitSpec(name="held_out_training", seed=2)
    assert str(run_spec(split=split)) == (
        "baseline · held-out training experiments, draw 2 · rxrx1 · seed 0"
    )
    neck = NetworkSpec(adapts="neck")
    assert (
        str(run_spec("adabn", network=neck)) == "adabn · separated · rxrx1 · seed 0 · neck adapts"
    )
    unusual = run_spec(reversal_coefficient=0.3, weight_decay=1e-5, reversal_schedule="constant")
    assert str(unusual) == (
        "baseline · separated · rxrx1 · seed 0 · weight decay 1e-05 · reversal coefficient 0.3 · "
        "reversal schedule constant"
    )
    off = dataclasses.replace(
        SIMULATED, data=DataSpec(name="simulated", screen=ScreenSpec(technical=0.0))
    )
    assert str(off) == "adabn · by site · screen 0 · seed 0 · technical 0"
    effects = TechnicalEffects(**{name: float(name == "blur") for name in COMPONENTS})
    screen = ScreenSpec(technical=2.0, effects=effects)
    alone = dataclasses.replace(SIMULATED, data=DataSpec(name="simulated", screen=screen))
    assert str(alone) == "adabn · by site · screen 0 · seed 0 · technical 2 · effects blur"
    odd = NetworkSpec(
        backbone="resnet50", head_layers=2, head_width=8, weights_sha256="0123456789abcdef" * 4
    )
    assert str(run_spec(network=odd, normalization="plate_all")) == (
        "baseline · separated · rxrx1 · seed 0 · resnet50 · experiment head 2 hidden of 8 · "
        "weights 01234567 · normalization plate_all"
    )
    assert str(run_spec(network=NetworkSpec(head_layers=0))).endswith("experiment head 0 hidden")
    assert str(run_spec(network=NetworkSpec())) == str(run_spec())


def test_a_network_with_nothing_new_in_it_has_the_json_it_always_had() -> None:
    assert canonical(NetworkSpec()) == {"backbone": "densenet161", "embedding": 1024}
    assert len(canonical(NetworkSpec(head_layers=0, weights_sha256="0" * 64))) == 4
