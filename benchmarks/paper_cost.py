"""What the paper's networks cost a site, counted, and beside it a real step on this processor.

    python benchmarks/paper_cost.py [--backbones densenet161 …] [--image-size 512] [--no-measuring]

Counted are floating-point operations, bytes moved and memory, on the meta device, where nothing is
computed. Measured are seconds and memory of real steps in fresh processes, of two and of three
sites, so that what does not grow with the sites drops out.
"""

from __future__ import annotations

import argparse
import datetime
import resource
import subprocess
import sys
import time

import torch
from torch.nn.functional import cross_entropy

from rxrx_lib.models.architectures import SIBLINGS, STRIDES
from rxrx_lib.models.network import build_network
from rxrx_lib.study.provenance import code_version, hardware, library_versions
from rxrx_lib.study.results import code_words
from rxrx_lib.training.fit import autocast, build_optimizer
from rxrx_lib.training.hardware import Hardware, prepared
from rxrx_lib.training.recipe import Recipe
from rxrx_lib.training.step_cost import parameters, site_cost

PRECISIONS = ("fp32", "bf16")
MEASURED_SITES = (2, 3)
STEPS = 2


def main() -> None:
    """Count and measure, and print."""
    asked = _arguments()
    if asked.real_step:
        _real_step(*asked.real_step[:2], int(asked.real_step[2]), asked.image_size)
        return
    print(f"{datetime.date.today()}; {code_words(code_version())}; {hardware('cpu')}")
    print(f"torch {library_versions()['torch']}; six channels of {asked.image_size} pixels\n")
    _print_counts(asked.backbones, asked.image_size)
    if not asked.no_measuring:
        _print_measurements(asked.backbones[0], asked.image_size)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbones", nargs="+", choices=STRIDES, default=[*SIBLINGS])
    parser.add_argument("--image-size", type=int, default=512)
    parser.add_argument("--no-measuring", action="store_true")
    parser.add_argument("--real-step", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def _print_counts(backbones: list[str], image_size: int) -> None:
    print("COUNTED            GFLOP a site     GB moved    memory   weights  state  check-")
    print("                forward  in training  a site  MiB a site millions     MB  point")
    for backbone in backbones:

        def build(group_size: int, backbone: str = backbone) -> torch.nn.Module:
            return build_network(backbone, group_size=group_size)

        weights = parameters(build)
        for precision in PRECISIONS:
            site = site_cost(build, channels=6, image_size=image_size, precision=precision)
            print(
                f"{backbone:<12}{precision:>5}{site.forward_flops / 1e9:7.1f}"
                f"{site.training_flops / 1e9:11.1f}{site.training_bytes / 1e9:10.2f}"
                f"{site.peak_bytes / 2**20:11.0f}{weights / 1e6:10.1f}"
                f"{12 * weights / 1e6:7.0f}{8 * weights / 1e6:7.0f}"
            )


def _print_measurements(backbone: str, image_size: int) -> None:
    print(f"\nMEASURED, steps of {backbone} on one core, a process's first and second")
    for precision in PRECISIONS:
        found = []
        for sites in MEASURED_SITES:
            words = ["--real-step", backbone, precision, str(sites)]
            command = [sys.executable, __file__, *words, "--image-size", str(image_size)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            numbers = [float(word) for word in done.stdout.split()]
            found.append(numbers)
            (first, peak), (second, later) = numbers[:2], numbers[2:]
            print(
                f"{precision}  {sites} sites  {first:5.1f} s {second:5.1f} s   process's peak "
                f"{peak:5.2f} GiB, then {later:5.2f} GiB"
            )
        growth = [1024 * (found[1][at] - found[0][at]) for at in (1, 3)]
        print(f"{precision}  one more site takes {growth[0]:.0f} MiB, then {growth[1]:.0f} MiB")


def _real_step(backbone: str, precision: str, sites: int, image_size: int) -> None:
    """Take steps on noise; print seconds and the process's peak memory in GiB, of each."""
    with prepared(Hardware(device="cpu")):
        network = build_network(backbone, group_size=sites).to(memory_format=torch.channels_last)
        optimizer = build_optimizer(network, Recipe(), fused=True)
        x = torch.rand(sites, 6, image_size, image_size).contiguous(
            memory_format=torch.channels_last
        )
        classes = torch.zeros(sites, dtype=torch.long)
        for _ in range(STEPS):
            start = time.perf_counter()
            optimizer.zero_grad(set_to_none=True)
            with autocast(precision, x.device):
                outputs = network(x)
            loss = cross_entropy(outputs.sirna.float(), classes)
            loss += cross_entropy(outputs.experiment.float(), classes)
            loss.backward()
            optimizer.step()
            del outputs, loss
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            print(time.perf_counter() - start, peak)


if __name__ == "__main__":
    main()
