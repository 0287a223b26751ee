"""Commands on one screen: simulate, download, check, pack, splits."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from rxrx_lib.cli.arguments import (
    DONE,
    FAULT,
    Commands,
    UsageError,
    add_command,
    add_profile,
    as_usage,
    known_profile,
    positive_count,
)

WHOLE_FILES = "What is there is whole: give the same command again to go on."


def add_screen_commands(commands: Commands) -> None:
    """Describe the commands on one screen."""
    simulate = add_command(commands, "simulate", _simulate, "write a simulated screen")
    simulate.add_argument("dir", type=Path, help="folder to write; absent or empty")
    add_profile(simulate)
    simulate.add_argument("--image-size", type=int, metavar="N", help="pixels a side")
    simulate.add_argument("--pixel-size", type=float, metavar="R", help="release pixels a pixel")
    simulate.add_argument("--seed", type=int, default=0, metavar="S", help="seed of all draws")
    simulate.add_argument("--technical", type=float, metavar="F", help="factor on batch effects")
    simulate.add_argument("--phenotype", type=float, metavar="F", help="factor on phenotypes")
    simulate.add_argument("--workers", type=positive_count, default=1, metavar="N")
    _add_download(commands)

    check = add_command(commands, "check", _check, "list what is wrong with a screen")
    check.add_argument("dir", type=Path)
    check.add_argument("--workers", type=positive_count, metavar="N", help="threads; default all")

    _add_pack(commands)

    splits = add_command(commands, "splits", _splits, "write a screen's splits as CSV")
    splits.add_argument("dir", type=Path)
    splits.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    splits.add_argument("--seed", type=int, default=0, metavar="S", help="of the drawn ones")


def _add_download(commands: Commands) -> None:
    download = add_command(
        commands, "download", _download, "fetch the official release, or a part of it"
    )
    download.set_defaults(stopped=WHOLE_FILES)
    download.add_argument("dir", type=Path, help="folder of the release, such as data/rxrx1")
    kinds = ("metadata", "embeddings", "images", "controls")
    download.add_argument("--what", required=True, choices=kinds)
    for name in ("experiments", "cell-types", "sirnas", "well-types"):
        download.add_argument(f"--{name}", nargs="+", default=[], metavar="X", help="only these")
    for name in ("plates", "sites", "channels"):
        download.add_argument(f"--{name}", nargs="+", type=int, default=[], metavar="N")
    download.add_argument("--base-url", metavar="URL", help="of another copy of the archives")
    download.add_argument("--connections", type=positive_count, default=8, metavar="N")
    download.add_argument("--dry-run", action="store_true", help="say how much it is, and stop")
    download.add_argument(
        "--accept-licence", action="store_true", help="consent to CC BY-NC-SA 4.0, unasked"
    )


def _add_pack(commands: Commands) -> None:
    pack = add_command(
        commands,
        "pack",
        _pack,
        "pack a screen's pictures into a store that is read many times faster than its PNGs",
    )
    pack.set_defaults(stopped=WHOLE_FILES)
    pack.add_argument("dir", type=Path)
    pack.add_argument(
        "--out", type=Path, metavar="FOLDER", help="pack into a screen of its own, without PNGs"
    )
    pack.add_argument(
        "--downsample", type=positive_count, default=1, metavar="N", help="N × N pixels become one"
    )
    pack.add_argument(
        "--channels", nargs="+", type=int, metavar="C", help="keep these only, such as 1 2 4"
    )
    pack.add_argument(
        "--codec",
        default="lz4",
        metavar="C",
        help="lz4 (the default: read faster) or zstd (takes less disk)",
    )
    pack.add_argument(
        "--workers", type=positive_count, metavar="N", help="threads; one a core if not given"
    )


def _simulate(asked: argparse.Namespace) -> int:
    from rxrx_lib.data.simulator import simulate

    plain = known_profile(asked.profile).screen
    if plain is None:
        raise UsageError(f"profile {asked.profile!r} uses the release; choose a simulated one.")
    changes = {
        name: getattr(asked, name)
        for name in ("image_size", "pixel_size", "seed", "technical", "phenotype")
        if getattr(asked, name) is not None
    }
    screen = as_usage(lambda: dataclasses.replace(plain, **changes))
    simulate(screen, asked.dir, workers=asked.workers)
    print(asked.dir)
    return DONE


def _download(asked: argparse.Namespace) -> int:
    from rxrx_lib.data.download import (
        BASE_URL,
        Network,
        Selection,
        SelectionError,
        consent,
        download,
        plan_download,
    )

    chosen = {item.name: tuple(getattr(asked, item.name)) for item in dataclasses.fields(Selection)}
    selection = as_usage(lambda: Selection(**chosen))
    consent(accepted=asked.accept_licence)
    try:
        plan = plan_download(
            asked.what,
            asked.dir,
            base_url=asked.base_url or BASE_URL,
            selection=selection,
            network=Network(connections=asked.connections),
        )
    except SelectionError as error:  # an experiment or siRNA that only the metadata can refute
        raise UsageError(str(error)) from error
    print(plan)
    if not asked.dry_run:
        download(plan)
        print(asked.dir)
    return DONE


def _check(asked: argparse.Namespace) -> int:
    from rxrx_lib.data.check import check
    from rxrx_lib.data.in_order import usable_cores

    faults = check(asked.dir, workers=asked.workers or usable_cores())
    for fault in faults:
        print(fault)
    if not faults:
        print(f"{asked.dir}: no fault found")
    return FAULT if faults else DONE


def _pack(asked: argparse.Namespace) -> int:
    from rxrx_lib.data.images import pack
    from rxrx_lib.data.in_order import usable_cores
    from rxrx_lib.data.packed_parts import CODECS
    from rxrx_lib.data.reduction import Reduction

    if asked.codec not in CODECS:
        raise UsageError(f"codec is {asked.codec!r}; choose one of {', '.join(CODECS)}.")
    channels = None if asked.channels is None else tuple(sorted(asked.channels))
    as_usage(lambda: Reduction(channels=channels, downsample=asked.downsample))
    manifest = pack(
        asked.dir,
        out=asked.out,
        codec=asked.codec,
        channels=channels,
        downsample=asked.downsample,
        workers=asked.workers or usable_cores(),
        write=print,
    )
    print(manifest)
    return DONE


def _splits(asked: argparse.Namespace) -> int:
    from rxrx_lib.data import metadata
    from rxrx_lib.data.split_files import write_all

    made = write_all(metadata.load(asked.dir), asked.out, seed=asked.seed)
    for name, path in made.items():
        print(path if isinstance(path, Path) else f"{name} is not written: {path}")
    return DONE
