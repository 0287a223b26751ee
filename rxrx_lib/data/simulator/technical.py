"""What sets one experiment apart from the next, though the biology is the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.data.metadata import PLATES
from rxrx_lib.data.randomness import generator
from rxrx_lib.data.simulator.cell_types import CELL_TYPES, CellType
from rxrx_lib.data.simulator.phenotypes import TRAITS
from rxrx_lib.data.simulator.spec import ScreenSpec

Floats = NDArray[np.float64]

# Correlations between channels of the experiments' log mean intensities within a cell type,
# rounded; derived from RxRx1 (Recursion, CC BY-NC-SA 4.0), pixel statistics of
# maciej-sypetkowski/kaggle-rcic-1st.
GAIN_CORRELATION = np.array(
    [
        [1.00, 0.44, 0.73, 0.76, 0.62, 0.64],
        [0.44, 1.00, 0.58, 0.82, 0.61, 0.40],
        [0.73, 0.58, 1.00, 0.84, 0.62, 0.92],
        [0.76, 0.82, 0.84, 1.00, 0.59, 0.71],
        [0.62, 0.61, 0.62, 0.59, 1.00, 0.44],
        [0.64, 0.40, 0.92, 0.71, 0.44, 1.00],
    ]
)
# Rows are channels, columns are stains. Every screen has this much; experiments multiply it.
# ER and nucleoli, and actin and Golgi, are nearly one channel in the real pictures.
BLEED_THROUGH = np.array(
    [
        [1.00, 0.02, 0.00, 0.03, 0.00, 0.00],
        [0.02, 1.00, 0.06, 0.30, 0.00, 0.02],
        [0.01, 0.25, 1.00, 0.12, 0.03, 0.22],
        [0.06, 0.70, 0.08, 1.00, 0.00, 0.03],
        [0.00, 0.04, 0.05, 0.03, 1.00, 0.60],
        [0.00, 0.08, 0.20, 0.05, 0.65, 1.00],
    ]
)
# The other effects act on channels one by one, so gains have more in common than the sum of all.
COMMON_GAIN = 0.3
BASE_BLUR = 0.8  # release pixels
BASE_HAZE = 0.12  # share of the light that is out of focus
BASE_UNEVENNESS = 0.04

GAMMA_SD = 0.3
BLEED_SD = 1.15
BLUR_SD = 2.2  # release pixels
MOST_BLUR = 5.0  # release pixels
HAZE_SD = 0.7
UNEVENNESS_SD = 0.12
NOISE_SD = 0.35
KNOCKDOWN_SD = 0.18
PLATE_SD = 0.05
OFFSET_FOLLOWS_GAIN = np.array([2.2, 2.2, 1.6, 2.0, 1.8, 1.2])  # backgrounds rise faster than gains
MOST_BACKGROUND = 2.0  # log factor
# Real experiments are up to five times brighter than their cell type, but at most three times
# darker: an unreadable plate would have been repeated.
LEAST_GAIN, MOST_GAIN = -1.1, 1.7
STRONGEST = 3.2  # times the cell type's mean


@dataclass(frozen=True, kw_only=True, eq=False)
class ExperimentEffects:
    """The technical effects of one experiment.

    Parameters
    ----------
    strength : float
        The heavy-tailed factor on the deviations of the others, except `plate_gain` and `density`;
        on those of `gain` and `background` relative to its mean for the cell type.
    gain, background : (6,) arrays
        Factors on the cell type's signal and background, 1 where neutral.
    plate_gain : (4, 6) array
        Further factor on gain for each plate; varies as much in every experiment.
    gamma : (6,) array
        Exponent of the grey scale, 1 where neutral.
    bleed_through : (6, 6) array
        Share of each stain (column) seen in each channel (row).
    blur : (6,) array
        Sd of the point spread in release pixels.
    haze : float
        Share of light out of focus, from 0 to 0.6.
    unevenness : (6, 3) array
        Illumination: relative slope down, slope right, and curvature over the field.
    noise : float
        Factor on the camera's noise.
    density : float
        Log factor on the number of cells; its sd is the cell type's, whatever the strength.
    morphology : (traits,) array
        Shift of every cell's log traits, in the order of `phenotypes.NAMES`.
    knockdown : float
        Factor on what siRNAs do.
    """

    strength: float
    gain: Floats
    background: Floats
    plate_gain: Floats
    gamma: Floats
    bleed_through: Floats
    blur: Floats
    haze: float
    unevenness: Floats
    noise: float
    density: float
    morphology: Floats
    knockdown: float


def draw_effects(spec: ScreenSpec, experiment: str, cell_type: str) -> ExperimentEffects:
    """Draw the technical effects of one experiment.

    Every effect follows from (factors of the spec) x (strength of the experiment) x (standard
    draws of its own), so changing one factor leaves all the other effects as they were. Strength
    has no part in plate gain and density; in gain and background it counts relative to its mean
    for the cell type, so that `CellType.gain_sd` holds at that mean. With ``spec.technical`` 0
    all are neutral, the same for every experiment; the strength is drawn all the same. Of the
    spec, only the seed, ``technical`` and ``effects`` are read.
    """
    kind = CELL_TYPES[cell_type]
    strength = _strength(spec.seed, experiment, kind)
    normal = partial(_standard_normal, spec.seed, experiment)
    size = {
        item.name: spec.technical * getattr(spec.effects, item.name)
        for item in fields(spec.effects)
    }
    strong = {name: strength * factor for name, factor in size.items()}
    gain, background = _gain_and_background(strong["gain_offset"] / kind.strength, kind, normal)
    return ExperimentEffects(
        strength=strength,
        gain=gain,
        background=background,
        plate_gain=_plate_gain(size["gain_offset"], normal("plate gain", len(PLATES), 6)),
        gamma=_gamma(strong["gamma"], _common(normal("gamma", 7))),
        bleed_through=_bleed_through(strong["bleed_through"], normal("bleed-through", 6, 6)),
        blur=_blur(strong["blur"], _common(normal("blur", 7))),
        haze=_haze(strong["illumination"], normal("haze").item()),
        unevenness=_unevenness(strong["illumination"], normal("unevenness", 6, 3)),
        noise=_noise(strong["noise"], normal("noise").item()),
        density=_density(size["density"] * kind.density_sd, normal("density").item()),
        morphology=_morphology(strong["morphology"], normal("morphology", len(TRAITS))),
        knockdown=_knockdown(strong["knockdown"], normal("knockdown").item()),
    )


def _standard_normal(seed: int, experiment: str, purpose: str, *shape: int) -> Floats:
    random = generator(f"technical {purpose}", seed, experiment)
    return np.asarray(random.standard_normal(shape))


def _strength(seed: int, experiment: str, kind: CellType) -> float:
    """Draw a log-normal factor whose mean is the cell type's."""
    standard = generator("technical strength", seed, experiment).standard_normal()
    spread = kind.strength_spread
    return float(kind.strength * min(np.exp(spread * standard - spread**2 / 2), STRONGEST))


