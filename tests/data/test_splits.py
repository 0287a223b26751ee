"""The splits: what is on which side, and the margins that the stratified one promises."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxrx_lib.data import splits
from rxrx_lib.data.split_files import write_csv
from tests.data.screens import screen_table

# The release's numbers of experiments, and few enough classes to be quick.
RELEASE = {"HUVEC": (16, 24), "RPE": (7, 11), "HEPG2": (7, 11), "U2OS": (3, 5)}


def screen(counts: dict[str, tuple[int, int]], treatments: int, positives: int) -> pd.DataFrame:
    experiments = {
        f"{cell_type}-{number + 1:02d}": "train" if number < train else "test"
        for cell_type, (train, total) in counts.items()
        for number in range(total)
    }
    return screen_table(experiments, treatments=treatments, positives=positives)


def without_wells(table: pd.DataFrame, fraction: float, seed: int) -> pd.DataFrame:
    wells = table["well_id"].unique()
    kept = np.random.default_rng(seed).random(len(wells)) >= fraction
    return table[table["well_id"].isin(wells[kept])].reset_index(drop=True)


def marked(table: pd.DataFrame, split: splits.Split) -> pd.DataFrame:
    train = np.zeros(len(table), dtype=bool)
    train[split.train] = True
    return table.assign(train=train, control=table["well_type"] != "treatment")


def share(table: pd.DataFrame, cell_type: str) -> Fraction:
    sides = table[table["cell_type"] == cell_type].groupby("experiment")["dataset"].first()
    return Fraction(int((sides == "train").sum()), len(sides))


def surplus(units: pd.DataFrame, table: pd.DataFrame, by: str) -> pd.Series:
    """Training units less their share, for every value of `by` in every cell type."""
    counted = units.groupby(["cell_type", by])["train"].agg(["sum", "size"]).reset_index()
    shares = counted["cell_type"].map(lambda cell_type: float(share(table, cell_type)))
    return counted["sum"] - shares * counted["size"]


TABLE = screen(RELEASE, treatments=24, positives=2)


def test_separated_is_the_dataset_column() -> None:
    split = splits.separated(TABLE)
    assert (split.name, split.unit) == ("separated", "experiment")
    assert set(TABLE["dataset"].iloc[split.train]) == {"train"}
    assert set(TABLE["dataset"].iloc[split.test]) == {"test"}
    assert len(split.train) + len(split.test) == len(TABLE)


screens = st.builds(
    without_wells,
    st.builds(
        screen,
        st.dictionaries(
            st.sampled_from(["HUVEC", "U2OS"]),
            st.integers(2, 7).flatmap(
                lambda total: st.tuples(st.integers(0, total), st.just(total))
            ),
            min_size=1,
        ),
        treatments=st.integers(1, 9),
        positives=st.integers(0, 2),
    ),
    fraction=st.sampled_from([0.0, 0.05, 0.3]),
    seed=st.integers(0, 5),
).filter(len)


@settings(max_examples=25, deadline=None)
@given(table=screens, seed=st.integers(0, 99), unit=st.sampled_from(splits.UNITS))
def test_stratified_covers_all_and_keeps_together_what_belongs_together(
    table: pd.DataFrame, seed: int, unit: str
) -> None:
    split = splits.stratified(table, seed, unit)
    np.testing.assert_array_equal(
        np.sort(np.concatenate([split.train, split.test])), np.arange(len(table))
    )
    sides = marked(table, split)
    whole = sides if unit == "well" else sides[sides["control"]]
    assert (whole.groupby("well_id")["train"].nunique() <= 1).all()
    if unit == "site":
        assert sides.groupby(["sirna_id", "experiment"])["train"].any().all()
    wells = sides[sides["control"]].drop_duplicates("well_id")
    for (cell_type, *_), pair in wells.groupby(["cell_type", "sirna_id", "experiment"])["train"]:
        if len(pair) > 1 and 0 < share(table, cell_type) < 1:
            assert 0 < pair.sum() < len(pair)


@settings(max_examples=25, deadline=None)
@given(
    total=st.integers(2, 8),
    data=st.data(),
    treatments=st.integers(1, 9),
    seed=st.integers(0, 99),
    missing=st.sampled_from([0.0, 0.05, 0.3]),
)
def test_by_well_every_class_and_experiment_keeps_the_share_within_one_well(
    total: int, data: st.DataObject, treatments: int, seed: int, missing: float
) -> None:
    train = data.draw(st.integers(0, total))
    table = without_wells(screen({"RPE": (train, total)}, treatments, 0), missing, seed)
    table = table[table["well_type"] == "treatment"].reset_index(drop=True)
    if not table.empty:
        wells = marked(table, splits.stratified(table, seed, "well")).drop_duplicates("well_id")
        for by in ("sirna_id", "experiment"):
            assert surplus(wells, table, by).abs().max() < 1


@settings(max_examples=20, deadline=None)
@given(total=st.integers(2, 8), data=st.data(), treatments=st.integers(1, 9), seed=st.integers())
def test_by_site_every_class_and_experiment_keeps_the_share_within_one_site(
    total: int, data: st.DataObject, treatments: int, seed: int
) -> None:
    train = data.draw(st.integers((total + 1) // 2, total))
    table = screen({"RPE": (train, total)}, treatments, 0)
    table = table[table["well_type"] == "treatment"].reset_index(drop=True)
    sites = marked(table, splits.stratified(table, seed, "site"))
    for by in ("sirna_id", "experiment"):
        assert surplus(sites, table, by).abs().max() < 1


@pytest.mark.parametrize("unit", splits.UNITS)
def test_the_release_s_shares_hold_with_wells_missing(unit: str) -> None:
    table = without_wells(TABLE, 0.01, seed=1)
    sides = marked(table, splits.stratified(table, 0, unit))
    for control, part in sides.groupby("control"):
        units = part if unit == "site" and not control else part.drop_duplicates("well_id")
        for by in ("sirna_id", "experiment"):
            assert surplus(units, table, by).abs().max() < 1
    # Less than one treatment unit and one control well an experiment: in sites, 1 + 2 or 2 + 2.
    assert surplus(sides, table, "experiment").abs().max() < {"site": 3, "well": 4}[unit]


def test_by_site_tests_only_on_pairs_it_trained_on_and_by_well_on_none() -> None:
    for unit, seen in (("site", 1.0), ("well", 0.0)):
        sides = marked(TABLE, splits.stratified(TABLE, 0, unit))
        treatments = sides[~sides["control"]]
        trained = treatments.groupby(["sirna_id", "experiment"])["train"].transform("any")
        assert trained[~treatments["train"]].mean() == seen


def test_below_one_half_each_treatment_still_trains_one_site_a_well() -> None:
    table = screen({"HUVEC": (1, 4)}, treatments=4, positives=0)
    sides = marked(table, splits.stratified(table, 0, "site"))
    counts = sides[~sides["control"]].groupby("well_id")["train"].sum()
    assert (counts == 1).all()


@pytest.mark.parametrize("unit", splits.UNITS)
def test_the_split_depends_on_the_seed_and_not_on_the_order_of_rows(unit: str) -> None:
    def training_sites(table: pd.DataFrame, seed: int) -> set[str]:
        return set(table["site_id"].iloc[splits.stratified(table, seed, unit).train])

    permuted = TABLE.sample(frac=1, random_state=3)
    assert training_sites(permuted, 0) == training_sites(TABLE, 0)
    assert training_sites(TABLE, 1) != training_sites(TABLE, 0)


def test_one_cell_type_s_split_does_not_depend_on_the_others() -> None:
    alone = TABLE[TABLE["cell_type"] == "U2OS"]
    together = splits.stratified(TABLE)
    trained = set(TABLE["site_id"].iloc[together.train]) & set(alone["site_id"])
    assert set(alone["site_id"].iloc[splits.stratified(alone).train]) == trained


def test_both_sites_of_a_treatment_and_all_experiments_are_drawn_alike() -> None:
    """No pattern: over many classes each site and each pair of experiments is drawn evenly."""
    table = screen({"HUVEC": (16, 24)}, treatments=400, positives=0)
    sides = marked(table, splits.stratified(table))
    treatments = sides[~sides["control"]]
    assert treatments.groupby("site")["train"].mean().between(0.64, 0.70).all()
    whole = treatments.groupby(["sirna_id", "experiment"])["train"].all().unstack()
    correlation = np.corrcoef(whole.to_numpy(float).T) - np.eye(24)
    # Independent columns of 400 have a standard error of 0.05 around -1/23.
    assert np.abs(correlation).max() < 0.25


def test_stratified_refuses_rows_without_a_class_and_an_unknown_unit() -> None:
    with pytest.raises(ValueError, match="sirna_id is -1 in 2 of"):
        splits.stratified(TABLE.assign(sirna_id=TABLE["sirna_id"].where(TABLE.index > 1, -1)))
    with pytest.raises(ValueError, match="unit is 'plate'; expected one of site, well"):
        splits.stratified(TABLE, unit="plate")


def test_a_split_refuses_shared_unsorted_and_untyped_rows() -> None:
    rows = np.arange(3)
    with pytest.raises(ValueError, match="share the rows"):
        splits.Split(name="x", unit="site", train=rows, test=rows[2:])
    for wrong in (rows[::-1], rows.astype(float), np.array([1, 1])):
        with pytest.raises(ValueError, match="ascending"):
            splits.Split(name="x", unit="site", train=wrong, test=rows[:0])


WILDS_VAL = {"HUVEC-17", "RPE-08", "HEPG2-08", "U2OS-04"}


def experiments_of(table: pd.DataFrame, rows: np.ndarray | None) -> set[str]:
    assert rows is not None
    return set(table["experiment"].iloc[rows])


def sites_of(table: pd.DataFrame, rows: np.ndarray | None) -> set[int]:
    assert rows is not None
    return set(table["site"].iloc[rows])


def with_val(table: pd.DataFrame) -> pd.DataFrame:
    """Mark the four experiments as RxRx1-WILDS's own metadata.csv does."""
    return table.assign(dataset=table["dataset"].mask(table["experiment"].isin(WILDS_VAL), "val"))


