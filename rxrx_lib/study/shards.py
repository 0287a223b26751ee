"""A study in equal parts, for an array job of any scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rxrx_lib.study.spec import RunSpec


class Shard(NamedTuple):
    """One part of a study: number ``part`` of ``parts``, counted from 1."""

    part: int
    parts: int

    def __str__(self) -> str:
        """Write it as on a command line."""
        return f"{self.part}/{self.parts}"


def read_shard(text: str) -> Shard:
    """Read a part as it is written on a command line: 3/8 is the third of eight.

    Raises
    ------
    ValueError
        If it is not two whole numbers i/n with 1 <= i <= n.
    """
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise ValueError(f"shard is {text!r}; give i/n, such as 3/8, with 1 <= i <= n.")
    return Shard(int(part), int(parts))


def of_shard(specs: Sequence[RunSpec], shard: Shard) -> list[RunSpec]:
    """Return the runs of one part, in their order.

    It depends on the list of runs alone, not on what is done. Parts are disjoint, together they
    are everything, and they differ by one run at most. Ids deal the runs out, as if at random, so
    that no part gets all runs of the slowest method.
    """
    ids = [spec.id for spec in specs]
    mine = set(sorted(ids)[shard.part - 1 :: shard.parts])
    return [spec for spec, name in zip(specs, ids, strict=True) if name in mine]
