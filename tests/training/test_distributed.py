"""One process and two, started by torchrun and joined by gloo, train the same network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from rxrx_lib.training import distributed
from rxrx_lib.training.distributed import lost_peers_explained
from rxrx_lib.training.peers import ALONE, PeerLost, Peers
from tests.training.two_processes import METHODS, STEPS, outcomes

ROOT = Path(__file__).parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def one() -> dict[str, Any]:
    threads = torch.get_num_threads()
    try:
        return outcomes()
    finally:
        torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return what each of two processes has."""
    folder = tmp_path_factory.mktemp("two")
    command = [*TORCHRUN, "-m", "tests.training.two_processes", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.mark.parametrize("method", METHODS)
def test_fifty_steps_in_float64_agree_to_1e_9(
    method: str, one: dict[str, Any], two: list[dict[str, Any]]
) -> None:
    alone = one[f"{method} fifty steps"]
    assert len(alone["losses"]) == STEPS
    for process in two:
        there = process[f"{method} fifty steps"]
        assert there["state"].keys() == alone["state"].keys()
        for name, values in alone["state"].items():
            assert values.dtype == torch.float64
            torch.testing.assert_close(there["state"][name], values, rtol=1e-9, atol=1e-9)
        assert there["losses"] == [pytest.approx(pair, rel=1e-9) for pair in alone["losses"]]


@pytest.mark.parametrize("method", METHODS)
def test_the_first_steps_loss_and_gradients_in_float32_agree_to_1e_4(
    method: str, one: dict[str, Any], two: list[dict[str, Any]]
) -> None:
    alone = one[f"{method} first step"]
    for process in two:
        there = process[f"{method} first step"]
        torch.testing.assert_close(there["losses"], alone["losses"], rtol=1e-4, atol=0)
        for name, gradient in alone["gradients"].items():
            difference = (there["gradients"][name] - gradient).norm()
            assert difference <= 1e-4 * gradient.norm(), name


@pytest.mark.parametrize("method", METHODS)
def test_running_statistics_are_the_mean_over_the_groups_of_all_processes(
    method: str, one: dict[str, Any], two: list[dict[str, Any]]
) -> None:
    alone = one[f"{method} first step"]["buffers"]
    assert any(name.endswith("running_mean") for name in alone)
    for process in two:
        there = process[f"{method} first step"]["buffers"]
        for name, values in alone.items():
            torch.testing.assert_close(there[name], values, rtol=1e-5, atol=1e-6)


def test_processes_that_share_the_experiments_return_the_predictions_of_one(
    one: dict[str, Any], two: list[dict[str, Any]]
) -> None:
    assert two[0]["predicted"] == two[1]["predicted"] == one["predicted"]


def test_sites_where_a_loss_is_nan_are_named_in_every_process(
    one: dict[str, Any], two: list[dict[str, Any]]
) -> None:
    assert len(one["nan"]) == 4  # the group of the site that is broken
    assert two[0]["nan"] == two[1]["nan"] == one["nan"]


def test_alone_nothing_is_averaged_and_a_flag_is_ones_own() -> None:
    values = torch.tensor([1.0, 2.0])
    assert distributed.mean(values, ALONE) is values
    assert distributed.gathered("what I have", ALONE) == ["what I have"]
    assert ALONE.agreed(True) is True
    assert ALONE.agreed(False) is False


@pytest.mark.parametrize(
    "words",
    [
        "[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer",
        "NCCL communicator was aborted on rank 1.",
    ],
)
def test_a_lost_process_is_named_and_how_to_go_on(words: str) -> None:
    with (
        pytest.raises(PeerLost, match=r"process 1 of 4 lost another one.*same command goes on"),
        lost_peers_explained(Peers(1, 4)),
    ):
        raise RuntimeError(words)


def test_errors_of_ones_own_are_not_taken_for_a_lost_process() -> None:
    for peers, words in ((ALONE, "Connection closed by peer"), (Peers(0, 2), "shapes differ")):
        with pytest.raises(RuntimeError, match=words) as told, lost_peers_explained(peers):
            raise RuntimeError(words)
        assert type(told.value) is RuntimeError
