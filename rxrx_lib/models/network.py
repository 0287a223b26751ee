"""The paper's figure 5: backbone, pooling, two-layer neck, embedding, two heads."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from rxrx_lib.models.backbones import build_backbone
from rxrx_lib.models.conversion import with_group_batch_norm
from rxrx_lib.models.gradient_reversal import gradient_reversal


class Outputs(NamedTuple):
    """What the network says of B sites."""

    embedding: Tensor
    """(B, D), >= 0."""
    sirna: Tensor
    """Logits of the siRNA classes, (B, K)."""
    experiment: Tensor
    """Logits of the experiments, (B, E)."""


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
        # Two layers and no batch normalisation: a linear adversary is beaten by collapsing one
        # direction, and statistics over a minibatch would tell the head about its neighbours.
        self.experiment_head = nn.Sequential(
            nn.Linear(embedding, embedding), nn.ReLU(), nn.Linear(embedding, experiments)
        )

    def forward(self, images: Tensor, reversal: float = 0.0) -> Outputs:
        """Map standardised images (B, C, H, W) to embedding and logits.

        ``reversal`` (>= 0) is the coefficient of the reversed gradient; a detached head ignores it.
        """
        embedding = self.neck(self.pool(self.backbone(images)))
        probed = gradient_reversal(embedding, reversal) if self.reverses else embedding.detach()
        return Outputs(embedding, self.sirna_head(embedding), self.experiment_head(probed))


def build_network(
    backbone: str = "densenet161",
    channels: int = 6,
    classes: int = 1139,
    experiments: int = 51,
    embedding: int = 1024,
    group_size: int = 64,
    reverses: bool = False,
) -> Network:
    """Build the network with fresh weights; the defaults are the paper's.

    Parameters
    ----------
    backbone
        A name of :data:`rxrx_lib.models.backbones.BACKBONES`.
    channels
        Image channels C.
    classes, experiments, embedding, reverses
        See :class:`Network`.
    group_size
        Sites of a minibatch that are normalised together, in every layer, the neck's too.

    Returns
    -------
    Network
        Weights are drawn from torch's global generator: seed it (``torch.random.fork_rng``) first.

    Raises
    ------
    ValueError
        If the backbone's name is not known.
    """
    trunk = build_backbone(backbone, channels)
    network = Network(
        trunk.maps,
        features=trunk.features,
        classes=classes,
        experiments=experiments,
        embedding=embedding,
        reverses=reverses,
    )
    with_group_batch_norm(network, group_size)
    return network
