"""Convolutional backbones from torchvision with a stem for any number of channels.

The four of the paper's table 2, and a small sibling of each for pictures of 32 to 96 pixels on a
CPU core. All end in a ReLU. Names and strides, which need no torch, are those of
:mod:`rxrx_lib.models.architectures`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from torch import nn
from torchvision.models import DenseNet, ResNet
from torchvision.models.resnet import Bottleneck

from rxrx_lib.models.architectures import check_backbone


class Backbone(NamedTuple):
    """Feature extractor: (B, C, H, W) to ``features`` maps (B, features, h, w)."""

    maps: nn.Module
    """Named as torchvision names its network's parts; its first parameter is the stem's weight."""
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
    check_backbone(name)
    return BACKBONES[name](channels)


def densenet161(channels: int) -> Backbone:
    """DenseNet161 [huang2017densely]_, its 7x7 stem widened to ``channels``: the paper's."""
    network = DenseNet(growth_rate=48, block_config=(6, 12, 36, 24), num_init_features=96)
    return _densenet(network, nn.Conv2d(channels, 96, 7, stride=2, padding=3, bias=False))


def densenet121(channels: int) -> Backbone:
    """DenseNet121 [huang2017densely]_, its 7x7 stem widened to ``channels``."""
    network = DenseNet(growth_rate=32, block_config=(6, 12, 24, 16), num_init_features=64)
    return _densenet(network, nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False))


def densenet_small(channels: int) -> Backbone:
    """DenseNet of one block of two layers, the sibling of DenseNet161.

    Its total stride is 4. At DenseNet161's 32, a picture of 48 pixels would leave one or two
    features; at 8 and 16, with two and three blocks, the baseline learnt less in the same time.
    """
    network = DenseNet(growth_rate=16, block_config=(2,), num_init_features=24, bn_size=2)
    return _densenet(network, nn.Conv2d(channels, 24, 3, stride=2, padding=1, bias=False))


def densenet_small_shallow(channels: int) -> Backbone:
    """DenseNet of one block of one layer, the sibling of DenseNet121.

    From :func:`densenet_small` it differs in depth alone.
    """
    network = DenseNet(growth_rate=16, block_config=(1,), num_init_features=24, bn_size=2)
    return _densenet(network, nn.Conv2d(channels, 24, 3, stride=2, padding=1, bias=False))


def _densenet(network: DenseNet, stem: nn.Conv2d) -> Backbone:
    network.features.conv0 = stem
    # torchvision applies the last ReLU outside `features`
    network.features.add_module("relu5", nn.ReLU(inplace=True))
    return Backbone(network.features, network.classifier.in_features)


def resnet50(channels: int) -> Backbone:
    """ResNet50 [he2016deep]_, its 7x7 stem widened to ``channels``."""
    return _resnet(ResNet(Bottleneck, [3, 4, 6, 3]), channels)


def resnet101(channels: int) -> Backbone:
    """ResNet101 [he2016deep]_, its 7x7 stem widened to ``channels``."""
    return _resnet(ResNet(Bottleneck, [3, 4, 23, 3]), channels)


def _resnet(network: ResNet, channels: int) -> Backbone:
    network.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    _initialise(network.conv1)
    maps = [(n, m) for n, m in network.named_children() if n not in ("avgpool", "fc")]
    return Backbone(nn.Sequential(OrderedDict(maps)), network.fc.in_features)


def resnet_small(channels: int) -> Backbone:
    """ResNet of two bottleneck blocks, the sibling of ResNet50, with a total stride of 4."""
    return _one_stage_resnet(channels, blocks=2)


def resnet_small_deep(channels: int) -> Backbone:
    """ResNet of four bottleneck blocks, the sibling of ResNet101.

    From :func:`resnet_small` it differs in depth alone, as ResNet101 from ResNet50.
    """
    return _one_stage_resnet(channels, blocks=4)


def _one_stage_resnet(channels: int, *, blocks: int, stem: int = 32, planes: int = 16) -> Backbone:
    """Build a ResNet of a single stage; torchvision's own class has four, the first 256 maps wide.

    ``stem`` is the stem's number of maps, ``planes`` that of a block's 3x3 convolution.
    """
    features = planes * Bottleneck.expansion
    shortcut = nn.Sequential(nn.Conv2d(stem, features, 1, bias=False), nn.BatchNorm2d(features))
    first = Bottleneck(stem, planes, downsample=shortcut)
    maps = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, stem, 3, stride=2, padding=1, bias=False),
            bn1=nn.BatchNorm2d(stem),
            relu=nn.ReLU(inplace=True),
            maxpool=nn.MaxPool2d(3, stride=2, padding=1),
            layer1=nn.Sequential(first, *(Bottleneck(features, planes) for _ in range(1, blocks))),
        )
    )
    for module in maps.modules():
        if isinstance(module, nn.Conv2d):
            _initialise(module)
    return Backbone(maps, features)


def _initialise(convolution: nn.Conv2d) -> None:
    """Draw weights as torchvision does for its ResNets."""
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")


BACKBONES: dict[str, Callable[[int], Backbone]] = {
    "densenet161": densenet161,
    "densenet121": densenet121,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "densenet_small": densenet_small,
    "densenet_small_shallow": densenet_small_shallow,
    "resnet_small": resnet_small,
    "resnet_small_deep": resnet_small_deep,
}
"""The keys are those of :data:`rxrx_lib.models.architectures.STRIDES`."""
