"""Figures 8 and 9: what each channel adds, and the accuracy on every subset of channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rxrx_lib.data.images import CHANNELS
from rxrx_lib.evaluation.shapley import SUBSETS
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.channel_games import KINDS, Shares
from rxrx_lib.study.channel_subsets import LEFT_OUT, Subset, Values
from rxrx_lib.study.figures import (
    INK,
    WIDTH,
    figure_style,
    mark_simulated,
    method_style,
    name_rows,
)

WITHOUT = {"color": "#0072B2", "marker": "o"}
"""Style of a subset that lacks channel 6."""
WITH = {"color": "#D55E00", "marker": "s"}
"""Style of one that has it."""
ABSENT = "#DDDDDD"


def share_panels(shares: Sequence[Shares], *, simulated: bool) -> Figure:
    """Draw the Shapley values, a row a channel: one panel for each game that is there.

    Parameters
    ----------
    shares
        As :func:`rxrx_lib.study.channel_games.channel_shares` gives them; not empty.
    simulated
        Whether to mark the figure.
    """
    panels = {kind: [each for each in shares if each.kind == kind] for kind in KINDS}
    panels = {kind: games for kind, games in panels.items() if games}
    with figure_style():
        heights = [1.0 + len(CHANNELS) * (0.2 + 0.09 * len(games)) for games in panels.values()]
        figure, axes = plt.subplots(
            len(panels),
            1,
            figsize=(WIDTH, sum(heights)),
            height_ratios=heights,
            squeeze=False,
            sharex=True,
        )
        for axis, (kind, games) in zip(axes[:, 0], panels.items(), strict=True):
            axis.axvline(0, color="#333333", linewidth=1)
            for place, game in enumerate(games):
                _share_dots(axis, game, (place + 0.5) / len(games) - 0.5)
            name_rows(axis, [f"channel {channel}" for channel in CHANNELS])
            axis.set_title(KINDS[kind].capitalize())
        axes[-1, 0].set_xlabel("Shapley value, percentage points of accuracy")
        figure.legend(
            handles=[_key(method_style(g.method), METHODS[g.method].label) for g in _each(shares)],
            loc="outside lower center",
            ncols=2,
            fontsize=8.5,
        )
        return mark_simulated(figure) if simulated else figure


def _share_dots(axis: Axes, game: Shares, offset: float) -> None:
    """Draw a game's replicates, and a line from zero to their mean."""
    style = method_style(game.method)
    for row, channel in enumerate(CHANNELS):
        at = row + 0.72 * offset
        axis.plot([0, game.mean(channel)], [at, at], color=style["color"], alpha=0.35, lw=3)
        replicates = [found[row] for found in game.values.values()]
        axis.plot(
            replicates,
            [at] * len(replicates),
            linestyle="none",
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            **style,  # type: ignore[arg-type]  # colour and marker, never a flag
        )


def _each(shares: Sequence[Shares]) -> list[Shares]:
    """Return one game of each method, in the methods' order."""
    first = {each.method: each for each in reversed(shares)}
    return [first[method] for method in METHODS if method in first]


def _key(style: Mapping[str, str], label: str) -> Line2D:
    return Line2D([], [], linestyle="none", label=label, **style)  # type: ignore[arg-type]


def subset_figure(values: Values, lines: Mapping[str, float], *, simulated: bool) -> Figure:
    """Draw the accuracy on each subset of channels, a row a subset.

    Rows are grouped by the number of channels and, in a group, fall in accuracy. On the left a dot
    stands for each channel that is there; channel 6 has a colour and a shape of its own.

    Parameters
    ----------
    values
        As :func:`rxrx_lib.study.channel_subsets.subset_values` gives them; not empty.
    lines
        Name to the position of a reference line.
    simulated
        Whether to mark the figure.
    """
    rows = _rows(values)
    with figure_style():
        figure, (left, right) = plt.subplots(
            1,
            2,
            figsize=(WIDTH, 1.3 + 0.15 * len(rows)),
            width_ratios=(1.0, 2.6),
            sharey=True,
        )
        _membership(left, rows)
        for row, subset in enumerate(rows):
            style, replicates = _style(subset), list(values[subset].values())
            right.plot(
                replicates,
                [row] * len(replicates),
                linestyle="none",
                markersize=4.5,
                alpha=0.6 if len(replicates) > 1 else 1,
                **style,
            )
            if len(replicates) > 1:
                right.plot([np.mean(replicates)], [row], color=style["color"], marker="|", ms=9)
        reference = dict(lines)
        if CHANNELS in values:
            reference["all six"] = float(np.mean(list(values[CHANNELS].values())))
        _group(left, right, rows)
        _reference(right, reference)
        left.set_ylim(len(rows) - 0.4, -0.8 - len(reference))
        right.set_xlabel("accuracy, percent of test sites")
        figure.legend(
            handles=[_key(WITHOUT, f"without channel {LEFT_OUT}"), _key(WITH, "with it")],
            loc="outside upper left",
            ncols=2,
            fontsize=8.5,
        )
        return mark_simulated(figure) if simulated else figure


def _reference(axis: Axes, lines: Mapping[str, float]) -> None:
    """Draw upright lines and name each on a line of its own, on the side where there is room."""
    middle = sum(axis.get_xlim()) / 2
    for place, (name, position) in enumerate(lines.items(), start=1):
        axis.axvline(position, color="#777777", linewidth=1, linestyle=(0, (4, 3)))
        right = position < middle
        axis.annotate(
            name,
            (position, -0.3 - place),
            xytext=(3 if right else -3, 0),
            textcoords="offset points",
            ha="left" if right else "right",
            va="center",
            fontsize=8,
            color="#555555",
        )


def _rows(values: Values) -> list[Subset]:
    """Return the subsets by number of channels, and in a group from the most accurate down."""
    there = [subset for subset in SUBSETS if subset in values]
    mean = {subset: float(np.mean(list(values[subset].values()))) for subset in there}
    return sorted(there, key=lambda subset: (len(subset), -mean[subset], subset))


def _style(subset: Subset) -> dict[str, str]:
    return WITH if LEFT_OUT in subset else WITHOUT


def _membership(axis: Axes, rows: Sequence[Subset]) -> None:
    """Draw which channels are in each row's subset."""
    for row, subset in enumerate(rows):
        absent = [channel for channel in CHANNELS if channel not in subset]
        axis.plot(absent, [row] * len(absent), ".", color=ABSENT, markersize=3)
        for channel in subset:
            style = WITH if channel == LEFT_OUT else {"color": INK, "marker": "o"}
            axis.plot([channel], [row], markersize=4, **style)  # type: ignore[arg-type]
    axis.set_xticks(CHANNELS)
    axis.set_xlim(0.4, len(CHANNELS) + 0.6)
    axis.xaxis.tick_top()
    axis.xaxis.set_label_position("top")
    axis.set_xlabel("channel")
    axis.grid(visible=False)
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set_visible(False)


def _group(left: Axes, right: Axes, rows: Sequence[Subset]) -> None:
    """Name each number of channels beside its rows, and part the groups by lines."""
    sizes = [len(subset) for subset in rows]
    middles = {
        size: float(np.mean([r for r, s in enumerate(sizes) if s == size])) for size in sizes
    }
    left.set_yticks(list(middles.values()), [str(size) for size in middles])
    left.set_ylabel("number of channels")
    for row in range(1, len(rows)):
        if sizes[row] != sizes[row - 1]:
            for axis in (left, right):
                axis.axhline(row - 0.5, color="#BBBBBB", linewidth=0.8)
    right.grid(visible=False, axis="y")
    right.tick_params(axis="y", length=0)
