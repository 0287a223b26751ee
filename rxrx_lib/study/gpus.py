"""Common GPUs by their makers' data sheets, and how long a counted amount of work takes on one.

Nothing here was measured by this project. A range of times is computed from two assumed shares of a
GPU's peaks, and held against speeds that others have published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One kind of GPU."""

    label: str
    memory: int
    """GiB."""
    bandwidth: float
    """Bytes a second between its memory and its processors, 1e9."""
    half: float
    """Floating-point operations a second on dense matrices of two-byte numbers, summed in float32,
    1e12."""
    single: float
    """The same in float32, without the shorter TF32."""
    bf16: bool
    """Whether the two-byte numbers may be bfloat16; else they are float16 only."""
    source: str

    def precision(self, asked: str) -> str:
        """Return the precision that a run would take here: bf16 only where it is built in."""
        return "fp32" if asked == "bf16" and not self.bf16 else asked


GPUS = {
    "v100-32": Gpu(
        label="V100 SXM2, 32 GB",
        memory=32,
        bandwidth=900,
        half=125,
        single=15.7,
        bf16=False,
        source="NVIDIA V100 Tensor Core GPU data sheet, 2020",
    ),
    "t4": Gpu(
        label="T4, 16 GB",
        memory=16,
        bandwidth=320,
        half=65,
        single=8.1,
        bf16=False,
        source="NVIDIA T4 Tensor Core GPU data sheet, 2019",
    ),
    "rtx3090": Gpu(
        label="RTX 3090, 24 GB",
        memory=24,
        bandwidth=936,
        half=71,
        single=35.6,
        bf16=True,
        source="NVIDIA Ampere GA102 GPU architecture white paper, 2020",
    ),
    "rtx4090": Gpu(
        label="RTX 4090, 24 GB",
        memory=24,
        bandwidth=1008,
        half=165.2,
        single=82.6,
        bf16=True,
        source="NVIDIA Ada GPU architecture white paper, 2022",
    ),
    "l4": Gpu(
        label="L4, 24 GB",
        memory=24,
        bandwidth=300,
        half=121,
        single=30.3,
        bf16=True,
        source="NVIDIA L4 Tensor Core GPU data sheet, 2023 (half of the rate with sparsity)",
    ),
    "a100-40": Gpu(
        label="A100 SXM4, 40 GB",
        memory=40,
        bandwidth=1555,
        half=312,
        single=19.5,
        bf16=True,
        source="NVIDIA A100 Tensor Core GPU data sheet, 2021",
    ),
    "a100-80": Gpu(
        label="A100 SXM4, 80 GB",
        memory=80,
        bandwidth=2039,
        half=312,
        single=19.5,
        bf16=True,
        source="NVIDIA A100 Tensor Core GPU data sheet, 2021",
    ),
    "h100-80": Gpu(
        label="H100 SXM5, 80 GB",
        memory=80,
        bandwidth=3350,
        half=989,
        single=67,
        bf16=True,
        source="NVIDIA H100 Tensor Core GPU data sheet, 2023 (half of the rate with sparsity)",
    ),
}
"""Name on the command line to the GPU, the slower ones first."""

OF_PEAK_ARITHMETIC = (0.25, 0.45)
"""Assumed share of the peak that convolutions reach, low and high."""
OF_PEAK_BANDWIDTH = (0.6, 0.9)
"""Assumed share of the peak that reading and writing reach, low and high."""
USABLE = 0.92
"""Assumed share of the memory that tensors can have; the rest is the driver's and fragments."""


class Range(NamedTuple):
    """From the best to the worst that the assumptions allow."""

    low: float
    high: float

    def times(self, factor: float) -> Range:
        """Return so many times the range."""
        return Range(self.low * factor, self.high * factor)


def gpu(name: str) -> Gpu:
    """Look a GPU up.

    Raises
    ------
    ValueError
        If there is none of this name; the sentence lists those there are.
    """
    if name not in GPUS:
        raise ValueError(f"gpu is {name!r}; choose one of {', '.join(GPUS)}.")
    return GPUS[name]


def seconds(flops: float, moved: float, on: Gpu, precision: str) -> Range:
    """Return how long some work takes, computed.

    Parameters
    ----------
    flops
        Floating-point operations of convolutions and matrix products.
    moved
        Bytes that all operations read and write.
    on
        The GPU.
    precision
        ``bf16``, ``fp16`` or ``fp32``.

    Returns
    -------
    Range
        Low: arithmetic and memory at the high shares of their peaks, one wholly behind the other.
        High: both at the low shares, one after the other.

    Raises
    ------
    ValueError
        If the precision is another one.
    """
    if precision not in ("bf16", "fp16", "fp32"):
        raise ValueError(f"precision is {precision!r}; times are computed of bf16, fp16 and fp32.")
    peak = (on.half if precision in ("bf16", "fp16") else on.single) * 1e12
    arithmetic, memory = flops / peak, moved / (on.bandwidth * 1e9)
    return Range(
        max(arithmetic / OF_PEAK_ARITHMETIC[1], memory / OF_PEAK_BANDWIDTH[1]),
        arithmetic / OF_PEAK_ARITHMETIC[0] + memory / OF_PEAK_BANDWIDTH[0],
    )


class Published(NamedTuple):
    """A speed that others measured, at 3 channels and 224 pixels in mixed precision (fp16)."""

    gpu: str
    backbone: str
    training: bool
    sites_a_second: float
    source: str


_NVIDIA = "NVIDIA DeepLearningExamples, ResNet50 v1.5 for PyTorch, README"
PUBLISHED = (
    Published("v100-32", "resnet50", True, 1156, _NVIDIA),
    Published("a100-80", "resnet50", True, 2470, _NVIDIA),
    Published("t4", "resnet50", False, 1198, _NVIDIA),
    Published(
        "rtx3090",
        "densenet161",
        True,
        399,
        "timm, results/benchmark-train-amp-nhwc-pt112-cu113-rtx3090.csv",
    ),
)
"""What the assumptions are held against."""
