"""A tiny screen on disk that tests of reading, packing and checking share."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.data.screens import SIDE, TWO_EXPERIMENTS, decoded_by_pillow, write_screen


@pytest.fixture(scope="session")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two experiments, SIDE pixels a side. Read only."""
    root = tmp_path_factory.mktemp("screen")
    write_screen(root, TWO_EXPERIMENTS, image_size=SIDE)
    return root


@pytest.fixture(scope="session")
def pixels(screen: Path) -> np.ndarray:
    """All pixels of the screen (N, 6, H, W), by Pillow alone. Read only."""
    decoded = decoded_by_pillow(screen)
    decoded.setflags(write=False)
    return decoded


@pytest.fixture
def own(screen: Path, tmp_path: Path) -> Path:
    """A copy of the screen to pack and to spoil."""
    return Path(shutil.copytree(screen, tmp_path / "screen"))
