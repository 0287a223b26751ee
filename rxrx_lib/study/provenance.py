"""Where a result came from: code, libraries, machine, data, time."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rxrx_lib
from rxrx_lib.data import metadata
from rxrx_lib.study.identity import identity
from rxrx_lib.study.spec import DataSpec

LIBRARIES = ("torch", "torchvision", "numpy", "pandas", "scikit-learn", "blosc2")


def this_attempt(device: str, processes: int = 1) -> dict[str, Any]:
    """Describe a try that begins now on a torch device, or on so many like it."""
    name = hardware(device) if processes == 1 else f"{processes} × {hardware(device)}"
    return {"code": code_version(), "hardware": name, "started": _now()}


def provenance(attempts: Sequence[dict[str, Any]], root: Path, data: DataSpec) -> dict[str, Any]:
    """Describe the making of a result that is just finished.

    Parameters
    ----------
    attempts
        The tries that it took, as :func:`this_attempt` describes them, each with its ``seconds``;
        the last one has just finished.
    root
        The screen's folder.
    data
        The screen's spec.

    Returns
    -------
    dict
        ``code``, ``libraries`` and ``hardware`` of the last try, ``data``, ``started`` of the
        first try, ``ended``, ``seconds`` and ``processor_seconds`` of all tries together (the
        latter where every try kept it), and, where there was more than one, ``attempts``.
    """
    last = attempts[-1]
    source = {
        "code": last["code"],
        "libraries": library_versions(),
        "hardware": last["hardware"],
        "data": {
            "name": data.name,
            "identity": identity(data),
            "metadata_sha256": metadata.sha256(root),
        },
        "started": attempts[0]["started"],
        "ended": _now(),
        "seconds": round(sum(attempt["seconds"] for attempt in attempts), 3),
    }
    if all("processor_seconds" in attempt for attempt in attempts):
        spent = sum(attempt["processor_seconds"] for attempt in attempts)
        source["processor_seconds"] = round(spent, 3)
    return source | ({"attempts": list(attempts)} if len(attempts) > 1 else {})


def code_version() -> dict[str, Any]:
    """Return the library's version, and the git commit where it runs from a checkout.

    Returns
    -------
    dict
        ``rxrx_lib``; in a checkout that tracks the library also ``commit``, and ``modified``:
        whether a file of the library differs from that commit or is not in it.
    """
    version: dict[str, Any] = {"rxrx_lib": rxrx_lib.__version__}
    # A library installed inside somebody's checkout, as in .venv, is not of that commit.
    tracked = _git("ls-files", "--error-unmatch", "__init__.py") is not None
    commit = _git("rev-parse", "HEAD") if tracked else None
    if commit is not None:
        version["commit"] = commit
        version["modified"] = bool(_git("status", "--porcelain", "--", "."))
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


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str | None:
    """Return what git prints in the library's folder, or None where it fails or is not there."""
    here = Path(rxrx_lib.__file__).parent
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
