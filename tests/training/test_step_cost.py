"""What a step costs, against counts by hand and against what autograd keeps of real tensors."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from rxrx_lib.models.adabn import GroupBatchNorm
from rxrx_lib.models.network import build_network
from rxrx_lib.training.step_cost import parameters, site_cost

PIXELS = 8 * 8
IN, WIDE, OUT = 3, 4, 5


def by_hand(group_size: int, normalisation=nn.BatchNorm2d) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(IN, WIDE, 3, padding=1, bias=False),
        normalisation(WIDE),
        nn.Conv2d(WIDE, OUT, 1, bias=False),
    )


def grouped(group_size: int) -> nn.Module:
    return by_hand(group_size, partial(GroupBatchNorm, group_size=group_size))


count = partial(site_cost, channels=IN, image_size=8)


def test_operations_are_two_for_each_weight_and_place_and_images_get_no_gradient() -> None:
    first, second = 2 * 9 * IN * WIDE * PIXELS, 2 * WIDE * OUT * PIXELS
    cost = count(by_hand, precision="fp32")
    assert cost.forward_flops == first + second
    assert cost.training_flops == 2 * first + 3 * second


def test_bytes_are_those_of_inputs_and_outputs_and_normalisation_reads_twice() -> None:
    cost = count(by_hand, precision="fp32")
    convolutions = (IN + WIDE) + (WIDE + OUT)
    normalisation = 3 * WIDE
    assert cost.forward_bytes == 4 * PIXELS * (convolutions + normalisation)
    # gradient and input in, input's gradient out; but the images have none
    backward = (OUT + WIDE + WIDE) + (2 * (WIDE + WIDE) + WIDE) + (WIDE + IN)
    assert cost.training_bytes == cost.forward_bytes + 4 * PIXELS * backward


def test_the_forward_pass_keeps_every_layers_input() -> None:
    cost = count(by_hand, precision="fp32")
    assert cost.kept_bytes == 4 * PIXELS * (IN + WIDE + WIDE)
    assert cost.peak_bytes >= cost.kept_bytes


def test_a_group_alone_moves_no_byte_more_than_pytorchs_own_normalisation() -> None:
    ours = count(grouped, precision="fp32").forward_bytes
    assert ours == count(by_hand, precision="fp32").forward_bytes


@pytest.mark.parametrize(("precision", "factor"), [("bf16", 0.5), ("fp64", 2.0)])
def test_activations_of_other_precisions_take_their_share(precision: str, factor: float) -> None:
    single, other = count(grouped, precision="fp32"), count(grouped, precision=precision)
    assert other[:2] == single[:2]
    assert other[2:] == pytest.approx([factor * each for each in single[2:]])


def test_what_is_kept_in_bf16_is_what_autocast_keeps_of_real_tensors() -> None:
    def kept(sites: int) -> int:
        pieces = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            pieces[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        network = small(sites)
        with (
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
            torch.autocast("cpu", dtype=torch.bfloat16),
        ):
            outputs = network(torch.rand(sites, 6, 32, 32))
        del outputs
        return sum(pieces.values())

    real = (kept(16) - kept(8)) / 8
    counted = site_cost(small, channels=6, image_size=32, precision="bf16").kept_bytes
    assert counted == pytest.approx(real, rel=0.02)


def small(group_size: int) -> nn.Module:
    return build_network("densenet_small", classes=10, embedding=8, group_size=group_size)


def test_weights_are_counted_without_making_one() -> None:
    assert parameters(by_hand) == 9 * IN * WIDE + 2 * WIDE + WIDE * OUT
    assert parameters(lambda n: build_network(group_size=n)) == 32_069_126
