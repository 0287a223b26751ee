"""Where a screen comes from and on what terms; its metadata copied beside a store of its own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rxrx_lib.data import atomic, metadata, png_tree, variants
from rxrx_lib.data.simulator.write import TRUTH_FILE
from rxrx_lib.data.vocabulary import SIMULATED_PREFIX

RXRX1_LICENCE = (
    "CC BY-NC-SA 4.0 (https://creativecommons.org/licenses/by-nc-sa/4.0/): pictures of RxRx1, "
    "Recursion, https://www.rxrx.ai/rxrx1"
)
NO_RXRX1 = "a simulated screen: no picture of RxRx1 is in it"


def origin(table: pd.DataFrame, root: Path | str, tree: png_tree.PngTree) -> dict[str, Any]:
    """Return what a manifest says of the PNGs: their published variant, sizes and licence."""
    if table["experiment"].str.startswith(SIMULATED_PREFIX).any():
        variant, licence = "simulated", NO_RXRX1
    else:
        variant, licence = _variant(root, tree), RXRX1_LICENCE
    source = {
        "variant": variant,
        "sites": tree.sites,
        "channels": tree.channels,
        "image_size": tree.image_size,
    }
    return {"source": source, "licence": licence}


def _require_same_screen(root: Path, target: Path, own: Sequence[Path]) -> None:
    """Refuse a folder with metadata of which this screen has none: it is another's."""
    try:
        there = [*variants.find_files(target), target / TRUTH_FILE]
    except metadata.MetadataError:
        return
    for path in there:
        if path.exists() and path.relative_to(target) not in own:
            raise ValueError(
                f"{path} is of another screen than {root}; expected a new folder, or one that the "
                "same screen was packed into: choose another."
            )


def _variant(root: Path | str, tree: png_tree.PngTree) -> str:
    if variants.find_files(root)[0].name != metadata.FILE_NAME:
        return "Kaggle"
    return "RxRx1-WILDS" if tree.layout == png_tree.WILDS else "rxrx.ai release"


def copy_metadata(root: Path, target: Path) -> None:
    """Copy the metadata of a screen, and its truth where it is simulated, to another folder.

    Raises
    ------
    ValueError
        If another screen lies there, or PNGs.
    """
    if target.resolve() == root.resolve():
        return
    pictures = [folder for folder in png_tree.picture_folders(target) if folder.is_dir()]
    if pictures:
        raise ValueError(
            f"{pictures[0]} holds pictures; expected a folder for a packed store alone: choose "
            "another."
        )
    files = variants.find_files(root)
    truth = root / TRUTH_FILE
    kept = (*files, truth) if truth.is_file() else files
    _require_same_screen(root, target, [path.relative_to(root) for path in kept])
    for path in kept:
        copied = target / path.relative_to(root)
        if copied.is_file() and copied.read_bytes() == path.read_bytes():
            continue
        if copied.exists():
            raise ValueError(
                f"{copied} is not the {path.name} of {root}; expected a new folder, or one that "
                "the same screen was packed into: choose another."
            )
        with atomic.replacing(copied) as temporary:
            shutil.copyfile(path, temporary)
