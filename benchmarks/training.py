"""What the training engine costs beside the bare arithmetic; ratios within one run, by turns.

    python benchmarks/training.py [--seconds 20]

Loop: sites from memory, augmentation, learning rates, losses, checkpoints: `fit` itself, against
forward, backward and step on one minibatch that lies ready. Statistics: AdaBN against the same
network with PyTorch's own batch normalisation over the whole minibatch. Prediction: with the whole
experiment's statistics against the running ones. Workers: two runs at once on two cores. Every
process computes on one thread.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rxrx_lib.data.splits import Split
from rxrx_lib.models.adabn import GroupBatchNorm, group_layers
from rxrx_lib.models.network import Network, build_network
from rxrx_lib.study.executors import WORKER_ENVIRONMENT
from rxrx_lib.study.profiles import PROFILES
from rxrx_lib.study.provenance import code_version, hardware
from rxrx_lib.training.augment import Mix
from rxrx_lib.training.fit import Targets, backward, fit
from rxrx_lib.training.hardware import Hardware, prepared
from rxrx_lib.training.optimizer import build_optimizer
from rxrx_lib.training.predict import predict
from rxrx_lib.training.recipe import Recipe
from rxrx_lib.training.sites import Sites

DEMO = PROFILES["demo"]
CLASSES, EXPERIMENTS = 27, 26
SITES_A_PASS = 256
"""As `predict` forwards at once."""
CPU = Hardware(device="cpu", checkpoint_seconds=1e9)


@dataclasses.dataclass
class MadeUp:
    """Images of random pixels, as `open_images` gives them."""

    pixels: npt.NDArray[np.uint8]
    channels: tuple[int, ...] = (1, 2, 3, 4, 5, 6)

    @property
    def sites(self) -> int:
        """How many there are."""
        return len(self.pixels)

    @property
    def image_size(self) -> int:
        """Of each, in pixels."""
        return self.pixels.shape[2]

    def read(
        self,
        rows: npt.NDArray[np.int64],
        channels: None = None,
        out: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Copy some sites."""
        return np.take(self.pixels, np.asarray(rows), axis=0, out=out)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A network and the minibatches that it learns from."""

    name: str
    backbone: str
    image_size: int
    groups: int
    group_size: int
    embedding: int = 128
    steps: int = 12
    """Minibatches of an epoch."""
    experiments: int = EXPERIMENTS
    """That the experiment head tells apart."""

    @property
    def minibatch(self) -> int:
        """Sites a step."""
        return self.groups * self.group_size

    def recipe(self, epochs: int) -> Recipe:
        """Return the demo's recipe in this shape."""
        return dataclasses.replace(
            DEMO.recipe,
            epochs=epochs,
            warmup_epochs=0,
            groups=self.groups,
            group_size=self.group_size,
        )

    def images(self) -> MadeUp:
        """Return as many sites as an epoch takes."""
        shape = (self.steps * self.minibatch, 6, self.image_size, self.image_size)
        return MadeUp(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))

    def network(self) -> Network:
        """Return the case's network, always of the same first weights."""
        torch.manual_seed(0)
        return build_network(
            self.backbone,
            classes=CLASSES,
            experiments=self.experiments,
            embedding=self.embedding,
            group_size=self.group_size,
        )

    def plan(self, epoch: int) -> npt.NDArray[np.int64]:
        """Return the same sites in another order."""
        rows = np.random.default_rng(epoch).permutation(self.steps * self.minibatch)
        return rows.reshape(self.steps, self.groups, self.group_size)

    def targets(self) -> Targets:
        """Return some class for each site."""
        rows = np.arange(self.steps * self.minibatch)
        return Targets(rows % CLASSES, rows % EXPERIMENTS)


SMALL = {"backbone": DEMO.network.backbone, "image_size": 64}
LAPTOP = {"groups": DEMO.recipe.groups, "group_size": DEMO.recipe.group_size}
LOOP = (
    (Case(name="demo network", **SMALL, **LAPTOP, steps=45), 0.88),
    (Case(name="ResNet50, 128 px", backbone="resnet50", image_size=128, groups=2, group_size=8,
          steps=2), 0.97),
)  # fmt: skip
GROUPED = (
    (Case(name="one group of 32", **SMALL, groups=1, group_size=32), 0.97),
    (Case(name="2 groups of 16", **SMALL, groups=2, group_size=16), 0.90),
    (Case(name="8 groups of 16", **SMALL, groups=8, group_size=16, steps=4), 0.85),
)


