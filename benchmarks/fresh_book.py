"""Build the book in a fresh clone with a fresh environment, and measure time and memory.

    python benchmarks/fresh_book.py [--profile demo] [--command "make book"]

Prints the seconds of the installation and of the command, and the largest sum of proportional set
sizes (PSS) that all its processes had together: memory that processes share counts once. Linux.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

EVERY_SECONDS = 5.0
"""Looking takes a twentieth of a second, in which a process may have to wait for its memory."""


def main() -> None:
    """Clone, install, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--command", default="make book")
    asked = parser.parse_args()
    repository = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(repository), str(clone)], check=True)
        install, _ = measure(["make", ".venv/ready"], clone)
        command = [*asked.command.split(), f"PROFILE={asked.profile}"]
        first, peak = measure(command, clone)
        again, _ = measure(command, clone)
    print(f"installation            {install:7.0f} s")
    print(f"{asked.command:<23} {first:7.0f} s, peak of summed PSS {peak / 2**30:.2f} GiB")
    print(f"the same once more      {again:7.0f} s")


def measure(command: list[str], folder: Path) -> tuple[float, int]:
    """Run a command; return its seconds and the peak of its processes' summed PSS in bytes."""
    start, peak = time.monotonic(), 0
    with subprocess.Popen(command, cwd=folder) as process:
        while process.poll() is None:
            peak = max(peak, sum(pss(pid) for pid in family(process.pid)))
            time.sleep(EVERY_SECONDS)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit code {process.returncode}")
    return time.monotonic() - start, peak


def family(ancestor: int) -> list[int]:
    """Return a process and all its living descendants."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            parent = _read(folder / "stat").rpartition(")")[2].split()
            if parent:
                children.setdefault(int(parent[1]), []).append(int(folder.name))
    found = [ancestor]
    for pid in found:
        found += children.get(pid, [])
    return found


def pss(pid: int) -> int:
    """Return a process's proportional set size in bytes, 0 if it has just ended."""
    for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # the process ended between listing and reading


if __name__ == "__main__":
    main()
