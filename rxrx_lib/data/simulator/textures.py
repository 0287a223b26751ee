"""Tileable random textures from which chromatin, organelles, fibres and holes are cut."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.data.randomness import generator

Floats = NDArray[np.float32]

SIDE = 512  # release pixels; a power of two, so that wrapping round is a bit mask
FINE = ("chromatin", "reticulum", "granules", "fibres", "vesicles")
PIXEL_FOOTPRINT = 0.35  # sd, in pixels, of the Gaussian that stands for a pixel's area


class Textures(NamedTuple):
    """Textures at one size of pixel, sampled at release pixels.

    Parameters
    ----------
    fine : (SIDE * SIDE, 5) float32 array
        The textures named in `FINE`, one row a position.
    warp : (SIDE, SIDE) float32 array
        Gentle waves, mean 0 and sd 1, that make outlines irregular.
    room : (SIDE, SIDE) float32 array
        Broad waves, mean 0 and sd 1: where cells gather and where they leave holes.
    """

    fine: Floats
    warp: Floats
    room: Floats


@lru_cache(maxsize=4)
def textures(pixel_size: float) -> Textures:
    """Return the textures as a camera with pixels of this size sees them.

    Parameters
    ----------
    pixel_size : float
        Release pixels per pixel; detail finer than that is averaged away.
    """
    fine = [_chromatin(), _reticulum(), _granules(), _fibres(), _vesicles()]
    seen = [_smooth(texture, PIXEL_FOOTPRINT * pixel_size) for texture in fine]
    return Textures(
        fine=np.stack(seen, axis=-1).reshape(SIDE * SIDE, len(FINE)).astype(np.float32),
        warp=_waves("warp", 11.0).astype(np.float32),
        room=_waves("room", 45.0).astype(np.float32),
    )


def _chromatin() -> NDArray[np.float64]:
    return _waves("chromatin", 1.8) * 0.6 + _waves("chromatin, coarse", 4.0) * 0.6


def _reticulum() -> NDArray[np.float64]:
    return _waves("reticulum", 1.5) * 0.6 + _waves("reticulum, coarse", 4.5) * 0.8


def _granules() -> NDArray[np.float64]:
    """Bright grains and short threads on a dim ground; mean 1."""
    ridges = np.exp(1.1 * _waves("granules", 1.5) + 0.6 * _waves("granules, coarse", 4.0))
    return np.asarray(ridges / ridges.mean())


def _fibres() -> NDArray[np.float64]:
    """Thin bundles along the first axis of a cell; mean 1."""
    thin = np.maximum(_waves("fibres", 22.0, across=1.0) - 0.7, 0)
    bundles = np.maximum(_waves("bundles", 30.0, across=2.4) - 0.7, 0) * 0.6
    return np.asarray((thin + bundles) / (thin + bundles).mean())


def _vesicles() -> NDArray[np.float64]:
    """Few small bright spots; mean 1."""
    spots = np.maximum(_waves("vesicles", 1.2) - 2.2, 0)
    return np.asarray(spots / spots.mean())


def _waves(name: str, along: float, across: float | None = None) -> NDArray[np.float64]:
    """Return Gaussian noise smoothed to these lengths (release pixels); mean 0, sd 1."""
    noise = generator("texture", name).standard_normal((SIDE, SIDE))
    waves = _smooth(noise, along if across is None else across, along)
    return np.asarray((waves - waves.mean()) / waves.std())


def _smooth(
    texture: NDArray[np.float64], down: float, right: float | None = None
) -> NDArray[np.float64]:
    """Blur round the edges by a Gaussian of these sds in release pixels."""
    right = down if right is None else right
    y = np.exp(-2 * (np.pi * np.fft.fftfreq(SIDE) * down) ** 2)
    x = np.exp(-2 * (np.pi * np.fft.rfftfreq(SIDE) * right) ** 2)
    spectrum = np.fft.rfft2(texture) * y[:, None] * x
    return np.fft.irfft2(spectrum, s=texture.shape)
