"""Backbones by their parameters, shapes and depth, against torchvision's own networks."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import torchvision
from torch import Tensor, nn

from rxrx_lib.models.architectures import SIBLINGS, STRIDES, check_picture_size
from rxrx_lib.models.backbones import BACKBONES, Backbone, build_backbone

each_backbone = pytest.mark.parametrize("name", BACKBONES)
each_real = pytest.mark.parametrize("name", SIBLINGS)
SMALL = list(SIBLINGS.values())
DROPPED = ("classifier", "fc")


def on_meta(name: str, channels: int = 6) -> Backbone:
    with torch.device("meta"):
        return build_backbone(name, channels)


def reference(name: str) -> nn.Module:
    with torch.device("meta"):
        return getattr(torchvision.models, name)(weights=None)


def numbers(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def convolutions(name: str) -> int:
    return sum(isinstance(module, nn.Conv2d) for module in on_meta(name).maps.modules())


@each_real
@pytest.mark.parametrize("channels", [1, 3, 6, 8])
def test_the_papers_backbones_have_torchvisions_parameters_and_a_wider_stem(
    name: str, channels: int
) -> None:
    theirs = reference(name)
    last = theirs.classifier if hasattr(theirs, "classifier") else theirs.fc
    stem_maps = {"densenet161": 96}.get(name, 64)
    wider = stem_maps * 7 * 7 * (channels - 3)
    ours = on_meta(name, channels)
    assert numbers(ours.maps) == numbers(theirs) - numbers(last) + wider
    assert ours.features == last.in_features


@each_real
def test_the_parts_are_named_and_shaped_as_torchvisions(name: str) -> None:
    theirs = {
        key.removeprefix("features."): value.shape
        for key, value in reference(name).state_dict().items()
        if key.split(".")[0] not in DROPPED
    }
    assert {key: value.shape for key, value in on_meta(name, 3).maps.state_dict().items()} == theirs


@pytest.mark.parametrize("name", ["densenet121", "resnet50"])  # one of each family: for speed
def test_pooled_maps_are_what_torchvisions_network_classifies(name: str) -> None:
    theirs = getattr(torchvision.models, name)(weights=None).eval()
    setattr(theirs, next(part for part in DROPPED if hasattr(theirs, part)), nn.Identity())
    ours = build_backbone(name, 3).maps.eval()
    ours.load_state_dict(getattr(theirs, "features", theirs).state_dict())
    x = torch.randn(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(x).mean((2, 3)), theirs(x))


@each_backbone
def test_the_stride_is_what_the_table_says(name: str) -> None:
    backbone = on_meta(name)
    for side in (1, 2, 3):
        pixels = side * STRIDES[name]
        maps = backbone.maps(torch.empty(2, 6, pixels, pixels, device="meta"))
        assert maps.shape == (2, backbone.features, side, side)


@each_backbone
def test_a_picture_of_one_stride_is_the_smallest(name: str) -> None:
    check_picture_size(name, STRIDES[name])
    with pytest.raises(ValueError, match=f"backbone is '{name}', which makes one feature of"):
        check_picture_size(name, STRIDES[name] - 1)


def test_a_picture_too_small_is_told_what_fits() -> None:
    with pytest.raises(ValueError) as told:  # noqa: PT011 - the whole sentence is compared
        check_picture_size("densenet161", 16)
    assert str(told.value) == (
        "backbone is 'densenet161', which makes one feature of 32 × 32 pixels, and the pictures "
        "have 16 × 16; choose larger pictures or densenet_small or densenet_small_shallow or "
        "resnet_small or resnet_small_deep."
    )


@pytest.mark.parametrize("name", SMALL)  # the others are compared to torchvision's
def test_feature_maps_end_in_a_relu(name: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        maps = build_backbone(name, 6).maps(torch.randn(4, 6, 16, 16))
    assert maps.min().item() == 0.0
    assert maps.max().item() > 0.0


def test_every_backbone_of_the_paper_has_a_sibling_of_its_family() -> None:
    assert BACKBONES.keys() == STRIDES.keys() == {*SIBLINGS, *SMALL}
    for real, small in SIBLINGS.items():
        assert small.split("_")[0] == real.rstrip("0123456789")


@pytest.mark.parametrize(
    ("shallow", "deep"), [("densenet121", "densenet161"), ("resnet50", "resnet101")]
)
def test_siblings_keep_the_order_of_depth_within_a_family(shallow: str, deep: str) -> None:
    # torchvision's names count the last layer too, and not the convolutions of shortcuts
    shortcuts = {"densenet": 0, "resnet": 4}[shallow.rstrip("0123456789")]
    for name in (shallow, deep):
        assert convolutions(name) + 1 - shortcuts == int(name.lstrip("abcdefghijklmnopqrstuvwxyz"))
    assert convolutions(SIBLINGS[shallow]) < convolutions(SIBLINGS[deep])
    assert numbers(on_meta(SIBLINGS[shallow]).maps) < numbers(on_meta(SIBLINGS[deep]).maps)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("densenet_small_shallow", 3),
        ("densenet_small", 5),
        ("resnet_small", 8),
        ("resnet_small_deep", 14),
    ],
)
def test_siblings_are_as_small_as_they_are_called(name: str, layers: int) -> None:
    assert convolutions(name) == layers
    assert 5_000 < numbers(on_meta(name).maps) < 25_000


@pytest.mark.parametrize("name", SMALL)
def test_a_siblings_every_weight_learns(name: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = build_backbone(name, 6)
        x: Tensor = torch.randn(8, 6, 32, 32)
    backbone.maps(x).square().mean().backward()
    assert all(p.grad.abs().max() > 0 for p in backbone.maps.parameters())


def test_an_unknown_backbone_lists_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match=r"'vgg'; choose one of densenet161, .*, resnet_small_deep"
    ):
        build_backbone("vgg", 6)


def test_names_and_strides_load_no_torch() -> None:
    program = "import sys, rxrx_lib.models.architectures; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "False", done.stderr
