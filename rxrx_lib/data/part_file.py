"""One file of a packed store: sites that Blosc2 compressed, one after the other, and an index.

A container of Blosc2's own would write its index anew with each site, for which packing threads
wait, and decompresses damaged bytes to wrong pixels. Here nothing is decompressed that is not as it
was written. Shapes: P sites of the part, C channels, H = W.
"""

from __future__ import annotations

import mmap
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import blosc2
import numpy as np
import numpy.typing as npt
import xxhash

from rxrx_lib.data.png_file import Pixels

ENDING = ".blosc2"
DIGEST_BYTES = 16


class DamagedPartError(ValueError):
    """A part that is not as it was written; the message is the reason, without the file's name."""


class Part(NamedTuple):
    """A part that is open: its bytes, mapped into memory, and its index."""

    content: memoryview
    offsets: npt.NDArray[np.int64]
    """Where each site begins, and where the last ends, (P + 1,)."""
    checksums: npt.NDArray[np.uint64]
    """Of each compressed site, (P,)."""
    digests: bytes
    """The hashes of the sites' pixels, one after the other; see `packed_store.site_hash`."""


def write_part(path: Path, sites: Iterable[tuple[bytes, bytes]]) -> None:
    """Write a part from its compressed sites, each with the hash of its pixels.

    Raises
    ------
    OSError
        If the disk is full or the file cannot be written.
    """
    sizes, checksums, digests = [0], [], bytearray()
    # Unbuffered, so that a disk that is full says so here.
    with path.open("wb", buffering=0) as file:
        for chunk, digest in sites:
            _write(file.fileno(), chunk)
            sizes.append(len(chunk))
            checksums.append(xxhash.xxh3_64_intdigest(chunk))
            digests += digest
        offsets = np.cumsum(sizes, dtype=np.int64)
        index = offsets.tobytes() + np.array(checksums, np.uint64).tobytes() + bytes(digests)
        _write(file.fileno(), index + zlib.crc32(index).to_bytes(4, "little"))


def open_part(path: str, sites: int) -> Part:
    """Open a part of so many sites, and make sure of its index.

    Raises
    ------
    OSError
        If the file cannot be opened.
    DamagedPartError
        If it is no part of so many sites.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        begin = size - _index_bytes(sites)
        if begin < 0:
            raise DamagedPartError(f"it is too short for an index of {sites} sites")
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    index = content[begin:]
    if zlib.crc32(index[:-4]) != int.from_bytes(index[-4:], "little"):
        raise DamagedPartError(f"it has no sound index of {sites} sites at its end")
    offsets = np.frombuffer(index, np.int64, sites + 1)
    checksums = np.frombuffer(index, np.uint64, sites, offsets.nbytes)
    digests = bytes(index[offsets.nbytes + checksums.nbytes : -4])
    if offsets[0] != 0 or offsets[-1] != begin or (np.diff(offsets) < 0).any():
        raise DamagedPartError("its index names places outside it")
    return Part(content, offsets, checksums, digests)


def read_site(part: Part, place: int, site: Pixels) -> None:
    """Decompress a site into `site` (C, H, W), if it is as it was written.

    Raises
    ------
    DamagedPartError
        If it is not.
    """
    chunk = part.content[part.offsets[place] : part.offsets[place + 1]]
    if xxhash.xxh3_64_intdigest(chunk) != part.checksums[place]:
        raise DamagedPartError(f"the checksum of its site {place} is wrong")
    size, _, _ = blosc2.get_cbuffer_sizes(chunk)
    if size != site.nbytes:
        raise DamagedPartError(f"its site {place} has {size} bytes, expected {site.nbytes}")
    blosc2.decompress2(chunk, dst=site, dparams=blosc2.DParams(nthreads=1))


def _index_bytes(sites: int) -> int:
    return 8 * (sites + 1) + (8 + DIGEST_BYTES) * sites + 4


def _write(file: int, data: bytes) -> None:
    """Write all of it: the system may take less at a time."""
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
