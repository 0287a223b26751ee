"""One part of the network adapts, and the other one is normalised as if nothing did."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rxrx_lib.models.adabn import experiment_statistics, group_layers, using_statistics
from rxrx_lib.models.exact_statistics import exact_experiment_statistics
from rxrx_lib.models.network import Network
from rxrx_lib.models.parts import Groups, let_adapt, part_statistics, running_statistics
from tests.models.test_adabn import draw, same_state, small_network

IMAGES = draw(12, 6, 16, 16, seed=7)


def groups() -> list[Tensor]:
    return list(torch.split(IMAGES, 4))


def in_one_pass(module: torch.nn.Module, of: Groups) -> dict:
    return experiment_statistics(module, of())


def normalised(x: Tensor, layer: torch.nn.Module, mean: Tensor, variance: Tensor) -> Tensor:
    """Normalise (B, C) by hand."""
    return (x - mean) / (variance + layer.epsilon).sqrt() * layer.weight + layer.bias


def neck_by_hand(network: Network, features: Tensor) -> Tensor:
    """Return what the neck makes of features when both its layers take statistics of all of them.

    That is what exact statistics are: the second layer sees what the first one gives in prediction.
    """
    first, norm1, _, second, norm2, _ = network.neck
    x = first(features)
    x = normalised(x, norm1, x.mean(0), x.var(0, correction=0)).relu()
    x = second(x)
    return normalised(x, norm2, x.mean(0), x.var(0, correction=0)).relu()


@pytest.mark.parametrize("training", [True, False])
def test_a_neck_that_adapts_alone_is_measured_on_what_a_frozen_trunk_gives(training: bool) -> None:
    network = small_network().train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = part_statistics(network, "neck", groups, exact_experiment_statistics)
    assert same_state(network, before)
    assert network.training is training

    network.eval()
    with torch.no_grad():
        expected = neck_by_hand(network, network.pool(network.backbone(IMAGES)))
        with using_statistics(network.train(training), found):
            embedding = network(IMAGES).embedding
    torch.testing.assert_close(embedding, expected)


def test_a_trunk_that_adapts_alone_feeds_a_neck_with_running_statistics() -> None:
    network = small_network().eval()
    found = part_statistics(network, "trunk", groups, exact_experiment_statistics)
    whole = exact_experiment_statistics(network, groups)
    first, norm1, _, second, norm2, _ = network.neck
    with torch.no_grad():
        with using_statistics(network, whole):
            x = network.pool(network.backbone(IMAGES))  # an adapting trunk's, whatever follows it
        for linear, norm in ((first, norm1), (second, norm2)):
            running = norm.running_mean, norm.running_variance
            x = normalised(linear(x), norm, *running).relu()
        with using_statistics(network, found):
            torch.testing.assert_close(network(IMAGES).embedding, x)


def test_in_one_pass_the_neck_is_measured_group_by_group_on_a_frozen_trunk() -> None:
    network = small_network().eval()
    found = part_statistics(network, "neck", groups, in_one_pass)
    with torch.no_grad():
        features = network.neck[0](network.pool(network.backbone(IMAGES)))
    # Total variance: that of all sites, since the first layer sees no group's normalisation.
    torch.testing.assert_close(found["neck.1"].mean, features.mean(0))
    torch.testing.assert_close(found["neck.1"].variance, features.var(0, correction=0))
    adapting = experiment_statistics(network, groups())
    assert not torch.allclose(found["neck.1"].mean, adapting["neck.1"].mean)


@pytest.mark.parametrize("measure", [in_one_pass, exact_experiment_statistics])
def test_every_layer_has_statistics_and_only_the_part_s_are_not_the_running_ones(measure) -> None:
    network = small_network()
    running = running_statistics(network)
    assert running.keys() == group_layers(network).keys()
    for part in ("trunk", "neck"):
        found = part_statistics(network, part, groups, measure)
        assert found.keys() == running.keys()
        changed = {n for n in found if not torch.equal(found[n].mean, running[n].mean)}
        assert changed == {n for n in running if n.startswith("neck") == (part == "neck")}
    whole = part_statistics(network, "all", groups, measure)
    again = measure(network, groups)
    assert all(torch.equal(whole[name].mean, again[name].mean) for name in whole)


def test_in_training_the_other_part_normalises_the_whole_minibatch() -> None:
    network = small_network(group_size=4)
    let_adapt(network, "neck", 12)
    bn = group_layers(network)
    assert {name for name, layer in bn.items() if layer.group_size == 4} == {"neck.1", "neck.4"}
    assert {layer.group_size for layer in bn.values()} == {4, 12}

    other = small_network(group_size=12)  # the same weights; every layer sees the whole minibatch
    with torch.no_grad():
        network.train(), other.train()
        features = network.pool(network.backbone(IMAGES))
        torch.testing.assert_close(features, other.pool(other.backbone(IMAGES)))
        apart = torch.cat([network.neck(group) for group in torch.split(features, 4)])
        torch.testing.assert_close(network.neck(features), apart)
        assert not torch.allclose(network.neck(features), other.neck(features))


def test_a_trunk_that_adapts_alone_in_training_leaves_the_minibatch_to_the_neck() -> None:
    network = small_network(group_size=4)
    let_adapt(network, "trunk", 12)
    sizes = {name: layer.group_size for name, layer in group_layers(network).items()}
    assert {size for name, size in sizes.items() if name.startswith("neck.")} == {12}
    assert {size for name, size in sizes.items() if not name.startswith("neck.")} == {4}


def test_all_that_adapts_is_left_as_it_was_built() -> None:
    network = small_network(group_size=4)
    let_adapt(network, "all", 12)
    assert {layer.group_size for layer in group_layers(network).values()} == {4}


def test_a_share_of_the_minibatch_is_refused_in_training() -> None:
    network = small_network(group_size=4)
    let_adapt(network, "neck", 12)
    with pytest.raises(ValueError, match="a minibatch of 4 sites is no whole number of groups"):
        network.train()(IMAGES[:4])


def test_an_unknown_part_is_refused() -> None:
    network = small_network()
    message = "part is 'head'; choose one of all, neck, trunk"
    with pytest.raises(ValueError, match=message):
        part_statistics(network, "head", groups, in_one_pass)
    with pytest.raises(ValueError, match=message):
        let_adapt(network, "head", 12)
