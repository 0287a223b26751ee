"""Figure 5: what it shows is what the network has."""

from __future__ import annotations

import dataclasses
import re

import matplotlib.pyplot as plt
import pytest
import torch

from rxrx_lib.models.backbones import BACKBONES
from rxrx_lib.models.methods import METHODS
from rxrx_lib.models.network import build_network
from rxrx_lib.study.network_blocks import (
    beside_paper,
    blocks_table,
    drawn_network,
    read_blocks,
    shape_words,
)
from rxrx_lib.study.network_figure import network_figure
from rxrx_lib.study.profiles import PROFILES, Profile

SIZES = [PROFILES["paper"], PROFILES["demo"], PROFILES["smoke"]]
each_size = pytest.mark.parametrize("profile", SIZES, ids=lambda each: each.name)


def words_of(profile: Profile) -> list[str]:
    figure = network_figure(drawn_network(profile))
    words = [text.get_text() for axis in figure.axes for text in axis.texts]
    plt.close(figure)
    return words


@each_size
@pytest.mark.parametrize("method", METHODS)
def test_all_weights_of_every_methods_network_are_in_one_block(
    profile: Profile, method: str
) -> None:
    screen = profile.screen
    with torch.device("meta"):
        network = build_network(
            profile.network.backbone,
            classes=1139 if screen is None else screen.classes,
            experiments=51 if screen is None else sum(a + b for _, a, b in screen.experiments),
            embedding=profile.network.embedding,
            reverses=METHODS[method].reverses,
        )
    found = drawn_network(profile, method)
    total = sum(each.numel() for each in network.parameters())
    assert sum(block.parameters for block in found.blocks) == total
    assert blocks_table(found)["parameters"].iloc[-1] == total


def test_the_papers_network_has_the_shapes_that_its_papers_give() -> None:
    """Of DenseNet161, growth 48: blocks of 6, 12, 36, 24; halved by each transition; stride 32."""
    found = drawn_network(PROFILES["paper"])
    maps, side, shapes = 96, 128, [(96, 128, 128)]
    for number, units in enumerate((6, 12, 36, 24)):
        maps += 48 * units
        shapes.append((maps, side, side))
        if number < 3:
            maps, side = maps // 2, side // 2
            shapes.append((maps, side, side))
    shapes += [(2208, 16, 16), (2208,), (1024,), (1139,), (51,)]
    assert [block.shape for block in found.blocks] == shapes
    backbone = [block for block in found.blocks if block.part == "backbone"]
    assert sum(block.layers for block in backbone) == 160  # and a classifier makes 161
    assert [block.units for block in backbone if block.units] == [6, 12, 36, 24]
    heads = {block.part: block.parameters for block in found.blocks}
    assert heads["sirna_head"] == 1024 * 1139 + 1139
    assert heads["experiment_head"] == 1024 * 1024 + 1024 + 1024 * 51 + 51


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_last_blocks_output_is_that_of_a_network_that_computes(backbone: str) -> None:
    settings = {"classes": 5, "experiments": 3, "embedding": 16}
    if "small" not in backbone:
        size = (6, 64, 64)
        with torch.device("meta"):
            outputs = build_network(backbone, **settings).eval()(torch.empty(2, *size))
    else:
        size = (6, 16, 16)
        outputs = build_network(backbone, **settings).eval()(torch.zeros(2, *size))
    with torch.device("meta"):
        *_, neck, sirna, experiment = read_blocks(build_network(backbone, **settings), size)
    for block, output in zip((neck, sirna, experiment), outputs, strict=True):
        assert block.shape == tuple(output.shape[1:])


@each_size
def test_every_shape_and_every_number_of_parameters_is_written_in_the_figure(
    profile: Profile,
) -> None:
    words = words_of(profile)
    for block in drawn_network(profile).blocks:
        shape = shape_words(block.shape)
        assert shape in words or f"{shape} logits" in words
        if block.parameters:
            ending = f"{block.parameters:,} parameters"
            assert any(re.search(rf"(^|· ){ending}$", line) for line in words), block.name


def test_a_block_says_of_what_it_is_made() -> None:
    words = words_of(PROFILES["paper"])
    assert "1 convolution · 1 BN · 28,416 parameters" in words
    assert "36 units · 72 convolutions · 72 BN · 11,548,224 parameters" in words
    assert "2 linear layers · 2 BN · 3,313,664 parameters" in words
    assert "1 BN · 4,416 parameters" in words
    assert {"1 linear layer, no BN", "2 linear layers, no BN"} <= set(words)


def test_the_gate_names_the_methods_by_what_it_does_to_the_gradient() -> None:
    words = " ".join(words_of(PROFILES["demo"]))
    stopped = re.search(r"stopped: (.*?) reversed: (.*?) siRNA head", words)
    assert stopped is not None
    for method in METHODS.values():
        here, there = stopped.groups() if not method.reverses else reversed(stopped.groups())
        assert method.label in here
        assert method.label not in [name.strip() for name in there.split(",")]


def test_a_bigger_backbone_changes_the_figure_and_the_table_beside_the_paper() -> None:
    profile = PROFILES["paper"]
    other = dataclasses.replace(
        profile, network=dataclasses.replace(profile.network, backbone="resnet50")
    )
    backbone = beside_paper(drawn_network(other)).set_index("part").loc["backbone"]
    assert backbone["read from the code"] == "resnet50: 3 + 4 + 6 + 3 units, 53 convolutions"
    assert "stem of resnet50" in words_of(other)
    assert "2,048 × 16 × 16" in words_of(other)
