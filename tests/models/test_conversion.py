"""Plain batch normalisation becomes that of groups, with all that it was."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from rxrx_lib.models.adabn import GroupBatchNorm
from rxrx_lib.models.conversion import with_group_batch_norm


def test_every_plain_batch_normalisation_is_replaced_at_any_depth() -> None:
    inner = nn.Sequential(nn.BatchNorm1d(4), nn.Sequential(nn.BatchNorm2d(5)))
    network = with_group_batch_norm(nn.Sequential(nn.Linear(3, 4), inner), group_size=6)
    assert not [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    made = [m for m in network.modules() if isinstance(m, GroupBatchNorm)]
    assert [(len(m.weight), m.group_size) for m in made] == [(4, 6), (5, 6)]


def test_a_trained_layer_of_other_settings_goes_on_as_it_was() -> None:
    plain = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, eps=0.5, momentum=0.3))
    sites = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain[1].weight.mul_(2)
        plain[1].bias.add_(1)
    plain(sites)
    network = with_group_batch_norm(copy.deepcopy(plain), group_size=8)
    for step in (sites, 2 * sites):
        torch.testing.assert_close(network(step), plain(step))
    plain.eval()
    network.eval()
    torch.testing.assert_close(network(sites), plain(sites))


def test_a_layer_that_stands_in_two_places_stays_one_layer() -> None:
    shared = nn.BatchNorm1d(3)
    network = with_group_batch_norm(
        nn.ModuleDict({"a": nn.Sequential(shared), "b": nn.Sequential(shared)}), group_size=2
    )
    assert isinstance(network["b"][0], GroupBatchNorm)
    assert network["a"][0] is network["b"][0]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.BatchNorm3d(2), r"layer '1\.0' is a BatchNorm3d; .* BatchNorm1d and BatchNorm2d only"),
        (nn.SyncBatchNorm(2), r"layer '1\.0' is a SyncBatchNorm"),
        (nn.LazyBatchNorm1d(), r"layer '1\.0' is a LazyBatchNorm1d"),
        (nn.BatchNorm2d(2, affine=False), r"layer '1\.0' has affine False, .* needs True, True"),
        (nn.BatchNorm2d(2, track_running_stats=False), "track_running_stats False"),
        (nn.BatchNorm2d(2, momentum=None), "momentum None; GroupBatchNorm needs"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_layer_that_groups_cannot_stand_for_is_refused_and_nothing_is_replaced(
    layer: nn.Module, message: str
) -> None:
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Sequential(layer))
    with pytest.raises(ValueError, match=message):
        with_group_batch_norm(network, group_size=2)
    assert type(network[0]) is nn.BatchNorm2d


def test_a_network_that_is_one_layer_cannot_be_replaced_in_place() -> None:
    with pytest.raises(ValueError, match=r"network is itself a BatchNorm1d.*nn\.Sequential"):
        with_group_batch_norm(nn.BatchNorm1d(3), group_size=2)