def by_turns(
    seconds: float,
    *works: Callable[[], object],
    clock: Callable[[], float] = time.process_time,
) -> list[list[float]]:
    """Time pieces of work one after the other, again and again; the first round warms up.

    By the processor's time of this process, which is on one thread: others do not count.
    """
    times: list[list[float]] = [[] for _ in works]
    for work in works:
        work()
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or len(times[0]) < 3:
        for each, work in zip(times, works, strict=True):
            since = clock()
            work()
            each.append(clock() - since)
    return times


def ratio(over: list[float], under: list[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def bare_steps(case: Case, network: Network) -> Callable[[], None]:
    """Return an epoch's forward, backward and optimizer's steps on one minibatch in memory."""
    recipe = case.recipe(1)
    network.to(memory_format=torch.channels_last).train()
    optimizer = build_optimizer(network, recipe, fused=True)
    shape = (case.minibatch, 6, case.image_size, case.image_size)
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last)
    classes = torch.arange(case.minibatch) % CLASSES, torch.arange(case.minibatch) % EXPERIMENTS
    alone = Mix(torch.arange(case.minibatch), torch.ones(case.minibatch))

    def epoch() -> None:
        for _ in range(case.steps):
            optimizer.zero_grad(set_to_none=True)
            backward(network, x, classes, alone, recipe, reversal=0.0, passes=1)
            optimizer.step()

    return epoch


def looped_epoch(case: Case, sites: Sites, **settings: object) -> Callable[[], None]:
    """Return an epoch of `fit`, on sites that are in memory after the first time."""
    network = case.network()

    def epoch() -> None:
        fit(
            network, sites, case.plan, case.targets(), case.recipe(1), seed=0,
            **({"hardware": CPU} | settings),
        )  # fmt: skip

    return epoch


def joining(seconds: float) -> None:
    """Print where the costs of groups lie: in their layers, and in joining what these return."""
    print("\nshares of a step with the minibatch's statistics")
    for case, _ in GROUPED[1:]:
        plain = with_plain_normalisation(case.network())
        shape = (case.minibatch, 6, case.image_size, case.image_size)
        x = torch.randn(shape).contiguous(memory_format=torch.channels_last)
        network = case.network().to(memory_format=torch.channels_last).eval()
        inputs = [(layer, given.clone()) for layer, given in layers_inputs(network, x)]
        steps, whole, parts, joined = by_turns(
            seconds,
            bare_steps(case, plain),
            repeated(case.steps, inputs, lambda layer, x: (in_training(layer, x),)),
            repeated(case.steps, inputs, in_groups),
            repeated(case.steps, inputs, lambda layer, x: (torch.cat(in_groups(layer, x)),)),
        )
        print(
            f"  {case.name + ', the layers on the whole minibatch':<50}{ratio(whole, steps):12.3f}"
        )
        print(f"    the layers, group by group                    {ratio(parts, steps):14.3f}")
        print(f"    the same and joined, as a network needs them  {ratio(joined, steps):14.3f}")


def repeated(
    steps: int,
    inputs: list[tuple[GroupBatchNorm, Tensor]],
    forward: Callable[[GroupBatchNorm, Tensor], Sequence[Tensor]],
) -> Callable[[], None]:
    """Return as many forward and backward passes of the layers alone as an epoch has steps."""

    def epoch() -> None:
        for _ in range(steps):
            for layer, given in inputs:
                x = given.detach().requires_grad_()
                y = forward(layer, x)
                up = given.split(len(given) // len(y))  # any gradient from above will do
                torch.autograd.grad(y, (x, layer.weight, layer.bias), up)

    return epoch


def in_training(layer: GroupBatchNorm, x: Tensor) -> Tensor:
    """Return a layer's input, normalised by its own statistics."""
    running = layer.running_mean, layer.running_variance
    return F.batch_norm(x, *running, layer.weight, layer.bias, True, 0.1, layer.epsilon)


def in_groups(layer: GroupBatchNorm, x: Tensor) -> list[Tensor]:
    """Return each group of a layer's input, normalised by its own statistics."""
    return [in_training(layer, group) for group in x.split(layer.group_size)]


def with_plain_normalisation(network: nn.Module) -> nn.Module:
    """Put PyTorch's own batch normalisation in the place of each `GroupBatchNorm`."""
    for name, layer in list(network.named_modules()):
        if isinstance(layer, GroupBatchNorm):
            parent, _, child = name.rpartition(".")
            kind = nn.BatchNorm1d if "neck" in name else nn.BatchNorm2d
            plain = kind(len(layer.weight), eps=layer.epsilon, momentum=layer.momentum)
            setattr(network.get_submodule(parent), child, plain)
    return network


def loop(seconds: float) -> None:
    """Print the loop's throughput against the bare steps'."""
    print("\ntraining loop against bare forward, backward, step            ratio   asked")
    for case, asked in LOOP:
        sites = Sites(case.images(), None, CPU)
        bare, looped = bare_steps(case, case.network()), looped_epoch(case, sites)
        under, over = by_turns(seconds, bare, looped)
        rate = case.steps * case.minibatch / statistics.median(over)
        print(f"  {case.name:<24}{rate:14.0f} sites a second{ratio(under, over):12.3f}{asked:8.2f}")


def grouped(seconds: float) -> None:
    """Print training on group statistics against PyTorch's batch normalisation."""
    print("\nstatistics of groups against those of the minibatch           ratio   asked")
    for case, asked in GROUPED:
        plain = with_plain_normalisation(case.network())
        under, over = by_turns(seconds, bare_steps(case, plain), bare_steps(case, case.network()))
        rate = case.steps * case.minibatch / statistics.median(over)
        print(f"  {case.name:<24}{rate:14.0f} sites a second{ratio(under, over):12.3f}{asked:8.2f}")


PREDICTED = (
    Case(name="demo network", **SMALL, **LAPTOP, steps=16, experiments=4),
    Case(name="ResNet50, 128 px", backbone="resnet50", image_size=128, groups=2, group_size=16,
         steps=1, experiments=1),
)  # fmt: skip


def predicting(seconds: float) -> None:
    """Print what prediction costs with the statistics of whole experiments."""
    print("\nwhole experiments' statistics and prediction over plain prediction   at most")
    for case in PREDICTED:
        under, over = by_turns(seconds, predicted(case, "training"), predicted(case, "experiment"))
        rate = case.steps * case.minibatch / statistics.median(over)
        print(f"  {case.name:<24}{rate:14.0f} sites a second{ratio(over, under):12.3f}    2.10")


def measuring(seconds: float) -> None:
    """Print where the second pass's costs lie: in small groups, and in the layers."""
    print("\nshares of a plain pass of the same sites")
    for case in PREDICTED:
        network = case.network().to(memory_format=torch.channels_last).eval()
        shape = (SITES_A_PASS, 6, case.image_size, case.image_size)
        sites = torch.randn(shape).contiguous(memory_format=torch.channels_last)
        groups = sites.split(case.group_size)
        inputs = layers_inputs(network, groups[0])
        with torch.inference_mode():
            plain, small, given, own = by_turns(
                seconds,
                lambda network=network, sites=sites: network(sites),
                lambda network=network, groups=groups: [network(x) for x in groups],
                lambda inputs=inputs, groups=groups: [normalised(inputs, False) for _ in groups],
                lambda inputs=inputs, groups=groups: [normalised(inputs, True) for _ in groups],
            )
        print(f"  {case.name + ', passed in groups':<50}{ratio(small, plain):12.3f}")
        print(f"    of it the layers, by statistics given         {ratio(given, plain):14.3f}")
        print(f"    the layers, each measuring its statistics first {ratio(own, plain):12.3f}")


def normalised(inputs: list[tuple[GroupBatchNorm, Tensor]], own: bool) -> None:
    """Let each layer normalise its input, by the input's own statistics or by given ones."""
    for layer, x in inputs:
        by = layer.running_mean.clone(), layer.running_variance.clone()
        F.batch_norm(x, *by, layer.weight, layer.bias, own, 1.0, layer.epsilon)


def layers_inputs(network: nn.Module, x: Tensor) -> list[tuple[GroupBatchNorm, Tensor]]:
    """Return each normalisation layer with what it is given when the network is given x."""
    seen: list[tuple[GroupBatchNorm, Tensor]] = []

    def keep(layer: nn.Module, given: tuple[Tensor]) -> None:
        assert isinstance(layer, GroupBatchNorm)
        seen.append((layer, given[0].clone()))

    hooks = [layer.register_forward_pre_hook(keep) for layer in group_layers(network).values()]
    with torch.inference_mode():
        network(x)
    for hook in hooks:
        hook.remove()
    return seen


def predicted(case: Case, way: str) -> Callable[[], None]:
    """Return a prediction of every site, which lie in memory after the first time."""
    sites, rows = Sites(case.images(), None, CPU), np.arange(case.steps * case.minibatch)
    names = [f"{row:05d}" for row in rows]
    table = pd.DataFrame(
        {
            "site_id": names,
            "well_id": names,
            "experiment": [f"E{row % case.experiments}" for row in rows],
            "cell_type": "HUVEC",
            "plate": 1,
            "well_type": "treatment",
            "sirna_id": rows % CLASSES,
        }
    )
    split = Split(name="separated", unit="experiment", train=rows[:0], test=rows)
    settings = {"classes": CLASSES, "group_size": case.group_size, "statistics": way}
    network = case.network()

    def work() -> None:
        predict(network, sites, table, split, **settings)

    return work


def checkpointing(seconds: float) -> None:
    """Print what a checkpoint costs, as a share of the 60 s of training between two."""
    case = Case(name="demo network", **SMALL, **LAPTOP)
    sites = Sites(case.images(), None, CPU)
    with tempfile.TemporaryDirectory() as folder:
        each = dataclasses.replace(CPU, checkpoint_seconds=0.0)
        path = Path(folder) / "checkpoint.pt"

        def saving() -> None:
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.prev").unlink(missing_ok=True)
            looped_epoch(case, sites, hardware=each, checkpoint_path=path)()

        # By the clock: a processor does not count its waiting for the disk.
        under, over = by_turns(seconds, looped_epoch(case, sites), saving, clock=time.perf_counter)
    # One a step and one at the end.
    one = statistics.median(b - a for a, b in zip(under, over, strict=True)) / (case.steps + 1)
    run = DEMO.recipe.epochs * 45 * statistics.median(under) / case.steps
    print(f"\ncheckpoints: {1000 * one:.1f} ms each; of training, one a minute and one at the end")
    print(f"  of a training of a minute or more {(one / Hardware().checkpoint_seconds):23.2%}")
    print(f"  of a training of {run:4.1f} s, as the demo's {one / run:24.2%}   asked 2.00%")


def _train_a_while(seed: int) -> None:
    with prepared(CPU) as hardware:
        case = Case(name="demo network", **SMALL, **LAPTOP)
        sites = Sites(case.images(), None, hardware)
        fit(
            case.network(), sites, case.plan, case.targets(), case.recipe(8), seed=seed,
            hardware=hardware,
        )  # fmt: skip


def _multiply_a_while(seed: int) -> None:
    torch.set_num_threads(1)
    small = torch.eye(256)  # with its product it fits in a core's own cache
    for _ in range(2000):
        torch.mm(small, small)


def _add_a_while(seed: int) -> None:
    torch.set_num_threads(1)
    large = torch.zeros(2**25)
    for _ in range(40):
        large.add_(1)


WORKS: dict[str, Callable[[int], None]] = {
    "demo network": _train_a_while,
    "multiplying in a core's cache": _multiply_a_while,
    "adding in the memory of both": _add_a_while,
}


def workers(rounds: int) -> None:
    """Print how much faster two runs end in two processes than in one.

    Beside it, what the machine gives to work that shares nothing, and to work that shares memory.
    """
    context = multiprocessing.get_context("spawn")
    print(f"\ntwice the same in two one-thread processes over one, {os.cpu_count()} cores")
    with context.Pool(1) as one, context.Pool(2) as two:
        gains: dict[str, list[float]] = {name: [] for name in WORKS}
        for turn in range(rounds + 1):
            for name, work in WORKS.items():
                times = []
                for pool in (one, two):
                    since = time.perf_counter()
                    pool.map(work, [0, 1], chunksize=1)
                    times.append(time.perf_counter() - since)
                if turn:  # the first warms up
                    gains[name].append(times[0] / times[1])
    for name, found in gains.items():
        asked = "    1.80" if name == "demo network" else ""
        print(f"  {name:<30}{statistics.median(found):32.3f}{asked}")


def provenance() -> str:
    """Say when and on what this was measured."""
    code = code_version()
    commit = str(code.get("commit", code["rxrx_lib"]))[:10]
    changed = " and changes" if code.get("modified") else ""
    return (
        f"{datetime.date.today()}; commit {commit}{changed}; {hardware('cpu')} of "
        f"{os.cpu_count()}; torch {torch.__version__}"
    )


def main() -> None:
    """Measure and print, in the environment that the study's worker processes have."""
    asked_for = {name: str(value) for name, value in WORKER_ENVIRONMENT.items()}
    if not asked_for.items() <= os.environ.items():  # it is read when a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | asked_for)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each pair of timings")
    asked = parser.parse_args()
    print(provenance())
    with prepared(CPU):
        loop(asked.seconds)
        grouped(asked.seconds)
        joining(asked.seconds)
        predicting(asked.seconds)
        measuring(asked.seconds)
        checkpointing(asked.seconds)
    workers(rounds=max(1, int(asked.seconds / 5)))


if __name__ == "__main__":
    main()
