"""Gradient reversal: the identity forwards, the negative gradient backwards."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor
from torch.autograd.function import Function


def gradient_reversal(x: Tensor, coefficient: float) -> Tensor:
    """Pass ``x`` on unchanged, and turn the gradient that comes back around.

    Parameters
    ----------
    x
        Any floating-point tensor.
    coefficient
        Factor on the reversed gradient, >= 0. The gradient with respect to ``x`` is
        ``-coefficient`` times what the identity would give; 0 detaches.

    Returns
    -------
    Tensor
        ``x``'s values.

    Raises
    ------
    ValueError
        If ``coefficient`` is negative, which would turn the adversary into an ally.

    Notes
    -----
    Ganin et al. 2016, equation 14 [ganin2016domain]_.
    """
    if coefficient < 0:
        raise ValueError(f"coefficient is {coefficient}; give a number >= 0.")
    reversed_x: Tensor = _Reverse.apply(x, coefficient)
    return reversed_x


class _Reverse(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, coefficient: float) -> Tensor:
        ctx.coefficient = coefficient
        return x.view_as(x)  # a new tensor object, or autograd would skip this node

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (grad,) = grad_outputs
        return -ctx.coefficient * grad, None


def ganin_schedule(progress: float) -> float:
    """Return how far the reversal has been faded in, from 0 at the start to almost 1.

    Parameters
    ----------
    progress
        Share of the training done, 0 to 1.

    Returns
    -------
    float
        ``2 / (1 + exp(-10 * progress)) - 1``, between 0 and 1.

    Notes
    -----
    Ganin et al. 2016, section 5.2.2: a head that knows nothing yet sends a gradient of noise, so
    the reversal starts at zero [ganin2016domain]_.
    """
    return 2.0 / (1.0 + math.exp(-10.0 * progress)) - 1.0
