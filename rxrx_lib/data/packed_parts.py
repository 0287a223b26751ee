"""The parts of a packed store made from PNGs: consecutive sites in one file, whole or not there.

Shapes: N sites of the screen in the metadata's order, C channels kept, H = W after downsampling.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import blosc2
import numpy as np

from rxrx_lib.data import atomic, png_tree
from rxrx_lib.data.in_order import in_order
from rxrx_lib.data.packed_store import FORMAT, open_part, site_hash
from rxrx_lib.data.part_file import ENDING, DamagedPartError, read_site, write_part
from rxrx_lib.data.png_tree import ImageError
from rxrx_lib.data.reduction import ReducedPngs

CODECS = {"lz4": (blosc2.Codec.LZ4, 1), "zstd": (blosc2.Codec.ZSTD, 1)}
"""What compresses pixels, after bitshuffle.

`lz4`, the default, is read faster; `zstd` takes less disk: `benchmarks/data.py` says how much.
Training waits for reading, so take `zstd` where the disk is the narrower place: too small, or slow
and shared.
"""
# A part is the work of one thread, and what a kill loses of it. Small screens are cut into fewer
# sites, so that all threads have work, but not into tiny files.
PARTS = 64
FEWEST_BYTES_OF_A_PART = 2**23
# Of raw pixels, for 185 files of RxRx1.
MOST_BYTES_OF_A_PART = 2**30
MOST_SITES_OF_A_PART = 2**12


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
    every, site = packing.images.sites, int(np.prod(packing.site_shape))
    sites = max(-(-every // PARTS), FEWEST_BYTES_OF_A_PART // site)
    sites = min(sites, MOST_BYTES_OF_A_PART // site, MOST_SITES_OF_A_PART, every)
    sites = max(sites, 1)
    cuts = [range(start, min(start + sites, every)) for start in range(0, every, sites)]
    return [Part(packing.folder / _name(packing, rows), rows) for rows in cuts]


def packed_before(packing: Packing, part: Part, workers: int) -> bytes | None:
    """Return the hashes of a part's sites; None if it is not there or not as it was written."""
    if not part.path.is_file():
        return None

    def digest(place: int) -> bytes:
        pixels = np.empty(packing.site_shape, np.uint8)
        read_site(opened, place, pixels)
        return site_hash(pixels)

    # What is wrong with it does not matter: it is packed anew.
    try:
        opened = open_part(str(part.path), len(part.rows))
        found = b"".join(in_order(digest, range(len(part.rows)), workers))
    except (ImageError, DamagedPartError):
        return None
    return opened.digests if opened.digests == found else None


def pack_parts(
    packing: Packing, parts: Sequence[Part], workers: int, arrived: Callable[[int], None]
) -> dict[Part, bytes]:
    """Pack parts, each in a thread of its own.

    Parameters
    ----------
    packing : Packing
        What is packed, where to, and how.
    parts : sequence of Part
        In increasing order of rows.
    workers : int
        Threads that decode, compress, hash and write.
    arrived : callable
        Takes the size of each site's pixels in bytes; several threads call it.

    Returns
    -------
    dict of Part to bytes
        The hashes of each part's sites, one after the other.

    Raises
    ------
    ImageError
        If a picture cannot be read, or changed meanwhile.
    PackingError
        If a part cannot be written.
    """
    # Else the threads wait for each other's compression.
    blosc2.set_releasegil(True)
    stopped = threading.Event()

    def packed(part: Part) -> tuple[bytes, Future[None]]:
        with ExitStack() as unfinished:
            unfinished.enter_context(writing(part.path))
            temporary = unfinished.enter_context(atomic.replacing(part.path))
            digests = _fill(packing, part, temporary, stopped, arrived)
            _require_unchanged(packing, part)
            # The disk may take its time, in which this thread can be at the next part.
            return digests, finisher.submit(unfinished.pop_all().close)

    digests: dict[Part, bytes] = {}
    with ThreadPoolExecutor(1) as finisher, closing(in_order(packed, parts, workers)) as done:
        try:
            for part, (found, finished) in zip(parts, done, strict=True):
                finished.result()
                digests[part] = found
        finally:
            stopped.set()
    return digests


def _fill(
    packing: Packing,
    part: Part,
    path: Path,
    stopped: threading.Event,
    arrived: Callable[[int], None],
) -> bytes:
    """Write the sites of a part, and return their hashes."""
    parameters, digests = packing.parameters, bytearray()
    side = packing.images.tree.image_size
    room = np.empty((1, len(packing.images.channels), side, side), np.uint8)

    def sites() -> Iterator[tuple[bytes, bytes]]:
        for row in part.rows:
            if stopped.is_set():
                raise InterruptedError("another part failed, or Ctrl-C")
            pixels = packing.images.read([row], room)[0]
            digest = site_hash(pixels)
            yield blosc2.compress2(pixels, cparams=parameters), digest
            digests.extend(digest)
            arrived(pixels.nbytes)

    write_part(path, sites())
    return bytes(digests)


def _require_unchanged(packing: Packing, part: Part) -> None:
    """Refuse a part whose PNGs are no more those of its name."""
    if _name(packing, part.rows) != part.path.name:
        paths = packing.images.tree.paths
        raise ImageError(
            f"a picture from {paths[part.rows[0]]} to {paths[part.rows[-1]]} changed while it was "
            "packed; expected them to stay as they are: pack the screen again."
        )


def _name(packing: Packing, rows: range) -> str:
    images = packing.images
    pngs = png_tree.fingerprint(images.tree, rows, images.channels)
    made_of = (FORMAT, packing.codec_name, packing.site_shape, images.channels, pngs)
    return f"{rows.start:06d}-{hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]}{ENDING}"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise PackingError for what goes wrong while `path` is written."""
    try:
        yield
    except PackingError:
        raise
    except OSError as error:
        raise PackingError(
            f"{path} cannot be written ({error}); expected a folder with room for it: make room "
            "or choose another, and pack again, what was packed is kept."
        ) from error
