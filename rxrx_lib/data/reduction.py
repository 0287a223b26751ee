"""Pictures made smaller before they are packed: fewer channels, one pixel for a block of pixels.

Shapes: N sites of the screen, B sites asked for, C channels kept, H = W after, n the block's side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxrx_lib.data import png_tree
from rxrx_lib.data.png_tree import CHANNELS, Pixels, PngTree, Rows


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """What is kept of a screen's pictures; by default everything.

    Attributes
    ----------
    channels : tuple of int, optional
        The channels to keep, in increasing order; None keeps those that the screen has.
    downsample : int
        The side n of the square blocks of pixels whose rounded mean becomes one pixel.
    """

    channels: tuple[int, ...] | None = None
    downsample: int = 1

    def __post_init__(self) -> None:
        if self.downsample < 1:
            raise ValueError(f"downsample is {self.downsample}; expected at least 1.")
        if self.channels is not None and (
            not self.channels
            or not set(self.channels) <= set(CHANNELS)
            or list(self.channels) != sorted(set(self.channels))
        ):
            raise ValueError(
                f"channels is {self.channels}; expected some of {CHANNELS[0]} to {CHANNELS[-1]}, "
                "each once and in increasing order."
            )

    def of(self, pixels: Pixels, held: tuple[int, ...]) -> Pixels:
        """Reduce the pixels (C held, H before, W before) of one site, in the channels `held`."""
        if self.channels is not None:
            pixels = pixels[[held.index(channel) for channel in self.channels]]
        return block_means(pixels, self.downsample)


@dataclass(frozen=True)
class ReducedPngs:
    """A screen's PNGs as a reduction shows them; they are read like `PngTree`.

    Attributes
    ----------
    tree : PngTree
        The PNGs.
    reduction : Reduction
        What is kept of them.

    Raises
    ------
    ValueError
        If the screen lacks a channel, or the blocks do not fill the picture.
    """

    tree: PngTree
    reduction: Reduction

    def __post_init__(self) -> None:
        png_tree.asked_channels(self.reduction.channels, self.tree.channels)
        if self.tree.image_size % self.reduction.downsample:
            raise ValueError(
                f"downsample is {self.reduction.downsample}; expected a divisor of the pictures' "
                f"{self.tree.image_size} pixels a side."
            )

    @property
    def sites(self) -> int:
        """Number of sites N."""
        return self.tree.sites

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels that are kept."""
        return self.reduction.channels or self.tree.channels

    @property
    def image_size(self) -> int:
        """H and W in pixels."""
        return self.tree.image_size // self.reduction.downsample

    def read(self, rows: Rows, room: Pixels | None = None) -> Pixels:
        """Return sites (B, C, H, W); only the PNGs of the channels kept are read.

        `room`, for pictures that are not reduced yet, saves taking memory anew each time.
        """
        pixels = self.tree.read(rows, self.channels, room)
        return block_means(pixels, self.reduction.downsample)


def block_means(pixels: Pixels, side: int) -> Pixels:
    """Return the mean of each block of `side` × `side` pixels, rounded, a half to the even number.

    Parameters
    ----------
    pixels : uint8 (…, H · side, W · side)
    side : int
        n.

    Returns
    -------
    uint8 (…, H, W)
    """
    if side == 1:
        return pixels
    *before, height, width = pixels.shape
    lines = pixels.reshape(*before, height // side, side, width).sum(-2, dtype=np.uint32)
    sums = np.add.reduceat(lines, range(0, width, side), axis=-1, dtype=np.uint64)
    return np.rint(sums / side**2).astype(np.uint8)
