from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from rxrx_lib.data.simulator import ScreenSpec, Site, TechnicalEffects, draw_truth, render_site
from rxrx_lib.data.simulator.cell_types import CELL_TYPES
from rxrx_lib.data.simulator.cells import Cells, draw_cells
from rxrx_lib.data.simulator.phenotypes import NAMES
from rxrx_lib.data.simulator.render import site_cells
from rxrx_lib.data.simulator.stains import paint

SPEC = ScreenSpec(seed=2, image_size=32, pixel_size=8.0)
EMPTY = Site("SIM-HUVEC-01", 1, "B02", 1, SPEC.classes - 1)
NO_PHENOTYPE = np.zeros(len(NAMES))


def some_cells(seed: int = 0, side: float = 512.0, **log_traits: float) -> Cells:
    phenotype = np.array([log_traits.get(name, 0.0) for name in NAMES])
    kind = replace(CELL_TYPES["HUVEC"], clumping=0.0)
    return draw_cells(kind, side, phenotype, NO_PHENOTYPE, 0.0, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("image_size", "pixel_size"), [(16, 4.0), (33, 4.0), (70, 1.0), (130, 2.5), (64, 16.0)]
)
def test_pictures_have_the_size_asked_for_and_some_contrast(
    image_size: int, pixel_size: float
) -> None:
    spec = ScreenSpec(seed=2, image_size=image_size, pixel_size=pixel_size, technical=0.0)
    picture = render_site(draw_truth(spec), EMPTY)
    assert picture.shape == (6, image_size, image_size)
    assert picture.dtype == np.uint8
    assert (picture.std(axis=(1, 2)) > 0.5).all()


def test_a_picture_does_not_depend_on_what_was_rendered_before() -> None:
    truth = draw_truth(SPEC)
    other = Site("SIM-RPE-02", 3, "D07", 2, 5)
    alone = render_site(truth, EMPTY)
    render_site(truth, other)
    np.testing.assert_array_equal(render_site(truth, EMPTY), alone)
    np.testing.assert_array_equal(render_site(draw_truth(SPEC), EMPTY), alone)


def test_sites_wells_and_sets_of_wells_show_different_cells() -> None:
    truth = draw_truth(SPEC)
    other_set = draw_truth(replace(SPEC, wells_set=1))
    pictures = [
        render_site(truth, EMPTY),
        render_site(truth, EMPTY._replace(site=2)),
        render_site(truth, EMPTY._replace(well="C05")),
        render_site(other_set, EMPTY),
    ]
    nuclei = [picture[0].ravel() for picture in pictures]
    assert np.abs(np.corrcoef(nuclei) - np.eye(4)).max() < 0.4


def test_measured_gain_follows_the_truth() -> None:
    """With nothing but gain at work, the picture is background + gain * light."""
    only_gain = TechnicalEffects(
        **dict.fromkeys(
            ("gamma", "bleed_through", "blur", "illumination", "noise", "density"), 0.0
        ),
        morphology=0.0,
        knockdown=0.0,
    )
    spec = replace(SPEC, effects=only_gain)
    changed, plain = draw_truth(spec), draw_truth(replace(spec, technical=0.0))
    for experiment in ("SIM-HUVEC-01", "SIM-HUVEC-02", "SIM-RPE-03"):
        site = EMPTY._replace(experiment=experiment)
        with_gain, without = render_site(changed, site), render_site(plain, site)
        effects = changed.effects[experiment]
        expected = effects.gain * effects.plate_gain[0]
        for channel in range(6):
            slope = np.polyfit(without[channel].ravel(), with_gain[channel].ravel(), 1)[0]
            assert slope == pytest.approx(expected[channel], rel=0.15)


def test_blur_lowers_fine_contrast() -> None:
    def roughness(blur: float) -> float:
        truth = draw_truth(
            ScreenSpec(seed=2, image_size=128, pixel_size=2.0, effects=TechnicalEffects(blur=blur))
        )
        channel = render_site(truth, EMPTY)[2].astype(float)
        return float(np.diff(channel).std())

    assert roughness(4.0) < 0.8 * roughness(0.0)


def test_number_of_cells_follows_density_and_phenotype() -> None:
    expected = CELL_TYPES["HUVEC"].cells_per_field
    plain = np.mean([some_cells(seed).in_view(512) for seed in range(20)])
    doubled = np.mean([some_cells(seed, cell_count=np.log(2)).in_view(512) for seed in range(20)])
    assert plain == pytest.approx(expected, rel=0.1)
    assert doubled == pytest.approx(2 * plain, rel=0.15)  # responses differ from cell to cell


