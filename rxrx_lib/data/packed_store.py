"""All pixels of a screen in a few compressed arrays, one chunk a site, read fast.

`packing` makes the store. A manifest describes it and names its parts; each part is a file of
consecutive sites, see `part_file`. Shapes: N sites of the screen in the metadata's order, B sites
asked for, C channels kept, H = W.
"""

from __future__ import annotations

import functools
import json
import operator
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import blosc2
import numpy as np
import xxhash

from rxrx_lib.data import metadata, part_file, png_tree
from rxrx_lib.data.in_order import in_order
from rxrx_lib.data.part_file import ENDING, DamagedPartError, Part
from rxrx_lib.data.png_tree import CHANNELS, ImageError, Pixels, PngTree, Rows
from rxrx_lib.data.reduction import ReducedPngs, Reduction

FOLDER = Path("packed")
MANIFEST = FOLDER / "manifest.json"
FORMAT = 3
"""Of the manifest and what it describes; an older store is to be packed again."""
# Its first row, and what it was made from.
PART = re.compile(rf"\d{{6}}-[0-9a-f]{{16}}{re.escape(ENDING)}")


@dataclass(frozen=True)
class PackedImages:
    """The packed store. Processes and threads may read it at once, and it can be pickled.

    Attributes
    ----------
    folder : str
        Where the parts lie. Each is opened read-only when a process first reads from it.
    parts : tuple of str
        Their file names.
    sites_a_part : int
        Sites of each part but the last, which may have fewer.
    sites, image_size : int
        N, and H = W in pixels.
    reduction : Reduction
        What was kept of the PNGs.
    content_hash : str
        The identity of the pixels; see `content_hash`.
    """

    folder: str
    parts: tuple[str, ...]
    sites_a_part: int
    sites: int
    image_size: int
    reduction: Reduction
    content_hash: str

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels that the store has."""
        return self.reduction.channels or CHANNELS

    def read(
        self, rows: Rows, channels: Sequence[int] | None = None, out: Pixels | None = None
    ) -> Pixels:
        """Read sites; see `open_images`."""
        positions = png_tree.asked_rows(rows, self.sites)
        wanted = png_tree.asked_channels(channels, self.channels)
        shape = (len(positions), len(wanted), self.image_size, self.image_size)
        pixels = png_tree.asked_place(out, shape)
        every, places = wanted == self.channels, [self.channels.index(one) for one in wanted]
        whole = np.empty((len(self.channels), *shape[2:]), np.uint8)
        for site, row in zip(pixels, positions.tolist(), strict=True):
            part, place = divmod(row, self.sites_a_part)
            path = os.path.join(self.folder, self.parts[part])
            opened = _opened(path, self._sites_of(part), os.getpid())
            try:
                part_file.read_site(opened, place, site if every else whole)
            except DamagedPartError as error:
                raise ImageError(store_fault(path, str(error))) from error
            if not every:
                site[:] = whole[places]
        return pixels

    def _sites_of(self, part: int) -> int:
        return min(self.sites_a_part, self.sites - part * self.sites_a_part)


def is_packed(root: Path | str) -> bool:
    """Tell whether a screen has a packed store: the manifest is written last."""
    return (Path(root) / MANIFEST).is_file()


def open_packed(root: Path | str) -> PackedImages:
    """Open the packed store, and make sure that it was made from today's metadata and is all there.

    Raises
    ------
    ImageError
        If it is out of date, or a file of it is missing or damaged.
    """
    manifest = Path(root) / MANIFEST
    try:
        described = json.loads(manifest.read_text(encoding="utf-8"))
        if "shape" in described and described.get("format") != FORMAT:
            reason = "it is out of date, another version of this library packed it"
            raise ImageError(store_fault(str(manifest), reason))
        images = _described(manifest.parent, described)
        packed_from = str(described["metadata_sha256"])
        sizes = [operator.index(part["bytes"]) for part in described["parts"]]
    except ImageError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ImageError(store_fault(str(manifest), f"{error!r}")) from error
    if packed_from != metadata.sha256(root):
        reason = "it was packed from other metadata than lies beside it"
        raise ImageError(store_fault(str(manifest), reason))
    for name, size in zip(images.parts, sizes, strict=True):
        path = manifest.with_name(name)
        if not path.is_file():
            raise ImageError(store_fault(str(path), "it is missing"))
        if path.stat().st_size != size:
            reason = f"it has {path.stat().st_size} bytes, {manifest.name} says {size}"
            raise ImageError(store_fault(str(path), reason))
    return images


def open_part(path: str, sites: int) -> Part:
    """Open a part of so many sites.

    Raises
    ------
    ImageError
        If it is no such part.
    """
    # Else threads that read wait for each other's decompression.
    blosc2.set_releasegil(True)
    try:
        return part_file.open_part(path, sites)
    except (OSError, DamagedPartError) as error:
        raise ImageError(store_fault(path, str(error))) from error


def content_hash(images: PngTree | ReducedPngs | PackedImages, workers: int = 1) -> str:
    """Return the hash of the hashes of all sites' raw pixels (C, H, W), in row order.

    The same pixels have the same, packed or not. XXH3 of 128 bits, which tells pixels that were
    damaged or taken for others, at a twentieth of the time of SHA-256: that would be a sixteenth of
    packing. It does not tell what someone forged.
    """
    sites = in_order(lambda row: site_hash(images.read([row])[0]), range(images.sites), workers)
    return hash_of_hashes(sites)


def hash_of_hashes(sites: Iterable[bytes]) -> str:
    """Return the hash of a screen's pixels, given that of each site, in row order."""
    digest = xxhash.xxh3_128()
    for site in sites:
        digest.update(site)
    return f"xxh3-128:{digest.hexdigest()}"


def site_hash(pixels: Pixels) -> bytes:
    """Return the hash of one site's pixels (C, H, W)."""
    return xxhash.xxh3_128_digest(np.ascontiguousarray(pixels).data)


def forget_opened() -> None:
    """Let go of the parts that this process has open, since they were packed anew."""
    _opened.cache_clear()


def store_fault(path: str, reason: str) -> str:
    """Return the sentence about a file of a packed store that is damaged or out of date."""
    folders = png_tree.picture_folders(Path(path).parents[1])
    remedy = "pack" if any(folder.is_dir() for folder in folders) else "fetch"
    expected = "expected the screen's packed store"
    return f"{path} cannot be used ({reason}); {expected}: {remedy} it again."


def _described(folder: Path, described: dict[str, Any]) -> PackedImages:
    """Return the store that a manifest describes; any error but ImageError if it is none."""
    sites, held, height, width = map(operator.index, described["shape"])
    channels = tuple(map(operator.index, described["channels"]))
    reduction = Reduction(channels=channels, downsample=operator.index(described["downsample"]))
    parts = tuple(str(part["file"]) for part in described["parts"])
    sites_a_part = operator.index(described["sites_a_part"])
    if len(channels) != held or height != width or min(sites, height, sites_a_part) < 1:
        raise ValueError(f"channels {channels} of shape {described['shape']}")
    if len(parts) != -(-sites // sites_a_part) or not all(map(PART.fullmatch, parts)):
        raise ValueError(f"{len(parts)} parts for {sites} sites, {sites_a_part} a part")
    content = str(described["content_hash"])
    return PackedImages(str(folder), parts, sites_a_part, sites, height, reduction, content)


@functools.cache
def _opened(path: str, sites: int, process: int) -> Part:
    """Open a part once a process: one that was opened before a fork must not be shared."""
    return open_part(path, sites)
