"""Fixtures that tests of several packages share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Tests compare bits and are written for a processor, whatever else the machine has.
os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of screens that holds a tiny one in the release's place. Read only."""
    from tests.study.tiny import write_release  # torch is imported only where it is needed

    return write_release(tmp_path_factory.mktemp("data"))
