"""Which part of the network adapts to an experiment: its trunk, its neck, or all of it.

The trunk is the backbone, the neck the two layers behind it; every normalisation layer belongs to
one of them. In training, the part that adapts normalises each group by itself, and the other one
the whole minibatch. In prediction, the part that adapts normalises by statistics of the experiment,
and the other one by its running statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from torch import Tensor, nn

from rxrx_lib.models.adabn import LayerStatistics, group_layers, using_statistics
from rxrx_lib.models.architectures import require_part
from rxrx_lib.models.network import Network

Groups = Callable[[], Iterable[Tensor]]
"""Gives the groups of an experiment, (B, C, H, W) each, anew at each call."""
Measure = Callable[[nn.Module, Groups], dict[str, LayerStatistics]]
"""From a module and what enters it to the statistics of its normalisation layers."""


def let_adapt(network: Network, part: str, minibatch: int) -> None:
    """Let one part normalise groups in training, and the other one the whole minibatch.

    Parameters
    ----------
    network
        Its layers are changed in place, if ``part`` is not ``all``.
    part
        One of :data:`rxrx_lib.models.architectures.PARTS`.
    minibatch
        Sites of a whole minibatch. The other part's layers then refuse a share of it, such as the
        groups of one device of several.

    Raises
    ------
    ValueError
        If ``part`` is not known.
    """
    require_part(part)
    for name, layer in group_layers(network).items():
        if part not in ("all", _part_of(name)):
            layer.group_size = minibatch


def running_statistics(module: nn.Module) -> dict[str, LayerStatistics]:
    """Return a copy of what each normalisation layer has kept of training."""
    return {
        name: LayerStatistics(layer.running_mean.clone(), layer.running_variance.clone())
        for name, layer in group_layers(module).items()
    }


def part_statistics(
    network: Network, part: str, groups: Groups, measure: Measure
) -> dict[str, LayerStatistics]:
    """Measure the statistics of one part, and give the other one its running statistics.

    What is measured is what the layers will see in prediction: the neck is measured on features
    of a trunk that is normalised by its running statistics.

    Parameters
    ----------
    network
        It is left as it was; its mode plays no part.
    part
        One of :data:`rxrx_lib.models.architectures.PARTS`.
    groups
        The sites of one experiment.
    measure
        How a module's layers are measured, such as
        :func:`rxrx_lib.models.exact_statistics.exact_experiment_statistics`.

    Returns
    -------
    dict
        One entry for each layer of the network, for :func:`rxrx_lib.models.adabn.using_statistics`.

    Raises
    ------
    ValueError
        If ``part`` is not known; and as ``measure``.
    """
    require_part(part)
    if part == "all":
        return measure(network, groups)
    if part == "trunk":
        found = _named("backbone", measure(network.backbone, groups))
    else:
        found = _named("neck", measure(network.neck, lambda: _features(network, groups())))
    return running_statistics(network) | found


def _features(network: Network, groups: Iterable[Tensor]) -> Iterator[Tensor]:
    """Give what enters the neck, (B, F) a group."""
    running = running_statistics(network.backbone)
    for group in groups:
        with using_statistics(network.backbone, running):
            features = network.pool(network.backbone(group))
        yield features


def _named(module: str, found: dict[str, LayerStatistics]) -> dict[str, LayerStatistics]:
    return {f"{module}.{name}": statistics for name, statistics in found.items()}


def _part_of(layer: str) -> str:
    return "neck" if layer.startswith("neck.") else "trunk"
