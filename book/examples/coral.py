"""Deep CORAL between experiments, on top of AdaBN, in one file."""

from itertools import combinations

import torch
from torch import Tensor

from rxrx_lib.models.methods import Method
from rxrx_lib.models.network import Outputs

COEFFICIENT = 1.0


def coral(
    outputs: Outputs,
    sirna: Tensor,
    experiment: Tensor,
    group_size: int,
) -> Tensor:
    """Return how far the covariances of experiments lie apart."""
    groups = outputs.embedding.split(group_size)
    covariances = [torch.cov(group.T) for group in groups]
    # A group holds sites of one experiment.
    names = experiment[::group_size].tolist()
    distances = [
        (covariances[a] - covariances[b]).square().sum()
        for a, b in combinations(range(len(names)), 2)
        if names[a] != names[b]
    ]
    if not distances:
        return outputs.embedding.new_zeros(())
    size = outputs.embedding.shape[1]
    return COEFFICIENT * torch.stack(distances).mean() / (4 * size**2)


METHOD = Method(
    name="coral",
    label="AdaBN + CORAL",
    grouped=True,
    reverses=False,
    statistics="experiment",
    penalty=coral,
)
