"""One step by hand, one training twice, and a training that is cut and goes on."""

from __future__ import annotations

import copy
import dataclasses
import math
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rxrx_lib.data import normalization
from rxrx_lib.data.loader import shuffled
from rxrx_lib.models.network import Network, Outputs
from rxrx_lib.training import checkpoint
from rxrx_lib.training.augment import standardise
from rxrx_lib.training.fit import Targets, reversal_strength
from rxrx_lib.training.hardware import prepared
from rxrx_lib.training.optimizer import build_optimizer
from rxrx_lib.training.peers import ALONE
from rxrx_lib.training.progress import LossNotFinite, NotFinite, Progress, Saver
from tests.training.tiny import (
    CLASSES,
    CPU,
    EVERY_STEP,
    SITES,
    TARGETS,
    Noise,
    network,
    noise,
    outcome,
    plan,
    recipe,
    statistics_of_noise,
    train,
)


class Cut(Exception):
    """Stands for a power failure."""


class CutAfter(Noise):
    """Images that can be read so many times."""

    def __init__(self, reads: int) -> None:
        super().__init__(noise().pixels)
        self.reads = reads

    def after_reading(self) -> None:
        self.reads -= 1
        if self.reads < 0:
            raise Cut


def same_weights(a: nn.Module, b: nn.Module, prefix: str = "") -> bool:
    mine, theirs = a.state_dict(), b.state_dict()
    return all(torch.equal(mine[k], theirs[k]) for k in mine if k.startswith(prefix))


def trained(reverses: bool = False, **changes: object) -> Network:
    net = network(reverses=reverses)
    train(net, settings=recipe(**changes))
    return net


@pytest.mark.parametrize("fused", [True, False])
def test_two_optimizer_steps_follow_sgds_formula_and_decay_weights_of_two_axes_only(
    fused: bool,
) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double()
    settings = recipe(learning_rate=0.1, momentum=0.8, weight_decay=0.05)
    optimizer = build_optimizer(model, settings, fused=fused)
    draw = torch.Generator().manual_seed(0)
    expected = {name: p.detach().clone() for name, p in model.named_parameters()}
    velocity = {name: torch.zeros_like(p) for name, p in expected.items()}
    for _ in range(2):
        for name, parameter in model.named_parameters():
            gradient = torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
            parameter.grad = gradient
            decay = 0.05 * expected[name] if name == "0.weight" else 0.0
            velocity[name] = 0.8 * velocity[name] + gradient + decay
            expected[name] = expected[name] - 0.1 * velocity[name]
        optimizer.step()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), expected[name])


def test_history_holds_each_epochs_last_rate_and_the_losses_of_its_steps() -> None:
    net = network()
    untouched = copy.deepcopy(net)
    settings = recipe(epochs=1, warmup_epochs=0, flips=False, mixing="none")
    one_step = plan(0)[:1]
    (record,) = train(net, plan_of=lambda epoch: one_step, settings=settings)

    rows = one_step[0].ravel()
    outputs = untouched.train()(standardise(torch.from_numpy(noise().read(rows))))
    losses = [
        F.cross_entropy(logits, torch.from_numpy(classes[rows])).item()
        for logits, classes in zip(outputs[1:], TARGETS, strict=True)
    ]
    assert record.learning_rate == settings.learning_rate
    assert [record.sirna_loss, record.experiment_loss] == pytest.approx(losses, rel=1e-5)


def test_sites_are_standardised_by_the_statistics_given_row_by_row() -> None:
    net = network()
    untouched = copy.deepcopy(net)
    settings = recipe(epochs=1, warmup_epochs=0, flips=False, mixing="none")
    one_step = plan(0)[:1]
    by = statistics_of_noise()
    (record,) = train(net, plan_of=lambda epoch: one_step, settings=settings, by=by)
    rows = one_step[0].ravel()
    sites = normalization.standardise(noise().read(rows), by.mean[rows], by.std[rows])
    outputs = untouched.train()(torch.from_numpy(sites))
    loss = F.cross_entropy(outputs.sirna, torch.from_numpy(TARGETS.sirna[rows])).item()
    assert record.sirna_loss == pytest.approx(loss, rel=1e-5)


def test_one_step_moves_the_weights_by_rate_times_gradient() -> None:
    net = network()
    untouched = copy.deepcopy(net)
    settings = recipe(epochs=1, warmup_epochs=0, flips=False, mixing="none", weight_decay=0.01)
    one_step = plan(0)[:1]
    train(net, plan_of=lambda epoch: one_step, settings=settings)

    rows = one_step[0].ravel()
    outputs = untouched.train()(standardise(torch.from_numpy(noise().read(rows))))
    at = [torch.from_numpy(classes[rows]) for classes in TARGETS]
    loss = F.cross_entropy(outputs.sirna, at[0]) + F.cross_entropy(outputs.experiment, at[1])
    loss.backward()
    for (name, moved), before in zip(net.named_parameters(), untouched.parameters(), strict=True):
        decay = 0.01 * before if before.ndim > 1 else 0.0
        expected = before - settings.learning_rate * (before.grad + decay)
        torch.testing.assert_close(moved, expected, msg=name, rtol=1e-4, atol=1e-6)


