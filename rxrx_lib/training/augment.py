"""What happens to a minibatch before the network sees it, on whole tensors, on their device.

Legend: B sites, C channels, H rows, W columns of pixels; G groups.
Every draw is keyed by (seed, epoch, step, group), never by process or worker, so a minibatch is
the same whatever reads it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from rxrx_lib.data.normalization import Statistics, reciprocal
from rxrx_lib.data.randomness import generator

ORIENTATIONS = 8
"""The ways to lay a square picture down: four quarter turns, each with and without a flip."""


class Key(NamedTuple):
    """What the draws of a step depend on, beside the group."""

    seed: int
    epoch: int
    step: int


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
    x: Tensor,
    *,
    key: Key,
    group_size: int,
    first_group: int = 0,
    flips: bool,
    mixing: str,
    alpha: float = 1.0,
) -> tuple[Tensor, Mix]:
    """Turn each site at random, and mix sites within groups.

    Parameters
    ----------
    x
        Standardised sites (B, C, H, W), H = W; groups of ``group_size`` follow one another. They
        are written over: go on with what is returned.
    key
        Of the draws.
    group_size
        Sites a group; B is a multiple of it.
    first_group
        Place of the first group in the step's minibatch, of which ``x`` may be one process's part.
    flips
        Whether to lay each site down in one of the eight orientations.
    mixing
        ``cutmix``, ``mixup`` or ``none``, as in :class:`rxrx_lib.training.recipe.Recipe`. Partners
        are of the same group.
    alpha
        Of the Beta distribution that shares are drawn from: one share a group.

    Returns
    -------
    tuple of Tensor and Mix
        The new sites, and the labels' shares.
    """
    groups = len(x) // group_size
    places = range(first_group, first_group + groups)
    draws = [generator("augment", *key, group) for group in places]
    if flips:
        orientation = np.concatenate([rng.integers(ORIENTATIONS, size=group_size) for rng in draws])
        x = oriented(x, orientation)
    partner, weight = np.arange(len(x)), np.ones(len(x), np.float32)
    if mixing != "none":
        mix = {"cutmix": paste_box, "mixup": average}[mixing]
        for group, rng in enumerate(draws):
            here = slice(group * group_size, (group + 1) * group_size)
            order = rng.permutation(group_size)
            partner[here] = order + here.start
            weight[here] = mix(x[here], torch.from_numpy(order).to(x.device), rng, alpha)
    return x, Mix(torch.from_numpy(partner).to(x.device), torch.from_numpy(weight).to(x.device))


def paste_box(group: Tensor, partner: Tensor, rng: np.random.Generator, alpha: float) -> float:
    """CutMix: paste one box of each site's partner over it, in place.

    Parameters
    ----------
    group
        Sites (S, C, H, W).
    partner
        The place of each site's partner in the group, (S,).
    rng, alpha
        Of the box, as in :func:`cutmix_box`.

    Returns
    -------
    float
        The share of each site that stays its own: that of the pixels outside the box.
    """
    height, width = group.shape[2:]
    rows, columns = cutmix_box(rng, height, width, alpha)
    group[:, :, rows, columns] = group[partner, :, rows, columns]
    area: int = (rows.stop - rows.start) * (columns.stop - columns.start)
    return 1 - area / (height * width)


def average(group: Tensor, partner: Tensor, rng: np.random.Generator, alpha: float) -> float:
    """MixUp: replace each site by a weighted mean of it and its partner, in place.

    Parameters and returns as :func:`paste_box`; the share is drawn from Beta(alpha, alpha).

    Notes
    -----
    Zhang et al. 2018, equation 2 [zhang2018mixup]_.
    """
    share = float(np.float32(rng.beta(alpha, alpha)))
    group.copy_(share * group + (1 - share) * group[partner])
    return share


def oriented(x: Tensor, orientation: npt.NDArray[np.int64]) -> Tensor:
    """Lay each site (B, C, H, W) down by its orientation (B,), 0 to 7; 0 leaves it as it is."""
    sites, channels, height, width = x.shape
    place = sources(height, x.device)[torch.from_numpy(orientation).to(x.device)]
    place += (height * width * torch.arange(sites, device=x.device))[:, None]
    # One copy for all: of pixels, whose channels lie together in memory.
    pixels = x.permute(0, 2, 3, 1).reshape(-1, channels).index_select(0, place.reshape(-1))
    y = pixels.reshape(sites, height, width, channels).permute(0, 3, 1, 2)
    last = x.is_contiguous(memory_format=torch.channels_last)
    return y if last else y.contiguous()


@lru_cache(maxsize=2)
def sources(size: int, device: torch.device) -> Tensor:
    """Return which pixel each pixel of a square picture comes from, by orientation, (8, H · W)."""
    pixels = torch.arange(size * size, device=device).reshape(size, size)
    turned = [torch.rot90(pixels, quarters) for quarters in range(4)]
    return torch.stack([*turned, *(each.flip(1) for each in turned)]).reshape(ORIENTATIONS, -1)


def cutmix_box(
    rng: np.random.Generator, height: int, width: int, alpha: float = 1.0
) -> tuple[slice, slice]:
    """Draw a CutMix box: area from Beta(alpha, alpha), centre anywhere, clipped at the border.

    Returns
    -------
    tuple of slice
        Rows and columns; the box may be empty.

    Notes
    -----
    Yun et al. 2019, equation 2 [yun2019cutmix]_.
    """
    side = np.sqrt(rng.beta(alpha, alpha))
    return _interval(rng, height, side), _interval(rng, width, side)


def mixed_cross_entropy(
    logits: Tensor, target: Tensor, mix: Mix, here: slice = slice(None)
) -> Tensor:
    """Return each site's cross-entropy against its mixed label, in nats, (B,).

    Parameters
    ----------
    logits
        Of the sites ``here``, (B, K); computed in float32 at least.
    target
        Class of each site of the whole minibatch, int64.
    mix
        The labels' shares, of the whole minibatch.
    here
        Which of its sites are asked for.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    own = F.cross_entropy(logits, target[here], reduction="none")
    other = F.cross_entropy(logits, target[mix.partner[here]], reduction="none")
    return mix.weight[here] * own + (1 - mix.weight[here]) * other


def _interval(rng: np.random.Generator, length: int, share: float) -> slice:
    centre, half = rng.integers(length), int(length * share) // 2
    return slice(max(0, centre - half), min(length, centre + half))
