"""Every fault of a screen on disk, so that a user can mend all of them at once."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rxrx_lib.data import embeddings, metadata, packed_store, png_tree, variants
from rxrx_lib.data.in_order import in_order
from rxrx_lib.data.packed_store import PackedImages
from rxrx_lib.data.picture_names import misnamed_pictures
from rxrx_lib.data.reduction import Reduction

# The columns that name a site's files: a row with a fault elsewhere still has its pictures. A
# site_id is at fault where it contradicts them, so that they may be wrong.
NAMING_COLUMNS = ("experiment", "plate", "well", "site")
# A PNG, and its pixels or what is wrong with it.
Outcome = tuple[Path, png_tree.Pixels | png_tree.ImageError]


def check(root: Path | str, workers: int = 1) -> list[str]:
    """List every fault of a screen: its metadata, and its PNGs, packed store and embeddings.

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
        that most have. Several sites of a plate that have no picture at all are one fault, and a
        PNG beside them whose name stands for no picture is another.

    Notes
    -----
    A row whose experiment, plate, well or site is in doubt has its pictures left out until it is
    mended, and so has the packed store until all rows are: it is made from sound metadata only.
    A screen may have a packed store or embeddings and no folder of PNGs; then these alone are
    checked. Where it has both PNGs and a store, they must hold the same pixels. Of the embeddings
    the first fault is listed.
    """
    try:
        source = variants.find_source(root)
    except metadata.MetadataError as error:
        return error.faults
    found = source.examine()
    lines = [fault.text for fault in found]
    packed = packed_store.is_packed(root)
    store, store_faults = _store(root) if packed and not found else (None, [])
    embedded = (Path(root) / embeddings.FILE_NAME).exists()
    content = None
    folders = png_tree.picture_folders(root)
    if any(folder.is_dir() for folder in folders):
        naming = NAMING_COLUMNS if len(folders) == 1 else (*NAMING_COLUMNS, "dataset")
        sites = _certain_sites(source.sites(), found, naming)
        paths = list(dict.fromkeys(png_tree.find_sites(sites, root)))
        kept = Reduction() if store is None else store.reduction
        faults, content = _pictures(paths, kept, workers)
        lines += faults + misnamed_pictures(dict.fromkeys(map(os.path.dirname, paths)))
    elif not packed and not embedded:
        lines.append(_no_pictures(root, source.kaggle))
    if store is not None:
        store_faults = _pixel_faults(root, store, content, workers)
    if embedded and not found:
        store_faults = store_faults + _embedding_faults(root)
    return lines + store_faults


def _certain_sites(
    sites: pd.DataFrame, found: Sequence[metadata.Fault], naming: Sequence[str]
) -> pd.DataFrame:
    """Return the sites of which it is certain where their pictures are."""
    at_fault = {fault.row for fault in found if fault.column in (*naming, *variants.NAMES)}
    complete = (sites[list(naming)] != "").all(axis="columns")
    return sites[complete & ~sites.index.isin(at_fault)]


def _pictures(sites: list[str], kept: Reduction, workers: int) -> tuple[list[str], str | None]:
    """Return the faults of the sites' PNGs, and what a store would call them if there is none.

    First what whole sites lack; then, in the sites' order, each PNG that is missing, broken or
    unlike most.
    """
    layout = png_tree.find_layout(sites)
    lacking, faults = _without_pictures(sites, layout)
    distinct = [site for site in sites if site not in lacking]
    outcomes: list[tuple[Path, int | str]] = []
    hashes: list[bytes] = []
    for site, content in in_order(lambda site: _site(site, layout, kept), distinct, workers):
        outcomes += site
        hashes.append(content)
    sizes = Counter(outcome for _, outcome in outcomes if isinstance(outcome, int))
    expected = max(sizes, key=lambda size: sizes[size], default=0)
    faults += [
        outcome if isinstance(outcome, str) else png_tree.size_fault(path, outcome, expected)
        for path, outcome in outcomes
        if outcome != expected
    ]
    return faults, None if faults else packed_store.hash_of_hashes(hashes)


def _without_pictures(sites: list[str], layout: png_tree.Layout) -> tuple[set[str], list[str]]:
    """Return the sites that have no picture, and the sentences about them, at most one a plate.

    A part of the release has its whole metadata, and should not give a line for each of the
    pictures that were not fetched. Where only one site of a plate lacks all, its files are named.
    """
    of_plate = defaultdict(list)
    for site in sites:
        if not any(path.exists() for path in layout.paths(site)):
            of_plate[os.path.dirname(site)].append(site)
    if sum(map(len, of_plate.values())) == len(sites) > 1:
        return set(sites), [png_tree.no_picture_at_all(sites[0], layout)]
    every = Counter(map(os.path.dirname, sites))
    several = {plate: some for plate, some in of_plate.items() if len(some) > 1}
    lines = [
        f"{plate} has no picture of {len(some):,} of {every[plate]:,} sites, "
        f"{os.path.basename(some[0])} for one; expected {layout.kind.name} PNGs of each."
        for plate, some in several.items()
    ]
    return {site for some in several.values() for site in some}, lines


def _site(
    site: str, layout: png_tree.Layout, kept: Reduction
) -> tuple[list[tuple[Path, int | str]], bytes]:
    """Return the size, or else the fault, of each of a site's PNGs; and what a store calls them.

    The second is empty if a PNG has a fault.
    """
    decoded = _decoded(site, layout)
    outcomes = [
        (path, str(outcome) if isinstance(outcome, png_tree.ImageError) else outcome.shape[-1])
        for path, outcome in decoded
    ]
    pictures = [outcome for _, outcome in decoded if not isinstance(outcome, png_tree.ImageError)]
    alike = len(pictures) == len(decoded) and len({picture.shape for picture in pictures}) == 1
    # A store of channels or sizes that these PNGs cannot have given is one of other pictures.
    given = set(kept.channels or ()) <= set(layout.channels)
    if not (alike and given) or pictures[0].shape[-1] % kept.downsample:
        return outcomes, b""
    pixels = np.concatenate([picture.reshape(-1, *picture.shape[-2:]) for picture in pictures])
    return outcomes, packed_store.site_hash(kept.of(pixels, layout.channels))


def _decoded(site: str, layout: png_tree.Layout) -> list[Outcome]:
    """Return the pixels, or else the fault, of each of a site's PNGs."""
    outcomes: list[Outcome] = []
    for path in layout.paths(site):
        try:
            outcomes.append((path, png_tree.decode(path, layout.kind)))
        except png_tree.ImageError as error:
            outcomes.append((path, error))
    return outcomes


