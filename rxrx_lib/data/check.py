"""Every fault of a screen on disk, so that a user can mend all of them at once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rxrx_lib.data import metadata, packed_store, png_tree

# The columns that name a site's files: a row with a fault elsewhere still has its pictures.
NAMING_COLUMNS = ("experiment", "plate", "well", "site")


def check(root: Path | str, workers: int = 1) -> list[str]:
    """List every fault of a screen: its metadata, its PNGs, its packed store where it has one.

    Parameters
    ----------
    root : path
        Folder of the screen.
    workers : int
        Threads that decode PNGs.

    Returns
    -------
    list of str
        One sentence for each fault, naming the row or the file; empty if all is well. Every PNG
        is decoded, since a truncated one shows itself no earlier, and measured against the size
        that most have.
    """
    try:
        table = metadata.read_text(root)
    except metadata.MetadataError as error:
        return error.faults
    found = metadata.examine(table)
    lines = [fault.text for fault in found]
    if set(NAMING_COLUMNS) <= set(table.columns):
        unnamed = {fault.row for fault in found if fault.column in NAMING_COLUMNS}
        named = table[[row not in unnamed for row in range(len(table))]]
        lines += _picture_faults(png_tree.site_paths(named, root), workers)
    if packed_store.is_packed(root):
        lines += _store_faults(root)
    return lines


def _picture_faults(sites: list[str], workers: int) -> list[str]:
    """Return one line for each PNG that is missing, broken or unlike most, in the sites' order."""
    distinct = list(dict.fromkeys(sites))
    with ThreadPoolExecutor(workers) as threads:
        outcomes = list(threads.map(_sizes_or_faults, distinct))
    sizes = Counter(size for of_site in outcomes for size in of_site if isinstance(size, int))
    expected = max(sizes, key=lambda size: sizes[size], default=0)
    lines = []
    for site, of_site in zip(distinct, outcomes, strict=True):
        for channel, outcome in zip(png_tree.CHANNELS, of_site, strict=True):
            if isinstance(outcome, str):
                lines.append(outcome)
            elif outcome != expected:
                path = png_tree.channel_path(site, channel)
                lines.append(png_tree.size_fault(path, outcome, expected))
    return lines


def _sizes_or_faults(site: str) -> list[int | str]:
    """Return the size in pixels, or else the fault, of each of a site's PNGs."""
    outcomes: list[int | str] = []
    for channel in png_tree.CHANNELS:
        try:
            outcomes.append(len(png_tree.decode(png_tree.channel_path(site, channel))))
        except png_tree.ImageError as error:
            outcomes.append(str(error))
    return outcomes


def _store_faults(root: Path | str) -> list[str]:
    try:
        store = packed_store.open_packed(root)
        content = packed_store.content_sha256(store)
    except png_tree.ImageError as error:
        return [str(error)]
    if content != store.content_sha256:
        return [
            packed_store.store_fault(store.path, "its pixels differ from those that were packed")
        ]
    return []
