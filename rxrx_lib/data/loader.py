"""Plans of minibatches, pure functions of (seed, epoch), and the DataLoader that follows one.

A minibatch is made of G groups of S sites: a share of a shuffled minibatch for the baseline, the
sites of one experiment for adaptive batch normalisation. A plan is int64 (steps, G, S) of row
positions in the metadata table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from rxrx_lib.data.images import Images
from rxrx_lib.data.randomness import generator

if TYPE_CHECKING:
    import torch
    from torch.utils.data import Dataset

Rows = npt.NDArray[np.int64]
Plan = npt.NDArray[np.int64]


def shuffled(rows: Rows, groups: int, group_size: int, seed: int, epoch: int) -> Plan:
    """Plan one epoch of minibatches drawn from all rows.

    Parameters
    ----------
    rows : int64 (n,)
        Row positions to train on.
    groups, group_size : int
        G and S.
    seed, epoch : int
        Key of the draw.

    Returns
    -------
    int64 (steps, G, S)
        Every row at most once; the n mod G·S rows left over are others in each epoch.

    Raises
    ------
    ValueError
        If the rows do not fill one minibatch, or G or S is not positive.
    """
    steps = _steps([len(rows)], groups, group_size)
    drawn = generator("shuffled plan", seed, epoch).permutation(rows)
    return drawn[: steps * groups * group_size].reshape(steps, groups, group_size)


def one_experiment_groups(
    rows: Rows,
    experiments: npt.NDArray[np.str_] | Sequence[str],
    groups: int,
    group_size: int,
    seed: int,
    epoch: int,
) -> Plan:
    """Plan one epoch of minibatches whose groups hold sites of one experiment each.

    An experiment of n rows gives ⌊n/S⌋ groups; its n mod S rows left over are others in each
    epoch, and so are the groups, fewer than G, that do not fill a step and are dropped. Groups
    are shuffled over the steps: two of one step may come from the same experiment.

    Parameters
    ----------
    rows : int64 (n,)
        Row positions to train on.
    experiments : str (n,)
        The experiment of each.
    groups, group_size : int
        G and S.
    seed, epoch : int
        Key of the draw.

    Returns
    -------
    int64 (steps, G, S)
        Every row at most once.

    Raises
    ------
    ValueError
        If an experiment does not fill a group, all do not fill a minibatch, or G or S is not
        positive.
    """
    experiments = np.asarray(experiments)
    names, sizes = np.unique(experiments, return_counts=True)
    steps = _grouped_steps(names, sizes, groups, group_size)
    draw = generator("one-experiment plan", seed, epoch)
    filled = []
    for name, size in zip(names, sizes, strict=True):
        drawn = draw.permutation(rows[experiments == name])
        filled.append(drawn[: size // group_size * group_size].reshape(-1, group_size))
    together = draw.permutation(np.concatenate(filled))
    return together[: steps * groups].reshape(steps, groups, group_size)


def minibatches(
    images: Images, plan: Plan | Sequence[Rows], workers: int = 0
) -> Iterator[tuple[Rows, torch.Tensor]]:
    """Read the minibatches of a plan, one after the other.

    Parameters
    ----------
    images : Images
        From `open_images`.
    plan : int64 (steps, G, S), or a sequence of int64 arrays
        Row positions of each step.
    workers : int
        Processes that read ahead; 0 reads in this one. The result does not depend on it.

    Yields
    ------
    rows : int64 (B,)
        Row positions, the groups one after the other; B = G·S.
    pixels : uint8 tensor (B, 6, H, W)
        Their images.
    """
    # Not at the top: a plan needs no torch, which takes a second and 400 MB to import.
    import torch
    from torch.utils.data import DataLoader

    steps = cast("Dataset[tuple[Rows, torch.Tensor]]", _Steps(images, plan))
    loader = DataLoader(
        steps,
        batch_size=None,
        collate_fn=_unchanged,
        num_workers=workers,
        # Else starting an epoch draws from torch's global generator.
        generator=torch.Generator(),
    )
    yield from loader


@dataclass(frozen=True)
class _Steps:
    """The plan as a map-style dataset: one item a step."""

    images: Images
    plan: Plan | Sequence[Rows]

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, step: int) -> tuple[Rows, torch.Tensor]:
        import torch

        rows = np.ravel(self.plan[step])
        return rows, torch.from_numpy(self.images.read(rows))


def _unchanged(item: Any) -> Any:
    """Keep the rows a NumPy array, which torch's own conversion would not."""
    return item


def _grouped_steps(names: npt.NDArray[np.str_], sizes: Rows, groups: int, group_size: int) -> int:
    smallest = int(np.argmin(sizes)) if len(sizes) else 0
    if len(sizes) and sizes[smallest] < group_size:
        raise ValueError(
            f"experiment {names[smallest]} has {sizes[smallest]} training sites; expected at least "
            f"the group_size, {group_size}: take smaller groups or leave the experiment out."
        )
    return _steps(sizes, groups, group_size)


def _steps(pools: Rows | Sequence[int], groups: int, group_size: int) -> int:
    """Return the full minibatches that pools of so many sites give; no group mixes two pools."""
    for name, value in (("groups", groups), ("group_size", group_size)):
        if value < 1:
            raise ValueError(f"{name} is {value}; expected at least 1.")
    steps = sum(int(pool) // group_size for pool in pools) // groups
    if steps == 0:
        raise ValueError(
            f"{sum(map(int, pools))} training sites do not fill one minibatch of {groups} groups "
            f"of {group_size}: take fewer or smaller groups."
        )
    return steps
