"""From a DataSpec to a screen on this machine's disk, simulated where it is not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from rxrx_lib.data import metadata, simulator
from rxrx_lib.data.controls import pack_controls
from rxrx_lib.data.images import CHANNELS, Images, open_images, pack
from rxrx_lib.data.normalization import Statistics
from rxrx_lib.data.packed_store import MANIFEST, is_packed, open_packed
from rxrx_lib.data.simulator.write import TRUTH_FILE
from rxrx_lib.data.splits import (
    Split,
    few_experiments,
    held_out_training,
    separated,
    stratified,
    wilds,
)
from rxrx_lib.data.vocabulary import SIMULATED_PREFIX
from rxrx_lib.study.identity import identity
from rxrx_lib.study.runs import commit_folder
from rxrx_lib.study.spec import DataSpec, SplitSpec

RELEASE = "rxrx1"
RELEASE_EXPERIMENTS = tuple(
    f"{cell_type}-{number:02d}"
    for cell_type, count in (("HUVEC", 24), ("RPE", 11), ("HEPG2", 11), ("U2OS", 5))
    for number in range(1, count + 1)
)
"""The 51 experiments of the RxRx1 release."""


class Screen(NamedTuple):
    """A screen that is open for reading."""

    root: Path
    table: pd.DataFrame
    images: Images
    pixel_statistics: Statistics | None = None
    """By which each site is standardised, (N, C); None for each by its own."""

    @property
    def classes(self) -> int:
        """Number of siRNA classes K."""
        return int(self.table["sirna_id"].max()) + 1


def screen_folder(data: DataSpec, folder: Path) -> Path:
    """Return where a screen lies in the folder of screens."""
    return folder / (data.name if data.name == RELEASE else f"{data.name}-{identity(data)}")


def prepare_screen(data: DataSpec, folder: Path) -> Path:
    """Make sure that the screen is there, simulated or taken out of the release, and packed.

    Raises
    ------
    FileNotFoundError
        If it is the release, which only its owner can give.
    ValueError
        If another screen lies where the release should, or a part of the release; or if the
        screen's packed store holds smaller pictures or fewer channels than it has.
    ImageError
        If the packed store is out of date or damaged.
    """
    root = screen_folder(data, folder)
    if data.name == RELEASE:
        _require_release(root, what="images")
    elif not root.is_dir():
        _make(data, folder, root)
    elif data.screen is None:
        _require_of_release(root)
    if is_packed(root):
        _require_whole_pictures(root, data.downsample)
    return root


def _make(data: DataSpec, folder: Path, root: Path) -> None:
    """Simulate a screen, or take it out of the release."""
    screen = data.screen
    if screen is None:
        release = folder / RELEASE
        _require_release(release, what="controls")
        commit_folder(root, lambda to: pack_controls(release, to, downsample=data.downsample))
        return

    def write(attempt: Path) -> None:
        simulator.simulate(screen, attempt)
        pack(attempt)

    # Waiting for the disk, picture by picture, takes up to a quarter of the time. The packed store
    # waits by itself, and knows its damage; the screen can be made again.
    commit_folder(root, write, durable=False)


def _require_whole_pictures(root: Path, expected: int) -> None:
    """Refuse pictures that a run would report as the screen's own and are less."""
    store = open_packed(root)
    source = json.loads((root / MANIFEST).read_text(encoding="utf-8"))["source"]
    downsample, lacking = (
        store.reduction.downsample,
        sorted({*source["channels"]} - {*store.channels}),
    )
    if downsample != expected or lacking:
        fewer = f"lacks the channels {', '.join(map(str, lacking))}"
        what = fewer if lacking else f"has one pixel for {downsample} × {downsample}"
        size = "full size" if expected == 1 else f"one pixel for {expected} × {expected}"
        raise ValueError(
            f"{root / MANIFEST} {what}, so its pictures are not {root.name}'s; expected all its "
            f"channels at {size}: pack the screen again without --downsample and --channels, or "
            "remove the folder where the study made it."
        )


def _require_release(root: Path, *, what: str) -> None:
    """Refuse a folder without the release, of which ``what`` is needed."""
    if not root.is_dir():
        raise FileNotFoundError(
            f"{root}: the RxRx1 release is not there; download it (rxrx download {root} --what "
            f"{what}), or choose a simulated profile."
        )
    _require_of_release(root)


def _require_of_release(root: Path) -> None:
    """Refuse what would be reported as RxRx1 and is not."""
    found = set(metadata.load(root)["experiment"])
    instead = "put the RxRx1 release there, or choose a simulated profile."
    simulated = sorted(name for name in found if name.startswith(SIMULATED_PREFIX))
    if simulated or (root / TRUTH_FILE).exists():
        sign = f"the experiment {simulated[0]}" if simulated else TRUTH_FILE
        raise ValueError(f"{root} holds {sign}, so it is a simulated screen; {instead}")
    missing = [name for name in RELEASE_EXPERIMENTS if name not in found]
    if missing:
        raise ValueError(
            f"{root}/{metadata.FILE_NAME} lacks {len(missing)} of the release's "
            f"{len(RELEASE_EXPERIMENTS)} experiments, {missing[0]} among them; {instead}"
        )


def open_screen(data: DataSpec, folder: Path) -> Screen:
    """Open the screen, making it first where it is simulated and not there.

    An siRNA that the metadata does not name, as Kaggle's do not, is called by its class.

    Raises
    ------
    ValueError, FileNotFoundError
        As `prepare_screen`; also if the pictures have other channels than the release's six.
    """
    root = prepare_screen(data, folder)
    table, images = metadata.load(root), open_images(root)
    if images.channels != CHANNELS:
        raise ValueError(
            f"{root} has pictures of {len(images.channels)} channels, as RxRx1-WILDS does; "
            f"expected {len(CHANNELS)}: put the RxRx1 release there, or choose a simulated profile."
        )
    nameless = (table["sirna"] == "") & (table["sirna_id"] != metadata.UNLABELLED)
    by_class = "class " + table["sirna_id"].astype(str)
    return Screen(root, table.assign(sirna=table["sirna"].mask(nameless, by_class)), images)


def make_split(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Draw the split that the spec names.

    Raises
    ------
    ValueError
        If a row on any side has no class, no site is on the test side, or the screen has not what
        the split asks for.
    """
    split = _drawn(table, spec)
    if not len(split.test):
        raise ValueError("split has no test site; give the screen test experiments.")
    rows = np.concatenate(list(split.sides.values()))
    unlabelled = int((table["sirna_id"].to_numpy()[rows] < 0).sum())
    if unlabelled:
        raise ValueError(
            f"sirna_id is -1 in {unlabelled} of {len(rows)} rows; a run needs the class of every "
            "site that it trains or is tested on, so leave those rows out or use the rxrx.ai "
            "release."
        )
    return split


def all_tested(table: pd.DataFrame, spec: SplitSpec) -> Split:
    """Return a split of a screen that none of the training saw: every row on the test side."""
    rows = np.arange(len(table), dtype=np.int64)
    return Split(name=spec.name, unit=spec.unit, train=rows[:0], test=rows)


def _drawn(table: pd.DataFrame, spec: SplitSpec) -> Split:
    if spec.name == "separated":
        return separated(table)
    if spec.name == "stratified":
        return stratified(table, seed=spec.seed, unit=spec.unit)
    if spec.name == "few_experiments":
        return few_experiments(table, spec.cell_type, spec.n, spec.seed)
    if spec.name == "held_out_training":
        return held_out_training(table, spec.seed)
    return wilds(table, spec.name.removeprefix("wilds_").replace("_", "-"))
