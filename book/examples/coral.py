"""Deep CORAL between experiments, on top of AdaBN: a method in one file."""

from itertools import combinations

import torch
from torch import Tensor

from rxrx_lib.models.methods import Method
from rxrx_lib.models.network import Outputs

COEFFICIENT = 1.0


def coral(outputs: Outputs, sirna: Tensor, experiment: Tensor, group_size: int) -> Tensor:
    """Return how far the covariances of experiments' embeddings lie apart, mean over pairs."""
    names = experiment[::group_size].tolist()  # a group holds sites of one experiment
    covariances = [torch.cov(group.T) for group in outputs.embedding.split(group_size)]
    groups = zip(names, covariances, strict=True)
    distances = [
        (mine - theirs).square().sum() / (4 * len(mine) ** 2)
        for (one, mine), (other, theirs) in combinations(groups, 2)
        if one != other
    ]
    if not distances:
        return outputs.embedding.new_zeros(())
    return COEFFICIENT * torch.stack(distances).mean()


METHOD = Method(
    name="coral",
    label="AdaBN + CORAL",
    grouped=True,
    reverses=False,
    statistics="experiment",
    penalty=coral,
)
