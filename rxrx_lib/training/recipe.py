"""How a network is trained: every number that changes the weights, and their learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

PRECISIONS = ("fp32", "bf16", "fp64")
MIXINGS = ("cutmix", "mixup", "none")
REVERSAL_SCHEDULES = ("ganin", "constant")
UNSAID = (
    "weight_decay",
    "mixing_alpha",
    "reversal_coefficient",
    "reversal_schedule",
    "experiment_loss_weight",
)
"""Fields that the paper gives no value for."""

PAPER_RATE_A_SITE = 2e-4
"""The paper's peak learning rate, 0.1024, over the 512 sites of its minibatch: the linear scaling
rule, by which other minibatches would find theirs."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of one training; the defaults are the paper's where it gives one.

    What the paper leaves unsaid is listed, with reasons, in the book's appendix "Our choices".
    """

    epochs: int = 100
    """Passes over the training sites."""
    warmup_epochs: int = 5
    """Epochs of linear warm-up, part of ``epochs``."""
    groups: int = 8
    """Groups a minibatch; the minibatch holds ``groups * group_size`` sites."""
    group_size: int = 64
    """Sites that are normalised together."""
    learning_rate: float = PAPER_RATE_A_SITE * 512
    """Peak learning rate of SGD, > 0."""
    momentum: float = 0.9
    """Momentum of SGD, 0 to below 1."""
    weight_decay: float = 1e-4
    """L2 penalty on weights, not on biases and normalisation layers."""
    flips: bool = True
    """Whether sites are flipped and turned by quarters at random."""
    mixing: str = "cutmix"
    """How the sites of a group are mixed with one another: ``cutmix`` pastes one box a group,
    ``mixup`` averages whole sites, ``none`` leaves them alone. Both heads' labels are mixed too."""
    mixing_alpha: float = 1.0
    """The share of a site that stays its own is drawn from Beta(alpha, alpha), > 0."""
    reversal_coefficient: float = 1.0
    """Final factor on the reversed gradient, for methods that reverse, >= 0."""
    reversal_schedule: str = "ganin"
    """``ganin`` fades the reversal in from zero; ``constant`` has it whole from the first step."""
    experiment_loss_weight: float = 1.0
    """Factor on the experiment head's loss beside the siRNA head's, >= 0. Where the head is
    detached it scales that head's own learning alone."""
    precision: str = "fp32"
    """Arithmetic of the forward pass: ``fp32``; ``bf16`` (autocast; weights stay float32); or
    ``fp64``, everything in float64, by which processes and devices are compared."""

    def __post_init__(self) -> None:
        """Check every field."""
        for name, minimum in (("epochs", 1), ("groups", 1), ("group_size", 2)):
            value = getattr(self, name)
            if type(value) is not int or value < minimum:
                raise ValueError(f"{name} is {value}; give a whole number >= {minimum}.")
        if type(self.warmup_epochs) is not int or not 0 <= self.warmup_epochs < self.epochs:
            raise ValueError(
                f"warmup_epochs is {self.warmup_epochs}; give 0 to epochs - 1 = {self.epochs - 1}."
            )
        for name in ("learning_rate", "mixing_alpha"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; give a finite number > 0.")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum is {self.momentum}; give 0 to below 1.")
        for name in ("weight_decay", "reversal_coefficient", "experiment_loss_weight"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} is {value}; give a finite number >= 0.")
        for name, words in (
            ("mixing", MIXINGS),
            ("reversal_schedule", REVERSAL_SCHEDULES),
            ("precision", PRECISIONS),
        ):
            if getattr(self, name) not in words:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; choose one of {', '.join(words)}."
                )

    @property
    def minibatch(self) -> int:
        """Sites a step."""
        return self.groups * self.group_size

    def unusual(self) -> list[str]:
        """Say in words which of the fields that the paper leaves unsaid are not as by default."""
        default = {each.name: each.default for each in fields(self)}
        found = {name: getattr(self, name) for name in UNSAID}
        return [
            f"{name.replace('_', ' ')} {value if isinstance(value, str) else format(value, 'g')}"
            for name, value in found.items()
            if value != default[name]
        ]


def learning_rate(step: int, *, steps: int, warmup_steps: int, peak: float) -> float:
    """Return the learning rate of a step: linear warm-up, then half a cosine down to zero.

    Parameters
    ----------
    step
        Steps taken before this one, 0 to ``steps - 1``.
    steps
        Steps of the whole training.
    warmup_steps
        Steps of the warm-up; its last one runs at the peak.
    peak
        Highest learning rate.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, steps - warmup_steps)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))
