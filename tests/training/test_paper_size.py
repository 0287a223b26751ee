"""The paper's own network and recipe at its own size, as far as a processor goes.

DenseNet161, six channels of 512 x 512 pixels, 1,139 classes, 51 experiments, bfloat16 as in the
profile ``paper``. Of its recipe only the numbers of epochs, groups and sites a group are smaller:
one group of two sites. Pixels are noise. Every step here takes seconds and gigabytes, so this is
one test of two trainings: one of two steps, and one that goes on from what the first saved after
its first step.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch

from rxrx_lib.data.splits import Split
from rxrx_lib.models.adabn import group_layers
from rxrx_lib.models.methods import METHODS
from rxrx_lib.models.network import Network
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.screens import RELEASE_EXPERIMENTS
from rxrx_lib.training import checkpoint
from rxrx_lib.training.fit import Targets, fit
from rxrx_lib.training.hardware import Hardware, prepared
from rxrx_lib.training.predict import predict
from rxrx_lib.training.progress import EpochRecord
from rxrx_lib.training.sites import Sites
from tests.training.tiny import noise

PAPER = PROFILES["paper"]
RECIPE = dataclasses.replace(PAPER.recipe, epochs=2, warmup_epochs=1, groups=1, group_size=2)
CLASSES = 1139
TRAINING, TEST = RELEASE_EXPERIMENTS[0], RELEASE_EXPERIMENTS[16]
TABLE = pd.DataFrame(
    {
        "site_id": [f"{e}_1_B0{w}_{s}" for e in (TRAINING, TEST) for w in (2, 3) for s in (1, 2)],
        "well_id": [f"{e}_1_B0{w}" for e in (TRAINING, TEST) for w in (2, 3) for s in (1, 2)],
        "experiment": np.repeat([TRAINING, TEST], 4),
        "cell_type": "HUVEC",
        "plate": 1,
        "well_type": "treatment",
        "sirna_id": [7, 7, 1138, 1138] * 2,
    }
)
TARGETS = Targets(TABLE["sirna_id"].to_numpy(), np.repeat([0, 16], 4))
SPLIT = Split(name="separated", unit="experiment", train=np.arange(4), test=np.arange(4, 8))
Weights = dict[str, torch.Tensor]


def plan(epoch: int) -> npt.NDArray[np.int64]:
    """Return one step an epoch, of one group: the two wells' first sites, then their second."""
    return np.array([[[epoch, epoch + 2]]])


def build(seed: int) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return METHODS["adabn"].build(
            backbone=PAPER.network.backbone,
            channels=6,
            classes=CLASSES,
            experiments=len(RELEASE_EXPERIMENTS),
            embedding=PAPER.network.embedding,
            group_size=RECIPE.group_size,
            reverses=False,
        )


def copied(network: Network) -> Weights:
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_the_papers_network_trains_goes_on_to_the_same_bits_and_predicts_at_its_own_size(
    tmp_path: Path,
) -> None:
    with prepared(Hardware(device="cpu", checkpoint_seconds=0.0, memory_for_sites=0)) as hardware:
        sites = Sites(noise(len(TABLE), image_size=512), None, hardware)
        network = build(seed=0)
        before, path, kept = copied(network), tmp_path / "whole.pt", tmp_path / "killed.pt"

        def keep_first(epoch: int) -> float:
            if epoch == 0:
                shutil.copy(path, kept)  # which the epoch's step has written
            return float(epoch)

        whole = train(network, sites, hardware, keep_first, path)
        assert_losses_are_finite_and_start_near_a_uniform_guess(whole)
        assert_gradients_reach_every_weight_and_every_layer_saw_the_sites(network, before)
        assert_two_numbers_of_four_bytes_a_weight(path, network)

        gone_on = build(seed=1)
        assert [r[:4] for r in train(gone_on, sites, hardware, float, kept)] == [
            record[:4] for record in whole
        ]
        assert_same_bits(path, kept, gone_on)
        for file in (path, kept):  # a GB of a small machine's disk
            checkpoint.remove(file)
        del gone_on
        assert_the_whole_experiment_gives_predictions(network, sites)


def train(
    network: Network,
    sites: Sites,
    hardware: Hardware,
    evaluate: Callable[[int], float],
    path: Path,
) -> list[EpochRecord]:
    return fit(
        network,
        sites,
        plan,
        TARGETS,
        RECIPE,
        seed=0,
        hardware=hardware,
        evaluate=evaluate,
        checkpoint_path=path,
    )


def assert_losses_are_finite_and_start_near_a_uniform_guess(history: list[EpochRecord]) -> None:
    assert [record.epoch for record in history] == [0, 1]
    assert all(np.isfinite(record[1:4]).all() for record in history)
    assert history[0].sirna_loss == pytest.approx(np.log(CLASSES), rel=0.1)
    assert history[0].experiment_loss == pytest.approx(np.log(51), rel=0.2)


def assert_gradients_reach_every_weight_and_every_layer_saw_the_sites(
    network: Network, before: Weights
) -> None:
    after = network.state_dict()
    assert sum(each.numel() for each in network.parameters()) == 32_069_126
    assert {name for name, old in before.items() if torch.equal(old, after[name])} == set()


def assert_two_numbers_of_four_bytes_a_weight(path: Path, network: Network) -> None:
    weights = sum(each.numel() for each in network.parameters())
    assert path.stat().st_size == pytest.approx(8 * weights, rel=0.02)


def assert_same_bits(path: Path, other_path: Path, network: Network) -> None:
    one, other = checkpoint.load(path), checkpoint.load(other_path)
    assert one is not None
    assert other is not None
    weights = network.state_dict()
    assert weights.keys() == one["network"].keys()
    assert all(torch.equal(one["network"][name], value) for name, value in weights.items())
    momenta = [state["optimizer"]["state"] for state in (one, other)]
    assert momenta[0].keys() == momenta[1].keys()
    assert len(momenta[0]) == len(list(network.parameters()))
    for key, each in momenta[0].items():
        assert torch.equal(each["momentum_buffer"], momenta[1][key]["momentum_buffer"])


def assert_the_whole_experiment_gives_predictions(network: Network, sites: Sites) -> None:
    before = copied(network)
    with pytest.warns(UserWarning, match="so few sites are noisy"):
        found = predict(
            network,
            sites,
            TABLE,
            SPLIT,
            classes=CLASSES,
            statistics="experiment",
            group_size=RECIPE.group_size,
            precision=RECIPE.precision,
        )
    assert found["site_id"].tolist() == TABLE["site_id"].tolist()[4:]
    assert found["top_sirna_id"].shape == (4, 10)
    assert np.isfinite(found["top_logit"]).all()
    assert set(found["predicted_experiment"]) <= {TRAINING, TEST}
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(layer.given is None for layer in group_layers(network).values())