def _no_pictures(root: Path | str, kaggle: bool) -> str:
    images, store = Path(root) / png_tree.FOLDER, Path(root) / packed_store.MANIFEST.parent
    elsewhere = ", or in train and test beside it" if kaggle else ""
    return (
        f"{images} is missing; expected the screen's PNGs there{elsewhere}, or its packed store in "
        f"{store}."
    )


def _store(root: Path | str) -> tuple[PackedImages | None, list[str]]:
    """Return the packed store, or else what is wrong with it as a whole."""
    try:
        return packed_store.open_packed(root), []
    except png_tree.ImageError as error:
        return None, [str(error)]


def _pixel_faults(
    root: Path | str, store: PackedImages, pictures: str | None, workers: int
) -> list[str]:
    """Return the fault of the store's pixels; `pictures` is what they should be, if known."""
    try:
        content = packed_store.content_hash(store, workers)
    except png_tree.ImageError as error:
        return [str(error)]
    reason = None
    if content != store.content_hash:
        reason = "its pixels differ from those that were packed"
    elif pictures not in (None, content):
        folders = " and ".join(folder.name for folder in png_tree.picture_folders(root))
        reason = f"it was packed from other pictures than those in {folders}"
    manifest = str(Path(root) / packed_store.MANIFEST)
    return [packed_store.store_fault(manifest, reason)] if reason else []


def _embedding_faults(root: Path | str) -> list[str]:
    try:
        embeddings.load(root)
    except embeddings.EmbeddingsError as error:
        return [str(error)]
    return []
