"""The parts of a packed store made from PNGs: consecutive sites in one file, whole or not there.

Shapes: N sites of the screen in the metadata's order, C channels kept, H = W after downsampling.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import blosc2
import numpy as np

from rxrx_lib.data import atomic, png_tree
from rxrx_lib.data.in_order import in_order
from rxrx_lib.data.packed_store import DAMAGED, FORMAT, open_part, read_chunk, site_sha256
from rxrx_lib.data.png_tree import ImageError
from rxrx_lib.data.reduction import ReducedPngs

# At its lowest level Zstd packs nearly as fast as LZ4 (benchmarks/data.py).
CODECS = {"lz4": (blosc2.Codec.LZ4, 5), "zstd": (blosc2.Codec.ZSTD, 1)}
"""What compresses pixels, after bitshuffle.

`lz4`, the default, is read about twice as fast; `zstd` takes a quarter less disk. Training waits
for reading, so take `zstd` where the disk is the narrower place: too small, or slow and shared.
"""
# Of raw pixels: about 5 s of one core's work, which is the most that a kill loses, and at most 369
# files for RxRx1. A part is held in memory, compressed, until it is written.
BYTES_OF_A_PART = 2**29
MOST_SITES_OF_A_PART = 2**13
# Where a part keeps the SHA-256 of each site's pixels.
DIGESTS = "site_sha256"
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class PackingError(OSError):
    """A packing that was not finished; what was packed is whole, and is kept."""


@dataclass(frozen=True)
class Packing:
    """What is packed, where to, and how.

    Attributes
    ----------
    images : ReducedPngs
        The pictures.
    folder : Path
        Where the parts lie.
    codec : str
        One of `CODECS`.

    Raises
    ------
    ValueError
        If the codec is not known.
    """

    images: ReducedPngs
    folder: Path
    codec: str

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise ValueError(f"codec is {self.codec!r}; choose one of {', '.join(CODECS)}.")

    @property
    def site_shape(self) -> tuple[int, int, int]:
        """C, H and W."""
        return (len(self.images.channels), self.images.image_size, self.images.image_size)

    @property
    def codec_name(self) -> str:
        """The codec with its settings."""
        compressor, level = CODECS[self.codec]
        return f"blosc2 {compressor.name} level {level} with bitshuffle"

    @property
    def parameters(self) -> blosc2.CParams:
        """How a site is compressed: by itself, a block a channel, in one thread."""
        compressor, level = CODECS[self.codec]
        return blosc2.CParams(
            codec=compressor,
            clevel=level,
            filters=[blosc2.Filter.BITSHUFFLE],
            typesize=1,
            blocksize=self.images.image_size**2,
            nthreads=1,
        )


@dataclass(frozen=True)
class Part:
    """A part to be.

    Attributes
    ----------
    path : Path
        Its file, whose name changes with what the part is made of.
    rows : range
        Its sites.
    """

    path: Path
    rows: range


def cut(packing: Packing) -> list[Part]:
    """Cut a screen into parts, by its shape alone."""
    most = BYTES_OF_A_PART // int(np.prod(packing.site_shape))
    every = packing.images.sites
    sites = min(max(most, 1), MOST_SITES_OF_A_PART, every)
    cuts = [range(start, min(start + sites, every)) for start in range(0, every, sites)]
    return [Part(packing.folder / _name(packing, rows), rows) for rows in cuts]


def packed_before(packing: Packing, part: Part, workers: int) -> bytes | None:
    """Return the SHA-256s of a part's sites; None if it is not there or not as it was written."""
    if not part.path.is_file():
        return None

    def digest(place: int) -> bytes:
        pixels = np.empty(packing.site_shape, np.uint8)
        read_chunk(array, place, pixels)
        return site_sha256(pixels)

    try:
        array = open_part(str(part.path), (len(part.rows), *packing.site_shape))
        digests = bytes(array.schunk.vlmeta[DIGESTS])
        found = b"".join(in_order(digest, range(len(part.rows)), workers))
    # What is wrong with it does not matter: it is packed anew.
    except DAMAGED:
        return None
    return digests if digests == found else None


