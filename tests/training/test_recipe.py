"""The learning rate's course, and what a recipe refuses."""

from __future__ import annotations

import math

import pytest

from rxrx_lib.training.recipe import PAPER_RATE_A_SITE, Recipe, learning_rate


def rates(steps: int, warmup_steps: int, peak: float = 0.4) -> list[float]:
    return [
        learning_rate(step, steps=steps, warmup_steps=warmup_steps, peak=peak)
        for step in range(steps)
    ]


def test_warm_up_rises_by_equal_steps_and_ends_at_the_peak() -> None:
    assert rates(100, 4)[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])


def test_after_the_warm_up_the_rate_follows_half_a_cosine_to_zero() -> None:
    course = rates(104, 4)
    assert course[4 + 50] == pytest.approx(0.2)
    assert course[4 + 25] == pytest.approx(0.4 * math.cos(math.pi / 8) ** 2)
    assert 0 < course[-1] < 0.4e-3


@pytest.mark.parametrize(("steps", "warmup_steps"), [(50, 0), (50, 10), (2, 1), (1, 0)])
def test_the_rate_rises_then_falls_and_is_never_zero(steps: int, warmup_steps: int) -> None:
    course = rates(steps, warmup_steps)
    top = max(warmup_steps - 1, 0)
    assert max(course) == pytest.approx(0.4)
    assert course[: top + 1] == sorted(course[: top + 1])
    assert course[top:] == sorted(course[top:], reverse=True)
    assert min(course) > 0


def test_defaults_are_the_papers() -> None:
    paper = Recipe()
    assert (paper.epochs, paper.warmup_epochs, paper.minibatch) == (100, 5, 512)
    assert (paper.learning_rate, paper.momentum, paper.mixing) == (0.1024, 0.9, "cutmix")
    assert paper.learning_rate == PAPER_RATE_A_SITE * paper.minibatch


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("epochs", 0, ">= 1"),
        ("groups", 0, ">= 1"),
        ("epochs", 2.5, ">= 1"),
        ("group_size", 1, ">= 2"),
        ("warmup_epochs", -1, "0 to epochs - 1 = 99"),
        ("warmup_epochs", 100, "0 to epochs - 1 = 99"),
        ("learning_rate", 0.0, "> 0"),
        ("learning_rate", math.nan, "> 0"),
        ("momentum", 1.0, "0 to below 1"),
        ("momentum", -0.1, "0 to below 1"),
        ("weight_decay", -1e-4, ">= 0"),
        ("weight_decay", math.nan, ">= 0"),
        ("reversal_coefficient", -1.0, ">= 0"),
        ("reversal_coefficient", math.inf, ">= 0"),
        ("experiment_loss_weight", -0.5, ">= 0"),
        ("mixing_alpha", 0.0, "> 0"),
        ("mixing", "cutout", "one of cutmix, mixup, none"),
        ("reversal_schedule", "step", "one of ganin, constant"),
        ("precision", "fp16", "one of fp32, bf16, fp64"),
    ],
)
def test_a_field_out_of_range_is_refused_by_name(field: str, value: object, expected: str) -> None:
    with pytest.raises(ValueError, match=f"^{field} is {value!r}; .*{expected}"):
        Recipe(**{field: value})
