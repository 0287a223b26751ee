"""The stages between a spec and a network: plan, targets, initial weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import DenseNet

from rxrx_lib.data.normalization import NORMALIZATIONS, Statistics
from rxrx_lib.models.methods import METHODS, paper_network
from rxrx_lib.models.network import Network
from rxrx_lib.study import runs, stages
from rxrx_lib.study.screens import Screen, make_split, open_screen
from rxrx_lib.study.spec import NetworkSpec, RunSpec
from rxrx_lib.training.attempts import Attempts
from rxrx_lib.training.hardware import Hardware, prepared
from rxrx_lib.training.progress import LossNotFinite
from tests.study.tiny import BY_SITE, BY_WELL, NETWORK, RELEASE, SEPARATED, run_spec


@pytest.fixture(scope="module")
def screen(release: Path) -> Screen:
    return open_screen(RELEASE, release)


@pytest.mark.parametrize("split_spec", [SEPARATED, BY_SITE, BY_WELL], ids=lambda s: s.unit)
@pytest.mark.parametrize("method", METHODS)
def test_groups_hold_one_experiment_where_the_method_says_so_and_training_sites_only(
    screen: Screen, method: str, split_spec: object
) -> None:
    spec = run_spec(method, split_spec, group_size=4)
    split = make_split(screen.table, spec.split)
    plan = stages.minibatch_plan(METHODS[method], spec, screen, split)
    experiments = screen.table["experiment"].to_numpy()
    for epoch in (0, 1):
        rows = plan(epoch)
        assert rows.shape == (len(rows), 2, 4)
        assert set(rows.ravel()) <= set(split.train)
        per_group = [len(set(experiments[group])) for step in rows for group in step]
        assert (max(per_group) == 1) is METHODS[method].grouped
    assert not np.array_equal(plan(0), plan(1))
    assert np.array_equal(plan(1), stages.minibatch_plan(METHODS[method], spec, screen, split)(1))


def test_targets_are_the_tables_classes_and_the_sorted_experiments(screen: Screen) -> None:
    spec = run_spec()
    targets = stages.targets(spec, screen, make_split(screen.table, spec.split))
    train = make_split(screen.table, spec.split).train
    assert targets.sirna[train].tolist() == screen.table["sirna_id"].iloc[train].tolist()
    assert set(np.delete(targets.sirna, train)) == {-1}
    names = sorted(set(screen.table["experiment"]))
    assert [names[i] for i in targets.experiment] == screen.table["experiment"].tolist()


def test_shuffled_labels_permute_the_training_sites_classes_and_nothing_else(
    screen: Screen,
) -> None:
    spec = run_spec(labels="shuffled")
    split = make_split(screen.table, spec.split)
    true = stages.targets(run_spec(), screen, split)
    shuffled = stages.targets(spec, screen, split)
    assert np.array_equal(shuffled.experiment, true.experiment)
    assert np.array_equal(shuffled.sirna[split.test], true.sirna[split.test])
    before, after = true.sirna[split.train], shuffled.sirna[split.train]
    assert sorted(before) == sorted(after)
    assert (before == after).mean() < 0.5
    other = stages.targets(run_spec(labels="shuffled", seed=1), screen, split)
    assert not np.array_equal(other.sirna, shuffled.sirna)
    there = screen.table["sirna_id"].to_numpy()
    assert there[split.train].tolist() == before.tolist()  # the table is left as it was


def test_self_asks_for_no_statistics_and_makes_no_pass_over_the_pixels(screen: Screen) -> None:
    spec = run_spec()
    nowhere = screen._replace(root=Path("nowhere"), images=None)
    assert stages.normalised(spec, nowhere, make_split(screen.table, spec.split)) is nowhere


@pytest.mark.parametrize("normalization", [name for name in NORMALIZATIONS if name != "self"])
def test_sites_are_normalised_without_labels_by_their_plates_experiments_or_training_side(
    screen: Screen, normalization: str
) -> None:
    spec = run_spec(normalization=normalization)
    split = make_split(screen.table, spec.split)
    unlabelled = screen._replace(table=screen.table.drop(columns=["sirna", "sirna_id"]))
    found = stages.normalised(spec, unlabelled, split).pixel_statistics
    scope, sites = normalization.split("_")
    counts = np.full(len(screen.table), sites == "all") | (screen.table["well_type"] != "treatment")
    for row in (split.train[0], split.test[0], split.test[-1]):
        pool = counts & np.isin(np.arange(len(screen.table)), split.train)
        if scope != "training":
            keys = ["experiment", "plate"] if scope == "plate" else ["experiment"]
            pool = counts & (screen.table[keys] == screen.table.loc[row, keys]).all(axis=1)
        pixels = screen.images.read(np.flatnonzero(pool)).astype(np.float64)
        np.testing.assert_allclose(found.mean[row], pixels.mean((0, 2, 3)), rtol=1e-12)
        np.testing.assert_allclose(found.std[row], pixels.std((0, 2, 3)), rtol=1e-12)


def test_every_method_starts_from_the_seeds_weights(screen: Screen) -> None:
    state = torch.random.get_rng_state()
    weights = [stages.build(METHODS[m], run_spec(m), screen).state_dict() for m in METHODS]
    assert torch.equal(torch.random.get_rng_state(), state)
    for other in weights[1:]:
        assert all(torch.equal(other[key], weights[0][key]) for key in weights[0])
    seeded = stages.build(METHODS["baseline"], run_spec(seed=1), screen).state_dict()
    assert not torch.equal(seeded["neck.0.weight"], weights[0]["neck.0.weight"])


def test_the_heads_fit_the_screen(screen: Screen) -> None:
    network = stages.build(METHODS["adabn"], run_spec("adabn"), screen)
    assert network.sirna_head.out_features == 1139
    assert network.experiment_head[-1].out_features == screen.table["experiment"].nunique() == 51


def test_a_methods_own_way_of_building_is_used_with_the_papers_settings(screen: Screen) -> None:
    asked: dict[str, object] = {}

    def build(**settings: object) -> Network:
        asked.update(settings)
        return paper_network(**settings)

    own = dataclasses.replace(METHODS["gradient_reversal"], name="own", build=build)
    network = stages.build(own, run_spec("gradient_reversal"), screen)
    assert network.reverses
    assert asked == {
        "backbone": "densenet_small",
        "channels": 6,
        "classes": 1139,
        "experiments": 51,
        "embedding": 8,
        "group_size": 8,
        "reverses": True,
        "head_layers": 1,
        "head_width": 0,
        "weights": None,
        "weights_sha256": "",
    }


def test_a_run_of_some_channels_has_a_network_and_sites_of_these(screen: Screen) -> None:
    chosen = dataclasses.replace(run_spec(normalization="plate_all"), channels=(2, 6))
    every = run_spec(normalization="plate_all")
    split = make_split(screen.table, chosen.split)
    network = stages.build(METHODS["baseline"], chosen, screen)
    assert network.backbone.conv0.in_channels == 2
    steps = [split.train[:4]]
    given = []
    for spec in (chosen, every):
        seen = stages.normalised(spec, screen, split)
        with prepared(Hardware(device="cpu")) as hardware:
            ((_, x),) = stages.sites(spec, seen, hardware).minibatches(steps)
        given.append(x)
    torch.testing.assert_close(given[0], given[1][:, [1, 5]])
    assert network.eval()(given[0]).sirna.shape == (4, 1139)


def test_a_screen_that_the_trained_network_could_not_predict_is_refused(screen: Screen) -> None:
    left_out = np.flatnonzero(screen.table["experiment"] == "RPE-11")[1:]
    cut = screen._replace(table=screen.table.drop(index=left_out).reset_index(drop=True))
    spec = run_spec("adabn")
    split = make_split(cut.table, spec.split)
    with pytest.raises(ValueError, match="experiment RPE-11 has 1 site; statistics experiment"):
        stages.require_trainable(METHODS["adabn"], spec, cut, split)


def weights_of(path: Path, *, layers: int = 2) -> str:
    """Write a file of weights for densenet_small, and return its SHA-256."""
    network = DenseNet(16, (layers,), 24, bn_size=2)
    network.features.conv0 = torch.nn.Conv2d(3, 24, 3, stride=2, padding=1, bias=False)
    torch.save(network.state_dict(), path)
    return runs.file_sha256(path)


def starting_from(sha256: str) -> RunSpec:
    return run_spec(network=dataclasses.replace(NETWORK, weights_sha256=sha256))


def test_a_spec_that_names_weights_starts_from_the_file_and_another_does_not_look_at_it(
    screen: Screen, tmp_path: Path
) -> None:
    path = tmp_path / "w.pth"
    spec, baseline = starting_from(weights_of(path)), METHODS["baseline"]
    stored = torch.load(path, weights_only=True)["features.denseblock1.denselayer1.conv1.weight"]
    fresh = stages.build(baseline, run_spec(), screen).state_dict()
    same = stages.build(baseline, run_spec(), screen, weights=Path("nowhere")).state_dict()
    given = stages.build(baseline, spec, screen, weights=path).state_dict()
    assert torch.equal(given["backbone.denseblock1.denselayer1.conv1.weight"], stored)
    assert all(torch.equal(same[key], fresh[key]) for key in fresh)
    heads = [key for key in fresh if not key.startswith("backbone")]
    assert all(torch.equal(given[key], fresh[key]) for key in heads)


def test_a_spec_that_names_weights_is_not_built_without_its_very_file(
    screen: Screen, tmp_path: Path
) -> None:
    path = tmp_path / "w.pth"
    spec, baseline = starting_from(weights_of(path)), METHODS["baseline"]
    with pytest.raises(ValueError, match="and no file of weights is given; give the file of that"):
        stages.build(baseline, spec, screen)
    weights_of(path)  # drawn anew
    with pytest.raises(ValueError, match=f"expected {spec.network.weights_sha256}; give the very"):
        stages.build(baseline, spec, screen, weights=path)
    with pytest.raises(ValueError, match=r"w\.pth holds no weights of densenet_small: it lacks"):
        stages.build(baseline, starting_from(weights_of(path, layers=1)), screen, weights=path)
    with pytest.raises(FileNotFoundError, match=r"absent\.pth is no file of weights"):
        stages.build(baseline, spec, screen, weights=tmp_path / "absent.pth")


def test_pictures_too_small_for_the_backbone_are_refused_before_training(screen: Screen) -> None:
    assert screen.images.image_size < 32
    spec = run_spec(network=NetworkSpec(embedding=8))
    with pytest.raises(ValueError, match="'densenet161', which makes one feature of 32 × 32"):
        stages.build(METHODS["baseline"], spec, screen)


def test_the_experiment_head_is_as_the_spec_says(screen: Screen) -> None:
    network = dataclasses.replace(NETWORK, head_layers=2, head_width=5)
    head = stages.build(METHODS["baseline"], run_spec(network=network), screen).experiment_head
    assert [layer.out_features for layer in head[::2]] == [5, 5, 51]


def test_a_tested_class_without_a_training_site_is_refused_by_name(screen: Screen) -> None:
    spec = run_spec()
    split = make_split(screen.table, spec.split)
    table = screen.table.copy()
    table.loc[split.test[:3], "sirna_id"] = 77
    assert 77 not in set(table["sirna_id"].iloc[split.train])
    with pytest.raises(ValueError, match="sirna_id 77 is tested in the split separated and has no"):
        stages.require_trainable(METHODS["baseline"], spec, screen._replace(table=table), split)


def test_an_experiment_that_does_not_fill_a_group_is_refused_before_training(
    screen: Screen,
) -> None:
    spec = run_spec("adabn", group_size=500, groups=1)
    split = make_split(screen.table, spec.split)
    with pytest.raises(ValueError, match=r"experiment \S+ has \d+ training sites; .* 500"):
        stages.require_trainable(METHODS["adabn"], spec, screen, split)


def test_a_loss_that_is_nan_is_told_with_the_names_of_its_sites(
    screen: Screen, tmp_path: Path
) -> None:
    spec = run_spec()
    split = make_split(screen.table, spec.split)
    plan = stages.minibatch_plan(METHODS["baseline"], spec, screen, split)
    bad = plan(0)[1, 0]  # a group of the second step
    mean, std = np.zeros((len(screen.table), 6)), np.ones((len(screen.table), 6))
    mean[bad[0]] = np.nan
    screen = screen._replace(pixel_statistics=Statistics(mean=mean, std=std))
    hardware, run = Hardware(device="cpu"), runs.open_run(tmp_path, spec)
    work = stages.Work(spec, screen, split, stages.sites(spec, screen, hardware))
    network = stages.build(METHODS["baseline"], spec, screen)
    with pytest.raises(LossNotFinite, match=r"epoch 0, step 1 .*There: ") as told:
        stages.train(network, work, hardware, run, Attempts({}))
    names = set(screen.table["site_id"].iloc[bad])
    listed = str(told.value).partition("There: ")[2].partition(" and ")[0].split(", ")
    assert set(listed) <= names
    assert len(listed) == 5
