"""One site, from its name to its picture."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.data.randomness import generator
from rxrx_lib.data.simulator.cell_types import CELL_TYPES
from rxrx_lib.data.simulator.cells import Cells, draw_cells
from rxrx_lib.data.simulator.optics import Camera, camera, photograph
from rxrx_lib.data.simulator.stains import paint
from rxrx_lib.data.simulator.truth import Truth


class Site(NamedTuple):
    """Names one site: experiment, plate 1-4, well such as B02, site 1-2, and its class."""

    experiment: str
    plate: int
    well: str
    site: int
    sirna_id: int

    @property
    def well_id(self) -> str:
        """The release's name of the well, such as SIM-RPE-01_1_B02."""
        return f"{self.experiment}_{self.plate}_{self.well}"


def render_site(truth: Truth, site: Site) -> NDArray[np.uint8]:
    """Render the picture of one site.

    The picture depends on the truth and the site's name alone, never on what was rendered
    before.

    Parameters
    ----------
    truth : Truth
        The screen's truth.
    site : Site
        Which site.

    Returns
    -------
    (6, H, W) uint8 array
        Grey levels of channels 1-6.
    """
    return render_cells(truth, site, site_cells(truth, site))


def render_cells(truth: Truth, site: Site, cells: Cells) -> NDArray[np.uint8]:
    """Render the picture of one site whose cells are drawn already; see `render_site`."""
    spec = truth.spec
    stains = paint(cells, spec.image_size, spec.pixel_size, _generator(truth, "stains", site))
    used = _camera(truth, site.experiment, site.plate)
    return photograph(stains, used, _generator(truth, "noise", site))


def site_cells(truth: Truth, site: Site) -> Cells:
    """Draw the cells of one site.

    Parameters
    ----------
    truth : Truth
        The screen's truth.
    site : Site
        Which site.

    Returns
    -------
    Cells
        Those in the view and in a margin around it.
    """
    spec = truth.spec
    kind = CELL_TYPES[truth.cell_type[site.experiment]]
    effects = truth.effects[site.experiment]
    well = generator("well", spec.seed, spec.wells_set, site.well_id)
    random = _generator(truth, "cells", site)
    luck = kind.well_sd * well.standard_normal() + kind.site_sd * random.standard_normal()
    luck -= (kind.well_sd**2 + kind.site_sd**2) / 2  # the mean number stays what it is
    return draw_cells(
        kind,
        spec.image_size * spec.pixel_size,
        truth.phenotype(site.experiment, site.sirna_id),
        effects.morphology,
        effects.density + luck,
        random,
    )


@lru_cache(maxsize=8)
def _camera(truth: Truth, experiment: str, plate: int) -> Camera:
    spec = truth.spec
    kind = CELL_TYPES[truth.cell_type[experiment]]
    return camera(kind, truth.effects[experiment], plate, spec.image_size, spec.pixel_size)


def _generator(truth: Truth, purpose: str, site: Site) -> np.random.Generator:
    spec = truth.spec
    return generator(purpose, spec.seed, spec.wells_set, f"{site.well_id}_{site.site}")
