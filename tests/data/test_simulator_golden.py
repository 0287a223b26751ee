"""A version of the simulator stands for its pixels: what it draws is what it drew.

To write the figures of another version: .venv/bin/python -m tests.data.test_simulator_golden
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rxrx_lib.data.simulator import (
    SIMULATOR_VERSION,
    ScreenSpec,
    Site,
    draw_truth,
    layout,
    render_site,
)

GOLDEN = Path(__file__).with_name("golden_screens.json")
ADVICE = (
    "If the simulator is meant to draw otherwise, raise SIMULATOR_VERSION in "
    "rxrx_lib/data/simulator/truth.py and run "
    "`.venv/bin/python -m tests.data.test_simulator_golden`; if not, undo what changed it."
)
SCREENS = {
    "coarse": ScreenSpec(
        seed=7,
        image_size=32,
        pixel_size=6.0,
        experiments=(("HUVEC", 1, 0), ("RPE", 1, 0), ("HEPG2", 1, 0), ("U2OS", 0, 1)),
        treatments_per_plate=1,
    ),
    "fine": ScreenSpec(
        seed=8,
        image_size=64,
        pixel_size=1.5,
        experiments=(("HEPG2", 1, 1),),
        treatments_per_plate=1,
        wells_set=1,
    ),
}
# Grey levels. Another processor rounds differently in the last bit: a pixel may fall to the
# neighbouring grey level, and so may a percentile, but hardly a mean.
TOLERANCES = {"mean": 0.05, "sd": 0.05, "percentiles": 1.0}
PERCENTILES = (5, 50, 95, 99)


def chosen(spec: ScreenSpec) -> pd.DataFrame:
    """Return one row of each kind of well in each experiment, not all of one plate or site."""
    table = layout(spec)
    kinds = zip(("negative_control", "treatment", "positive_control"), (1, 3, 4), strict=True)
    wanted = [(table["well_type"] == kind) & (table["plate"] == plate) for kind, plate in kinds]
    some = table[np.logical_or.reduce(wanted)]
    return some[some["site"] == 1 + some["plate"] % 2]


def figures(spec: ScreenSpec) -> dict[str, Any]:
    """Return the digest of a screen's table and, of some sites, figures of channels 1 to 6."""
    truth, sites = draw_truth(spec), {}
    for row in chosen(spec).to_dict("records"):
        picture = render_site(truth, Site(**{str(name): row[name] for name in Site._fields}))
        levels = picture.reshape(6, -1)
        sites[row["site_id"]] = {
            "mean": levels.mean(axis=1).round(3).tolist(),
            "sd": levels.std(axis=1).round(3).tolist(),
            "percentiles": np.percentile(levels, PERCENTILES, axis=1, method="nearest").tolist(),
        }
    return {"table": sha256(layout(spec).to_csv(index=False).encode()).hexdigest(), "sites": sites}


def drawn() -> dict[str, Any]:
    screens = {name: figures(spec) for name, spec in SCREENS.items()}
    return {"simulator_version": SIMULATOR_VERSION, "screens": screens}


def test_the_golden_figures_are_of_this_version() -> None:
    golden = json.loads(GOLDEN.read_text())
    assert golden["simulator_version"] == SIMULATOR_VERSION, ADVICE


@pytest.mark.parametrize("name", SCREENS)
def test_a_version_draws_the_same_table_and_pictures_for_ever(name: str) -> None:
    golden = json.loads(GOLDEN.read_text())["screens"][name]
    came = figures(SCREENS[name])
    assert came["table"] == golden["table"], f"The table of screen {name} has changed. {ADVICE}"
    assert list(came["sites"]) == list(golden["sites"]), ADVICE
    for site, expected in golden["sites"].items():
        for figure, tolerance in TOLERANCES.items():
            off = np.abs(np.array(came["sites"][site][figure]) - expected[figure]).max()
            assert off <= tolerance, f"{site}: {figure} is off by {off:.3f} grey levels. {ADVICE}"


def write_golden() -> None:
    """Write today's figures, unless they stand under this version's number already."""
    if GOLDEN.exists():
        version = json.loads(GOLDEN.read_text())["simulator_version"]
        if version == SIMULATOR_VERSION:
            raise SystemExit(
                f"{GOLDEN} holds the figures of simulator_version {version} already, and a "
                "version's pixels do not change: raise SIMULATOR_VERSION first."
            )
    text = json.dumps(drawn(), indent=1)
    one_line_a_list = re.sub(r"\[[^][]*\]", lambda found: " ".join(found[0].split()), text)
    GOLDEN.write_text(one_line_a_list + "\n", encoding="utf-8")
    print(GOLDEN)


if __name__ == "__main__":
    write_golden()
