"""Members of a remote archive become files: in few requests, each whole and checked."""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from rxrx_lib.data import atomic
from rxrx_lib.data.download.remote_file import RangeReader
from rxrx_lib.data.download.remote_zip import LOCAL_HEADER, TOP, Member

# Members this close to one another are fetched with what lies between: cheaper than asking again.
MOST_GAP = 2**16
MOST_SPAN = 2**24


class DamagedMember(ValueError):
    """A member that did not arrive as the archive describes it."""


class Span(NamedTuple):
    """Neighbouring members that are fetched with one request."""

    start: int
    stop: int
    members: tuple[Member, ...]


def spans(members: Iterable[Member]) -> Iterator[Span]:
    """Join neighbours, in the archive's order, into requests of bounded size and waste."""
    joined: list[Member] = []
    for member in members:
        if joined and (
            member.start - joined[-1].stop > MOST_GAP or member.stop - joined[0].start > MOST_SPAN
        ):
            yield Span(joined[0].start, joined[-1].stop, tuple(joined))
            joined = []
        joined.append(member)
    if joined:
        yield Span(joined[0].start, joined[-1].stop, tuple(joined))


def unpack(member: Member, reader: RangeReader, root: Path) -> None:
    """Unpack one member under `root`, whole and checked, or not at all.

    Parameters
    ----------
    member : Member
        What to unpack.
    reader : RangeReader
        Stands at the member's start or before.
    root : Path
        Folder that takes the place of `TOP`.

    Raises
    ------
    DamagedMember
        If its header, size or CRC is not as the archive's directory says.
    RemoteError
        If it cannot be read.
    OSError
        If it cannot be written.
    """
    reader.skip_to(member.start)
    _skip_header(member, reader)
    with atomic.replacing(root / member.path) as temporary, temporary.open("wb") as unpacked:
        for data in _contents(member, reader):
            unpacked.write(data)


def is_unpacked(member: Member, root: Path) -> bool:
    """Tell whether a member's file is there with the right size and CRC."""
    try:
        with (root / member.path).open("rb") as file:
            if file.seek(0, io.SEEK_END) != member.size:
                return False
            file.seek(0)
            crc = 0
            while data := file.read(2**20):
                crc = zlib.crc32(data, crc)
    except OSError:  # not there, or not readable: to be written anew, where an error is told
        return False
    return crc == member.crc


def _skip_header(member: Member, reader: RangeReader) -> None:
    """Read over the header before the data; how long it is stands only there."""
    header = LOCAL_HEADER.unpack(reader.read(LOCAL_HEADER.size))
    signature, name_size, extra_size = header[0], header[9], header[10]
    data = reader.position + name_size + extra_size
    if signature != b"PK\x03\x04" or data + member.compressed > member.stop:
        raise DamagedMember(f"{member.path} has no valid header")
    if reader.read(name_size) != (TOP + member.path).encode():
        raise DamagedMember(f"{member.path} has another name in its own header")
    reader.skip_to(data)


def _contents(member: Member, reader: RangeReader) -> Iterator[bytes]:
    """Yield the unpacked bytes; the fault of a damaged member comes at the latest at the end."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS) if member.deflated else None
    left, size, crc = member.compressed, 0, 0
    while left:
        data = reader.read_some(left)
        left -= len(data)
        if inflate is not None:
            try:
                # One byte too many is enough to tell, so that no member can grow without end.
                data = inflate.decompress(data, min(member.size - size + 1, sys.maxsize))
            except zlib.error as error:
                raise DamagedMember(f"{member.path} cannot be unpacked ({error})") from None
        size, crc = size + len(data), zlib.crc32(data, crc)
        if size > member.size:
            break
        yield data
    if size != member.size or crc != member.crc:
        raise DamagedMember(f"{member.path} has another size or CRC than the archive says")
