"""Weights from a file: what is taken, what the stem becomes, what is refused."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import DenseNet

from rxrx_lib.models.backbones import build_backbone
from rxrx_lib.models.network import Network, build_network
from rxrx_lib.models.pretrained import load_weights, widened

State = dict[str, Tensor]


def small_state(channels: int = 3, layers: int = 2) -> State:
    """Return what torchvision's whole network of densenet_small's shape holds, all drawn anew."""
    network = DenseNet(16, (layers,), 24, bn_size=2, num_classes=10)
    network.features.conv0 = nn.Conv2d(channels, 24, 3, stride=2, padding=1, bias=False)
    draw = torch.Generator().manual_seed(1)
    return {
        key: torch.rand(value.shape, generator=draw) if value.ndim else value
        for key, value in network.state_dict().items()
    }


def saved(path: Path, content: Any, **how: Any) -> Path:
    torch.save(content, path, **how)
    return path


def seeded(weights: Path | None = None, **settings: Any) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_network(
            "densenet_small", classes=5, experiments=3, embedding=8, weights=weights, **settings
        )


def loaded(path: Path, name: str = "densenet_small", channels: int = 6, **how: Any) -> State:
    maps = build_backbone(name, channels).maps
    load_weights(maps, path, backbone=name, **how)
    return maps.state_dict()


@pytest.mark.parametrize("new_format", [True, False])
def test_the_trunk_takes_all_but_the_last_layer_and_nothing_else_changes(
    tmp_path: Path, new_format: bool
) -> None:
    state = small_state()
    path = saved(tmp_path / "w.pth", state, _use_new_zipfile_serialization=new_format)
    fresh, network = seeded().state_dict(), seeded(path).state_dict()
    assert fresh.keys() == network.keys()
    taken = 0
    for key, value in network.items():
        theirs = key.replace("backbone.", "features.").replace("running_variance", "running_var")
        if theirs in state and "conv0" not in key:
            assert torch.equal(value, state[theirs])
            taken += 1
        elif not key.startswith("backbone."):
            assert torch.equal(value, fresh[key])
    assert taken == len([key for key in state if "num_batches" not in key]) - 3  # stem, classifier


@pytest.mark.parametrize("name", ["densenet161", "densenet121", "resnet50", "resnet101"])
def test_every_name_of_torchvisions_network_has_its_place(name: str) -> None:
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)(weights=None).state_dict()
        maps = build_backbone(name, 6).maps
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("rxrx_lib.models.pretrained.read_state_dict", lambda *_: dict(theirs))
            load_weights(maps, Path("unread"), backbone=name)


def test_names_of_older_files_are_those_of_today(tmp_path: Path) -> None:
    state = small_state()
    older = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): value
        for key, value in state.items()
        if not key.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer2.conv.1.weight" in older
    got = loaded(saved(tmp_path / "old.pth", older))
    want = loaded(saved(tmp_path / "new.pth", state))
    assert all(torch.equal(got[key], want[key]) for key in want)


def test_weights_without_a_last_layer_are_taken_as_well(tmp_path: Path) -> None:
    state = {key: x for key, x in small_state().items() if not key.startswith("classifier")}
    got = loaded(saved(tmp_path / "w.pth", state))
    assert torch.equal(got["norm5.weight"], state["features.norm5.weight"])


def test_a_stem_of_as_many_channels_is_taken_as_it_is(tmp_path: Path) -> None:
    state = small_state(channels=6)
    got = loaded(saved(tmp_path / "w.pth", state))
    assert torch.equal(got["conv0.weight"], state["features.conv0.weight"])


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_stem_of_other_channels_answers_grey_pictures_as_before(
    tmp_path: Path, channels: int
) -> None:
    state = small_state()
    filters = state["features.conv0.weight"]
    stem = loaded(saved(tmp_path / "w.pth", state), channels=channels)["conv0.weight"]
    expected = filters.double().sum(1) / channels  # mean × 3 / C
    for channel in range(channels):
        torch.testing.assert_close(stem[:, channel].double(), expected, rtol=1e-6, atol=0)
    grey = torch.randn(2, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    answers = [
        nn.functional.conv2d(grey.expand(-1, weight.shape[1], -1, -1), weight)
        for weight in (stem, filters)
    ]
    torch.testing.assert_close(*answers, rtol=1e-4, atol=1e-5)


def test_widening_to_the_same_number_copies_nothing() -> None:
    filters = torch.rand(4, 3, 2, 2)
    assert widened(filters, 3) is filters


def test_the_right_hash_is_let_pass_and_another_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.pth", small_state())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    seeded(path, weights_sha256=found)
    with pytest.raises(ValueError, match=f"w.pth has the SHA-256 {found}, expected {'0' * 64}; "):
        seeded(path, weights_sha256="0" * 64)


class NotData:
    """What a pickle may hold and a state_dict may not."""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (NotData(), "is damaged, or holds other things than tensors; give a state_dict"),
        ([1, 2], "holds a list and no tensors by name; give a state_dict"),
        ({}, "holds a dict and no tensors by name"),
        (torch.zeros(2), "holds a Tensor and no tensors by name"),
        (
            {"state_dict": small_state()},
            "is no state_dict: its entry 'state_dict' is a dict, expected tensors only by name",
        ),
        (
            {3: torch.zeros(1)},
            "is no state_dict: its entry 3 is a Tensor, expected tensors only by name",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_state_dict_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    path = saved(tmp_path / "w.pth", content)
    with pytest.raises(ValueError, match=re.escape(f"{path} {message}")):
        loaded(path)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"RIFF\0"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = saved(tmp_path / "w.pth", small_state())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=re.escape(f"{path} is damaged")):
        loaded(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(FileNotFoundError, match=re.escape(f"{path} is no file of weights; gi")):
            loaded(path)


def changed(key: str, value: Tensor | None) -> State:
    state = small_state()
    if value is None:
        del state[key]
    else:
        state[key] = value
    return state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (small_state(layers=1), "it lacks 'denseblock1.denselayer2.norm1.weight' of shape (40,)"),
        (small_state(layers=3), "its 'denseblock1.denselayer3.norm1.weight' of shape (56,) is too"),
        (changed("features.norm5.bias", None), "it lacks 'norm5.bias' of shape (56,); give a file"),
        (
            changed("features.norm5.bias", torch.zeros(9)),
            "its 'norm5.bias' has the shape (9,), expected (56,); give a file",
        ),
        (
            changed("features.conv0.weight", torch.zeros(24, 3, 7, 7)),
            "its 'conv0.weight' has the shape (24, 6, 7, 7), expected (24, 6, 3, 3)",
        ),
        (changed("features.conv0.weight", torch.zeros(24)), "its 'conv0.weight' has the shape (24"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_architecture_is_refused_by_the_first_name_that_differs_and_nothing_is_loaded(
    tmp_path: Path, state: State, message: str
) -> None:
    path = saved(tmp_path / "w.pth", state)
    maps = build_backbone("densenet_small", 6).maps
    before = {key: value.clone() for key, value in maps.state_dict().items()}
    whole = f"{path} holds no weights of densenet_small: {message}"
    with pytest.raises(ValueError, match=re.escape(whole)):
        load_weights(maps, path, backbone="densenet_small")
    assert all(torch.equal(value, before[key]) for key, value in maps.state_dict().items())


def test_the_other_family_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.pth", small_state())
    with pytest.raises(ValueError, match=r"no weights of resnet_small: it lacks 'conv1.weight'"):
        loaded(path, "resnet_small")