def test_rates_of_a_training_warm_up_and_end_near_zero() -> None:
    settings = recipe(epochs=4, warmup_epochs=2, learning_rate=0.2)
    history = train(network(), settings=settings)
    steps, warmup = 4 * len(plan(0)), 2 * len(plan(0))
    last = 0.1 * (1 + math.cos(math.pi * (steps - 1 - warmup) / (steps - warmup)))
    assert [record.epoch for record in history] == [0, 1, 2, 3]
    assert history[0].learning_rate == pytest.approx(0.1)
    assert history[1].learning_rate == pytest.approx(0.2)
    assert history[3].learning_rate == pytest.approx(last)


def test_losses_fall_on_classes_that_can_be_seen() -> None:
    pixels = np.zeros_like(noise().pixels)
    for row, sirna in enumerate(TARGETS.sirna):
        pixels[row, sirna] = noise().pixels[row, sirna]  # another channel a class
    settings = recipe(epochs=30, groups=1, group_size=SITES, mixing="none", flips=False)

    def all_sites(epoch: int) -> npt.NDArray[np.int64]:
        return np.arange(SITES).reshape(1, 1, SITES)

    net = network(group_size=SITES)
    history = train(net, Noise(pixels), all_sites, settings=settings)
    assert history[0].sirna_loss > 0.8 * math.log(CLASSES)
    assert history[-1].sirna_loss < 0.5 * history[0].sirna_loss


def test_weights_are_a_function_of_the_seed_and_not_of_the_global_generators() -> None:
    before = torch.random.get_rng_state()
    first = trained()
    assert torch.equal(torch.random.get_rng_state(), before)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(123)
        again = trained()
    assert same_weights(first, again)
    other = network()
    train(other, seed=6)
    assert not same_weights(first, other)


@pytest.mark.parametrize("memory", [0, 2**30])
def test_reading_ahead_in_two_threads_gives_the_same_weights(memory: int) -> None:
    ahead = network()
    train(ahead, hardware=dataclasses.replace(CPU, loader_workers=2, memory_for_sites=memory))
    assert same_weights(trained(), ahead)


def test_a_step_that_fails_stops_the_reading_though_the_error_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise Cut

    monkeypatch.setattr("rxrx_lib.training.fit.augment", failing)
    before = threading.active_count()
    with pytest.raises(Cut) as kept:
        train(
            network(),
            hardware=dataclasses.replace(CPU, loader_workers=2, memory_for_sites=0),
        )
    assert kept.value.__traceback__ is not None
    assert threading.active_count() == before


NOTHING_KEPT = dataclasses.replace(EVERY_STEP, memory_for_sites=0)


@pytest.mark.parametrize("reads", [1, 4, 6, 8])  # three steps an epoch, nine in all
def test_a_training_that_was_cut_at_any_step_goes_on_to_the_same_bits(
    tmp_path: Path, reads: int
) -> None:
    path = tmp_path / "checkpoint.pt"
    whole, cut, resumed = (network(reverses=True) for _ in range(3))
    history = train(whole)
    with pytest.raises(Cut):
        train(cut, CutAfter(reads), hardware=NOTHING_KEPT, checkpoint_path=path)
    left = CutAfter(9 - reads)  # what is done is not read again
    again = train(resumed, left, hardware=NOTHING_KEPT, checkpoint_path=path)
    assert left.reads == 0
    assert outcome(again) == outcome(history)
    assert same_weights(whole, resumed)


def test_a_finished_training_that_is_repeated_computes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    once, twice = network(), network()
    history = train(once, checkpoint_path=path)
    again = train(twice, CutAfter(0), hardware=NOTHING_KEPT, checkpoint_path=path)
    assert outcome(again) == outcome(history)
    assert same_weights(once, twice)


def test_a_detached_experiment_head_does_not_change_the_trunk_and_a_reversed_one_does() -> None:
    others = Targets(TARGETS.sirna, TARGETS.experiment[::-1].copy())
    for reverses in (False, True):
        one, two = network(reverses=reverses), network(reverses=reverses)
        train(one)
        train(two, targets=others)
        assert not same_weights(one, two, "experiment_head")
        assert same_weights(one, two, "backbone") is not reverses
        assert same_weights(one, two, "sirna_head") is not reverses


def test_with_coefficient_zero_reversal_trains_the_baseline() -> None:
    assert same_weights(trained(), trained(reverses=True, reversal_coefficient=0.0))