@pytest.mark.parametrize("marked_val", [True, False])
def test_wilds_official_holds_out_val_and_test_experiments_and_the_second_sites(
    marked_val: bool,
) -> None:
    """Also of the release, which marks no val experiment: those of RxRx1-WILDS are the first."""
    table = with_val(TABLE) if marked_val else TABLE
    split = splits.wilds(table)
    assert (split.name, split.unit) == ("wilds_official", "site")
    training = set(TABLE["experiment"][TABLE["dataset"] == "train"])
    assert experiments_of(TABLE, split.train) == training
    assert experiments_of(TABLE, split.id_test) == training
    assert experiments_of(TABLE, split.val) == WILDS_VAL
    assert experiments_of(TABLE, split.test) == set(TABLE["experiment"]) - training - WILDS_VAL
    assert (sites_of(TABLE, split.train), sites_of(TABLE, split.id_test)) == ({1}, {2})
    assert sites_of(TABLE, split.val) == sites_of(TABLE, split.test) == {1, 2}
    assert sum(map(len, split.sides.values())) == len(TABLE)


def test_wilds_mixed_to_test_trains_on_the_test_experiments_in_place_of_the_first_of_training() -> (
    None
):
    split = splits.wilds(with_val(TABLE), "mixed-to-test")
    assert (split.name, split.id_test) == ("wilds_mixed_to_test", None)
    official = splits.wilds(TABLE)
    test = experiments_of(TABLE, official.test)
    assert experiments_of(TABLE, split.test) == test
    assert (sites_of(TABLE, split.train), sites_of(TABLE, split.test)) == ({1}, {2})
    np.testing.assert_array_equal(split.val, official.val)
    train = experiments_of(TABLE, split.train)
    assert len(train) == len(experiments_of(TABLE, official.train)) == 33
    # 7 HUVEC, 3 RPE, 3 HepG2 and 1 U2OS, as in RxRx1-WILDS.
    replaced = experiments_of(TABLE, official.train) - train
    numbers = {"HUVEC": 7, "RPE": 3, "HEPG2": 3, "U2OS": 1}
    assert replaced == {
        f"{name}-{n + 1:02d}" for name, count in numbers.items() for n in range(count)
    }
    assert train - replaced >= test


