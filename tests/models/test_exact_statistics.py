"""Statistics that no cutting of an experiment into groups can change."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from rxrx_lib.models.adabn import (
    GroupBatchNorm,
    Statistics,
    experiment_statistics,
    using_statistics,
)
from rxrx_lib.models.exact_statistics import exact_experiment_statistics
from tests.models.test_adabn import draw, same_state, small_network

SITES = draw(9, 6, 16, 16)
NETWORK = small_network()
WHOLE = experiment_statistics(NETWORK, [SITES])


def assert_equal(found: Statistics, expected: Statistics) -> None:
    assert found.keys() == expected.keys()
    for name in expected:
        for one, other in zip(found[name], expected[name], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12, msg=name)


def test_with_one_group_they_are_those_of_the_plain_way() -> None:
    assert_equal(exact_experiment_statistics(NETWORK, lambda: [SITES]), WHOLE)


@settings(max_examples=15, deadline=None)
@given(
    order=st.permutations(range(len(SITES))),
    cuts=st.sets(st.integers(1, len(SITES) - 1)),
    training=st.booleans(),
)
def test_they_depend_on_neither_order_nor_size_of_the_groups(
    order: list[int], cuts: set[int], training: bool
) -> None:
    groups = torch.tensor_split(SITES[order], sorted(cuts))
    network = copy.deepcopy(NETWORK).train(training)
    assert_equal(exact_experiment_statistics(network, lambda: groups), WHOLE)


def test_the_plain_way_depends_on_the_groups_beyond_rounding() -> None:
    plain = experiment_statistics(NETWORK, torch.split(SITES, 3))
    with pytest.raises(AssertionError):
        assert_equal(plain, WHOLE)


def test_every_layer_normalises_the_whole_experiment_to_mean_0_and_variance_1() -> None:
    statistics = exact_experiment_statistics(NETWORK, lambda: torch.split(SITES, 2))
    seen: dict[str, Tensor] = {}
    layers = [(n, m) for n, m in NETWORK.named_modules() if isinstance(m, GroupBatchNorm)]
    hooks = [
        module.register_forward_pre_hook(lambda _, x, name=name: seen.update({name: x[0].clone()}))
        for name, module in layers
    ]
    with torch.no_grad(), using_statistics(NETWORK, statistics):
        NETWORK(SITES)
    for hook in hooks:
        hook.remove()
    for name, x in seen.items():
        axes = [axis for axis in range(x.ndim) if axis != 1]
        torch.testing.assert_close(statistics[name].mean, x.mean(axes))
        torch.testing.assert_close(statistics[name].variance, x.var(axes, correction=0))


@pytest.mark.parametrize("training", [True, False])
def test_measuring_leaves_the_network_as_it_was(training: bool) -> None:
    network = copy.deepcopy(NETWORK).train(training)
    state = copy.deepcopy(network.state_dict())
    before = copy.deepcopy(network)(SITES[:8]).sirna
    exact_experiment_statistics(network, lambda: [SITES])
    assert same_state(network, state)
    assert all(module.training is training for module in network.modules())
    assert torch.equal(network(SITES[:8]).sirna, before)


def test_an_error_on_the_way_leaves_the_network_as_it_was() -> None:
    network = copy.deepcopy(NETWORK).eval()
    before = network(SITES).sirna
    passes = []

    def broken() -> Iterable[Tensor]:
        passes.append(1)
        if len(passes) == 3:
            raise OSError("disk gone")
        return [SITES]

    with pytest.raises(OSError, match="disk gone"):
        exact_experiment_statistics(network, broken)
    assert torch.equal(network(SITES).sirna, before)


def test_no_group_is_refused() -> None:
    with pytest.raises(ValueError, match="groups is empty"):
        exact_experiment_statistics(NETWORK, lambda: [])


def test_a_layer_that_is_never_reached_is_refused() -> None:
    class Lazy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = GroupBatchNorm(3, 2), GroupBatchNorm(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x)

    with pytest.raises(ValueError, match="takes no part in its forward pass; remove the layer"):
        exact_experiment_statistics(Lazy(), lambda: [torch.randn(4, 3)])


@pytest.mark.parametrize(
    "measure",
    [
        lambda: experiment_statistics(NETWORK, [SITES]),
        lambda: exact_experiment_statistics(NETWORK, lambda: [SITES]),
    ],
    ids=["plain", "exact"],
)
def test_measuring_where_statistics_are_given_is_refused_and_says_why(
    measure: Callable[[], object],
) -> None:
    inside = pytest.raises(ValueError, match="network is inside using_statistics")
    with using_statistics(NETWORK, WHOLE), inside:
        measure()
