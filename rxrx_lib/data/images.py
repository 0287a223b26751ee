"""The pixels of a screen, however they are kept: the packed store or the PNG tree."""

from __future__ import annotations

from pathlib import Path

from rxrx_lib.data import metadata, packed_store, png_tree
from rxrx_lib.data.packed_store import PackedImages
from rxrx_lib.data.packing import pack
from rxrx_lib.data.png_tree import CHANNELS, ImageError, PngTree, site_paths

__all__ = [
    "CHANNELS",
    "ImageError",
    "Images",
    "PackedImages",
    "PngTree",
    "open_images",
    "pack",
    "site_paths",
]

Images = PngTree | PackedImages


def open_images(root: Path | str) -> Images:
    """Open the images of a screen: the packed store where there is one, else the PNGs.

    The result has `sites` (N), `image_size` (pixels), `channels` and
    `read(rows, channels=None, out=None) -> uint8 (B, C, H, W)`: `rows` are positions in the
    metadata's order, in any order and repeated at will; `channels` count from 1 and come in the
    order asked for (default: all that the screen has, 1 to 6, or 1 to 3 in RxRx1-WILDS); `out` is
    an array of just that type and shape to fill and return, else a new one is. It can be pickled,
    and several processes can read at once.

    Parameters
    ----------
    root : path
        Folder of the screen, with its metadata. The PNGs lie in `images`; Kaggle's in `train` and
        `test`, there or beside it.

    Returns
    -------
    PackedImages or PngTree

    Raises
    ------
    metadata.MetadataError
        If the metadata has faults.
    ImageError
        If the store does not belong to the metadata, or no PNG can be read. `read` raises it for
        a PNG that is missing, damaged, of another size or not 8-bit grey (or colour, in
        RxRx1-WILDS); it reads only the channels asked for, so others may be absent. ValueError
        for rows and channels that the screen does not have, and for an `out` that does not fit.
    """
    table = metadata.load(root)
    if packed_store.is_packed(root):
        return packed_store.open_packed(root)
    return png_tree.open_tree(table, root)
