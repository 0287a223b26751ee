"""A web server on loopback that sends ranges of files, and misbehaves when told to."""

from __future__ import annotations

import io
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd

from tests.data.screens import write_screen

SCREEN = {"HUVEC-01": "train", "RPE-01": "test"}
PIECE = 1000


@dataclass
class Manners:
    """How the server answers; the default is well.

    Attributes
    ----------
    statuses : list of int
        Statuses of the next answers.
    drops : list of (int or None)
        The next answers break off after so many bytes of their body; None: not.
    ignores_ranges : bool
        Sends the whole file, status 200.
    stalls : list of (int or None)
        The next answers send so many bytes and then nothing, until the server is closed.
    change : callable
        Takes (first byte of the answer, body) and returns the body to send.
    headers : dict
        Replace the headers of that name; None leaves one out.
    location : dict
        Paths that are elsewhere now, and where.
    """

    statuses: list[int] = field(default_factory=list)
    drops: list[int | None] = field(default_factory=list)
    ignores_ranges: bool = False
    stalls: list[int | None] = field(default_factory=list)
    change: Callable[[int, bytes], bytes] | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    location: dict[str, str] = field(default_factory=dict)


class RangeServer(ThreadingHTTPServer):
    """Serves the files of a folder.

    Attributes
    ----------
    requests : list of (str, tuple of int or None)
        Path and range (first, stop) of each request, in order.
    connections : int
        Connections that were opened.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.manners = Manners()
        self.requests: list[tuple[str, tuple[int, int] | None]] = []
        self.connections = 0
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def reset(self, **manners: object) -> None:
        """Forget what was asked, and answer in another manner."""
        self.manners = Manners(**manners)  # type: ignore[arg-type]
        self.requests, self.connections = [], 0

    def asked(self, name: str) -> int:
        """Return the bytes of all ranges of a file that were asked for."""
        return sum(span[1] - span[0] for path, span in self.requests if span and path == f"/{name}")

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that give up are what is tested here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20
    server: RangeServer

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        manners = self.server.manners
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        span = (int(asked[1]), int(asked[2]) + 1) if asked else None
        self.server.requests.append((self.path, span))
        path = self.server.folder / self.path.lstrip("/")
        if self.path in manners.location:
            self._answer(302, b"", {"Location": manners.location[self.path]})
        elif manners.statuses:
            self._answer(manners.statuses.pop(0), b"", {})
        elif not path.is_file():
            self._answer(404, b"", {})
        else:
            self._send_part(path, None if manners.ignores_ranges else span)

    def _send_part(self, path: Path, span: tuple[int, int] | None) -> None:
        size = path.stat().st_size
        headers = {"ETag": f'"{size}"', "Accept-Ranges": "bytes"}
        if span is not None and span[0] >= size:
            self._answer(416, b"", {**headers, "Content-Range": f"bytes */{size}"})
            return
        start, stop = span or (0, size)
        stop = min(stop, size)
        with path.open("rb") as file:
            file.seek(start)
            body = file.read(stop - start)
        if self.server.manners.change is not None:
            body = self.server.manners.change(start, body)
        if span is not None:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        self._answer(200 if span is None else 206, body, headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        manners = self.server.manners
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers | manners.headers).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        # The very first request asks for one byte, which is too little to break off in.
        drop = manners.drops.pop(0) if manners.drops and len(body) > 1 else None
        stall = manners.stalls.pop(0) if manners.stalls and len(body) > 1 else None
        self.wfile.write(body[: drop if stall is None else stall])
        if stall is not None:
            self.wfile.flush()
            self.server.closing.wait()
        if drop is not None or stall is not None:
            self.close_connection = True


@contextmanager
def serving(folder: Path) -> Iterator[RangeServer]:
    """Run a server of a folder's files until the block ends."""
    server = RangeServer(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def write_release(folder: Path) -> pd.DataFrame:
    """Write a small release: the tree `rxrx1/`, and the archives of it beside.

    Returns
    -------
    DataFrame
        Its metadata.
    """
    tree = folder / "rxrx1"
    table = write_screen(tree, SCREEN, treatments=4, image_size=12)
    rows = [f"{site},{number},0.5" for number, site in enumerate(table["site_id"])]
    (tree / "embeddings.csv").write_text("\n".join(["site_id,feature_0,feature_1", *rows]) + "\n")
    zip_tree(folder / "rxrx1-metadata.zip", tree, ["metadata.csv"])
    zip_tree(folder / "rxrx1-dl-embeddings.zip", tree, ["embeddings.csv"])
    pictures = sorted(str(path.relative_to(tree)) for path in tree.rglob("*.png"))
    zip_tree(folder / "rxrx1-images.zip", tree, pictures)
    return table


class Pipe(io.RawIOBase):
    """A file that cannot be sought in, so that a member's size and CRC come after its data."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._file.write(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def zip_tree(archive: Path, tree: Path, names: list[str]) -> None:
    """Write an archive as the release's are: folders and files under rxrx1/."""
    with Pipe(archive) as pipe, zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as written:
        for folder in sorted({str(Path(name).parent) for name in names} - {"."}):
            written.mkdir(f"rxrx1/{folder}")
        for name in names:
            written.write(tree / name, f"rxrx1/{name}")
