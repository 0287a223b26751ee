"""What is known of networks without building one: backbones, strides, small siblings, parts.

Specs are checked and tables are made from this alone, without torch. The networks themselves are
those of :mod:`rxrx_lib.models.backbones`.
"""

from __future__ import annotations

STRIDES = {
    "densenet161": 32,
    "densenet121": 32,
    "resnet50": 32,
    "resnet101": 32,
    "densenet_small": 4,
    "densenet_small_shallow": 4,
    "resnet_small": 4,
    "resnet_small_deep": 4,
}
"""Name of each backbone to its total stride: the pixels a side that one feature stands for."""

SIBLINGS = {
    "densenet161": "densenet_small",
    "densenet121": "densenet_small_shallow",
    "resnet50": "resnet_small",
    "resnet101": "resnet_small_deep",
}
"""Each backbone of the paper's table 2 to the small one that stands in for it on a laptop.

A sibling is of the same family, and the deeper of a family's two is the sibling of its deeper one.
Across the families the small ones are not ordered as the paper's.
"""

PARTS = ("all", "neck", "trunk")
"""Which part of a network adapts to an experiment; see :mod:`rxrx_lib.models.parts`."""
AS_TRAINED = "as_trained"
"""In prediction: the part that adapted in training."""


def require_part(part: str) -> None:
    """Make sure that this is one of :data:`PARTS`.

    Raises
    ------
    ValueError
        If it is not; the sentence lists those there are.
    """
    if part not in PARTS:
        raise ValueError(f"part is {part!r}; choose one of {', '.join(PARTS)}.")


def check_backbone(name: str) -> None:
    """Make sure that there is a backbone of this name.

    Raises
    ------
    ValueError
        If there is none; the sentence lists those there are.
    """
    if name not in STRIDES:
        raise ValueError(f"backbone is {name!r}; choose one of {', '.join(STRIDES)}.")


def check_picture_size(backbone: str, pixels: int) -> None:
    """Make sure that a picture leaves the backbone at least one feature.

    Parameters
    ----------
    backbone
        A key of :data:`STRIDES`.
    pixels
        Width and height of the pictures.

    Raises
    ------
    ValueError
        If the pictures are smaller than the total stride. PyTorch would say so in the middle of
        the first forward pass of a DenseNet; a ResNet would go on with features made of padding.
    """
    stride = STRIDES[backbone]
    if pixels < stride:
        fitting = [name for name, other in STRIDES.items() if other <= pixels]
        instead = f"larger pictures or {' or '.join(fitting)}" if fitting else "larger pictures"
        raise ValueError(
            f"backbone is {backbone!r}, which makes one feature of {stride} × {stride} pixels, and "
            f"the pictures have {pixels} × {pixels}; choose {instead}."
        )
