"""How fast the simulator renders and writes sites on one core.

Prints sites a second (the median of several rounds) and the time of a site in units of a fixed
NumPy kernel, which can be compared between machines and noisy moments.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from rxrx_lib.data.simulator import ScreenSpec, Site, draw_truth, layout, render_site, simulate


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    experiments = (("HUVEC", 1, 0), ("RPE", 1, 0), ("HEPG2", 1, 0), ("U2OS", 1, 0))
    spec = ScreenSpec(
        image_size=arguments.image_size, pixel_size=arguments.pixel_size, experiments=experiments
    )
    truth, table = draw_truth(spec), layout(spec)
    sites = [Site(**{name: row[name] for name in Site._fields}) for row in table.to_dict("records")]
    for site in sites[:: len(sites) // 4]:
        render_site(truth, site)  # draws the textures once

    kernel, rendered, written = [], [], []
    for _ in range(arguments.rounds):
        kernel.append(_seconds(_kernel))
        rendered.append(_seconds(lambda: [render_site(truth, site) for site in sites]) / len(sites))
        with tempfile.TemporaryDirectory() as folder:
            screen = Path(folder) / "screen"
            written.append(_seconds(lambda screen=screen: simulate(spec, screen)) / len(sites))
    for name, seconds in (("rendered", rendered), ("written", written)):
        ratio = statistics.median(s / k for s, k in zip(seconds, kernel, strict=True))
        rate = 1 / statistics.median(seconds)
        print(f"{name}: {rate:.0f} sites/s, one site = {ratio:.2f} kernels")
    print(f"kernel: {1000 * statistics.median(kernel):.2f} ms")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image-size", type=int, default=64, help="pixels (default 64)")
    parser.add_argument("--pixel-size", type=float, default=4.0, help="release pixels a pixel")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _kernel() -> float:
    """Do fixed work of the simulator's kind: a product of matrices and 32 exponentials."""
    x = np.linspace(0, 1, 6 * 64 * 64, dtype=np.float32).reshape(6, 64, 64)
    blur = np.linspace(0, 0.03, 64 * 64, dtype=np.float32).reshape(64, 64)
    for _ in range(32):
        x = np.exp(-(blur @ x @ blur.T))
    return float(x.sum())


if __name__ == "__main__":
    with threadpool_limits(limits=1):
        main()
