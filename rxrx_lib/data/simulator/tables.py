"""Long tables of random numbers, of which every cell and every picture cuts its own piece.

Drawing afresh what a screen needs would be a tenth of all rendering time; and a cell that is known
by where its piece begins stays the same cell whatever is drawn for the others.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rxrx_lib.data.randomness import generator

Floats = NDArray[np.float32]

STARTS = 1 << 18
"""Places at which a piece may begin."""


@lru_cache(maxsize=4)
def normals(longest: int) -> Floats:
    """Return standard normal numbers, (STARTS + longest,): any piece so long can be cut."""
    return generator("camera noise").standard_normal(STARTS + longest, dtype=np.float32)


@lru_cache(maxsize=1)
def uniforms(longest: int) -> Floats:
    """Return uniform numbers from 0 to below 1, (STARTS + longest,)."""
    return generator("uniform table").random(STARTS + longest, dtype=np.float32)
