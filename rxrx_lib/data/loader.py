"""Plans of minibatches, pure functions of (seed, epoch, rank, world size), and their reading.

A minibatch is made of G groups of S sites: a share of a shuffled minibatch for the baseline, the
sites of one experiment for adaptive batch normalisation. A plan is int64 (steps, G, S) of row
positions in the metadata table. It is drawn for all ranks together, and each takes its groups of
every step: on how many devices a run trains changes neither its steps nor its groups.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from rxrx_lib.data.images import Images
from rxrx_lib.data.png_tree import Pixels
from rxrx_lib.data.randomness import generator

if TYPE_CHECKING:
    import torch

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


def of_rank(plan: Plan, rank: int, world_size: int) -> Plan:
    """Return the part of a plan that one of several processes works on.

    Parameters
    ----------
    plan : int64 (steps, G, S)
        Of all processes together.
    rank, world_size : int
        Which process this is, 0 to N - 1, of N.

    Returns
    -------
    int64 (steps, G/N, S)
        Its groups of every step; those of all ranks, one after the other, are the plan.

    Raises
    ------
    ValueError
        If N does not divide G, or the rank is none of N.
    """
    groups = plan.shape[1]
    if world_size < 1 or groups % world_size:
        divisors = [str(n) for n in range(1, groups + 1) if groups % n == 0]
        raise ValueError(
            f"world_size is {world_size}; expected a number that divides the {groups} groups of a "
            f"minibatch: start {', '.join(divisors)} processes, or change groups."
        )
    if not 0 <= rank < world_size:
        raise ValueError(f"rank is {rank}; expected 0 to world_size - 1 = {world_size - 1}.")
    own = groups // world_size
    return plan[:, rank * own : (rank + 1) * own]


class EpochUse(NamedTuple):
    """What an epoch takes of the training sites, and what it leaves out; every epoch the same."""

    steps: int
    training_sites: int
    """The sites taken and the two kinds left out together."""
    sites: int
    """Those that the epoch takes, each once."""
    left_of_groups: int
    """Sites left out since their experiment has too few more to fill a group."""
    left_of_steps: int
    """Sites left out since they, or their groups, are too few to fill a step."""


def epoch_use(
    plan: Plan, rows: Rows, experiments: npt.NDArray[np.str_] | Sequence[str] | None = None
) -> EpochUse:
    """Count what an epoch takes of its training sites, and why it leaves out the others.

    Parameters
    ----------
    plan : int64 (steps, G, S)
        Of all ranks.
    rows : int64 (n,)
        The rows it was drawn from.
    experiments : str (n,), optional
        The experiment of each, where groups hold one each.
    """
    left_of_groups = 0
    if experiments is not None:
        _, sizes = np.unique(experiments, return_counts=True)
        left_of_groups = int((sizes % plan.shape[2]).sum())
    return EpochUse(
        steps=len(plan),
        training_sites=len(rows),
        sites=plan.size,
        left_of_groups=left_of_groups,
        left_of_steps=len(rows) - plan.size - left_of_groups,
    )


def minibatches(
    images: Images,
    plan: Plan | Sequence[Rows],
    workers: int = 0,
    pinned: bool = False,
    channels: Sequence[int] | None = None,
) -> Generator[tuple[Rows, torch.Tensor]]:
    """Read the minibatches of a plan, one after the other, into memory that is used again.

    Parameters
    ----------
    images : Images
        From `open_images`.
    plan : int64 (steps, G, S), or a sequence of int64 arrays
        Row positions of each step.
    workers : int
        Threads that share the reading of the next minibatch while the caller has this one, for
        which there is memory twice; with 0 a minibatch is read when it is asked for. The result
        does not depend on it.
    pinned : bool
        Whether the memory is page-locked: a CUDA device copies from it faster.
    channels : sequence of int, optional
        Which channels are read, counted from 1, in the order wanted; all by default.

    Yields
    ------
    rows : int64 (B,)
        Row positions, the groups one after the other; B = G·S.
    pixels : uint8 tensor (B, C, H, W)
        Their images. The next minibatch overwrites them: copy what is to last.

    Raises
    ------
    ImageError
        If a picture cannot be read.

    Notes
    -----
    The threads end with the generator: at its end, or when it is closed or raises. Who may leave
    the loop early and keep the generator alive, as an exception's traceback does, closes it.

    Threads, and not the processes of torch's DataLoader: they fill memory that is there already,
    where processes hand over fresh memory each time. Whoever prefers a DataLoader may call
    `images.read` in its workers.
    """
    # Not at the top: a plan needs no torch, which takes a second and 400 MB to import.
    import torch

    steps = [np.ravel(step) for step in plan]
    largest = max(map(len, steps), default=0)
    wanted = tuple(images.channels if channels is None else channels)
    site = (len(wanted), images.image_size, images.image_size)
    # The system hands out fresh memory page by page, which takes as long as half the reading.
    buffers = [
        torch.empty((largest, *site), dtype=torch.uint8, pin_memory=pinned)
        for _ in range(2 if workers else 1)
    ]
    if workers:
        yield from _read_ahead(images, steps, buffers, workers, wanted)
        return
    for rows in steps:
        pixels = buffers[0][: len(rows)]
        images.read(rows, wanted, pixels.numpy())
        yield rows, pixels


def _read_ahead(
    images: Images,
    steps: Sequence[Rows],
    buffers: Sequence[torch.Tensor],
    workers: int,
    channels: Sequence[int],
) -> Generator[tuple[Rows, torch.Tensor]]:
    """Yield each step from the one of two buffers, while threads read the next into the other."""
    threads = ThreadPoolExecutor(workers)

    def reading(step: int) -> list[Future[Pixels]]:
        """Begin to read a step, a share a thread; after the last step there is nothing to read."""
        if step == len(steps):
            return []
        rows, place = steps[step], buffers[step % 2].numpy()
        cuts = [len(rows) * thread // workers for thread in range(workers + 1)]
        return [
            threads.submit(images.read, rows[start:stop], channels, place[start:stop])
            for start, stop in itertools.pairwise(cuts)
        ]

    try:
        shares = reading(0)
        for step, rows in enumerate(steps):
            for share in shares:
                share.result()
            shares = reading(step + 1)
            yield rows, buffers[step % 2][: len(rows)]
    finally:
        threads.shutdown(cancel_futures=True)


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
