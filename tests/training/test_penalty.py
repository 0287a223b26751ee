"""A method's further loss is added to the heads', pass by pass, and to nothing else."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from rxrx_lib.models.network import Network, Outputs
from rxrx_lib.training.augment import Mix, standardise
from rxrx_lib.training.fit import backward
from rxrx_lib.training.hardware import Hardware
from rxrx_lib.training.progress import LossNotFinite
from tests.training.tiny import TARGETS, network, noise, outcome, plan, recipe, train

ROWS = plan(0)[0].ravel()
CLASSES = tuple(torch.from_numpy(each[ROWS]) for each in TARGETS)
UNMIXED = Mix(torch.arange(len(ROWS)), torch.ones(len(ROWS)))


def spread(outputs: Outputs, sirna: Tensor, experiment: Tensor, group_size: int) -> Tensor:
    """Return a loss of all that a penalty is given."""
    means = torch.stack([group.mean(0) for group in outputs.embedding.split(group_size)])
    return means.square().sum() + (outputs.sirna[:, 0] * sirna).mean() + experiment.sum()


def gradients(net: Network, passes: int, penalty: object, precision: str = "fp32") -> list[Tensor]:
    x = standardise(torch.from_numpy(noise().read(ROWS)))
    settings = recipe(precision=precision)
    backward(net, x, CLASSES, UNMIXED, settings, 0.0, passes, penalty)
    found = [p.grad for p in net.parameters() if p.grad is not None]
    net.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize("passes", [1, 2])
def test_the_gradient_is_the_heads_and_the_mean_of_the_penaltys_over_passes(passes: int) -> None:
    net = network().train()
    x = standardise(torch.from_numpy(noise().read(ROWS)))
    heads = gradients(net, passes, None)
    both = gradients(net, passes, spread)
    for part in range(passes):  # groups are normalised by themselves, so a part is what it is alone
        here = slice(part * 8 // passes, (part + 1) * 8 // passes)
        (spread(net(x[here]), *(each[here] for each in CLASSES), 4) / passes).backward()
    alone = [p.grad if p.grad is not None else torch.zeros_like(p) for p in net.parameters()]
    for one, two, three in zip(heads, alone, both, strict=True):
        torch.testing.assert_close(one + two, three, rtol=1e-4, atol=1e-6)


def test_a_pass_hands_over_its_own_groups_with_their_own_labels() -> None:
    asked: list[tuple[Tensor, Tensor, int]] = []

    def spy(outputs: Outputs, sirna: Tensor, experiment: Tensor, group_size: int) -> Tensor:
        assert len(outputs.embedding) == len(sirna)
        asked.append((sirna, experiment, group_size))
        return outputs.embedding.new_zeros(())

    train(network(), hardware=Hardware(device="cpu", groups_at_once=1), penalty=spy)
    steps = [plan(epoch)[step] for epoch in range(3) for step in range(len(plan(0)))]
    groups = [group for step in steps for group in step]
    assert len(asked) == len(groups)
    for (sirna, experiment, size), rows in zip(asked, groups, strict=True):
        assert size == 4
        assert sirna.tolist() == TARGETS.sirna[rows].tolist()  # unmixed, although CutMix is on
        assert experiment.tolist() == TARGETS.experiment[rows].tolist()


def test_without_a_penalty_and_with_one_of_zero_the_bits_are_the_same() -> None:
    nets = [network() for _ in range(2)]
    none = train(nets[0])
    zero = train(nets[1], penalty=lambda outputs, *_: outputs.embedding.new_zeros(()))
    assert outcome(none) == outcome(zero)
    other = nets[1].state_dict()
    assert all(torch.equal(value, other[key]) for key, value in nets[0].state_dict().items())


def test_the_history_holds_the_heads_losses_alone() -> None:
    one_step = {"plan_of": lambda epoch: plan(0)[:1], "settings": recipe(epochs=1, warmup_epochs=0)}
    without = train(network(), **one_step)
    assert outcome(train(network(), **one_step, penalty=spread)) == outcome(without)


def test_under_bf16_a_penalty_sees_float32() -> None:
    seen: list[torch.dtype] = []

    def spy(outputs: Outputs, *_: object) -> Tensor:
        seen.extend(each.dtype for each in outputs)
        return outputs.embedding.square().mean()

    gradients(network().train(), 1, spy, "bf16")
    assert set(seen) == {torch.float32}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_penalty_that_is_no_number_stops_before_the_step_that_it_would_spoil(
    value: float,
) -> None:
    net, steps = network(), []

    def broken(outputs: Outputs, *_: object) -> Tensor:
        steps.append(copy.deepcopy([p.detach() for p in net.parameters()]))
        scale = value if len(steps) == 3 else 0.0
        return outputs.embedding.sum() * 0 + scale

    with pytest.raises(LossNotFinite, match="the loss is nan at epoch 0, step 2"):
        train(net, penalty=broken)
    assert len(steps) == 3
    assert all(torch.equal(a, b) for a, b in zip(steps[-1], net.parameters(), strict=True))
