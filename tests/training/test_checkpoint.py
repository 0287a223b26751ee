"""Checkpoints survive kills and broken disks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rxrx_lib.training import checkpoint

DAMAGES = {
    "empty": lambda whole: b"",
    "truncated": lambda whole: whole[: len(whole) // 2],
    "zeros": lambda whole: bytes(len(whole)),
    "text": lambda whole: b"Not a checkpoint, but a page of a proxy server.\n" * 20,
    "letters": lambda whole: bytes(range(256)) * 4,
    "no directory": lambda whole: whole[:-30],
    "one bit": lambda whole: whole[:600] + bytes([whole[600] ^ 4]) + whole[601:],
}


def state(epoch: int) -> dict[str, object]:
    return {"network": {"weight": torch.full((3,), float(epoch))}, "history": [(epoch, 0.5)]}


def saved(path: Path, *epochs: int) -> Path:
    for epoch in epochs:
        checkpoint.save(path, state(epoch))
    return path


def epoch_of(loaded: dict[str, object] | None) -> int:
    assert loaded is not None
    ((epoch, half),) = loaded["history"]
    assert half == 0.5
    assert torch.equal(loaded["network"]["weight"], torch.full((3,), float(epoch)))
    return epoch


def test_the_newest_checkpoint_is_read_back_and_the_one_before_is_kept(tmp_path: Path) -> None:
    path = saved(tmp_path / "checkpoint.pt", 1, 2, 3)
    assert epoch_of(checkpoint.load(path)) == 3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.pt", "checkpoint.pt.prev"]


def test_without_a_checkpoint_there_is_nothing_to_load(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path / "checkpoint.pt") is None


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_checkpoint_falls_back_to_the_one_before_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    path = saved(tmp_path / "checkpoint.pt", 1, 2)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert epoch_of(checkpoint.load(path)) == 1
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith(f"{path} is damaged")


def test_with_both_broken_training_starts_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = saved(tmp_path / "checkpoint.pt", 1, 2)
    for file in tmp_path.iterdir():
        file.write_bytes(b"")
    assert checkpoint.load(path) is None
    assert len(caplog.records) == 2


def test_a_kill_between_the_two_renames_leaves_the_older_checkpoint(tmp_path: Path) -> None:
    path = saved(tmp_path / "checkpoint.pt", 1)
    path.rename(tmp_path / "checkpoint.pt.prev")
    assert epoch_of(checkpoint.load(path)) == 1


def test_removing_leaves_nothing_and_is_harmless_twice(tmp_path: Path) -> None:
    path = saved(tmp_path / "checkpoint.pt", 1, 2)
    checkpoint.remove(path)
    checkpoint.remove(path)
    assert not list(tmp_path.iterdir())
