"""All pixels of a screen in one compressed array, one chunk a site, read ten times faster.

Shapes: N sites of the screen in the metadata's order, B sites asked for, C channels, H = W.
"""

from __future__ import annotations

import functools
import hashlib
import json
import operator
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import blosc2
import numpy as np

from rxrx_lib.data import atomic, metadata, png_tree
from rxrx_lib.data.png_tree import CHANNELS, ImageError, Pixels, PngTree, Rows

STORE = Path("packed", "images.b2nd")
MANIFEST = Path("packed", "manifest.json")
# At its lowest level Zstd packs nearly as fast as LZ4 (benchmarks/data.py).
CODECS = {"lz4": (blosc2.Codec.LZ4, 5), "zstd": (blosc2.Codec.ZSTD, 1)}
"""What compresses pixels, after bitshuffle: lz4 (the default) reads faster, zstd is smaller."""
SITES_AT_ONCE = 32
# What blosc2 raises for a file that is not as it was written.
DAMAGED = (OSError, RuntimeError, ValueError, TypeError, ArithmeticError, LookupError)


@dataclass(frozen=True)
class PackedImages:
    """The packed store: one Blosc2 array (N, C, H, W), one chunk a site.

    Attributes
    ----------
    path : str
        The array's file, opened read-only when a process first reads.
    sites, image_size : int
        N, and H = W in pixels.
    content_sha256 : str
        SHA-256 of the raw pixels in row order: the identity of the pictures.
    channels : tuple of int
        The channels that the screen has.
    """

    path: str
    sites: int
    image_size: int
    content_sha256: str
    channels: tuple[int, ...] = CHANNELS

    def read(
        self, rows: Rows, channels: Sequence[int] | None = None, out: Pixels | None = None
    ) -> Pixels:
        """Read sites; see `open_images`."""
        positions = png_tree.asked_rows(rows, self.sites)
        wanted = png_tree.asked_channels(channels, self.channels)
        shape = (len(positions), len(wanted), self.image_size, self.image_size)
        pixels = png_tree.asked_place(out, shape)
        array = _opened(self.path, self.content_sha256, os.getpid())
        # A whole chunk straight into place is three times as fast as slicing the array.
        whole = np.empty((len(self.channels), *shape[2:]), np.uint8)
        places = [self.channels.index(channel) for channel in wanted]
        try:
            for site, row in zip(pixels, positions, strict=True):
                if wanted == self.channels:
                    array.schunk.decompress_chunk(int(row), dst=site)
                else:
                    array.schunk.decompress_chunk(int(row), dst=whole)
                    np.take(whole, places, axis=0, out=site)
        except DAMAGED as error:
            raise ImageError(store_fault(self.path, str(error))) from error
        return pixels


def pack(root: Path | str, workers: int = 1, codec: str = "lz4") -> Path:
    """Copy the PNGs of a screen into its packed store, replacing an older one.

    Parameters
    ----------
    root : path
        Folder of the screen.
    workers : int
        Threads that decode PNGs.
    codec : {"lz4", "zstd"}
        One of `CODECS`. What is read is the same.

    Returns
    -------
    Path
        The manifest: shape, channels, codec, and the SHA-256 of the raw pixels and of the
        metadata. It appears last; a killed run leaves no store, or the older one.

    Raises
    ------
    metadata.MetadataError, ImageError
        If the screen has a fault (`check` lists all); the older store stays then.
    ValueError
        If the codec is not known.
    """
    if codec not in CODECS:
        raise ValueError(f"codec is {codec!r}; choose one of {', '.join(CODECS)}.")
    tree = png_tree.open_tree(metadata.load(root), root)
    packed_from = metadata.sha256(root)
    shape = (tree.sites, len(tree.channels), tree.image_size, tree.image_size)
    manifest = Path(root) / MANIFEST
    with atomic.replacing(Path(root) / STORE) as temporary:
        content = _write_array(temporary, shape, _blocks(tree, workers), codec)
        manifest.unlink(missing_ok=True)
    described = {
        "shape": shape,
        "channels": tree.channels,
        "codec": f"blosc2 {codec.upper()} level {CODECS[codec][1]} with bitshuffle",
        "content_sha256": content,
        "metadata_sha256": packed_from,
    }
    atomic.write_text(manifest, json.dumps(described, indent=2) + "\n")
    return manifest


