"""Tileable random textures from which chromatin, organelles, fibres and holes are cut."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.data.randomness import generator

Floats = NDArray[np.float32]

SIDE = 512  # release pixels; a power of two, so that wrapping round is a bit mask
FINE = ("chromatin", "reticulum", "granules", "fibres", "vesicles", "mesh")
WARP = 2.0  # release pixels by which shapes wave
LOBES = 6.0  # release pixels by which outlines of cells wave besides
PIXEL_FOOTPRINT = 0.35  # sd, in pixels, of the Gaussian that stands for a pixel's area


class Textures(NamedTuple):
    """Textures at one size of pixel, sampled at release pixels.

    Parameters
    ----------
    fine : (SIDE * SIDE, 6) float32 array
        The textures named in `FINE`, one row a position.
    warp, lobes : (SIDE, SIDE) float32 arrays
        Gentle and broader waves in release pixels, that make shapes and outlines irregular.
    room : (SIDE, SIDE) float32 array
        Broad waves, mean 0 and sd 1: where cells gather and where they leave holes.
    """

    fine: Floats
    warp: Floats
    lobes: Floats
    room: Floats


@lru_cache(maxsize=4)
def textures(pixel_size: float) -> Textures:
    """Return the textures as a camera with pixels of this size sees them.

    Parameters
    ----------
    pixel_size : float
        Release pixels per pixel; detail finer than that is averaged away.
    """
    fine = [_chromatin(), _reticulum(), _granules(), _fibres(), _vesicles(), _mesh()]
    seen = [_smooth(texture, PIXEL_FOOTPRINT * pixel_size) for texture in fine]
    return Textures(
        fine=np.stack(seen, axis=-1).reshape(SIDE * SIDE, len(FINE)).astype(np.float32),
        warp=(WARP * _waves("warp", 11.0)).astype(np.float32),
        lobes=(LOBES * _waves("lobes", 24.0)).astype(np.float32),
        room=_waves("room", 45.0).astype(np.float32),
    )


def _chromatin() -> NDArray[np.float64]:
    return _waves("chromatin", 1.5) * 0.6 + _waves("chromatin, coarse", 4.0) * 0.6


def _reticulum() -> NDArray[np.float64]:
    return _waves("reticulum", 1.5) * 0.6 + _waves("reticulum, coarse", 4.5) * 0.8


def _granules() -> NDArray[np.float64]:
    """Bright grains and short threads on a dim ground; mean 1."""
    ridges = np.exp(0.6 * _waves("granules", 2.2) + 0.6 * _waves("granules, coarse", 5.5))
    return np.asarray(ridges / ridges.mean())


def _fibres() -> NDArray[np.float64]:
    """Thin bundles, most of them about along the first axis of a cell; mean 1."""
    bundles = [
        np.maximum(_waves(f"fibres {turn}", 18.0, across=1.5, turn=turn) - 0.8, 0)
        for turn in (-0.35, 0.0, 0.3)
    ]
    fibres = np.sum(bundles, axis=0)
    return np.asarray(fibres / fibres.mean())


def _mesh() -> NDArray[np.float64]:
    """Fine filaments that cross in all directions: the ridges of noise; mean 0, sd 1."""
    ridges = [np.exp(-np.abs(_waves(f"mesh {scale}", scale)) / 0.35) for scale in (3.0, 5.5)]
    mesh = np.sum(ridges, axis=0)
    return np.asarray((mesh - mesh.mean()) / mesh.std())


def _vesicles() -> NDArray[np.float64]:
    """Small bright spots; mean 1."""
    spots = np.maximum(_waves("vesicles", 1.1) - 1.6, 0)
    return np.asarray(spots / spots.mean())


def _waves(
    name: str, along: float, across: float | None = None, turn: float = 0.0
) -> NDArray[np.float64]:
    """Return Gaussian noise smoothed to these lengths (release pixels); mean 0, sd 1.

    `along` is the length in the direction that lies `turn` (radians) from the first axis of a cell.
    """
    noise = generator("texture", name).standard_normal((SIDE, SIDE))
    waves = _smooth(noise, along if across is None else across, along, turn)
    return np.asarray((waves - waves.mean()) / waves.std())


def _smooth(
    texture: NDArray[np.float64], across: float, along: float | None = None, turn: float = 0.0
) -> NDArray[np.float64]:
    """Blur round the edges by a Gaussian of these sds in release pixels."""
    along = across if along is None else along
    down, right = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)
    u = np.cos(turn) * right + np.sin(turn) * down
    v = np.cos(turn) * down - np.sin(turn) * right
    blur = np.exp(-2 * np.pi**2 * ((u * along) ** 2 + (v * across) ** 2))
    return np.fft.irfft2(np.fft.rfft2(texture) * blur, s=texture.shape)
