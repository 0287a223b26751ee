"""On what, and how, a network is trained and predicts: nothing here changes what a result means.

torch is imported inside the functions, so that settings can be made without it.
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Choices of speed and memory; results differ by rounding at most.

    Between two settings the first steps agree to the rounding of the precision; after many steps of
    training, weights drift apart as they do between two machines.
    """

    device: str = "auto"
    """A torch device; ``auto`` is the first GPU, else the CPU."""
    loader_workers: int = 0
    """Threads that read ahead; with 0 a minibatch is read when it is needed."""
    memory_for_sites: int = 2**30
    """Bytes of the device's memory in which standardised sites are kept, if all of a screen fit:
    each is read and standardised once. 0 keeps none."""
    groups_at_once: int = 0
    """Groups of a minibatch that go through the network together, the gradient adding up over the
    others: fewer take less memory. 0 takes all; else it divides the groups of a process."""
    sites_a_pass: int = 256
    """Sites that go through the network together in prediction, >= 1."""
    pinned: bool = True
    """Whether pixels are read into page-locked memory, from which a GPU copies faster; without
    effect on a CPU."""
    channels_last: bool = True
    """Whether a pixel's channels lie together in memory, as convolutions like it."""
    fused: bool = True
    """Whether one kernel takes the optimiser's step for all weights."""
    flush_denormals: bool = True
    """Whether a CPU takes numbers below 1e-38 as zero; without, they slow it down many times."""
    checkpoint_seconds: float = 60.0
    """Least time between two checkpoints; one more is written at the end. 0 saves each step."""

    def __post_init__(self) -> None:
        """Check every number."""
        least = {"loader_workers": 0, "memory_for_sites": 0, "groups_at_once": 0, "sites_a_pass": 1}
        for name, minimum in least.items():
            value = getattr(self, name)
            if type(value) is not int or value < minimum:
                raise ValueError(f"{name} is {value}; give a whole number >= {minimum}.")
        if not 0 <= self.checkpoint_seconds < math.inf:
            raise ValueError(
                f"checkpoint_seconds is {self.checkpoint_seconds}; give a finite number >= 0."
            )


def resolve_device(device: str) -> str:
    """Return the torch device that ``auto`` stands for on this machine, or the one given.

    Raises
    ------
    ValueError
        If torch cannot use it here.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and torch.cuda.is_available():
        return device  # which one is not known yet: each process takes its own
    try:
        torch.zeros(1, device=device).item()  # a device that holds no numbers, meta, fails here
    # torch raises any of these: no such word, not built with it, no driver, not on this system.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(
            f"device is {device!r}, which torch cannot use here ({reason}); expected auto, cpu or "
            "a device of this machine, such as cuda:0."
        ) from error
    return device


@contextmanager
def prepared(hardware: Hardware) -> Iterator[Hardware]:
    """Set torch up for training and prediction, and set it back at the end.

    Gives the hardware with its device resolved.
    """
    device = resolve_device(hardware.device)
    with (
        one_thread_on_cpu(device),
        denormals_flushed(on=hardware.flush_denormals),
        deterministic_on_cuda(device),
    ):
        yield dataclasses.replace(hardware, device=device)


@contextmanager
def one_thread_on_cpu(device: str) -> Iterator[None]:
    """Compute on one thread: two threads sum in another order and end in other bits."""
    import torch

    before = torch.get_num_threads()
    if torch.device(device).type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def denormals_flushed(*, on: bool) -> Iterator[None]:
    """Let this thread's processor take numbers below the smallest normal one as zero.

    Torch cannot be asked what was set before; at the end it is off, as at torch's start.
    """
    import torch

    torch.set_flush_denormal(on)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def deterministic_on_cuda(device: str) -> Iterator[None]:
    """Add in a fixed order where torch can, and multiply float32 as float32, not as TF32.

    Written from torch's documentation and never run on a GPU: that two trainings there end in the
    same bits is a hope. Where an operation knows no fixed order, torch warns.
    """
    import torch

    if torch.device(device).type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32
    products = torch.get_float32_matmul_precision()
    strict = torch.are_deterministic_algorithms_enabled()
    memory: Any = torch.utils.deterministic  # whose attributes are properties of the module
    filling = memory.fill_uninitialized_memory
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = True, False, False
    torch.set_float32_matmul_precision("highest")
    torch.use_deterministic_algorithms(True, warn_only=True)
    memory.fill_uninitialized_memory = False  # else all is written twice
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = before
        torch.set_float32_matmul_precision(products)
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)
        memory.fill_uninitialized_memory = filling


def passes_of_a_step(groups: int, groups_at_once: int) -> int:
    """Return in how many equal parts the groups of a step go through the network.

    Raises
    ------
    ValueError
        If ``groups_at_once`` does not divide them.
    """
    if groups_at_once and groups % groups_at_once:
        raise ValueError(
            f"groups_at_once is {groups_at_once}; expected a number that divides the {groups} "
            "groups of a minibatch that a process has, or 0 for all."
        )
    return groups // groups_at_once if groups_at_once else 1


def peak_memory(device: str) -> int:
    """Return the most bytes that were in use until now: of tensors on a GPU, else of the process.

    0 where the system does not tell.
    """
    import torch

    if torch.device(device).type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class OutOfMemory(RuntimeError):
    """The device has no memory left; the message names what to change."""


@contextmanager
def memory_explained(sites: int) -> Iterator[None]:
    """Turn torch's report that memory ran out, with so many sites at once, into advice.

    Both for training and for prediction.

    Raises
    ------
    OutOfMemory
        In place of torch's own error.
    """
    import torch

    try:
        yield
    # What a CPU's allocator raises has no class of its own.
    except RuntimeError as error:
        of_gpu = isinstance(error, torch.OutOfMemoryError)
        if not of_gpu and "can't allocate memory" not in str(error):
            raise
        raise OutOfMemory(
            f"memory ran out with {sites} sites at once in the network; take fewer: groups_at_once "
            "in training, sites_a_pass in prediction, or more processes (torchrun); or keep no "
            "sites in memory (memory_for_sites 0)."
        ) from error
