"""A file of embeddings that is none: drawn from a vector model, in the release's format.

It lets a page on the official embeddings run where they are absent. Nothing in it is calibrated to
RxRx1. Of a site of class k in well w of experiment e, which is of cell type c, the embedding is

    offset_e + scale_e · (type_c + direction_kc + well_w + site)

feature by feature, all draws independent:

- ``type_c`` ~ N(0, `cell_type`²);
- ``direction_kc`` = (common_k + own_kc) / √2, both ~ N(0, `phenotype`²): half of what an siRNA does
  is the same in all cell types, half is the cell type's own; twice as strong for positive controls;
- ``offset_e`` ~ strength_e · N(0, `offset`²) and ``scale_e`` = exp(strength_e · N(0, `scale`²));
- ``strength_e`` = √(ν / χ²_ν) with ν = `tail`, at most 4, so that offsets have Student's t
  distribution but for its farthest tail: a few experiments lie far off;
- ``well_w`` ~ N(0, `well`²), ``site`` ~ N(0, `site`²).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from rxrx_lib.data import embeddings
from rxrx_lib.data.embeddings import FEATURES
from rxrx_lib.data.randomness import generator
from rxrx_lib.data.simulator import ScreenSpec, layout
from rxrx_lib.data.simulator.spec import DEFAULT_EXPERIMENTS

MOST_STRENGTH = 4.0
POSITIVE_CONTROL = 2.0
"""How much stronger a positive control is than a treatment."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class EmbeddingsSpec:
    """Everything that determines a simulated file of embeddings.

    The standard deviations were chosen by eye, on the uncorrected embeddings alone: no correction
    was run before they were fixed.

    Parameters
    ----------
    seed : int
        Seed of all draws, 0 or greater.
    experiments : tuple of (cell type, training experiments, test experiments)
        Each cell type at most once.
    treatments_per_plate, positive_controls
        Of the layout, as in `ScreenSpec`; EMPTY comes on top.
    cell_type, phenotype, offset, scale, well, site : float
        Standard deviations of the model above, in units of the site's own noise.
    tail : float
        Degrees of freedom ν of an experiment's strength: the fewer, the heavier its tail.
    version : int
        Goes up whenever the same fields give another file.
    """

    seed: int = 10
    experiments: tuple[tuple[str, int, int], ...] = DEFAULT_EXPERIMENTS
    treatments_per_plate: int = 14
    positive_controls: int = 3
    cell_type: float = 1.0
    phenotype: float = 0.5
    offset: float = 0.5
    scale: float = 0.2
    well: float = 1.0
    site: float = 1.0
    tail: float = 3.0
    version: int = 1


def write(spec: EmbeddingsSpec, root: Path | str) -> None:
    """Write `metadata.csv` and `embeddings.csv` of a simulated screen that has no pictures.

    Experiments are called SIM-HUVEC-01 …, siRNAs sim-0001 …; the same spec gives the same files.

    Parameters
    ----------
    spec : EmbeddingsSpec
        What to simulate.
    root : path
        The folder.

    Raises
    ------
    ValueError
        If a field that `ScreenSpec` has too is out of its range.
    """
    table = layout(_screen(spec))
    embeddings.write(table, draw(spec, table), root)


def draw(spec: EmbeddingsSpec, table: pd.DataFrame) -> Array:
    """Draw the embeddings (N, 128) of the sites of a table (N rows), by the model above.

    Every draw is keyed by what it is for, so a site's does not depend on the rows around it.
    """
    values = np.empty((len(table), FEATURES))
    order = table.reset_index(drop=True)
    for name, rows in order.groupby("experiment", sort=False):
        experiment, places = str(name), rows.index.to_numpy()
        cell_type = str(rows["cell_type"].iloc[0])
        offset, scale = _technical(spec, experiment)
        cells = _normal(spec, spec.cell_type, "cell type", cell_type)
        classes, of_class = np.unique(rows["sirna_id"].to_numpy(), return_inverse=True)
        kinds = dict(zip(rows["sirna_id"], rows["well_type"], strict=True))
        directions = np.stack(
            [_direction(spec, int(k), kinds[k], cell_type) for k in classes.tolist()]
        )
        noise = [
            _normal(spec, spec.well, "well", well) + _normal(spec, spec.site, "site", site)
            for well, site in zip(rows["well_id"], rows["site_id"], strict=True)
        ]
        values[places] = offset + scale * (cells + directions[of_class] + np.stack(noise))
    return values


def _screen(spec: EmbeddingsSpec) -> ScreenSpec:
    """Return the screen whose layout the file has."""
    return ScreenSpec(
        seed=spec.seed,
        experiments=spec.experiments,
        treatments_per_plate=spec.treatments_per_plate,
        positive_controls=spec.positive_controls,
    )


def _technical(spec: EmbeddingsSpec, experiment: str) -> tuple[Array, Array]:
    """Return an experiment's offset (128,) and scale (128,)."""
    chi_squared = generator("embeddings: strength", spec.seed, experiment).chisquare(spec.tail)
    strength = min(np.sqrt(spec.tail / chi_squared), MOST_STRENGTH)
    offset = strength * _normal(spec, spec.offset, "offset", experiment)
    return offset, np.exp(strength * _normal(spec, spec.scale, "scale", experiment))


def _direction(spec: EmbeddingsSpec, class_: int, well_type: str, cell_type: str) -> Array:
    """Return what a class does to an embedding in a cell type, (128,)."""
    common = _normal(spec, spec.phenotype, "class", class_)
    own = _normal(spec, spec.phenotype, "class in cell type", class_, cell_type)
    strength = POSITIVE_CONTROL if well_type == "positive_control" else 1.0
    direction: Array = strength * (common + own) / np.sqrt(2)
    return direction


def _normal(spec: EmbeddingsSpec, spread: float, purpose: str, *key: int | str) -> Array:
    return generator(f"embeddings: {purpose}", spec.seed, *key).normal(0, spread, FEATURES)
