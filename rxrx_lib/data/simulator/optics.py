"""From stains to grey levels: bleed-through, focus, haze, illumination, gain, camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.data.simulator import tables
from rxrx_lib.data.simulator.cell_types import CellType
from rxrx_lib.data.simulator.technical import ExperimentEffects

Floats = NDArray[np.float32]
Doubles = NDArray[np.floating[Any]]

HAZE_WIDTH = 45.0  # release pixels
HAZE_GRID = 8  # haze is so smooth that a grid of 8 x 8 carries it
FIELD = 512.0  # release pixels
READ_NOISE = 0.2  # grey levels
SHOT_NOISE = 0.008  # variance per grey level


@dataclass(frozen=True, kw_only=True, eq=False)
class Camera:
    """Microscope and camera as they stood for one plate of one experiment.

    Parameters
    ----------
    mixing : (6, 6) array
        Stains (columns) seen in channels (rows).
    focus, focus_across : (6, H, H) arrays
        Blur down the columns as a matrix, for each channel; and the same transposed, for the rows.
    gather, scatter : (grid, H) and (H, grid) arrays
        Mean over blocks, and their smooth spread back over the picture.
    haze : float
        Share of light out of focus.
    illumination : (6, H, W) array
        Relative brightness of the light.
    gamma, gain, background : (6, 1, 1) arrays
        Grey level = background + gain * light ** gamma.
    noise : float
        Factor on the noise.
    """

    mixing: Floats
    focus: Floats
    focus_across: Floats
    gather: Floats
    scatter: Floats
    haze: float
    illumination: Floats
    gamma: Floats
    gain: Floats
    background: Floats
    noise: float


def camera(
    kind: CellType, effects: ExperimentEffects, plate: int, image_size: int, pixel_size: float
) -> Camera:
    """Set up the camera of one plate.

    Parameters
    ----------
    kind : CellType
        Gives the typical signal and background of each channel.
    effects : ExperimentEffects
        What the experiment makes of them.
    plate : int
        Plate, counted from 1.
    image_size : int
        Height and width in pixels.
    pixel_size : float
        Release pixels per pixel.
    """
    place = (np.arange(image_size) + 0.5) * pixel_size
    blocks = np.array_split(np.arange(image_size), HAZE_GRID)
    gather = np.zeros((HAZE_GRID, image_size))
    for row, block in enumerate(blocks):
        gather[row, block] = 1 / len(block)
    focus = _single([_spread(place, place, width) for width in effects.blur])
    gain = np.array(kind.signal) * effects.gain * effects.plate_gain[plate - 1]
    return Camera(
        mixing=_single(effects.bleed_through),
        focus=focus,
        focus_across=np.ascontiguousarray(focus.transpose(0, 2, 1)),  # its product is faster so
        gather=_single(gather),
        scatter=_single(_spread(place, gather @ place, HAZE_WIDTH)),
        haze=effects.haze,
        illumination=_illumination(effects.unevenness, place),
        gamma=_single(effects.gamma)[:, None, None],
        gain=_single(gain)[:, None, None],
        background=_single(kind.background * effects.background)[:, None, None],
        noise=effects.noise,
    )


def photograph(stains: Floats, camera: Camera, random: np.random.Generator) -> NDArray[np.uint8]:
    """Take the picture.

    Parameters
    ----------
    stains : (6, H, W) float32 array
        Amount of each stain.
    camera : Camera
        The camera of the plate.
    random : numpy.random.Generator
        Source of the camera's noise.

    Returns
    -------
    (6, H, W) uint8 array
        Grey levels.
    """
    light = (camera.mixing @ stains.reshape(6, -1)).reshape(stains.shape)
    haze = camera.scatter @ (camera.gather @ light @ camera.gather.T) @ camera.scatter.T
    light = camera.focus @ light @ camera.focus_across
    haze -= light
    haze *= camera.haze
    light += haze
    light *= camera.illumination
    np.clip(light, 1e-4, np.inf, out=light)
    # In place from here on: half of the time went into fresh memory.
    grey: Floats = np.power(light, camera.gamma, out=light)
    grey *= camera.gain
    grey += camera.background
    noise = SHOT_NOISE * grey
    noise += READ_NOISE**2
    np.sqrt(noise, out=noise)
    noise *= camera.noise
    _multiply_by_grains(noise, random)
    grey += noise
    np.rint(grey, out=grey)
    np.clip(grey, 0, 255, out=grey)
    return grey.astype(np.uint8)


def _multiply_by_grains(noise: Floats, random: np.random.Generator) -> None:
    """Multiply by standard normal numbers, a piece of one long table for each channel, in place."""
    table = tables.normals(noise[0].size)
    for plane, start in zip(noise, random.integers(0, tables.STARTS, len(noise)), strict=True):
        plane *= table[start : start + plane.size].reshape(plane.shape)


def _spread(to: Doubles, source: Doubles, width: float) -> Floats:
    """Return the matrix of a Gaussian blur from some places to others, rows summing to 1."""
    weight = np.exp(-0.5 * ((to[:, None] - source) / width) ** 2)
    # No picture shows them, and numbers near the smallest float make a product ten times slower.
    weight[weight < 1e-30] = 0
    return _single(weight / weight.sum(axis=1, keepdims=True))


def _illumination(unevenness: Doubles, place: Doubles) -> Floats:
    """Return a plane and a bowl over the field, of which the view is the middle."""
    at = (place - place.mean()) / (FIELD / 2)
    down, right, bowl = unevenness.T[:, :, None, None]
    field = 1 + down * at[:, None] + right * at + bowl * (at[:, None] ** 2 + at**2)
    return _single(np.maximum(field, 0.2))


def _single(values: object) -> Floats:
    return np.asarray(values, dtype=np.float32)
