"""Which pictures a selection means."""

from __future__ import annotations

from typing import Any

import pytest

from rxrx_lib.data.download.selection import Selection, SelectionError, select
from tests.data.screens import screen_table


def test_no_condition_means_every_picture_of_every_site() -> None:
    table = screen_table()
    wanted, pictures = select(Selection(), table)
    assert pictures == len(table) * 6
    assert wanted("images/HUVEC-01/Plate1/B02_s1_w1.png")


@pytest.mark.parametrize(
    "path",
    [
        "images/HUVEC-99/Plate1/B02_s1_w1.png",
        "images/HUVEC-01/Plate1/B02_s1_w7.png",
        "images/HUVEC-01/Plate1/B02_s3_w1.png",
        "images/HUVEC-01/Plate1/B02_s1_w1.jpg",
        "images/HUVEC-01/Plate1/B02_s1_w1.png/x",
        "other/HUVEC-01/Plate1/B02_s1_w1.png",
        "metadata.csv",
        "",
    ],
)
def test_what_the_metadata_do_not_name_is_not_wanted(path: str) -> None:
    wanted, _ = select(Selection(), screen_table())
    assert not wanted(path)


def test_conditions_are_met_together() -> None:
    table = screen_table()
    selection = Selection(cell_types=("U2OS",), plates=(1,), sites=(2,), channels=(3, 5))
    wanted, pictures = select(selection, table)
    rows = table.query("cell_type == 'U2OS' and plate == 1 and site == 2")
    assert pictures == 2 * len(rows) > 0
    assert wanted("images/U2OS-01/Plate1/B02_s2_w5.png")
    for other in (
        "U2OS-01/Plate1/B02_s1_w5",
        "U2OS-01/Plate2/B02_s2_w5",
        "HUVEC-01/Plate1/B02_s2_w5",
    ):
        assert not wanted(f"images/{other}.png")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"cell_types": ("HELA",)},
            "cell_types names 'HELA'; expected some of HUVEC, RPE, HEPG2, ",
        ),
        ({"plates": (1, 5)}, "plates names 5; expected some of 1, 2, 3, 4"),
        ({"plates": ("1",)}, "plates names '1'; expected some of 1, 2, 3, 4"),
        (
            {"well_types": ("control",)},
            "well_types names 'control'; expected some of treatment, po",
        ),
        ({"sites": (0,)}, "sites names 0; expected some of 1, 2"),
        ({"channels": (7,)}, "channels names 7; expected some of 1, 2, 3, 4, 5, 6"),
        ({"experiments": "HUVEC-01"}, "experiments is 'HUVEC-01'; expected a tuple"),
        ({"plates": [1]}, r"plates is \[1\]; expected a tuple"),
    ],
)
def test_a_selection_checks_itself(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(SelectionError, match=says):
        Selection(**fields)


def test_of_many_known_values_a_few_are_named() -> None:
    table = screen_table(treatments=200)
    with pytest.raises(
        SelectionError, match="sirnas names 'x'; expected some of 202 such as EMPTY"
    ):
        select(Selection(sirnas=("x",)), table)
