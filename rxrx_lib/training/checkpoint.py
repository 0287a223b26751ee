"""Checkpoints that are whole or absent.

A file is the SHA-256 of what follows, and what `torch.save` writes, which itself would give other
numbers back for flipped bits without a word.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import time
import uuid
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

DIGEST_BYTES = hashlib.sha256().digest_size


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` to ``path`` so that a kill at any moment leaves a whole file.

    Parameters
    ----------
    path
        The checkpoint. An older one is kept beside it as ``.prev``.
    state
        Tensors, numbers, strings, and lists and dicts of these.
    """
    import torch  # only here, so that a store can be tidied without it

    content = io.BytesIO()
    torch.save(state, content)
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    with temporary.open("wb") as file:
        file.write(hashlib.sha256(content.getbuffer()).digest())
        file.write(content.getbuffer())
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileNotFoundError):
        os.replace(path, _previous(path))
    os.replace(temporary, path)


def load(path: Path) -> dict[str, Any] | None:
    """Read the newest whole checkpoint: ``path``, else its ``.prev``.

    Returns
    -------
    dict or None
        None if there is no checkpoint, or none that is as it was written; then training starts
        anew. One that is passed over is named in a warning of this module's logger.
    """
    import torch

    for candidate in (path, _previous(path)):
        try:
            stored = memoryview(candidate.read_bytes())
        except FileNotFoundError:  # there is none, or another process has just renamed it
            continue
        digest, content = stored[:DIGEST_BYTES], stored[DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != digest:
            logger.warning("%s is damaged (its SHA-256 is wrong) and is passed over.", candidate)
            continue
        state: dict[str, Any] = torch.load(
            io.BytesIO(content), map_location="cpu", weights_only=True
        )
        return state
    return None


def exists(path: Path) -> bool:
    """Tell whether there is one, be it the one before after a kill between two renames."""
    return path.exists() or _previous(path).exists()


def remove_unfinished(path: Path, older_than: float) -> None:
    """Remove what kills have left half-written beside it, of so many seconds ago or more."""
    for unfinished in path.parent.glob(f".{path.name}-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - unfinished.stat().st_mtime > older_than:
                unfinished.unlink()


def remove(path: Path) -> None:
    """Remove the checkpoint, its ``.prev``, and unfinished ones, whoever is writing them.

    A process that is just saving here fails with FileNotFoundError; its work is done already.
    """
    for unfinished in path.parent.glob(f".{path.name}-*"):
        unfinished.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    _previous(path).unlink(missing_ok=True)


def _previous(path: Path) -> Path:
    return path.with_name(path.name + ".prev")