def _gain_and_background(
    size: float, kind: CellType, normal: Callable[..., Floats]
) -> tuple[Floats, Floats]:
    """Draw correlated gains, and backgrounds that follow them."""
    mixed = (1 - COMMON_GAIN) * GAIN_CORRELATION + COMMON_GAIN
    correlated = np.linalg.cholesky(mixed) @ normal("gain", 6)
    log_gain = np.clip(size * correlated * np.array(kind.gain_sd), LEAST_GAIN, MOST_GAIN)
    own = size * normal("background", 6) * np.array(kind.background_sd)
    log_background = np.clip(
        OFFSET_FOLLOWS_GAIN * log_gain + own, -MOST_BACKGROUND, MOST_BACKGROUND
    )
    return np.exp(log_gain), np.exp(log_background)


def _plate_gain(size: float, standard: Floats) -> Floats:
    return np.exp(size * PLATE_SD * standard)


def _common(standard: Floats) -> Floats:
    """Combine one draw that all channels share with one draw of each; unit variance."""
    return np.asarray(np.sqrt(0.7) * standard[0] + np.sqrt(0.3) * standard[1:])


def _gamma(size: float, standard: Floats) -> Floats:
    return np.exp(np.clip(size * GAMMA_SD * standard, -1, 1))


def _bleed_through(size: float, standard: Floats) -> Floats:
    """Multiply the off-diagonal shares by log-normal factors.

    Rows keep their sum: what makes a channel brighter as a whole is gain.
    """
    factor = np.exp(np.clip(size * BLEED_SD * standard, -2, 1.2))
    np.fill_diagonal(factor, 1.0)
    mixed = BLEED_THROUGH * factor
    kept = BLEED_THROUGH.sum(axis=1, keepdims=True) / mixed.sum(axis=1, keepdims=True)
    return np.asarray(mixed * kept)


def _blur(size: float, standard: Floats) -> Floats:
    """Add defocus to the lens's own blur."""
    return np.hypot(BASE_BLUR, np.minimum(size * BLUR_SD * np.abs(standard), MOST_BLUR))


def _haze(size: float, standard: float) -> float:
    return float(min(BASE_HAZE * np.exp(size * HAZE_SD * standard), 0.6))


def _unevenness(size: float, standard: Floats) -> Floats:
    base = np.array([0.0, 0.0, -BASE_UNEVENNESS])
    return np.clip(base + size * UNEVENNESS_SD * standard, -0.45, 0.45)


def _noise(size: float, standard: float) -> float:
    return float(np.exp(size * NOISE_SD * standard))


def _density(sd: float, standard: float) -> float:
    """Take off half the variance, so that the mean number of cells stays what it is."""
    return sd * standard - sd**2 / 2


def _morphology(size: float, standard: Floats) -> Floats:
    return size * np.array([trait.morphology_sd for trait in TRAITS.values()]) * standard


def _knockdown(size: float, standard: float) -> float:
    return float(np.exp(np.clip(size * KNOCKDOWN_SD * standard, -1.2, 0.4)))
