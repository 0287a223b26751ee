"""What is known of a site without a network, against the table and sums of the pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from rxrx_lib.data import nuclei
from rxrx_lib.study import rival_features
from rxrx_lib.study.screens import open_screen
from tests.study.tiny import RELEASE


def test_a_place_is_a_row_a_column_a_well_and_a_plate() -> None:
    wells = {"well": ["B02", "B03", "C02", "B02"], "plate": [1, 1, 1, 2]}
    position = rival_features.position(pd.DataFrame(wells))
    #           B  C  02 03 B02 B03 C02 1  2
    expected = [
        [1, 0, 1, 0, 1, 0, 0, 1, 0],
        [1, 0, 0, 1, 0, 1, 0, 1, 0],
        [0, 1, 1, 0, 0, 0, 1, 1, 0],
        [1, 0, 1, 0, 1, 0, 0, 0, 1],
    ]
    assert position.astype(int).tolist() == expected


def test_a_place_says_nothing_of_experiment_siRNA_or_site(release: Path) -> None:
    table = open_screen(RELEASE, release).table
    same = table.assign(experiment="A", sirna_id=0, site=1, well_type="treatment")
    expected = rival_features.position(table)
    np.testing.assert_array_equal(rival_features.position(same), expected)


def test_intensities_are_means_of_pixels_and_counts_those_of_the_nuclear_stain(
    release: Path,
) -> None:
    screen = open_screen(RELEASE, release)
    found = rival_features.of_screen(screen, RELEASE)
    pixels = screen.images.read(range(len(screen.table)))
    np.testing.assert_allclose(found.intensity, pixels.mean((2, 3)), rtol=1e-6)
    np.testing.assert_array_equal(found.nuclei[:, 0], nuclei.count(pixels[:, 0], 1.0))
    assert found.experiment.tolist() == screen.table["experiment"].tolist()


def test_squares_and_products_are_of_features_standardised_by_training_rows() -> None:
    values = np.random.default_rng(0).normal(5, 2, (9, 3)).astype(np.float32)
    values[:, 2] = 4  # constant
    train = np.arange(6)
    found = rival_features.quadratic(values, train)
    x = (values - values[:6].mean(0)) / np.where(values[:6].std(0) > 0, values[:6].std(0), 1)
    a, b, c = x.T
    expected = np.stack([a, b, c, a * a, a * b, a * c, b * b, b * c, c * c], 1)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert not found[:, [2, 5, 7, 8]].any()


def test_each_predictor_has_its_features_and_standardising_is_within_the_experiment() -> None:
    draw = np.random.default_rng(1)
    experiment = np.repeat(["A", "B"], 10)
    shift, factor = np.repeat([0, 30], 10)[:, np.newaxis], np.repeat([1, 3], 10)[:, np.newaxis]
    intensity = (draw.normal(50, 5, (20, 6)) * factor + shift).astype(np.float32)
    count = draw.integers(3, 30, (20, 1)).astype(np.float32)
    position = np.eye(20, dtype=np.float32)
    sites = rival_features.SiteFeatures(position, count, intensity, experiment)
    found = rival_features.by_predictor(sites, np.arange(10))
    widths = {name: each.shape[1] for name, each in found.items()}
    assert widths == {
        "position": 20,
        "cell_count": 2,
        "cell_count_standardised": 2,
        "intensity": 6 + 21,
        "intensity_standardised": 6 + 21,
        "both_standardised": 7 + 28,
    }
    undone = sites._replace(intensity=((intensity - shift) / factor).astype(np.float32))
    again = rival_features.by_predictor(undone, np.arange(10))
    name = "intensity_standardised"
    np.testing.assert_allclose(found[name], again[name], atol=1e-3)
    assert not np.allclose(found["intensity"], again["intensity"], atol=1e-3)
