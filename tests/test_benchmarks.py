"""The benchmarks run through, at sizes that measure nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TINY = "--image-size 16 --sites 8 --seconds 0.01 --profiles smoke --grow 1000 --small 4"


def test_the_benchmark_of_the_data_layer_prints_every_topic() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "data.py"), *TINY.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    for topic in ("packed store, zstd", "threads ahead", "packing, lz4", "densenet_small", "MB"):
        assert topic in done.stdout


def test_the_benchmark_of_the_papers_cost_counts_every_backbone_and_takes_real_steps() -> None:
    small = "--backbones densenet_small resnet_small --image-size 16"
    command = [sys.executable, str(ROOT / "benchmarks" / "paper_cost.py"), *small.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    for topic in ("densenet_small", "resnet_small", "COUNTED", "MEASURED", "one more site takes"):
        assert topic in done.stdout


def test_the_benchmark_of_similarities_counts_pairs_and_compares_with_scipy() -> None:
    small = "--every 300 --exact-every 600 --dimensions 8 --rounds 1 --workers 1"
    command = [sys.executable, str(ROOT / "benchmarks" / "similarity.py"), *small.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    for topic in ("HUVEC alone", "all cell types", "peak MB", "same_within / different_within"):
        assert topic in done.stdout


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="it copies the files that git knows")
def test_the_benchmark_of_notebooks_executes_them_alone_and_together() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "notebooks_alone.py"), "--only", "figure5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" s, 0 runs in the store") == 2
    assert "every notebook says alone what it says on one store" in done.stdout
