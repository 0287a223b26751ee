"""Where a result came from: code, libraries, machine, data, time."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import rxrx_lib
from rxrx_lib.study.runs import file_sha256
from rxrx_lib.study.spec import DataSpec, identity

LIBRARIES = ("torch", "torchvision", "numpy", "pandas", "scikit-learn", "blosc2")


def provenance(
    started: datetime.datetime, device: str, root: Path, data: DataSpec
) -> dict[str, Any]:
    """Describe the making of a result that is just finished.

    Parameters
    ----------
    started
        When its making began, with time zone.
    device
        The torch device it ran on.
    root
        The screen's folder.
    data
        The screen's spec.
    """
    ended = datetime.datetime.now(datetime.UTC)
    return {
        "code": code_version(),
        "libraries": library_versions(),
        "hardware": hardware(device),
        "data": {
            "name": data.name,
            "identity": identity(data),
            "metadata_sha256": file_sha256(root / "metadata.csv"),
        },
        "started": started.isoformat(timespec="seconds"),
        "ended": ended.isoformat(timespec="seconds"),
        "seconds": round((ended - started).total_seconds(), 3),
    }


def code_version() -> dict[str, Any]:
    """Return the library's version, and the git commit where it runs from a checkout."""
    version: dict[str, Any] = {"rxrx_lib": rxrx_lib.__version__}
    commit = _git("rev-parse", "HEAD")
    if commit is not None:
        version["commit"] = commit
        version["modified"] = bool(_git("status", "--porcelain", "--", "rxrx_lib"))
    return version


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that numbers depend on."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), **versions}


def hardware(device: str) -> str:
    """Name the processor that a torch device stands for."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    return f"{_cpu_name()}, 1 thread"


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str | None:
    """Return what git prints, or None outside a checkout or without git."""
    here = Path(rxrx_lib.__file__).parent
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
