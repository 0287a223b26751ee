"""Devices, threads and memory: what is set for a run, and set back after it."""

from __future__ import annotations

import math
import os

import pytest
import torch

from rxrx_lib.training.hardware import (
    Hardware,
    OutOfMemory,
    denormals_flushed,
    deterministic_on_cuda,
    memory_explained,
    one_thread_on_cpu,
    passes_of_a_step,
    peak_memory,
    prepared,
    resolve_device,
)


def test_auto_is_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, device in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert resolve_device("auto") == device
    assert resolve_device("cpu:0") == "cpu:0"


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_a_cpu_computes_on_one_thread_by_whatever_name(device: str) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread_on_cpu(device):
            assert torch.get_num_threads() == 1
        with one_thread_on_cpu("cuda:0"):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def gpu_settings() -> tuple[object, ...]:
    cudnn = torch.backends.cudnn
    return (
        torch.are_deterministic_algorithms_enabled(),
        cudnn.deterministic,
        cudnn.allow_tf32,
        torch.get_float32_matmul_precision(),
    )


def test_a_gpu_is_asked_for_fixed_orders_and_full_float32_for_the_length_of_a_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The settings alone: no test here has a GPU."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    before = gpu_settings()
    with deterministic_on_cuda("cpu:0"):
        assert gpu_settings() == before
    with deterministic_on_cuda("cuda:1"):
        assert gpu_settings() == (True, True, False, "highest")
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert gpu_settings() == before


@pytest.mark.parametrize("device", ["cuda:3", "meta", "banana"])
def test_a_device_that_cannot_compute_here_is_refused_by_name(device: str) -> None:
    with pytest.raises(ValueError, match=rf"^device is '{device}', which torch cannot use here \("):
        resolve_device(device)


SMALL = 2.0**-140
"""Below the smallest normal float32, 2^-126."""


@pytest.mark.parametrize("on", [True, False])
def test_denormals_are_flushed_where_asked_and_for_the_length_of_a_run(on: bool) -> None:
    small = torch.tensor([SMALL])
    with denormals_flushed(on=on):
        assert ((small * 1.0).item() == 0) is on
    assert (small * 1.0).item() == SMALL


def test_a_run_gets_its_device_by_name() -> None:
    with prepared(Hardware(device="auto", groups_at_once=3)) as hardware:
        assert hardware == Hardware(device="cpu", groups_at_once=3)
        assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("groups", "at_once", "passes"), [(8, 0, 1), (8, 8, 1), (8, 2, 4), (1, 1, 1)]
)
def test_groups_go_through_the_network_in_equal_parts(
    groups: int, at_once: int, passes: int
) -> None:
    assert passes_of_a_step(groups, at_once) == passes


def test_parts_that_are_not_equal_are_refused() -> None:
    with pytest.raises(ValueError, match=r"groups_at_once is 3; .* divides the 8 groups"):
        passes_of_a_step(8, 3)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
    ],
)
def test_running_out_of_memory_names_what_to_change(error: RuntimeError) -> None:
    with (
        pytest.raises(OutOfMemory, match=r"512 sites at once.*groups_at_once.*torchrun") as told,
        memory_explained(512),
    ):
        raise error
    assert told.value.__cause__ is error


def test_a_real_allocation_that_is_too_large_is_explained() -> None:
    with pytest.raises(OutOfMemory), memory_explained(2):
        torch.empty(2**50)


def test_other_errors_pass_unchanged() -> None:
    with pytest.raises(RuntimeError, match=r"^shapes$"), memory_explained(2):
        raise RuntimeError("shapes")


def test_peak_memory_of_a_processor_is_what_the_process_took() -> None:
    before = peak_memory("cpu")
    there = torch.ones(2**26)  # 256 MiB
    assert peak_memory("cpu") >= before
    assert peak_memory("cpu") > there.nbytes


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("loader_workers", -1),
        ("memory_for_sites", -1),
        ("groups_at_once", -2),
        ("groups_at_once", 1.5),
        ("checkpoint_seconds", -1.0),
        ("checkpoint_seconds", math.nan),
    ],
)
def test_a_field_out_of_range_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{field} is {value}; give a .* number >= 0"):
        Hardware(**{field: value})