def test_nuclei_keep_their_distance_as_real_ones_do() -> None:
    """Clark-Evans ratio of mean nearest distance to a random pattern's; real: 1.26 to 1.28."""
    ratios = []
    for seed in range(10):
        cells = some_cells(seed, side=1024.0)
        inner = (np.abs(cells.x - 512) < 450) & (np.abs(cells.y - 512) < 450)
        places = np.stack([cells.x, cells.y], axis=1)
        nearest = cKDTree(places).query(places[inner], k=2)[0][:, 1]
        density = inner.sum() / 900**2
        ratios.append(nearest.mean() * 2 * np.sqrt(density))
    assert 1.1 < np.mean(ratios) < 1.4


@pytest.mark.parametrize(
    ("trait", "measure"),
    [
        ("nucleus_size", lambda cells: np.sqrt(cells.nucleus.prod(axis=1))),
        ("cell_size", lambda cells: np.sqrt(cells.body.prod(axis=1))),
        ("nucleus_elongation", lambda cells: cells.nucleus[:, 0] / cells.nucleus[:, 1]),
        ("nucleoli_count", lambda cells: (cells.nucleoli[:, :, 2] > 0).mean(axis=1)),
    ],
)
def test_traits_change_what_they_are_named_after(trait: str, measure: object) -> None:
    assert callable(measure)
    plain, grown = some_cells(), some_cells(**{trait: 0.4})
    change = np.log(measure(grown).mean() / measure(plain).mean())
    assert change == pytest.approx(0.4, abs=0.1)


def test_empty_wells_show_more_cells_than_treated_ones_only_with_phenotypes() -> None:
    truth = draw_truth(replace(SPEC, phenotype=0.0))
    np.testing.assert_array_equal(
        render_site(truth, EMPTY), render_site(truth, EMPTY._replace(sirna_id=0))
    )
    shown = draw_truth(SPEC)
    wells = [EMPTY._replace(well=f"{row}04") for row in "BCDEFGHIJKLMNO"]
    seen = [site_cells(shown, well).in_view(256) for well in wells]
    plain = [site_cells(truth, well).in_view(256) for well in wells]
    assert np.mean(seen) / np.mean(plain) == pytest.approx(np.exp(0.476), rel=0.15)


def drawn(log_density: float) -> Cells:
    kind = CELL_TYPES["HUVEC"]
    return draw_cells(
        kind, 512.0, NO_PHENOTYPE, NO_PHENOTYPE, log_density, np.random.default_rng(5)
    )


def test_of_more_cells_the_fewer_are_some() -> None:
    """Density adds cells and takes some away; it draws no other ones."""
    few, many = drawn(-0.7), drawn(0.5)
    numbers_of_few = {tuple(row) for row in few.texture.tolist()}
    numbers_of_many = {tuple(row) for row in many.texture.tolist()}
    assert len(numbers_of_few) < len(numbers_of_many)
    assert numbers_of_few < numbers_of_many


def test_cells_with_more_room_are_larger() -> None:
    few, many = drawn(-1.0), drawn(1.0)
    assert np.median(few.body.prod(axis=1)) > 1.5 * np.median(many.body.prod(axis=1))
    assert np.median(few.nucleus.prod(axis=1)) > np.median(many.nucleus.prod(axis=1))


def test_a_large_view_takes_memory_in_proportion_to_its_cells() -> None:
    tracemalloc.start()
    peaks = []
    for side in (1024.0, 4096.0):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        cells = some_cells(side=side)
        peaks.append((tracemalloc.get_traced_memory()[1] - before) / len(cells.x))
    tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def one_nucleus_on_an_outline() -> Cells:
    """Return two cells, of which one's nucleus reaches into the other."""
    cells = some_cells()
    two = {name: value[:2].copy() for name, value in vars(cells).items()}
    two["x"][:], two["y"][:] = (100.0, 130.0), 128.0
    two["cos"][:], two["sin"][:] = 1.0, 0.0
    two["nucleus"][:], two["brightness"][:], two["traits"][:] = ((20.0,), (6.0,)), 1.0, 1.0
    two["body"][:] = 60.0
    return Cells(**two)


def test_a_nucleus_is_not_cut_off_where_its_cell_ends() -> None:
    planes = paint(one_nucleus_on_an_outline(), 256, 1.0, np.random.default_rng(0))
    assert (planes[0] > 0.5).sum() == pytest.approx(np.pi * (20**2 + 6**2), rel=0.03)


def test_where_two_cells_meet_their_stains_pass_over() -> None:
    cells = one_nucleus_on_an_outline()
    cells.body[:] = 80.0
    cells.nucleus[:] = 4.0
    cells.x[:] = (80.0, 176.0)
    cells.brightness[:, 2] = (0.5, 2.0)
    cells.traits[:, [NAMES.index("actin_border"), NAMES.index("actin_fibres")]] = 0
    actin = paint(cells, 256, 1.0, np.random.default_rng(0))[2]
    steps = np.abs(np.diff(actin, axis=1))[108:148, 96:160]
    levels = actin[108:148, [110, 145]].mean(0)
    assert levels[1] - levels[0] > 0.4
    assert np.median(steps.max(axis=1)) < 0.3 * (levels[1] - levels[0])
