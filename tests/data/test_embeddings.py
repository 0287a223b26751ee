"""Embeddings are matched by site, and a file at fault gives one sentence that says where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from rxrx_lib.data import embeddings, metadata
from rxrx_lib.data.embeddings import EmbeddingsError
from rxrx_lib.data.simulator import ScreenSpec, layout
from tests.data.spoiling import Edit, edits, spoiled

TABLE = layout(
    ScreenSpec(
        experiments=(("RPE", 1, 1),), treatments_per_plate=1, positive_controls=0, image_size=16
    )
)
VALUES = np.random.default_rng(0).normal(size=(len(TABLE), 128)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    embeddings.write(TABLE, VALUES, tmp_path)
    return tmp_path


def lines(folder: Path) -> list[str]:
    return (folder / "embeddings.csv").read_text().splitlines()


def rewrite(folder: Path, new: list[str]) -> None:
    (folder / "embeddings.csv").write_text("\n".join(new) + "\n")


def test_what_is_written_is_read_back(folder: Path) -> None:
    found = embeddings.load(folder)
    pd.testing.assert_frame_equal(found.table, metadata.load(folder))
    assert found.values.dtype == np.float32
    np.testing.assert_allclose(found.values, VALUES, rtol=1e-5)
    assert found.missing == 0


def test_the_file_has_the_releases_columns(folder: Path) -> None:
    head = lines(folder)[0].split(",")
    assert head == ["site_id", *(f"feature_{number}" for number in range(128))]


@pytest.mark.parametrize("chunk", [3, 8192])
def test_lines_are_matched_by_site_whatever_their_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(embeddings, "CHUNK", chunk)
    expected = embeddings.load(folder).values
    head, *rows = lines(folder)
    shuffled = np.random.default_rng(1).permutation(rows).tolist()
    rewrite(folder, [head, *shuffled])
    np.testing.assert_array_equal(embeddings.load(folder).values, expected)


def test_sites_without_an_embedding_are_left_out_and_counted(folder: Path) -> None:
    expected = embeddings.load(folder)
    head, *rows = lines(folder)
    rewrite(folder, [head, *rows[:2], *rows[5:]])
    found = embeddings.load(folder)
    kept = [*range(2), *range(5, len(rows))]
    assert found.missing == 3
    assert found.table["site_id"].tolist() == TABLE["site_id"].iloc[kept].tolist()
    np.testing.assert_array_equal(found.values, expected.values[kept])


def test_columns_in_another_order_and_further_ones_do_not_matter(folder: Path) -> None:
    expected = embeddings.load(folder).values
    frame = pd.read_csv(folder / "embeddings.csv").iloc[:, ::-1]
    frame = pd.concat([frame, pd.Series("x", frame.index, name="note")], axis="columns")
    frame.to_csv(folder / "embeddings.csv", index=False)
    np.testing.assert_array_equal(embeddings.load(folder).values, expected)


def without(column: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        frame = pd.read_csv(folder / "embeddings.csv").drop(columns=column)
        frame.to_csv(folder / "embeddings.csv", index=False)

    return change


def with_entry(line: int, column: int, entry: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        rows = [row.split(",") for row in lines(folder)]
        rows[line - 1][column] = entry
        rewrite(folder, [",".join(row) for row in rows])

    return change


def with_a_further_feature(folder: Path) -> None:
    rewrite(
        folder,
        [f"{row},{'feature_128' if i == 0 else '1.0'}" for i, row in enumerate(lines(folder))],
    )


def with_longer_lines(folder: Path) -> None:
    head, *rows = lines(folder)
    rewrite(folder, [head, *(f"0,{row}" for row in rows)])


def without_rows(folder: Path) -> None:
    rewrite(folder, lines(folder)[:1])


def cut_short(folder: Path) -> None:
    text = (folder / "embeddings.csv").read_text()
    (folder / "embeddings.csv").write_text(text[: text.rindex("\n", 0, -1) + 60])


FIRST, SECOND = TABLE["site_id"].iloc[:2]
FAULTS = {
    "missing site_id": (without("site_id"), "column site_id is missing"),
    "missing feature": (without("feature_7"), "column feature_7 is missing; expected site_id and"),
    "129 features": (with_a_further_feature, "has 129 columns of features; expected"),
    "unknown site": (with_entry(4, 0, "NOWHERE-01_1_B02_1"), "line 4: site_id is 'NOWHERE-01_1"),
    "no site": (with_entry(4, 0, ""), "line 4: site_id is nan, which metadata.csv lacks"),
    "site twice": (
        with_entry(3, 0, FIRST),
        f"line 3: site_id '{FIRST}' stands on line 2 too; expected one row a site",
    ),
    "text": (
        with_entry(3, 6, "abc"),
        f"line 3 (site_id {SECOND}): feature_5 is 'abc'; expected a finite number",
    ),
    "infinite": (with_entry(3, 6, "inf"), "feature_5 is 'inf'; expected a finite number"),
    "beyond float32": (with_entry(3, 6, "1e60"), "feature_5 is '1e+60'; expected a finite number"),
    "empty": (with_entry(3, 6, ""), "feature_5 is 'nan'; expected a finite number"),
    "cut short": (cut_short, "expected a finite number, so fetch or write the file again"),
    "no rows": (without_rows, "holds no rows; expected one row a site"),
    "a line too long": (with_entry(3, 6, "1,2"), "is no CSV table"),
    "all lines too long": (with_longer_lines, "line 2: has more entries than the header"),
    "empty file": (lambda folder: (folder / "embeddings.csv").write_text(""), "is no CSV table"),
    "no file": (lambda folder: (folder / "embeddings.csv").unlink(), "is missing: expected"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_gives_one_sentence_that_names_the_file(folder: Path, fault: str) -> None:
    change, words = FAULTS[fault]
    change(folder)
    with pytest.raises(EmbeddingsError) as raised:
        embeddings.load(folder)
    text = str(raised.value)
    assert words in text
    assert text.startswith(str(folder / "embeddings.csv"))
    assert text.endswith(".")
    assert "\n" not in text


def test_a_site_twice_is_found_when_chunks_part_its_lines(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "CHUNK", 2)
    with_entry(9, 0, FIRST)(folder)
    with pytest.raises(EmbeddingsError, match=r"line 9: .* stands on line 2 too"):
        embeddings.load(folder)


@pytest.mark.parametrize("values", [VALUES[:-1], VALUES[:, :-1], np.full_like(VALUES, np.nan)])
def test_nothing_is_written_that_could_not_be_read(tmp_path: Path, values: np.ndarray) -> None:
    with pytest.raises(EmbeddingsError, match=rf"expected \({len(TABLE)}, 128\), all finite"):
        embeddings.write(TABLE, values, tmp_path)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=25, deadline=None)
@given(changes=edits)
def test_a_spoiled_file_gives_one_sentence_or_finite_numbers_of_known_sites(
    changes: list[Edit], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("spoiled")
    embeddings.write(TABLE.iloc[:4], VALUES[:4], root)
    path = root / "embeddings.csv"
    path.write_bytes(spoiled(path.read_bytes(), changes))
    try:
        found = embeddings.load(root)
    except EmbeddingsError as error:
        line = str(error)
    else:
        line = f"{path} "
        rows = pd.Index(TABLE["site_id"][:4]).get_indexer(found.table["site_id"])
        assert (rows >= 0).all()
        assert len(rows) + found.missing == 4
        # Nothing tells that a digit has changed; a whole row may not have moved.
        wrong = ~np.isclose(found.values, VALUES[rows], rtol=1e-5)
        assert np.isfinite(found.values).all()
        assert wrong.sum() <= 2 * len(changes)
    assert line.startswith(str(path))
    assert "\n" not in line
