"""The official release, whole or the part one needs, unpacked straight from the web.

The archives are read by byte ranges: their directory first, then the members that are wanted and
not there yet. A file appears under its name once it is whole and its CRC is right, so that giving
the same command again goes on where a download broke off.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pandas as pd
import requests

from rxrx_lib.data import metadata, png_tree
from rxrx_lib.data.download.http_request import Network
from rxrx_lib.data.download.remote_file import RangeReader, find
from rxrx_lib.data.download.remote_zip import TOP, ArchiveError, Member, list_members
from rxrx_lib.data.download.selection import Selection, SelectionError, select
from rxrx_lib.data.download.transfer import DownloadError, DownloadPlan, download
from rxrx_lib.data.download.unpacking import is_unpacked, spans
from rxrx_lib.data.vocabulary import CONTROL_CLASSES

BASE_URL = "https://storage.googleapis.com/rxrx/rxrx1"
ARCHIVES = {
    "metadata": "rxrx1-metadata.zip",
    "embeddings": "rxrx1-dl-embeddings.zip",
    "images": "rxrx1-images.zip",
    "controls": "rxrx1-images.zip",
}
WHAT = tuple(ARCHIVES)
TABLES = {"metadata": metadata.FILE_NAME, "embeddings": "embeddings.csv"}
# Files that a thread checks before it takes the next; a task for each would cost memory.
CHECKED_AT_ONCE = 500
Write = Callable[[str], None]


def plan_download(
    what: str,
    root: Path | str,
    *,
    base_url: str = BASE_URL,
    selection: Selection | None = None,
    network: Network | None = None,
    write: Write = print,
) -> DownloadPlan:
    """Find out what a download has to fetch; write nothing but the metadata, if they are missing.

    Parameters
    ----------
    what : {"metadata", "embeddings", "images", "controls"}
        Controls are the images of all wells of the classes `CONTROL_CLASSES`: the 30 positive
        controls and EMPTY.
    root : path
        Folder of the screen: `metadata.csv`, `embeddings.csv`, `images/`.
    base_url : str
        Where the release's archives lie.
    selection : Selection, optional
        The part of the images; all of them by default.
    network : Network, optional
        How hard to try, and with how many connections.
    write : callable
        Takes lines for the user.

    Returns
    -------
    DownloadPlan
        Files that are there with the right size and CRC are not fetched again. To know, all of
        them are read: 46 GB take minutes, and a size alone would pass a file that was cut off
        and filled up, or belongs to another version.

    Raises
    ------
    SelectionError, ArchiveError, RemoteError, DownloadError, metadata.MetadataError
        With one sentence, if the plan cannot be made.
    """
    root, network, selection = Path(root), network or Network(), selection or Selection()
    _check_asked(what, selection)
    _check_folder(root)
    # Nothing else is of use without them.
    table = None if what == "metadata" else _metadata(root, base_url, network, write)
    if table is None or what in TABLES:
        wanted, expected = _only(TABLES[what]), 1
    else:
        controls = table["sirna_id"].isin(CONTROL_CLASSES)
        wanted, expected = select(selection, table[controls] if what == "controls" else table)
    url = f"{base_url.rstrip('/')}/{ARCHIVES[what]}"
    with requests.Session() as session:
        file = find(url, network, session, parts_only=what not in TABLES, note=write)
        open_range = partial(
            RangeReader, file, session=session, stopped=threading.Event(), arrived=lambda _: None
        )
        members = list_members(file, wanted, open_range, write)
    if not members:
        raise ArchiveError(
            f"{url} holds {_missing(what, root)}; expected the archive of the release: check the "
            "base URL."
        )
    if what not in TABLES and (root / png_tree.FOLDER).is_dir():
        write("Comparing the pictures that are there with the archive's sizes and CRCs …")
    there = _unpacked(members, root, network.connections)
    if what == "metadata" and not all(there):
        _check_replaceable(root / metadata.FILE_NAME)
    return DownloadPlan(
        what=what,
        root=root,
        file=file,
        spans=tuple(spans(m for m, is_there in zip(members, there, strict=True) if not is_there)),
        present=tuple(m for m, is_there in zip(members, there, strict=True) if is_there),
        lacking=expected - len(members),
    )


def _check_asked(what: str, selection: Selection) -> None:
    if what not in ARCHIVES:
        raise SelectionError(f"what is {what!r}; expected one of {', '.join(WHAT)}.")
    if what in TABLES and selection != Selection():
        raise SelectionError(f"{what} comes whole; select parts of images or controls only.")


def _check_folder(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise DownloadError(f"{root} is a file; expected a folder to download to.")


def _check_replaceable(path: Path) -> None:
    """Refuse to replace sound metadata, which are then those of another screen."""
    try:
        found = path.exists() and not metadata.load(path.parent).empty
    except metadata.MetadataError:  # damaged: the release's take their place
        found = False
    if found:
        raise DownloadError(
            f"{path} is another than the release's: choose another folder, or move it away."
        )


def _missing(what: str, root: Path) -> str:
    if what in TABLES:
        return f"no {TOP}{TABLES[what]}"
    return f"none of the pictures that {root / metadata.FILE_NAME} names"


def _metadata(root: Path, base_url: str, network: Network, write: Write) -> pd.DataFrame:
    """Load the metadata, fetching them first if there are none."""
    if not (root / metadata.FILE_NAME).exists():
        plan = plan_download("metadata", root, base_url=base_url, network=network, write=write)
        write(str(plan))
        download(plan, write=write)
    return metadata.load(root)


def _only(name: str) -> Callable[[str], bool]:
    return lambda path: path == name


def _unpacked(members: Sequence[Member], root: Path, connections: int) -> list[bool]:
    """Tell of each member whether its file is there."""

    def some(start: int) -> list[bool]:
        return [is_unpacked(m, root) for m in members[start : start + CHECKED_AT_ONCE]]

    with ThreadPoolExecutor(connections) as threads:
        found = threads.map(some, range(0, len(members), CHECKED_AT_ONCE))
        return [is_there for flags in found for is_there in flags]
