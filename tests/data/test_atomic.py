"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from rxrx_lib.data import atomic


def test_a_text_replaces_the_old_file_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.csv"
    for text in ("a longer first text\n", "µ\n"):
        atomic.write_text(path, text)
        assert path.read_bytes() == text.encode()
    assert list(path.parent.iterdir()) == [path]


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def write_half() -> None:
        with atomic.replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
