"""Random numbers that depend on what they are for, and on nothing that was drawn before."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def generator(*key: int | str) -> np.random.Generator:
    """Return the generator that belongs to a key.

    Parameters
    ----------
    *key : int or str
        The purpose first, then what distinguishes one draw from another: seed, epoch, cell type.

    Returns
    -------
    numpy.random.Generator
        Seeded from the SHA-256 of the key, so one purpose cannot shift the draws of another, and
        resuming needs no saved state. Equal keys give equal draws.
    """
    text = json.dumps(key)
    return np.random.default_rng(np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint32))
