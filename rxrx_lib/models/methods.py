"""The correction methods: one line each.

A method is data: how minibatches are grouped, how the network is built, whether its experiment head
trains the trunk, and what predictions are normalised by. To add one, write what is new about its
network in a module of this package and register a line in :data:`METHODS`; every table of the study
grows a row. All methods share one loss, the two heads' cross-entropies: a method that needs another
one has to change :func:`rxrx_lib.training.fit.fit`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rxrx_lib.models.network import Network


def paper_network(**settings: Any) -> Network:
    """Build the network of the paper's figure 5, importing torch only now."""
    from rxrx_lib.models.network import build_network

    return build_network(**settings)


@dataclass(frozen=True, kw_only=True)
class Method:
    """What tells one correction method from another."""

    name: str
    """Key in specs, tables and file names."""
    label: str
    """Name in figures and tables."""
    grouped: bool
    """Whether each group of a minibatch holds sites of one experiment only."""
    reverses: bool
    """Whether the experiment head trains the trunk through a reversed gradient."""
    statistics: str
    """What a prediction is normalised by unless asked otherwise: ``training`` (running
    statistics) or ``experiment`` (the whole experiment's own)."""
    build: Callable[..., Network] = paper_network
    """Builds the network with fresh weights, from the keywords of
    :func:`rxrx_lib.models.network.build_network`, ``reverses`` among them."""


METHODS = {
    method.name: method
    for method in (
        Method(
            name="baseline",
            label="Baseline",
            grouped=False,
            reverses=False,
            statistics="training",
        ),
        Method(
            name="gradient_reversal",
            label="Gradient reversal",
            grouped=False,
            reverses=True,
            statistics="training",
        ),
        Method(
            name="adabn",
            label="AdaBN",
            grouped=True,
            reverses=False,
            statistics="experiment",
        ),
        Method(
            name="adabn_gradient_reversal",
            label="AdaBN + gradient reversal",
            grouped=True,
            reverses=True,
            statistics="experiment",
        ),
    )
}


def method(name: str) -> Method:
    """Look a method up.

    Raises
    ------
    ValueError
        If there is none of this name; the sentence lists those there are.
    """
    if name not in METHODS:
        raise ValueError(f"method is {name!r}; choose one of {', '.join(METHODS)}.")
    return METHODS[name]
