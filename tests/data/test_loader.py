"""Plans of minibatches: what each row is used for, and that (seed, epoch) alone decides."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rxrx_lib.data import images, loader
from tests.data.screens import write_screen

sizes = st.lists(st.integers(1, 40), min_size=1, max_size=6)
keys = st.integers(0, 99)


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


@pytest.mark.parametrize("workers", [0, 2])
def test_minibatches_follow_the_plan(opened: images.Images, workers: int) -> None:
    plan = loader.shuffled(np.arange(opened.sites), 2, 3, seed=0, epoch=0)
    came = list(loader.minibatches(opened, plan, workers=workers))
    for (rows, pixels), step in zip(came, plan, strict=True):
        np.testing.assert_array_equal(rows, step.ravel())
        assert pixels.dtype == torch.uint8
        np.testing.assert_array_equal(pixels.numpy(), opened.read(rows))


def test_minibatches_may_differ_in_size(opened: images.Images) -> None:
    plan = [np.arange(5), np.arange(2)]
    assert [len(pixels) for _, pixels in loader.minibatches(opened, plan)] == [5, 2]


def test_reading_leaves_torch_s_global_random_state_alone(opened: images.Images) -> None:
    before = torch.random.get_rng_state()
    list(loader.minibatches(opened, [np.arange(3)]))
    assert torch.equal(torch.random.get_rng_state(), before)
