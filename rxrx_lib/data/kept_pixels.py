"""What was computed from a screen's pixels, kept in its folder while these are the same."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rxrx_lib.data import atomic, png_tree
from rxrx_lib.data.images import Images, PackedImages

# What NumPy raises for an .npz file that is not as it was written.
DAMAGED = (OSError, RuntimeError, ValueError, LookupError, EOFError, zlib.error, zipfile.BadZipFile)


def pixels_identity(images: Images) -> str:
    """Return what changes whenever the pixels may change.

    A packed store is known by the hash of its pixels, PNGs by `png_tree.fingerprint`.
    """
    shape = (images.sites, *images.channels, images.image_size)
    if isinstance(images, PackedImages):
        return f"packed {shape} {images.content_hash}"
    return f"png {shape} {png_tree.fingerprint(images, range(images.sites))}"


def read_kept(path: Path, identity: str, *names: str) -> list[npt.NDArray[Any]] | None:
    """Return arrays by name, or None if they are of other pixels, damaged or not there."""
    try:
        with np.load(path) as kept:
            if str(kept["identity"]) != identity:
                return None
            return [kept[name] for name in names]
    except DAMAGED:
        return None


def keep(path: Path, identity: str, **arrays: npt.NDArray[Any]) -> None:
    """Write arrays that `read_kept` gives back to whoever comes with the same identity.

    Warns
    -----
    UserWarning
        If the file cannot be written.
    """
    try:
        with atomic.replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, identity=np.asarray(identity), **arrays)
    except OSError as error:
        warnings.warn(
            f"{path} cannot be written ({error}); expected to keep there what was computed from "
            "all pixels: make its folder writable, or they are read for it each time.",
            stacklevel=3,
        )
