"""All pixels of a screen in a few compressed arrays, one chunk a site, read ten times faster.

`packing` makes the store. A manifest describes it and names its parts; each part is a Blosc2 array
of consecutive sites. Shapes: N sites of the screen in the metadata's order, B sites asked for, C
channels kept, H = W.
"""

from __future__ import annotations

import functools
import hashlib
import json
import operator
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import blosc2
import numpy as np
import numpy.typing as npt

from rxrx_lib.data import metadata, png_tree
from rxrx_lib.data.in_order import in_order
from rxrx_lib.data.png_tree import CHANNELS, ImageError, Pixels, PngTree, Rows
from rxrx_lib.data.reduction import ReducedPngs, Reduction

FOLDER = Path("packed")
MANIFEST = FOLDER / "manifest.json"
FORMAT = 2
"""Of the manifest and what it describes; an older store is to be packed again."""
# Its first row, and what it was made from.
PART = re.compile(r"\d{6}-[0-9a-f]{16}\.b2nd")
PART_ENDING = ".b2nd"
# Where a part keeps the checksum of each site.
CHECKSUMS = "checksums"
# All that RxRx1 has. Each takes a file descriptor, of which a process may have 1024, or 256.
PARTS_OPEN = 192
# What blosc2 raises for a file that is not as it was written.
DAMAGED = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    SyntaxError,
    MemoryError,
)


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
    content_sha256 : str
        The identity of the pixels; see `content_sha256`.
    """

    folder: str
    parts: tuple[str, ...]
    sites_a_part: int
    sites: int
    image_size: int
    reduction: Reduction
    content_sha256: str

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
        places = [self.channels.index(channel) for channel in wanted]
        for site, row in zip(pixels, positions.tolist(), strict=True):
            part, place = divmod(row, self.sites_a_part)
            path = os.path.join(self.folder, self.parts[part])
            opened = _opened(path, self._shape(part), os.getpid())
            try:
                if wanted == self.channels:
                    read_chunk(opened, place, site)
                else:
                    _read_blocks(opened, place, places, site)
            except DAMAGED as error:
                raise ImageError(store_fault(path, str(error))) from error
        return pixels

    def _shape(self, part: int) -> tuple[int, ...]:
        sites = min(self.sites_a_part, self.sites - part * self.sites_a_part)
        return (sites, len(self.channels), self.image_size, self.image_size)


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


class OpenPart(NamedTuple):
    """A part that is open, and the checksum of each of its sites as compressed."""

    array: blosc2.NDArray
    checksums: npt.NDArray[np.uint64]


def open_part(path: str, shape: tuple[int, ...]) -> OpenPart:
    """Open a part read-only.

    Raises
    ------
    ImageError
        If it is no array of that shape.
    """
    # Else threads that read wait for each other's decompression.
    blosc2.set_releasegil(True)
    try:
        array = blosc2.open(path, mode="r", mmap_mode="r", dparams=blosc2.DParams(nthreads=1))
    except DAMAGED as error:
        raise ImageError(store_fault(path, str(error))) from error
    # A damaged head can make it look like another kind of store.
    if not isinstance(array, blosc2.NDArray):
        raise ImageError(store_fault(path, f"it holds a {type(array).__name__}"))
    chunk = (1, *shape[1:])
    if (array.shape, array.dtype, array.chunks) != (shape, np.uint8, chunk):
        reason = f"it holds {array.dtype} {array.shape}, expected uint8 {shape}"
        raise ImageError(store_fault(path, reason))
    try:
        checksums = np.frombuffer(array.schunk.vlmeta[CHECKSUMS], np.uint64)
    except DAMAGED as error:
        raise ImageError(store_fault(path, f"{error!r}")) from error
    if len(checksums) != len(array):
        reason = f"it has checksums of {len(checksums)} sites, not {len(array)}"
        raise ImageError(store_fault(path, reason))
    return OpenPart(array, checksums)


def checksum(chunk: bytes) -> int:
    """Return the sum of a compressed site's bytes, taken eight at a time as numbers, modulo 2^64.

    A wrong byte always changes it, and so do several but once in 2^64. Blosc2 itself decompresses
    damaged bytes to wrong pixels; a CRC-32 would take a third of the time of reading, this takes a
    hundredth.
    """
    whole = len(chunk) // 8 * 8
    words = np.frombuffer(chunk, np.uint64, whole // 8)
    return (int(words.sum()) + int.from_bytes(chunk[whole:], "little") + len(chunk)) % 2**64


def content_sha256(images: PngTree | ReducedPngs | PackedImages, workers: int = 1) -> str:
    """Return the SHA-256 of the SHA-256s of all sites' raw pixels (C, H, W), in row order.

    The same pixels have the same, packed or not.
    """
    sites = in_order(lambda row: site_sha256(images.read([row])[0]), range(images.sites), workers)
    digest = hashlib.sha256()
    for site in sites:
        digest.update(site)
    return digest.hexdigest()


def site_sha256(pixels: Pixels) -> bytes:
    """Return the SHA-256 of one site's pixels (C, H, W)."""
    return hashlib.sha256(np.ascontiguousarray(pixels).data).digest()


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
    content = str(described["content_sha256"])
    return PackedImages(str(folder), parts, sites_a_part, sites, height, reduction, content)


@functools.lru_cache(maxsize=PARTS_OPEN)
def _opened(path: str, shape: tuple[int, ...], process: int) -> OpenPart:
    """Open a part once a process: one that was opened before a fork must not be shared."""
    return open_part(path, shape)


def read_chunk(part: OpenPart, place: int, site: Pixels) -> None:
    """Read all channels of a site, three times as fast as by slicing the array."""
    chunk = _sound_chunk(part, place)
    size, _, _ = blosc2.get_cbuffer_sizes(chunk)
    if size != site.nbytes:
        raise ValueError(f"a site of {size} bytes, expected {site.nbytes}")
    # SChunk.decompress_chunk would do the same with other threads at a stand.
    blosc2.decompress2(chunk, dst=site, dparams=blosc2.DParams(nthreads=1))


def _sound_chunk(part: OpenPart, place: int) -> bytes:
    """Return a site as compressed, if it is as it was written."""
    chunk = bytes(part.array.schunk.get_chunk(place))
    if checksum(chunk) != part.checksums[place]:
        raise ValueError(f"the checksum of its site {place} is wrong")
    return chunk


def _read_blocks(part: OpenPart, place: int, channels: list[int], site: Pixels) -> None:
    """Read some channels of a site: each is a block, decompressed without the others."""
    _sound_chunk(part, place)
    array = part.array
    for pixels, channel in zip(site, channels, strict=True):
        start = place * array.schunk.chunksize + channel * pixels.size
        array.schunk.get_slice(start, start + pixels.size, out=pixels)
