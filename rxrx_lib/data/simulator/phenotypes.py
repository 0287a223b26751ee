"""What each siRNA does to a cell: log multipliers on the traits that the painter of cells reads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.data.randomness import generator
from rxrx_lib.data.simulator.cell_types import CELL_TYPES
from rxrx_lib.data.simulator.layout import sirnas
from rxrx_lib.data.simulator.spec import ScreenSpec

Floats = NDArray[np.float64]


class Trait(NamedTuple):
    """A trait: how much siRNAs and experiments move its logarithm."""

    phenotype_sd: float
    morphology_sd: float


# The sds of the siRNAs' effects are a choice (no public measurement by organelle); cell counts
# follow the cell types' own figures.
TRAITS: dict[str, Trait] = {
    "nucleus_size": Trait(0.34, 0.17),
    "nucleus_elongation": Trait(0.5, 0.3),
    "nucleus_intensity": Trait(0.35, 0.0),
    "chromatin_texture": Trait(0.95, 0.56),
    "er_amount": Trait(0.45, 0.0),
    "er_spread": Trait(0.95, 0.55),
    "actin_amount": Trait(0.45, 0.0),
    "actin_fibres": Trait(1.85, 1.1),
    "actin_border": Trait(1.85, 1.1),
    "nucleoli_size": Trait(0.7, 0.42),
    "nucleoli_count": Trait(1.2, 0.7),
    "mito_amount": Trait(0.45, 0.0),
    "mito_spread": Trait(1.05, 0.63),
    "mito_granules": Trait(1.3, 0.77),
    "golgi_amount": Trait(0.60, 0.0),
    "golgi_spread": Trait(1.05, 0.63),
    "cell_size": Trait(0.2, 0.12),
    "cell_count": Trait(0.0, 0.0),
}
NAMES = tuple(TRAITS)
CELL_COUNT = NAMES.index("cell_count")

SHARED = 0.8  # share of an effect's variance that all cell types have in common
SHARED_COUNT = 0.8  # the same for cell counts
STRENGTH_SPREAD = 0.35  # sd of the log strength of siRNAs: most are mild, a few are drastic
POSITIVE_STRENGTH = 1.7
COUNT_SKEW = 0.7
LARGEST_EFFECT = 2.2  # before what all have in common is taken off


def draw_phenotypes(spec: ScreenSpec) -> dict[str, Floats]:
    """Draw what every class does in every cell type.

    Parameters
    ----------
    spec : ScreenSpec
        The screen. Draws depend on its seed alone; what the screen's siRNAs have in common is
        taken off, so that effects depend on which there are. Its ``phenotype`` multiplies them.

    Returns
    -------
    dict of str to numpy.ndarray
        Cell type to (classes, traits) log multipliers in the order of `NAMES`; EMPTY is zero
        except for its cell count. Positive controls are stronger than treatments.
    """
    names = sirnas(spec)
    in_common = np.where(np.array(NAMES) == "cell_count", SHARED_COUNT, SHARED)
    drawn = {cell_type: np.zeros((len(names), len(NAMES))) for cell_type in CELL_TYPES}
    for sirna_id, (name, well_type) in enumerate(names[:-1]):
        shared = generator("phenotype", spec.seed, name).standard_normal(len(NAMES) + 1)
        positive = POSITIVE_STRENGTH if well_type == "positive_control" else 1.0
        strength = positive * np.exp(STRENGTH_SPREAD * shared[-1])
        for cell_type, effects in drawn.items():
            own = generator("phenotype", spec.seed, name, cell_type).standard_normal(len(NAMES))
            mixed = np.sqrt(in_common) * shared[:-1] + np.sqrt(1 - in_common) * own
            effects[sirna_id] = _effects(cell_type, mixed, strength)
    for cell_type, effects in drawn.items():
        # The release's thousand siRNAs leave the average cell as it is; a few would not, by chance.
        effects[:-1] -= np.log(np.exp(effects[:-1]).mean(axis=0))
        effects[-1, CELL_COUNT] = CELL_TYPES[cell_type].empty_count
        effects *= spec.phenotype
    return drawn


def _effects(cell_type: str, standard: Floats, strength: float) -> Floats:
    """Turn standard normal draws (traits,) into log multipliers."""
    sd = np.array([trait.phenotype_sd for trait in TRAITS.values()])
    effects = np.clip(strength * sd * standard, -LARGEST_EFFECT, LARGEST_EFFECT)
    effects[CELL_COUNT] = CELL_TYPES[cell_type].count_sd * _left_skewed(standard[CELL_COUNT])
    return effects


def _left_skewed(standard: float) -> float:
    """Give a normal draw the long left tail of the real effects on cell count (mean 0, sd 1)."""
    variance = COUNT_SKEW**2
    mean = np.exp(variance / 2)
    sd = mean * np.sqrt(np.exp(variance) - 1)
    return float(-(np.exp(COUNT_SKEW * standard) - mean) / sd)
