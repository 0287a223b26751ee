"""What the data layer costs, as ratios within one run: reading, loading, packing, growth.

    python benchmarks/data.py [--image-size 512] [--sites 200] [--seconds 5] [--pngs FOLDER]

Files are warm in the page cache, so what is measured is decoding. Reading is measured on one core,
in processor time; packing on all, by the clock too. The pictures are made up, with about the
entropy of the release's; with --pngs, real ones are measured on: FOLDER has `…_w1.png` to
`…_w6.png` of one site or more, which are repeated, as are channels where some lack. OpenCV is
compared with where it is installed: pip install opencv-python-headless
"""

from __future__ import annotations

import argparse
import datetime
import functools
import importlib.util
import json
import multiprocessing
import os
import platform
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
from made_up_screen import (
    entropy_bits,
    given_sites,
    release_table,
    write_large_screen,
    write_screen,
)
from PIL import Image
from threadpoolctl import threadpool_limits

from rxrx_lib.data import images, loader, metadata, packed_store, pixel_moments, png_tree, splits
from rxrx_lib.study.provenance import code_version, hardware

MINIBATCH = 32
ROUNDS = 5
CORES = os.cpu_count() or 1
Pixels = np.ndarray
Reader = Callable[[np.ndarray, Pixels], object]


def main() -> None:
    """Measure and print a table a topic."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image-size", type=int, default=512, help="pixels a side")
    parser.add_argument("--sites", type=int, default=200, help="sites on disk, at most 2464")
    parser.add_argument("--seconds", type=float, default=5.0, help="processor time a row")
    parser.add_argument("--pngs", type=Path, metavar="FOLDER", help="real PNGs to measure on")
    parser.add_argument(
        "--grow", type=int, nargs="*", default=[1000, 10_000, 100_000], help="sizes; none skips it"
    )
    parser.add_argument(
        "--profiles", nargs="+", default=["demo", "paper"], help="whose training steps are timed"
    )
    parser.add_argument("--small", type=int, default=16, help="pixels a side while it grows")
    asked = parser.parse_args()
    print(provenance())
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "screen"
        given = given_sites(asked.pngs) if asked.pngs else None
        table = write_screen(root, asked.sites, asked.image_size, given)
        tree = png_tree.open_tree(table, root)
        describe(tree)
        pixels_on_disk(root, tree, asked.seconds, asked.profiles)
    with tempfile.TemporaryDirectory() as folder:
        real_size(Path(folder))
        growth(Path(folder), asked.grow, asked.small)


def provenance() -> str:
    """Say when and on what this was measured."""
    code = code_version()
    commit = str(code.get("commit", code["rxrx_lib"]))[:10]
    changed = " and changes" if code.get("modified") else ""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "blosc2", "pillow"))
    processor = hardware("cpu").split(",")[0]
    return (
        f"{datetime.date.today()}; commit {commit}{changed}; {processor}, {CORES} cores\n"
        f"Python {platform.python_version()}, {libraries}"
    )


def describe(tree: png_tree.PngTree) -> None:
    """Say how much there is in the pictures, beside the release's published figures."""
    sites = tree.read(range(min(20, tree.sites)))
    bits = [np.mean([entropy_bits(site[c]) for site in sites]) for c in range(len(tree.channels))]
    print(f"\n{tree.sites} sites of six channels, {tree.image_size} pixels a side")
    print(f"  mean bytes of a PNG      {png_bytes(tree) / tree.sites / 6 / 1e3:6.1f} kB")
    print("    release: 61 kB: 46 GB in 753,060 PNGs of 512 pixels")
    print("  entropy, bits a pixel    " + " ".join(f"{bit:.1f}" for bit in bits))
    print("    channels 1 to 4 of one site of the release: 2.4 5.3 4.1 4.3")


