"""Predictions reduced to answers: the same answers again, in little room."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxrx_lib.evaluation.answers import answered
from rxrx_lib.study.reduction import PLAIN, packed_answers, packed_sites, restored, unpacked_sites
from rxrx_lib.study.spec import SplitSpec
from tests.study.stored import made_up_predictions
from tests.study.tiny import BY_SITE, BY_WELL, SEPARATED, run_spec


def rows(predictions: dict[str, Any], chosen: np.ndarray) -> dict[str, Any]:
    return {name: each[chosen] if each.ndim else each for name, each in predictions.items()}


@settings(max_examples=40, deadline=None)
@given(
    split=st.sampled_from([SEPARATED, BY_SITE, BY_WELL]),
    seed=st.integers(0, 1000),
    accuracy=st.floats(0, 1),
    classes=st.integers(2, 9),
)
def test_answers_come_back_and_so_do_the_metrics_that_rest_on_them(
    split: SplitSpec, seed: int, accuracy: float, classes: int
) -> None:
    spec = run_spec(split=split)
    whole = made_up_predictions(spec, seed=seed, accuracy=accuracy, classes=classes)
    sites = packed_sites([whole])
    for kept in (whole, rows(whole, whole["side"] == "test")):
        found = restored(sites, packed_answers(kept, sites))
        for name in PLAIN:
            assert found[name].tolist() == kept[name].tolist(), name
        assert found["top_sirna_id"].tolist() == kept["top_sirna_id"][:, :1].tolist()
        before, after = answered(kept), answered(found)
        assert after == {name: before[name] for name in after}
        assert before.keys() - after.keys() <= {"accuracy_top5"}


def test_rows_in_another_order_are_the_same_sites_with_the_same_answers() -> None:
    whole = made_up_predictions(run_spec())
    mixed = rows(whole, np.random.default_rng(0).permutation(whole["site_id"].size))
    sites = packed_sites([mixed])
    found = restored(sites, packed_answers(mixed, sites))
    assert found["site_id"].tolist() == whole["site_id"].tolist()
    assert found["top_sirna_id"][:, 0].tolist() == whole["top_sirna_id"][:, 0].tolist()


def test_neither_logits_nor_embeddings_are_kept() -> None:
    whole = made_up_predictions(run_spec())
    sites = packed_sites([whole])
    assert not {"embedding", "top_logit"} & restored(sites, packed_answers(whole, sites)).keys()


def test_reducing_what_was_reduced_changes_nothing() -> None:
    whole = made_up_predictions(run_spec(split=BY_SITE))
    sites = packed_sites([whole])
    answers = packed_answers(whole, sites)
    again = restored(sites, answers)
    for one, other in ((packed_sites([again]), sites), (packed_answers(again, sites), answers)):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_ways_of_predicting_share_the_sites_that_any_of_them_has() -> None:
    whole = made_up_predictions(run_spec())
    parts = [rows(whole, whole["side"] == side) for side in ("test", "train")]
    assert unpacked_sites(packed_sites(parts))["site_id"].tolist() == whole["site_id"].tolist()


def test_ways_that_contradict_each_other_on_a_site_are_refused() -> None:
    one = made_up_predictions(run_spec())
    other = one | {"sirna_id": (one["sirna_id"] + 1) % 6}
    with pytest.raises(ValueError, match="sirna_id of one site differs between two predictions"):
        packed_sites([one, other])


def test_sites_that_are_not_named_as_in_the_release_are_refused() -> None:
    whole = made_up_predictions(run_spec())
    with pytest.raises(ValueError, match="site_id is not experiment_plate_well_site"):
        packed_sites([whole | {"site_id": np.char.add("x", whole["site_id"])}])


def size(arrays: dict[str, Any]) -> int:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return len(content.getvalue())


RELEASE_SITES, RELEASE_CLASSES = 125_510, 1139


def release_sized(*, accuracy: float, stratified: bool) -> dict[str, Any]:
    """Return answers on as many sites as the release has, in its layout: 308 wells a plate."""
    draw = np.random.default_rng(0)
    counts = {"HEPG2": (11, 7), "HUVEC": (24, 16), "RPE": (11, 7), "U2OS": (5, 3)}
    names = [f"{kind}-{i + 1:02d}" for kind, (n, _) in counts.items() for i in range(n)]
    trains = [i < k for n, k in counts.values() for i in range(n)]
    wells = [f"{row}{column:02d}" for row in "BCDEFGHIJKLMNO" for column in range(2, 24)]
    shape = (len(names), 4, len(wells), 2)
    experiment, plate, well, site = (each.ravel() for each in np.indices(shape))
    controls = np.arange(1108, RELEASE_CLASSES)
    sirna = np.array(
        [
            draw.permutation(np.concatenate([part, controls]))
            for _ in names
            for part in np.split(draw.permutation(1108), 4)
        ]
    )
    sirna = np.repeat(sirna.ravel(), 2)
    kept = np.sort(draw.permutation(sirna.size)[:RELEASE_SITES])
    experiment, plate, well, site, sirna = (
        column[kept] for column in (experiment, plate, well, site, sirna)
    )
    well_id = [
        f"{names[e]}_{p + 1}_{wells[w]}" for e, p, w in zip(experiment, plate, well, strict=True)
    ]
    test = draw.random(kept.size) < 0.35 if stratified else ~np.array(trains)[experiment]
    right = draw.random(kept.size) < accuracy
    answer = np.where(right, sirna, draw.integers(0, RELEASE_CLASSES, kept.size))
    return {
        "split": np.asarray("stratified" if stratified else "separated"),
        "unit": np.asarray("site" if stratified else "experiment"),
        "classes": np.asarray(RELEASE_CLASSES),
        "experiments": np.asarray(len(names)),
        "whole_wells": np.asarray(not stratified),
        "site_id": np.array([f"{name}_{s + 1}" for name, s in zip(well_id, site, strict=True)]),
        "well_id": np.array(well_id),
        "plate": plate + 1,
        "experiment": np.array(names)[experiment],
        "cell_type": np.array([name.partition("-")[0] for name in names])[experiment],
        "well_type": np.where(sirna < 1108, "treatment", "positive_control"),
        "sirna_id": sirna,
        "side": np.where(test, "test", "train"),
        "predicted_experiment": np.array(names)[draw.integers(0, len(names), kept.size)],
        "top_sirna_id": answer.astype(np.int16)[:, None],
    }


@pytest.mark.parametrize(
    ("accuracy", "stratified", "most"), [(0.0, True, 480_000), (0.75, False, 250_000)]
)
def test_a_run_of_the_releases_size_takes_less_than_half_a_megabyte(
    accuracy: float, stratified: bool, most: int
) -> None:
    predictions = release_sized(accuracy=accuracy, stratified=stratified)
    assert predictions["site_id"].size == RELEASE_SITES
    sites = packed_sites([predictions])
    answers = packed_answers(predictions, sites)
    assert size(sites) + size(answers) < most
    found = restored(sites, answers)
    assert (found["top_sirna_id"] == predictions["top_sirna_id"]).all()
