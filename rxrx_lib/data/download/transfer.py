"""A planned download is carried out: several connections, each file whole or not there."""

from __future__ import annotations

import errno
import os
import queue
import re
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import requests

from rxrx_lib.data import metadata
from rxrx_lib.data.download.http_request import RemoteError, Stopped
from rxrx_lib.data.download.remote_file import RangeReader, RemoteFile
from rxrx_lib.data.download.remote_zip import Member
from rxrx_lib.data.download.unpacking import DamagedMember, Span, unpack
from rxrx_lib.data.progress import TransferProgress, readable_size

# Space that a download leaves free, and the unit in which most file systems give it out.
MARGIN = 2**28
BLOCK = 2**12
# A server that sends this many wrong files is not worth asking for the rest.
MOST_DAMAGED = 10
# What `atomic.replacing` leaves behind when the process is killed.
TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.(.+)")


class DownloadError(OSError):
    """A download that cannot start or was not finished; what is on disk is whole."""


@dataclass(frozen=True, kw_only=True)
class DownloadPlan:
    """What a download will do; its text says so in one line.

    Attributes
    ----------
    what : str
        One of `WHAT`.
    root : Path
        Folder of the screen.
    file : RemoteFile
        The archive.
    spans : tuple of Span
        The requests, with the members that each brings.
    present : tuple of Member
        Members that are there already, with the right size and CRC.
    lacking : int
        Pictures that the metadata names and the archive does not have.
    """

    what: str
    root: Path
    file: RemoteFile
    spans: tuple[Span, ...]
    present: tuple[Member, ...]
    lacking: int

    @property
    def files(self) -> int:
        """Files to fetch."""
        return sum(len(span.members) for span in self.spans)

    @property
    def fetch_bytes(self) -> int:
        """Bytes to fetch; none if the server could only send the whole archive, and has."""
        if self.file.content is not None:
            return 0
        return sum(span.stop - span.start for span in self.spans)

    @property
    def disk_bytes(self) -> int:
        """Bytes that the files to fetch will take on disk, in whole blocks."""
        sizes = (member.size for span in self.spans for member in span.members)
        return sum(-(-size // BLOCK) * BLOCK for size in sizes)

    def __str__(self) -> str:
        text = (
            f"{self.what}: {_count(self.files, 'file')} to fetch from {self.file.url}, "
            f"{readable_size(self.fetch_bytes)} in {_count(len(self.spans), 'request')}, "
            f"{readable_size(self.disk_bytes)} on disk in {self.root}"
        )
        if self.present:
            text += f"; {_count(len(self.present), 'file')} there already"
        if self.lacking:
            text += (
                f"; {_count(self.lacking, 'picture')} of {metadata.FILE_NAME} not in the archive"
            )
        return text + "."


def download(
    plan: DownloadPlan,
    *,
    write: Callable[[str], None] = print,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Fetch what a plan lists.

    Parameters
    ----------
    plan : DownloadPlan
        From `plan_download`.
    write : callable
        Takes a line of progress every few seconds.
    clock : callable
        Seconds, for the progress.

    Raises
    ------
    DownloadError
        If the disk has not enough room or files arrived damaged; all others are there then.
    RemoteError
        If the server failed for good, or has another archive than when the plan was made.
    """
    _check_space(plan)
    _remove_leftovers(plan)
    if not plan.spans:
        return
    progress = TransferProgress(plan.fetch_bytes, write, clock)
    damaged = _fetch(plan, progress.arrived)
    progress.finish()
    if damaged:
        raise _damage(plan, damaged)


def _check_space(plan: DownloadPlan) -> None:
    root = plan.root.absolute()
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    needed, free = plan.disk_bytes + MARGIN, shutil.disk_usage(existing).free
    if plan.spans and free < needed:
        raise DownloadError(
            f"{plan.root} has {readable_size(free)} of free disk; expected at least "
            f"{readable_size(needed)}: make room, select less or choose another folder."
        )


def _remove_leftovers(plan: DownloadPlan) -> None:
    """Remove what killed downloads of the same files left behind."""
    names = defaultdict(set)
    for member in (*plan.present, *(member for span in plan.spans for member in span.members)):
        folder, _, name = member.path.rpartition("/")
        names[plan.root / folder].add(name)
    for directory in names:
        for entry in os.listdir(directory) if directory.is_dir() else ():
            temporary = TEMPORARY.fullmatch(entry)
            if temporary is not None and temporary[1] in names[directory]:
                (directory / entry).unlink(missing_ok=True)


def _fetch(plan: DownloadPlan, arrived: Callable[[int], None]) -> list[str]:
    """Fetch all spans over several connections, and return what is wrong with damaged files.

    The first error stops all threads, as does Ctrl-C; each leaves whole files only.
    """
    waiting: queue.SimpleQueue[Span] = queue.SimpleQueue()
    for span in plan.spans:
        waiting.put(span)
    stopped = threading.Event()
    damaged: list[str] = []

    def work() -> None:
        with requests.Session() as session:
            while not stopped.is_set():
                try:
                    span = waiting.get_nowait()
                except queue.Empty:
                    return
                reader = RangeReader(
                    plan.file,
                    span.start,
                    span.stop,
                    session=session,
                    stopped=stopped,
                    arrived=arrived,
                )
                for fault in _unpack_span(span, reader, plan.root):
                    damaged.append(fault)
                    if len(damaged) >= MOST_DAMAGED:
                        raise _damage(plan, damaged)

    with ThreadPoolExecutor(plan.file.network.connections) as threads:
        futures = [threads.submit(work) for _ in range(plan.file.network.connections)]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            stopped.set()
    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in errors:
        if not isinstance(error, Stopped):
            raise error
    return damaged


def _unpack_span(span: Span, reader: RangeReader, root: Path) -> Iterator[str]:
    """Unpack the members of a span, and yield what is wrong with each that is damaged."""
    try:
        for member in span.members:
            try:
                unpack(member, reader, root)
            except DamagedMember as error:
                yield str(error)
            except RemoteError:
                raise
            except OSError as error:
                raise _unwritable(root / member.path, error) from error
        # The connection is kept alive only if the answer was read to its end.
        reader.skip_to(span.stop)
    finally:
        reader.close()


def _unwritable(path: Path, error: OSError) -> DownloadError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        advice = "make room and give the same command again; the files that are there are whole"
    else:
        advice = "choose a folder in which files can be written"
    return DownloadError(f"{path} cannot be written ({error.strerror or error}): {advice}.")


def _damage(plan: DownloadPlan, damaged: list[str]) -> DownloadError:
    return DownloadError(
        f"{plan.file.url} sent {_count(len(damaged), 'damaged file')} ({damaged[0]}, for one), the "
        "others are whole: give the same command again to fetch what is missing."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
