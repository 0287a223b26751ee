"""Every fault of a screen on disk, so that a user can mend all of them at once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from rxrx_lib.data import metadata, packed_store, png_tree

# The columns that name a site's files: a row with a fault elsewhere still has its pictures. A
# site_id is at fault where it contradicts them, so that they may be wrong.
NAMING_COLUMNS = ("experiment", "plate", "well", "site")
Outcome = png_tree.Pixels | png_tree.ImageError


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

    Notes
    -----
    A row whose experiment, plate, well or site is in doubt has its pictures left out until it is
    mended, and so has the packed store until all rows are: it is made from sound metadata only.
    A screen may have a packed store and no folder of PNGs; then the store alone is checked. Where
    it has both, they must hold the same pixels.
    """
    try:
        table = metadata.read_text(root)
    except metadata.MetadataError as error:
        return error.faults
    found = metadata.examine(table)
    lines = [fault.text for fault in found]
    packed = packed_store.is_packed(root)
    content = None
    if (Path(root) / png_tree.FOLDER).is_dir():
        faults, content = _pictures(_certain_sites(table, found, root), workers)
        lines += faults
    elif not packed:
        lines.append(_no_pictures(root))
    if packed and not found:
        lines += _store_faults(root, content)
    return lines


def _certain_sites(
    table: pd.DataFrame, found: Sequence[metadata.Fault], root: Path | str
) -> list[str]:
    """Return the paths of the sites of which it is certain where their pictures are."""
    if not set(NAMING_COLUMNS) <= set(table.columns):
        return []
    doubtful = {fault.row for fault in found if fault.column in (*NAMING_COLUMNS, "site_id")}
    complete = (table[list(NAMING_COLUMNS)] != "").all(axis="columns")
    certain = complete & ~pd.Series(range(len(table)), index=table.index).isin(doubtful)
    return png_tree.site_paths(table[certain], root)


def _pictures(sites: list[str], workers: int) -> tuple[list[str], str | None]:
    """Return the faults of the sites' PNGs, and the SHA-256 of all their pixels if there is none.

    The faults come in the sites' order: a PNG that is missing, broken or unlike most.
    """
    distinct = list(dict.fromkeys(sites))
    outcomes: list[int | str] = []
    digest = hashlib.sha256()
    with ThreadPoolExecutor(workers) as threads:
        for start in range(0, len(distinct), packed_store.SITES_AT_ONCE):
            some = distinct[start : start + packed_store.SITES_AT_ONCE]
            for outcome in (one for site in threads.map(_decoded, some) for one in site):
                if isinstance(outcome, png_tree.ImageError):
                    outcomes.append(str(outcome))
                else:
                    outcomes.append(len(outcome))
                    digest.update(outcome.tobytes())
    sizes = Counter(outcome for outcome in outcomes if isinstance(outcome, int))
    expected = max(sizes, key=lambda size: sizes[size], default=0)
    paths = (png_tree.channel_path(s, channel) for s in distinct for channel in png_tree.CHANNELS)
    faults = [
        outcome if isinstance(outcome, str) else png_tree.size_fault(path, outcome, expected)
        for path, outcome in zip(paths, outcomes, strict=True)
        if outcome != expected
    ]
    return faults, None if faults else digest.hexdigest()


def _decoded(site: str) -> list[Outcome]:
    """Return the pixels, or else the fault, of each of a site's PNGs."""
    outcomes: list[Outcome] = []
    for channel in png_tree.CHANNELS:
        try:
            outcomes.append(png_tree.decode(png_tree.channel_path(site, channel)))
        except png_tree.ImageError as error:
            outcomes.append(error)
    return outcomes


def _no_pictures(root: Path | str) -> str:
    images, store = Path(root) / png_tree.FOLDER, Path(root) / packed_store.MANIFEST.parent
    return f"{images} is missing; expected the screen's PNGs there, or its packed store in {store}."


def _store_faults(root: Path | str, pictures: str | None) -> list[str]:
    """Return the fault of the packed store; `pictures` is the SHA-256 of the PNGs, if known."""
    try:
        store = packed_store.open_packed(root)
        content = packed_store.content_sha256(store)
    except png_tree.ImageError as error:
        return [str(error)]
    reason = None
    if content != store.content_sha256:
        reason = "its pixels differ from those that were packed"
    elif pictures not in (None, content):
        reason = f"it was packed from other pictures than those in {png_tree.FOLDER}"
    return [packed_store.store_fault(store.path, reason)] if reason else []
