"""Figure 6: whether test experiments mix in the embedding space, as a picture and as a number."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from rxrx_lib.data.metadata import CELL_TYPES
from rxrx_lib.evaluation.experiment_purity import NEIGHBOURS, neighbour_purity, purity_chance
from rxrx_lib.study.derived import own_prediction, read_derived, write_derived
from rxrx_lib.study.kept import NotKept, arrays_of
from rxrx_lib.study.runs import open_run
from rxrx_lib.study.spec import RunSpec
from rxrx_lib.study.tables import Cell, Cells, cells, unfolded

CELL_TYPE = "HUVEC"
"""The cell type that the paper shows."""
UMAP_SETTINGS: dict[str, Any] = {
    "n_neighbors": NEIGHBOURS,  # and the cosine: what is asked of UMAP is what the purity asks
    "metric": "cosine",
    "min_dist": 0.8,  # its default of 0.1 draws the sites of a class over one another
    "random_state": 0,
}
"""What UMAP is called with. A layout that was kept under other settings is made anew."""
ENDINGS = {name: "" if name == CELL_TYPE else f"_{name}" for name in CELL_TYPES}
"""Cell type to how its columns end; the one that the paper shows has the plain names."""
PURITY: Cells = {
    f"purity{ending}": ("separated", f"neighbour_purity_{name}") for name, ending in ENDINGS.items()
}
CHANCE: Cells = {
    f"chance{ending}": ("separated", f"neighbour_purity_chance_{name}")
    for name, ending in ENDINGS.items()
}


class Layout(NamedTuple):
    """The test sites of one cell type, laid out in a plane from the embeddings of one run."""

    method: str
    experiment: npt.NDArray[Any]
    """Of each site, (N,)."""
    plane: npt.NDArray[np.float32]
    """Their places (N, 2), without a unit."""
    purity: float
    """Percent of the sites' nearest neighbours, in all dimensions, that are of their own
    experiment; nan where there is one experiment only."""
    chance: float
    """The same for neighbours drawn at random."""


def laid_out(specs: Sequence[RunSpec]) -> list[RunSpec]:
    """Return the runs whose sites are laid out: those of the first one's replicate."""
    return [spec for spec in specs if (spec.data, spec.seed) == (specs[0].data, specs[0].seed)]


def layouts(specs: Sequence[RunSpec], store: Path, cell_type: str = CELL_TYPE) -> list[Layout]:
    """Lay out the test sites of each method, of the first replicate among the runs.

    A layout is kept beside the prediction it was made from, and goes with it into archives.

    Parameters
    ----------
    specs
        Runs on the separated split.
    store
        The run store. Runs of which it holds neither embeddings nor a layout are left out.
    cell_type
        Whose test experiments.
    """
    found = []
    for spec in laid_out(specs):
        with suppress(NotKept):
            kept = _kept(spec, store, cell_type) or keep_layout(spec, store, cell_type)
            found.append(_restored(spec.method, kept))
    return found


def lacks_layout(spec: RunSpec, store: Path, cell_type: str = CELL_TYPE) -> bool:
    """Tell whether the store has no layout of a run, or one of other settings."""
    return _kept(spec, store, cell_type) is None


def keep_layout(spec: RunSpec, store: Path, cell_type: str = CELL_TYPE) -> dict[str, Any]:
    """Lay out a done run's test sites, keep that, and return what is kept.

    It takes two bytes a coordinate and one a site's name.

    Raises
    ------
    NotKept
        If the run's predictions hold no embeddings.
    """
    folder = own_prediction(open_run(store, spec), spec)
    stored = arrays_of(folder, ("side", "cell_type", "experiment", "embedding"))
    rows = (stored["side"] == "test") & (stored["cell_type"] == cell_type)
    made = layout("", stored["experiment"][rows], stored["embedding"][rows])
    names, of_site = np.unique(made.experiment, return_inverse=True)
    kept = {
        "names": names,
        "of_site": of_site.astype(np.uint8),
        "plane": made.plane.astype(np.float16),
        "purity": np.array([made.purity, made.chance]),
        "settings": np.array(json.dumps(UMAP_SETTINGS)),
    }
    write_derived(folder, _name(cell_type), kept)
    return kept


def layout(method: str, experiment: npt.NDArray[Any], embedding: npt.NDArray[Any]) -> Layout:
    """Lay sites (N,) out by their embeddings (N, D), and measure how pure their neighbours are."""
    purity = chance = float("nan")
    if np.unique(experiment).size > 1 and experiment.size > NEIGHBOURS:
        purity = 100 * float(neighbour_purity(embedding, experiment).mean())
        chance = 100 * purity_chance(experiment)
    return Layout(method, experiment, umap_plane(embedding), purity, chance)


def _kept(spec: RunSpec, store: Path, cell_type: str) -> dict[str, Any] | None:
    """Return what is kept of a run's layout, unless it was made under other settings."""
    kept = read_derived(own_prediction(open_run(store, spec), spec), _name(cell_type))
    if kept is None or str(kept.get("settings")) != json.dumps(UMAP_SETTINGS):
        return None
    return kept


def _name(cell_type: str) -> str:
    return f"umap_{cell_type.lower()}.npz"


def _restored(method: str, kept: dict[str, Any]) -> Layout:
    plane = kept["plane"].astype(np.float32)
    purity, chance = kept["purity"].tolist()
    return Layout(method, kept["names"][kept["of_site"]], plane, purity, chance)


def umap_plane(embedding: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Lay embeddings out in a plane so that near ones stay near, by UMAP with `UMAP_SETTINGS`.

    UMAP is given the nearest neighbours, found as for the purity: all pairs compared. One seed
    gives one picture on one machine. Distances between clusters and their sizes mean nothing.

    Parameters
    ----------
    embedding
        (N, D), N > 3, finite.

    Returns
    -------
    float32 (N, 2)
    """
    from sklearn.neighbors import NearestNeighbors  # half a second, which the ledger would pay too

    neighbours = min(UMAP_SETTINGS["n_neighbors"], len(embedding) - 1)
    near = NearestNeighbors(
        n_neighbors=neighbours, metric=UMAP_SETTINGS["metric"], algorithm="brute"
    )
    distances, places = near.fit(embedding).kneighbors(embedding)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")  # it shows no progress
        warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\]")  # for data to come
        from umap import UMAP  # compiles for many seconds

        umap = UMAP(
            **(UMAP_SETTINGS | {"n_neighbors": neighbours}),
            precomputed_knn=(places, distances),  # exact at any size, and nothing to compile
            n_jobs=1,
        )
        return np.asarray(umap.fit_transform(embedding), dtype=np.float32)


def purity_cells(results: pd.DataFrame) -> list[Cell]:
    """Return each method's purity by cell type, and its chance, in percent.

    A cell type with one test experiment has none.
    """
    return cells(with_purity(results), PURITY | CHANCE)


def with_purity(results: pd.DataFrame) -> pd.DataFrame:
    """Return the results with a column for each cell type's purity and its chance."""
    return unfolded(unfolded(results, "neighbour_purity"), "neighbour_purity_chance")
