"""The interactive plate map: one piece of HTML with its data, style and script inside.

It loads nothing, so it works from a file and offline. Without JavaScript it points to the figure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

from rxrx_lib.data.metadata import UNLABELLED, WELL_TYPES, WELLS
from rxrx_lib.study.composite import LIGHTS
from rxrx_lib.study.well_intensity import MEANS

STYLE = Path(__file__).with_name("plate_explorer.css")
SCRIPT = Path(__file__).with_name("plate_explorer.js")
COLOUR_STOPS = 9


@dataclass(frozen=True)
class Explorer:
    """A plate map to display in a notebook or in the book."""

    page: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.page, "text/plain": "An interactive plate map; needs a browser."}


def plate_explorer(wells: pd.DataFrame, *, simulated: bool) -> Explorer:
    """Return the plate map of whole experiments.

    Parameters
    ----------
    wells
        As :func:`rxrx_lib.study.plate_map.plate_wells` gives them.
    simulated
        Whether to mark the map.
    """
    data = in_html(plate_data(wells, simulated=simulated))
    parts = (
        '<div class="plate-explorer">',
        f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>",
        "<noscript>The interactive plate map needs JavaScript. The figure above shows one of its "
        "plates, and the table under it the numbers.</noscript>",
        f'<script type="application/json">{data}</script>',
        f"<script>\n{SCRIPT.read_text(encoding='utf-8')}</script>",
        "</div>",
    )
    return Explorer("\n".join(parts))


def plate_data(wells: pd.DataFrame, *, simulated: bool) -> dict[str, Any]:
    """Return what the map shows, packed: a well is a list of numbers, siRNAs are named once.

    A well without a label has the siRNA −1.
    """
    sirnas = sorted(wells.loc[wells["sirna_id"] != UNLABELLED, "sirna"].unique())
    number = {name: k for k, name in enumerate(sirnas)}
    shades = matplotlib.colormaps["cividis"](np.linspace(0, 1, COLOUR_STOPS))[:, :3]
    experiments = []
    for name, some in wells.groupby("experiment", sort=False):
        first = some.iloc[0]
        plates = {
            str(plate): sorted(_packed(row, number) for row in found.to_dict("records"))
            for plate, found in some.groupby("plate")
        }
        side = "training" if first["dataset"] == "train" else first["dataset"]
        experiments.append({"name": name, "side": side, "plates": plates})
    return {
        "badge": "SIMULATED" if simulated else None,
        "channels": [f"{light.channel} {light.organelle}" for light in LIGHTS],
        "stops": np.round(255 * shades).astype(int).tolist(),
        "sirnas": sirnas,
        "experiments": experiments,
    }


def in_html(data: dict[str, Any]) -> str:
    """Return JSON that cannot end the element it stands in, whatever names it holds."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _packed(well: dict[Any, Any], sirna: dict[str, int]) -> list[float | int | None]:
    return [
        WELLS.index(well["well"]),
        WELL_TYPES.index(well["well_type"]),
        UNLABELLED if well["sirna_id"] == UNLABELLED else sirna[well["sirna"]],
        None if np.isnan(well["cells"]) else int(well["cells"]),
        *(round(float(well[name]), 2) for name in MEANS),
    ]
