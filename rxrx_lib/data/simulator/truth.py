"""The truth of a screen: everything random about it that is not a cell."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.data.simulator.cell_types import CELL_TYPES, CHANNELS
from rxrx_lib.data.simulator.layout import experiments, sirnas
from rxrx_lib.data.simulator.phenotypes import NAMES, draw_phenotypes
from rxrx_lib.data.simulator.spec import ScreenSpec
from rxrx_lib.data.simulator.technical import ExperimentEffects, draw_effects

SIMULATOR_VERSION = 2
"""Rises with every change that alters a pixel or a table of any screen."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """Phenotypes and technical effects of a screen.

    Parameters
    ----------
    spec : ScreenSpec
        The screen.
    cell_type : dict of str to str
        Experiment to cell type.
    effects : dict of str to ExperimentEffects
        Experiment to its technical effects.
    phenotypes : dict of str to numpy.ndarray
        Cell type to (classes, traits) log multipliers, before knock-down.
    """

    spec: ScreenSpec
    cell_type: dict[str, str]
    effects: dict[str, ExperimentEffects]
    phenotypes: dict[str, NDArray[np.float64]]

    def phenotype(self, experiment: str, sirna_id: int) -> NDArray[np.float64]:
        """Return the (traits,) log multipliers of a class as they show in an experiment.

        siRNAs act as strongly as the experiment's knock-down; EMPTY has nothing to knock down.
        """
        is_empty = sirna_id == self.spec.classes - 1
        strength = 1.0 if is_empty else self.effects[experiment].knockdown
        drawn = self.phenotypes[self.cell_type[experiment]][sirna_id]
        return np.asarray(strength * drawn)

    def to_json(self) -> dict[str, Any]:
        """Return the truth as plain lists, numbers and strings, six decimals."""
        return {
            "simulator_version": SIMULATOR_VERSION,
            "spec": asdict(self.spec),
            "channels": list(CHANNELS),
            "traits": list(NAMES),
            "cell_types": {name: asdict(kind) for name, kind in CELL_TYPES.items()},
            "experiments": {
                name: {"cell_type": self.cell_type[name]} | _plain(vars(effects))
                for name, effects in self.effects.items()
            },
            "sirnas": {
                name: {
                    "sirna_id": sirna_id,
                    "well_type": well_type,
                    "phenotype": _plain({k: v[sirna_id] for k, v in self.phenotypes.items()}),
                }
                for sirna_id, (name, well_type) in enumerate(sirnas(self.spec))
            },
        }


def draw_truth(spec: ScreenSpec) -> Truth:
    """Draw all truth of a screen.

    Parameters
    ----------
    spec : ScreenSpec
        The screen. ``wells_set``, ``image_size``, ``pixel_size`` and ``sites`` change nothing.

    Returns
    -------
    Truth
        Its phenotypes and technical effects.
    """
    cell_type = {name: kind for name, kind, _ in experiments(spec)}
    phenotypes = draw_phenotypes(spec)
    return Truth(
        spec=spec,
        cell_type=cell_type,
        effects={name: draw_effects(spec, name, kind) for name, kind in cell_type.items()},
        phenotypes={kind: phenotypes[kind] for kind in dict.fromkeys(cell_type.values())},
    )


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: np.round(value, 6).tolist() for name, value in values.items()}
