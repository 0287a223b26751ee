"""What a simulated screen is made of: the settings that determine every pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields

from rxrx_lib.data.simulator.cell_types import CELL_TYPES

MOST_TREATMENTS_PER_PLATE = 277
MOST_POSITIVE_CONTROLS = 30
SMALLEST_IMAGE = 16

DEFAULT_EXPERIMENTS = (("HUVEC", 16, 8), ("RPE", 7, 4), ("HEPG2", 7, 4), ("U2OS", 3, 2))
"""The release's 51."""


@dataclass(frozen=True, kw_only=True)
class TechnicalEffects:
    """How strongly each technical effect varies between experiments.

    Every field is a factor on the variation: 0 makes all experiments of a cell type alike in
    this respect, 1 is the calibrated size.

    Parameters
    ----------
    gain_offset : float
        Gain and additive background of each channel, between experiments and plates.
    gamma : float
        Non-linearity of the grey scale.
    bleed_through : float
        Light of one stain seen in the channel of another.
    blur : float
        Focus.
    illumination : float
        Haze and uneven illumination.
    noise : float
        Shot noise of the camera.
    density : float
        Cells seeded per area.
    morphology : float
        Shape and staining pattern of all cells of the experiment.
    knockdown : float
        Efficiency with which siRNAs act.
    """

    gain_offset: float = 1.0
    gamma: float = 1.0
    bleed_through: float = 1.0
    blur: float = 1.0
    illumination: float = 1.0
    noise: float = 1.0
    density: float = 1.0
    morphology: float = 1.0
    knockdown: float = 1.0

    def __post_init__(self) -> None:
        for item in fields(self):
            _require_factor(f"effects.{item.name}", getattr(self, item.name))

    def __str__(self) -> str:
        """Say in words which are on: all, none, the one that is, or what is not as calibrated."""
        factors = {item.name: getattr(self, item.name) for item in fields(self)}
        on = {name: factor for name, factor in factors.items() if factor}
        if not on:
            return "none"
        if list(on.values()) == [1]:
            return next(iter(on))
        odd = [f"{name} {factor:g}" for name, factor in factors.items() if factor != 1]
        return ", ".join(odd) or "all"


@dataclass(frozen=True, kw_only=True)
class ScreenSpec:
    """Everything that determines a simulated screen, down to the pixel.

    Parameters
    ----------
    seed : int
        Seed of all draws, 0 or greater.
    image_size : int
        Height and width of a picture in pixels, at least 16.
    pixel_size : float
        Release pixels (512 to a field) per pixel, from 0.25 to 16.
    experiments : tuple of (cell type, training experiments, test experiments)
        Each cell type at most once.
    treatments_per_plate : int
        Treatments of one plate, 0 to 277; a screen has four times as many.
    positive_controls : int
        Positive controls on every plate, 0 to 30.
    sites : int
        Sites a well, 1 or 2.
    wells_set : int
        0, or the number of another, independent set of wells of the same experiments: the same
        truth about experiments, siRNAs and cell types, but another layout and other cells.
    technical : float
        Factor on all differences between experiments, 0 or greater.
    phenotype : float
        Factor on what the siRNAs and the absence of one (EMPTY) do, 0 or greater.
    effects : TechnicalEffects
        One further factor for each technical effect.

    Raises
    ------
    ValueError
        If a field is out of its range; the message names the field.
    """

    seed: int = 0
    image_size: int = 48
    pixel_size: float = 5.5
    experiments: tuple[tuple[str, int, int], ...] = DEFAULT_EXPERIMENTS
    treatments_per_plate: int = 4
    positive_controls: int = 1
    sites: int = 2
    wells_set: int = 0
    technical: float = 1.0
    phenotype: float = 1.0
    effects: TechnicalEffects = field(default_factory=TechnicalEffects)

    def __post_init__(self) -> None:
        _require_count("seed", self.seed, 0, 2**63 - 1)
        _require_count("image_size", self.image_size, SMALLEST_IMAGE, 4096)
        _require_count(
            "treatments_per_plate", self.treatments_per_plate, 0, MOST_TREATMENTS_PER_PLATE
        )
        _require_count("positive_controls", self.positive_controls, 0, MOST_POSITIVE_CONTROLS)
        _require_count("sites", self.sites, 1, 2)
        _require_count("wells_set", self.wells_set, 0, 2**63 - 1)
        _require_factor("technical", self.technical)
        _require_factor("phenotype", self.phenotype)
        if not _is_number(self.pixel_size) or not 0.25 <= self.pixel_size <= 16:
            raise ValueError(f"pixel_size is {self.pixel_size!r}; expected 0.25 to 16")
        _require_experiments(self.experiments)
        if not isinstance(self.effects, TechnicalEffects):
            raise ValueError(f"effects is {self.effects!r}; expected TechnicalEffects(...)")

    @property
    def treatments(self) -> int:
        """Number of treatment classes: four plates of them."""
        return 4 * self.treatments_per_plate

    @property
    def classes(self) -> int:
        """Number of classes: treatments, positive controls and EMPTY."""
        return self.treatments + self.positive_controls + 1


def _require_experiments(experiments: object) -> None:
    expected = (
        "expected a tuple of (cell type, training experiments, test experiments) "
        f"with each of {', '.join(CELL_TYPES)} at most once and up to 99 experiments each"
    )
    fault = f"experiments is {experiments!r}; {expected}"
    if not isinstance(experiments, tuple) or not experiments:
        raise ValueError(fault)
    for entry in experiments:
        if not isinstance(entry, tuple) or len(entry) != 3 or entry[0] not in CELL_TYPES:
            raise ValueError(fault)
        if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in entry[1:]):
            raise ValueError(fault)
        if not 1 <= entry[1] + entry[2] <= 99:
            raise ValueError(fault)
    if len({entry[0] for entry in experiments}) != len(experiments):
        raise ValueError(fault)


def _require_count(name: str, value: object, least: int, most: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole and isinstance(value, int) and least <= value <= most):
        raise ValueError(f"{name} is {value!r}; expected a whole number from {least} to {most}")


def _require_factor(name: str, value: object) -> None:
    if not (_is_number(value) and isinstance(value, (int, float)) and 0 <= value <= 10):
        raise ValueError(f"{name} is {value!r}; expected a factor from 0 (off) to 10")


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value)
