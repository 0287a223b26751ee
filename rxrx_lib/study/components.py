"""One technical effect at a time: what it costs, who gives it back, and what stays lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rxrx_lib.data.simulator import TechnicalEffects
from rxrx_lib.evaluation.intervals import paired_differences
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.ablations import QUANTITIES, SELF
from rxrx_lib.study.profiles import COMPONENTS, SEPARATED, Profile
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.strength import PROBE, shortened
from rxrx_lib.study.tables import Cell, mean_cell, replicate_values

FACTOR = 2.0
"""On the one effect that is on. Set on development screens 0 and 1, by the baseline with nothing
against the effects and by no corrected method. Of the 76 and 83 % that it reaches without effects,
gain and background cost it 28 and 39 points at 2, gamma 18 and 25, and, on screen 0 alone, cell
shape 32. The other six cost up to 13 and did not stand out from training's own luck, which is large
for this arm: three trainings without effects, later, on screen 10, reached 39, 63 and 76 %. Weaker,
fewer would stand out. Stronger, gain and focus run into the simulator's bounds. And 2 is the strong
end of the strength curve, whose screens have all effects at once: the parts can be held against the
whole."""

LABELS = {
    "gain_offset": "brightness and background",
    "gamma": "grey scale (gamma)",
    "bleed_through": "bleed-through between stains",
    "blur": "focus",
    "illumination": "haze and uneven light",
    "noise": "camera noise",
    "density": "cell density",
    "morphology": "cell shape and staining",
    "knockdown": "knock-down efficiency",
}
"""Technical effects in the order of the simulator's, and what they are called on the page."""
ALL = "all"
OFF = "off"
ROWS = LABELS | {ALL: "all at once"}


class Arm(NamedTuple):
    """What stands against an effect."""

    label: str
    method: str
    normalization: str


UNCORRECTED = "uncorrected"
ARMS = {
    UNCORRECTED: Arm("nothing", "baseline", "training_all"),
    "baseline": Arm("self-standardisation", "baseline", SELF),
    "adabn": Arm("self-standardisation and AdaBN", "adabn", SELF),
}
"""From nothing to both. By the training side's statistics every site is shifted and scaled alike,
so that no difference between experiments is taken out."""
REVERSING = {
    name: Arm(f"self-standardisation and {METHODS[name].label}", name, SELF)
    for name in ("gradient_reversal", "adabn_gradient_reversal")
}

Accuracies = dict[tuple[str, str], dict[str, float]]
"""Row (:data:`OFF`, an effect's name, or :data:`ALL`) and arm to replicate to percent."""
Losses = dict[str, dict[str, dict[str, float]]]
"""Row to arm to replicate to percentage points."""


def only(component: str) -> TechnicalEffects:
    """Return the factors that leave one technical effect on, and all others off."""
    return TechnicalEffects(**{name: float(name == component) for name in COMPONENTS})


def arms_of(profile: Profile) -> dict[str, Arm]:
    """Return the arms that a profile has the time for."""
    return ARMS | (REVERSING if profile.components_with_reversal else {})


def components(profile: Profile) -> list[RunSpec]:
    """Return each arm with all effects off, with each of them alone, and with all at once.

    None with the release, whose effects nobody can switch.
    """
    if profile.screen is None:
        return []
    screens: list[dict[str, Any]] = [
        {"technical": 0.0},
        *({"technical": FACTOR, "effects": only(name)} for name in profile.components),
        {"technical": FACTOR},
    ]
    return [
        dataclasses.replace(
            shortened(profile, profile.run(arm.method, SEPARATED, replicate, **screen)),
            normalization=arm.normalization,
        )
        for replicate in profile.with_curve_replicates().replicates
        for screen in screens
        for arm in arms_of(profile).values()
    ]


def accuracies(results: pd.DataFrame, metric: str = "accuracy") -> Accuracies:
    """Return a metric of each row and arm that has a run, by replicate.

    Parameters
    ----------
    results
        Of the catalogue's ``components``.
    metric
        A column of the results, in percent.
    """
    found: Accuracies = {}
    if results.empty:
        return found
    row = results["effects"].where(results["technical"] > 0, OFF)
    for name in (OFF, *ROWS):
        for arm, (_, method, normalization) in (ARMS | REVERSING).items():
            some = results[(row == name) & (results["normalization"] == normalization)]
            values = replicate_values(some, method, "separated", metric)
            if values:
                found[name, arm] = values
    return found


def losses(found: Accuracies) -> Losses:
    """Return what each effect costs each arm: accuracy without any effect minus accuracy with it.

    Paired: replicates that one of the two lacks are left out. The nearer to 0, the less is lost;
    below 0 accuracy was higher with the effect on.
    """
    lost: Losses = {}
    for (row, arm), values in found.items():
        calm = found.get((OFF, arm), {})
        shared = [replicate for replicate in values if replicate in calm]
        if row != OFF and shared:
            lost.setdefault(row, {})[arm] = {name: calm[name] - values[name] for name in shared}
    return lost


def shares(lost: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Divide what an effect costs with nothing against it, in points.

    Parameters
    ----------
    lost
        One row of :func:`losses`.

    Returns
    -------
    dict
        ``self``: what self-standardisation gives back; ``adabn``: what AdaBN gives back on top;
        ``stays``: what stays lost with both. The three add up to the cost. Absent where a run is
        missing. Negative where something costs more with it than without.
    """
    parts = {"stays": dict(lost.get("adabn", {}))}
    for name, weaker, stronger in (
        ("self", UNCORRECTED, "baseline"),
        ("adabn", "baseline", "adabn"),
    ):
        before, after = lost.get(weaker, {}), lost.get(stronger, {})
        shared = [replicate for replicate in before if replicate in after]
        if shared:
            parts[name] = paired_differences(
                {each: before[each] for each in shared}, {each: after[each] for each in shared}
            )
    return {name: values for name, values in parts.items() if values}


def component_cells(results: pd.DataFrame) -> list[Cell]:
    """Return the ledger's numbers: a row an effect, columns of accuracies, losses and shares."""
    metrics = {f"accuracy{ending}": metric for ending, metric in QUANTITIES.items()}
    cells = [
        mean_cell(row, f"{column}_{arm}", values)
        for column, metric in (metrics | {PROBE: PROBE}).items()
        for (row, arm), values in accuracies(results, metric).items()
    ]
    for row, lost in losses(accuracies(results)).items():
        cells += [mean_cell(row, f"loss_{arm}", values) for arm, values in lost.items()]
        cells += [mean_cell(row, f"share_{name}", values) for name, values in shares(lost).items()]
    return cells


def component_data(found: Accuracies) -> pd.DataFrame:
    """Return the figure's numbers, a line for each row, arm and replicate."""
    lost = losses(found)
    return pd.DataFrame(
        [
            (
                ROWS.get(row, "none"),
                (ARMS | REVERSING)[arm].label,
                replicate,
                value,
                0.0 if row == OFF else lost.get(row, {}).get(arm, {}).get(replicate, np.nan),
            )
            for (row, arm), values in found.items()
            for replicate, value in values.items()
        ],
        columns=["effect on", "against it", "screen/training seed", "accuracy", "points lost"],
    )
