"""Adaptive batch normalisation: statistics of one experiment at a time.

Three verbs and a layer. A minibatch is made of *groups*: ``group_size`` consecutive sites. While
training, :class:`GroupBatchNorm` normalises each group by the group's own statistics; if each group
holds sites of one experiment, that is AdaBN. For prediction, :func:`experiment_statistics`
measures every normalisation layer's statistics over a whole experiment, and
:func:`using_statistics` freezes them into the network for the length of a ``with`` block:

    statistics = experiment_statistics(network, groups_of_one_experiment)
    with using_statistics(network, statistics):
        outputs = network(sites)

Whether the network is in ``.train()`` or ``.eval()`` mode plays no part in either verb. Statistics
that are exact in the deeper layers too are those of :mod:`rxrx_lib.models.exact_statistics`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LayerStatistics(NamedTuple):
    """Mean and biased variance of each channel that one layer normalises by, both (C,)."""

    mean: Tensor
    variance: Tensor


class GroupStatistics(NamedTuple):
    """What one layer saw of one group: its sites, and the means and biased variances, (C,)."""

    sites: int
    mean: Tensor
    variance: Tensor


Statistics = Mapping[str, LayerStatistics]
"""Layer name (as in ``network.named_modules()``) to its statistics."""


class GroupBatchNorm(nn.Module):
    """Batch normalisation of each group of a minibatch by the group's own statistics.

    Parameters
    ----------
    channels
        Number of channels C.
    group_size
        Sites a group; a training minibatch (B, C, ...) must hold a whole number of groups.
    momentum
        Weight of one training step in the running statistics. A step counts as the mean over its
        groups, so that averaging the running statistics of several processes equals what one
        process with all the groups would have.
    epsilon
        Added to the variance.

    Notes
    -----
    In training mode: group statistics. In evaluation mode: running statistics. Under
    :func:`using_statistics`: the statistics given, in either mode.
    """

    running_mean: Tensor
    running_variance: Tensor

    def __init__(
        self, channels: int, group_size: int, momentum: float = 0.1, epsilon: float = 1e-5
    ) -> None:
        super().__init__()
        self.group_size = group_size
        self.momentum = momentum
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_variance", torch.ones(channels))
        self.part = (0, 1)
        self.given: LayerStatistics | None = None
        self.seen: list[GroupStatistics] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x`` (B, C) or (B, C, H, W)."""
        if self.given is not None:
            return self._normalise(x, *self.given)
        if self.seen is not None:
            mean, variance = self.running_mean.new_zeros(2, x.shape[1])
            y = self._normalise_by_itself(x, mean, variance, 1.0)
            values = x.numel() // x.shape[1]
            self.seen.append(GroupStatistics(len(x), mean, variance * ((values - 1) / values)))
            return y
        if not self.training:
            return self._normalise(x, self.running_mean, self.running_variance)
        momentum = self._momentum_of_part()
        if len(x) == self.group_size:  # one group is what PyTorch's own layer knows
            running = self.running_mean, self.running_variance
            return self._normalise_by_itself(x, *running, momentum)
        y, means, variances = self._normalise_groups(x)
        with torch.no_grad():
            self.running_mean.lerp_(means.mean(0), momentum)
            self.running_variance.lerp_(variances.mean(0), momentum)
        return y

    def _momentum_of_part(self) -> float:
        """Return what weight makes the n parts of a step count as the mean over them, once.

        Part i = 0 … n - 1 of weight (m/n) / (1 - m (n - 1 - i)/n): those after it bring its own
        share down to m/n, as they do each other's, and what was before keeps 1 - m.
        """
        part, parts = self.part
        return (self.momentum / parts) / (1 - self.momentum * (parts - 1 - part) / parts)

    def _normalise(self, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return F.batch_norm(x, mean, variance, self.weight, self.bias, eps=self.epsilon)

    def _normalise_by_itself(
        self, x: Tensor, mean: Tensor, variance: Tensor, momentum: float
    ) -> Tensor:
        """Normalise x by its own statistics, and move the given ones there by the momentum."""
        return F.batch_norm(x, mean, variance, self.weight, self.bias, True, momentum, self.epsilon)

    def _normalise_groups(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return y like x, and the groups' means and unbiased variances, both (G, C)."""
        if len(x) % self.group_size:
            raise ValueError(
                f"a minibatch of {len(x)} sites is no whole number of groups of "
                f"{self.group_size}; train with whole groups, or predict under using_statistics."
            )
        groups = torch.split(x, self.group_size)
        means, variances = self.running_mean.new_zeros(2, len(groups), x.shape[1])
        # The momentum of 1 writes each group's statistics into its row of the tables.
        normalised = [
            self._normalise_by_itself(group, mean, variance, 1.0)
            for group, mean, variance in zip(groups, means, variances, strict=True)
        ]
        return torch.cat(normalised), means, variances

    def extra_repr(self) -> str:
        """Show what the layer was built with."""
        return f"{len(self.weight)}, group_size={self.group_size}, momentum={self.momentum}"


@contextmanager
def part_of_a_step(network: nn.Module, part: int, parts: int) -> Iterator[None]:
    """Let a training step's groups go through the network in equal parts, one after the other.

    Parameters
    ----------
    network
        In training mode.
    part, parts
        Which part is passed inside the ``with`` block, 0 to ``parts - 1``, of how many. After the
        last the running statistics are, up to rounding, those after one pass of all groups.
    """
    if parts == 1:
        yield
        return
    layers = group_layers(network).values()
    for layer in layers:
        layer.part = (part, parts)
    try:
        yield
    finally:
        for layer in layers:
            layer.part = (0, 1)


def experiment_statistics(
    network: nn.Module, groups: Iterable[Tensor]
) -> dict[str, LayerStatistics]:
    """Measure every normalisation layer's statistics over one experiment, in one pass.

    Parameters
    ----------
    network
        Any module with :class:`GroupBatchNorm` layers; it is left as it was.
    groups
        The experiment's sites as network inputs, (B, C, H, W) each. Inside a group each layer
        normalises by the group's own statistics, as in training. The same groups give the same
        result in any order, up to rounding.

    Returns
    -------
    dict
        For each layer the pooled mean and the total variance: within groups and between their
        means, weighted by the number of values.

    Raises
    ------
    ValueError
        If ``groups`` is empty, or the network is inside :func:`using_statistics`.
    """
    layers = measurable_layers(network)
    for layer in layers.values():
        layer.seen = []
    try:
        with torch.no_grad():
            for group in groups:
                network(group)
        return {name: pooled(layer.seen or []) for name, layer in layers.items()}
    finally:
        for layer in layers.values():
            layer.seen = None


@contextmanager
def using_statistics(network: nn.Module, statistics: Statistics) -> Iterator[nn.Module]:
    """Normalise by ``statistics`` inside the ``with`` block, whatever the network's mode.

    Parameters
    ----------
    network
        The module that the statistics were measured on, or one of the same build.
    statistics
        One entry for each :class:`GroupBatchNorm` layer.

    Raises
    ------
    ValueError
        If the statistics' layers are not the network's.
    """
    layers = group_layers(network)
    if layers.keys() != statistics.keys():
        odd = sorted(layers.keys() ^ statistics.keys())
        raise ValueError(
            f"statistics: layer {odd[0]!r} is on one side only; "
            "measure them on a network of the same build."
        )
    before = {name: layer.given for name, layer in layers.items()}
    for name, layer in layers.items():
        layer.given = statistics[name]
    try:
        yield network
    finally:
        for name, layer in layers.items():
            layer.given = before[name]


def pooled(groups: Sequence[GroupStatistics]) -> LayerStatistics:
    """Join the statistics of disjoint groups into those of all their sites.

    Parameters
    ----------
    groups
        At least one group, of one layer.

    Returns
    -------
    LayerStatistics
        The mean, and the total variance: the mean variance within groups plus the variance
        between their means, both weighted by the groups' sites.

    Raises
    ------
    ValueError
        If there is no group.
    """
    if not groups:
        raise ValueError("groups is empty; give at least one group of the experiment's sites.")
    sites = torch.tensor([group.sites for group in groups], dtype=torch.float64)
    weight = (sites / sites.sum())[:, None]
    means = torch.stack([group.mean for group in groups])
    variances = torch.stack([group.variance for group in groups])
    weight = weight.to(means.device)
    mean = (weight * means.double()).sum(0)
    variance = (weight * (variances.double() + (means.double() - mean).square())).sum(0)
    return LayerStatistics(mean.to(means.dtype), variance.to(variances.dtype))


def group_layers(network: nn.Module) -> dict[str, GroupBatchNorm]:
    """Return the network's :class:`GroupBatchNorm` layers by name."""
    return {n: m for n, m in network.named_modules() if isinstance(m, GroupBatchNorm)}


def measurable_layers(network: nn.Module) -> dict[str, GroupBatchNorm]:
    """Return what :func:`group_layers` does, if no layer's statistics are given.

    Raises
    ------
    ValueError
        If the network is inside :func:`using_statistics`, where a layer would normalise by what
        it was given and see nothing.
    """
    layers = group_layers(network)
    if any(layer.given is not None for layer in layers.values()):
        raise ValueError(
            "network is inside using_statistics, and its layers normalise by what they were "
            "given; measure statistics before or after that with block."
        )
    return layers