def pixels_on_disk(root: Path, tree: png_tree.PngTree, seconds: float, profiles: list[str]) -> None:
    """Compare the ways to read pixels, and what is built on the fastest."""
    # Not at the top: the processes that measure memory import this module, and need no torch.
    from data_loading import loading, one_core, preparing

    stores = {codec: packed(root, codec) for codec in ("lz4", "zstd")}
    readers: dict[str, Reader] = {
        "six PNGs, Pillow": lambda rows, out: by_pillow(tree.paths, rows, out),
        "six PNGs, this library": lambda rows, out: tree.read(rows, out=out),
    }
    if importlib.util.find_spec("cv2") is None:
        print("\nOpenCV is not installed, so Pillow stands for it below")
        reference = "six PNGs, Pillow"
    else:
        reference = "six PNGs, OpenCV"
        readers[reference] = lambda rows, out: by_opencv(tree.paths, rows, out)
    for codec, store in stores.items():
        readers[f"packed store, {codec}"] = functools.partial(read_into, store.images)
    rates = rates_by_reader(readers, tree, seconds)
    print("\nrandom rows into a minibatch, one core: sites a second of processor time")
    for name, rate in rates.items():
        print(f"  {name:<24}{rate:6.0f} {rate / rates[reference]:6.2f} x {reference[10:]}")
    for codec, store in stores.items():
        ratio = store.bytes / png_bytes(tree)
        print(f"  {f'packed store, {codec}':<24}{'':6} {ratio:6.2f} x the PNGs' bytes")
    for codec, made in stores.items():
        moments, reading = passes_a_second(made.images, seconds)
        ratio = f"{moments / reading:6.2f} x reading in order, {codec}"
        print(f"  {'moments for normalising':<24}{moments:6.0f} {ratio}")
    with one_core():
        loading(stores["lz4"].images, seconds)
    packing(root, tree)
    with one_core():
        preparing(seconds, profiles)


class Packed(NamedTuple):
    """A packed store, and what packing cost."""

    images: packed_store.PackedImages
    bytes: int
    seconds: float
    processor_seconds: float


def packed(root: Path, codec: str) -> Packed:
    """Pack a screen's pictures in a folder of their own, on all cores."""
    folder = root.with_name(f"{root.name}-{codec}")
    shutil.rmtree(folder, ignore_errors=True)
    start, processor = time.perf_counter(), time.process_time()
    manifest = images.pack(root, out=folder, codec=codec, workers=CORES)
    spent = time.perf_counter() - start, time.process_time() - processor
    size = sum(part["bytes"] for part in json.loads(manifest.read_text())["parts"])
    return Packed(packed_store.open_packed(folder), size, *spent)


def packing(root: Path, tree: png_tree.PngTree) -> None:
    """Compare packing with decoding the same PNGs in as many threads, in turn, the best of each."""
    clock: dict[str, float] = {}
    processor: dict[str, float] = {}

    def note(name: str, seconds: float, processor_seconds: float) -> None:
        clock[name] = min(clock.get(name, seconds), seconds)
        processor[name] = min(processor.get(name, processor_seconds), processor_seconds)

    for _ in range(ROUNDS):
        start, used = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(CORES) as threads:
            for _ in threads.map(lambda row: tree.read([row]).shape, range(tree.sites)):
                pass
        note("decoding", time.perf_counter() - start, time.process_time() - used)
        for codec in ("lz4", "zstd"):
            note(f"packing, {codec}", *packed(root, codec)[2:])
    print(f"\nall PNGs, {CORES} threads: sites a second by the clock; best of {ROUNDS}")
    for name, seconds in clock.items():
        ratio = f"{clock['decoding'] / seconds:6.2f} x decoding"
        used_ratio = f"{processor['decoding'] / processor[name]:5.2f} in processor time"
        print(f"  {name:<24}{tree.sites / seconds:6.0f} {ratio}, {used_ratio}")


def rates_by_reader(
    readers: dict[str, Reader], tree: png_tree.PngTree, seconds: float
) -> dict[str, float]:
    """Read minibatches of random rows in rounds, and return each reader's best round."""
    best = dict.fromkeys(readers, 0.0)
    out = np.empty((MINIBATCH, 6, tree.image_size, tree.image_size), np.uint8)
    for number in range(ROUNDS + 1):
        for name, read in readers.items():
            draw = np.random.default_rng(number)
            start, count = time.process_time(), 0
            while time.process_time() - start < seconds / ROUNDS:
                read(draw.integers(0, tree.sites, MINIBATCH), out)
                count += MINIBATCH
            # The first round warms up.
            if number:
                best[name] = max(best[name], count / (time.process_time() - start))
    return best


def read_into(store: packed_store.PackedImages, rows: np.ndarray, out: Pixels) -> None:
    """Read sites from the packed store."""
    store.read(rows, out=out)


