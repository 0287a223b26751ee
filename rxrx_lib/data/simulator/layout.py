"""Where everything stands: the metadata table of a screen, by the release's own rules.

The planned EMPTY well is always B02; positive controls only ever occupy 30 fixed wells;
treatments are randomised over the other 277 wells of each plate; four groups of treatments keep
to one plate each, and the plates' order is a cyclic rotation that an experiment draws.
"""

from __future__ import annotations

import pandas as pd

from rxrx_lib.data import metadata
from rxrx_lib.data.randomness import generator
from rxrx_lib.data.simulator.spec import ScreenSpec
from rxrx_lib.data.vocabulary import SIMULATED_PREFIX

EMPTY = "EMPTY"
EMPTY_WELL = "B02"
POSITIVE_WELLS = tuple(f"{row}{column:02d}" for row in "CFHJM" for column in (3, 7, 11, 15, 19, 22))
TREATMENT_WELLS = tuple(sorted(set(metadata.WELLS) - set(POSITIVE_WELLS) - {EMPTY_WELL}))


def layout(spec: ScreenSpec) -> pd.DataFrame:
    """Return the table of sites of a screen.

    Parameters
    ----------
    spec : ScreenSpec
        The screen.

    Returns
    -------
    pandas.DataFrame
        One row a site with the release's columns, ordered by experiment, plate, well and site.
        ``sirna_id`` counts treatments first, then positive controls, then EMPTY.
    """
    rows = [
        (cell_type, dataset, experiment, plate, well, site, *described)
        for experiment, cell_type, dataset in experiments(spec)
        for plate in metadata.PLATES
        for well, described in sorted(_plate(spec, experiment, plate).items())
        for site in range(1, spec.sites + 1)
    ]
    table = pd.DataFrame(rows, columns=list(metadata.COLUMNS[2:]))
    well_id = table["experiment"] + "_" + table["plate"].astype(str) + "_" + table["well"]
    table.insert(0, "well_id", well_id)
    table.insert(0, "site_id", well_id + "_" + table["site"].astype(str))
    return table


def experiments(spec: ScreenSpec) -> list[tuple[str, str, str]]:
    """Return (experiment, cell type, dataset) of every experiment, training ones first."""
    return [
        (
            f"{SIMULATED_PREFIX}{cell_type}-{number:02d}",
            cell_type,
            "train" if number <= train else "test",
        )
        for cell_type, train, test in spec.experiments
        for number in range(1, train + test + 1)
    ]


def sirnas(spec: ScreenSpec) -> list[tuple[str, str]]:
    """Return (name, well type) of every class, in the order of ``sirna_id``."""
    names = [f"sim-{number:04d}" for number in range(1, spec.classes)]
    kinds = ["treatment"] * spec.treatments + ["positive_control"] * spec.positive_controls
    return [*zip(names, kinds, strict=True), (EMPTY, "negative_control")]


def _plate(spec: ScreenSpec, experiment: str, plate: int) -> dict[str, tuple[str, str, int]]:
    """Return the wells of one plate: well to (well type, siRNA, class)."""
    names = sirnas(spec)
    rotation = int(generator("plate order", spec.seed, experiment).integers(len(metadata.PLATES)))
    group = (plate - 1 + rotation) % len(metadata.PLATES)
    first = group * spec.treatments_per_plate
    treatments = range(first, first + spec.treatments_per_plate)
    positives = range(spec.treatments, spec.treatments + spec.positive_controls)
    random = generator("layout", spec.seed, spec.wells_set, experiment, plate)
    wells = dict(zip(random.permutation(TREATMENT_WELLS).tolist(), treatments, strict=False))
    wells |= dict(zip(random.permutation(POSITIVE_WELLS).tolist(), positives, strict=False))
    wells[EMPTY_WELL] = spec.classes - 1
    return {well: (names[k][1], names[k][0], k) for well, k in wells.items()}
