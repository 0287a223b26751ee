"""No label of a test site is read by training or adaptation: here they raise when touched.

Three places look at them on purpose, and none is training: the check beforehand that every class
that is tested can be learnt, the number of classes (the largest of the screen, plus one), and
scoring.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest
import torch

from rxrx_lib.data.splits import Split
from rxrx_lib.models.methods import METHODS
from rxrx_lib.study import runs, stages
from rxrx_lib.study.screens import Screen, make_split, open_screen
from rxrx_lib.study.spec import PredictSpec, SplitSpec
from rxrx_lib.training import predict as predict_module
from rxrx_lib.training.attempts import Attempts
from rxrx_lib.training.hardware import Hardware, prepared
from rxrx_lib.training.pools import STATISTICS, pools, require_statistics
from tests.study.tiny import BY_SITE, RELEASE, SEPARATED, run_spec


class LabelRead(AssertionError):
    """A label of a test site was used."""


def _raise(*_: object) -> NoReturn:
    raise LabelRead


USES = "int index float bool str eq ne lt le gt ge hash len iter array add radd sub rsub contains"
Hidden = type("Hidden", (), {f"__{name}__": _raise for name in USES.split()})


def hidden(table: pd.DataFrame, split: Split) -> pd.DataFrame:
    """Return the table with labels that raise in every row that is not trained on."""
    changed = table.copy()
    for column in ("sirna", "sirna_id"):
        values = table[column].to_numpy(dtype=object)
        for row in np.setdiff1d(np.arange(len(table)), split.train):
            values[row] = Hidden()
        changed[column] = pd.Series(values, dtype=object, index=table.index)
    return changed


@pytest.fixture(scope="module")
def screen(release: Path) -> Screen:
    return open_screen(RELEASE, release)


@pytest.mark.parametrize("use", [int, float, hash, str, bool, lambda x: x == 1, lambda x: x < 1])
def test_the_hidden_labels_do_raise(use: Any) -> None:
    with pytest.raises(LabelRead):
        use(Hidden())


def test_a_table_with_hidden_labels_cannot_be_scored(screen: Screen) -> None:
    """Without this, labels that do not raise would pass all that follows."""
    table = hidden(screen.table, make_split(screen.table, SEPARATED))
    for read in (
        lambda: table["sirna_id"].to_numpy(dtype=np.int64),
        lambda: table["sirna_id"].max(),
        lambda: table.groupby("sirna_id").size(),
        lambda: table["sirna_id"] == 3,
    ):
        with pytest.raises((LabelRead, TypeError)):
            read()


def trained(screen: Screen, table: pd.DataFrame, split: Split, method: str, folder: Path) -> Any:
    """Train and return the network, and the work with the table given."""
    spec = run_spec(method, epochs=2)
    run = runs.open_run(folder, spec)
    runs.start(run, spec)
    with prepared(Hardware(device="cpu")) as hardware:
        network = stages.build(METHODS[method], spec, screen)
        sites = stages.sites(spec, screen, hardware)
        work = stages.Work(spec, screen._replace(table=table), split, sites)
        stages.train(network, work, hardware, run, Attempts({}))
    return network, work


@pytest.mark.parametrize("split_spec", [SEPARATED, BY_SITE], ids=lambda s: s.unit)
@pytest.mark.parametrize("method", ["baseline", "adabn_gradient_reversal"])
def test_training_reads_no_label_of_a_test_site(
    screen: Screen, tmp_path: Path, method: str, split_spec: SplitSpec
) -> None:
    split = make_split(screen.table, split_spec)
    table = hidden(screen.table, split)
    unread, _ = trained(screen, table, split, method, tmp_path / "hidden")
    read, _ = trained(screen, screen.table, split, method, tmp_path / "shown")
    weights = read.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in unread.state_dict().items())


@pytest.mark.filterwarnings("ignore:experiment .* noisy:UserWarning")
@pytest.mark.parametrize("statistics", STATISTICS)
def test_adaptation_reads_no_label_at_all(
    screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statistics: str
) -> None:
    split = make_split(screen.table, SEPARATED)
    nothing = Split(name="separated", unit="experiment", train=split.train[:0], test=split.test)
    table = hidden(screen.table, nothing)
    require_statistics(table, statistics)
    everything = np.arange(len(table))
    for name in sorted(set(table["experiment"])):
        assert pools(table, name, everything, statistics, 8)

    network = stages.build(METHODS["adabn"], run_spec("adabn"), screen)
    # What follows the prediction writes labels down beside it, for scoring.
    monkeypatch.setattr(predict_module, "_described", lambda *_: {})
    monkeypatch.setattr(Screen, "classes", property(lambda _: 1139))  # as many as the network has
    found = []
    with prepared(Hardware(device="cpu")) as hardware:
        sites = stages.sites(run_spec("adabn"), screen, hardware)
        for each in (table, screen.table):
            work = stages.Work(run_spec("adabn"), screen._replace(table=each), split, sites)
            asked = PredictSpec(statistics=statistics, embeddings=False)
            found.append(stages.predicted(network, work, asked))
    for name in found[0]:
        assert np.array_equal(found[0][name], found[1][name]), name
