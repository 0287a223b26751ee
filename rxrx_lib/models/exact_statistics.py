"""Statistics of an experiment that are exact in every normalisation layer.

:func:`rxrx_lib.models.adabn.experiment_statistics` takes one pass, in which a group reaches the
deeper layers normalised by its own statistics: what these layers then see depends a little on how
the experiment was cut into groups. Here each layer is measured with the layers before it already
frozen, so that all its sites reach it as they will in prediction. It costs a pass a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from rxrx_lib.models.adabn import (
    GroupBatchNorm,
    GroupStatistics,
    LayerStatistics,
    measurable_layers,
    pooled,
)


def exact_experiment_statistics(
    network: nn.Module, groups: Callable[[], Iterable[Tensor]]
) -> dict[str, LayerStatistics]:
    """Measure the normalisation layers one after the other, in the order of execution.

    Parameters
    ----------
    network
        Any module with :class:`GroupBatchNorm` layers; it is left as it was. Its mode plays no
        part.
    groups
        Gives the experiment's sites as network inputs, (B, C, H, W) each, B >= 1, anew at each
        call: there is one call a layer.

    Returns
    -------
    dict
        For each layer the mean and variance over all sites, up to rounding the same however the
        sites are grouped and ordered. With one group, what ``experiment_statistics`` gives.

    Raises
    ------
    ValueError
        If ``groups`` gives none, a layer takes no part in the forward pass, or the network is
        inside ``using_statistics``.
    """
    layers = measurable_layers(network)
    names = {layer: name for name, layer in layers.items()}
    hooks = [layer.register_forward_pre_hook(_stop_if_unmeasured) for layer in names]
    found: dict[str, LayerStatistics] = {}
    try:
        while len(found) < len(layers):
            layer, statistics = _next_layer(network, groups())
            layer.given = found[names[layer]] = statistics
    finally:
        for hook in hooks:
            hook.remove()
        for layer in names:
            layer.given = None
    return found


class _Reached(Exception):
    """A forward pass has come to a layer that is not measured yet."""

    def __init__(self, layer: GroupBatchNorm, statistics: GroupStatistics) -> None:
        self.layer = layer
        self.statistics = statistics


def _next_layer(
    network: nn.Module, groups: Iterable[Tensor]
) -> tuple[GroupBatchNorm, LayerStatistics]:
    """Return the first layer without statistics that the groups come to, and its statistics."""
    layer, seen = None, []
    with torch.no_grad():
        for group in groups:
            try:
                network(group)
            except _Reached as reached:
                layer = reached.layer
                seen.append(reached.statistics)
            else:
                raise ValueError(
                    "network holds a GroupBatchNorm that takes no part in its forward pass; "
                    "remove the layer."
                )
    statistics = pooled(seen)
    assert layer is not None
    return layer, statistics


def _stop_if_unmeasured(module: nn.Module, inputs: tuple[Tensor]) -> None:
    assert isinstance(module, GroupBatchNorm)
    if module.given is None:
        x = inputs[0].to(module.running_mean.dtype)  # under autocast x has eight bits of mantissa
        axes = [axis for axis in range(x.ndim) if axis != 1]
        variance, mean = torch.var_mean(x, axes, correction=0)
        raise _Reached(module, GroupStatistics(len(x), mean, variance))
