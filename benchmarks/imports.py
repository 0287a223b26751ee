"""Time what a reader of results waits for: `import rxrx_lib.study`, beside `import pandas`.

    python benchmarks/imports.py [--repeats 5]

Each import runs in a fresh process; the medians and their ratio are printed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

STATEMENTS = (
    "import pandas",
    "import rxrx_lib.study",
    "from rxrx_lib.study import catalogue, tables, results, profiles",
)


def main() -> None:
    """Time every statement, and print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    start = median_seconds("pass", asked.repeats)
    reference = median_seconds(STATEMENTS[0], asked.repeats) - start
    print(f"{start:6.2f} s          python itself, taken off below")
    for statement in STATEMENTS:
        seconds = median_seconds(statement, asked.repeats) - start
        print(f"{seconds:6.2f} s  {seconds / reference:5.2f}x  {statement}")


def median_seconds(statement: str, repeats: int) -> float:
    """Return the median wall time of a fresh interpreter that runs a statement."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
