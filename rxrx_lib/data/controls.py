"""The control wells of the release as a screen of its own: small, and another task."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from rxrx_lib.data import metadata, png_tree
from rxrx_lib.data.packing import pack
from rxrx_lib.data.vocabulary import CONTROL_CLASSES


def control_wells(table: pd.DataFrame) -> pd.DataFrame:
    """Return the sites of the release's 30 positive controls and EMPTY, classes counted from 0.

    Parameters
    ----------
    table : DataFrame
        The release's metadata, as :func:`rxrx_lib.data.metadata.load` gives them.

    Returns
    -------
    DataFrame
        Those rows, in their order; ``sirna_id`` is 0 to 29 for positive controls, 30 for EMPTY.
    """
    wanted = table[table["sirna_id"].isin(CONTROL_CLASSES)]
    return wanted.assign(sirna_id=wanted["sirna_id"] - CONTROL_CLASSES.start)


def pack_controls(release: Path, root: Path, *, downsample: int) -> None:
    """Pack the pictures of the release's control wells, made smaller, into a screen of their own.

    Parameters
    ----------
    release
        Folder of the release: its metadata, and at least the PNGs of all control wells.
    root
        Folder to make the screen in.
    downsample
        The side of the square blocks of pixels whose mean becomes one pixel.

    Raises
    ------
    MetadataError, ImageError, PackingError, ValueError
        As :func:`rxrx_lib.data.packing.pack`; a picture that is not there is named.
    """
    table = control_wells(metadata.load(release))
    with tempfile.TemporaryDirectory() as folder:
        view = Path(folder)  # the same pictures, of which the table asks only for some
        metadata.write(table, view)
        (view / png_tree.FOLDER).symlink_to((release / png_tree.FOLDER).resolve())
        pack(view, out=root, downsample=downsample)
