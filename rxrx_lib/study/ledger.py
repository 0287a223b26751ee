"""Paper, RxRx1 and simulation, number by number: what ``rxrx report`` prints."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import pandas as pd

from rxrx_lib.study import paper, prediction_statistics, similarity
from rxrx_lib.study.ablations import normalization_cells, table2_cells
from rxrx_lib.study.catalogue import CATALOGUE, items_of
from rxrx_lib.study.cell_types import table3_cells
from rxrx_lib.study.channel_games import channel_shares, share_cells
from rxrx_lib.study.channel_subsets import subset_cells
from rxrx_lib.study.components import component_cells
from rxrx_lib.study.counted_otherwise import table1_otherwise, table3_otherwise
from rxrx_lib.study.dynamics import dynamics_cells
from rxrx_lib.study.few_experiments import table4_cells
from rxrx_lib.study.mixing import purity_cells
from rxrx_lib.study.negative_controls import negative_control_cells
from rxrx_lib.study.profiles import PROFILES, Profile
from rxrx_lib.study.results import gather, gather_predictions
from rxrx_lib.study.reversal_tradeoff import tradeoff_cells
from rxrx_lib.study.rivals import cells as rival_cells
from rxrx_lib.study.rivals import gather_rivals
from rxrx_lib.study.same_experiments import same_experiment_cells
from rxrx_lib.study.strength import strength_cells
from rxrx_lib.study.tables import BESIDE_TABLE1, Cell, cells, table1

COLUMNS = (
    "item",
    "row",
    "column",
    "paper",
    "rxrx1",
    "rxrx1_sd",
    "rxrx1_n",
    "simulated",
    "simulated_sd",
    "simulated_n",
    "data",
)
Place = tuple[str, str, str]
"""Item, row, column."""

FROM_RUNS: tuple[tuple[str, Callable[[pd.DataFrame], Iterable[Cell]]], ...] = (
    ("table1", lambda results: table1(results).values()),
    ("table1", lambda results: cells(results, BESIDE_TABLE1)),
    ("negative_controls", negative_control_cells),
    ("reversal_tradeoff", tradeoff_cells),
    ("table3", table3_cells),
    ("figure6", purity_cells),
    ("figure10", dynamics_cells),
    ("table2", table2_cells),
    ("table4", table4_cells),
    ("table5", normalization_cells),
    ("table6", normalization_cells),
    ("figure9", subset_cells),
    ("table1", table1_otherwise),
    ("strength", strength_cells),
    ("components", component_cells),
)
"""Items of the catalogue, and the numbers that the metrics of their runs give."""


def ledger(store: Path, profile: Profile) -> pd.DataFrame:
    """Return every number of the paper's tables and every other number of the catalogue.

    Parameters
    ----------
    store
        The run store. RxRx1's numbers are those of the ``paper`` profile's runs in it.
    profile
        The profile whose runs give the simulated numbers; with the ``paper`` profile there are
        none. One that measures a task of its own on RxRx1 gives rows of their own, which no number
        of the paper stands in: its items are named ``<profile>/<item>``.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`; nan where there is no number. ``data`` says what the measured number was
        measured on.
    """
    rxrx1 = measured(store, PROFILES["paper"])
    own = measured(store, profile) if profile.replicates and profile.name != "paper" else {}
    simulated = own if profile.screen is not None else {}
    printed = {(n.item, n.row, n.column): n.value for n in paper.numbers()}
    places = [*printed, *(place for place in simulated | rxrx1 if place not in printed)]
    rows = []
    for place in sorted(places, key=lambda place: place[0]):
        real, like = rxrx1.get(place), simulated.get(place)
        data = [
            name for name, cell in (("rxrx1", real), (f"simulated {profile.name}", like)) if cell
        ]
        rows.append((*place, printed.get(place), *_numbers(real), *_numbers(like), ", ".join(data)))
    if profile.screen is None:
        source = f"rxrx1 {profile.name}"
        rows += [
            (
                f"{profile.name}/{place[0]}",
                *place[1:],
                None,
                *_numbers(cell),
                *_numbers(None),
                source,
            )
            for place, cell in own.items()
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def measured(
    store: Path, profile: Profile, items: Collection[str] | None = None
) -> dict[Place, Cell]:
    """Return what the store's runs of one profile give, by place.

    Parameters
    ----------
    store
        The run store.
    profile
        Whose runs are looked up.
    items
        Of the catalogue, whose numbers are wanted; the profile's by default. Some take seconds.
    """
    found: dict[Place, Cell] = {}
    wanted = set(items_of(profile) if items is None else items)
    for item, cells_of in FROM_RUNS:
        if item in wanted:
            found.update(_placed(item, cells_of(gather(CATALOGUE[item](profile), store))))
    if "test_time_statistics" in wanted:
        ways = gather_predictions(
            CATALOGUE["test_time_statistics"](profile), prediction_statistics.asked, store
        )
        found.update(_placed("test_time_statistics", prediction_statistics.cells(ways)))
    if "figure7" in wanted:
        pairs = similarity.gather_similarity(CATALOGUE["figure7"](profile), store)
        found.update(_placed("figure7", similarity.cells(pairs)))
    if "figure8" in wanted:
        found.update(_placed("figure8", share_cells(channel_shares(profile, store))))
    if "rivals" in wanted:
        found.update(_placed("rivals", rival_cells(gather_rivals(profile, store))))
    if "table3" in wanted:
        found.update(_placed("table3", table3_otherwise(CATALOGUE["table3"](profile), store)))
    if "table1" in wanted:
        of_table1 = gather(CATALOGUE["table1"](profile), store)
        found.update(_placed("table1", same_experiment_cells(of_table1, store).values()))
    return found


def remeasured(rows: pd.DataFrame) -> tuple[int, int]:
    """Count the numbers of the paper's tables: those measured anew on RxRx1, and all."""
    accuracies = rows[rows["paper"].notna() & rows["item"].str.startswith("table")]
    return int(accuracies["rxrx1"].notna().sum()), len(accuracies)


def written(rows: pd.DataFrame, form: str) -> str:
    """Write the ledger as ``csv``, ``json`` or a Markdown table (``md``)."""
    if form == "csv":
        return rows.to_csv(index=False, float_format="%.4g", lineterminator="\n")
    if form == "json":
        return rows.to_json(orient="records", indent=1) + "\n"
    words = rows.map(lambda value: "" if pd.isna(value) else _word(value))
    lines = ["| " + " | ".join(line) + " |" for line in words.itertuples(index=False)]
    head = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    return "\n".join([*head, *lines]) + "\n"


def _word(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _placed(item: str, some: Iterable[Cell]) -> Iterator[tuple[Place, Cell]]:
    for cell in some:
        yield (item, cell.row, cell.column), cell


def _numbers(cell: Cell | None) -> tuple[float | None, float | None, int | None]:
    """Return mean, standard deviation and number of replicates, None where there is none."""
    if cell is None:
        return None, None, None
    sd = cell.sd
    return cell.value, None if sd != sd else sd, cell.n or None
