"""The identity forwards, minus the coefficient times the gradient backwards."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rxrx_lib.models.gradient_reversal import ganin_schedule, gradient_reversal


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("coefficient", [0.0, 0.25, 1.0, 3.0])
def test_gradient_is_minus_coefficient_times_the_plain_one(
    coefficient: float, dtype: torch.dtype
) -> None:
    values = torch.tensor([[-1.5, 0.0, 2.0], [0.5, 4.0, -3.0]], dtype=dtype)
    x, plain = values.clone().requires_grad_(), values.clone().requires_grad_()
    y = gradient_reversal(x, coefficient)
    assert y.dtype == dtype
    assert torch.equal(y, values)
    y.square().sum().backward()
    plain.square().sum().backward()
    assert torch.equal(x.grad, -coefficient * plain.grad)


def test_a_gradient_that_is_reversed_twice_has_its_sign_back() -> None:
    x = torch.tensor([3.0], requires_grad=True)
    gradient_reversal(gradient_reversal(x, 2.0), 5.0).backward()
    assert x.grad.item() == 10.0


def test_a_negative_coefficient_is_refused() -> None:
    with pytest.raises(ValueError, match=r"coefficient is -0\.1; give a number >= 0"):
        gradient_reversal(torch.zeros(1), -0.1)


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_schedule_is_ganins_formula(progress: float) -> None:
    expected = math.tanh(5 * progress)  # 2 / (1 + exp(-10 p)) - 1, rewritten
    assert ganin_schedule(progress) == pytest.approx(expected, abs=1e-12)
    assert ganin_schedule(0.0) == 0.0


@given(st.floats(0, 1), st.floats(0, 1))
def test_schedule_rises_from_zero_towards_one(early: float, late: float) -> None:
    early, late = sorted((early, late))
    assert 0 <= ganin_schedule(early) <= ganin_schedule(late) < 1
