"""Execute every notebook alone, from the tracked files with nothing done, then all on one store.

    python benchmarks/notebooks_alone.py [--profile smoke] [--seed 0] [--only NAME ...]

Alone, each has an empty folder of screens and an empty run store. Together, they share both, and
come in an order drawn from the seed. Prints the seconds of each and, of those that were executed
in both ways, whether tables and sentences are the same. Ends with 1 if a notebook failed or
differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RXRX = "import sys; from rxrx_lib.cli import main; sys.exit(main())"
OF_THIS_RUN = re.compile(
    r":::\{div\} provenance\n.*?\n:::"
    r"|[\d.]+( to [\d.]+)? (s|min|h)\b( \d+ min)?"  # durations
    r"|\d{4}-\d\d-\d\d",
    re.DOTALL,
)
"""What two executions may say differently, such as how long they took."""


def main() -> int:
    """Execute, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="smoke")
    parser.add_argument("--seed", type=int, default=0, help="of the order on one store")
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the executed notebooks")
    asked = parser.parse_args()
    names = asked.only or sorted(path.stem for path in (ROOT / "notebooks").glob("*.md"))
    shuffled = random.Random(asked.seed).sample(names, len(names))
    with tempfile.TemporaryDirectory() as folder:
        kept = asked.keep or Path(folder) / "executed"
        faults = []
        for name in names:
            checkout = Path(folder) / name
            faults += executed(name, asked.profile, checkout, kept / f"{name}.alone.ipynb")
            shutil.rmtree(checkout)
        print(f"on one store: {', '.join(shuffled)}", flush=True)
        for name in shuffled:
            together = kept / f"{name}.together.ipynb"
            faults += executed(name, asked.profile, Path(folder) / "all", together)
        faults += [
            f"{name} says something else alone"
            for name in names
            if said(kept / f"{name}.alone.ipynb") != said(kept / f"{name}.together.ipynb")
        ]
    print("\n".join(faults) or "every notebook says alone what it says on one store", flush=True)
    return bool(faults)


def executed(name: str, profile: str, checkout: Path, target: Path) -> list[str]:
    """Execute a notebook in a folder that gets the tracked files; return what went wrong."""
    if not checkout.exists():
        copy_tracked(checkout)
    command = [sys.executable, "-c", RXRX, "notebook", name, "-p", "profile", profile]
    start = time.monotonic()
    done = subprocess.run(
        [*command, "--output", str(target.absolute())],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    runs = len(list((checkout / "runs").glob("*/result")))
    seconds = time.monotonic() - start
    print(f"{name:<24} {seconds:6.0f} s, {runs} runs in the store", flush=True)
    return [] if done.returncode == 0 else [f"{name} failed: {done.stderr[-2000:]}"]


def copy_tracked(checkout: Path) -> None:
    """Copy the files that git knows, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, checkout / name)


def said(notebook: Path) -> list[str] | None:
    """Return the words that an executed notebook shows, without what is of this run alone."""
    if not notebook.exists():
        return None
    found = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            words = "".join(output.get("data", {}).get("text/markdown", ""))
            if words:  # else a picture, or lines on the progress of training
                found.append(OF_THIS_RUN.sub("·", words))
    return found


if __name__ == "__main__":
    sys.exit(main())
