"""The paper's network by its shapes, and what each head's loss does to the trunk."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from rxrx_lib.models.adabn import GroupBatchNorm
from rxrx_lib.models.network import Network, build_network

TRUNK = ("backbone", "neck")


def small(*, reverses: bool, seed: int = 0) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_network(
            "densenet_small",
            classes=5,
            experiments=3,
            embedding=8,
            group_size=4,
            reverses=reverses,
        ).double()


def sites(n: int = 8) -> Tensor:
    return torch.randn(
        n, 6, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


def trunk_gradients(network: Network, loss: Tensor) -> dict[str, Tensor | None]:
    network.zero_grad(set_to_none=True)
    loss.backward()
    return {n: p.grad for n, p in network.named_parameters() if n.split(".")[0] in TRUNK}


def experiment_loss(logits: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits, torch.arange(len(logits)) % 3)


def test_the_papers_network_has_the_papers_shapes() -> None:
    with torch.device("meta"):
        network = build_network(group_size=2)
        outputs = network(torch.empty(4, 6, 64, 64))
    assert network.get_submodule("backbone.conv0").weight.shape == (96, 6, 7, 7)
    assert outputs.embedding.shape == (4, 1024)
    assert outputs.sirna.shape == (4, 1139)
    assert outputs.experiment.shape == (4, 51)


@pytest.mark.parametrize("backbone", ["densenet161", "densenet_small"])
def test_every_batch_normalisation_is_by_groups_the_necks_two_included(backbone: str) -> None:
    with torch.device("meta"):
        network = build_network(backbone, group_size=7)
    plain = torch.nn.modules.batchnorm._BatchNorm
    assert not [m for m in network.modules() if isinstance(m, plain)]
    grouped = {n: m for n, m in network.named_modules() if isinstance(m, GroupBatchNorm)}
    assert all(layer.group_size == 7 for layer in grouped.values())
    assert [n for n in grouped if n.startswith("neck")] == ["neck.1", "neck.4"]
    # DenseNet: one after the stem, two a layer, one a transition, one at the end
    layers, transitions = {"densenet161": (78, 3), "densenet_small": (2, 0)}[backbone]
    assert len(grouped) == 1 + 2 * layers + transitions + 1 + 2


def test_embedding_is_never_negative_and_sometimes_zero() -> None:
    embedding = small(reverses=False)(sites(16)).embedding
    assert embedding.min().item() == 0.0
    assert embedding.max().item() > 0.0


@pytest.mark.parametrize("coefficient", [0.0, 0.5, 2.0])
def test_a_reversing_head_sends_the_trunk_minus_coefficient_times_its_gradient(
    coefficient: float,
) -> None:
    network = small(reverses=True)
    unreversed = copy.deepcopy(network)
    plain = unreversed.neck(unreversed.pool(unreversed.backbone(sites())))
    expected = trunk_gradients(unreversed, experiment_loss(unreversed.experiment_head(plain)))
    got = trunk_gradients(network, experiment_loss(network(sites(), coefficient).experiment))
    assert any(gradient.abs().max() > 1e-4 for gradient in expected.values())
    for name, gradient in expected.items():
        torch.testing.assert_close(got[name], -coefficient * gradient)
    heads = (n.experiment_head.parameters() for n in (network, unreversed))
    for ours, theirs in zip(*heads, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_a_detached_head_learns_and_sends_the_trunk_nothing() -> None:
    network = small(reverses=False)
    gradients = trunk_gradients(network, experiment_loss(network(sites(), 1.0).experiment))
    assert all(gradient is None for gradient in gradients.values())
    assert all(p.grad.abs().max() > 0 for p in network.experiment_head.parameters())


@pytest.mark.parametrize("reverses", [True, False])
def test_the_sirna_loss_reaches_the_trunk_under_every_method(reverses: bool) -> None:
    network = small(reverses=reverses)
    gradients = trunk_gradients(network, network(sites()).sirna.square().sum())
    assert all(gradient.abs().max() > 0 for gradient in gradients.values())


def head_shapes(**settings: int) -> dict[str, tuple[int, ...]]:
    network = build_network(
        "densenet_small", classes=5, experiments=3, embedding=8, reverses=True, **settings
    )
    return {key: tuple(x.shape) for key, x in network.experiment_head.state_dict().items()}


def test_the_experiment_head_has_one_hidden_layer_of_the_embeddings_size() -> None:
    expected = {"0.weight": (8, 8), "0.bias": (8,), "2.weight": (3, 8), "2.bias": (3,)}
    assert head_shapes() == head_shapes(head_layers=1, head_width=8) == expected


def test_the_experiment_heads_shape_can_be_chosen() -> None:
    assert head_shapes(head_layers=0) == {"0.weight": (3, 8), "0.bias": (3,)}
    deep = head_shapes(head_layers=2, head_width=5)
    assert [deep[f"{i}.weight"] for i in (0, 2, 4)] == [(5, 8), (5, 5), (3, 5)]
    assert len(deep) == 6


def test_the_experiment_heads_shape_leaves_all_other_weights_as_they_are() -> None:
    plain = small(reverses=True).state_dict()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        deep = build_network(
            "densenet_small", classes=5, experiments=3, embedding=8, group_size=4, head_layers=3
        ).state_dict()
    others = [key for key in plain if not key.startswith("experiment_head")]
    assert all(torch.equal(plain[key], deep[key].double()) for key in others)
