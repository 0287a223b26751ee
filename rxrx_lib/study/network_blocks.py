"""What figure 5 says of a network, read from the network that the code builds.

torch is imported inside the functions, so that the module can be read without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from rxrx_lib.data.images import CHANNELS
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study.profiles import Profile, Replicate
from rxrx_lib.study.workload import data_design

if TYPE_CHECKING:
    from torch import Tensor, nn

    from rxrx_lib.models.network import Network


class Block(NamedTuple):
    """A part of the network, as it stands between two arrows."""

    name: str
    part: str
    """``backbone``, ``pooling``, ``neck``, ``sirna_head`` or ``experiment_head``."""
    units: int
    """Dense layers or bottlenecks that it repeats; 0 for none."""
    layers: int
    """Convolutions and linear layers."""
    normalisations: int
    """Layers of batch normalisation."""
    shape: tuple[int, ...]
    """Of its output for one site: (C, H, W) or (D,)."""
    parameters: int


class Drawn(NamedTuple):
    """A network of a profile."""

    backbone: str
    input: tuple[int, ...]
    """Of one site: (C, H, W)."""
    blocks: list[Block]
    """In the order of the forward pass; the two heads come last."""


def drawn_network(profile: Profile, method: str = "baseline") -> Drawn:
    """Build a method's network without a weight, on torch's ``meta`` device, and read its blocks.

    Parameters
    ----------
    profile
        Gives the network, and by its screen the classes, experiments and pixels.
    method
        A name of :data:`rxrx_lib.models.methods.METHODS`.
    """
    import torch

    screen = data_design(profile.data(Replicate(screen_seed=0, seed=0)))
    asked = METHODS[method]
    with torch.device("meta"):
        network = asked.build(
            backbone=profile.network.backbone,
            channels=len(CHANNELS),
            classes=screen.classes,
            experiments=sum(train + test for _, train, test in screen.experiments),
            embedding=profile.network.embedding,
            group_size=profile.recipe.group_size,
            reverses=asked.reverses,
            head_layers=profile.network.head_layers,
            head_width=profile.network.head_width,
        )
    size = (len(CHANNELS), screen.image_size, screen.image_size)
    return Drawn(profile.network.backbone, size, read_blocks(network, size))


def read_blocks(network: Network, size: tuple[int, ...]) -> list[Block]:
    """Pass one site of (C, H, W) through a network on the ``meta`` device, block by block."""
    import torch

    network.eval()  # a single site has no statistics of its own
    blocks = []
    with torch.device("meta"), torch.inference_mode():
        values = torch.empty(1, *size)
        for name, units, modules in _of_backbone(network.backbone):
            blocks.append(_block(name, "backbone", units, modules, values))
            values = torch.empty(1, *blocks[-1].shape)
        for name, part in (("global average pooling", "pool"), ("neck", "neck")):
            module = network.get_submodule(part)
            blocks.append(_block(name, part.replace("pool", "pooling"), 0, [module], values))
            values = torch.empty(1, *blocks[-1].shape)
        for name, part in (("siRNA head", "sirna_head"), ("experiment head", "experiment_head")):
            blocks.append(_block(name, part, 0, [network.get_submodule(part)], values))
    return blocks


def _of_backbone(backbone: nn.Module) -> list[tuple[str, int, list[nn.Module]]]:
    """Cut a backbone into blocks: name, units and modules of each.

    A child that holds others is a block; those before the first are the stem, those behind the last
    close the backbone.
    """
    blocks: list[tuple[str, int, list[nn.Module]]] = [("stem", 0, [])]
    counts: dict[str, int] = {}
    for child in backbone.children():
        if not list(child.children()):
            if blocks[-1][1] or blocks[-1][0].startswith("transition"):
                blocks.append(("last normalisation", 0, []))
            blocks[-1][2].append(child)
            continue
        kind = {"_DenseBlock": "dense block", "_Transition": "transition"}.get(
            type(child).__name__, "stage"
        )
        counts[kind] = counts.get(kind, 0) + 1
        units = 0 if kind == "transition" else len(list(child.children()))
        blocks.append((f"{kind} {counts[kind]}", units, [child]))
    return blocks


def _block(name: str, part: str, units: int, modules: list[nn.Module], values: Tensor) -> Block:
    from torch import nn

    from rxrx_lib.models.adabn import GroupBatchNorm

    for module in modules:
        values = module(values)
    inner = [each for module in modules for each in module.modules()]
    return Block(
        name=name,
        part=part,
        units=units,
        layers=sum(isinstance(each, nn.Conv2d | nn.Linear) for each in inner),
        normalisations=sum(isinstance(each, GroupBatchNorm) for each in inner),
        shape=tuple(values.shape[1:]),
        parameters=sum(p.numel() for module in modules for p in module.parameters()),
    )


def blocks_table(drawn: Drawn) -> pd.DataFrame:
    """Return a network's blocks as a table, with their sum in the last row."""
    rows = [
        (b.name, b.units or "", b.layers, b.normalisations, shape_words(b.shape), b.parameters)
        for b in drawn.blocks
    ]
    sums = [sum(each) for each in zip(*((row[2], row[3], row[5]) for row in rows), strict=True)]
    rows.append(("all", "", sums[0], sums[1], "", sums[2]))
    names = ["block", "units", "layers", "normalisations", "output of a site", "parameters"]
    return pd.DataFrame(rows, columns=names)


def methods_table(profile: Profile) -> pd.DataFrame:
    """Return what tells the methods apart in a profile's network, as words."""
    rows = []
    for method in METHODS.values():
        blocks = drawn_network(profile, method.name).blocks
        rows.append(
            (
                method.label,
                "reversed" if method.reverses else "stopped",
                "sites of one experiment" if method.grouped else "any sites",
                f"{sum(block.parameters for block in blocks):,}",
            )
        )
    names = ["method", "gradient at the gate", "a group holds", "parameters"]
    return pd.DataFrame(rows, columns=names)


def beside_paper(drawn: Drawn) -> pd.DataFrame:
    """Return what the paper says of its network, and what the built one has, as words."""
    *backbone, pooling, neck, sirna, experiment = drawn.blocks
    units = " + ".join(str(block.units) for block in backbone if block.units)
    convolutions = sum(block.layers for block in backbone)
    maps = shape_words(backbone[-1].shape)
    rows = [
        ("input", "6-channel images", f"{shape_words(drawn.input)} a site"),
        (
            "backbone",
            "DenseNet161",
            f"{drawn.backbone}: {units} units, {convolutions} convolutions",
        ),
        ("pooling", "global average pooling", f"{maps} to {shape_words(pooling.shape)}"),
        (
            "neck",
            "two fully connected layers, batch normalization, ReLU",
            f"{neck.layers} linear layers, {neck.normalisations} batch normalisations",
        ),
        ("embedding", "1024-dimensional", f"{shape_words(neck.shape)} values"),
        (
            "perturbation branch",
            "classification, cross-entropy",
            f"{sirna.layers} linear, {shape_words(sirna.shape)} classes",
        ),
        (
            "experimental batch branch",
            "detached, or gradient reversed; its layers are not given",
            f"{experiment.layers} linear, {shape_words(experiment.shape)} experiments",
        ),
    ]
    return pd.DataFrame(rows, columns=["part", "the paper", "read from the code"])


def shape_words(shape: tuple[int, ...]) -> str:
    """Write a shape: 6 × 512 × 512."""
    return " × ".join(f"{n:,}" for n in shape)
