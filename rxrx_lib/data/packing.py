"""From a screen's PNGs to its packed store: in threads, part by part, going on after a kill."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from rxrx_lib.data import atomic, metadata, png_tree
from rxrx_lib.data.packed_parts import Packing, Part, cut, pack_parts, packed_before, writing
from rxrx_lib.data.packed_store import FORMAT, MANIFEST, forget_opened, hash_of_hashes
from rxrx_lib.data.part_file import ENDING
from rxrx_lib.data.progress import TransferProgress
from rxrx_lib.data.reduction import ReducedPngs, Reduction
from rxrx_lib.data.screen_copy import copy_metadata, origin


def pack(
    root: Path | str,
    *,
    out: Path | str | None = None,
    codec: str = "lz4",
    channels: Sequence[int] | None = None,
    downsample: int = 1,
    workers: int = 1,
    write: Callable[[str], None] | None = None,
) -> Path:
    """Copy the PNGs of a screen into a packed store, replacing an older one.

    Parameters
    ----------
    root : path
        Folder of the screen.
    out : path, optional
        Folder to make the store in, with a copy of the metadata: a screen of its own without PNGs.
        By default the store lies beside the PNGs and is read instead of them.
    codec : {"lz4", "zstd"}
        One of `CODECS`. What is read is the same.
    channels : sequence of int, optional
        Channels to keep, in increasing order; by default all that the screen has.
    downsample : int
        The side of the square blocks of pixels whose rounded mean becomes one pixel.
    workers : int
        Threads that decode, compress and hash.
    write : callable, optional
        Takes a line of progress every few seconds.

    Returns
    -------
    Path
        The manifest: shape, channels, downsample, codec, source, licence, the hash of the
        pixels (`packed_store.content_hash`), the SHA-256 of the metadata, and the parts. It is
        replaced last, so that an older store can be read until then.

    Raises
    ------
    metadata.MetadataError, ImageError
        If the screen has a fault (`check` lists all).
    PackingError
        If a file cannot be written, as on a full disk.
    ValueError
        If the codec is not known, the screen lacks a channel, `downsample` does not divide the
        image size, or another screen lies in `out`.

    Notes
    -----
    Whatever ends a packing, the parts that it finished stay, and the next one with the same
    settings goes on: it reads them, makes sure of the hash of each site, and packs what is
    missing, damaged, or was made from PNGs that have changed since (`png_tree.fingerprint`). One
    packing of a folder at a time.
    """
    kept = None if channels is None else tuple(channels)
    table = metadata.load(root)
    tree = png_tree.open_tree(table, root)
    images = ReducedPngs(tree, Reduction(channels=kept, downsample=downsample))
    packed_from = metadata.sha256(root)
    target = Path(root if out is None else out)
    manifest = target / MANIFEST
    packing = Packing(images, manifest.parent, codec)
    with writing(target):
        copy_metadata(Path(root), target)
        # What a killed packing was writing.
        _remove(manifest.parent.glob(f".*{ENDING}"))
        _remove(manifest.parent.glob(f".*.{manifest.name}"))
    parts = cut(packing)
    digests = _all_packed(packing, parts, workers, write or _unheard)
    described = {
        "format": FORMAT,
        "shape": (images.sites, *packing.site_shape),
        "channels": images.channels,
        "downsample": downsample,
        "codec": packing.codec_name,
        **origin(table, root, tree),
        "content_hash": hash_of_hashes(digests),
        "metadata_sha256": packed_from,
        "sites_a_part": len(parts[0].rows),
        "parts": [{"file": part.path.name, "bytes": part.path.stat().st_size} for part in parts],
    }
    with writing(manifest):
        atomic.write_text(manifest, json.dumps(described, indent=2) + "\n")
        # No manifest names the parts of older stores any more.
        _remove(set(manifest.parent.glob(f"*{ENDING}")) - {part.path for part in parts})
    forget_opened()
    return manifest


def _all_packed(
    packing: Packing, parts: Sequence[Part], workers: int, write: Callable[[str], None]
) -> list[bytes]:
    """Pack the parts that are not there, and return the hashes of each part's sites."""
    every, site_bytes = packing.images.sites, int(np.prod(packing.site_shape))
    found = {part: packed_before(packing, part, workers) for part in parts}
    missing = [part for part in parts if found[part] is None]
    sites = sum(len(part.rows) for part in missing)
    if sites < every:
        write(f"{every - sites:,} of {every:,} sites were packed before")
    if missing:
        total = sites * site_bytes
        progress = TransferProgress(total, write, time.monotonic, done="of pixels packed")
        found |= pack_parts(packing, missing, workers, progress.arrived)
        progress.finish()
    return [digests for digests in found.values() if digests is not None]


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _unheard(line: str) -> None:
    """Drop a line of progress."""
