"""Figure 7 in words: its tables, its sentences and the numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rxrx_lib.evaluation.cosine_counts import DISTRIBUTIONS
from rxrx_lib.evaluation.intervals import Interval, paired_differences, t_interval
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.claims import PERCENT
from rxrx_lib.study.similarity import BINS, SHOWN, cells, values
from rxrx_lib.study.tables import Cell

PLUS_MINUS = "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"
NOT_RUN = "not run here"
SAME_OR_DIFFERENT = {
    "within": "within experiments",
    "across": "across experiments",
    "within_other_wells": "within experiments, other wells only",
}
"""Same siRNA against different ones: what each panel shows."""
WITHIN_OR_ACROSS = {
    "same": "same siRNA",
    "different": "different siRNAs",
    "same_other_wells": "same siRNA, other wells only",
    "same_controls": "same control, other wells only",
}
"""Within experiments against across them: the paper's claim, and the same between wells only."""
MEASURES = {"ks": "KS", "wasserstein": "Wasserstein"}
NAMES = {
    "same_within": "same siRNA, within",
    "different_within": "different siRNAs, within",
    "same_across": "same siRNA, across",
    "different_across": "different siRNAs, across",
    "same_within_other_wells": "same siRNA, within, other wells only",
}


def paper_panel(rxrx1: Mapping[tuple[str, str], Cell]) -> pd.DataFrame:
    """Return what the paper's figure measures beside what this code measured on RxRx1.

    Parameters
    ----------
    rxrx1
        Cells measured on the release, by row and column.
    """
    rows: list[dict[str, str]] = []
    for method in SHOWN:
        for panel in ("within", "across"):
            for measure, label in MEASURES.items():
                cell = rxrx1.get((method, f"{measure}_{panel}"))
                rows.append(
                    {
                        "method": METHODS[method].label if len(rows) % 4 == 0 else "",
                        "same against different siRNAs": f"{label}, {SAME_OR_DIFFERENT[panel]}",
                        "paper's text": "no number",
                        "RxRx1, this code": NOT_RUN if cell is None else _words(cell),
                    }
                )
    return pd.DataFrame(rows)


def table(results: pd.DataFrame, pairs: Mapping[str, str]) -> pd.DataFrame:
    """Return some comparisons as words: mean over replicates ± half of its 95 % t interval.

    Parameters
    ----------
    results
        As :func:`rxrx_lib.study.similarity.gather_similarity` gives them.
    pairs
        `SAME_OR_DIFFERENT` or `WITHIN_OR_ACROSS`.
    """
    found = {(cell.row, cell.column): cell for cell in cells(results)}
    rows = []
    for pair, label in pairs.items():
        row = {"pairs": label}
        for measure, name in MEASURES.items():
            for method in SHOWN:
                cell = found.get((method, f"{measure}_{pair}"))
                row[f"{name}, {METHODS[method].label}"] = (
                    "no pairs" if cell is None else _words(cell)
                )
        rows.append(row)
    return pd.DataFrame(rows)


def panel_claims(results: pd.DataFrame) -> list[str]:
    """Say how far same and different siRNAs lie apart, within experiments and across them."""
    lines = []
    for method in SHOWN:
        found = {panel: values(results, method, f"ks_{panel}") for panel in SAME_OR_DIFFERENT}
        parts = [
            f"{_mean(found[panel])} {SAME_OR_DIFFERENT[panel]}"
            for panel in ("within", "across")
            if found[panel]
        ]
        if parts:
            lines.append(
                f"{METHODS[method].label}: between pairs of the same siRNA and pairs of different "
                f"ones the KS statistic is {' and '.join(parts)}{_over(found['within'])}."
            )
    return lines


def shift_claims(results: pd.DataFrame) -> list[str]:
    """Say whether AdaBN's distributions move less than the baseline's from within to across."""
    lines = []
    for pair, label in WITHIN_OR_ACROSS.items():
        base, adabn = (values(results, method, f"ks_{pair}") for method in SHOWN)
        if base and base.keys() == adabn.keys():
            found = t_interval(list(paired_differences(adabn, base).values()))
            lines.append(_shift_claim(label, _mean(base), _mean(adabn), found))
    if lines:
        lines.append(
            f"These are {len(lines)} comparisons, each with an interval of its own; the paper says "
            "of the first two, without a number, that AdaBN's distributions are very similar and "
            "the baseline's are not."
        )
    elif not results.empty and not sum(each["different_across"] for each in results["pairs"]):
        lines.append("No pair stands across experiments: each cell type has one test experiment.")
    return lines


