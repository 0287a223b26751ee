"""One file on a web server, read by byte ranges, through broken connections."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

import requests

from rxrx_lib.data.download.http_request import (
    Broken,
    Network,
    Patience,
    RemoteError,
    Stopped,
    get,
    read,
)

CHUNK = 2**16
# A server that ignores ranges sends the whole file, which is then held in memory.
MOST_WHOLE = 2**30


@dataclass(frozen=True)
class RemoteFile:
    """A file that a server has, as it was when it was first asked for.

    Attributes
    ----------
    url : str
        Its address.
    size : int
        Bytes.
    version : str
        ETag or else date of change, to notice another file under the same address; may be empty.
    network : Network
        How hard to try.
    content : bytes, optional
        All of it, where the server does not send parts.
    """

    url: str
    size: int
    version: str
    network: Network
    content: bytes | None = None


def find(
    url: str,
    network: Network,
    session: requests.Session,
    *,
    parts_only: bool,
    note: Callable[[str], None],
) -> RemoteFile:
    """Look a file up by asking for its first byte.

    Parameters
    ----------
    url : str
        Its address.
    network : Network
        How hard to try.
    session : requests.Session
        Keeps connections alive.
    parts_only : bool
        Refuse a server that ignores ranges; otherwise fetch the whole file at once.
    note : callable
        Is told before a whole file is fetched.

    Raises
    ------
    RemoteError
        If there is no such file, no answer, or only the whole file to have.
    """
    patience = Patience(url, network, threading.Event())
    while True:
        try:
            with get(session, url, {"Range": "bytes=0-0"}, network.timeout) as response:
                if response.status_code == 206:
                    read(response, 1)  # to its end, so that the connection is kept
                    return RemoteFile(url, _content_range(response)[2], _version(response), network)
                if response.status_code == 416:
                    raise RemoteError(f"{url} is empty; expected a zip archive: fetch it later.")
                if parts_only:
                    raise _ignores_ranges(url)
                size = response.headers.get("Content-Length", "unknown")
                note(f"{url}: the server sends no parts; fetching all of it ({size} bytes).")
                content = _whole(response)
                return RemoteFile(url, len(content), _version(response), network, content)
        except Broken as error:
            patience.broke(str(error))


class RangeReader:
    """The bytes `start` to `stop` of a remote file, in order; a break is gone on from.

    Parameters
    ----------
    file : RemoteFile
        What to read; if it is no longer the file that was found, reading fails.
    start, stop : int
        The range, `stop` not included.
    session : requests.Session
        Keeps connections alive; of one thread.
    stopped : threading.Event
        Once set, reading raises `Stopped`.
    arrived : callable
        Is told the number of bytes that came from the network.
    """

    def __init__(
        self,
        file: RemoteFile,
        start: int,
        stop: int,
        *,
        session: requests.Session,
        stopped: threading.Event,
        arrived: Callable[[int], None],
    ) -> None:
        self.position = start
        self._file, self._stop, self._session = file, stop, session
        self._stopped, self._arrived = stopped, arrived
        self._response: requests.Response | None = None
        self._patience = Patience(file.url, file.network, stopped)

    def read_some(self, most: int) -> bytes:
        """Return the next bytes, at least 1 and at most `most`."""
        most = min(most, CHUNK, self._stop - self.position)
        if most <= 0:
            raise RemoteError(f"{self._file.url} was asked for more than the range that is open.")
        while not self._stopped.is_set():
            try:
                data = self._next(most)
            except Broken as error:
                self.close()
                self._patience.broke(str(error))
            else:
                self.position += len(data)
                self._patience.got(len(data))
                return data
        raise Stopped

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        read = bytearray()
        while len(read) < size:
            read += self.read_some(size - len(read))
        return bytes(read)

    def skip_to(self, position: int) -> None:
        """Read on to `position`, which is not behind."""
        while self.position < position:
            self.read_some(position - self.position)

    def close(self) -> None:
        """Give the connection back, or drop it if the answer was not read to its end."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def _next(self, most: int) -> bytes:
        if self._file.content is not None:
            return self._file.content[self.position : self.position + most]
        if self._response is None:
            self._response = self._open()
        data = read(self._response, most)
        if not data:
            raise Broken("the connection closed early")
        self._arrived(len(data))
        return data

    def _open(self) -> requests.Response:
        """Ask for what is still missing, and make sure that the answer is just that."""
        file, last = self._file, self._stop - 1
        # No If-Range: each answer's ETag is compared below, and not every server knows that header.
        headers = {"Range": f"bytes={self.position}-{last}"}
        response = get(self._session, file.url, headers, file.network.timeout)
        try:
            if _version(response) != file.version or response.status_code == 416:
                raise _changed(file.url)
            if response.status_code == 200:
                raise _ignores_ranges(file.url)
            first, end, size = _content_range(response)
            if size != file.size:
                raise _changed(file.url)
            if (first, end) != (self.position, last):
                raise RemoteError(
                    f"{file.url} answered bytes {first}-{end}; expected {self.position}-{last}: "
                    "use another base URL."
                )
        except RemoteError:
            response.close()
            raise
        return response


def _whole(response: requests.Response) -> bytes:
    content = bytearray()
    while data := read(response, CHUNK):
        content += data
        if len(content) > MOST_WHOLE:
            raise _ignores_ranges(response.url)
    return bytes(content)


def _version(response: requests.Response) -> str:
    headers = response.headers
    return headers.get("ETag") or headers.get("Last-Modified") or ""


def _content_range(response: requests.Response) -> tuple[int, int, int]:
    """Return the first byte, the last byte and the size of the file that a 206 names."""
    came = response.headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", came.strip())
    if found is None:
        raise RemoteError(
            f"{response.url} answered the Content-Range {came!r}; expected bytes FIRST-LAST/SIZE: "
            "use another base URL."
        )
    first, last, size = (int(number) for number in found.groups())
    return first, last, size


def _ignores_ranges(url: str) -> RemoteError:
    return RemoteError(
        f"{url} came whole where a part was asked for (its server ignores byte ranges): use "
        "another base URL."
    )


def _changed(url: str) -> RemoteError:
    return RemoteError(
        f"{url} changed on the server while it was being read: give the same command again."
    )
