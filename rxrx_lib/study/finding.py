"""What a statement of finding is, once it is written as code."""

from __future__ import annotations

from dataclasses import dataclass

from rxrx_lib.study.effects import CHANCE, Effect
from rxrx_lib.study.verdicts import Kind

SMALLEST = 2.0
"""Percentage points that matter, unless a statement names another margin."""
KIND_WORDS: dict[Kind, str] = {
    "increase": "larger by {margin} or more",
    "decrease": "smaller by {margin} or more",
    "unchanged": "within {margin} either way",
    "to_chance": "within {margin} of chance",
    "no_increase": "not larger by more than {margin}",
    "no_decrease": "not smaller by more than {margin}",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One statement of the paper, and what would bear it out."""

    id: str
    topic: str
    where: str
    """Section, table or figure of the paper."""
    statement: str
    """In our words."""
    metric: str
    """What the effect is, in words."""
    kind: Kind
    effects: tuple[Effect, ...]
    """The statement holds if it holds of every one. None where nothing here could be measured."""
    margin: float = SMALLEST
    """The smallest effect that matters, in ``unit``."""
    unit: str = "points"
    replicates: int = 5
    """How many the ``study`` profile is to have."""
    printed: tuple[Effect, ...] | None = None
    """The same effect in the paper's numbers, where these stand at other places."""
    untestable: str = ""
    """Why a simulated screen cannot decide it; empty where it can."""

    @property
    def in_paper(self) -> tuple[Effect, ...]:
        """The effects to compute from the paper's numbers."""
        return self.effects if self.printed is None else self.printed

    @property
    def items(self) -> set[str]:
        """The items of the catalogue that its effects need."""
        return {place[0] for effect in self.effects for place in effect.places if place != CHANCE}

    @property
    def criterion(self) -> str:
        """What has to come out, in words."""
        return KIND_WORDS[self.kind].format(margin=f"{self.margin:g} {self.unit}")