several = st.dictionaries(
    st.sampled_from(["HUVEC", "RPE", "U2OS"]),
    st.tuples(st.integers(1, 6), st.integers(2, 4)).map(lambda n: (n[0], n[0] + n[1])),
    min_size=1,
)


@settings(max_examples=25, deadline=None)
@given(
    counts=several,
    missing=st.sampled_from([0.0, 0.1]),
    seed=st.integers(0, 9),
    scheme=st.sampled_from(splits.WILDS_SCHEMES),
)
def test_wilds_tests_on_no_training_experiment_but_where_it_says_so(
    counts: dict[str, tuple[int, int]], missing: float, seed: int, scheme: str
) -> None:
    table = without_wells(screen(counts, 4, 1), missing, seed).sample(frac=1, random_state=seed)
    needed = any(total - train - 1 > train for train, total in counts.values())
    if scheme == "mixed-to-test" and needed:
        with pytest.raises(ValueError, match="training experiments; expected at least"):
            splits.wilds(table, scheme)
        return
    split = splits.wilds(table, scheme)
    assert len(experiments_of(table, split.val)) == len(counts)
    assert not experiments_of(table, split.val) & experiments_of(table, split.train)
    shared = experiments_of(table, split.test) & experiments_of(table, split.train)
    assert shared == (set() if scheme == "official" else experiments_of(table, split.test))
    assert len(experiments_of(table, split.train)) == sum(train for train, _ in counts.values())
    assert (table["dataset"].iloc[split.test] == "test").all()
    assert (table["site"].iloc[split.train] == 1).all()


