"""What happens to a minibatch before the network sees it, on whole tensors, on their device.

Legend: B sites, C channels, H rows, W columns of pixels; G groups.
Every draw is keyed by (seed, epoch, step, group), never by process or worker, so a minibatch is
the same whatever reads it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rxrx_lib.data.normalization import Statistics, reciprocal
from rxrx_lib.data.randomness import generator

ORIENTATIONS = 8
"""The ways to lay a square picture down: four quarter turns, each with and without a flip."""


class Mix(NamedTuple):
    """Whose label each site carries beside its own."""

    partner: Tensor
    """Position in the minibatch of the site that was mixed in, (B,)."""
    weight: Tensor
    """Share of the site's own label, (B,), 0 to 1."""


def standardise(pixels: Tensor, by: Statistics | None = None) -> Tensor:
    """Subtract a mean and divide by a standard deviation, each channel of each site.

    Parameters
    ----------
    pixels
        Grey levels (B, C, H, W), uint8.
    by
        The statistics of these sites, (B, C); None for each site's own, which are taken from its
        pixels here and give it mean 0 and standard deviation 1.

    Returns
    -------
    Tensor
        float32, (B, C, H, W), channels last in memory; a channel without contrast, in the site or
        in the sites that its statistics are of, becomes 0.
    """
    x = pixels.to(torch.float32)
    if by is None:
        x = F.instance_norm(x, eps=1e-12)
    else:
        # The division is in float64, which not every device has.
        mean, factor = (
            torch.from_numpy(values.astype(np.float32)).to(x.device)[:, :, None, None]
            for values in (by.mean, reciprocal(by.std))
        )
        x = x.sub_(mean).mul_(factor)
    return x.contiguous(memory_format=torch.channels_last)


def augment(
    x: Tensor, *, seed: int, epoch: int, step: int, group_size: int, flips: bool, cutmix: bool
) -> tuple[Tensor, Mix]:
    """Turn each site at random, and mix sites within groups.

    Parameters
    ----------
    x
        Standardised sites (B, C, H, W), H = W; groups of ``group_size`` follow one another.
    seed, epoch, step
        Key of the draws.
    group_size
        Sites a group; B is a multiple of it.
    flips
        Whether to lay each site down in one of the eight orientations.
    cutmix
        Whether to paste one box a group from partners of the same group.

    Returns
    -------
    tuple of Tensor and Mix
        The new sites, and the labels' shares.
    """
    groups = len(x) // group_size
    draws = [generator("augment", seed, epoch, step, group) for group in range(groups)]
    if flips:
        orientation = np.concatenate([rng.integers(ORIENTATIONS, size=group_size) for rng in draws])
        x = oriented(x, torch.from_numpy(orientation).to(x.device))
    else:
        x = x.clone()  # CutMix pastes in place
    partner = torch.arange(len(x), device=x.device)
    weight = torch.ones(len(x), device=x.device)
    if cutmix:
        for group, rng in enumerate(draws):
            here = slice(group * group_size, (group + 1) * group_size)
            order = torch.from_numpy(rng.permutation(group_size)).to(x.device)
            partner[here] = order + here.start
            rows, columns = cutmix_box(rng, x.shape[2], x.shape[3])
            x[here, :, rows, columns] = x[here, :, rows, columns][order]
            area = (rows.stop - rows.start) * (columns.stop - columns.start)
            weight[here] = 1 - area / (x.shape[2] * x.shape[3])
    return x, Mix(partner, weight)


def oriented(x: Tensor, orientation: Tensor) -> Tensor:
    """Lay each site (B, C, H, W) down by its orientation (B,), 0 to 7; 0 leaves it as it is."""
    y = x.clone()
    for code in range(1, ORIENTATIONS):
        chosen = (orientation == code).nonzero().squeeze(1)
        turned = torch.rot90(x[chosen], code % 4, dims=(2, 3))
        y[chosen] = turned.flip(3) if code >= 4 else turned
    return y


def cutmix_box(rng: np.random.Generator, height: int, width: int) -> tuple[slice, slice]:
    """Draw a CutMix box: area share from Beta(1, 1), centre anywhere, clipped at the border.

    Returns
    -------
    tuple of slice
        Rows and columns; the box may be empty.

    Notes
    -----
    Yun et al. 2019, equation 2 [yun2019cutmix]_.
    """
    side = np.sqrt(rng.beta(1.0, 1.0))
    return _interval(rng, height, side), _interval(rng, width, side)


def mixed_cross_entropy(logits: Tensor, target: Tensor, mix: Mix) -> Tensor:
    """Return the cross-entropy against the mixed labels, mean over sites.

    Parameters
    ----------
    logits
        (B, K).
    target
        Class of each site, (B,), int64.
    mix
        The labels' shares.
    """
    own = F.cross_entropy(logits, target, reduction="none")
    other = F.cross_entropy(logits, target[mix.partner], reduction="none")
    return (mix.weight * own + (1 - mix.weight) * other).mean()


def _interval(rng: np.random.Generator, length: int, share: float) -> slice:
    centre, half = rng.integers(length), int(length * share) // 2
    return slice(max(0, centre - half), min(length, centre + half))
