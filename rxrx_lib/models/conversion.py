"""From a network with PyTorch's batch normalisation to one that normalises groups."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from rxrx_lib.models.adabn import GroupBatchNorm


def with_group_batch_norm(network: nn.Module, group_size: int) -> nn.Module:
    """Replace every batch normalisation inside ``network`` by a :class:`GroupBatchNorm`.

    Parameters
    ----------
    network
        Any module; it is changed in place. The new layers take over the old ones' parameters,
        running statistics, ``eps`` and ``momentum``.
    group_size
        Sites a group.

    Returns
    -------
    nn.Module
        ``network``.

    Raises
    ------
    ValueError
        If ``network`` is or holds a batch normalisation that cannot be taken over: other than
        ``BatchNorm1d`` and ``BatchNorm2d``, or without weights, running statistics or momentum.
        Nothing is replaced then.
    """
    modules = network.named_modules(remove_duplicate=False)  # a layer may stand in two places
    found = {name: module for name, module in modules if isinstance(module, _BatchNorm)}
    for name, layer in found.items():
        _check_replaceable(name, layer)
    made = {layer: _grouped(layer, group_size) for layer in found.values()}
    for name, layer in found.items():
        parent, _, child = name.rpartition(".")
        setattr(network.get_submodule(parent), child, made[layer])
    return network


def _check_replaceable(name: str, layer: _BatchNorm) -> None:
    if name == "":
        raise ValueError(
            f"network is itself a {type(layer).__name__}, which cannot be replaced in place; "
            "wrap it in nn.Sequential."
        )
    if type(layer) not in (nn.BatchNorm1d, nn.BatchNorm2d):
        raise ValueError(
            f"layer {name!r} is a {type(layer).__name__}; GroupBatchNorm replaces BatchNorm1d and "
            "BatchNorm2d only, so build the network with one of these."
        )
    if not layer.affine or not layer.track_running_stats or layer.momentum is None:
        raise ValueError(
            f"layer {name!r} has affine {layer.affine}, track_running_stats "
            f"{layer.track_running_stats} and momentum {layer.momentum}; GroupBatchNorm needs "
            "True, True and a number, so build the network with these."
        )


def _grouped(layer: _BatchNorm, group_size: int) -> GroupBatchNorm:
    """Return a layer that does to groups what a checked ``layer`` does to minibatches."""
    assert layer.momentum is not None
    assert layer.running_mean is not None
    assert layer.running_var is not None
    made = GroupBatchNorm(layer.num_features, group_size, layer.momentum, layer.eps)
    made.weight, made.bias = layer.weight, layer.bias
    made.running_mean, made.running_variance = layer.running_mean, layer.running_var
    return made.train(layer.training)
