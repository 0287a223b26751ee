"""Checkpoints that are whole or absent."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import uuid
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


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

    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileNotFoundError):
        os.replace(path, _previous(path))
    os.replace(temporary, path)


def load(path: Path) -> dict[str, Any] | None:
    """Read the newest readable checkpoint: ``path``, else its ``.prev``.

    Returns
    -------
    dict or None
        None if there is no checkpoint, or none that a broken disk left readable; then training
        starts anew.
    """
    import torch

    for candidate in (path, _previous(path)):
        try:
            state: dict[str, Any] = torch.load(candidate, map_location="cpu", weights_only=True)
        except FileNotFoundError:  # there is none, or another process has just renamed it
            continue
        except (EOFError, RuntimeError, pickle.UnpicklingError) as error:
            logger.warning("%s is not readable (%s) and is passed over.", candidate, error)
            continue
        return state
    return None


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
