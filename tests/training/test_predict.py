"""A prediction depends on the site and its experiment, and on nothing else."""

from __future__ import annotations

import copy
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rxrx_lib.data import normalization
from rxrx_lib.data.splits import Split, few_experiments, separated, stratified, wilds
from rxrx_lib.models.adabn import experiment_statistics, group_layers, using_statistics
from rxrx_lib.models.network import Network
from rxrx_lib.training.augment import standardise
from rxrx_lib.training.hardware import Hardware
from rxrx_lib.training.pools import STATISTICS, equal_groups, require_statistics
from rxrx_lib.training.predict import experiment_names, predict
from rxrx_lib.training.sites import Sites
from tests.data.screens import screen_table
from tests.training.tiny import CLASSES, Noise, network, noise, statistics_of_noise

TABLE = screen_table(plates=2, treatments=2).assign(sirna_id=lambda t: t["sirna_id"] % CLASSES)
IMAGES = noise(len(TABLE))
NAMES = ["HUVEC-01", "HUVEC-02", "HUVEC-03", "U2OS-01", "U2OS-02"]
VALUES = ("top_logit", "embedding")
Arrays = dict[str, np.ndarray]
HARDWARE = Hardware(device="cpu", memory_for_sites=0)
small_pools = pytest.mark.filterwarnings("ignore:experiment .* noisy:UserWarning")
"""The table's plates and EMPTY wells are fewer than statistics ought to rest on."""


@pytest.fixture(scope="module")
def trained() -> Network:
    net = network(experiments=2)  # as many as the smallest table below has
    with torch.no_grad():
        for _ in range(3):  # running statistics other than 0 and 1
            net(standardise(torch.from_numpy(IMAGES.read(range(16)))))
    return net


def predicted(
    net: Network,
    split: Split,
    table: pd.DataFrame = TABLE,
    images: Noise = IMAGES,
    statistics: str = "experiment",
    by: normalization.Statistics | None = None,
    **settings: object,
) -> Arrays:
    settings = {"embeddings": True, "group_size": 4} | settings
    sites = Sites(images, by, HARDWARE)
    return predict(net, sites, table, split, classes=CLASSES, statistics=statistics, **settings)


def by_site(arrays: Arrays, name: str) -> dict[str, np.ndarray]:
    return dict(zip(arrays["site_id"].tolist(), arrays[name], strict=True))


def assert_same_predictions(a: Arrays, b: Arrays, atol: float = 2e-5) -> None:
    """Compare the sites that both hold."""
    for name in VALUES:
        one, two = by_site(a, name), by_site(b, name)
        common = one.keys() & two.keys()
        assert common
        for site in common:
            np.testing.assert_allclose(one[site], two[site], atol=atol)


@small_pools
@pytest.mark.parametrize("statistics", STATISTICS)
@pytest.mark.parametrize("sites_a_pass", [1, 3, 7])
def test_predictions_do_not_depend_on_the_sites_of_a_pass(
    trained: Network, statistics: str, sites_a_pass: int
) -> None:
    split = stratified(TABLE)
    whole = predicted(trained, split, statistics=statistics)
    parts = predicted(trained, split, statistics=statistics, sites_a_pass=sites_a_pass)
    assert whole["site_id"].tolist() == parts["site_id"].tolist()
    assert_same_predictions(whole, parts)


def test_predictions_do_not_depend_on_which_sites_are_asked_for(trained: Network) -> None:
    split = stratified(TABLE)
    few = Split(name="stratified", unit="site", train=split.train, test=split.test[1::3])
    swapped = Split(name="stratified", unit="site", train=split.test, test=split.train)
    whole = predicted(trained, split)
    assert_same_predictions(whole, predicted(trained, few, embeddings=True))
    assert_same_predictions(whole, predicted(trained, swapped))


def test_predictions_do_not_depend_on_other_experiments_in_the_table(trained: Network) -> None:
    split = stratified(TABLE)
    kept = TABLE["experiment"].isin(["HUVEC-02", "U2OS-02"]).to_numpy()
    rows = np.flatnonzero(kept)
    alone = Split(
        name="stratified",
        unit="site",
        train=np.flatnonzero(np.isin(rows, split.train)),
        test=np.flatnonzero(np.isin(rows, split.test)),
    )
    table, images = TABLE[kept].reset_index(drop=True), Noise(IMAGES.pixels[kept])
    for statistics in ("training", "experiment"):
        assert_same_predictions(
            predicted(trained, split, statistics=statistics),
            predicted(trained, alone, table, images, statistics=statistics),
        )


