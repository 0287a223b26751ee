"""The published variants of the metadata: one table comes out, and one line for each fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxrx_lib.data import metadata
from rxrx_lib.data.check import check
from rxrx_lib.data.kaggle_labels import CLASS_OF_LABEL, SIRNA
from rxrx_lib.data.variants import KAGGLE_FILES, read_csv
from tests.data.screens import kaggle_label, screen_table, write_kaggle_csvs
from tests.data.spoiling import Edit, edits, spoiled

TABLE = screen_table()
WILDS = TABLE.assign(dataset=TABLE["dataset"].mask(TABLE["experiment"] == "U2OS-02", "val"))
SPELLINGS = ("numbers", "names")


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    write_kaggle_csvs(TABLE, tmp_path)
    return tmp_path


def in_one_order(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("site_id", ignore_index=True)


def edit(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    change(read_csv(path)).to_csv(path, index=False)


def with_entry(column: str, row: int, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row, column] = value
        return table

    return change


def faults_of(root: Path) -> list[str]:
    with pytest.raises(metadata.MetadataError) as caught:
        metadata.load(root)
    assert [line for line in check(root) if ".csv" in line] == caught.value.faults
    return caught.value.faults


@pytest.mark.parametrize("folder", ["", "metadata"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_kaggle_s_files_give_the_release_s_table_less_what_they_lack(
    tmp_path: Path, spelling: str, folder: str
) -> None:
    write_kaggle_csvs(TABLE, tmp_path / folder, spelling)
    loaded = metadata.load(tmp_path)
    unlabelled = (TABLE["dataset"] == "test") & (TABLE["well_type"] == "treatment")
    expected = TABLE.assign(
        sirna=TABLE["sirna"].where(TABLE["sirna"] == "EMPTY", ""),
        sirna_id=TABLE["sirna_id"].mask(unlabelled, -1),
    )
    pd.testing.assert_frame_equal(
        in_one_order(loaded), in_one_order(expected), check_dtype=False, check_like=False
    )
    assert unlabelled.any()
    assert [loaded[c].dtype.name for c in ("plate", "site", "sirna_id")] == ["int64"] * 3
    assert loaded.index.equals(pd.RangeIndex(len(loaded)))


def test_kaggle_s_wells_stay_in_the_files_order_with_their_two_sites_together(kaggle: Path) -> None:
    wells = [code for name in KAGGLE_FILES for code in read_csv(kaggle / name)["id_code"]]
    loaded = metadata.load(kaggle)
    assert loaded["well_id"].tolist() == [well for well in wells for _ in (1, 2)]
    assert loaded["site"].tolist() == [1, 2] * len(wells)


def test_a_table_from_kaggle_can_be_written_and_read_back(kaggle: Path, tmp_path: Path) -> None:
    loaded = metadata.load(kaggle)
    metadata.write(loaded, tmp_path / "again")
    pd.testing.assert_frame_equal(metadata.load(tmp_path / "again"), loaded)


def test_both_spellings_name_the_same_classes_and_may_meet(tmp_path: Path) -> None:
    write_kaggle_csvs(TABLE, tmp_path, "numbers")
    before = metadata.load(tmp_path)
    write_kaggle_csvs(TABLE, tmp_path / "names", "names")
    (tmp_path / "names" / "train.csv").rename(tmp_path / "train.csv")
    pd.testing.assert_frame_equal(metadata.load(tmp_path), before)


def test_the_names_of_labels_are_a_permutation_of_the_numbers() -> None:
    assert sorted(SIRNA) == list(range(1138))
    assert CLASS_OF_LABEL["UNTREATED"] == CLASS_OF_LABEL["1138"] == 1138
    # Wells as both published spellings have them: HEPG2-01 plates 1 to 4, HEPG2-02, controls.
    pairs = {
        "sirna_250": 513,
        "sirna_62": 840,
        "sirna_154": 95,
        "sirna_848": 39,
        "sirna_1036": 841,
        "sirna_0": 183,
        "sirna_926": 568,
        "sirna_895": 986,
        "sirna_229": 978,
        "sirna_852": 1109,
        "sirna_810": 1108,
        "sirna_650": 1137,
    }
    assert {name: CLASS_OF_LABEL[name] for name in pairs} == pairs


def test_copies_of_test_csv_with_labels_are_read_with_them(kaggle: Path) -> None:
    def labelled(table: pd.DataFrame) -> pd.DataFrame:
        of_well = TABLE.drop_duplicates("well_id").set_index("well_id")["sirna_id"]
        names = [kaggle_label(int(of_well[code]), "names") for code in table["id_code"]]
        return table.assign(sirna=names)

    edit(kaggle / "test.csv", labelled)
    loaded = in_one_order(metadata.load(kaggle))
    assert loaded["sirna_id"].tolist() == in_one_order(TABLE)["sirna_id"].tolist()


def test_metadata_csv_goes_before_kaggle_s_files(kaggle: Path) -> None:
    metadata.write(TABLE, kaggle)
    assert metadata.load(kaggle)["sirna"].tolist() == TABLE["sirna"].tolist()


@pytest.mark.parametrize("name", KAGGLE_FILES)
def test_each_of_kaggle_s_files_must_be_there(kaggle: Path, name: str) -> None:
    (kaggle / name).unlink()
    (line,) = faults_of(kaggle)
    assert line.startswith(f"{kaggle / name} is missing; expected train.csv, train_controls.csv")


@pytest.mark.parametrize(
    ("name", "column", "value", "expected"),
    [
        ("train.csv", "sirna", "1139", "0 to 1138, or sirna_0 to sirna_1137, UNTREATED"),
        ("train.csv", "sirna", "sirna_1138", "0 to 1138, or sirna_0 to sirna_1137, UNTREATED"),
        ("train.csv", "sirna", "", "0 to 1138, or sirna_0 to sirna_1137, UNTREATED"),
        ("train.csv", "sirna", "-1", "0 to 1138, or sirna_0 to sirna_1137, UNTREATED"),
        ("train_controls.csv", "well_type", "empty", "treatment, positive_control, negative"),
        ("test.csv", "plate", "5", "1 to 4"),
        ("test_controls.csv", "well", "A01", "rows B to O"),
        ("test.csv", "experiment", "HELA-01", "HUVEC, RPE, HEPG2, U2OS and a number"),
        ("test.csv", "experiment", "../HUVEC-03", "such as HUVEC-01"),
        ("test.csv", "id_code", "HUVEC-03_1_C05", "'HUVEC-03_2_B04' from experiment, plate, well"),
        ("test.csv", "plate", "3", "'HUVEC-03_3_B04' from experiment, plate, well"),
    ],
)
def test_one_wrong_entry_of_kaggle_s_gives_one_line_with_file_line_and_well(
    kaggle: Path, name: str, column: str, value: str, expected: str
) -> None:
    edit(kaggle / name, with_entry(column, 1, value))
    (line,) = faults_of(kaggle)
    code = read_csv(kaggle / name)["id_code"][1]
    assert line.startswith(f"{name} line 3 (id_code {code}): ")
    assert expected in line


def test_a_well_in_two_of_kaggle_s_files_is_the_later_one_s_fault_and_names_both(
    kaggle: Path,
) -> None:
    well = read_csv(kaggle / "train.csv").iloc[[0]].assign(well_type="positive_control")
    edit(
        kaggle / "train_controls.csv",
        lambda table: pd.concat([table, well], ignore_index=True),
    )
    line_of_both = len(read_csv(kaggle / "train_controls.csv")) + 1
    (line,) = faults_of(kaggle)
    assert line.startswith(f"train_controls.csv line {line_of_both} (id_code HUVEC-01_1_B04): ")
    assert "stands on line 2 of train.csv too; expected one row a well" in line


def test_an_experiment_in_kaggle_s_training_and_test_files_is_named(kaggle: Path) -> None:
    well = read_csv(kaggle / "train.csv").iloc[[0]].replace("B04", "O23", regex=True)
    edit(kaggle / "test.csv", lambda table: pd.concat([table, well[list(table)]]))
    (line,) = faults_of(kaggle)
    assert line.startswith("test.csv line ")
    assert (
        "dataset is 'test'; expected 'train', as in the other rows of experiment HUVEC-01" in line
    )


def test_a_missing_column_of_kaggle_s_is_named_with_its_file(kaggle: Path) -> None:
    edit(kaggle / "train_controls.csv", lambda table: table.drop(columns="well_type"))
    (line,) = faults_of(kaggle)
    assert line == (
        "train_controls.csv: column well_type is missing; expected id_code, experiment, plate, "
        "well, sirna, well_type."
    )


@pytest.mark.parametrize("name", KAGGLE_FILES)
def test_a_row_of_kaggle_s_cut_short_gives_one_line(kaggle: Path, name: str) -> None:
    text = (kaggle / name).read_text().rstrip("\n")
    start, last = text.rsplit("\n", 1)
    (kaggle / name).write_text(start + "\n" + last[:5])
    (line,) = faults_of(kaggle)
    assert line.startswith(f"{name} line {start.count(chr(10)) + 2} (id_code {last[:5]}): ")
    assert "experiment and all after it are empty" in line


def test_files_of_kaggle_s_without_rows_give_one_line_if_all_are(kaggle: Path) -> None:
    edit(kaggle / "test.csv", lambda table: table.iloc[:0])
    unlabelled = metadata.load(kaggle)["sirna_id"] < 0
    assert not unlabelled.any()
    for name in KAGGLE_FILES:
        edit(kaggle / name, lambda table: table.iloc[:0])
    (line,) = faults_of(kaggle)
    assert line.startswith("train.csv and train_controls.csv and")
    assert line.endswith("hold no rows; expected one row a well.")


def test_the_sha256_is_that_of_the_file_or_depends_on_every_file(kaggle: Path) -> None:
    digests = {metadata.sha256(kaggle)}
    for name in KAGGLE_FILES:
        edit(kaggle / name, lambda table: table[::-1])
        digests.add(metadata.sha256(kaggle))
    assert len(digests) == 1 + len(KAGGLE_FILES)
    metadata.write(TABLE, kaggle)
    assert metadata.sha256(kaggle) not in digests


@pytest.mark.parametrize("kept", [["train.csv"], ["train.csv", "train_controls.csv"]])
def test_kaggle_s_training_files_alone_give_a_line_for_each_file_that_is_missing(
    kaggle: Path, kept: list[str]
) -> None:
    for name in KAGGLE_FILES.keys() - set(kept):
        (kaggle / name).unlink()
    assert faults_of(kaggle) == [
        f"{kaggle / name} is missing; expected train.csv, train_controls.csv, test.csv and "
        "test_controls.csv together, so put it beside the others."
        for name in KAGGLE_FILES
        if name not in kept
    ]


@pytest.mark.parametrize("variant", ["release", "kaggle"])
def test_metadata_one_folder_deeper_or_still_packed_are_pointed_to(
    tmp_path: Path, variant: str
) -> None:
    deeper = tmp_path / "rxrx1"
    if variant == "release":
        metadata.write(TABLE, deeper)
    else:
        write_kaggle_csvs(TABLE, deeper)
    name = "metadata.csv" if variant == "release" else "train.csv"
    (line,) = faults_of(tmp_path)
    assert line.startswith(f"{tmp_path / 'metadata.csv'} is missing: expected the folder of a scr")
    assert line.endswith(f"; {deeper / name} is there, so give {deeper}.")
    packed = deeper / f"{name}.zip"
    (deeper / name).rename(packed)
    for other in deeper.glob("*.csv"):
        other.unlink()
    (line,) = faults_of(deeper)
    assert line.endswith(f"; {packed} is there, so unpack it.")


def as_excel_writes(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("utf-8-sig")


def columns_turned(text: str) -> bytes:
    lines = [",".join(reversed(line.split(","))) for line in text.splitlines()]
    return "\n".join(lines).encode()


def with_blank_lines(text: str) -> bytes:
    head, first, rest = text.split("\n", 2)
    commas = "," * head.count(",")
    return f"{head}\n\n{first}\n{commas}\n{rest}\n\n".encode()


@pytest.mark.parametrize("rewrite", [as_excel_writes, columns_turned, with_blank_lines])
@pytest.mark.parametrize("variant", ["release", "wilds", "kaggle"])
def test_files_that_other_programs_have_saved_are_read_as_before(
    tmp_path: Path, variant: str, rewrite: Callable[[str], bytes]
) -> None:
    if variant == "kaggle":
        write_kaggle_csvs(TABLE, tmp_path)
    else:
        metadata.write(TABLE if variant == "release" else WILDS, tmp_path)
    before = metadata.load(tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(rewrite(path.read_text()))
    pd.testing.assert_frame_equal(metadata.load(tmp_path), before)


@pytest.mark.parametrize("name", ["metadata.csv", "test.csv"])
def test_a_fault_s_line_is_the_file_s_though_lines_before_it_are_blank(
    tmp_path: Path, name: str
) -> None:
    if name == "metadata.csv":
        metadata.write(TABLE, tmp_path)
    else:
        write_kaggle_csvs(TABLE, tmp_path)
    lines = (tmp_path / name).read_text().splitlines()
    lines[4] = "x" + lines[4]
    (tmp_path / name).write_text("\n".join([*lines[:2], "", "", *lines[2:]]) + "\n")
    assert faults_of(tmp_path)[0].startswith(f"{name} line 7 ")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_table_that_commas_do_not_part_gives_one_line(tmp_path: Path, separator: str) -> None:
    TABLE.to_csv(tmp_path / "metadata.csv", index=False, sep=separator)
    (line,) = faults_of(tmp_path)
    columns = list(metadata.COLUMNS)
    assert line == (
        f"metadata.csv has the columns {separator.join(columns)!r}; expected {', '.join(columns)}."
    )


def test_wilds_s_held_out_experiments_are_read_as_they_are_called(tmp_path: Path) -> None:
    metadata.write(WILDS, tmp_path)
    pd.testing.assert_frame_equal(metadata.load(tmp_path), WILDS, check_dtype=False)


@pytest.mark.parametrize(
    "content",
    [
        "{header}\n{row},9\n",
        "{row},9\n{header}\n{row}\n",
        "{header}\n{row},9,9\n{row}\n",
    ],
)
def test_rows_with_more_entries_than_the_header_are_no_table(tmp_path: Path, content: str) -> None:
    header, row = TABLE.iloc[:1].to_csv(index=False).splitlines()
    (tmp_path / "metadata.csv").write_text(content.format(header=header, row=row))
    with pytest.raises(metadata.MetadataError, match=r"metadata\.csv"):
        metadata.load(tmp_path)


def table_or_none(root: Path) -> pd.DataFrame | None:
    """Load a table, or else make sure that `check` lists what is wrong with it."""
    try:
        return metadata.load(root)
    except metadata.MetadataError as error:
        faults = error.faults
    assert faults
    assert faults == check(root)[: len(faults)]
    return None


def entries(table: pd.DataFrame) -> set[tuple[str, ...]]:
    return set(map(tuple, table.astype(str).to_numpy()))


@settings(max_examples=60, deadline=None)
@given(table=st.sampled_from([TABLE, WILDS]), changes=edits)
def test_no_spoiled_metadata_csv_is_read_as_anything_but_its_sound_rows(
    table: pd.DataFrame,
    changes: list[Edit],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("spoiled")
    (root / "metadata.csv").write_bytes(spoiled(table.to_csv(index=False).encode(), changes))
    loaded = table_or_none(root)
    if loaded is not None:
        assert entries(loaded) <= entries(table)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(list(KAGGLE_FILES)), changes=edits)
def test_no_spoiled_file_of_kaggle_s_puts_a_well_where_it_is_not(
    name: str, changes: list[Edit], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("spoiled")
    write_kaggle_csvs(TABLE, root)
    (root / name).write_bytes(spoiled((root / name).read_bytes(), changes))
    loaded = table_or_none(root)
    if loaded is not None:
        # A label may change into another: nothing in these files tells which is right.
        labels = ["sirna", "sirna_id", "well_type"]
        assert entries(loaded.drop(columns=labels)) <= entries(TABLE.drop(columns=labels))
