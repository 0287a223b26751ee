"""The simulated file: the release's format, always the same, and never to be taken for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rxrx_lib.data import embeddings, simulated_embeddings
from rxrx_lib.data.simulated_embeddings import EmbeddingsSpec, draw
from rxrx_lib.data.simulator import ScreenSpec, layout

TINY = EmbeddingsSpec(
    experiments=(("HUVEC", 2, 1), ("RPE", 1, 1)), treatments_per_plate=2, positive_controls=1
)


def table(spec: EmbeddingsSpec) -> pd.DataFrame:
    return layout(
        ScreenSpec(
            seed=spec.seed,
            experiments=spec.experiments,
            treatments_per_plate=spec.treatments_per_plate,
            positive_controls=spec.positive_controls,
        )
    )


def test_the_same_spec_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        simulated_embeddings.write(TINY, tmp_path / name)
    for file in ("metadata.csv", "embeddings.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    simulated_embeddings.write(dataclasses.replace(TINY, seed=11), tmp_path / "c")
    first, other = (embeddings.load(tmp_path / name).values for name in "ac")
    assert not np.isclose(first, other).any(axis=1).all()


def test_it_is_read_like_the_release_and_names_say_what_it_is(tmp_path: Path) -> None:
    simulated_embeddings.write(TINY, tmp_path)
    found = embeddings.load(tmp_path)
    assert found.missing == 0
    assert found.table["experiment"].str.startswith("SIM-").all()
    named = found.table.loc[found.table["sirna"] != "EMPTY", "sirna"]
    assert named.str.fullmatch(r"sim-\d{4}").all()
    assert found.table["sirna_id"].nunique() == 4 * 2 + 1 + 1


def test_the_file_has_the_promised_size() -> None:
    sites = table(EmbeddingsSpec())
    assert sites["experiment"].nunique() == 51
    assert sites["sirna_id"].nunique() == 60
    assert len(sites) == 51 * 4 * (14 + 3 + 1) * 2


def test_a_sites_draw_does_not_depend_on_the_rows_around_it() -> None:
    sites = table(TINY)
    some = np.random.default_rng(0).permutation(len(sites))[:20]
    np.testing.assert_array_equal(draw(TINY, sites.iloc[some]), draw(TINY, sites)[some])


def spread(**changes: float) -> np.ndarray:
    """Embeddings with every part of the model off, but for those given."""
    off = dict.fromkeys(("cell_type", "phenotype", "offset", "scale", "well", "site"), 0.0)
    spec = dataclasses.replace(TINY, **(off | changes))
    return draw(spec, table(spec))


@pytest.mark.parametrize(
    ("part", "shared_by"),
    [
        ("cell_type", ["cell_type"]),
        ("phenotype", ["cell_type", "sirna_id"]),
        ("offset", ["experiment"]),
        ("well", ["well_id"]),
        ("site", ["site_id"]),
    ],
)
def test_each_part_of_the_model_is_shared_by_what_it_is_named_after(
    part: str, shared_by: list[str]
) -> None:
    frame = pd.DataFrame(spread(**{part: 1.0}))
    groups = table(TINY).groupby(shared_by).ngroup().to_numpy()
    assert frame.groupby(groups).nunique().max(axis=None) == 1
    assert frame[0].nunique() == len(set(groups))


def test_noise_and_cell_types_have_the_documented_spread() -> None:
    noise = spread(site=0.7)
    assert noise.std() == pytest.approx(0.7, rel=0.02)
    assert spread(well=2.0).std() == pytest.approx(2.0, rel=0.03)


def test_half_of_what_a_treatment_does_is_common_to_cell_types() -> None:
    sites, values = table(TINY), spread(phenotype=1.0)
    one_well = sites.drop_duplicates(["cell_type", "sirna_id"])
    treatments = one_well[one_well["well_type"] == "treatment"].sort_values("sirna_id")
    huvec, rpe = (
        values[treatments.index[treatments["cell_type"] == name]] for name in ("HUVEC", "RPE")
    )
    assert huvec.std() == pytest.approx(1.0, rel=0.1)
    assert np.corrcoef(huvec.ravel(), rpe.ravel())[0, 1] == pytest.approx(0.5, abs=0.1)


def test_positive_controls_are_twice_as_strong() -> None:
    sites, values = table(TINY), spread(phenotype=1.0)
    positive = values[(sites["well_type"] == "positive_control").to_numpy()]
    assert positive.std() == pytest.approx(2.0, rel=0.15)


def test_scale_multiplies_feature_by_feature() -> None:
    plain, scaled = spread(site=1.0), spread(site=1.0, scale=0.5)
    factor = scaled / plain
    experiments = table(TINY)["experiment"].to_numpy()
    for name in np.unique(experiments):
        some = factor[experiments == name]
        np.testing.assert_allclose(some, np.broadcast_to(some[0], some.shape))
    assert (factor > 0).all()


def test_offsets_of_experiments_have_a_heavy_tail() -> None:
    many = EmbeddingsSpec(
        experiments=(("HUVEC", 90, 0),), treatments_per_plate=1, positive_controls=0
    )
    off = dataclasses.replace(many, cell_type=0.0, phenotype=0.0, scale=0.0, well=0.0, site=0.0)
    sites = table(off).drop_duplicates("experiment")
    lengths = np.linalg.norm(draw(off, sites), axis=1) / (off.offset * np.sqrt(128))
    assert lengths.max() > 2.5 * np.median(lengths)
    assert lengths.max() < 1.2 * simulated_embeddings.MOST_STRENGTH


def test_a_layout_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="treatments_per_plate is -1"):
        simulated_embeddings.write(dataclasses.replace(TINY, treatments_per_plate=-1), tmp_path)
