"""Plans of minibatches: what each row is used for, and that (seed, epoch) alone decides."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from rxrx_lib.data import images, loader
from tests.data.screens import png_path, write_screen
from tests.training.tiny import Noise, noise

sizes = st.lists(st.integers(1, 40), min_size=1, max_size=6)
keys = st.integers(0, 99)


class Slow(Noise):
    """Images that do something when they are read, and then tell that they have been."""

    def __init__(
        self, pixels: npt.NDArray[np.uint8], reading: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(pixels)
        self.reading = reading
        self.read_so_far = threading.Semaphore(0)

    def after_reading(self) -> None:
        self.reading()
        self.read_so_far.release()


def layout(counts: list[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return unordered row positions and the experiment of each."""
    draw = np.random.default_rng(seed)
    experiments = draw.permutation(np.repeat([f"E{i}" for i in range(len(counts))], counts))
    return draw.permutation(1000)[: len(experiments)], experiments


@given(counts=sizes, groups=st.integers(1, 4), group_size=st.integers(1, 5), seed=keys)
def test_a_shuffled_plan_uses_each_row_once_and_leaves_less_than_a_minibatch(
    counts: list[int], groups: int, group_size: int, seed: int
) -> None:
    rows, _ = layout(counts, seed)
    if len(rows) < groups * group_size:
        with pytest.raises(ValueError, match="do not fill one minibatch"):
            loader.shuffled(rows, groups, group_size, seed, 0)
        return
    plan = loader.shuffled(rows, groups, group_size, seed, 0)
    assert plan.dtype == np.int64
    assert plan.shape == (len(rows) // (groups * group_size), groups, group_size)
    assert len(np.unique(plan)) == plan.size
    assert set(plan.ravel()) <= set(rows)


@given(counts=sizes, groups=st.integers(1, 4), group_size=st.integers(1, 5), seed=keys)
def test_one_experiment_groups_hold_one_experiment_and_use_each_row_once(
    counts: list[int], groups: int, group_size: int, seed: int
) -> None:
    rows, experiments = layout(counts, seed)
    full = sum(count // group_size for count in counts)
    arguments = (rows, experiments, groups, group_size, seed, 0)
    if min(counts) < group_size:
        with pytest.raises(ValueError, match=r"experiment E\d has \d+ training sites"):
            loader.one_experiment_groups(*arguments)
        return
    if full < groups:
        with pytest.raises(ValueError, match="do not fill one minibatch"):
            loader.one_experiment_groups(*arguments)
        return
    plan = loader.one_experiment_groups(*arguments)
    assert plan.shape == (full // groups, groups, group_size)
    assert len(np.unique(plan)) == plan.size
    experiment_of = dict(zip(rows, experiments, strict=True))
    per_group = [{experiment_of[row] for row in group} for group in plan.reshape(-1, group_size)]
    assert all(len(of_group) == 1 for of_group in per_group)
    used = Counter(name for of_group in per_group for name in of_group)
    for i, count in enumerate(counts):
        dropped = count // group_size - used[f"E{i}"]
        assert 0 <= dropped <= full % groups
    assert sum(used.values()) == full - full % groups


@given(
    counts=sizes,
    own_groups=st.integers(1, 3),
    world_size=st.integers(1, 4),
    group_size=st.integers(1, 4),
    seed=keys,
    grouped=st.booleans(),
)
def test_the_shares_of_all_ranks_are_disjoint_and_together_the_plan(
    counts: list[int],
    own_groups: int,
    world_size: int,
    group_size: int,
    seed: int,
    grouped: bool,
) -> None:
    counts = [count + group_size for count in counts]
    rows, experiments = layout(counts, seed)
    groups = own_groups * world_size
    assume(sum(count // group_size for count in counts) >= groups)
    if grouped:
        plan = loader.one_experiment_groups(rows, experiments, groups, group_size, seed, 0)
    else:
        plan = loader.shuffled(rows, groups, group_size, seed, 0)
    shares = [loader.of_rank(plan, rank, world_size) for rank in range(world_size)]
    assert {share.shape for share in shares} == {(len(plan), own_groups, group_size)}
    used = np.concatenate([share.ravel() for share in shares])
    assert len(np.unique(used)) == len(used) == plan.size
    np.testing.assert_array_equal(np.concatenate(shares, axis=1), plan)
    if grouped:
        experiment_of = dict(zip(rows, experiments, strict=True))
        for share in shares:
            for group in share.reshape(-1, group_size):
                assert len({experiment_of[row] for row in group}) == 1


def test_a_number_of_ranks_that_does_not_divide_the_groups_is_refused() -> None:
    plan = np.zeros((3, 6, 2), np.int64)
    with pytest.raises(ValueError, match=r"world_size is 4; .* divides the 6 groups .* 1, 2, 3, 6"):
        loader.of_rank(plan, 0, 4)
    with pytest.raises(ValueError, match="world_size is 0"):
        loader.of_rank(plan, 0, 0)
    for rank in (-1, 3):
        with pytest.raises(ValueError, match=f"rank is {rank}; expected 0 to world_size - 1 = 2"):
            loader.of_rank(plan, rank, 3)


@given(counts=sizes, groups=st.integers(1, 4), group_size=st.integers(1, 5), seed=keys)
def test_what_an_epoch_leaves_out_is_counted_by_its_reason(
    counts: list[int], groups: int, group_size: int, seed: int
) -> None:
    counts = [count + group_size for count in counts]
    rows, experiments = layout(counts, seed)
    assume(sum(count // group_size for count in counts) >= groups)
    plan = loader.one_experiment_groups(rows, experiments, groups, group_size, seed, 0)
    use = loader.epoch_use(plan, rows, experiments)
    left = set(rows.tolist()) - set(plan.ravel().tolist())
    assert use.training_sites == len(rows) == use.sites + len(left)
    assert (use.steps, use.sites) == (len(plan), plan.size)
    assert use.left_of_groups == len(rows) - group_size * sum(n // group_size for n in counts)
    assert use.left_of_groups + use.left_of_steps == len(left)
    assert use.left_of_steps % group_size == 0
    assert use.left_of_steps < groups * group_size

    plan = loader.shuffled(rows, groups, group_size, seed, 0)
    left_over = len(rows) % (groups * group_size)
    assert loader.epoch_use(plan, rows) == loader.EpochUse(
        len(plan), len(rows), len(rows) - left_over, 0, left_over
    )


@pytest.mark.parametrize("grouped", [False, True])
def test_seed_and_epoch_alone_decide_and_every_row_has_its_turn(grouped: bool) -> None:
    rows, experiments = layout([11, 14], seed=0)

    def plan(seed: int, epoch: int) -> np.ndarray:
        if grouped:
            return loader.one_experiment_groups(rows, experiments, 2, 3, seed, epoch)
        return loader.shuffled(rows, 2, 3, seed, epoch)

    first = plan(1, 4)
    np.testing.assert_array_equal(plan(1, 4), first)
    assert (plan(1, 5) != first).any()
    assert (plan(2, 4) != first).any()
    used = Counter(np.concatenate([plan(1, epoch).ravel() for epoch in range(60)]).tolist())
    # 24 of 25 rows an epoch when shuffled; at best 3 · 3 of 11 and 4 · 3 of 14 when grouped.
    assert set(used) == set(rows.tolist())
    assert min(used.values()) > 30


def test_groups_of_a_step_mix_experiments_and_may_repeat_one() -> None:
    rows, experiments = np.arange(400), np.repeat(["A", "B"], 200)
    plan = loader.one_experiment_groups(rows, experiments, 2, 4, 0, 0)
    distinct = [len({experiments[row] for row in step[:, 0]}) for step in plan]
    # A random pairing of 50 + 50 groups meets its like in about half of the 50 steps.
    assert 10 < distinct.count(1) < 40


@pytest.mark.parametrize("name", ["groups", "group_size"])
def test_sizes_below_one_are_refused(name: str) -> None:
    wanted = {"groups": 2, "group_size": 3, name: 0}
    with pytest.raises(ValueError, match=f"{name} is 0; expected at least 1"):
        loader.shuffled(np.arange(9), **wanted, seed=0, epoch=0)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> images.Images:
    root: Path = tmp_path_factory.mktemp("screen")
    write_screen(root, {"HUVEC-01": "train"}, image_size=4)
    images.pack(root)
    return images.open_images(root)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_minibatches_follow_the_plan(opened: images.Images, workers: int) -> None:
    plan = loader.shuffled(np.arange(opened.sites), 2, 3, seed=0, epoch=0)
    came = loader.minibatches(opened, plan, workers=workers)
    for (rows, pixels), step in zip(came, plan, strict=True):
        np.testing.assert_array_equal(rows, step.ravel())
        assert pixels.dtype == torch.uint8
        np.testing.assert_array_equal(pixels.numpy(), opened.read(rows))


@given(
    sizes=st.lists(st.integers(0, 5), max_size=6), workers=st.integers(0, 4), seed=st.integers(0, 9)
)
def test_minibatches_may_differ_in_size_and_name_rows_in_any_order(
    sizes: list[int], workers: int, seed: int
) -> None:
    held = noise(8)
    draw = np.random.default_rng(seed)
    plan = [draw.integers(0, 8, size) for size in sizes]
    came = [(rows, pixels.clone()) for rows, pixels in loader.minibatches(held, plan, workers)]
    assert len(came) == len(plan)
    for (rows, pixels), step in zip(came, plan, strict=True):
        np.testing.assert_array_equal(rows, step)
        np.testing.assert_array_equal(pixels.numpy(), held.pixels[step])


@pytest.mark.parametrize("workers", [0, 3])
def test_only_the_channels_asked_for_are_read_in_their_order(
    opened: images.Images, workers: int
) -> None:
    plan = np.arange(4).reshape(2, 1, 2)
    for rows, pixels in loader.minibatches(opened, plan, workers=workers, channels=(5, 2)):
        np.testing.assert_array_equal(pixels.numpy(), opened.read(rows)[:, [4, 1]])


def test_a_minibatch_stays_while_the_next_one_is_read_ahead() -> None:
    held = Slow(noise(12).pixels)
    plan = np.arange(12).reshape(6, 1, 2)
    waiting = [2, 1, 1, 1, 1, 0]  # before the first minibatch two are read, before the last none
    came = loader.minibatches(held, plan, workers=1)
    for (rows, pixels), reads in zip(came, waiting, strict=True):
        for _ in range(reads):
            assert held.read_so_far.acquire(timeout=60)
        np.testing.assert_array_equal(pixels.numpy(), held.pixels[rows])


@pytest.mark.parametrize(("workers", "buffers"), [(0, 1), (1, 2), (3, 2)])
def test_memory_is_used_again(workers: int, buffers: int) -> None:
    came = loader.minibatches(noise(20), np.arange(20).reshape(10, 1, 2), workers)
    assert len({pixels.data_ptr() for _, pixels in came}) == buffers


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_picture_that_cannot_be_read_raises_what_reading_it_raises(
    tmp_path: Path, workers: int
) -> None:
    table = write_screen(tmp_path, {"HUVEC-01": "train"}, image_size=4)
    opened = images.open_images(tmp_path)
    missing = [png_path(tmp_path, table, row, 3) for row in (7, 4)]
    for path in missing:
        path.unlink()
    came = loader.minibatches(opened, [np.arange(3), np.array([7, 0, 4])], workers)
    next(came)
    with pytest.raises(images.ImageError, match=f"^{missing[0]} is missing"):
        next(came)
    with pytest.raises(StopIteration):
        next(came)


class Trouble(Exception):
    """Stands for an error in the training step."""


@pytest.mark.parametrize("error", [None, Trouble, KeyboardInterrupt])
def test_leaving_the_loop_early_ends_the_threads(error: type[BaseException] | None) -> None:
    before = threading.active_count()

    def train() -> None:
        for _ in loader.minibatches(noise(12), np.arange(12).reshape(6, 1, 2), workers=2):
            assert threading.active_count() > before
            if error is not None:
                raise error
            break

    with pytest.raises(error) if error else nullcontext():
        train()
    gc.collect()
    assert threading.active_count() == before


def test_an_interrupt_while_a_minibatch_is_waited_for_ends_the_threads() -> None:
    """Ctrl-C comes as a signal, to the thread that waits for the others."""
    before = threading.active_count()
    held = Slow(noise(4).pixels, reading=lambda: os.kill(os.getpid(), signal.SIGINT))
    # A shell that starts the tests in the background has them ignore it.
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            next(loader.minibatches(held, np.arange(4).reshape(2, 1, 2), workers=1))
    finally:
        signal.signal(signal.SIGINT, ignored)
    gc.collect()
    assert threading.active_count() == before


def test_reading_leaves_torch_s_global_random_state_alone(opened: images.Images) -> None:
    before = torch.random.get_rng_state()
    list(loader.minibatches(opened, [np.arange(3)]))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("packed", [True, False])
def test_images_can_be_read_in_the_workers_of_a_data_loader(
    opened: images.Images, packed: bool, tmp_path: Path
) -> None:
    if not packed:
        write_screen(tmp_path, {"HUVEC-01": "train"}, image_size=4)
    held = opened if packed else images.open_images(tmp_path)
    held.read([0])  # opened before the fork

    def read(rows: list[int]) -> torch.Tensor:
        return torch.from_numpy(held.read(rows))

    steps = [[5, 2], [0], [7, 7, 1], [3]] * 3
    came = DataLoader(steps, batch_size=None, collate_fn=read, num_workers=2)
    for pixels, rows in zip(came, steps, strict=True):
        np.testing.assert_array_equal(pixels.numpy(), held.read(rows))
