"""What is derived from done runs: for which items, when, and what happens where it cannot be."""

from __future__ import annotations

import dataclasses
import functools
import json
import pickle
import shutil
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from rxrx_lib import cli
from rxrx_lib.cli import studies
from rxrx_lib.study import after_runs, mixing, runs, stages, together
from rxrx_lib.study.after_runs import Step, require_derived, steps
from rxrx_lib.study.archive import done_runs, export
from rxrx_lib.study.catalogue import CATALOGUE
from rxrx_lib.study.derivations import DERIVATIONS, Derivation
from rxrx_lib.study.execute import Runtime, run_one
from rxrx_lib.study.executors import SerialExecutor
from rxrx_lib.study.kept import NotKept
from rxrx_lib.study.profiles import PROFILES, Profile
from rxrx_lib.study.progress import Progress
from rxrx_lib.study.require import RunsFailed
from rxrx_lib.study.spec import RunSpec
from tests.study.stored import finish_with_predictions
from tests.study.tiny import PROFILE, run_spec

pytestmark = pytest.mark.filterwarnings("ignore:experiment .* noisy:UserWarning")
TRAINED = [profile for profile in PROFILES.values() if profile.replicates]
each_derivation = pytest.mark.parametrize(
    "derivation", [each for _, each in DERIVATIONS], ids=lambda each: each.words
)
SPECS = [run_spec(seed=seed) for seed in range(3)]


@pytest.mark.parametrize("profile", TRAINED, ids=lambda profile: profile.name)
@pytest.mark.parametrize("item", dict(DERIVATIONS))
def test_an_item_has_the_runs_of_what_is_derived_for_it(item: str, profile: Profile) -> None:
    ids = {spec.id for spec in CATALOGUE[item](profile)}
    found = steps([item], profile)
    assert found or (item, profile.screen) == ("table1", None)  # it has no second wells
    assert {step.id for step in found} <= ids


def test_what_is_derived_is_asked_for_by_item_and_once() -> None:
    demo = PROFILES["demo"]
    assert steps(["table2", "table5"], demo) == []
    assert steps(["figure7", "figure7"], demo) == steps(["figure7"], demo)
    words = {step.derivation.words for step in steps(CATALOGUE, demo)}
    assert len(words) == len(DERIVATIONS)
    assert steps(CATALOGUE, PROFILES["embeddings"]) == []


def _parts(make: Any) -> tuple[Any, ...]:
    return (make.func, make.args) if isinstance(make, functools.partial) else (make,)


@pytest.mark.parametrize(
    "derivation", [each for _, each in DERIVATIONS], ids=lambda each: each.words
)
def test_what_makes_it_can_be_sent_to_another_process(derivation: Derivation) -> None:
    sent = pickle.loads(pickle.dumps(derivation.make))
    assert _parts(sent) == _parts(derivation.make)


