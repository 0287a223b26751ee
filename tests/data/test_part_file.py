"""A part gives back what was written, or says in a few words why it cannot."""

from __future__ import annotations

from pathlib import Path

import blosc2
import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from rxrx_lib.data.part_file import (
    DamagedPartError,
    open_part,
    read_site,
    write_part,
)

SITES = np.random.default_rng(0).integers(0, 20, (5, 3, 64, 64), dtype=np.uint8)
DIGESTS = [xxhash.xxh3_128_digest(site.data) for site in SITES]


@pytest.fixture
def part(tmp_path: Path) -> Path:
    path = tmp_path / "part"
    write_part(path, zip(map(blosc2.compress2, SITES), DIGESTS, strict=True))
    return path


def test_sites_come_back_in_any_order_with_their_digests(part: Path) -> None:
    opened = open_part(str(part), len(SITES))
    site = np.empty_like(SITES[0])
    for place in (3, 0, 4, 4, 1, 2):
        read_site(opened, place, site)
        np.testing.assert_array_equal(site, SITES[place])
    assert opened.digests == b"".join(DIGESTS)


@pytest.mark.parametrize("sites", [0, 4, 6, 10_000])
def test_a_part_of_another_number_of_sites_is_refused(part: Path, sites: int) -> None:
    with pytest.raises(DamagedPartError, match=rf"index of {sites} sites"):
        open_part(str(part), sites)


def test_a_part_that_is_cut_off_anywhere_is_refused(part: Path) -> None:
    whole = part.read_bytes()
    for length in range(0, len(whole), 97):
        part.unlink()
        part.write_bytes(whole[:length])
        with pytest.raises(DamagedPartError):
            open_part(str(part), len(SITES))


def test_a_site_of_another_size_is_refused(part: Path) -> None:
    opened = open_part(str(part), len(SITES))
    with pytest.raises(DamagedPartError, match=r"site 1 has 12288 bytes, expected 3072"):
        read_site(opened, 1, np.empty((3, 32, 32), np.uint8))


@settings(max_examples=100, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_of_a_site_is_found(
    at: float, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chunk = bytearray(blosc2.compress2(SITES[0]))
    path = tmp_path_factory.mktemp("part") / "part"
    write_part(path, [(bytes(chunk), DIGESTS[0])])
    content = bytearray(path.read_bytes())
    content[int(at * len(chunk))] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(DamagedPartError, match="checksum of its site 0"):
        read_site(open_part(str(path), 1), 0, np.empty_like(SITES[0]))
