"""What runs cost on a GPU: computed from counts, never measured.

The sites that a run passes through its network (:mod:`rxrx_lib.study.workload`), times the
operations and bytes of one site (:mod:`rxrx_lib.training.step_cost`), at assumed shares of a GPU's
peaks (:mod:`rxrx_lib.study.gpus`). torch is imported only where a network is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from rxrx_lib.data.images import CHANNELS
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.gpus import GIB, USABLE, Gpu, Range, seconds
from rxrx_lib.study.spec import NetworkSpec, RunSpec
from rxrx_lib.study.workload import design, workload

if TYPE_CHECKING:
    from rxrx_lib.training.step_cost import SiteCost

STATE_BYTES = 12
"""Bytes a weight: itself, its gradient, its momentum, four each."""
CHECKPOINT_BYTES = 8
"""Bytes a weight in a checkpoint: itself and its momentum."""
PIXEL_BYTES = 8
"""Bytes a pixel of a minibatch on the device: standardised and augmented, four each."""


class Counted(NamedTuple):
    """A network as its costs are counted."""

    site: SiteCost
    weights: int


class RunCost(NamedTuple):
    """What one run takes, on whatever device."""

    flops: float
    """Of convolutions and matrix products."""
    moved: float
    """Bytes that all operations read and write."""


def counted(spec: RunSpec, precision: str) -> Counted:
    """Count the network of a run, in a precision that may be another than its own."""
    screen = design(spec)
    return _counted(
        METHODS[spec.method].build,
        spec.network,
        screen.classes,
        sum(train + test for _, train, test in screen.experiments),
        screen.image_size,
        precision,
    )


def run_cost(spec: RunSpec, evaluate_every: int, precision: str) -> RunCost:
    """Return what a run takes: its training, its predictions and the accuracies in between.

    Parameters
    ----------
    spec
        The run.
    evaluate_every
        Epochs between two measurements of the test accuracy; 0 for none.
    precision
        Of the arithmetic: ``bf16`` or ``fp32``.
    """
    work, (site, _) = workload(spec, evaluate_every), counted(spec, precision)
    return RunCost(
        work.trained * site.training_flops + work.forwarded * site.forward_flops,
        work.trained * site.training_bytes + work.forwarded * site.forward_bytes,
    )


def run_seconds(spec: RunSpec, evaluate_every: int, on: Gpu) -> Range:
    """Return how long a run takes on one GPU, computed, whether it fits there or not.

    Where the GPU lacks the run's precision, it is that of float32, with which the run would be
    another one.
    """
    precision = on.precision(spec.recipe.precision)
    return seconds(*run_cost(spec, evaluate_every, precision), on, precision)


def memory(spec: RunSpec, precision: str, *, groups_at_once: int, processes: int = 1) -> float:
    """Return the bytes of tensors that a process needs to train, computed.

    Parameters
    ----------
    spec
        The run.
    precision
        Of the activations.
    groups_at_once
        Groups that go through the network together.
    processes
        How many share a minibatch.
    """
    at_once = groups_at_once * spec.recipe.group_size
    return _memory(spec, precision, at_once, spec.recipe.minibatch // processes)


def groups_that_fit(spec: RunSpec, on: Gpu, processes: int = 1) -> int:
    """Return the most groups at once that fit a GPU and divide a process's; 0 if none does."""
    own = spec.recipe.groups // processes
    fitting = [
        groups
        for groups in range(1, own + 1)
        if own % groups == 0
        and memory(
            spec,
            on.precision(spec.recipe.precision),
            groups_at_once=groups,
            processes=processes,
        )
        <= usable(on)
    ]
    return max(fitting, default=0)


def largest_group(spec: RunSpec, on: Gpu) -> int:
    """Return the most sites of one group that fit a GPU which has no other group; may be 0."""
    precision = on.precision(spec.recipe.precision)
    sites = 0
    while _memory(spec, precision, sites + 1, sites + 1) <= usable(on):
        sites += 1
    return sites


def usable(on: Gpu) -> float:
    """Return the bytes that tensors can have on a GPU."""
    return USABLE * on.memory * GIB


@lru_cache(maxsize=8)
def plain_site(backbone: str) -> SiteCost:
    """Count a torchvision network for ImageNet, as others publish speeds of it, in two bytes."""
    import torchvision

    from rxrx_lib.training.step_cost import site_cost

    build = torchvision.models.get_model_builder(backbone)
    return site_cost(lambda _: build(), channels=3, image_size=224, precision="bf16")


def _memory(spec: RunSpec, precision: str, at_once: int, minibatch: int) -> float:
    site, weights = counted(spec, precision)
    pixels = len(CHANNELS) * design(spec).image_size ** 2
    state = STATE_BYTES + (2 if precision == "bf16" else 0)  # autocast keeps copies of two bytes
    return weights * state + minibatch * pixels * PIXEL_BYTES + at_once * site.peak_bytes


@lru_cache(maxsize=64)
def _counted(
    build: Callable[..., Any],
    network: NetworkSpec,
    classes: int,
    experiments: int,
    image_size: int,
    precision: str,
) -> Counted:
    from rxrx_lib.training.step_cost import parameters, site_cost

    def of_groups(group_size: int) -> Any:
        return build(
            backbone=network.backbone,
            channels=len(CHANNELS),
            classes=classes,
            experiments=experiments,
            embedding=network.embedding,
            group_size=group_size,
            reverses=False,
            head_layers=network.head_layers,
            head_width=network.head_width,
        )

    found = site_cost(of_groups, channels=len(CHANNELS), image_size=image_size, precision=precision)
    return Counted(found, parameters(of_groups))
