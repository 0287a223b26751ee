"""Standardised sites on the device, read as they are needed or kept where they fit.

Legend: N sites of the screen, B of a minibatch, C channels, H = W.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rxrx_lib.data.images import Images
from rxrx_lib.data.loader import minibatches
from rxrx_lib.data.normalization import Statistics
from rxrx_lib.training.augment import standardise
from rxrx_lib.training.hardware import Hardware

Rows = npt.NDArray[np.int64]


class Sites:
    """The sites of a screen as a network sees them.

    Parameters
    ----------
    images
        Where they are read from.
    by
        What each is standardised by, (N, C); None for each by its own pixels.
    hardware
        Whether and where they are kept, and who reads ahead; threads share the reading of one step
        where sites are kept. Its device is resolved already.
    dtype
        Of the values: float32 or float64. They are standardised in float32 all the same.
    """

    def __init__(
        self,
        images: Images,
        by: Statistics | None = None,
        hardware: Hardware | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        hardware = hardware or Hardware(device="cpu")
        self.images = images
        self.by = by
        self.hardware = hardware
        self.device = torch.device(hardware.device)
        self.dtype = dtype
        self.memory_format = (
            torch.channels_last if hardware.channels_last else torch.contiguous_format
        )
        self._pinned = hardware.pinned and self.device.type == "cuda"
        shape = (images.sites, len(images.channels), images.image_size, images.image_size)
        self._kept: Tensor | None = None
        if np.prod(shape, dtype=np.int64) * dtype.itemsize <= hardware.memory_for_sites:
            # Memory that is not written yet: most systems have given none of it then.
            self._kept = torch.empty(
                shape, dtype=dtype, device=self.device, memory_format=self.memory_format
            )
        self._known = np.zeros(images.sites, bool)

    def minibatches(
        self, steps: npt.NDArray[np.int64] | Sequence[Rows]
    ) -> Generator[tuple[Rows, Tensor]]:
        """Give the sites of each step.

        Parameters
        ----------
        steps
            Row positions: int64 (steps, ...), or a sequence of int64 arrays.

        Yields
        ------
        rows
            The step's row positions, (B,).
        sites
            (B, C, H, W) in memory of their own, to be written over at will.

        Raises
        ------
        ImageError
            If a picture cannot be read.
        """
        if self._kept is None:
            yield from self._read(steps)
            return
        for step in steps:
            rows = np.ravel(step)
            yield rows, self._remembered(self._kept, rows)

    def _remembered(self, kept: Tensor, rows: Rows) -> Tensor:
        fresh = np.unique(rows[~self._known[rows]])
        if len(fresh):
            for some, sites in self._read([fresh]):
                kept[torch.from_numpy(some).to(self.device)] = sites
            self._known[fresh] = True
        at = torch.from_numpy(rows).to(self.device)
        if self.memory_format is torch.contiguous_format:
            return kept.index_select(0, at)
        # Along the first axis of what lies in memory, a site is copied as one piece.
        return kept.permute(0, 2, 3, 1).index_select(0, at).permute(0, 3, 1, 2)

    def _read(
        self, steps: npt.NDArray[np.int64] | Sequence[Rows]
    ) -> Generator[tuple[Rows, Tensor]]:
        reading = minibatches(
            self.images, steps, workers=self.hardware.loader_workers, pinned=self._pinned
        )
        with closing(reading):
            for rows, pixels in reading:
                # The next minibatch is read into memory that this copy has left.
                there = pixels.to(self.device, non_blocking=False)
                x = standardise(there, self.by and self.by.of(rows))
                yield rows, x.to(self.dtype).contiguous(memory_format=self.memory_format)
