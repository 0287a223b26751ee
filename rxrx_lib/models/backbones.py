"""Convolutional backbones from torchvision with a stem for any number of channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import nn
from torchvision.models import DenseNet


class Backbone(NamedTuple):
    """Feature extractor: (B, C, H, W) to ``features`` maps (B, features, h, w)."""

    maps: nn.Module
    features: int


def build_backbone(name: str, channels: int) -> Backbone:
    """Build a backbone with fresh weights.

    Parameters
    ----------
    name
        A key of :data:`BACKBONES`.
    channels
        Image channels C, >= 1.

    Raises
    ------
    ValueError
        If the name is not known.
    """
    if name not in BACKBONES:
        raise ValueError(f"backbone is {name!r}; choose one of {', '.join(sorted(BACKBONES))}.")
    return BACKBONES[name](channels)


def densenet161(channels: int) -> Backbone:
    """DenseNet161 [huang2017densely]_, its 7x7 stem widened to ``channels``: the paper's."""
    network = DenseNet(growth_rate=48, block_config=(6, 12, 36, 24), num_init_features=96)
    network.features.conv0 = nn.Conv2d(channels, 96, 7, stride=2, padding=3, bias=False)
    return Backbone(_with_last_relu(network.features), network.classifier.in_features)


def densenet_small(channels: int) -> Backbone:
    """DenseNet of one block of two layers, for pictures of 32 to 96 pixels on a CPU core.

    Its total stride is 4. At DenseNet161's 32, a picture of 48 pixels would leave one or two
    features; at 8 and 16, with two and three blocks, the baseline learnt less in the same time.
    """
    network = DenseNet(growth_rate=16, block_config=(2,), num_init_features=24, bn_size=2)
    network.features.conv0 = nn.Conv2d(channels, 24, 3, stride=2, padding=1, bias=False)
    return Backbone(_with_last_relu(network.features), network.classifier.in_features)


def _with_last_relu(features: nn.Sequential) -> nn.Sequential:
    """Append the ReLU that torchvision's DenseNet applies outside ``features``."""
    features.add_module("relu5", nn.ReLU(inplace=True))
    return features


BACKBONES: dict[str, Callable[[int], Backbone]] = {
    "densenet161": densenet161,
    "densenet_small": densenet_small,
}