@pytest.fixture(scope="module")
def trained(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with one run that everything can be derived from, done. Read only."""
    store = tmp_path_factory.mktemp("runs")
    run_one(run_spec("adabn", epochs=2), Runtime(data=release, runs=store))
    return store


@pytest.mark.parametrize(
    "derivation",
    [each for _, each in DERIVATIONS if each.screen is None],  # the release has no other screen
    ids=lambda each: each.words,
)
def test_each_is_lacking_until_it_is_made_and_not_made_again(
    derivation: Derivation,
    trained: Path,
    release: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stages, "test_accuracy", lambda *_, **__: 50.0)
    monkeypatch.setattr(mixing, "umap_plane", lambda embedding: embedding[:, :2])
    store = tmp_path / "runs"
    shutil.copytree(trained, store)
    step = Step(derivation, run_spec("adabn", epochs=2))
    assert step.state(store) == "absent"
    lines: list[str] = []
    for _ in range(2):
        told = Progress(write=lines.append)
        assert require_derived([step], data=release, store=store, progress=told) == []
        assert step.state(store) == "done"
    assert lines == [
        "derived from runs: 1, done before: 0, to do: 1",
        f"[1/1] {derivation.words} of {step.spec} · done",
    ]


class Names:
    """A derivation whose product is a file with the run's name."""

    def __init__(self, error: Exception | None = None, fails: RunSpec | None = None) -> None:
        self.error, self.fails = error, fails
        self.made: list[RunSpec] = []

    def steps(self, *, in_one_process: bool = False) -> list[Step]:
        derivation = Derivation(
            words="names",
            specs=lambda profile: SPECS,
            lacking=lambda spec, store: not (store / spec.id / "name").exists(),
            make=self.make,
            in_one_process=in_one_process,
        )
        return [Step(derivation, spec) for spec in SPECS]

    def make(self, spec: RunSpec, runtime: Runtime) -> None:
        if self.error is not None and spec == self.fails:
            raise self.error
        (runtime.runs / spec.id / "name").write_text(spec.id)
        self.made.append(spec)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for spec in SPECS:
        finish_with_predictions(spec, tmp_path)
    return tmp_path


class Counting(SerialExecutor):
    """Counts what it is sent, each of which is one process's to do."""

    sent = 0

    def submit(self, *words: Any, **named: Any) -> Future[Any]:
        self.sent += 1
        return super().submit(*words, **named)


@pytest.mark.parametrize(("in_one_process", "calls"), [(False, 3), (True, 1)])
def test_one_that_fails_is_named_and_the_others_are_made(
    store: Path, in_one_process: bool, calls: int
) -> None:
    names, engine = Names(OSError("disk full"), SPECS[1]), Counting()
    with pytest.raises(RunsFailed) as failed:
        require_derived(
            names.steps(in_one_process=in_one_process),
            store=store,
            engine=engine,
            progress=Progress(write=str),
        )
    assert engine.sent == calls
    first, second = str(failed.value).splitlines()
    assert first == "1 of what runs give were not made:"
    assert second == f"{SPECS[1].id}  names of {SPECS[1]}: disk full"
    assert names.made == [SPECS[0], SPECS[2]]


def test_what_a_merged_run_cannot_give_is_told_and_stops_nothing(store: Path) -> None:
    names, lines = Names(NotKept("it was merged"), SPECS[0]), []
    found = require_derived(names.steps(), store=store, progress=Progress(write=lines.append))
    assert [step.spec for step in found] == [SPECS[0]]
    assert "FAILED: it was merged" in lines[1]
    assert names.made == SPECS[1:]


def test_a_run_that_is_not_sound_is_passed_over(store: Path) -> None:
    run = runs.open_run(store, SPECS[0])
    (run.result / "metrics.json").write_text(json.dumps(run.metrics() | {"accuracy": 99.0}))
    names = Names()
    assert names.steps()[0].state(store) == "unsound"
    require_derived(names.steps(), store=store, progress=Progress(write=str))
    assert names.made == SPECS[1:]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the tiny profile known, with two of its runs for Figure 7."""
    shortened = dataclasses.replace(PROFILE, recipe=dataclasses.replace(PROFILE.recipe, epochs=2))
    monkeypatch.setitem(PROFILES, "tiny", shortened)


def test_after_rxrx_run_an_archive_has_what_the_page_shows(
    tiny: None, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, of_figure7 = tmp_path / "runs", ["--profile", "tiny", "--only", "figure7"]
    where = ["--runs", str(store), "--data", str(release), "--workers", "0"]
    plan = ["plan", *of_figure7, "--runs", str(store)]
    assert cli.main(plan) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "cosine similarities of 2 of these runs (absent: 2)"

    assert cli.main(["run", *of_figure7, *where, "--methods", "adabn"]) == 0
    assert len(list(store.glob("*/predictions/*/derived/similarity.json"))) == 1
    assert cli.main(["run", *of_figure7, *where]) == 0
    written = {path: path.stat().st_mtime_ns for path in store.glob("*/predictions/*/derived/*")}
    assert [path.name for path in written] == ["similarity.json"] * 2

    assert cli.main(["run", *of_figure7, *where]) == 0
    assert {path: path.stat().st_mtime_ns for path in written} == written
    capsys.readouterr()
    assert cli.main(plan) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "cosine similarities of 2 of these runs (done: 2)"

    export(tmp_path / "mine.zip", done_runs(store))
    assert cli.main(["merge", str(tmp_path / "mine.zip"), "--runs", str(tmp_path / "other")]) == 0
    assert cli.main(["run", *of_figure7, *where, "--runs", str(tmp_path / "other")]) == 0
    for path in (tmp_path / "other").glob("*/predictions/*/derived/similarity.json"):
        path.unlink()
    capsys.readouterr()
    assert cli.main(["run", *of_figure7, *where, "--runs", str(tmp_path / "other")]) == 1
    assert "lacks embedding, since it was merged" in capsys.readouterr().err


def test_runs_that_start_from_weights_are_those_that_are_derived_from(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"weights")
    words = ["plan", "--profile", "tiny", "--only", "figure7", "--runs", str(tmp_path)]
    assert cli.main([*words, "--weights", str(weights)]) == 0
    assert "cosine similarities of 2 of these runs" in capsys.readouterr().out


@pytest.mark.parametrize(("rank", "times"), [("0", 1), ("1", 0)])
def test_of_torchruns_processes_the_first_one_alone_derives(
    rank: str, times: int, tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def require_derived(some: list[Step], **_: object) -> list[Step]:
        asked.append([str(step) for step in some])
        return []

    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr(studies, "started_by_torchrun", lambda: True)
    monkeypatch.setattr(together, "run_together", lambda *_: None)
    monkeypatch.setattr(after_runs, "require_derived", require_derived)
    words = ["run", "--profile", "tiny", "--only", "figure7", "--runs", str(tmp_path)]
    assert cli.main(words) == 0
    assert len(asked) == times
    assert all(line.startswith("cosine similarities of ") for some in asked for line in some)
