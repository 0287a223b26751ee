"""A study in parts: disjoint, together everything, and safe beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxrx_lib.study import screens
from rxrx_lib.study.catalogue import runs_for
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.shards import Shard, of_shard, read_shard

SPECS = runs_for(["table1"], PROFILES["smoke"])[:7]
PARTS = st.integers(1, 9)
few = settings(max_examples=9, deadline=None)


@few
@given(parts=PARTS)
def test_parts_are_disjoint_together_everything_and_of_equal_size(parts: int) -> None:
    shards = [of_shard(SPECS, Shard(part, parts)) for part in range(1, parts + 1)]
    ids = [spec.id for shard in shards for spec in shard]
    assert sorted(ids) == sorted(spec.id for spec in SPECS)
    sizes = {len(shard) for shard in shards}
    assert max(sizes) - min(sizes) <= 1


@few
@given(parts=PARTS, data=st.data())
def test_a_part_does_not_depend_on_the_order_of_the_list_but_keeps_it(
    parts: int, data: st.DataObject
) -> None:
    shard = Shard(data.draw(st.integers(1, parts)), parts)
    mine = of_shard(SPECS, shard)
    assert of_shard(SPECS[::-1], shard) == mine[::-1]
    places = [SPECS.index(spec) for spec in mine]
    assert places == sorted(places)


@few
@given(parts=PARTS, data=st.data())
def test_a_part_is_read_as_it_is_written(parts: int, data: st.DataObject) -> None:
    shard = Shard(data.draw(st.integers(1, parts)), parts)
    assert read_shard(str(shard)) == shard


@pytest.mark.parametrize("text", ["", "3", "0/3", "4/3", "1/0", "-1/3", "1/3/5", "a/b", "1.0/2"])
def test_what_is_no_part_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"give i/n, such as 3/8, with 1 <= i <= n\."):
        read_shard(text)


def test_two_parts_that_simulate_one_screen_at_once_end_with_one_whole_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = SPECS[0].data
    begun: list[Path] = []

    def simulate(screen: object, attempt: Path) -> None:
        begun.append(attempt)
        (attempt / "metadata.csv").write_text(f"of process {len(begun)}")
        if len(begun) == 1:  # while this one is at it, the other shard comes and is faster
            screens.prepare_screen(data, tmp_path)

    monkeypatch.setattr(screens.simulator, "simulate", simulate)
    monkeypatch.setattr(screens, "pack", lambda attempt: None)
    root = screens.prepare_screen(data, tmp_path)
    assert len(set(begun)) == 2
    assert [path.name for path in tmp_path.iterdir()] == [root.name]
    assert (root / "metadata.csv").read_text() == "of process 2"