def test_predictions_depend_on_the_rest_of_their_own_experiment_under_adabn_only(
    trained: Network,
) -> None:
    split = stratified(TABLE)
    pixels = IMAGES.pixels.copy()
    changed = np.flatnonzero(TABLE["experiment"] == "HUVEC-01")
    changed = np.intersect1d(changed, split.train)
    pixels[changed] = pixels[changed][:, ::-1]
    for statistics, depends in (("experiment", True), ("training", False)):
        before = by_site(predicted(trained, split, statistics=statistics), "embedding")
        after = by_site(
            predicted(trained, split, images=Noise(pixels), statistics=statistics), "embedding"
        )
        for row in split.test:
            site, experiment = TABLE.loc[row, ["site_id", "experiment"]]
            same = np.allclose(before[site], after[site], atol=2e-5)
            assert same is not (depends and experiment == "HUVEC-01")


@small_pools
@pytest.mark.parametrize("statistics", STATISTICS)
@pytest.mark.parametrize("which", ["test", "all"])
def test_predictions_do_not_read_the_classes(trained: Network, statistics: str, which: str) -> None:
    split = stratified(TABLE)
    rows = split.test if which == "test" else np.arange(len(TABLE))
    order = np.random.default_rng(0).permutation(rows)
    other = TABLE.copy()
    for column in ("sirna", "sirna_id"):
        other.loc[rows, column] = TABLE[column].to_numpy()[order]
    assert not other["sirna_id"].equals(TABLE["sirna_id"])
    one = predicted(trained, split, statistics=statistics)
    two = predicted(trained, split, other, statistics=statistics)
    assert one.keys() == two.keys()
    for name in one.keys() - {"sirna_id"}:
        assert np.array_equal(one[name], two[name]), name
    assert by_site(two, "sirna_id") == dict(zip(other["site_id"], other["sirna_id"], strict=True))