def passes_a_second(store: packed_store.PackedImages, seconds: float) -> tuple[float, float]:
    """Pass over all pixels for their sums and squares, and only to read them; sites a second."""
    portion = max(1, pixel_moments.PIXELS_AT_ONCE // (6 * store.image_size**2))
    out = np.empty((portion, 6, store.image_size, store.image_size), np.uint8)

    def read() -> None:
        for start in range(0, store.sites, portion):
            rows = range(start, min(start + portion, store.sites))
            store.read(rows, out=out[: len(rows)])

    best = [0.0, 0.0]
    start = time.process_time()
    while time.process_time() - start < 2 * seconds:
        for place, work in enumerate((lambda: pixel_moments.measure(store), read)):
            before = time.process_time()
            work()
            best[place] = max(best[place], store.sites / (time.process_time() - before))
    return best[0], best[1]


def by_pillow(paths: tuple[str, ...], rows: np.ndarray, out: Pixels) -> None:
    """Read sites as public loaders do."""
    for site, row in zip(out, rows, strict=True):
        for channel in range(6):
            site[channel] = np.asarray(Image.open(f"{paths[row]}_w{channel + 1}.png"))


def by_opencv(paths: tuple[str, ...], rows: np.ndarray, out: Pixels) -> None:
    """Read sites as public loaders do."""
    import cv2

    cv2.setNumThreads(1)
    for site, row in zip(out, rows, strict=True):
        for channel in range(6):
            site[channel] = cv2.imread(f"{paths[row]}_w{channel + 1}.png", cv2.IMREAD_GRAYSCALE)


def png_bytes(tree: png_tree.PngTree) -> int:
    """Return the size of all PNGs."""
    return sum(path.stat().st_size for site in tree.paths for path in tree.layout.paths(site))


def real_size(root: Path) -> None:
    """Load, split and plan a table of 51 experiments with 1,139 classes."""
    metadata.write(release_table(51), root / "whole")
    cost = in_a_process("load, split, plan", root / "whole")
    print("\n51 experiments, 125,664 sites, 1,139 classes: load, stratified split, plan")
    print(f"  {cost.seconds:.1f} s of processor time, {cost.megabytes:.0f} MB")


def growth(root: Path, sizes: list[int], image_size: int) -> None:
    """Do everything to screens of growing size, each step in a process of its own."""
    if sizes:
        print(f"\n{image_size}-pixel sites, one core: seconds of processor time, MB of the process")
        print("  sites  " + "".join(f"{name:>18}" for name in STEPS))
    before: dict[str, Cost] = {}
    for size in sizes:
        folder = root / str(size)
        write_large_screen(folder, size, image_size)
        costs = {name: in_a_process(name, folder) for name in STEPS}
        cells = [f"{cost.seconds:.2f} s {cost.megabytes:.0f} MB" for cost in costs.values()]
        print(f"  {size:<7}" + "".join(f"{cell:>18}" for cell in cells))
        if before:
            factors = [f"x {costs[name].seconds / before[name].seconds:.1f}" for name in STEPS]
            print("         " + "".join(f"{factor:>18}" for factor in factors))
        before = costs
        shutil.rmtree(folder / png_tree.FOLDER)


class Cost(NamedTuple):
    """What a step took."""

    seconds: float
    megabytes: float


def in_a_process(step: str, root: Path) -> Cost:
    """Measure a step in a fresh process, so that its memory is its own."""
    spawn = multiprocessing.get_context("spawn")
    # What is compiled at its first use is compiled before the clock starts.
    compiled = {
        "initializer": pixel_moments.of_pixels,
        "initargs": (np.zeros((1, 1, 1, 1), np.uint8),),
    }
    with ProcessPoolExecutor(1, spawn, **compiled) as process:
        return process.submit(cost_of, step, root).result()


def cost_of(step: str, root: Path) -> Cost:
    """Measure a step in this process."""
    start = time.process_time()
    STEPS[step](root)
    return Cost(time.process_time() - start, peak_megabytes())


def plan_an_epoch(root: Path) -> None:
    """Load the metadata, split and plan."""
    split = splits.stratified(metadata.load(root))
    loader.shuffled(split.train, 8, 64, seed=0, epoch=0)


def read_all_rows(root: Path) -> None:
    """Read every site once, in random order."""
    store = packed_store.open_packed(root)
    order = np.random.default_rng(0).permutation(store.sites)
    for start in range(0, store.sites, MINIBATCH):
        store.read(order[start : start + MINIBATCH])


STEPS: dict[str, Callable[[Path], object]] = {
    "load, split, plan": plan_an_epoch,
    "pack": images.pack,
    "read at random": read_all_rows,
    "moments": lambda root: pixel_moments.measure(packed_store.open_packed(root)),
}


def peak_megabytes() -> float:
    """Return the most memory that this process has had."""
    status = Path("/proc/self/status")
    # Linux's getrusage counts what the process was started from.
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


if __name__ == "__main__":
    main()
