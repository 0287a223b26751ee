"""Runs into an archive and out of it: the same numbers, nothing half-written, nothing averaged."""

from __future__ import annotations

import json
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from rxrx_lib.study import archive, runs, soundness
from rxrx_lib.study.archive import MANIFEST, done_runs, export
from rxrx_lib.study.derived import read_derived, write_derived
from rxrx_lib.study.kept import NotKept, arrays_of
from rxrx_lib.study.merge import Refused, merge
from rxrx_lib.study.results import gather, gather_predictions
from rxrx_lib.study.spec import PredictSpec
from tests.study.stored import finish, finish_with_predictions, made_up_predictions, predict
from tests.study.tiny import BY_SITE, run_spec

SPEC, OTHER = run_spec(seed=1), run_spec("adabn", BY_SITE, seed=2)
OWN, PLATE = PredictSpec(statistics="training"), PredictSpec(statistics="plate", embeddings=False)


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store of two done runs, one with a second way of predicting and a derived file."""
    store = tmp_path / "runs"
    run = finish_with_predictions(SPEC, store)
    finish_with_predictions(OTHER, store)
    arrays = made_up_predictions(SPEC, seed=3)
    test = arrays["side"] == "test"
    arrays = {n: each[test] if each.ndim else each for n, each in arrays.items()}
    del arrays["embedding"]
    digest = run.provenance()["sha256"]["weights.pt"]
    predict(run, PLATE, arrays, weights_sha256=digest)
    write_derived(run.prediction(OWN), "umap.npz", {"xy": [[0.5, 1.5]]})
    return store


@pytest.fixture
def file(store: Path) -> Path:
    made = store.with_name("runs.zip")
    assert len(export(made, done_runs(store)).sizes) == 2
    return made


def test_merged_runs_give_the_same_numbers_without_weights_and_embeddings(
    store: Path, file: Path, tmp_path: Path
) -> None:
    merged = merge([file], tmp_path / "new")
    assert sorted(merged.new) == sorted([SPEC.id, OTHER.id])
    assert not merged.more + merged.same + merged.conflicts
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for read in (
            lambda root: gather([SPEC, OTHER], root),
            lambda root: gather_predictions([SPEC], lambda spec: [OWN, PLATE], root),
        ):
            pd.testing.assert_frame_equal(read(store), read(tmp_path / "new"))
    assert soundness.store_faults(tmp_path / "new") == []
    names = {Path(name).name for name in tree(tmp_path / "new")}
    assert not {"weights.pt", "predictions.npz"} & names
    assert {path.name for path in (tmp_path / "new").iterdir()} == {SPEC.id, OTHER.id}


def test_answers_derived_files_and_history_come_along(
    file: Path, store: Path, tmp_path: Path
) -> None:
    merge([file], tmp_path / "new")
    before, after = (runs.open_run(root, SPEC) for root in (store, tmp_path / "new"))
    whole = arrays_of(before.prediction(OWN))
    kept = arrays_of(after.prediction(OWN))
    assert kept["site_id"].tolist() == whole["site_id"].tolist()
    assert kept["top_sirna_id"][:, 0].tolist() == whole["top_sirna_id"][:, 0].tolist()
    found = read_derived(after.prediction(OWN), "umap.npz")
    assert found is not None
    assert found["xy"].tolist() == [[0.5, 1.5]]
    for name in ("metrics.json", "history.csv", "provenance.json"):
        assert (before.result / name).read_bytes() == (after.result / name).read_bytes()


def test_what_a_merged_run_lacks_is_said_in_a_sentence(file: Path, tmp_path: Path) -> None:
    merge([file], tmp_path / "new")
    folder = runs.open_run(tmp_path / "new", SPEC).stored_prediction(OWN)
    assert folder is not None
    with pytest.raises(
        NotKept, match="lacks embedding, since it was merged from an archive, which"
    ):
        arrays_of(folder, ["embedding", "sirna_id"])


def test_a_prediction_without_embeddings_says_that_it_was_made_so(store: Path) -> None:
    folder = runs.open_run(store, SPEC).prediction(PLATE)
    with pytest.raises(NotKept, match="lacks embedding, since its predictions were made without"):
        arrays_of(folder, ["embedding"])


def test_equal_stores_give_equal_archives_also_after_a_merge(
    store: Path, file: Path, tmp_path: Path
) -> None:
    merge([file], tmp_path / "new")
    again = tmp_path / "again.zip"
    export(again, done_runs(tmp_path / "new"))
    assert again.read_bytes() == file.read_bytes()


def test_merging_twice_changes_nothing(file: Path, tmp_path: Path) -> None:
    merge([file], tmp_path / "new")
    before = tree(tmp_path / "new")
    merged = merge([file, file], tmp_path / "new")
    assert sorted(merged.same) == sorted([SPEC.id, OTHER.id] * 2)
    assert tree(tmp_path / "new") == before


def test_merging_into_the_store_it_came_from_keeps_weights_and_embeddings(
    store: Path, file: Path
) -> None:
    before = tree(store)
    assert len(merge([file], store).same) == 2
    assert tree(store) == before


def test_predictions_and_derived_files_that_came_later_are_added(
    store: Path, tmp_path: Path
) -> None:
    run = runs.open_run(store, SPEC)
    plate = run.prediction(PLATE)
    shutil.move(plate, tmp_path / "plate")
    early, late = tmp_path / "early.zip", tmp_path / "late.zip"
    export(early, [run])
    shutil.move(tmp_path / "plate", plate)
    write_derived(run.prediction(OWN), "mixing.json", {"purity": 0.5})
    export(late, [run])
    new = tmp_path / "new"
    merge([early], new)
    assert merge([late], new).more == [SPEC.id]
    merge([late], tmp_path / "at_once")
    assert tree(new) == tree(tmp_path / "at_once")
    assert merge([early], new).same == [SPEC.id]


def test_a_run_that_stopped_in_training_is_done_by_a_merge(file: Path, tmp_path: Path) -> None:
    run = runs.open_run(tmp_path / "new", SPEC)
    runs.start(run, SPEC)
    run.checkpoint.write_bytes(b"half")
    runs.fail(run, RuntimeError("no power"))
    merge([file], tmp_path / "new")
    assert run.state == "done"
    assert not run.checkpoint.exists()
    assert soundness.store_faults(tmp_path / "new") == []


def test_a_conflict_is_listed_and_what_was_there_is_kept(file: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    finish_with_predictions(SPEC, new, made_up_predictions(SPEC, seed=9))
    before = gather([SPEC], new)["accuracy"].tolist()
    merged = merge([file], new)
    assert merged.new == [OTHER.id]
    (conflict,) = merged.conflicts
    assert conflict.startswith(f"{SPEC.id} of {file} is kept out: its accuracy is ")
    assert gather([SPEC], new)["accuracy"].tolist() == before


def test_the_same_metrics_of_other_weights_add_no_predictions(file: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    run = finish_with_predictions(SPEC, new)
    source = run.provenance()
    source["sha256"]["weights.pt"] = "f" * 64
    runs.write_json(run.result / "provenance.json", source)
    merged = merge([file], new)
    assert (merged.new, merged.same) == ([OTHER.id], [SPEC.id])
    assert not run.prediction(PLATE).exists()


def test_an_unsound_run_in_the_store_is_not_written_over(file: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    run = finish_with_predictions(SPEC, new)
    (run.result / "metrics.json").write_text("{")
    (conflict,) = merge([file], new).conflicts
    assert "metrics.json is no JSON" in conflict
    assert (run.result / "metrics.json").read_text() == "{"


def test_an_export_leaves_out_what_is_not_sound_and_says_so(store: Path, tmp_path: Path) -> None:
    run = runs.open_run(store, SPEC)
    runs.write_json(run.result / "metrics.json", run.metrics() | {"accuracy": 99.0})
    exported = export(tmp_path / "some.zip", done_runs(store))
    assert list(exported.sizes) == [OTHER.id]
    (sentence,) = exported.left_out
    assert sentence.startswith(f"{run.result}/metrics.json is not the file that the run wrote")


def test_an_export_replaces_an_earlier_one_and_no_other_file(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "runs.zip"
    export(file, done_runs(store)[:1])
    export(file, done_runs(store))
    assert len(merge([file], tmp_path / "new").new) == 2
    for name, content in (("thesis.txt", b"the only copy"), ("empty", b"")):
        other = tmp_path / name
        other.write_bytes(content)
        with pytest.raises(FileExistsError, match=f"{name} exists and is no archive of runs"):
            export(other, done_runs(store))
        assert other.read_bytes() == content


def test_an_export_that_fails_leaves_nothing(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(archive, "packed_answers", fail)
    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match="disk full"):
        export(tmp_path / "out" / "runs.zip", done_runs(store))
    assert not list((tmp_path / "out").iterdir())


def test_runs_without_predictions_are_archived_as_they_are(tmp_path: Path) -> None:
    finish(SPEC, tmp_path / "runs", 61.0)
    export(tmp_path / "runs.zip", done_runs(tmp_path / "runs"))
    merge([tmp_path / "runs.zip"], tmp_path / "new")
    assert gather([SPEC], tmp_path / "new")["accuracy"].tolist() == [61.0]


Members = dict[str, bytes]


def absolute(members: Members) -> None:
    members["/etc/rxrx"] = b""


def parent(members: Members) -> None:
    members[f"{SPEC.id}/../../evil.json"] = b"{}"


def windows_parent(members: Members) -> None:
    members[f"{SPEC.id}\\..\\..\\evil.json"] = b"{}"


def drive(members: Members) -> None:
    members["C:evil.json"] = b"{}"


def foreign(members: Members) -> None:
    members[f"{SPEC.id}/thesis.txt"] = b"notes"


def weights(members: Members) -> None:
    members[f"{SPEC.id}/result/weights.pt"] = b"pickled"


def folder(members: Members) -> None:
    members[f"{SPEC.id}/"] = b""


def other_spec(members: Members) -> None:
    members[f"{SPEC.id}/spec.json"] = members[f"{OTHER.id}/spec.json"]


def no_spec(members: Members) -> None:
    del members[f"{SPEC.id}/spec.json"]


def no_result(members: Members) -> None:
    for name in [name for name in members if name.startswith(f"{SPEC.id}/result/")]:
        del members[name]


def no_metrics(members: Members) -> None:
    del members[f"{SPEC.id}/result/metrics.json"]


def no_sites(members: Members) -> None:
    del members[f"{SPEC.id}/sites.npz"]


def other_sites(members: Members) -> None:
    members[f"{SPEC.id}/sites.npz"] = members[f"{OTHER.id}/sites.npz"]


def raised(members: Members) -> None:
    name = f"{SPEC.id}/result/metrics.json"
    members[name] = json.dumps(json.loads(members[name]) | {"accuracy": 99.0}).encode()


def no_json(members: Members) -> None:
    members[f"{SPEC.id}/result/provenance.json"] = b"\xff{"


def no_npz(members: Members) -> None:
    for name in members:
        if name.endswith("reduced.npz"):
            members[name] = members[name][:60]


def bad_derived(members: Members) -> None:
    for name in members:
        if name.endswith("umap.npz"):
            members[name] = b"PK"


def no_manifest(members: Members) -> None:
    del members[MANIFEST]


def newer(members: Members) -> None:
    members[MANIFEST] = b'{"format": 2}'


def strange_manifest(members: Members) -> None:
    members[MANIFEST] = b"[]"


def huge(members: Members) -> None:
    members[f"{SPEC.id}/result/history.csv"] = b"0" * (17 * 2**20)


SPOILT: dict[Callable[[Members], None], str] = {
    absolute: "holds '/etc/rxrx', which leads out of the store",
    parent: "evil.json', which leads out of the store",
    windows_parent: "evil.json', which leads out of the store",
    drive: "holds 'C:evil.json', which leads out of the store",
    foreign: "thesis.txt', which is no file of a run",
    weights: "result/weights.pt', which is no file of a run",
    folder: "/', which is no file of a run",
    other_spec: f"not sound: {SPEC.id}/spec.json holds the spec of run {OTHER.id}",
    no_spec: f"not sound: {SPEC.id}/spec.json is not there",
    no_result: f"not sound: {SPEC.id}/result is not there",
    no_metrics: f"not sound: {SPEC.id}/result/metrics.json is not there",
    no_sites: f"{SPEC.id}/sites.npz",
    other_sites: f"not sound: {SPEC.id}/predictions/",
    raised: f"not sound: {SPEC.id}/result/metrics.json is not the file that the run wrote",
    no_json: f"not sound: {SPEC.id}/result/provenance.json is no JSON",
    no_npz: "reduced.npz is no npz file",
    bad_derived: "derived/umap.npz is no npz file",
    no_manifest: f"holds no {MANIFEST}; give files that rxrx export wrote",
    newer: f"has format 2 in {MANIFEST}; expected 1",
    strange_manifest: f"has format None in {MANIFEST}; expected 1",
    huge: "result/history.csv of 17825792 bytes; expected at most",
}


def spoilt(file: Path, spoil: Callable[[Members], None]) -> Path:
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    spoil(members)
    other = file.with_name("spoilt.zip")
    with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return other


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_a_spoilt_archive_is_refused_in_one_sentence_and_nothing_of_any_is_merged(
    spoil: Callable[[Members], None], file: Path, tmp_path: Path
) -> None:
    bad = spoilt(file, spoil)
    outside = tree(tmp_path)
    with pytest.raises(Refused) as refused:
        merge([file, bad], tmp_path / "new")
    sentence = str(refused.value)
    assert sentence.startswith(f"{bad} ")
    assert SPOILT[spoil] in sentence
    assert "\n" not in sentence
    assert tree(tmp_path) == outside
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_archive_is_refused(kept: float, file: Path, tmp_path: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])
    with pytest.raises(Refused, match=r"runs\.zip is no whole zip file"):
        merge([file], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_archive_with_flipped_bytes_is_refused(file: Path, tmp_path: Path) -> None:
    content = bytearray(file.read_bytes())
    content[3000] ^= 255
    file.write_bytes(bytes(content))
    with pytest.raises(Refused):
        merge([file], tmp_path / "new")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.zip"):
        merge([tmp_path / "none.zip"], tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_a_member_that_stands_there_twice_is_refused(file: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(file, "a") as archive:
        archive.writestr(f"{SPEC.id}/spec.json", "{}")
    with pytest.raises(Refused, match="stands there twice or is encrypted"):
        merge([file], tmp_path / "new")


def test_a_merge_that_is_killed_leaves_no_run_half_done(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = runs.commit_folder

    def killed(target: Path, *arguments: object, **more: object) -> bool:
        if target.name == "result":
            raise KeyboardInterrupt
        return commit(target, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(runs, "commit_folder", killed)
    with pytest.raises(KeyboardInterrupt):
        merge([file], tmp_path / "new")
    assert done_runs(tmp_path / "new") == []
    monkeypatch.undo()
    assert len(merge([file], tmp_path / "new").new) == 2
    assert soundness.store_faults(tmp_path / "new") == []
