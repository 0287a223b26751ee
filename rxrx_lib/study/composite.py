"""Six grey channels as one colour picture, in the colours and on the scale of the release.

Each channel is a light of its own colour; the lights add up, and what is brighter than the screen
can show is cut off. Colours and white points are those of Recursion's ``rxrx1-utils`` (``RGB_MAP``
in ``rxrx/io.py``), and the colours are those that the caption of the paper's figure 2 names. The
scale is fixed, so a picture that is darker here is darker in its file.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

Picture = npt.NDArray[np.uint8]


class Light(NamedTuple):
    """How one channel is shown."""

    channel: int
    """Counted from 1."""
    organelle: str
    stain: str
    colour_name: str
    colour: tuple[int, int, int]
    """Red, green, blue, 0 to 255."""
    white_point: int
    """Grey level that is shown at full strength."""


LIGHTS = (
    Light(1, "nuclei", "Hoechst 33342", "blue", (19, 0, 249), 51),
    Light(2, "ER", "Concanavalin A", "green", (42, 255, 31), 107),
    Light(3, "actin", "Phalloidin", "red", (255, 0, 25), 64),
    Light(4, "nucleoli, RNA", "Syto14", "cyan", (45, 255, 252), 191),
    Light(5, "mitochondria", "MitoTracker Deep Red", "magenta", (250, 0, 253), 89),
    Light(6, "Golgi", "Agglutinin", "yellow", (254, 255, 40), 191),
)
"""The release's six channels, in order."""


def composite(site: Picture) -> Picture:
    """Add the six channels up in their colours.

    Parameters
    ----------
    site
        Grey levels, (6, H, W).

    Returns
    -------
    ndarray
        Red, green and blue, (H, W, 3).
    """
    lights = sum(_lit(picture, light) for picture, light in zip(site, LIGHTS, strict=True))
    return _shown(np.asarray(lights))


def coloured(picture: npt.NDArray[np.number], light: Light) -> Picture:
    """Show one channel alone, grey levels (H, W), in its colour: (H, W, 3)."""
    return _shown(_lit(picture, light))


def light_panel() -> pd.DataFrame:
    """Return the channels and how they are shown, in words."""
    rows = [
        (f"{light.channel} {light.organelle}", light.stain, light.colour_name, light.white_point)
        for light in LIGHTS
    ]
    return pd.DataFrame(rows, columns=["channel", "stain", "colour", "white point"])


def _lit(picture: npt.NDArray[np.number], light: Light) -> npt.NDArray[np.float64]:
    strength = np.minimum(picture / light.white_point, 1.0)
    return np.asarray(strength[..., np.newaxis] * np.array(light.colour), dtype=np.float64)


def _shown(lights: npt.NDArray[np.float64]) -> Picture:
    return np.minimum(lights, 255).astype(np.uint8)
