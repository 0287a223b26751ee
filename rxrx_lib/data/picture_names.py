"""Names of picture files: which site and channel each stands for, and which stand for none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from rxrx_lib.data.faults import Allowed
from rxrx_lib.data.png_tree import CHANNELS
from rxrx_lib.data.variants import RELEASE_ALLOWED

# RxRx1-WILDS has all channels in one picture, whose name tells none.
NAME = re.compile(r"([A-Z]+\d+)_s(\d+)(?:_w(\d+))?\.png")
# What a name holds, in the order of the groups above.
PARTS = {
    "well": RELEASE_ALLOWED["well"],
    "site": RELEASE_ALLOWED["site"],
    "channel": Allowed(frozenset(map(str, CHANNELS)), f"{CHANNELS[0]} to {CHANNELS[-1]}"),
}


def misnamed_pictures(folders: Iterable[str]) -> list[str]:
    """Return one sentence for each PNG whose name stands for no picture of any screen.

    Parameters
    ----------
    folders : iterable of str
        Folders of plates; those that are not there have none.

    Returns
    -------
    list of str
        By folder and name. Hidden files and those of other kinds are passed over, and so are
        pictures of sites that the metadata does not list: it may be a part of the screen's.
    """
    return [
        f"{Path(folder, name)} {fault}."
        for folder in folders
        if os.path.isdir(folder)
        for name in sorted(os.listdir(folder))
        if name.lower().endswith(".png") and not name.startswith(".")
        if (fault := _fault(name)) is not None
    ]


def _fault(name: str) -> str | None:
    found = NAME.fullmatch(name)
    if found is None:
        return "is named like no picture; expected a name such as B02_s1_w1.png"
    for (part, (allowed, expected)), came in zip(PARTS.items(), found.groups(), strict=True):
        if came is not None and came not in allowed:
            return f"is named after the {part} {came}; expected {expected}"
    return None