def test_predictions_follow_the_definition_site_by_site(trained: Network) -> None:
    """Statistics of all of an experiment's sites, both sides, then frozen."""
    split = stratified(TABLE)
    arrays = predicted(trained, split, embeddings=False)
    logits, experiments = {}, {}
    net = copy.deepcopy(trained).train()  # the mode plays no part
    for rows in TABLE.groupby("experiment").groups.values():
        sites = standardise(torch.from_numpy(IMAGES.read(rows)))
        groups = [sites[part] for part in np.array_split(np.arange(len(rows)), len(rows) // 4)]
        with torch.no_grad(), using_statistics(net, experiment_statistics(net, groups)):
            outputs = net(sites)
        logits |= zip(TABLE.loc[rows, "site_id"], outputs.sirna.numpy(), strict=True)
        experiments |= zip(
            TABLE.loc[rows, "site_id"], outputs.experiment.argmax(1).tolist(), strict=True
        )
    assert set(arrays["site_id"]) == set(TABLE.loc[split.test, "site_id"])
    for place, site in enumerate(arrays["site_id"]):
        best_first = np.argsort(-logits[site])
        assert arrays["top_sirna_id"][place].tolist() == best_first.tolist()
        np.testing.assert_allclose(arrays["top_logit"][place], logits[site][best_first], atol=2e-5)
        assert arrays["predicted_experiment"][place] == NAMES[experiments[site]]


@pytest.mark.parametrize("statistics", ["training", "experiment"])
def test_sites_are_standardised_by_the_pixel_statistics_given(
    trained: Network, statistics: str
) -> None:
    split, by = stratified(TABLE), statistics_of_noise(len(TABLE))
    arrays = predicted(trained, split, statistics=statistics, by=by)
    sites = torch.from_numpy(normalization.standardise(IMAGES.pixels, by.mean, by.std))
    net = copy.deepcopy(trained).eval()
    for rows in TABLE.groupby("experiment").groups.values():
        groups = [sites[part] for part in np.array_split(rows, len(rows) // 4)]
        own = using_statistics(net, experiment_statistics(net, groups))
        with torch.no_grad(), own if statistics == "experiment" else nullcontext():
            embedding = dict(
                zip(TABLE.loc[rows, "site_id"], net(sites[rows]).embedding, strict=True)
            )
        for site, expected in embedding.items():
            np.testing.assert_allclose(
                by_site(arrays, "embedding")[site], expected.numpy(), atol=2e-5
            )


@pytest.mark.parametrize("embeddings", [False, True])
def test_every_side_is_predicted_and_the_training_side_only_where_embeddings_are_kept(
    trained: Network, embeddings: bool
) -> None:
    table = TABLE.assign(dataset=TABLE["dataset"].mask(TABLE["experiment"] == "U2OS-02", "val"))
    split = wilds(table)
    arrays = predicted(trained, split, table, embeddings=embeddings)
    side_of = dict(zip(arrays["site_id"], arrays["side"], strict=True))
    expected = {
        site: side
        for side, rows in split.sides.items()
        for site in table["site_id"].iloc[rows]
        if embeddings or side != "train"
    }
    assert side_of == expected
    assert set(expected.values()) == {"val", "id_test", "test"} | (
        {"train"} if embeddings else set()
    )


def test_an_experiment_of_which_nothing_is_asked_is_not_read(trained: Network) -> None:
    split = few_experiments(TABLE, "HUVEC", 1)
    pixels = IMAGES.pixels.copy()
    others = np.setdiff1d(np.arange(len(TABLE)), np.concatenate([split.train, split.test]))
    whole = TABLE["experiment"].isin(set(TABLE["experiment"].iloc[others]))
    assert whole.sum() == len(others) > 0

    class OnlyAsked(Noise):
        def read(self, rows: np.ndarray, *_: object, **__: object) -> np.ndarray:
            assert not np.isin(rows, others).any()
            return self.pixels[rows]

    arrays = predicted(trained, split, images=OnlyAsked(pixels))
    assert set(arrays["experiment"]) == set(TABLE["experiment"]) - set(TABLE["experiment"][whole])


@small_pools
@pytest.mark.parametrize("statistics", STATISTICS)
def test_the_order_of_the_tables_rows_changes_no_bit(trained: Network, statistics: str) -> None:
    order = np.random.default_rng(0).permutation(len(TABLE))
    table, images = TABLE.iloc[order].reset_index(drop=True), Noise(IMAGES.pixels[order])
    assert experiment_names(table) == experiment_names(TABLE) == NAMES
    one = predicted(trained, stratified(TABLE), statistics=statistics, group_size=5)
    two = predicted(trained, stratified(table), table, images, statistics, group_size=5)
    assert one.keys() == two.keys()
    for name in one:
        assert np.array_equal(one[name], two[name]), name


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_exact_statistics_make_the_size_of_groups_a_matter_of_rounding(
    trained: Network, precision: str
) -> None:
    def embeddings(statistics: str, group_size: int) -> np.ndarray:
        settings = {"group_size": group_size, "precision": precision}
        arrays = predicted(trained, stratified(TABLE), statistics=statistics, **settings)
        return arrays["embedding"]

    def difference(statistics: str) -> float:
        return float(np.abs(embeddings(statistics, 3) - embeddings(statistics, 12)).mean())

    assert difference("experiment_exact") < 0.01 * difference("experiment")
    one_group = np.abs(embeddings("experiment_exact", 12) - embeddings("experiment", 12))
    assert one_group.mean() < 0.1 * difference("experiment")


@small_pools
@pytest.mark.parametrize("statistics", STATISTICS)
def test_the_network_is_left_with_its_weights_and_running_statistics(
    trained: Network, statistics: str
) -> None:
    before = copy.deepcopy(trained.state_dict())
    predicted(trained, separated(TABLE), statistics=statistics)
    after = trained.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    for layer in group_layers(trained).values():
        assert layer.given is None
        assert layer.seen is None


@pytest.mark.parametrize("embeddings", [True, False])
def test_each_row_says_who_the_site_is(trained: Network, embeddings: bool) -> None:
    split = stratified(TABLE)
    arrays = predicted(trained, split, embeddings=embeddings)
    there = TABLE.set_index("site_id").loc[arrays["site_id"]]
    for column in ("well_id", "plate", "experiment", "cell_type", "well_type", "sirna_id"):
        assert arrays[column].tolist() == there[column].tolist()
    tested = set(TABLE.loc[split.test, "site_id"])
    assert [side == "test" for side in arrays["side"]] == [s in tested for s in arrays["site_id"]]
    assert len(arrays["site_id"]) == len(TABLE if embeddings else split.test)
    assert ("embedding" in arrays) is embeddings
    assert (str(arrays["split"]), str(arrays["unit"])) == ("stratified", "site")
    assert int(arrays["classes"]) == CLASSES
    assert int(arrays["experiments"]) == len(NAMES)
    assert all(array.dtype != object for array in arrays.values())


@pytest.mark.parametrize(
    ("split", "whole"),
    [
        (separated(TABLE), True),
        (stratified(TABLE, unit="well"), True),
        (stratified(TABLE, unit="site"), False),
    ],
    ids=["separated", "by well", "by site"],
)
def test_the_file_says_whether_test_wells_have_all_their_sites_on_the_test_side(
    trained: Network, split: Split, whole: bool
) -> None:
    assert predicted(trained, split, embeddings=False)["whole_wells"].item() is whole


def test_a_site_of_a_test_well_that_is_on_neither_side_makes_the_well_incomplete(
    trained: Network,
) -> None:
    split = separated(TABLE)
    few = Split(name="separated", unit="experiment", train=split.train, test=split.test[1:])
    assert predicted(trained, few)["whole_wells"].item() is False


def test_bf16_predictions_are_close_to_those_in_full_precision(trained: Network) -> None:
    split = separated(TABLE)
    full, half = predicted(trained, split), predicted(trained, split, precision="bf16")
    assert half["embedding"].dtype == np.float32
    difference = np.abs(full["embedding"] - half["embedding"]).mean()
    assert 0 < difference < 0.2 * np.abs(full["embedding"]).mean()


def without_contrast(channels: tuple[int, ...]) -> Noise:
    """Return the images with flat pictures of some channels, which standardise to 0."""
    pixels = IMAGES.pixels.copy()
    pixels[:, [channel - 1 for channel in channels]] = 7
    return Noise(pixels)


@small_pools
@pytest.mark.parametrize("statistics", STATISTICS)
def test_a_masked_channel_is_one_without_contrast_in_statistics_and_prediction(
    trained: Network, statistics: str
) -> None:
    split, masked = stratified(TABLE), (2, 6)
    found = predicted(trained, split, statistics=statistics, masked=masked)
    flat = predicted(trained, split, images=without_contrast(masked), statistics=statistics)
    assert_same_predictions(found, flat)
    seen = predicted(trained, split, statistics=statistics)
    assert np.abs(found["embedding"] - seen["embedding"]).max() > 0.01


def test_a_mask_leaves_sites_that_are_kept_as_they_are(trained: Network) -> None:
    sites = Sites(IMAGES, None, Hardware(device="cpu"))
    wanted = {"classes": CLASSES, "statistics": "experiment", "group_size": 4}
    before = predict(trained, sites, TABLE, separated(TABLE), **wanted)
    masked = predict(trained, sites, TABLE, separated(TABLE), masked=(1, 2, 3), **wanted)
    after = predict(trained, sites, TABLE, separated(TABLE), **wanted)
    np.testing.assert_array_equal(before["top_logit"], after["top_logit"])
    assert not np.array_equal(before["top_logit"], masked["top_logit"])


@pytest.mark.parametrize("statistics", ["experiment", "experiment_exact"])
def test_the_part_that_does_not_adapt_keeps_to_its_running_statistics(
    trained: Network, statistics: str
) -> None:
    """What the whole network gives, had its other layers been given their running statistics."""
    split = separated(TABLE)
    wanted = {"statistics": statistics, "embeddings": False}
    whole = predicted(trained, split, **wanted, adapts="all")
    assert_same_logits(whole, predicted(trained, split, **wanted))
    frozen = copy.deepcopy(trained)
    for name, layer in group_layers(frozen).items():
        if not name.startswith("neck."):  # a layer that cannot adapt, whatever is asked
            frozen.set_submodule(name, fixed(layer))
    expected = predicted(frozen, split, **wanted)
    neck = predicted(trained, split, **wanted, adapts="neck")
    assert_same_logits(neck, expected)
    assert not np.allclose(neck["top_logit"], whole["top_logit"], atol=1e-3)
    trunk = predicted(trained, split, **wanted, adapts="trunk")
    assert not np.allclose(trunk["top_logit"], whole["top_logit"], atol=1e-3)


def assert_same_logits(a: Arrays, b: Arrays) -> None:
    np.testing.assert_allclose(a["top_logit"], b["top_logit"], atol=2e-5)


def fixed(layer: torch.nn.Module) -> torch.nn.Module:
    """Return PyTorch's own layer with a layer's weights and running statistics, for good."""
    made = torch.nn.BatchNorm2d(len(layer.weight), eps=layer.epsilon)
    made.weight, made.bias = layer.weight, layer.bias
    made.running_mean, made.running_var = layer.running_mean, layer.running_variance
    return made.eval()


def test_a_network_of_some_channels_is_masked_by_their_names(trained: Network) -> None:
    small = copy.deepcopy(trained)
    stem = small.backbone.conv0
    stem.weight = torch.nn.Parameter(stem.weight[:, [1, 4]])
    sites = Sites(IMAGES, None, HARDWARE, channels=(2, 5))
    wanted = {"classes": CLASSES, "statistics": "training", "group_size": 4}
    found = predict(small, sites, TABLE, separated(TABLE), masked=(5,), **wanted)
    whole = predicted(
        trained, separated(TABLE), statistics="training", masked=(1, 3, 4, 5, 6), embeddings=False
    )
    np.testing.assert_allclose(found["top_logit"], whole["top_logit"], atol=2e-5)
    with pytest.raises(ValueError, match="masked channel 3 is none of the channels 2, 5 that the"):
        predict(small, sites, TABLE, separated(TABLE), masked=(3,), **wanted)


def test_unknown_statistics_list_the_known_ones(trained: Network) -> None:
    with pytest.raises(ValueError, match="'row'; choose one of training, experiment, exper"):
        predicted(trained, separated(TABLE), statistics="row")


def test_an_odd_number_of_sites_is_predicted_in_groups_of_two(trained: Network) -> None:
    table, images = TABLE.iloc[1:].reset_index(drop=True), Noise(IMAGES.pixels[1:])
    assert (table["experiment"] == "HUVEC-01").sum() == 11
    arrays = predicted(trained, separated(table), table, images, group_size=2)
    assert np.isfinite(arrays["embedding"]).all()


def test_an_experiment_of_one_site_is_refused_where_it_would_have_to_be_normalised_by_itself(
    trained: Network,
) -> None:
    rows = np.flatnonzero(TABLE["experiment"] != "U2OS-02").tolist()
    table = TABLE.iloc[[*rows, len(TABLE) - 1]].reset_index(drop=True)
    images = Noise(IMAGES.pixels[[*rows, len(TABLE) - 1]])
    for statistics in ("experiment", "experiment_exact"):
        with pytest.raises(ValueError, match=r"experiment U2OS-02 has 1 site; .* at least 2"):
            predicted(trained, separated(table), table, images, statistics)
    require_statistics(table, "training")
    arrays = predicted(trained, separated(table), table, images, "training")
    assert "U2OS-02" in arrays["experiment"]


@given(n=st.integers(1, 300), group_size=st.integers(2, 64))
def test_groups_keep_the_order_and_differ_by_one_site_at_most(n: int, group_size: int) -> None:
    groups = equal_groups(np.arange(n), group_size)
    sizes = [len(group) for group in groups]
    assert np.array_equal(np.concatenate(groups), np.arange(n))
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 2 or n == 1
    assert n < group_size or group_size / 2 <= max(sizes) <= 1.5 * group_size + 1


@given(n=st.integers(1, 300), group_size=st.integers(3, 64))
def test_there_are_as_many_groups_as_come_closest_to_their_size(n: int, group_size: int) -> None:
    assert len(equal_groups(np.arange(n), group_size)) == max(1, round(n / group_size))
