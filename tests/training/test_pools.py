"""Sites are normalised by sites of their own experiment, chosen by design and never by label."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rxrx_lib.data.splits import Split, separated, stratified
from rxrx_lib.models.adabn import GroupBatchNorm, experiment_statistics, using_statistics
from rxrx_lib.models.exact_statistics import exact_experiment_statistics
from rxrx_lib.models.network import Network
from rxrx_lib.training.augment import standardise
from rxrx_lib.training.hardware import Hardware
from rxrx_lib.training.pools import (
    FEWEST_SITES,
    STATISTICS,
    Pool,
    equal_groups,
    pools,
    require_one_experiment,
    require_statistics,
    sites_in_order,
)
from rxrx_lib.training.predict import predict
from rxrx_lib.training.sites import Sites
from tests.data.screens import screen_table
from tests.training.tiny import CLASSES, network, noise

FULL = screen_table(plates=4, treatments=8, positives=2)
EXPERIMENTS = FULL["experiment"].to_numpy(dtype=str)
KINDS = {"controls": ("positive_control", "negative_control"), "empty": ("negative_control",)}
every_way = pytest.mark.parametrize("statistics", STATISTICS)
LABELS = ["sirna", "sirna_id"]


@st.composite
def asked(draw: st.DrawFn) -> tuple[pd.DataFrame, np.ndarray, str, int]:
    """Draw a table in any order and without some sites, what is wanted, and how."""
    order = np.random.default_rng(draw(st.integers(0, 10**6))).permutation(len(FULL))
    kept = order[: draw(st.integers(len(FULL) // 2, len(FULL)))]
    table = FULL.iloc[kept].reset_index(drop=True)
    wanted = draw(st.lists(st.integers(0, len(table) - 1), min_size=2, unique=True))
    return table, np.array(wanted), draw(st.sampled_from([*STATISTICS])), draw(st.integers(2, 20))


def all_pools(table: pd.DataFrame, wanted: np.ndarray, statistics: str, size: int) -> Iterator:
    """Give each experiment with its pools, but those of whose sites one alone is wanted."""
    for name in sorted(set(table["experiment"].iloc[wanted])):
        if (table["experiment"].iloc[wanted] == name).sum() > 1:
            yield name, pools(table, name, wanted, statistics, size)


@settings(deadline=None, max_examples=40)
@given(asked=asked())
def test_each_wanted_site_is_asked_for_once_in_the_order_of_names(asked: tuple) -> None:
    table, wanted, statistics, size = asked
    for name, found in all_pools(table, wanted, statistics, size):
        rows = np.concatenate([pool.asked for pool in found])
        of_it = [row for row in wanted if table["experiment"].iloc[row] == name]
        assert sorted(rows) == sorted(of_it)
        for pool in [Pool(rows, rows)] if statistics != "plate" else found:
            names = table["site_id"].iloc[pool.asked].tolist()
            assert names == sorted(names)


@settings(deadline=None, max_examples=40)
@given(asked=asked())
def test_members_are_what_the_word_says_of_the_sites_own_experiment(asked: tuple) -> None:
    table, wanted, statistics, size = asked
    for name, found in all_pools(table, wanted, statistics, size):
        of_it = table[table["experiment"] == name]
        for pool in found:
            if statistics == "training":
                expected = of_it.iloc[:0]
            elif statistics == "minibatch":
                expected = table.iloc[pool.asked]
                assert 2 <= len(pool.asked) <= max(2 * size, 3)
            elif statistics == "plate":
                (plate,) = set(table["plate"].iloc[pool.asked])
                expected = of_it[of_it["plate"] == plate]
            else:
                kinds = KINDS.get(statistics, tuple(set(FULL["well_type"])))
                expected = of_it[of_it["well_type"].isin(kinds)]
            assert sorted(pool.members) == sorted(expected.index)
            assert len(set(pool.members.tolist())) == len(pool.members)
            require_one_experiment(pool, table["experiment"].to_numpy(dtype=str))


@settings(deadline=None, max_examples=40)
@given(asked=asked())
def test_no_label_is_read(asked: tuple) -> None:
    table, wanted, statistics, size = asked
    unlabelled = table.drop(columns=LABELS)
    without = all_pools(unlabelled, wanted, statistics, size)
    for (name, one), (other, two) in zip(
        all_pools(table, wanted, statistics, size), without, strict=True
    ):
        assert name == other
        for mine, theirs in zip(one, two, strict=True):
            assert np.array_equal(mine.asked, theirs.asked)
            assert np.array_equal(mine.members, theirs.members)


@settings(deadline=None, max_examples=40)
@given(asked=asked())
def test_which_sites_are_wanted_changes_no_pool_but_the_minibatches(asked: tuple) -> None:
    table, wanted, statistics, size = asked
    if statistics in ("training", "minibatch"):
        return
    everything = np.arange(len(table))
    for name, found in all_pools(table, wanted, statistics, size):
        whole = {tuple(p.members) for p in pools(table, name, everything, statistics, size)}
        assert {tuple(pool.members) for pool in found} <= whole


@pytest.mark.parametrize("part", ["asked", "members"])
def test_a_site_of_another_experiment_is_refused_by_both_names(part: str) -> None:
    (pool,) = pools(FULL, "U2OS-01", np.arange(len(FULL)), "experiment", 4)
    require_one_experiment(pool, EXPERIMENTS)
    stranger = sites_in_order(FULL, "HUVEC-02")[:1]
    mixed = pool._replace(**{part: np.append(getattr(pool, part), stranger)})
    with pytest.raises(ValueError, match="some of experiment HUVEC-02 and some of U2OS-01; stat"):
        require_one_experiment(mixed, EXPERIMENTS)


def test_a_prediction_refuses_a_pool_of_two_experiments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mixed(table: pd.DataFrame, name: str, wanted: np.ndarray, *more: object) -> list[Pool]:
        whole = sites_in_order(table, name)
        return [Pool(whole, np.append(whole, sites_in_order(table, "U2OS-02")[:1]))]

    monkeypatch.setattr("rxrx_lib.training.predict.pools", mixed)
    with pytest.raises(ValueError, match="some of experiment HUVEC-01 and some of U2OS-02"):
        arrays("experiment", separated(TABLE))


def with_sites(kinds: dict[str, int], plates: int = 1) -> pd.DataFrame:
    """Return two experiments, the second cut to so many sites of each kind on each plate."""
    table = screen_table({"RPE-01": "train", "RPE-02": "test"}, treatments=9 * plates, positives=4)
    table = table[table["plate"] <= plates]
    place = table.groupby(["experiment", "plate", "well_type"]).cumcount()
    most = table["well_type"].map(kinds)
    kept = (table["experiment"] == "RPE-01") | (place < most)
    return table[kept].reset_index(drop=True)


def kinds(treatment: int = 9, positive_control: int = 8, negative_control: int = 2) -> dict:
    return {
        "treatment": treatment,
        "positive_control": positive_control,
        "negative_control": negative_control,
    }


@pytest.mark.parametrize(
    ("statistics", "table", "told"),
    [
        ("experiment", with_sites(kinds(5, 0, 0)), "experiment RPE-02 has 5 sites, "),
        ("experiment_exact", with_sites(kinds(5, 0, 2)), "experiment RPE-02 has 7 sites, "),
        ("controls", with_sites(kinds(9, 3, 2)), "experiment RPE-02 has 5 control sites, "),
        ("empty", with_sites(kinds(), 4), None),
        ("empty", with_sites(kinds(negative_control=1), 4), "RPE-02 has 4 EMPTY sites, "),
        ("plate", with_sites(kinds(2, 2, 2), 2), "has 6 sites on one of its plates, "),
        ("plate", with_sites(kinds(4, 4, 0), 2), None),
    ],
)
def test_fewer_sites_than_the_stated_minimum_warn_and_enough_do_not(
    statistics: str, table: pd.DataFrame, told: str | None
) -> None:
    if told is None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            require_statistics(table, statistics)
        return
    expected = rf"{told}and so few or less than {FEWEST_SITES} have \d of 2 experiments"
    with pytest.warns(UserWarning, match=expected):
        require_statistics(table, statistics)


@pytest.mark.parametrize(
    ("statistics", "table", "told"),
    [
        ("experiment", with_sites(kinds(1, 0, 0)), "RPE-02 has 1 site; statistics experiment need"),
        ("controls", with_sites(kinds(9, 0, 1)), "has 1 control site; statistics controls need"),
        ("controls", with_sites(kinds(9, 0, 0)), "has 0 control sites; statistics controls need"),
        ("empty", with_sites(kinds(9, 8, 0)), "has 0 EMPTY sites; statistics empty need at leas"),
        ("plate", with_sites(kinds(1, 0, 0)), "has 1 site on one of its plates; statistics plate"),
    ],
)
def test_fewer_than_two_sites_are_refused(statistics: str, table: pd.DataFrame, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        require_statistics(table, statistics)


@pytest.mark.parametrize("statistics", ["training", "minibatch"])
def test_ways_that_rest_on_no_whole_experiment_ask_for_no_minimum(statistics: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        require_statistics(with_sites(kinds(1, 0, 0)), statistics)


def test_a_minibatch_of_one_site_is_refused() -> None:
    with pytest.raises(ValueError, match="experiment HUVEC-01 has 1 site to be predicted; stat"):
        pools(FULL, "HUVEC-01", sites_in_order(FULL, "HUVEC-01")[:1], "minibatch", 4)


# Predictions under each way, against statistics that are gathered by hand.

TABLE = screen_table(plates=2, treatments=6).assign(sirna_id=lambda t: t["sirna_id"] % CLASSES)
IMAGES = noise(len(TABLE))
GROUP = 4
SETTINGS = {"classes": CLASSES, "group_size": GROUP, "embeddings": True}


@pytest.fixture(scope="module")
def trained() -> Network:
    net = network(experiments=5)
    with torch.no_grad():
        net(standardise(torch.from_numpy(IMAGES.read(range(16)))))
    return net.eval()


def arrays(statistics: str, split: Split, net: Network | None = None) -> dict[str, np.ndarray]:
    sites = Sites(IMAGES, None, Hardware(device="cpu"))
    net = net or network(experiments=5)
    return predict(net, sites, TABLE, split, statistics=statistics, **SETTINGS)


def by_hand(statistics: str, row: int) -> list[int]:
    """Return the positions of the sites that one is normalised by, from the definition alone."""
    of_it = TABLE[TABLE["experiment"] == TABLE["experiment"].iloc[row]].sort_values("site_id")
    chosen = {
        "plate": of_it["plate"] == TABLE["plate"].iloc[row],
        "controls": of_it["well_type"].isin(["positive_control", "negative_control"]),
        "empty": of_it["well_id"].str.endswith("B02"),
    }
    return (of_it[chosen[statistics]] if statistics in chosen else of_it).index.tolist()


@pytest.mark.filterwarnings("ignore:experiment .* noisy:UserWarning")
@every_way
def test_a_prediction_is_that_under_statistics_of_exactly_its_pool(
    trained: Network, statistics: str
) -> None:
    split = stratified(TABLE)
    found = arrays(statistics, split, trained)
    embedding = dict(zip(found["site_id"], found["embedding"], strict=True))
    x = standardise(torch.from_numpy(IMAGES.pixels))
    for row in (*split.test[::3], *split.train[::7]):
        with torch.no_grad():
            if statistics == "training":
                expected = trained(x[[row]]).embedding[0]
            elif statistics == "minibatch":
                groups = equal_groups(by_hand("minibatch", row), GROUP)
                (mine,) = (group for group in groups if row in group)
                with using_statistics(trained, experiment_statistics(trained, [x[mine]])):
                    expected = trained(x[[row]]).embedding[0]
            else:
                groups = [x[g] for g in equal_groups(by_hand(statistics, row), GROUP)]
                measured = (
                    exact_experiment_statistics(trained, lambda g=groups: g)
                    if statistics == "experiment_exact"
                    else experiment_statistics(trained, groups)
                )
                with using_statistics(trained, measured):
                    expected = trained(x[[row]]).embedding[0]
        name = TABLE["site_id"].iloc[row]
        np.testing.assert_allclose(embedding[name], expected.numpy(), atol=2e-5)


@pytest.mark.filterwarnings("ignore:experiment .* noisy:UserWarning")
@pytest.mark.parametrize("statistics", [name for name in STATISTICS if name != "minibatch"])
def test_a_network_of_one_layer_normalises_as_f_batch_norm_does_with_the_pools_moments(
    statistics: str,
) -> None:
    net = network(experiments=5).eval()
    layer = GroupBatchNorm(6, GROUP)
    with torch.no_grad():
        layer.running_mean.uniform_(-1, 1)
        layer.running_variance.uniform_(0.5, 2)
    net.backbone = layer
    net.neck = nn.Sequential()  # the embedding is the mean of the normalised pixels
    net.sirna_head, net.experiment_head = nn.Linear(6, CLASSES), nn.Linear(6, 5)
    pixels = IMAGES.pixels.astype(np.float64) * np.linspace(1, 3, 6)[:, None, None]
    x = torch.from_numpy(pixels).float()

    class Raw(Sites):  # sites that are standardised each by itself all have the same moments
        def minibatches(self, steps):
            return ((np.ravel(step), x[np.ravel(step)]) for step in steps)

    sites = Raw(IMAGES, None, Hardware(device="cpu", memory_for_sites=0))
    split = stratified(TABLE)
    found = predict(net, sites, TABLE, split, statistics=statistics, **SETTINGS)
    embedding = dict(zip(found["site_id"], found["embedding"], strict=True))
    for row in split.test[::2]:
        if statistics == "training":
            mean, variance = layer.running_mean, layer.running_variance
        else:
            values = pixels[by_hand(statistics, row)]
            mean, variance = (
                torch.from_numpy(moment((0, 2, 3))).float() for moment in (values.mean, values.var)
            )
        expected = F.batch_norm(x[[row]], mean, variance, eps=layer.epsilon).mean((2, 3))[0]
        name = TABLE["site_id"].iloc[row]
        np.testing.assert_allclose(embedding[name], expected.numpy(), rtol=1e-3, atol=1e-4)
