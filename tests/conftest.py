"""Fixtures that tests of several packages share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of screens that holds a tiny one in the release's place. Read only."""
    from tests.study.tiny import write_release  # torch is imported only where it is needed

    return write_release(tmp_path_factory.mktemp("data"))
