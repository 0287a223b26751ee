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
    channels
        Which of the images' channels, counted from 1, in this order; all by default. The columns
        of ``by`` are theirs.
    """

    def __init__(
        self,
        images: Images,
        by: Statistics | None = None,
        hardware: Hardware | None = None,
        dtype: torch.dtype = torch.float32,
        channels: Sequence[int] | None = None,
    ) -> None:
        hardware = hardware or Hardware(device="cpu")
        self.images = images
        self.by = by
        self.channels = tuple(images.channels if channels is None else channels)
        self.hardware = hardware
        self.device = torch.device(hardware.device)
        self.dtype = dtype
        self.memory_format = (
            torch.channels_last if hardware.channels_last else torch.contiguous_format
        )
        self._pinned = hardware.pinned and self.device.type == "cuda"
        shape = (images.sites, len(self.channels), images.image_size, images.image_size)
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
        for rows, sites, at in self.where(steps):
            if at is None:
                yield rows, sites
            elif self.memory_format is torch.contiguous_format:
                yield rows, sites.index_select(0, at)
            else:
                # Along the first axis of what lies in memory, a site is copied as one piece.
                yield rows, sites.permute(0, 2, 3, 1).index_select(0, at).permute(0, 3, 1, 2)

    def where(
        self, steps: npt.NDArray[np.int64] | Sequence[Rows]
    ) -> Generator[tuple[Rows, Tensor, Tensor | None]]:
        """Give the sites of each step without a copy of those that are kept.

        Parameters and errors as :meth:`minibatches`.

        Yields
        ------
        rows
            The step's row positions, (B,).
        sites
            All that are kept, (N, C, H, W), not to be written over; or those of the step.
        at
            Which of them are the step's, (B,); None for all.
        """
        if self._kept is None:
            yield from ((rows, sites, None) for rows, sites in self._read(steps))
            return
        for step in steps:
            rows = np.ravel(step)
            self._keep(self._kept, rows)
            yield rows, self._kept, torch.from_numpy(rows).to(self.device)

    def _keep(self, kept: Tensor, rows: Rows) -> None:
        fresh = np.unique(rows[~self._known[rows]])
        if len(fresh):
            for some, sites in self._read([fresh]):
                kept[torch.from_numpy(some).to(self.device)] = sites
            self._known[fresh] = True

    def _read(
        self, steps: npt.NDArray[np.int64] | Sequence[Rows]
    ) -> Generator[tuple[Rows, Tensor]]:
        reading = minibatches(
            self.images,
            steps,
            workers=self.hardware.loader_workers,
            pinned=self._pinned,
            channels=self.channels,
        )
        with closing(reading):
            for rows, pixels in reading:
                # The next minibatch is read into memory that this copy has left.
                there = pixels.to(self.device, non_blocking=False)
                x = standardise(there, self.by and self.by.of(rows))
                yield rows, x.to(self.dtype).contiguous(memory_format=self.memory_format)
