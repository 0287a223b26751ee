"""The correction methods: one line each.

A method is data: how minibatches are grouped, how the network is built, whether its experiment head
trains the trunk, what is added to the heads' loss, and what predictions are normalised by. To add
one, write what is new about it in one file, and name it in one line: in :data:`METHODS`, where the
file is a module of this package, or as ``METHOD`` in the file, where it is anybody's and the
environment variable ``RXRX_METHODS`` names it. Every table of the study grows a row.
"""

from __future__ import annotations

import os
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rxrx_lib.models.network import Network, Penalty

FILES = "RXRX_METHODS"
"""Environment variable: files with a method each, separated as in ``PATH``. A variable and not an
option, since notebooks, workers and processes of ``torchrun`` inherit it."""


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
    statistics), ``experiment`` (the whole experiment's own), or another of
    :data:`rxrx_lib.training.pools.STATISTICS`."""
    build: Callable[..., Network] = paper_network
    """Builds the network with fresh weights, from the keywords of
    :func:`rxrx_lib.models.network.build_network`, ``reverses`` among them."""
    penalty: Penalty | None = None
    """A further loss of the minibatch, added to the heads'."""


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


def method_of_file(path: Path) -> Method:
    """Run a file and return the method that it calls ``METHOD``.

    Raises
    ------
    ValueError
        If there is no such file, or no method in it.
    """
    if not path.is_file():
        raise ValueError(f"{FILES} names {path}, which is no file; name Python files.")
    found = runpy.run_path(str(path)).get("METHOD")
    if not isinstance(found, Method):
        raise ValueError(f"{path} holds no METHOD; end it with METHOD = Method(...).")
    return found


def register(new: Method) -> None:
    """Let every table grow a row.

    Raises
    ------
    ValueError
        If another method has this name.
    """
    if METHODS.setdefault(new.name, new) is not new:
        raise ValueError(f"{FILES} names a method {new.name!r}, which there is already; rename it.")


for file in filter(None, os.environ.get(FILES, "").split(os.pathsep)):
    register(method_of_file(Path(file)))
