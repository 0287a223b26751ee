"""Computed costs as readers of the book see them: assumptions and tables."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from rxrx_lib.study import cost
from rxrx_lib.study.gpus import (
    GIB,
    GPUS,
    OF_PEAK_ARITHMETIC,
    OF_PEAK_BANDWIDTH,
    PUBLISHED,
    USABLE,
    Range,
    seconds,
)
from rxrx_lib.study.pages import Shown
from rxrx_lib.study.profiles import Profile
from rxrx_lib.study.provenance import code_version
from rxrx_lib.study.results import code_words
from rxrx_lib.study.runs import open_run
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.workload import RELEASE_DESIGN, workload

COMPUTED = "COMPUTED, NOT MEASURED"
TOO_LARGE = "†"
"""Marks times on a GPU that one group does not fit."""
PAPERS_PROCESSES = 8
"""GPUs that the paper trained on."""
Items = Mapping[str, Sequence[RunSpec]]
Evaluations = Mapping[str, int]
"""Ids of runs to the epochs between two measurements of the test accuracy; 0 for all others."""


def assumptions() -> list[str]:
    """Return what the computed times rest on, in sentences."""
    low, high, slow, fast, usable = (
        f"{100 * share:.0f} %" for share in (*OF_PEAK_ARITHMETIC, *OF_PEAK_BANDWIDTH, USABLE)
    )
    return [
        f"Convolutions and matrix products run at {low} to {high} of the peak in the data "
        "sheet; nothing else is counted as arithmetic.",
        "Every operation reads its inputs from the GPU's memory once and writes its outputs once "
        f"(normalisation reads them twice), at {slow} to {fast} of the peak bandwidth; no "
        "two operations are fused.",
        "Shorter time: the high shares, and arithmetic and memory hide behind one another. Longer "
        "time: the low shares, one after the other.",
        "A GPU without bfloat16 computes in float32, since this code has no float16; that would "
        "be another run.",
        f"Tensors can have {usable} of the GPU's memory. They are weights, gradients, "
        "momentum, the minibatch twice, and what one step of training holds at its peak.",
        f"The screen is the release's design, {RELEASE_DESIGN.classes:,} classes in 51 whole "
        "experiments, or its control wells: a little more than the release, which lacks 77 wells.",
        "Not counted: reading and augmenting, the optimizer's step, probes and metrics after the "
        "training, waiting between GPUs, checkpoints, deterministic algorithms, a killed run's "
        "lost minute.",
    ]


def banner(profile: Profile, items: Items, store: Path) -> Shown:
    """Say at the top of a page what its numbers are and are not."""
    specs = {spec.id: spec for of_item in items.values() for spec in of_item}
    done = sum(open_run(store, spec).done for spec in specs.values())
    parts = f"profile {profile.name} ({profile.purpose}) · {len(specs)} runs, {done} done here"
    line = f"{parts} · {code_words(code_version())} · no GPU was used"
    return Shown(
        f":::{{div}} provenance\n<span class='simulated'>{COMPUTED}</span> {line}\n:::\n",
        f"<p><b>{COMPUTED}</b> {html.escape(line)}</p>",
    )


def gpu_panel() -> pd.DataFrame:
    """Return the GPUs by their data sheets, as words."""
    rows = [
        (
            on.label,
            f"{on.half:g} ({'bf16' if on.bf16 else 'fp16 only'})",
            f"{on.single:g}",
            f"{on.bandwidth:,.0f}",
            on.source,
        )
        for on in GPUS.values()
    ]
    columns = ["GPU", "two bytes, TFLOP/s", "fp32, TFLOP/s", "memory, GB/s", "source"]
    return pd.DataFrame(rows, columns=columns)


def published_panel() -> pd.DataFrame:
    """Return speeds that others measured beside what is computed for them, as words."""
    rows = []
    for each in PUBLISHED:
        site = cost.plain_site(each.backbone)
        work = (
            (site.training_flops, site.training_bytes)
            if each.training
            else (site.forward_flops, site.forward_bytes)
        )
        fast, slow = seconds(*work, GPUS[each.gpu], "fp16")
        kind = "training" if each.training else "prediction"
        computed = f"{1 / slow:,.0f} to {1 / fast:,.0f}"
        what = f"{each.backbone}, {kind}"
        rows.append(
            (GPUS[each.gpu].label, what, computed, f"{each.sites_a_second:,.0f}", each.source)
        )
    columns = ["GPU", "network", "computed, pictures/s", "published, pictures/s", "source"]
    return pd.DataFrame(rows, columns=columns)


def network_panel(specs: Sequence[RunSpec]) -> pd.DataFrame:
    """Return what each network of some runs takes a site, as words."""
    networks = {spec.network: spec for spec in specs}
    rows = []
    for network, spec in networks.items():
        (site, weights), (single, _) = (cost.counted(spec, p) for p in ("bf16", "fp32"))
        rows.append(
            (
                network.backbone,
                f"{weights / 1e6:.1f}",
                f"{site.forward_flops / 1e9:.0f}",
                f"{site.training_flops / 1e9:.0f}",
                f"{site.training_bytes / 1e9:.1f} / {single.training_bytes / 1e9:.1f}",
                f"{site.peak_bytes / 2**20:.0f} / {single.peak_bytes / 2**20:.0f}",
                f"{cost.CHECKPOINT_BYTES * weights / 1e6:.0f}",
            )
        )
    columns = ["backbone", "weights, millions", "forward, GFLOP", "and backward, GFLOP"]
    columns += ["moved, GB", "memory, MiB", "checkpoint, MB"]
    return pd.DataFrame(rows, columns=columns)


def memory_panel(spec: RunSpec) -> pd.DataFrame:
    """Return what of a run's minibatch fits each GPU, as words."""
    rows = []
    for on in GPUS.values():
        precision = on.precision(spec.recipe.precision)
        need = cost.memory(spec, precision, groups_at_once=1, processes=PAPERS_PROCESSES)
        alone, shared = (
            cost.groups_that_fit(spec, on, processes) for processes in (1, PAPERS_PROCESSES)
        )
        rows.append(
            (
                on.label,
                precision,
                f"{need / GIB:.0f} of {cost.usable(on) / GIB:.0f} GiB",
                f"`--groups-at-once {alone}`" if alone else "no",
                "yes" if shared else "no",
                f"{cost.largest_group(spec, on)} sites",
            )
        )
    columns = ["GPU", "precision", "one group needs", "one GPU", f"{PAPERS_PROCESSES} GPUs"]
    return pd.DataFrame(rows, columns=[*columns, "largest group"])