def test_bf16_runs_on_a_cpu_with_finite_losses_and_float32_weights() -> None:
    net = network()
    history = train(net, settings=recipe(precision="bf16"))
    losses = np.array([[r.sirna_loss, r.experiment_loss] for r in history])
    assert np.isfinite(losses).all()
    assert {p.dtype for p in net.state_dict().values()} == {torch.float32}
    reference = train(network())
    assert losses[0, 0] == pytest.approx(reference[0].sirna_loss, rel=0.05)
    assert outcome(history) != outcome(reference)


def test_every_site_is_trained_on_with_its_own_classes() -> None:
    """Rows that are never planned have no influence, and their classes are not read."""
    odd = Targets(TARGETS.sirna.copy(), TARGETS.experiment.copy())
    used = np.arange(SITES) < 16
    odd.sirna[~used], odd.experiment[~used] = -1, -1

    def half(epoch: int) -> npt.NDArray[np.int64]:
        return np.arange(16).reshape(2, 2, 4)

    one, two = network(), network()
    train(one, plan_of=half)
    train(two, plan_of=half, targets=odd)
    assert same_weights(one, two)


@pytest.mark.parametrize("groups_at_once", [1, 2])
def test_groups_that_go_through_the_network_in_parts_train_the_same_network(
    groups_at_once: int,
) -> None:
    settings = recipe(groups=4, precision="fp64", epochs=4)
    rows = np.arange(SITES)

    def plan_of(epoch: int) -> npt.NDArray[np.int64]:
        return shuffled(rows, 4, 4, seed=0, epoch=epoch)

    whole, parts = network(reverses=True), network(reverses=True)
    history = train(whole, plan_of=plan_of, settings=settings)
    hardware = dataclasses.replace(CPU, groups_at_once=groups_at_once)
    again = train(parts, plan_of=plan_of, settings=settings, hardware=hardware)
    theirs = parts.state_dict()
    for name, values in whole.state_dict().items():
        torch.testing.assert_close(theirs[name], values, rtol=1e-9, atol=1e-9, msg=name)
    for one, two in zip(history, again, strict=True):
        assert two[:4] == pytest.approx(one[:4], rel=1e-9)


@pytest.mark.parametrize("choice", ["channels_last", "fused", "flush_denormals"])
def test_choices_of_speed_change_a_first_epoch_by_rounding_alone(choice: str) -> None:
    settings = recipe(epochs=1, warmup_epochs=0)
    with prepared(CPU) as hardware:
        usual = network()
        train(usual, settings=settings, hardware=hardware)
    with prepared(dataclasses.replace(CPU, **{choice: False})) as hardware:
        other = network()
        train(other, settings=settings, hardware=hardware)
    theirs = other.state_dict()
    for name, values in usual.state_dict().items():
        torch.testing.assert_close(theirs[name], values, rtol=1e-3, atol=1e-4, msg=name)


def test_the_experiment_heads_loss_counts_by_its_weight() -> None:
    """Beside a detached head the trunk learns the same; the head itself learns from its share."""
    usual, lighter, none = network(), network(), network()
    train(usual)
    train(lighter, settings=recipe(experiment_loss_weight=0.1))
    train(none, settings=recipe(experiment_loss_weight=0.0, weight_decay=0.0))
    assert same_weights(usual, lighter, "sirna_head")
    assert same_weights(usual, lighter, "backbone")
    assert not same_weights(usual, lighter, "experiment_head")
    assert same_weights(network(), none, "experiment_head")


def test_a_constant_reversal_is_whole_from_the_first_step() -> None:
    ganin = recipe(reversal_coefficient=2.0)
    constant = recipe(reversal_coefficient=2.0, reversal_schedule="constant")
    assert reversal_strength(ganin, 0.0) == 0.0
    assert reversal_strength(ganin, 1.0) == pytest.approx(2 * math.tanh(5))
    for progress in (0.0, 0.5, 1.0):
        assert reversal_strength(constant, progress) == 2.0


def test_history_holds_what_was_measured_and_when() -> None:
    asked = []

    def evaluate(epoch: int) -> float:
        asked.append(epoch)
        return 10.0 * epoch if epoch % 2 else math.nan

    history = train(network(), settings=recipe(epochs=4), evaluate=evaluate)
    assert asked == [0, 1, 2, 3]
    accuracies = [record.test_accuracy for record in history]
    assert accuracies[1::2] == [10.0, 30.0]
    assert np.isnan(accuracies[::2]).all()
    assert all(record.seconds > 0 for record in history)
    assert all(record.peak_memory > noise().pixels.nbytes for record in history)


