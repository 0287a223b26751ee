"""Small files beside a prediction: whole, small, and named so that archives take them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rxrx_lib.study.derived import DERIVED_LIMIT, read_derived, write_derived


def test_arrays_and_json_come_back(tmp_path: Path) -> None:
    places = np.arange(6, dtype=np.float16).reshape(3, 2)
    write_derived(tmp_path, "umap.npz", {"xy": places})
    write_derived(tmp_path, "mixing.json", {"purity": 0.5})
    found = read_derived(tmp_path, "umap.npz")
    assert found is not None
    assert found["xy"].dtype == np.float16
    assert found["xy"].tolist() == places.tolist()
    assert read_derived(tmp_path, "mixing.json") == {"purity": 0.5}
    assert sorted(p.name for p in (tmp_path / "derived").iterdir()) == ["mixing.json", "umap.npz"]


def test_what_was_never_kept_is_none(tmp_path: Path) -> None:
    assert read_derived(tmp_path, "umap.npz") is None
    assert not list(tmp_path.iterdir())


def test_what_is_kept_again_replaces_what_was_there(tmp_path: Path) -> None:
    for value in (1, 2):
        write_derived(tmp_path, "a.json", {"value": value})
    assert read_derived(tmp_path, "a.json") == {"value": 2}


@pytest.mark.parametrize(
    "name", ["", "umap", "Umap.npz", "../umap.npz", "a/b.npz", ".a.npz", "a.csv", "a.npz "]
)
def test_other_names_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"name is '.*'; expected"):
        write_derived(tmp_path, name, {})
    assert not list(tmp_path.iterdir())


def test_what_is_too_large_to_share_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random(DERIVED_LIMIT // 7)
    with pytest.raises(
        ValueError, match=rf"would take \d+ bytes; expected at most {DERIVED_LIMIT}"
    ):
        write_derived(tmp_path, "noise.npz", {"noise": noise})
    assert not list((tmp_path / "derived").iterdir())


@pytest.mark.parametrize("name", ["a.json", "a.npz"])
def test_a_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    path = write_derived(tmp_path, name, {"value": np.zeros(3).tolist()})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=f"{name} is no "):
        read_derived(tmp_path, name)