def pack_parts(
    packing: Packing, parts: Sequence[Part], workers: int, arrived: Callable[[int], None]
) -> dict[Part, bytes]:
    """Pack parts one after the other; each is written while the threads are at the next.

    Parameters
    ----------
    packing : Packing
        What is packed, where to, and how.
    parts : sequence of Part
        In increasing order of rows.
    workers : int
        Threads that decode, compress and hash.
    arrived : callable
        Takes the size of each site's pixels in bytes.

    Returns
    -------
    dict of Part to bytes
        The SHA-256s of each part's sites, one after the other.

    Raises
    ------
    ImageError
        If a picture cannot be read, or changed meanwhile.
    PackingError
        If a part cannot be written.
    """
    parameters = packing.parameters
    # Else the threads wait for each other's compression.
    blosc2.set_releasegil(True)

    def packed_site(row: int) -> tuple[bytes, bytes]:
        pixels = packing.images.read([row])[0]
        return blosc2.compress2(pixels, cparams=parameters), site_sha256(pixels)

    digests: dict[Part, bytes] = {}
    rows = itertools.chain.from_iterable(part.rows for part in parts)
    before: Future[None] | None = None
    with closing(in_order(packed_site, rows, workers)) as sites, ThreadPoolExecutor(1) as writer:
        for part in parts:
            array = _empty(packing, part)
            digests[part] = _fill(array, itertools.islice(sites, len(part.rows)), arrived)
            if before is not None:
                before.result()
            before = writer.submit(_write, packing, part, array)
        if before is not None:
            before.result()
    return digests


def _empty(packing: Packing, part: Part) -> blosc2.NDArray:
    """Return a part in memory, to be filled."""
    return blosc2.empty(
        (len(part.rows), *packing.site_shape),
        np.uint8,
        chunks=(1, *packing.site_shape),
        blocks=(1, 1, *packing.site_shape[1:]),
        cparams=packing.parameters,
    )


def _fill(
    array: blosc2.NDArray,
    sites: Iterator[tuple[bytes, bytes]],
    arrived: Callable[[int], None],
) -> bytes:
    """Put compressed sites into a part, and return their SHA-256s."""
    digests = bytearray()
    for place, (chunk, digest) in enumerate(sites):
        array.schunk.update_chunk(place, chunk)
        digests += digest
        arrived(array.schunk.chunksize)
    array.schunk.vlmeta[DIGESTS] = bytes(digests)
    return bytes(digests)


def _write(packing: Packing, part: Part, array: blosc2.NDArray) -> None:
    """Write a part, whole or not at all, if its PNGs are still those of its name."""
    if _name(packing, part.rows) != part.path.name:
        paths = packing.images.tree.paths
        raise ImageError(
            f"a picture from {paths[part.rows[0]]} to {paths[part.rows[-1]]} changed while it was "
            "packed; expected them to stay as they are: pack the screen again."
        )
    # Blosc2 could write the file itself, but hides why it could not.
    with writing(part.path), atomic.replacing(part.path) as temporary:
        temporary.write_bytes(array.to_cframe())


def _name(packing: Packing, rows: range) -> str:
    images = packing.images
    pngs = png_tree.fingerprint(images.tree, rows, images.channels)
    made_of = (FORMAT, packing.codec_name, packing.site_shape, images.channels, pngs)
    return f"{rows.start:06d}-{hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]}.b2nd"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise PackingError for what goes wrong while `path` is written."""
    try:
        yield
    except OSError as error:
        advice = "choose a folder in which files can be written"
        if error.errno in FULL_DISK:
            advice = "make room and pack it again, what was packed is kept"
        raise PackingError(
            f"{path} cannot be written ({error.strerror or error}): {advice}."
        ) from error
