"""The paper's figure 5: backbone, pooling, two-layer neck, embedding, two heads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from rxrx_lib.models.backbones import build_backbone
from rxrx_lib.models.conversion import with_group_batch_norm
from rxrx_lib.models.gradient_reversal import gradient_reversal
from rxrx_lib.models.pretrained import load_weights


class Outputs(NamedTuple):
    """What the network says of B sites."""

    embedding: Tensor
    """(B, D), >= 0."""
    sirna: Tensor
    """Logits of the siRNA classes, (B, K)."""
    experiment: Tensor
    """Logits of the experiments, (B, E)."""


Penalty = Callable[[Outputs, Tensor, Tensor, int], Tensor]
"""A further loss, a scalar: of outputs, siRNAs and experiments (B,) and the sites a group.

The siRNAs are the sites' own; a label that was mixed in plays no part. Experiments are numbered in
the order of the experiment head. Outputs are float32 at least. What the loss weighs against the
heads' is its own affair.
"""


class Network(nn.Module):
    """Classify siRNAs and experiments from one embedding.

    Parameters
    ----------
    backbone
        Maps images (B, C, H, W) to feature maps (B, features, h, w).
    features
        Number of feature maps that the backbone gives.
    classes
        Number of siRNA classes K.
    experiments
        Number of experiments E that the experiment head tells apart.
    embedding
        Embedding size D; the neck's hidden layer has the same.
    reverses
        Whether the experiment head trains the trunk, through a reversed gradient, or is detached
        from it.
    head_layers
        Hidden layers of the experiment head, >= 0; 0 makes it linear.
    head_width
        Their size; 0 for the embedding's.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        features: int,
        classes: int,
        experiments: int,
        embedding: int,
        reverses: bool,
        head_layers: int = 1,
        head_width: int = 0,
    ) -> None:
        super().__init__()
        self.reverses = reverses
        self.backbone = backbone
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.neck = nn.Sequential(
            nn.Linear(features, embedding, bias=False),
            nn.BatchNorm1d(embedding),
            nn.ReLU(),
            nn.Linear(embedding, embedding, bias=False),
            nn.BatchNorm1d(embedding),
            nn.ReLU(),
        )
        self.sirna_head = nn.Linear(embedding, classes)
        self.experiment_head = _experiment_head(
            [embedding] + [head_width or embedding] * head_layers, experiments
        )

    def forward(self, images: Tensor, reversal: float = 0.0) -> Outputs:
        """Map standardised images (B, C, H, W) to embedding and logits.

        ``reversal`` (>= 0) is the coefficient of the reversed gradient; a detached head ignores it.
        """
        embedding = self.neck(self.pool(self.backbone(images)))
        probed = gradient_reversal(embedding, reversal) if self.reverses else embedding.detach()
        return Outputs(embedding, self.sirna_head(embedding), self.experiment_head(probed))


def _experiment_head(widths: Sequence[int], experiments: int) -> nn.Sequential:
    """Build a head from its input and hidden widths.

    It has a hidden layer by default and batch normalisation never: a linear adversary is beaten by
    collapsing one direction, and statistics over a minibatch would tell the head about its
    neighbours.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], experiments))


def build_network(
    backbone: str = "densenet161",
    channels: int = 6,
    classes: int = 1139,
    experiments: int = 51,
    embedding: int = 1024,
    group_size: int = 64,
    reverses: bool = False,
    head_layers: int = 1,
    head_width: int = 0,
    weights: Path | None = None,
    weights_sha256: str = "",
) -> Network:
    """Build the network with fresh weights, or a trunk from a file; the defaults are the paper's.

    Parameters
    ----------
    backbone
        A name of :data:`rxrx_lib.models.backbones.BACKBONES`.
    channels
        Image channels C.
    classes, experiments, embedding, reverses, head_layers, head_width
        See :class:`Network`.
    group_size
        Sites of a minibatch that are normalised together, in every layer, the neck's too.
    weights, weights_sha256
        File that the backbone starts from, and what its SHA-256 must be; see
        :func:`rxrx_lib.models.pretrained.load_weights`. Neck and heads are fresh all the same, and
        the same as without a file.

    Returns
    -------
    Network
        Weights are drawn from torch's global generator: seed it (``torch.random.fork_rng``) first.

    Raises
    ------
    ValueError
        If the backbone's name is not known, or the file does not hold weights of it.
    FileNotFoundError
        If there is no such file.
    """
    trunk = build_backbone(backbone, channels)
    if weights is not None:
        load_weights(trunk.maps, weights, backbone=backbone, sha256=weights_sha256)
    network = Network(
        trunk.maps,
        features=trunk.features,
        classes=classes,
        experiments=experiments,
        embedding=embedding,
        reverses=reverses,
        head_layers=head_layers,
        head_width=head_width,
    )
    with_group_batch_norm(network, group_size)
    return network
