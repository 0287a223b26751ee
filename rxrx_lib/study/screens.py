"""From a DataSpec to a screen on this machine's disk, simulated where it is not there."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from rxrx_lib.data import metadata, simulator
from rxrx_lib.data.images import Images, open_images, pack
from rxrx_lib.data.splits import Split, separated, stratified
from rxrx_lib.study.runs import commit_folder
from rxrx_lib.study.spec import DataSpec, SplitSpec, identity


class Screen(NamedTuple):
    """A screen that is open for reading."""

    root: Path
    table: pd.DataFrame
    images: Images

    @property
    def classes(self) -> int:
        """Number of siRNA classes K."""
        return int(self.table["sirna_id"].max()) + 1


def screen_folder(data: DataSpec, folder: Path) -> Path:
    """Return where a screen lies in the folder of screens."""
    return folder / (data.name if data.screen is None else f"simulated-{identity(data)}")


def prepare_screen(data: DataSpec, folder: Path) -> Path:
    """Make sure that the screen is there, simulated and packed.

    Raises
    ------
    FileNotFoundError
        If it is the release, which only its owner can give.
    """
    root = screen_folder(data, folder)
    if data.screen is None:
        if not root.is_dir():
            raise FileNotFoundError(
                f"{root}: the RxRx1 release is not there; download it from rxrx.ai and unpack it "
                "there, or choose a simulated profile."
            )
    elif not root.is_dir():
        screen = data.screen

        def write(attempt: Path) -> None:
            simulator.simulate(screen, attempt)
            pack(attempt)

        commit_folder(root, write)
    return root


def open_screen(data: DataSpec, folder: Path) -> Screen:
    """Open the screen, making it first where it is simulated and not there."""
    root = prepare_screen(data, folder)
    return Screen(root, metadata.load(root), open_images(root))


def make_split(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Draw the split that the spec names."""
    if spec.name == "separated":
        return separated(table)
    return stratified(table, seed=spec.seed, unit="site" if spec.unit == "site" else "well")