def test_wilds_refuses_an_unknown_scheme_and_a_screen_without_a_test_experiment_to_spare() -> None:
    with pytest.raises(ValueError, match="scheme is 'mixed'; expected one of official, mixed-to"):
        splits.wilds(TABLE, "mixed")
    with pytest.raises(ValueError, match="dataset marks no test experiment that is not val"):
        splits.wilds(screen({"U2OS": (2, 3)}, 2, 0))


@settings(max_examples=25, deadline=None)
@given(data=st.data(), seed=st.integers(0, 99))
def test_few_experiments_trains_on_so_many_of_one_cell_type_and_tests_on_its_test_experiments(
    data: st.DataObject, seed: int
) -> None:
    cell_type = data.draw(st.sampled_from(sorted(RELEASE)))
    n = data.draw(st.integers(1, RELEASE[cell_type][0]))
    table = with_val(TABLE) if data.draw(st.booleans()) else TABLE
    split = splits.few_experiments(table, cell_type, n, seed)
    assert (split.name, split.unit) == ("few_experiments", "experiment")
    of_cell_type = TABLE[TABLE["cell_type"] == cell_type]
    of_side = of_cell_type.groupby("dataset")["experiment"].agg(set)
    train = experiments_of(TABLE, split.train)
    assert len(train) == n
    assert train <= of_side["train"]
    assert experiments_of(TABLE, split.test) == of_side["test"]
    rows = np.concatenate([split.train, split.test])
    whole = TABLE["experiment"].isin(train | of_side["test"])
    assert sorted(rows) == np.flatnonzero(whole).tolist()
    if n > 1:
        fewer = splits.few_experiments(table, cell_type, n - 1, seed)
        assert experiments_of(TABLE, fewer.train) < train


def test_few_experiments_depends_on_the_seed_and_not_on_the_order_of_rows() -> None:
    drawn = [splits.few_experiments(TABLE, "HUVEC", seed=seed) for seed in range(20)]
    assert len({frozenset(experiments_of(TABLE, split.train)) for split in drawn}) > 10
    permuted = TABLE.sample(frac=1, random_state=1)
    again = splits.few_experiments(permuted, "HUVEC", seed=7)
    assert experiments_of(permuted, again.train) == experiments_of(TABLE, drawn[7].train)


def test_few_experiments_refuses_an_unknown_cell_type_and_too_many() -> None:
    with pytest.raises(ValueError, match="cell_type is 'HELA'; expected one of the table's: HEPG2"):
        splits.few_experiments(TABLE, "HELA")
    for n in (0, 4):
        with pytest.raises(ValueError, match=rf"n is {n}; expected 1 to 3, the training exper"):
            splits.few_experiments(TABLE, "U2OS", n)


