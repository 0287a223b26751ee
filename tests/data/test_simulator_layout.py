from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxrx_lib.data import metadata
from rxrx_lib.data.simulator import ScreenSpec, TechnicalEffects, layout

FULL_SIZE = ScreenSpec(
    experiments=(("U2OS", 1, 0),), treatments_per_plate=277, positive_controls=30
)


def specs() -> st.SearchStrategy[ScreenSpec]:
    counts = st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(any)
    experiments = st.lists(
        st.tuples(st.sampled_from(metadata.CELL_TYPES), counts),
        min_size=1,
        max_size=3,
        unique_by=lambda entry: entry[0],
    ).map(lambda entries: tuple((name, *train_test) for name, train_test in entries))
    return st.builds(
        ScreenSpec,
        seed=st.integers(0, 2**40),
        experiments=experiments,
        treatments_per_plate=st.integers(1, 9),
        positive_controls=st.integers(0, 30),
        sites=st.integers(1, 2),
        wells_set=st.integers(0, 3),
    )


@settings(max_examples=25, deadline=None)
@given(specs())
def test_tables_have_no_fault_and_one_row_a_site(spec: ScreenSpec) -> None:
    table = layout(spec)
    assert metadata.faults(table) == []
    wells = 4 * (spec.treatments_per_plate + spec.positive_controls + 1)
    experiments = sum(train + test for _, train, test in spec.experiments)
    assert len(table) == experiments * wells * spec.sites
    assert table["site_id"].is_unique
    assert set(table["sirna_id"]) == set(range(spec.classes))


@settings(max_examples=25, deadline=None)
@given(specs())
def test_each_group_of_treatments_keeps_to_one_plate_in_cyclic_order(spec: ScreenSpec) -> None:
    table = layout(spec)
    treatments = table[table["well_type"] == "treatment"]
    group = treatments["sirna_id"] // spec.treatments_per_plate
    shift = (group - treatments["plate"]) % 4
    assert (shift.groupby(treatments["experiment"]).nunique() == 1).all()
    wells = treatments.groupby(["experiment", "sirna_id"])["well_id"].nunique()
    assert (wells == 1).all()


@settings(max_examples=25, deadline=None)
@given(specs())
def test_controls_stand_where_the_release_puts_them(spec: ScreenSpec) -> None:
    table = layout(spec)
    plates = table.groupby(["experiment", "plate"])
    empty = table[table["sirna"] == "EMPTY"]
    assert set(empty["well"]) == {"B02"}
    assert len(empty) == plates.ngroups * spec.sites
    positive = table[table["well_type"] == "positive_control"]
    assert set(positive["well"].str[0]) <= set("CFHJM")
    assert set(positive["well"].str[1:]) <= {"03", "07", "11", "15", "19", "22"}
    assert len(positive) == plates.ngroups * spec.positive_controls * spec.sites
    treated = set(table.loc[table["well_type"] == "treatment", "well"])
    fixed = {f"{row}{column}" for row in "CFHJM" for column in ("03", "07", "11", "15", "19", "22")}
    assert not treated & (fixed | {"B02"})


@settings(max_examples=25, deadline=None)
@given(specs())
def test_training_experiments_are_numbered_first(spec: ScreenSpec) -> None:
    experiments = layout(spec).drop_duplicates("experiment")
    for cell_type, train, test in spec.experiments:
        chosen = experiments[experiments["cell_type"] == cell_type]
        numbers = range(1, train + test + 1)
        assert list(chosen["experiment"]) == [f"SIM-{cell_type}-{n:02d}" for n in numbers]
        assert list(chosen["dataset"]) == ["train"] * train + ["test"] * test


def test_default_screen_has_the_documented_size() -> None:
    table = layout(ScreenSpec())
    assert len(table) == 51 * 4 * 6 * 2
    assert table["sirna_id"].nunique() == 18
    assert table["experiment"].nunique() == 51


def test_full_size_fills_all_308_wells_of_every_plate() -> None:
    table = layout(FULL_SIZE)
    assert FULL_SIZE.classes == 1139
    assert (table.groupby("plate")["well"].nunique() == 308).all()


def test_another_set_of_wells_moves_the_treatments_but_not_their_plates() -> None:
    first, second = layout(ScreenSpec()), layout(ScreenSpec(wells_set=1))
    key = ["experiment", "plate", "sirna_id", "site"]
    both = first.merge(second, on=key)
    plates = first.groupby(["experiment", "sirna_id"])["plate"].agg(list)
    assert plates.equals(second.groupby(["experiment", "sirna_id"])["plate"].agg(list))
    treated = both[both["well_type_x"] == "treatment"]
    assert (treated["well_x"] != treated["well_y"]).mean() > 0.9


def test_layouts_differ_between_experiments_and_plates() -> None:
    table = layout(ScreenSpec(positive_controls=5))
    wells = table.groupby(["experiment", "plate"])["well"].agg(tuple)
    assert wells.nunique() == len(wells)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("seed", True),
        ("image_size", 15),
        ("image_size", 64.0),
        ("pixel_size", 0.0),
        ("pixel_size", float("nan")),
        ("experiments", ()),
        ("experiments", (("HELA", 1, 1),)),
        ("experiments", (("RPE", 0, 0),)),
        ("experiments", (("RPE", 1, 0), ("RPE", 0, 1))),
        ("experiments", [("RPE", 1, 0)]),
        ("treatments_per_plate", 278),
        ("treatments_per_plate", -1),
        ("positive_controls", 31),
        ("sites", 3),
        ("wells_set", -1),
        ("technical", -0.1),
        ("technical", float("inf")),
        ("phenotype", "1"),
        ("effects", 1.0),
    ],
)
def test_bad_specs_are_refused_by_the_name_of_the_field(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"{field} is .*expected"):
        ScreenSpec(**{field: value})  # type: ignore[arg-type]


def test_bad_effects_are_refused_by_the_name_of_the_field() -> None:
    with pytest.raises(ValueError, match=r"effects\.blur is -1; expected"):
        TechnicalEffects(blur=-1)


def test_technical_effects_say_in_words_which_are_on() -> None:
    names = [each.name for each in dataclasses.fields(TechnicalEffects)]
    none = TechnicalEffects(**dict.fromkeys(names, 0.0))
    assert str(TechnicalEffects()) == "all"
    assert str(none) == "none"
    for name in names:
        assert str(dataclasses.replace(none, **{name: 1.0})) == name
    assert str(dataclasses.replace(TechnicalEffects(), blur=0.0, noise=2.0)) == "blur 0, noise 2"
    twice = dataclasses.replace(none, blur=2.0)
    assert "blur 2" in str(twice)
    assert "gamma 0" in str(twice)
