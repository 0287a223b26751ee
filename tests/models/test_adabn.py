"""Groups are normalised by themselves, and whole experiments by all their sites."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from rxrx_lib.models.adabn import (
    GroupBatchNorm,
    GroupStatistics,
    experiment_statistics,
    pooled,
    using_statistics,
)
from rxrx_lib.models.exact_statistics import exact_experiment_statistics
from rxrx_lib.models.network import Network, build_network

SHAPES = [(12, 3), (12, 3, 4, 5)]


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Return values whose channels differ in mean and spread."""
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    scale = torch.arange(1.0, shape[1] + 1).reshape(-1, *[1] * (len(shape) - 2))
    return (x + 2) * scale


def layer_with_random_affine(channels: int, group_size: int) -> GroupBatchNorm:
    layer = GroupBatchNorm(channels, group_size, momentum=0.3).double()
    with torch.no_grad():
        layer.weight.copy_(draw(1, channels, seed=1)[0])
        layer.bias.copy_(draw(1, channels, seed=2)[0])
    return layer


def small_network(group_size: int = 4, *, reverses: bool = False) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = build_network(
            "densenet_small",
            classes=5,
            experiments=3,
            embedding=8,
            group_size=group_size,
            reverses=reverses,
        ).double()
    network(draw(4 * group_size, 6, 16, 16, seed=4))  # running statistics other than 0 and 1
    return network


def same_state(network: nn.Module, state: dict[str, Tensor]) -> bool:
    now = network.state_dict()
    return now.keys() == state.keys() and all(torch.equal(now[key], state[key]) for key in now)


@pytest.mark.parametrize("group_size", [2, 4, 12])
@pytest.mark.parametrize("shape", SHAPES)
def test_training_equals_one_batch_norm_call_a_group_in_values_and_gradients(
    shape: tuple[int, ...], group_size: int
) -> None:
    layer = layer_with_random_affine(shape[1], group_size)
    weight, bias = (p.detach().clone().requires_grad_() for p in (layer.weight, layer.bias))
    x = draw(*shape).requires_grad_()
    apart = [
        group.detach().clone().requires_grad_() for group in torch.split(x.detach(), group_size)
    ]
    upstream = draw(*shape, seed=5)

    y = layer(x)
    y.backward(upstream)
    expected = torch.cat([F.batch_norm(g, None, None, weight, bias, True) for g in apart])
    expected.backward(upstream)

    torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(x.grad, torch.cat([g.grad for g in apart]), rtol=0, atol=1e-12)
    torch.testing.assert_close(layer.weight.grad, weight.grad)
    torch.testing.assert_close(layer.bias.grad, bias.grad)


def test_groups_do_not_see_one_another() -> None:
    layer, x = layer_with_random_affine(3, 4), draw(12, 3, 4, 5)
    other = x.clone()
    other[4:] *= 7
    assert torch.equal(layer(x)[:4], layer(other)[:4])


@pytest.mark.parametrize("shape", SHAPES)
def test_running_statistics_move_to_the_mean_over_groups_by_the_momentum(
    shape: tuple[int, ...],
) -> None:
    layer, x = layer_with_random_affine(shape[1], 4), draw(*shape)
    layer.running_mean.fill_(5.0)
    layer.running_variance.fill_(3.0)
    layer(x)
    values = x.reshape(3, 4, shape[1], -1).transpose(1, 2).flatten(2).numpy()  # group, channel
    mean, variance = values.mean(2).mean(0), values.var(2, ddof=1).mean(0)
    np.testing.assert_allclose(layer.running_mean, 0.7 * 5 + 0.3 * mean)
    np.testing.assert_allclose(layer.running_variance, 0.7 * 3 + 0.3 * variance)


def test_the_mean_of_two_processes_running_statistics_is_that_of_one_with_all_groups() -> None:
    x = draw(16, 3, 4, 5)
    whole = layer_with_random_affine(3, 4)
    halves = [copy.deepcopy(whole), copy.deepcopy(whole)]
    for step in (x, 2 * x + 1):
        whole(step)
        for half, share in zip(halves, torch.split(step, 8), strict=True):
            half(share)
    for name in ("running_mean", "running_variance"):
        mean = (getattr(halves[0], name) + getattr(halves[1], name)) / 2
        torch.testing.assert_close(mean, getattr(whole, name))


def test_a_minibatch_that_is_no_whole_number_of_groups_is_refused() -> None:
    with pytest.raises(ValueError, match="10 sites is no whole number of groups of 4"):
        GroupBatchNorm(3, 4)(torch.zeros(10, 3))


def test_evaluation_equals_pytorchs_layer_with_the_same_running_statistics() -> None:
    layer, x = layer_with_random_affine(3, 4), draw(12, 3, 4, 5)
    layer(x)
    reference = nn.BatchNorm2d(3).double().eval()
    reference.load_state_dict(
        {
            "weight": layer.weight,
            "bias": layer.bias,
            "running_mean": layer.running_mean,
            "running_var": layer.running_variance,
            "num_batches_tracked": torch.tensor(1),
        }
    )
    layer.eval()
    some = draw(5, 3, 4, 5, seed=6)  # no whole number of groups: none are needed
    torch.testing.assert_close(layer(some), reference(some))


def test_the_first_layers_statistics_are_the_exact_ones_over_all_sites() -> None:
    network, sites = small_network(), draw(11, 6, 16, 16)
    stem = network.get_submodule("backbone.conv0")
    values = stem(sites).detach().numpy()
    mean, variance = experiment_statistics(network, torch.split(sites, 4))["backbone.norm0"]
    np.testing.assert_allclose(mean, values.mean((0, 2, 3)), rtol=0, atol=1e-12)
    np.testing.assert_allclose(variance, values.var((0, 2, 3)), rtol=1e-12)