def is_packed(root: Path | str) -> bool:
    """Tell whether a screen has a packed store: the manifest is written last."""
    return (Path(root) / MANIFEST).is_file()


def open_packed(root: Path | str) -> PackedImages:
    """Open the packed store, and make sure that it was made from today's metadata."""
    path = Path(root) / MANIFEST
    images, packed_from = _described(path)
    if packed_from != metadata.sha256(root):
        reason = "it was packed from other metadata than lies beside it"
        raise ImageError(store_fault(images.path, reason))
    array = _opened(images.path, images.content_sha256, os.getpid())
    shape = (images.sites, len(images.channels), images.image_size, images.image_size)
    if array.shape != shape or array.dtype != np.uint8:
        reason = f"it holds {array.dtype} {array.shape}, its manifest says uint8 {shape}"
        raise ImageError(store_fault(images.path, reason))
    return images


def _described(manifest: Path) -> tuple[PackedImages, str]:
    """Return the store that a manifest describes, and the SHA-256 of its metadata."""
    try:
        described = json.loads(manifest.read_text(encoding="utf-8"))
        sites, held, height, width = map(operator.index, described["shape"])
        channels = tuple(map(operator.index, described["channels"]))
        content, packed_from = str(described["content_sha256"]), described["metadata_sha256"]
        if channels != CHANNELS[:held] or height != width:
            raise ValueError(f"channels {channels} of shape {described['shape']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ImageError(store_fault(str(manifest), f"{error!r}")) from error
    images = PackedImages(str(manifest.with_name(STORE.name)), sites, height, content, channels)
    return images, str(packed_from)


def content_sha256(images: PngTree | PackedImages) -> str:
    """Return the SHA-256 of all raw pixels, row by row; 1 GB takes about a second if packed."""
    digest = hashlib.sha256()
    for block in _blocks(images, 1):
        digest.update(block.data)
    return digest.hexdigest()


def store_fault(path: str, reason: str) -> str:
    """Return the sentence about a file of a packed store that is damaged or out of date."""
    folders = png_tree.picture_folders(Path(path).parents[1])
    remedy = "pack" if any(folder.is_dir() for folder in folders) else "fetch"
    expected = "expected the screen's packed store"
    return f"{path} cannot be used ({reason}); {expected}: {remedy} it again."


def _blocks(images: PngTree | PackedImages, workers: int) -> Iterator[Pixels]:
    """Yield all sites in order, (≤ SITES_AT_ONCE, C, H, W) at a time, so memory stays bounded.

    While one portion is used, the threads read the next.
    """

    def reading(first: int) -> list[Future[Pixels]]:
        rows = range(first, min(first + SITES_AT_ONCE, images.sites))
        return [threads.submit(images.read, [row]) for row in rows]

    with ThreadPoolExecutor(workers) as threads:
        portion = reading(0)
        for first in range(SITES_AT_ONCE, images.sites + SITES_AT_ONCE, SITES_AT_ONCE):
            following = reading(first)
            yield np.concatenate([site.result() for site in portion])
            portion = following


def _write_array(path: Path, shape: tuple[int, ...], blocks: Iterator[Pixels], codec: str) -> str:
    """Write the packed array and return the SHA-256 of its pixels."""
    compressor, level = CODECS[codec]
    array = blosc2.empty(
        shape,
        np.uint8,
        chunks=(1, *shape[1:]),
        blocks=(1, 1, *shape[2:]),
        urlpath=str(path),
        mode="w",
        contiguous=True,
        cparams=blosc2.CParams(
            codec=compressor, clevel=level, filters=[blosc2.Filter.BITSHUFFLE], nthreads=1
        ),
        dparams=blosc2.DParams(nthreads=1),
    )
    digest = hashlib.sha256()
    start = 0
    for block in blocks:
        array[start : start + len(block)] = block
        digest.update(block.data)
        start += len(block)
    return digest.hexdigest()


@functools.lru_cache(maxsize=16)
def _opened(path: str, content: str, process: int) -> blosc2.NDArray:
    """Open the packed array once a process, and anew when it has been packed anew."""
    try:
        array = blosc2.open(path, mode="r", mmap_mode="r", dparams=blosc2.DParams(nthreads=1))
    except DAMAGED as error:
        raise ImageError(store_fault(path, str(error))) from error
    # A damaged head can make it look like another kind of store.
    if not isinstance(array, blosc2.NDArray):
        raise ImageError(store_fault(path, f"it holds a {type(array).__name__}"))
    return array