def test_measuring_the_test_accuracy_changes_no_bit_of_the_training() -> None:
    usual, measured = network(), network()
    train(usual)

    def evaluate(epoch: int) -> float:
        measured.eval()
        with torch.no_grad():
            measured(torch.zeros(2, 6, 16, 16))
        torch.rand(3)
        return 0.0

    train(measured, evaluate=evaluate)
    assert same_weights(usual, measured)


class Dropping(nn.Module):
    """A backbone that draws random numbers of its own."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(self.backbone(x), 0.5, self.training)


def test_random_numbers_that_a_network_draws_itself_are_resumed_too(tmp_path: Path) -> None:
    def dropping() -> Network:
        net = network()
        net.backbone = Dropping(net.backbone)
        return net

    whole, again, cut, resumed, other = (dropping() for _ in range(5))
    train(whole)
    train(again)
    assert same_weights(whole, again)
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(Cut):
        train(cut, CutAfter(5), hardware=NOTHING_KEPT, checkpoint_path=path)
    train(resumed, hardware=NOTHING_KEPT, checkpoint_path=path)
    assert same_weights(whole, resumed)
    train(other, seed=6)
    assert not same_weights(whole, other)


def test_a_loss_that_is_nan_stops_before_the_weights_are_spoilt_and_names_step_and_sites(
    tmp_path: Path,
) -> None:
    """One site's statistics are broken: from it comes nan, and from its group."""
    path, bad = tmp_path / "checkpoint.pt", int(plan(1)[1, 0, 2])
    groups = [group for epoch in (0, 1) for group in plan(epoch).reshape(-1, 4).tolist()]
    first = next(i for i, group in enumerate(groups) if bad in group)
    statistics = statistics_of_noise()
    statistics.mean[bad] = math.nan
    net = network()
    with pytest.raises(LossNotFinite, match=r"the loss is nan at epoch \d, step \d") as told:
        train(net, by=statistics, hardware=EVERY_STEP, checkpoint_path=path)
    assert sorted(told.value.rows) == sorted(groups[first])
    state = checkpoint.load(path)
    if first >= 2:  # groups a step: a step came before
        assert state is not None
        assert (state["epoch"], state["step"]) == divmod(first // 2, 3)
    assert all(torch.isfinite(values).all() for values in net.parameters())


def test_weights_that_are_nan_are_never_saved(tmp_path: Path) -> None:
    path, net = tmp_path / "checkpoint.pt", network()
    optimizer = build_optimizer(net, recipe(), fused=True)
    saver = Saver(path, net, optimizer, ALONE, least_seconds=0.0)
    saver.save(Progress())
    before = path.read_bytes()
    with torch.no_grad():
        net.sirna_head.weight[0, 0] = math.nan
    with pytest.raises(NotFinite, match=r"sirna_head.weight has weights .* before epoch 2, step 1"):
        saver.save(Progress(epoch=2, step=1))
    assert path.read_bytes() == before


@pytest.mark.parametrize("choice", ["channels_last", "fused"])
@pytest.mark.parametrize("first", [True, False])
def test_a_training_goes_on_under_another_choice_of_speed(
    tmp_path: Path, choice: str, first: bool
) -> None:
    settings, path = recipe(precision="fp64"), tmp_path / "checkpoint.pt"
    whole, cut, resumed = network(), network(), network()
    train(whole, settings=settings)
    one = dataclasses.replace(NOTHING_KEPT, **{choice: first})
    two = dataclasses.replace(NOTHING_KEPT, **{choice: not first})
    with pytest.raises(Cut):
        train(cut, CutAfter(5), settings=settings, hardware=one, checkpoint_path=path)
    train(resumed, settings=settings, hardware=two, checkpoint_path=path)
    theirs = resumed.state_dict()
    for name, values in whole.state_dict().items():
        torch.testing.assert_close(theirs[name], values, rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize("channels_last", [True, False])
def test_sites_reach_the_network_in_the_layout_that_was_asked_for(
    channels_last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    forward = Network.forward

    def watched(self: Network, images: torch.Tensor, reversal: float = 0.0) -> Outputs:
        seen.add(images.is_contiguous(memory_format=torch.channels_last))
        return forward(self, images, reversal)

    monkeypatch.setattr(Network, "forward", watched)
    train(network(), hardware=dataclasses.replace(CPU, channels_last=channels_last))
    assert seen == {channels_last}


def test_checkpoints_are_written_by_the_clock_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = []
    monkeypatch.setattr(checkpoint, "save", lambda path, state: saved.append(state["step"]))
    train(network(), checkpoint_path=tmp_path / "checkpoint.pt")
    assert saved == [0]  # the end, which is before the first step of an epoch that never comes
    saved.clear()
    train(network(), hardware=EVERY_STEP, checkpoint_path=tmp_path / "checkpoint.pt")
    assert saved == [1, 2, 3] * 3 + [0]