def test_the_order_of_groups_changes_statistics_by_rounding_only() -> None:
    network, groups = small_network(), torch.split(draw(15, 6, 16, 16), 4)
    forwards = experiment_statistics(network, groups)
    backwards = experiment_statistics(network, reversed(groups))
    for name, (mean, variance) in forwards.items():
        torch.testing.assert_close(backwards[name].mean, mean, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(backwards[name].variance, variance, rtol=1e-10, atol=1e-12)


def test_there_are_statistics_for_every_layer_down_to_the_neck() -> None:
    network = small_network()
    layers = {n for n, m in network.named_modules() if isinstance(m, GroupBatchNorm)}
    assert experiment_statistics(network, [draw(4, 6, 16, 16)]).keys() == layers
    assert {"backbone.norm0", "neck.1", "neck.4"} <= layers


@given(
    st.lists(
        st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=6).map(np.array),
        min_size=1,
        max_size=6,
    )
)
def test_pooling_gives_the_mean_and_total_variance_of_all_values(groups: list[np.ndarray]) -> None:
    mean, variance = pooled(
        [GroupStatistics(len(g), torch.tensor([g.mean()]), torch.tensor([g.var()])) for g in groups]
    )
    together = np.concatenate(groups)
    assert mean.item() == pytest.approx(together.mean(), abs=1e-9)
    assert variance.item() == pytest.approx(together.var(), abs=1e-6)


def test_pooling_no_group_is_refused() -> None:
    with pytest.raises(ValueError, match="groups is empty"):
        experiment_statistics(small_network(), [])


@pytest.mark.parametrize("training", [True, False])
def test_measuring_leaves_the_network_as_it_was(training: bool) -> None:
    network = small_network().train(training)
    state = copy.deepcopy(network.state_dict())
    probe = draw(8, 6, 16, 16, seed=7)
    before = copy.deepcopy(network)(probe).sirna
    experiment_statistics(network, torch.split(draw(9, 6, 16, 16), 3))
    assert same_state(network, state)
    assert all(module.training is training for module in network.modules())
    assert torch.equal(network(probe).sirna, before)


@settings(max_examples=5, deadline=None)
@given(sites=st.integers(1, 9))
def test_given_statistics_give_the_same_outputs_in_either_mode_and_leave_running_ones(
    sites: int,
) -> None:
    network = small_network()
    state = copy.deepcopy(network.state_dict())
    statistics = experiment_statistics(network, [draw(12, 6, 16, 16)])
    some = draw(sites, 6, 16, 16, seed=8)
    with using_statistics(network, statistics):
        training = network.train()(some)
        evaluating = network.eval()(some)
        alone = network(some[:1])
    for a, b, c in zip(training, evaluating, alone, strict=True):
        assert torch.equal(a, b)
        torch.testing.assert_close(a[:1], c)  # nothing depends on the neighbours
    assert same_state(network, state)


def test_given_statistics_are_what_the_layer_normalises_by() -> None:
    layer, x = layer_with_random_affine(3, 4), draw(10, 3, 4, 5)
    statistics = experiment_statistics(layer, [x])
    with using_statistics(layer, statistics):
        y = layer(x).detach().numpy()
    values = x.numpy()
    mean, deviation = values.mean((0, 2, 3)), np.sqrt(values.var((0, 2, 3)) + 1e-5)
    z = (values - mean[:, None, None]) / deviation[:, None, None]
    affine = [p.detach().numpy()[:, None, None] for p in (layer.weight, layer.bias)]
    np.testing.assert_allclose(y, z * affine[0] + affine[1], atol=1e-12)


def test_given_statistics_end_with_the_block_even_on_an_error() -> None:
    network = small_network().eval()
    some = draw(3, 6, 16, 16)
    before = network(some).sirna
    statistics = experiment_statistics(network, [draw(12, 6, 16, 16, seed=9)])

    def fail_inside() -> None:
        with using_statistics(network, statistics):
            assert not torch.allclose(network(some).sirna, before)
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert torch.equal(network(some).sirna, before)


@pytest.mark.parametrize("change", ["one too few", "one too many"])
def test_statistics_of_other_layers_are_refused_and_nothing_is_set(change: str) -> None:
    network = small_network().eval()
    statistics = experiment_statistics(network, [draw(4, 6, 16, 16)])
    if change == "one too few":
        name = "neck.4"
        del statistics[name]
    else:
        name = "neck.7"
        statistics[name] = statistics["neck.4"]
    with pytest.raises(ValueError, match=name), using_statistics(network, statistics):
        pass
    layers = [m for m in network.modules() if isinstance(m, GroupBatchNorm)]
    assert all(layer.given is None for layer in layers)


@pytest.mark.parametrize("measure", ["one pass", "exact"])
def test_statistics_and_predictions_do_not_hang_on_a_parents_mode(measure: str) -> None:
    """A parent's .train() or .eval() reaches its children, and must not reach AdaBN."""
    network = small_network()
    parent = nn.Sequential(nn.Identity(), network)
    groups, some = torch.split(draw(9, 6, 16, 16), 3), draw(3, 6, 16, 16, seed=5)

    def statistics_and_outputs(before: bool, inside: bool) -> list[Tensor]:
        parent.train(before)
        if measure == "exact":
            found = exact_experiment_statistics(parent, lambda: groups)
        else:
            found = experiment_statistics(parent, groups)
        with using_statistics(parent, found):
            parent.train(inside)
            outputs = parent(some)
        return [*(value for layer in found.values() for value in layer), *outputs]

    first, *others = [
        statistics_and_outputs(before, inside)
        for before in (True, False)
        for inside in (True, False)
    ]
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
