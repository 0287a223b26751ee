"""The paper's figure 5, drawn from the network that the code builds."""

from __future__ import annotations

from typing import NamedTuple

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.figures import WIDTH, figure_style, wrapped
from rxrx_lib.study.network_blocks import Block, Drawn, shape_words

INK, LINE, BACK = "#17222E", "#66727E", "#B8481A"
COLOURS = {
    "input": "#EEF2F6",
    "backbone": "#CFE3F1",
    "pooling": "#EEF2F6",
    "neck": "#CFE3F1",
    "embedding": "#D9EAD9",
    "gate": "#F9DFD0",
    "sirna_head": "#EFE6F6",
    "experiment_head": "#EFE6F6",
}
GAP, LINE_HEIGHT, MARGIN = 0.15, 0.15, 0.12
"""Inches between boxes, of a line of text, and around it in a box."""
HEAD_LEFT, EDGE = 1.9, WIDTH - 0.03
"""Inches from the left to the experiment head, and to its right side."""
LETTERS = 32
"""Letters that fit into a line of the gate."""


class Box(NamedTuple):
    """A rectangle with lines of text, the first bold; in inches from the upper left corner."""

    lines: list[str]
    colour: str
    left: float = 0.3
    width: float = WIDTH - 0.6
    right: str = ""
    """At the end of the first line."""

    @property
    def height(self) -> float:
        """Inches that the lines need."""
        return LINE_HEIGHT * len(self.lines) + MARGIN


def network_figure(drawn: Drawn) -> Figure:
    """Draw a network from site to heads, with the numbers of its blocks.

    Parameters
    ----------
    drawn
        As :func:`rxrx_lib.study.network_blocks.drawn_network` gives it.
    """
    *trunk, sirna, experiment = drawn.blocks
    site = Box(["one site, standardised"], COLOURS["input"], right=shape_words(drawn.input))
    column = [site, *(_box_of(block, drawn.backbone) for block in trunk)]
    column.append(
        Box(["embedding, all values ≥ 0"], COLOURS["embedding"], right=shape_words(trunk[-1].shape))
    )
    gate = Box(_gate_lines(), COLOURS["gate"], left=HEAD_LEFT, width=EDGE - HEAD_LEFT)
    heads = [
        _head(sirna, WIDTH - EDGE, HEAD_LEFT - 0.17),
        _head(experiment, HEAD_LEFT, EDGE - HEAD_LEFT),
    ]
    tall = sum(box.height + GAP for box in column) + gate.height + GAP + heads[0].height + 0.45
    with figure_style():
        figure = plt.figure(figsize=(WIDTH, tall), layout="none")
        axis = figure.add_axes((0, 0, 1, 1))
        axis.set(xlim=(0, WIDTH), ylim=(tall, 0))
        axis.axis("off")
        top = 0.02
        for box in column:
            _draw(axis, box, top)
            top += box.height + GAP
            if box is not column[-1]:
                _arrow(axis, WIDTH / 2, top - GAP, top)
        _branches(axis, gate, heads, top)
        return figure


def _branches(axis: Axes, gate: Box, heads: list[Box], top: float) -> None:
    """Draw what follows the embedding: the siRNA head, and the gate with the experiment head."""
    down = top + gate.height + GAP
    left, right = (box.left + box.width / 2 for box in heads)
    _arrow(axis, left, top - GAP, down)
    _arrow(axis, right, top - GAP, top)
    _arrow(axis, right, down - GAP, down)
    _draw(axis, gate, top, edge=BACK)
    for head in heads:
        _draw(axis, head, down)
        middle, end = head.left + head.width / 2, down + head.height + GAP
        _arrow(axis, middle, end - GAP, end)
        axis.text(middle, end + 0.03, "cross-entropy", ha="center", va="top", fontsize=8, color=INK)


def _box_of(block: Block, backbone: str) -> Box:
    """Say what a block of the trunk is made of."""
    name = f"{block.name} of {backbone}" if block.name == "stem" else block.name
    kind = "linear layer" if block.part == "neck" else "convolution"
    made = [f"{block.units} units"] if block.units else []
    made += [counted(block.layers, kind)] if block.layers else []
    made += [f"{block.normalisations} BN"] if block.normalisations else []
    lines = [name]
    if block.parameters:
        lines.append(" · ".join([*made, f"{block.parameters:,} parameters"]))
    return Box(lines, COLOURS[block.part], right=shape_words(block.shape))


def _head(block: Block, left: float, width: float) -> Box:
    layers = counted(block.layers, "linear layer")
    lines = [block.name, f"{layers}, no BN" if not block.normalisations else layers]
    lines += [f"{shape_words(block.shape)} logits", f"{block.parameters:,} parameters"]
    return Box(lines, COLOURS[block.part], left, width)


def counted(number: int, thing: str) -> str:
    """Write how many things: 1 convolution, 2 convolutions."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _gate_lines() -> list[str]:
    """Say which methods let the experiment head's gradient through, and how."""
    lines = ["gate: the gradient is"]
    for reverses, words in ((False, "stopped"), (True, "reversed")):
        names = ", ".join(each.label for each in METHODS.values() if each.reverses == reverses)
        lines += wrapped(f"{words}: {names}", LETTERS).splitlines()
    return lines


def _draw(axis: Axes, box: Box, top: float, edge: str = LINE) -> None:
    axis.add_patch(
        FancyBboxPatch(
            (box.left, top),
            box.width,
            box.height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=box.colour,
            edgecolor=edge,
            linewidth=0.9,
        )
    )
    for number, line in enumerate(box.lines):
        axis.text(
            box.left + 0.09,
            top + MARGIN / 2 + (number + 0.5) * LINE_HEIGHT,
            line,
            va="center",
            fontsize=8.5 if number == 0 else 8,
            fontweight="bold" if number == 0 else "normal",
            color=INK,
        )
    axis.text(
        box.left + box.width - 0.09,
        top + MARGIN / 2 + 0.5 * LINE_HEIGHT,
        box.right,
        ha="right",
        va="center",
        fontsize=8.5,
        color=INK,
    )


def _arrow(axis: Axes, x: float, start: float, end: float) -> None:
    axis.annotate(
        "",
        (x, end),
        (x, start),
        arrowprops={"arrowstyle": "-|>", "color": LINE, "lw": 1.1, "shrinkA": 0, "shrinkB": 0},
    )
