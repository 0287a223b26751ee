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
    at: Tensor | None = None,
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
        Standardised sites (N, C, H, W), H = W.
    at
        Which of them make up the minibatch, (B,); by default all. Groups of ``group_size`` follow
        one another.
    key
        Of the draws.
    group_size
        Sites a group; B is a multiple of it.
    first_group
        Place of the first group in the step's minibatch, of which this may be one process's part.
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
        The new sites (B, C, H, W) in memory of their own, and the labels' shares.
    """
    if at is None or not x.is_contiguous(memory_format=torch.channels_last):
        x = x if at is None else x.index_select(0, at)
        at = torch.arange(len(x), device=x.device)
    places = range(first_group, first_group + len(at) // group_size)
    draws = [generator("augment", *key, group) for group in places]
    orientation = np.zeros((len(draws), group_size), np.int64)
    if flips:
        orientation[:] = [rng.integers(ORIENTATIONS, size=group_size) for rng in draws]
    # Turning and pasting move the numbers of pixels: the pixels themselves are copied once.
    size = x.shape[3]
    place = sources(size, x.device)[torch.from_numpy(orientation.ravel()).to(x.device)]
    place += (size * size * at)[:, None, None]
    groups = [slice(start, start + group_size) for start in range(0, len(at), group_size)]
    partner, weight = np.arange(len(at)), np.ones(len(at), np.float32)
    if mixing != "none":
        for here, rng in zip(groups, draws, strict=True):
            partner[here] = here.start + rng.permutation(group_size)
            if mixing == "cutmix":
                weight[here] = paste_box(place, here, partner[here], rng, alpha)
            else:
                weight[here] = np.float32(rng.beta(alpha, alpha))
    mix = Mix(torch.from_numpy(partner).to(x.device), torch.from_numpy(weight).to(x.device))
    y = pixels_at(x, place)
    return (averaged(y, mix) if mixing == "mixup" else y), mix


def paste_box(
    place: Tensor,
    group: slice,
    partner: npt.NDArray[np.int64],
    rng: np.random.Generator,
    alpha: float,
) -> float:
    """CutMix: paste one box of each site's partner over it, in place.

    Parameters
    ----------
    place
        Where the pixels of all sites come from, (B, H, W).
    group
        Which of the sites.
    partner
        The position of each one's partner among all, (S,).
    rng, alpha
        Of the box, as in :func:`cutmix_box`.

    Returns
    -------
    float
        The share of each site that stays its own: that of the pixels outside the box.
    """
    height, width = place.shape[1:]
    rows, columns = cutmix_box(rng, height, width, alpha)
    place[group, rows, columns] = place[torch.from_numpy(partner).to(place.device), rows, columns]
    area: int = (rows.stop - rows.start) * (columns.stop - columns.start)
    return 1 - area / (height * width)


def averaged(x: Tensor, mix: Mix) -> Tensor:
    """MixUp: return each site's weighted mean with its partner, (B, C, H, W).

    Notes
    -----
    Zhang et al. 2018, equation 2 [zhang2018mixup]_.
    """
    weight = mix.weight.to(x.dtype)[:, None, None, None]
    return weight * x + (1 - weight) * x[mix.partner]


def pixels_at(x: Tensor, place: Tensor) -> Tensor:
    """Return pictures (B, C, H, W) of pixels of the sites ``x`` (N, C, H, W), laid out as they are.

    ``place`` (B, H, W) numbers the pixels of all sites, which follow one another.
    """
    sites, height, width = place.shape
    # Of pixels, whose channels lie together in memory.
    pixels = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).index_select(0, place.ravel())
    y = pixels.reshape(sites, height, width, -1).permute(0, 3, 1, 2)
    return y if x.is_contiguous(memory_format=torch.channels_last) else y.contiguous()


@lru_cache(maxsize=2)
def sources(size: int, device: torch.device) -> Tensor:
    """Return which pixel each pixel of a square picture comes from, by orientation, (8, H, W)."""
    pixels = torch.arange(size * size, device=device).reshape(size, size)
    turned = [torch.rot90(pixels, quarters) for quarters in range(4)]
    return torch.stack([*turned, *(each.flip(1) for each in turned)])


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