def pair_claims(results: pd.DataFrame) -> list[str]:
    """Say what pairs there were: of one well, of controls, left out; and what rounding may hide."""
    if results.empty:
        return []
    pairs = pd.DataFrame(results["pairs"].tolist())[list(DISTRIBUTIONS[:4])].sum(axis=1)
    same_well, of_controls = (
        results["same_well_share"].mean(),
        results["other_wells_controls"].mean(),
    )
    zeros = int(results["zero_vectors"].sum())
    lines = [
        f"Each run compares {_range(pairs)} pairs of test sites.",
        f"Of the pairs of one siRNA in one experiment {same_well:.1f}{PERCENT} are two sites of "
        "one well.",
    ]
    if of_controls == of_controls:
        lines.append(
            f"Of those that are left, {of_controls:.1f}{PERCENT} are pairs of a control; by the "
            "design, a treatment has one well an experiment."
        )
    lines.append(
        f"{zeros} sites whose embedding is all zeros were left out, over all runs."
        if zeros
        else "No site's embedding is all zeros; none was left out."
    )
    if results["ks_error"].notna().any():
        lines.append(
            "Rounding the cosines to steps of 1/32768 can have made a KS statistic too small by "
            f"{results['ks_error'].max():.1g} at most."
        )
    return lines


def densities(results: pd.DataFrame, merged: int = 1) -> pd.DataFrame:
    """Return the figure's curves as numbers.

    Parameters
    ----------
    results
        As :func:`rxrx_lib.study.similarity.gather_similarity` gives them.
    merged
        How many neighbouring bins of the kept histograms become one; a divisor of their number.

    Returns
    -------
    DataFrame
        ``method``, ``replicate``, ``distribution``, ``from`` and ``to`` (cosines), ``pairs`` and
        ``percent`` of the distribution's pairs; without the bins that are empty in all of them.
    """
    edges = np.linspace(-1, 1, BINS // merged + 1)
    parts = []
    for row in results.to_dict("records"):
        for name, kept in row["histograms"].items():
            counts = np.reshape(kept, (-1, merged)).sum(axis=1)
            share = 100 * counts / max(1, counts.sum())
            bins = {"from": edges[:-1], "to": edges[1:], "pairs": counts, "percent": share}
            names = {"method": row["method"], "replicate": row["replicate"], "distribution": name}
            parts.append(pd.DataFrame({**names, **bins}))
    if not parts:
        return pd.DataFrame([])
    every = pd.concat(parts, ignore_index=True)
    used = every.groupby("from")["pairs"].transform("sum") > 0
    return every[used].reset_index(drop=True)


def data_behind(results: pd.DataFrame, merged: int) -> pd.DataFrame:
    """Return the curves' means over replicates in percent, a row a bin, a column a curve."""
    found = densities(results, merged)
    if found.empty:
        return found
    found["curve"] = (
        found["method"].map(lambda m: METHODS[m].label) + ": " + found["distribution"].map(NAMES)
    )
    order = list(dict.fromkeys(found["curve"]))
    wide = found.pivot_table(index=["from", "to"], columns="curve", values="percent")[order]
    wide.columns.name = None
    return wide.reset_index()


def _shift_claim(label: str, base: str, adabn: str, found: Interval) -> str:
    begin = (
        f"{label[0].upper()}{label[1:]}: between within and across, the KS statistic is {base} for "
        f"the baseline and {adabn} for AdaBN"
    )
    difference = _signed(found.mean)
    if found.n < 2:
        return f"{begin}, from one replicate."
    spread = (
        f"{difference}, 95{PERCENT} interval {_signed(found.low)} to {_signed(found.high)}, "
        f"{found.n} replicates, paired"
    )
    if found.high < 0:
        return f"{begin}. AdaBN's distributions move less ({spread})."
    if found.low > 0:
        return f"{begin}. AdaBN's distributions move more ({spread})."
    return f"{begin}. Which of them move less cannot be told ({spread})."


def _words(cell: Cell) -> str:
    if cell.n < 2:
        return f"{cell.value:.2f}"
    return f"{cell.value:.2f}{PLUS_MINUS}{cell.interval.high - cell.value:.2f}"


def _mean(replicates: Mapping[str, float]) -> str:
    return f"{np.mean(list(replicates.values())):.2f}"


def _over(replicates: Mapping[str, float]) -> str:
    n = len(replicates)
    return f" (means over {n} replicates)" if n > 1 else " (one replicate)"


def _range(counts: pd.Series[int]) -> str:
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")