def hours_panel(items: Items, evaluate_every: Evaluations) -> pd.DataFrame:
    """Return hours a run and GPU-hours of each item and of all their runs, on each GPU, as words.

    Parameters
    ----------
    items
        Name to runs; items without any are left out, and a run that two share counts once in all.
    evaluate_every
        As :func:`rxrx_lib.study.catalogue.evaluations` gives it.
    """
    filled = {name: list(specs) for name, specs in items.items() if specs}
    if len(filled) > 1:
        unique = {spec.id: spec for specs in filled.values() for spec in specs}
        filled["all"] = list(unique.values())
    rows = []
    for name, specs in filled.items():
        for on in GPUS.values():
            each = [cost.run_seconds(spec, evaluate_every.get(spec.id, 0), on) for spec in specs]
            mark = "" if all(cost.groups_that_fit(spec, on) for spec in specs) else TOO_LARGE
            total = _sum(each)
            rows.append(
                (
                    name,
                    str(len(specs)),
                    f"{on.label}, {on.precision(specs[0].recipe.precision)}{mark}",
                    _hours(Range(min(r.low for r in each), max(r.high for r in each))),
                    _hours(total),
                    _days(total.times(1 / PAPERS_PROCESSES)),
                )
            )
    columns = ["item", "runs", "GPU", "hours a run", "GPU-hours", f"days on {PAPERS_PROCESSES}"]
    return pd.DataFrame(rows, columns=columns)


def work_panel(items: Items, evaluate_every: Evaluations) -> pd.DataFrame:
    """Return what each item's runs pass through their networks, as words."""
    rows = []
    for name, specs in items.items():
        every = [evaluate_every.get(spec.id, 0) for spec in specs]
        works = list(map(workload, specs, every))
        costs = [
            cost.run_cost(spec, epochs, spec.recipe.precision)
            for spec, epochs in zip(specs, every, strict=True)
        ]
        if works:
            rows.append(
                (
                    name,
                    str(len(specs)),
                    f"{sum(w.steps for w in works):,}",
                    f"{sum(w.trained for w in works) / 1e6:,.0f}",
                    f"{sum(w.forwarded for w in works) / 1e6:,.0f}",
                    f"{sum(c.flops for c in costs) / 1e18:,.1f}",
                )
            )
    columns = ["item", "runs", "steps", "million sites trained", "million sites predicted"]
    return pd.DataFrame(rows, columns=[*columns, "EFLOP"])


def _sum(ranges: Sequence[Range]) -> Range:
    return Range(sum(each.low for each in ranges), sum(each.high for each in ranges))


def _hours(seconds_: Range) -> str:
    return _span(seconds_.times(1 / 3600))


def _days(seconds_: Range) -> str:
    return _span(seconds_.times(1 / 86400))


def _span(span: Range) -> str:
    """Write a range with two significant digits: more would promise too much."""
    low, high = (_two_digits(value) for value in span)
    return low if low == high else f"{low} to {high}"


def _two_digits(value: float) -> str:
    if value <= 0:
        return "0"
    places = 1 - math.floor(math.log10(value))
    return f"{round(value, places):,.{max(0, places)}f}"