@settings(max_examples=25, deadline=None)
@given(
    counts=st.dictionaries(
        st.sampled_from(["HUVEC", "RPE", "U2OS"]),
        st.tuples(st.integers(0, 5), st.integers(0, 3)).map(lambda n: (n[0], n[0] + n[1])),
        min_size=1,
    ).filter(lambda counts: any(train > 1 for train, _ in counts.values())),
    missing=st.sampled_from([0.0, 0.1]),
    seed=st.integers(0, 9),
)
def test_held_out_training_parts_the_training_experiments_and_takes_no_site_of_the_test_experiments(
    counts: dict[str, tuple[int, int]], missing: float, seed: int
) -> None:
    table = without_wells(screen(counts, 4, 1), missing, seed).sample(frac=1, random_state=seed)
    split = splits.held_out_training(table, seed)
    assert (split.name, split.unit) == ("held_out_training", "experiment")
    both = np.sort(np.concatenate([split.train, split.test]))
    np.testing.assert_array_equal(both, np.flatnonzero(table["dataset"] == "train"))
    train, held_out = (experiments_of(table, rows) for rows in (split.train, split.test))
    assert not train & held_out
    of_cell_type = {name.split("-")[0]: name for name in held_out}
    assert len(of_cell_type) == len(held_out)  # one of each
    assert set(of_cell_type) == {name for name, (n, _) in counts.items() if n > 1}


def test_held_out_training_of_the_release_is_four_experiments_and_leaves_29() -> None:
    for table in (TABLE, with_val(TABLE)):
        split = splits.held_out_training(table)
        assert len(experiments_of(table, split.train)) == 29
        assert len(experiments_of(table, split.test)) == 4


def test_held_out_training_draws_any_training_experiment_and_each_cell_type_by_itself() -> None:
    drawn = [splits.held_out_training(TABLE, seed) for seed in range(60)]
    ever = set.union(*(experiments_of(TABLE, split.test) for split in drawn))
    assert ever == set(TABLE["experiment"][TABLE["dataset"] == "train"])
    alone = TABLE[TABLE["cell_type"] == "RPE"]
    permuted = alone.sample(frac=1, random_state=1)
    for seed, split in enumerate(drawn[:5]):
        held_out = experiments_of(permuted, splits.held_out_training(permuted, seed).test)
        assert held_out == experiments_of(TABLE, split.test) & set(alone["experiment"])


def test_held_out_training_needs_a_cell_type_with_two_training_experiments() -> None:
    with pytest.raises(ValueError, match="no cell type's second training experiment; expected two"):
        splits.held_out_training(screen({"HUVEC": (1, 3), "RPE": (0, 2)}, 2, 0))


def test_what_wilds_calls_val_is_on_the_test_side_of_the_paper_s_splits() -> None:
    table = with_val(TABLE)
    np.testing.assert_array_equal(splits.separated(table).test, splits.separated(TABLE).test)
    np.testing.assert_array_equal(splits.stratified(table).train, splits.stratified(TABLE).train)


def test_no_row_may_be_on_two_sides_whichever_they_are() -> None:
    rows = np.arange(4)
    for one, other in (("train", "val"), ("val", "id_test"), ("id_test", "test")):
        sides = {"train": rows[:0], "test": rows[:0]} | {one: rows[:2], other: rows[1:3]}
        with pytest.raises(ValueError, match=rf"{one} and {other} share the rows \[1\]"):
            splits.Split(name="x", unit="site", **sides)


@pytest.mark.parametrize("scheme", splits.WILDS_SCHEMES)
def test_the_csv_names_every_side_and_leaves_out_what_is_on_none(
    tmp_path: Path, scheme: str
) -> None:
    split = splits.wilds(TABLE, scheme)
    write_csv(split, TABLE, tmp_path / "split.csv")
    written = pd.read_csv(tmp_path / "split.csv")
    rows = np.sort(np.concatenate(list(split.sides.values())))
    assert written["site_id"].tolist() == TABLE["site_id"].iloc[rows].tolist()
    for name, of_side in split.sides.items():
        sites = written["site_id"][written["side"] == name]
        assert sites.tolist() == TABLE["site_id"].iloc[of_side].tolist()


def test_the_csv_lists_each_site_with_its_side_in_the_table_s_order(tmp_path: Path) -> None:
    split = splits.separated(TABLE)
    write_csv(split, TABLE, tmp_path / "split.csv")
    written = pd.read_csv(tmp_path / "split.csv")
    assert list(written.columns) == ["site_id", "side"]
    assert written["site_id"].tolist() == TABLE["site_id"].tolist()
    assert written["side"].tolist() == TABLE["dataset"].tolist()
    part = splits.Split(name="x", unit="site", train=np.array([4]), test=np.array([1]))
    write_csv(part, TABLE, tmp_path / "split.csv")
    written = pd.read_csv(tmp_path / "split.csv")
    assert written["site_id"].tolist() == TABLE["site_id"].iloc[[1, 4]].tolist()
    assert written["side"].tolist() == ["test", "train"]
