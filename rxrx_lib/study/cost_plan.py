"""What ``rxrx plan --cost`` says: what runs took here, or what they would on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rxrx_lib.study import cost, cost_panels
from rxrx_lib.study.catalogue import evaluations
from rxrx_lib.study.gpus import GIB, GPUS, Gpu
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.progress import duration
from rxrx_lib.study.results import gather
from rxrx_lib.study.spec import RunSpec

DEFAULT_GPU = "a100-80"
"""What the paper's size is computed for unless asked otherwise."""


def plan_lines(
    profile: Profile, items: cost_panels.Items, done: Sequence[RunSpec], store: Path, on: Gpu | None
) -> list[str]:
    """Return what ``rxrx plan --cost`` prints under the list of runs.

    Parameters
    ----------
    profile
        Of the runs.
    items
        Name to runs.
    done
        Those of them that the store has.
    store
        The run store.
    on
        The GPU to compute for; None for times measured here, or :data:`DEFAULT_GPU` where the
        profile needs one and none is measured.
    """
    if on is None and done:
        return _measured_lines(profile, items, done, store)
    if on is None and profile.screen is not None:
        return [
            "No run of these is done here, so nothing is measured; the first one that is done "
            "gives the measure. Small networks wait more than they compute: name a GPU with --gpu "
            "for a lower bound."
        ]
    on = on or GPUS[DEFAULT_GPU]
    frame = cost_panels.hours_panel(items, evaluations(profile))
    frame = frame[frame["GPU"].str.startswith(on.label)].drop(columns="GPU")
    some = next(spec for specs in items.values() for spec in specs)
    precision, groups = on.precision(some.recipe.precision), cost.groups_that_fit(some, on)
    fits = f"fits, with --groups-at-once {groups} on one GPU" if groups else "does not fit"
    need = cost.memory(some, precision, groups_at_once=1)
    return [
        f"{cost_panels.COMPUTED}, for {on.label} in {precision} ({on.source}):",
        *(f"  {line}" for line in frame.to_string(index=False).splitlines()),
        f"  A group of {some.recipe.group_size} sites needs about {need / GIB:.0f} GiB of "
        f"{cost.usable(on) / GIB:.0f} and {fits}.",
        "It rests on these assumptions:",
        *(f"  - {line}" for line in cost_panels.assumptions()),
    ]


def _measured_lines(
    profile: Profile, items: cost_panels.Items, done: Sequence[RunSpec], store: Path
) -> list[str]:
    """Say what runs took, and what the others would at the same speed."""
    found = gather(done, store)
    every = evaluations(profile)
    work = {
        spec.id: cost.run_cost(spec, every.get(spec.id, 0), spec.recipe.precision).flops
        for specs in items.values()
        for spec in specs
    }
    pace = float(found["seconds"].sum()) / sum(work[spec.id] for spec in done)
    left = sum(flops for name, flops in work.items() if name not in set(found["id"]))
    took = (
        f"MEASURED: {len(found)} runs took {found['seconds'].mean():.0f} s each in the mean "
        f"({found['seconds'].min():.0f} to {found['seconds'].max():.0f} s) on "
        f"{'; '.join(sorted(found['hardware'].unique()))}."
    )
    rest = (
        f"{len(work) - len(found)} more would take {duration(pace * left)} at that speed in "
        "one process, and a share of it in several."
    )
    return [took, rest] if left else [took]
