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
    return np.random.default_rng(np.frombuffer(_digest(key), np.uint32))


def number(*key: int | str) -> int:
    """Return the number, 0 to 2^63 - 1, that belongs to a key: a seed for other generators."""
    return int.from_bytes(_digest(key)[:8], "little") >> 1


def _digest(key: tuple[int | str, ...]) -> bytes:
    return hashlib.sha256(json.dumps(key).encode()).digest()
