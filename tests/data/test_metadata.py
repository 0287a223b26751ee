"""The metadata table: what is read back, and one line for each thing that can be wrong with it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxrx_lib.data import metadata
from tests.data.screens import screen_table

TABLE = screen_table()


def with_entry(column: str, row: int, value: object) -> pd.DataFrame:
    changed = TABLE.astype({column: object})
    changed.loc[row, column] = value
    return changed


def test_a_sound_table_has_no_faults() -> None:
    assert metadata.faults(TABLE) == []
    assert metadata.faults(TABLE.astype(str)) == []


def test_what_is_written_is_read_back_in_order_and_type(tmp_path: Path) -> None:
    table = TABLE.sample(frac=1, random_state=0).reset_index(drop=True)
    metadata.write(table, tmp_path)
    loaded = metadata.load(tmp_path)
    pd.testing.assert_frame_equal(loaded, table, check_dtype=False)
    assert [loaded[c].dtype.name for c in ("plate", "site", "sirna_id")] == ["int64"] * 3


def test_further_columns_and_another_column_order_do_not_matter(tmp_path: Path) -> None:
    wider = TABLE[TABLE.columns[::-1]].assign(note="x")
    wider.to_csv(tmp_path / "metadata.csv", index=False)
    assert list(metadata.load(tmp_path).columns) == list(metadata.COLUMNS)


def test_a_sirna_called_na_stays_text(tmp_path: Path) -> None:
    table = TABLE.assign(sirna=TABLE["sirna"].replace("s0000", "NA"))
    metadata.write(table, tmp_path)
    assert (metadata.load(tmp_path)["sirna"] == "NA").sum() == (table["sirna"] == "NA").sum() > 0


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("cell_type", "HEK293", "HUVEC, RPE, HEPG2, U2OS"),
        ("plate", 5, "1 to 4"),
        ("plate", "one", "1 to 4"),
        ("well", "A01", "rows B to O and columns 02 to 23"),
        ("well", "B24", "rows B to O and columns 02 to 23"),
        ("well", "B2", "rows B to O and columns 02 to 23"),
        ("site", 3, "1 or 2"),
        ("dataset", "validation", "train, val, test"),
        ("well_type", "control", "treatment, positive_control, negative_control"),
        ("sirna_id", 1139, "0 to 1138"),
        ("sirna_id", -2, "0 to 1138"),
        ("sirna_id", "", "0 to 1138"),
        ("experiment", "../HUVEC-01", "letters"),
        ("sirna", "s11 08", "one word, such as s21721 or EMPTY"),
        ("sirna", "s1108,1108\nHUVEC-01", "one word, such as s21721 or EMPTY"),
        ("sirna", "EMPTY", "'s1108', as in the other rows of sirna_id 1108"),
        ("cell_type", "RPE", "'HUVEC', as in the other rows of experiment HUVEC-01"),
        ("dataset", "test", "'train', as in the other rows of experiment HUVEC-01"),
        ("well_id", "HUVEC-01_1_B04", "'HUVEC-01_1_B03' from experiment, plate, well"),
        ("well", "B04", "'HUVEC-01_1_B04_1' from experiment, plate, well, site"),
    ],
)
def test_one_wrong_entry_gives_one_line_with_row_site_and_both_values(
    column: str, value: object, expected: str
) -> None:
    (line,) = metadata.faults(with_entry(column, 2, value))
    assert line.startswith("metadata.csv line 4 (site_id HUVEC-01_1_B03_1): ")
    assert expected in line
    assert repr(str(value)) in line or column == "well"


def test_of_two_equal_rows_the_later_is_at_fault_and_names_the_other() -> None:
    doubled = pd.concat([TABLE, TABLE.iloc[[5]]], ignore_index=True)
    (line,) = metadata.faults(doubled)
    assert line.startswith(f"metadata.csv line {len(TABLE) + 2} ")
    assert "site_id stands on line 7 too; expected one row a site" in line


def test_a_repeated_site_is_found_though_all_columns_that_name_it_are_missing() -> None:
    doubled = pd.concat([TABLE, TABLE.iloc[[5]]], ignore_index=True)
    *missing, line = metadata.faults(doubled.drop(columns=["experiment", "plate", "well", "site"]))
    assert len(missing) == 4
    assert "site_id stands on line 7 too" in line


@pytest.mark.parametrize(("row", "other"), [(0, 2), (2, 0)])
def test_a_site_id_taken_from_another_row_is_the_fault_of_the_row_it_does_not_fit(
    row: int, other: int
) -> None:
    (line,) = metadata.faults(with_entry("site_id", row, TABLE["site_id"][other]))
    assert line.startswith(f"metadata.csv line {row + 2} (site_id {TABLE['site_id'][other]}): ")
    assert f"expected '{TABLE['site_id'][row]}' from experiment, plate, well, site" in line


def test_of_rows_with_one_site_id_those_are_at_fault_whose_parts_are_unknown() -> None:
    table = with_entry("site_id", 0, TABLE["site_id"][2])
    table.loc[0, "plate"] = 5
    plate, site_id = metadata.faults(table)
    assert plate.startswith("metadata.csv line 2 ")
    assert "plate is '5'" in plate
    assert site_id.startswith("metadata.csv line 2 ")
    assert "site_id stands on line 4 too" in site_id


@pytest.mark.parametrize("column", metadata.COLUMNS)
@pytest.mark.parametrize("row", [0, 1, 6, len(TABLE) - 1])
def test_every_other_value_of_one_entry_gives_one_line(column: str, row: int) -> None:
    others = TABLE[column].drop_duplicates()
    for value in others[others != TABLE[column][row]]:
        (line,) = metadata.faults(with_entry(column, row, value))
        well = TABLE["well_id"] == TABLE["well_id"][row]
        lines = [position + 2 for position in TABLE.index[well]]
        # Of the two sites of a well none tells which well_type is right.
        expected = lines if column == "well_type" else [row + 2]
        assert int(line.split()[2]) in expected, line


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"sirna": "s0001", "sirna_id": 1}, "sirna_id is '1', but '1108' on line 4"),
        ({"sirna_id": -1}, "sirna_id is '-1', but '1108' on line 4"),
        ({"well_type": "treatment"}, "well_type is 'treatment', but 'positive_control' on line 4"),
    ],
)
def test_a_well_has_one_class_and_one_type(entries: dict[str, object], reason: str) -> None:
    changed = TABLE.copy()
    for column, value in entries.items():
        changed.loc[3, column] = value
    (line,) = metadata.faults(changed)
    assert line.startswith("metadata.csv line 5 (site_id HUVEC-01_1_B03_2): ")
    assert f"{reason}; expected one for well_id HUVEC-01_1_B03." in line


def test_wells_of_one_class_may_differ_in_type() -> None:
    """The release has EMPTY wells that were not planned."""
    unplanned = TABLE["well_id"] == "HUVEC-01_1_B04"
    table = TABLE.assign(
        sirna=TABLE["sirna"].mask(unplanned, "EMPTY"),
        sirna_id=TABLE["sirna_id"].mask(unplanned, 1138),
    )
    assert metadata.faults(table) == []


@pytest.mark.parametrize("kept", range(1, len(metadata.COLUMNS) - 1))
def test_a_row_cut_short_gives_one_line_naming_the_first_column_it_lacks(
    tmp_path: Path, kept: int
) -> None:
    whole = TABLE.to_csv(index=False).rstrip("\n")
    start, last = whole.rsplit("\n", 1)
    entries = last.split(",")[:kept]
    entries[-1] = entries[-1][:1]
    (tmp_path / "metadata.csv").write_text(start + "\n" + ",".join(entries))
    with pytest.raises(metadata.MetadataError) as caught:
        metadata.load(tmp_path)
    (line,) = caught.value.faults
    assert line.startswith(f"metadata.csv line {len(TABLE) + 1} ")
    assert f"{metadata.COLUMNS[kept]} and all after it are empty" in line


def test_rows_without_a_label_are_sound_whatever_their_sirna() -> None:
    unlabelled = TABLE.assign(sirna_id=-1)
    assert metadata.faults(unlabelled) == []


@pytest.mark.parametrize("column", metadata.COLUMNS)
def test_a_missing_column_is_named_and_hides_no_other_fault(column: str) -> None:
    other = "plate" if column != "plate" else "site"
    lines = metadata.faults(with_entry(other, 7, 9).drop(columns=column))
    assert len(lines) == 2
    assert f"column {column} is missing" in lines[0]
    assert "line 9" in lines[1]
    assert f"{other} is '9'" in lines[1]


@settings(max_examples=20, deadline=None)
@given(rows=st.sets(st.integers(0, len(TABLE) - 1), min_size=1, max_size=6))
def test_every_faulty_row_is_listed_in_row_order(rows: set[int]) -> None:
    table = TABLE.copy()
    table.loc[list(rows), "plate"] = 5
    lines = metadata.faults(table)
    assert [int(line.split()[2]) for line in lines] == [row + 2 for row in sorted(rows)]


def test_load_reports_all_faults_at_once_and_survives_pickling(tmp_path: Path) -> None:
    table = with_entry("plate", 0, 5)
    table.loc[3, "site"] = 7
    table.to_csv(tmp_path / "metadata.csv", index=False)
    with pytest.raises(metadata.MetadataError) as caught:
        metadata.load(tmp_path)
    assert str(caught.value).splitlines() == caught.value.faults == metadata.faults(table)
    assert pickle.loads(pickle.dumps(caught.value)).faults == caught.value.faults


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "is missing"),
        (b"", "no CSV table"),
        (b"\xff\xfe\x00", "no CSV table"),
        (",".join(metadata.COLUMNS).encode(), "holds no rows"),
    ],
)
def test_a_file_that_is_no_table_is_named(
    tmp_path: Path, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / "metadata.csv").write_bytes(content)
    with pytest.raises(metadata.MetadataError, match=expected) as caught:
        metadata.load(tmp_path)
    assert "metadata.csv" in str(caught.value)


def test_a_faulty_table_is_not_written_and_the_old_file_stays(tmp_path: Path) -> None:
    metadata.write(TABLE, tmp_path)
    before = (tmp_path / "metadata.csv").read_bytes()
    with pytest.raises(metadata.MetadataError, match="plate"):
        metadata.write(TABLE.assign(plate=5), tmp_path)
    assert (tmp_path / "metadata.csv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["metadata.csv"]
