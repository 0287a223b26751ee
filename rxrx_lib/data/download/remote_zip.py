"""A zip archive on a web server: its members, every one of them checked."""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

from rxrx_lib.data.download.remote_file import RangeReader, RemoteFile

# Every member is in this folder, which is left out of the names on disk.
TOP = "rxrx1/"
# What macOS adds to an archive: harmless, and never unpacked.
IGNORED = "__MACOSX/"
# The records that end an archive lie in this many bytes: 64 KiB of comment, and four small ones.
TAIL = 2**17
MOST_DIRECTORY = 2**28
LOCAL_HEADER = struct.Struct("<4s5H3L2H")
SAFE_NAME = re.compile(r"((?!\.{1,2}(/|\Z))[^/\\:\x00-\x1f\x7f]+(/|\Z))+")
ENCRYPTED = 0x1 | 0x40 | 0x2000


class ArchiveError(ValueError):
    """An archive that is not to be trusted or cannot be read; the message names its address."""


class Member(NamedTuple):
    """One file of an archive: where it lies there, and what it must be when unpacked."""

    path: str
    start: int
    stop: int
    compressed: int
    size: int
    crc: int
    deflated: bool


Open = Callable[[int, int], RangeReader]


def list_members(
    file: RemoteFile,
    wanted: Callable[[str], bool],
    open_range: Open,
    note: Callable[[str], None],
) -> list[Member]:
    """Read an archive's directory, check all of it and return the members that are wanted.

    Parameters
    ----------
    file : RemoteFile
        The archive.
    wanted : callable
        Says of a path, without `TOP`, whether it is wanted.
    open_range : callable
        Opens a range (start, stop) of the file.
    note : callable
        Is told before a long directory is read.

    Returns
    -------
    list of Member
        In the order in which they lie in the archive.

    Raises
    ------
    ArchiveError
        If any member, wanted or not, has an unsafe name or is one that cannot be unpacked.
    RemoteError
        If the directory cannot be read.
    """
    archive = _open_directory(file, open_range, note)
    for info in archive.filelist:
        fault = _fault(info, archive.start_dir)
        if fault is not None:
            name = info.orig_filename
            raise ArchiveError(f"{file.url}: its member {name!r} {fault}; nothing was unpacked.")
    if len(archive.NameToInfo) < len(archive.filelist):
        raise ArchiveError(f"{file.url} has two members of one name; nothing was unpacked.")
    starts = sorted(info.header_offset for info in archive.filelist)
    starts.append(archive.start_dir)
    members = [
        _member(file, info, starts)
        for info in archive.filelist
        if info.filename.startswith(TOP)
        and not info.is_dir()
        and wanted(info.filename.removeprefix(TOP))
    ]
    return sorted(members, key=lambda member: member.start)


class _Directory(io.RawIOBase):
    """An archive as `zipfile` reads it for its directory: a few reads at the end."""

    def __init__(self, file: RemoteFile, open_range: Open, note: Callable[[str], None]) -> None:
        self._file, self._open, self._note = file, open_range, note
        self._position = 0
        # Read now, since `zipfile` takes an OSError while it looks for the end as "no zip file".
        self._tail_start = max(0, file.size - TAIL)
        self._tail = self._fetch(self._tail_start, file.size)

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        position = offset + (0, self._position, self._file.size)[whence]
        if position < 0:
            raise OSError(f"position {position} is before the start")
        self._position = position
        return position

    def read(self, size: int = -1) -> bytes:
        start = self._position
        stop = self._file.size if size < 0 else min(start + size, self._file.size)
        self._position = max(start, stop)
        if start >= self._tail_start:
            return self._tail[start - self._tail_start : max(start, stop) - self._tail_start]
        if stop - start > MOST_DIRECTORY:
            raise ArchiveError(
                f"{self._file.url} has a directory of {stop - start} bytes; expected at most "
                f"{MOST_DIRECTORY}: it is not the release's archive, so use another base URL."
            )
        return self._fetch(start, stop)

    def _fetch(self, start: int, stop: int) -> bytes:
        if stop - start > TAIL:
            size = (stop - start) / 1e6
            self._note(f"Reading the list of the archive's files ({size:.0f} MB) …")
        reader = self._open(start, stop)
        try:
            return reader.read(stop - start)
        finally:
            reader.close()


def _open_directory(
    file: RemoteFile, open_range: Open, note: Callable[[str], None]
) -> zipfile.ZipFile:
    source = _Directory(file, open_range, note)
    try:
        return zipfile.ZipFile(source)
    except ArchiveError:
        raise
    # zipfile itself raises the last three for bytes that are no directory.
    except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError) as error:
        raise ArchiveError(
            f"{file.url} is no zip archive, or a damaged one ({error}): give the same command "
            "again, and if that does not help, use another base URL."
        ) from error


def _fault(info: zipfile.ZipInfo, directory: int) -> str | None:
    """Return what is wrong with a member; `zipfile` cuts names at NUL, so not by its `filename`."""
    name = info.orig_filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    if SAFE_NAME.fullmatch(name) is None:
        return f"has a name that could lead out of the folder (expected {TOP}…)"
    if not name.startswith((TOP, IGNORED)):
        return f"lies outside {TOP}"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a special file (expected files and folders)"
    if info.flag_bits & ENCRYPTED:
        return "is encrypted (expected plain members)"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"has the compression method {info.compress_type} (expected 0 or 8)"
    least = LOCAL_HEADER.size + info.compress_size
    if not 0 <= info.header_offset <= directory - least:
        return "does not lie inside the archive"
    return None


def _member(file: RemoteFile, info: zipfile.ZipInfo, starts: list[int]) -> Member:
    """Describe a member; it ends where the next starts, or else the directory."""
    start, following = info.header_offset, bisect_right(starts, info.header_offset)
    shared = following > 1 and starts[following - 2] == start
    if shared or start + LOCAL_HEADER.size + info.compress_size > starts[following]:
        raise ArchiveError(
            f"{file.url}: its member {info.filename!r} overlaps another; nothing was unpacked."
        )
    return Member(
        path=info.filename.removeprefix(TOP),
        start=start,
        stop=starts[following],
        compressed=info.compress_size,
        size=info.file_size,
        crc=info.CRC,
        deflated=info.compress_type == zipfile.ZIP_DEFLATED,
    )
